/** XEP-0198 §4: what a client did not get is dealt with as if its resource had been unavailable. */
import { delayedText } from "../xmpp/delay.ts";
import { StanzaError } from "../xmpp/errors.ts";
import type { Jid } from "../xmpp/jid.ts";
import { handlingOf } from "../xmpp/message-kind.ts";
import { parseElement } from "../xmpp/parser.ts";
import { errorReply, messageType } from "../xmpp/stanza.ts";
import { attr, type Element } from "../xmpp/xml.ts";
import type { Unacknowledged } from "./stream-management-state.ts";

/** So many at once: each may bring an answer to who sent it, who has to read them in between. */
const burst = 256;

/**
 * Routes them one after the other, in their order. Messages that are kept are left alone: whoever keeps them knows
 * that nobody took them (`Sessions.onTaken`).
 */
export async function routeLeftovers(
  jid: Jid,
  left: readonly Unacknowledged[],
  route: (stanza: Element) => void | Promise<void>,
): Promise<void> {
  let count = 0;
  for (const { text, archiveId, at } of left) {
    if (archiveId !== undefined) continue;
    count += 1;
    if (count % burst === 0) await new Promise((resolve) => setImmediate(resolve));
    const stanza = parseElement(delayedText(text, jid.domain, new Date(at)));
    const next = stanza.name === "iq" ? refusal(stanza, jid) : stanza;
    if (next && (next !== stanza || isForOthers(stanza, jid))) await route(next);
  }
}

/** RFC 6121 §8.5.3.2.3; what the server itself pushed is answered to nobody. */
function refusal(iq: Element, jid: Jid): Element | undefined {
  const type = attr(iq, "type");
  if (attr(iq, "from") === undefined || (type !== "get" && type !== "set")) return undefined;
  const reply = errorReply(iq, new StanzaError("service-unavailable"));
  reply.attrs["from"] = jid.full;
  return reply;
}

/** RFC 6121 §8.5.3.2.1. What was sent to the bare JID went to all others then. */
function isForOthers(stanza: Element, jid: Jid): boolean {
  if (stanza.name !== "message" || attr(stanza, "to") !== jid.full) return false;
  const type = messageType(stanza);
  return (type === "chat" || type === "normal") && handlingOf(stanza).offline;
}
