/** XEP-0060: a `<pubsub/>` element of an iq, done by the engine, and the result of it. For accounts and services alike. */
import { formElement, formOf } from "../xmpp/dataform.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { parseRsm, rsmElement, type RsmRequest } from "../xmpp/rsm.ts";
import { attr, child, children, xml, type Element } from "../xmpp/xml.ts";
import { refusal, unsupported } from "./errors.ts";
import type { Item, PubSubNode, Subscription } from "./events.ts";
import type { PubSub } from "./pubsub.ts";
import type { SubscriptionKey } from "./subscriptions.ts";
import { defaultOptions, optionsForm } from "./subscription-options.ts";

/** Items of one publish: they are prepared and written in one go, for which everybody else has to wait. */
const itemsOfPublish = 100;

export interface PubSubRequest {
  readonly type: "get" | "set";
  /** The bare address of the account or service that is asked. */
  readonly service: string;
  readonly from: Jid;
  /** The `<pubsub/>` element. */
  readonly payload: Element;
}

/** What each request asks for: the element inside `<pubsub/>`, and the whole. */
export type Action = (
  pubsub: PubSub,
  request: PubSubRequest,
  action: Element,
) => Promise<Element | undefined>;

/** The requests of everybody (§5–§7, and §8.1 for who may); `#owner` has its own. */
const actions: Readonly<Record<string, Action>> = {
  "get items": items,
  "get subscriptions": subscriptions,
  "get affiliations": affiliations,
  "get options": options,
  "get default": defaults,
  "set publish": publish,
  "set retract": retract,
  "set subscribe": subscribe,
  "set unsubscribe": unsubscribe,
  "set options": setOptions,
  "set create": create,
};

export function answer(pubsub: PubSub, request: PubSubRequest): Promise<Element | undefined> {
  return dispatch(actions, pubsub, request);
}

/** Finds the action by the first child that is one; what stands beside it (options, a page) belongs to it. */
export function dispatch(
  table: Readonly<Record<string, Action>>,
  pubsub: PubSub,
  request: PubSubRequest,
): Promise<Element | undefined> {
  const inside = children(request.payload);
  for (const action of inside) {
    const act = table[`${request.type} ${action.name}`];
    if (act) return act(pubsub, request, action);
  }
  if (inside.length === 0) throw new StanzaError("bad-request", { text: "The request asks for nothing" });
  throw new StanzaError("feature-not-implemented");
}

const result = (...inside: Element[]): Element => xml("pubsub", { xmlns: NS.pubsub }, ...inside);

/** The `node` attribute, without which most requests make no sense. */
export function nodeOf(action: Element): string {
  const node = attr(action, "node");
  if (!node) throw refusal("nodeid-required");
  return node;
}

/** The `jid` attribute in prepared form. */
export function jidOf(element: Element): Jid {
  const value = attr(element, "jid");
  if (value === undefined) throw refusal("jid-required");
  const jid = parseJid(value);
  if (!jid) throw refusal("invalid-jid");
  return jid;
}

const keyOf = ({ service }: PubSubRequest, action: Element): SubscriptionKey => ({
  service,
  node: nodeOf(action),
  jid: jidOf(action),
  subid: attr(action, "subid"),
});

/** §7.1. */
async function publish(pubsub: PubSub, { service, from, payload }: PubSubRequest, action: Element) {
  const node = nodeOf(action);
  const asked = children(action, "item");
  if (asked.length > itemsOfPublish) throw refusal("max-items-exceeded");
  const items = asked.map((item) => {
    const [first, ...more] = children(item);
    if (more.length > 0) throw refusal("invalid-payload");
    return { id: attr(item, "id"), payload: first };
  });
  const preconditions = child(payload, "publish-options");
  const options = preconditions && formOf(preconditions);
  const published = await pubsub.publish({ service, node, publisher: from, items, options });
  return result(xml("publish", { node }, ...published.map(({ id }) => xml("item", { id }))));
}

/** §7.2. */
async function retract(pubsub: PubSub, { service, from }: PubSubRequest, action: Element) {
  const node = nodeOf(action);
  const ids = children(action, "item").map((item) => {
    const id = attr(item, "id");
    if (!id) throw refusal("item-required");
    return id;
  });
  const notify = isTrue(attr(action, "notify"));
  await pubsub.retract({ service, node, ids, requester: from, notify });
  return undefined;
}

const isTrue = (value: string | undefined): boolean => value === "1" || value === "true";

/** §6.5: by id, the newest so many, or by page; a truncated answer always says so (§6.5.4). */
async function items(pubsub: PubSub, { service, from, payload }: PubSubRequest, action: Element) {
  const node = await pubsub.nodes.readable(service, nodeOf(action), from);
  if (!node.config.persistItems) throw unsupported("persistent-items");
  await checkSubid(pubsub, node, from, attr(action, "subid"));
  const wanted = children(action, "item").map((item) => attr(item, "id") ?? "");
  if (wanted.length > 0) return itemsResult(node, await pubsub.items.some(node, wanted));
  const rsm = parseRsm(payload);
  const page = await pubsub.items.page(node, withMaximum(rsm ?? {}, attr(action, "max_items")));
  const isWhole = page.entries.length === page.count;
  const set = rsm || (!isWhole && attr(action, "max_items") === undefined);
  return itemsResult(node, page.entries, set ? rsmElement(pageEnds(page)) : undefined);
}

/** `max_items` asks for the newest so many, like a page's `max`. */
function withMaximum(rsm: RsmRequest, value: string | undefined): RsmRequest {
  if (value === undefined) return rsm;
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new StanzaError("bad-request", { text: "max_items is a number" });
  return { ...rsm, max: Math.min(rsm.max ?? Number(value), Number(value)) };
}

/** How a page describes itself: XEP-0059 §2.1. */
export function pageEnds(page: {
  readonly entries: readonly { readonly id: string }[];
  readonly count: number;
  readonly index: number | undefined;
}): Parameters<typeof rsmElement>[0] {
  const { entries, count, index } = page;
  const first = entries[0];
  const last = entries.at(-1);
  if (!first || !last || index === undefined) return { count };
  return { count, first: { id: first.id, index }, last: last.id };
}

async function checkSubid(pubsub: PubSub, node: PubSubNode, from: Jid, subid: string | undefined) {
  if (subid === undefined) return;
  const own = await pubsub.subscriptions.of(node.service, from.bare, node.node);
  if (own.length > 0 && !own.some((one) => one.subid === subid)) throw refusal("invalid-subid");
}

function itemsResult({ node }: PubSubNode, items: readonly Item[], set?: Element): Element {
  const list = xml("items", { node }, ...items.map(itemElement));
  return set ? result(list, set) : result(list);
}

/** An item as results and events carry it. The publisher is always told: readers trust no author without it. */
export function itemElement({ id, publisher, payload }: Item): Element {
  return payload ? xml("item", { id, publisher }, payload) : xml("item", { id, publisher });
}

/** §6.1, with §6.3.7 where options come along. */
async function subscribe(pubsub: PubSub, request: PubSubRequest, action: Element) {
  const chosen = child(request.payload, "options");
  if (chosen && (attr(chosen, "node") !== undefined || attr(chosen, "jid") !== undefined))
    throw new StanzaError("bad-request");
  const form = chosen && formOf(chosen);
  const subscription = await pubsub.subscriptions.subscribe(keyOf(request, action), request.from, form);
  return result(subscriptionElement(subscription));
}

/** §6.2. */
async function unsubscribe(pubsub: PubSub, request: PubSubRequest, action: Element) {
  const { node, jid, subid } = await pubsub.subscriptions.unsubscribe(keyOf(request, action), request.from);
  return result(xml("subscription", { node, jid, subid, subscription: "none" }));
}

export function subscriptionElement({ node, jid, subid, state }: Subscription): Element {
  return xml("subscription", { node, jid, subid, subscription: state });
}

/** §6.3. */
async function options(pubsub: PubSub, request: PubSubRequest, action: Element) {
  const key = keyOf(request, action);
  const chosen = await pubsub.subscriptions.options(key, request.from);
  const { node, jid, subid } = key;
  return result(
    xml(
      "options",
      { node, jid: jid.full, ...(subid ? { subid } : {}) },
      formElement(optionsForm(chosen, "form")),
    ),
  );
}

async function setOptions(pubsub: PubSub, request: PubSubRequest, action: Element) {
  const form = formOf(action);
  if (!form) throw refusal("invalid-options");
  if (form.type !== "cancel")
    await pubsub.subscriptions.setOptions(keyOf(request, action), request.from, form);
  return undefined;
}

/** §6.4. */
async function defaults(_pubsub: PubSub, _request: PubSubRequest, action: Element) {
  const node = attr(action, "node");
  return result(xml("default", node ? { node } : {}, formElement(optionsForm(defaultOptions, "form"))));
}

/** §5.6. */
async function subscriptions(pubsub: PubSub, { service, from }: PubSubRequest, action: Element) {
  const node = attr(action, "node");
  const own = await pubsub.subscriptions.of(service, from.bare, node);
  return result(xml("subscriptions", node ? { node } : {}, ...own.map(subscriptionElement)));
}

/** §5.7. */
async function affiliations(pubsub: PubSub, { service, from }: PubSubRequest, action: Element) {
  const node = attr(action, "node");
  const own = await pubsub.affiliations.of(service, from.bare, node);
  return result(
    xml(
      "affiliations",
      node ? { node } : {},
      ...own.map((one) => xml("affiliation", { node: one.node, affiliation: one.affiliation })),
    ),
  );
}

/** §8.1. The name is always told, since the service may have chosen it. */
async function create(pubsub: PubSub, { service, from, payload }: PubSubRequest, action: Element) {
  const configure = child(payload, "configure");
  if (configure && attr(configure, "node") !== undefined) throw new StanzaError("bad-request");
  const form = configure && formOf(configure);
  const { node } = await pubsub.nodes.create(service, attr(action, "node") || undefined, from, form);
  return result(xml("create", { node }));
}
