/** XEP-0060 §8: the requests of a node's owner, `<pubsub/>` in the namespace `pubsub#owner`. */
import { formElement, formOf } from "../xmpp/dataform.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, children, xml, type Element } from "../xmpp/xml.ts";
import { parseAffiliation } from "./affiliations.ts";
import { configForm } from "./config.ts";
import type { PubSub } from "./pubsub.ts";
import { dispatch, jidOf, nodeOf, type Action, type PubSubRequest } from "./requests.ts";

const actions: Readonly<Record<string, Action>> = {
  "get configure": configuration,
  "get default": defaults,
  "get subscriptions": subscriptions,
  "get affiliations": affiliations,
  "set configure": configure,
  "set delete": remove,
  "set purge": purge,
  "set subscriptions": setSubscriptions,
  "set affiliations": setAffiliations,
};

export function answerOwner(pubsub: PubSub, request: PubSubRequest): Promise<Element | undefined> {
  return dispatch(actions, pubsub, request);
}

const result = (...inside: Element[]): Element => xml("pubsub", { xmlns: NS.pubsubOwner }, ...inside);

/** §8.2. */
async function configuration(pubsub: PubSub, { service, from }: PubSubRequest, action: Element) {
  const { node, config } = await pubsub.nodes.owned(service, nodeOf(action), from);
  return result(xml("configure", { node }, formElement(configForm(config, "form"))));
}

async function configure(pubsub: PubSub, { service, from }: PubSubRequest, action: Element) {
  const node = nodeOf(action);
  const form = formOf(action);
  if (!form) throw new StanzaError("bad-request", { text: "There is no form" });
  if (form.type === "cancel") await pubsub.nodes.owned(service, node, from);
  else await pubsub.nodes.configure(service, node, from, form);
  return undefined;
}

/** §8.3. */
async function defaults(pubsub: PubSub, { service }: PubSubRequest) {
  return result(xml("default", {}, formElement(configForm(pubsub.nodes.defaults(service), "form"))));
}

/** §8.4. */
async function remove(pubsub: PubSub, { service, from }: PubSubRequest, action: Element) {
  const redirect = child(action, "redirect");
  await pubsub.nodes.remove(service, nodeOf(action), from, redirect && attr(redirect, "uri"));
  return undefined;
}

/** §8.5. */
async function purge(pubsub: PubSub, { service, from }: PubSubRequest, action: Element) {
  await pubsub.items.purge(service, nodeOf(action), from);
  return undefined;
}

/** §8.8.1. */
async function subscriptions(pubsub: PubSub, { service, from }: PubSubRequest, action: Element) {
  const node = await pubsub.nodes.owned(service, nodeOf(action), from);
  const list = (await pubsub.subscriptions.at(node)).filter(({ state }) => state !== "pending");
  return result(
    xml(
      "subscriptions",
      { node: node.node },
      ...list.map(({ jid, subid, state }) => xml("subscription", { jid, subid, subscription: state })),
    ),
  );
}

/** §8.8.2. An entry that does not say what it shall be stays as it is. */
async function setSubscriptions(pubsub: PubSub, { service, from }: PubSubRequest, action: Element) {
  const changes = children(action, "subscription").flatMap((one) => {
    const state = attr(one, "subscription");
    return state === undefined ? [] : { jid: jidOf(one), subid: attr(one, "subid"), state };
  });
  await pubsub.subscriptions.set(service, nodeOf(action), from, changes);
  return undefined;
}

/** §8.9.1. */
async function affiliations(pubsub: PubSub, { service, from }: PubSubRequest, action: Element) {
  const node = nodeOf(action);
  const list = await pubsub.affiliations.list(service, node, from);
  return result(
    xml(
      "affiliations",
      { node },
      ...list.map(({ jid, affiliation }) => xml("affiliation", { jid, affiliation })),
    ),
  );
}

/** §8.9.2. */
async function setAffiliations(pubsub: PubSub, { service, from }: PubSubRequest, action: Element) {
  const changes = children(action, "affiliation").flatMap((one) => {
    const name = attr(one, "affiliation");
    if (name === undefined) return [];
    const affiliation = parseAffiliation(name);
    if (!affiliation) throw new StanzaError("not-acceptable", { text: `There is no affiliation ${name}` });
    return { jid: jidOf(one), affiliation };
  });
  await pubsub.affiliations.set(service, nodeOf(action), from, changes);
  return undefined;
}
