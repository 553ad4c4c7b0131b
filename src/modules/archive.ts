/** XEP-0313 §3 and §5: what is written into the archives of both sides, before anybody gets the message. */
import { messageIdOf } from "../domain/archive.ts";
import { plainText, type Passage } from "../server/module.ts";
import type { Session } from "../server/session.ts";
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
  setup: ({ archive, archivePreferences, fullText, registry }) => {
    /** How many were new in a row, of sessions that may send something again. */
    const news = new WeakMap<Session, number>();

    /** What came again, and is in the archive. */
    const known = new WeakSet<Element>();

    /**
     * A message that the account has sent before is taken as handled; but to a service of ours, which may not have got
     * it when it came first, and knows itself what it has done.
     */
    function stopRepeats({ stanza, account, direction, to, session, handling }: Passage) {
      if (direction === "in" || !session || !handling?.archive) return;
      const count = news.get(session) ?? 0;
      if (count === newInARow) return;
      return archive.isRepeat(account, to, stanza).then((isRepeat) => {
        news.set(session, isRepeat ? 0 : count + 1);
        if (isRepeat) known.add(stanza);
        return isRepeat && !registry.services.has(to.bare);
      });
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
