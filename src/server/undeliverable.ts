/** What becomes of a stanza that cannot be delivered to another domain (RFC 6120 §8.3, RFC 6121 §8). */
import { StanzaError } from "../xmpp/errors.ts";
import { errorReply } from "../xmpp/stanza.ts";
import { attr, type Element } from "../xmpp/xml.ts";
import type { S2sError } from "./s2s-link.ts";

/** What a sender is told where there is no way to a domain. */
export const errorFor = ({ condition, reason }: S2sError, domain: string): StanzaError =>
  new StanzaError(condition, { text: `${domain} cannot be reached: ${reason}` });

/** The stanza as it goes back; errors and answers vanish, and so does presence that asks nothing. */
export function undeliverable(stanza: Element, error: StanzaError): Element | undefined {
  const type = attr(stanza, "type");
  if (type === "error" || type === "result") return undefined;
  if (stanza.name === "presence" && type !== "subscribe") return undefined;
  return errorReply(stanza, error);
}
