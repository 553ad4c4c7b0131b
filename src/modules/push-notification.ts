/** XEP-0357 §7: what a push service is sent. */
import { formElement, type Field } from "../xmpp/dataform.ts";
import { handlingOf, type Handling } from "../xmpp/message-kind.ts";
import { NS } from "../xmpp/ns.ts";
import { parseElement } from "../xmpp/parser.ts";
import { attr, child, childText, legalText, xml, type Element } from "../xmpp/xml.ts";
import type { Registration } from "../domain/push.ts";

/** A notice on a screen shows less; phones are sent 4 KB in all. In UTF-16 units. */
const maxBody = 500;

/** What somebody is to be woken for, as far as it may be told. */
export interface News {
  /** It cannot wait at all: somebody is calling. */
  readonly isCall: boolean;
  readonly sender: string | undefined;
  readonly body: string | undefined;
}

/** What may be told (§10). */
export interface Disclosure {
  readonly include_sender: boolean;
  readonly include_body: boolean;
}

export function newsOf(message: Element, { kind }: Handling, disclosure: Disclosure): News {
  const isReadable = disclosure.include_body && kind !== "encrypted";
  const body = isReadable ? childText(message, "body") : undefined;
  return {
    isCall: kind === "call",
    sender: disclosure.include_sender ? attr(message, "from") : undefined,
    // Cut, it may end in half a character.
    body: body && legalText(body.slice(0, maxBody)),
  };
}

/** The news in a stanza that was sent to a client, as itself or as a copy (XEP-0280); `undefined` where it is none. */
export function newsIn(text: string, disclosure: Disclosure): News | undefined {
  if (!text.startsWith("<message")) return undefined;
  const stanza = parseElement(text);
  if (child(stanza, "sent", NS.carbons)) return undefined;
  const forwarded = child(stanza, "received", NS.carbons);
  const copied = forwarded && child(forwarded, "forwarded", NS.forward);
  const message = (copied && child(copied, "message", NS.client)) ?? stanza;
  const handling = handlingOf(message);
  return handling.push ? newsOf(message, handling, disclosure) : undefined;
}

export interface Summary {
  /** Messages since its client was there. */
  readonly messages: number;
  /** Subscription requests that wait for an answer. */
  readonly requests: number;
  readonly latest: News;
}

/** The request, without its id; `options` is the form that its client wants sent along. */
export function notification(
  domain: string,
  { service, node, wantsPriority }: Registration,
  { messages, requests, latest }: Summary,
  options: string | undefined,
): Element {
  const fields = new Map<string, Field>();
  const tell = (name: string, value: string | undefined): void => {
    if (value !== undefined) fields.set(name, { name, values: [value] });
  };
  tell("message-count", String(messages));
  tell("pending-subscription-count", String(requests));
  tell("last-message-sender", latest.sender);
  tell("last-message-body", latest.body);
  const notice = xml(
    "notification",
    { xmlns: NS.push },
    formElement({ type: "submit", formType: NS.pushSummary, fields }),
    ...(wantsPriority ? [xml("priority", { xmlns: NS.pushPriority }, "high")] : []),
  );
  return xml(
    "iq",
    { type: "set", from: domain, to: service },
    xml(
      "pubsub",
      { xmlns: NS.pubsub },
      xml("publish", { node: node || undefined }, xml("item", {}, notice)),
      ...(options === undefined ? [] : [xml("publish-options", {}, parseElement(options))]),
    ),
  );
}
