/** A post of somebody else as a chat message: news, XEP-0308 for an edit, XEP-0424 for a deletion. */
import type { Untold } from "../domain/timeline.ts";
import { NS } from "../xmpp/ns.ts";
import { xml, type Element } from "../xmpp/xml.ts";

/** Characters of a post in a chat; who wants to read on follows the link. */
const textMaximum = 4_000;

/** From the timeline to all of an account's clients; `undefined` where there is nothing that they know of. */
export function toldMessage(from: string, to: string, id: string, entry: Untold): Element | undefined {
  const { author, deletedAt, messageId, text, link } = entry;
  if (deletedAt && messageId === undefined) return undefined;
  const message = xml("message", { from, to, id, type: "chat" });
  if (deletedAt) {
    message.append(xml("body", {}, `${author} deleted a post.`));
    message.append(xml("retract", { xmlns: NS.retract, id: messageId }));
    message.append(xml("fallback", { xmlns: NS.fallback, for: NS.retract }));
  } else {
    message.append(xml("body", {}, `${author}: ${shortened(text)}\n${link}`));
    if (messageId !== undefined) message.append(xml("replace", { xmlns: NS.correct, id: messageId }));
  }
  message.append(xml("origin-id", { xmlns: NS.stanzaIds, id }));
  message.append(xml("store", { xmlns: NS.hints }));
  return message;
}

function shortened(text: string): string {
  if (text.length <= textMaximum) return text;
  const characters = [...text.slice(0, textMaximum)];
  // A cut through a surrogate pair leaves half of a character.
  return `${characters.slice(0, -1).join("")}…`;
}
