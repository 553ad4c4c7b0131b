/** XEP-0060 §5: what can be discovered of a service's nodes. Whoever may not read a node does not see it. */
import { formElement, type Field } from "../xmpp/dataform.ts";
import { formatDateTime } from "../xmpp/datetime.ts";
import type { Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { parseRsm, rsmElement } from "../xmpp/rsm.ts";
import { xml, type Element } from "../xmpp/xml.ts";
import type { PubSubNode } from "./events.ts";
import type { PubSub } from "./pubsub.ts";
import { pageEnds } from "./requests.ts";
import { isAccount } from "./standings.ts";

/** §10, as far as all of it works, on accounts and services alike. */
export const pubsubFeatures: readonly string[] = [
  NS.pubsub,
  ...[
    "access-authorize",
    "access-open",
    "access-presence",
    "access-roster",
    "access-whitelist",
    "auto-create",
    "config-node",
    "config-node-max",
    "create-and-configure",
    "create-nodes",
    "delete-items",
    "delete-nodes",
    "instant-nodes",
    "item-ids",
    "manage-subscriptions",
    "member-affiliation",
    "meta-data",
    "modify-affiliations",
    "multi-items",
    "outcast-affiliation",
    "persistent-items",
    "publish",
    "publish-only-affiliation",
    "publish-options",
    "publisher-affiliation",
    "purge-nodes",
    "retract-items",
    "retrieve-affiliations",
    "retrieve-default",
    "retrieve-default-sub",
    "retrieve-items",
    "retrieve-subscriptions",
    "rsm",
    "subscribe",
    "subscription-notifications",
    "subscription-options",
  ].map((feature) => `${NS.pubsub}#${feature}`),
  NS.rsm,
];

/** What PEP adds (§9, XEP-0163 §6). */
export const accountFeatures: readonly string[] = [
  "auto-subscribe",
  "filtered-notifications",
  "last-published",
  "presence-notifications",
  "presence-subscribe",
  "pubsub-on-a-jid",
].map((feature) => `${NS.pubsub}#${feature}`);

/** §5.3 and §5.4: a node's identity and metadata; `undefined` for a node that is not to be seen. */
export async function nodeInfo(pubsub: PubSub, service: string, name: string, viewer: Jid) {
  const node = await pubsub.find(service, name);
  if (!node || !(await pubsub.mayRead(node, viewer))) return undefined;
  return {
    identities: [
      { category: "pubsub", type: "leaf", ...(node.config.title ? { name: node.config.title } : {}) },
    ],
    features: [NS.pubsub],
    forms: [await metadata(pubsub, node)],
  };
}

async function metadata(pubsub: PubSub, node: PubSubNode): Promise<Element> {
  const { config, createdAt, service } = node;
  const owners = await pubsub.standings.owners(node);
  const values: [string, readonly string[]][] = [
    ["title", one(config.title)],
    ["description", one(config.description)],
    ["type", one(config.type)],
    ["language", one(config.language)],
    ["contact", config.contact],
    ["creation_date", [formatDateTime(createdAt)]],
    ["creator", isAccount(service) ? [service] : []],
    ["access_model", [config.accessModel]],
    ["publish_model", [config.publishModel]],
    ["max_items", [String(config.maxItems)]],
    ["num_subscribers", [String(await pubsub.subscriptions.count(node))]],
    ["owner", owners],
  ];
  const fields: Field[] = values.flatMap(([name, list]) =>
    list.length > 0 ? { name: `pubsub#${name}`, values: [...list] } : [],
  );
  return formElement({
    type: "result",
    formType: NS.pubsubMetaData,
    fields: new Map(fields.map((field) => [field.name, field])),
  });
}

const one = (value: string | undefined): string[] => (value === undefined ? [] : [value]);

/** §5.2: the nodes of a service that the viewer may read. */
export async function nodeItems(pubsub: PubSub, service: string, viewer: Jid): Promise<Element[]> {
  const nodes = await pubsub.standings.readable(await pubsub.nodes.list(service), viewer);
  return nodes.map(({ node, config }) => xml("item", { jid: service, node, name: config.title }));
}

/** §5.5: the ids of a node's items, newest first, with RSM where it is asked for or the list is cut. */
export async function itemItems(
  pubsub: PubSub,
  service: string,
  name: string,
  viewer: Jid,
  query: Element,
): Promise<Element[] | undefined> {
  const node = await pubsub.find(service, name);
  if (!node || !(await pubsub.mayRead(node, viewer))) return undefined;
  const rsm = parseRsm(query);
  const page = await pubsub.items.idPage(node, rsm ?? {});
  const items = page.entries.map(({ id }) => xml("item", { jid: service, name: id }));
  if (rsm || page.entries.length < page.count) items.push(rsmElement(pageEnds(page)));
  return items;
}
