/** RFC 6121 §8.5.2 and §8.5.3: which resources of an account that is there get a message. */
import { messageType } from "../xmpp/stanza.ts";
import { plainText, type Passage } from "./module.ts";
import type { Session } from "./session.ts";
import type { Sessions } from "./sessions.ts";

/** `false` where nobody got it who should have. */
export function deliverMessage(passage: Passage, sessions: Sessions): boolean {
  const { stanza, to } = passage;
  const target = to.isBare ? undefined : sessions.get(to);
  if (target) {
    hand(target, passage);
    return true;
  }
  const type = messageType(stanza);
  if (type === "error") return true;
  // §8.5.3.2.1: only a chat message to a resource that is gone is one to the account; what is on disk is too, by now.
  if (!to.isBare && type !== "chat" && passage.archiveId === undefined) return type === "headline";
  let delivered = false;
  for (const session of sessions.of(to.bare)) {
    if (!takesMessages(session)) continue;
    hand(session, passage);
    delivered = true;
  }
  return delivered || type === "headline";
}

/** §8.5.2.1.1: all resources whose priority is not negative; `to` stays as it is. */
export const takesMessages = ({ available }: Session): boolean =>
  available !== undefined && available.priority >= 0;

/** Whether a message goes to a resource itself, and not only to others of its account. */
export function isFor(session: Session, { to }: Passage, sessions: Sessions): boolean {
  const target = to.isBare ? undefined : sessions.get(to);
  return target ? target === session : takesMessages(session);
}

function hand(session: Session, passage: Passage): void {
  const { stanza, archiveId } = passage;
  if (!session.defer(archiveId, false)) session.send(stanza, passage.text ?? plainText(passage), archiveId);
}
