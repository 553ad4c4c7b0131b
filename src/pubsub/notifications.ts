/** XEP-0060: the messages that a node sends. They carry no `to`: one is built for all who receive it. */
import { formElement, type Field } from "../xmpp/dataform.ts";
import { delayElement } from "../xmpp/delay.ts";
import { newId } from "../xmpp/id.ts";
import { NS } from "../xmpp/ns.ts";
import { child, copy, text, xml, type Element } from "../xmpp/xml.ts";
import { configForm } from "./config.ts";
import type { Item, PubSubNode, Subscription } from "./events.ts";
import { itemElement } from "./requests.ts";

/** Items in one message; readers look at the first above all, and a node may lose thousands at once. */
const retractionsInMessage = 50;

function message({ service, config }: PubSubNode, payload: Element): Element {
  return xml("message", { from: service, id: newId(), type: config.notificationType }, payload);
}

const event = (...inside: Element[]): Element => xml("event", { xmlns: NS.pubsubEvent }, ...inside);

/** §7.1.2, for one item; without one, where the node sends mere notifications. */
export function publishedMessage(node: PubSubNode, item: Item | undefined): Element {
  if (!item) return message(node, event(xml("items", { node: node.node })));
  const told = node.config.deliverPayloads ? item : { ...item, payload: undefined };
  return message(node, event(xml("items", { node: node.node }, itemElement(told))));
}

/** §6.1.7: the last published item, for somebody who has just come. */
export function lastItemMessage(node: PubSubNode, item: Item): Element {
  const last = publishedMessage(node, item);
  last.append(delayElement(node.service, item.publishedAt));
  return last;
}

/** §12.7: a copy that a client without pubsub can show too. */
export function withBody(notification: Element, item: Item | undefined): Element {
  const title = item?.payload && child(item.payload, "title");
  const body = xml("body", {}, (title && text(title)) || "There is something new.");
  const twin = copy(notification);
  twin.append(body);
  return twin;
}

/** §7.2.2.1. */
export function retractedMessages(node: PubSubNode, ids: readonly string[]): Element[] {
  const messages: Element[] = [];
  for (let start = 0; start < ids.length; start += retractionsInMessage) {
    const part = ids.slice(start, start + retractionsInMessage);
    messages.push(
      message(node, event(xml("items", { node: node.node }, ...part.map((id) => xml("retract", { id }))))),
    );
  }
  return messages;
}

/** §8.5.2. */
export const purgedMessage = (node: PubSubNode): Element =>
  message(node, event(xml("purge", { node: node.node })));

/** §8.4.2. */
export function deletedMessage(node: PubSubNode, redirect: string | undefined): Element {
  const uri = redirect === undefined ? [] : [xml("redirect", { uri: redirect })];
  return message(node, event(xml("delete", { node: node.node }, ...uri)));
}

/** §8.2.5.3. */
export function configuredMessage(node: PubSubNode): Element {
  const form = node.config.deliverPayloads ? [formElement(configForm(node.config, "result"))] : [];
  return message(node, event(xml("configuration", { node: node.node }, ...form)));
}

/** §12.13, and what `notify_sub` tells owners. */
export function subscriptionMessage(
  node: PubSubNode,
  { jid, subid, state }: { jid: string; subid: string; state: Subscription["state"] | "none" },
): Element {
  return message(node, event(xml("subscription", { node: node.node, jid, subid, subscription: state })));
}

/** §8.6: asks the owners whether somebody may subscribe. */
export function authorizationMessage(
  { service, node }: Pick<Subscription, "service" | "node">,
  asking: {
    jid: string;
    subid: string;
  },
): Element {
  const fields: Field[] = [
    { name: "pubsub#subid", type: "hidden", values: [asking.subid] },
    { name: "pubsub#node", type: "text-single", label: "Node", values: [node] },
    { name: "pubsub#subscriber_jid", type: "jid-single", label: "Subscriber", values: [asking.jid] },
    { name: "pubsub#allow", type: "boolean", label: "Allow this address to subscribe?", values: ["false"] },
  ];
  const form = formElement({
    type: "form",
    title: "Subscription request",
    instructions: "Somebody asks to follow what is published at this node.",
    formType: NS.pubsubSubscribeAuthorization,
    fields: new Map(fields.map((field) => [field.name, field])),
  });
  return xml("message", { from: service, id: newId() }, form);
}
