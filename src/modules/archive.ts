/** XEP-0313 §3 and §5: what is written into the archives of both sides, before anybody gets the message. */
import { messageIdOf } from "../domain/archive.ts";
import { plainText, type Passage } from "../server/module.ts";
import type { Session } from "../server/session.ts";
import type { Jid } from "../xmpp/jid.ts";
import { attr, type Element } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";

/**
 * What a client sends again comes at the beginning of its stream, in front of what is new: once so many in a row were
 * new, it is not looked for any more.
 */
const newInARow = 50;

export default defineModule({
  name: "archive",
  xeps: ["0334"],
  setup: ({ archive, archivePreferences, fullText, registry, sessions }) => {
    /** How many were new in a row, of sessions that may send something again. */
    const news = new WeakMap<Session, number>();

    /** What came again, and is in the archive. */
    const known = new WeakSet<Element>();

    /** Whether something that a session sends may have been sent before. */
    function mayRepeat(session: Session): boolean {
      // Behind a lost connection there may be messages left that its client sends again on another one.
      if (session.isResting || sessions.get(session.jid) !== session) return true;
      return (news.get(session) ?? 0) < newInARow;
    }

    /**
     * A message that the account has sent before is taken as handled; but to a service of ours, which may not have got
     * it when it came first, and knows itself what it has done.
     */
    function stopRepeats({ stanza, account, direction, to, session, handling }: Passage) {
      if (direction === "in" || !session || !handling?.archive || !mayRepeat(session)) return;
      const isRepeat = archive.isRepeat(account, to, stanza);
      return isRepeat && isRepeat.then((is) => is && isOver(stanza, to, session));
    }

    /** It may have come on another connection of the account's since it was looked for. */
    function stopTwin({ stanza, account, from, to, session, handling }: Passage) {
      if (!session || from.bare !== account || !handling?.archive || !mayRepeat(session)) return undefined;
      const written = archive.underWay(account, to, stanza);
      if (written) return written.then(() => isOver(stanza, to, session));
      news.set(session, (news.get(session) ?? 0) + 1);
      return undefined;
    }

    function isOver(stanza: Element, to: Jid, session: Session): boolean {
      news.set(session, 0);
      known.add(stanza);
      return !registry.services.has(to.bare);
    }

    function append(passage: Passage, archived: boolean): void {
      const { stanza, account, direction, from, to, handling } = passage;
      const sent = direction === "out";
      const waits = !sent && handling?.offline === true;
      if (!archived && !waits) return;
      const { id, text, written } = archive.append({
        ...{ account, sent, archived, waits, text: plainText(passage) },
        with: sent ? to : from,
        messageId: messageIdOf(stanza),
      });
      passage.archiveId = id;
      passage.durable = written;
      if (archived) passage.text = text;
    }

    /** An error belongs to what it answers: it is kept where that was. */
    async function appendError(passage: Passage): Promise<void> {
      const { stanza, account, direction, from } = passage;
      const id = attr(stanza, "id");
      if (direction === "out" || id === undefined) return;
      if (await archive.find({ account, with: from.bare, sent: true }, id)) append(passage, true);
    }

    return {
      message: {
        filter: stopRepeats,
        archive: (passage) => {
          const { stanza, account, direction, from, to, handling } = passage;
          if (known.has(stanza)) return;
          if (!handling?.archive && !(handling?.offline && direction === "in")) return;
          if (handling.kind === "error") return appendError(passage);
          // What somebody writes to themselves is there once (XEP-0313 §5.1.1), as it comes in.
          if (direction === "out" && to.bare === from.bare) return;
          const twin = stopTwin(passage);
          if (twin) return twin;
          const wants =
            handling.archive && archivePreferences.wants(account, direction === "out" ? to : from);
          if (wants instanceof Promise) return wants.then((does) => append(passage, does));
          append(passage, wants);
        },
        copy: ({ stanza }) => known.has(stanza),
      },
      events: {
        "session.resumed": ({ session }) => void news.delete(session),
        "account.removed": async ({ account }) => {
          await archive.clear(account, (positions) => fullText.remove(positions));
          archivePreferences.forget(account);
        },
      },
    };
  },
});
