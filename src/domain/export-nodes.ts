/** XEP-0227 §4.10: the nodes of an account, their configuration apart from their items. */
import { configForm } from "../pubsub/config.ts";
import { optionsForm, optionsFrom } from "../pubsub/subscription-options.ts";
import { pubsubPeopleStore, type SubscriptionRow } from "../store/pubsub-people.ts";
import { pubsubStore, type ItemRow } from "../store/pubsub.ts";
import { formElement } from "../xmpp/dataform.ts";
import { parseElement } from "../xmpp/parser.ts";
import { escapeAttribute, serialize, xml, type Element } from "../xmpp/xml.ts";
import type { ExportContext } from "./export.ts";

/** Items read at once. */
const pageSize = 100;

type Context = Pick<ExportContext, "pubsub" | "store">;

/** §4.10.1. */
export async function* configuredNodes({ pubsub, store }: Context, account: string): AsyncGenerator<string> {
  const people = pubsubPeopleStore(store);
  for (const { node, config } of await pubsub.nodes.list(account)) {
    const form = formElement({ ...configForm(config, "result"), type: "form" });
    const affiliations = await people.affiliations(account, node);
    const subscriptions = await people.subscriptions(account, node);
    const elements = [
      xml("configure", { node }, form),
      ...some("affiliations", node, affiliations.map(affiliationElement)),
      ...some("subscriptions", node, subscriptions.map(subscriptionElement)),
    ];
    yield elements.map((element) => `${serialize(element)}\n`).join("");
  }
}

const some = (name: string, node: string, inside: Element[]): Element[] =>
  inside.length > 0 ? [xml(name, { node }, ...inside)] : [];

const affiliationElement = ({ jid, affiliation }: { jid: string; affiliation: string }): Element =>
  xml("affiliation", { jid, affiliation });

function subscriptionElement({ jid, state, subid, options }: SubscriptionRow): Element {
  const element = xml("subscription", { jid, subscription: state, subid });
  if (Object.keys(options).length === 0) return element;
  element.append(
    xml("options", {}, formElement({ ...optionsForm(optionsFrom(options), "result"), type: "form" })),
  );
  return element;
}

/** §4.10.2: the oldest item first. */
export async function* nodeItems({ pubsub, store }: Context, account: string): AsyncGenerator<string> {
  const repository = pubsubStore(store);
  for (const { node } of await pubsub.nodes.list(account)) {
    yield `<items node="${escapeAttribute(node)}">\n`;
    for (let last = ""; ;) {
      const range = { newerThan: last, limit: pageSize, fromOldest: true };
      const rows = (await repository.page(account, node, range, new Date())).reverse();
      if (rows.length === 0) break;
      last = rows.at(-1)!.position;
      yield rows.map((row) => `${serialize(itemElement(row, account))}\n`).join("");
    }
    yield "</items>\n";
  }
}

const itemElement = ({ id, publisher, payload }: ItemRow, account: string): Element =>
  xml(
    "item",
    { id, publisher: publisher === account ? undefined : publisher },
    ...(payload === null ? [] : [parseElement(payload)]),
  );
