/** Stanzas: their kinds, and the replies to them (RFC 6120 §8). */
import { StanzaError } from "./errors.ts";
import { attr, child, copy, namespaceOf, xml, type Element } from "./xml.ts";

export type StanzaKind = "iq" | "message" | "presence";

/** Whether a top-level element of a stream is a stanza: right name, content namespace. */
export function isStanza(element: Element): boolean {
  const { name } = element;
  return (name === "message" || name === "presence" || name === "iq") && namespaceOf(element) === undefined;
}

/** The attributes of a reply: addresses turned round, `id` as it came, also where it is missing (§8.1.3). */
function replyAttrs(stanza: Element, type: string | undefined): Record<string, string | undefined> {
  const { from, to, id } = stanza.attrs as Record<string, string | undefined>;
  return { from: to, to: from, id, type };
}

/** The result of an iq request, with the payload if there is one (§8.2.3). */
export function resultReply(iq: Element, payload?: Element): Element {
  const reply = xml("iq", replyAttrs(iq, "result"));
  if (payload) reply.append(payload);
  return reply;
}

/** The error reply to a stanza, holding what was sent first, then the error (§8.3.1). Never call it for an error. */
export function errorReply(stanza: Element, error: StanzaError): Element {
  const reply = xml(stanza.name, replyAttrs(stanza, "error"));
  for (const node of stanza.children) reply.append(typeof node === "object" ? copy(node as Element) : node);
  reply.append(error.toElement());
  return reply;
}

/** The `StanzaError` for anything thrown; what is not one is a bug, whose text is never sent. */
export function toStanzaError(thrown: unknown): StanzaError {
  return thrown instanceof StanzaError ? thrown : new StanzaError("internal-server-error", { cause: thrown });
}

/** The one payload of an iq get or set; `bad-request` where there is none or more than one (§8.2.3). */
export function iqPayload(iq: Element): Element {
  const payloads = iq.children.filter((node): node is Element => typeof node === "object");
  const [payload] = payloads;
  if (!payload || payloads.length > 1) {
    throw new StanzaError("bad-request", { text: "An iq request has exactly one child element" });
  }
  return payload;
}

/** The condition name of an error stanza, if it has one. */
export function errorCondition(stanza: Element): string | undefined {
  const error = child(stanza, "error");
  const condition = error?.children.find(
    (node): node is Element => typeof node === "object" && node.name !== "text",
  );
  return condition?.name;
}

const messageTypes = new Set([undefined, "normal", "chat", "headline", "groupchat", "error"]);

/** RFC 6121 §5.2.2: an unknown type is `normal`. */
export function messageType(message: Element): string {
  const type = attr(message, "type");
  return type !== undefined && messageTypes.has(type) ? type : "normal";
}
