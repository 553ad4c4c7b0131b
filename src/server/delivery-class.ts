/** How a stanza for another domain is kept until it is there. */
import { NS } from "../xmpp/ns.ts";
import { attr, child, children, namespaceOf, type Element } from "../xmpp/xml.ts";

/** What is kept on disk, and how long: what somebody wrote, what a node tells its subscribers, a change of a roster. */
export type DurableKind = "chat" | "notification" | "subscription";

export interface DeliveryClass {
  /** `undefined`: kept in memory alone, as nobody wants it late. */
  readonly kind: DurableKind | undefined;
  /** The node and item that a notification tells of: it takes the place of an older one that has not been sent. */
  readonly item: string | undefined;
  /** Whether its sender must hear that it is lost. */
  readonly asks: boolean;
}

const transient: DeliveryClass = { kind: undefined, item: undefined, asks: false };
const request: DeliveryClass = { kind: undefined, item: undefined, asks: true };
const subscription: DeliveryClass = { kind: "subscription", item: undefined, asks: true };
const chat: DeliveryClass = { kind: "chat", item: undefined, asks: true };
const subscriptionTypes = new Set(["subscribe", "subscribed", "unsubscribe", "unsubscribed"]);

export function deliveryClass(stanza: Element): DeliveryClass {
  if (stanza.name === "presence") {
    return subscriptionTypes.has(attr(stanza, "type") ?? "") ? subscription : transient;
  }
  if (stanza.name === "iq") return request;
  const event = child(stanza, "event", NS.pubsubEvent);
  if (event) return { kind: "notification", item: itemOf(event), asks: false };
  // XEP-0334 §5.2: its sender wants it stored nowhere.
  if (child(stanza, "no-store", NS.hints)) return request;
  return isFleeting(stanza) ? transient : chat;
}

/** The one item that is published or retracted. */
function itemOf(event: Element): string | undefined {
  const items = child(event, "items");
  const [item, ...others] = items ? children(items) : [];
  const id = item && attr(item, "id");
  if (!items || id === undefined || others.length > 0) return undefined;
  return JSON.stringify([attr(items, "node") ?? "", id]);
}

/** Nothing but "is typing" (XEP-0085). */
function isFleeting(message: Element): boolean {
  const parts = children(message);
  return parts.some((part) => namespaceOf(part) === NS.chatStates) && parts.every(isAside);
}

const isAside = (part: Element): boolean =>
  part.name === "thread" || namespaceOf(part) === NS.chatStates || namespaceOf(part) === NS.hints;
