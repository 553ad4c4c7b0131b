/**
 * XEP-0160: what was written to somebody while they were away is the first that they get when they are back. It is a
 * view of the archive: what none of the account's clients has taken.
 */
import { takesMessages } from "../server/delivery.ts";
import { plainText, type Passage } from "../server/module.ts";
import type { Handed, Session } from "../server/session.ts";
import { delayedText } from "../xmpp/delay.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { orderOf } from "../xmpp/id.ts";
import { parseElement } from "../xmpp/parser.ts";
import { carbonText } from "./carbons.ts";
import { defineModule } from "./context.ts";

/** Messages that are read at once. */
const pageSize = 50;

export default defineModule({
  name: "offline",
  xeps: ["0160", "0203"],
  features: { server: ["msgoffline"] },
  setup: ({ archive, config, sessions, waiting }) => {
    sessions.onTaken((account, id) => waiting.take(account, id));

    /** A client that messages to its account go to; one that is connected, where there is one. */
    function takerOf(account: string): Session | undefined {
      let resting: Session | undefined;
      for (const session of sessions.of(account)) {
        if (!takesMessages(session)) continue;
        if (!session.isResting) return session;
        resting ??= session;
      }
      return resting;
    }

    /** Before it is archived: whether it can wait at all. */
    function admit(passage: Passage): void | Promise<void> {
      const { account, direction, handling, to } = passage;
      if (direction === "out" || !handling?.offline) return;
      if (sessions.get(to) ?? takerOf(account)) return waiting.ready(account);
      const judge = (hasRoom: boolean): void => {
        if (hasRoom) return;
        const text = "No more messages can be kept for this address";
        throw new StanzaError("service-unavailable", { text });
      };
      const hasRoom = waiting.hasRoom(account, plainText(passage).length);
      return hasRoom instanceof Promise ? hasRoom.then(judge) : judge(hasRoom);
    }

    /** What clients of the account are about to get, or have not acknowledged. */
    function heldBy(clients: Iterable<Session>): Set<string> {
      const held = new Set<string>();
      for (const { behind, management, reserve } of clients) {
        for (const { archiveId } of reserve?.kept ?? []) if (archiveId) held.add(archiveId);
        for (const { archiveId } of management?.queue ?? []) if (archiveId) held.add(archiveId);
        for (const { archiveId } of behind ?? []) held.add(archiveId);
      }
      return held;
    }

    /** What a client is to be handed. What it has read in the archive itself is taken (XEP-0313 §5.1.1). */
    async function openFor({ account, readTo = 0, handedTo = 0 }: Session): Promise<Handed[]> {
      const open = await waiting.of(account);
      const held = heldBy(sessions.of(account));
      return open.flatMap(({ id, archived }) => {
        if (held.has(id) || orderOf(id)! < handedTo) return [];
        if (!archived || orderOf(id)! >= readTo) return { archiveId: id, isCopy: false };
        waiting.take(account, id);
        return [];
      });
    }

    /** Hands a client all that waits, and what comes meanwhile behind it. */
    async function catchUp(session: Session): Promise<void> {
      if (!waiting.has(session.account)) return;
      if (session.behind) return void session.behind.push(...(await openFor(session)));
      const queue: Handed[] = (session.behind = []);
      try {
        queue.unshift(...(await openFor(session)));
        while (queue.length > 0) {
          if (!(await handPage(session, queue))) return;
        }
      } finally {
        session.behind = undefined;
      }
    }

    /** Hands over the first of a queue; `false` where the client is not there any more. */
    async function handPage(session: Session, queue: Handed[]): Promise<boolean> {
      const { account } = session;
      const ids = queue.slice(0, pageSize).map(({ archiveId }) => archiveId);
      const rows = new Map((await archive.some(account, ids)).map((row) => [row.id, row]));
      for (const id of ids) {
        const row = rows.get(id);
        if (row) await session.room();
        if (sessions.get(session.jid) !== session || !takesMessages(session)) return false;
        const { isCopy } = queue.shift()!;
        if (row) {
          const stanza = parseElement(row.stanza);
          const text = isCopy ? carbonText(session, stanza, row.stanza, row.sent) : row.stanza;
          session.send(stanza, delayedText(text, config.domain, row.at), id);
        }
        // What is there no more waits no more.
        else waiting.take(account, id);
      }
      return true;
    }

    const deliver = (session: Session): void | Promise<void> => {
      if (takesMessages(session)) return catchUp(session);
    };
    const passOn = ({ session: { account } }: { session: Session }): void | Promise<void> => {
      const taker = takerOf(account);
      return taker && deliver(taker);
    };

    return {
      message: {
        archive: admit,
        deliver: ({ account, archiveId, direction, handling, plain, text }) => {
          if (direction === "in" && archiveId !== undefined && handling?.offline)
            waiting.add(account, archiveId, (text ?? plain ?? "").length, text !== undefined);
        },
      },
      // What is not worth keeping is dropped: an answer would tell that there is somebody, and that they are away.
      undelivered: () => true,
      close: () => void waiting.flush(),
      events: {
        "presence.available": ({ session }) => deliver(session),
        "session.resumed": ({ session }) => deliver(session),
        // What it did not get goes to who else is there.
        "presence.unavailable": passOn,
        "session.closed": passOn,
        "account.removed": ({ account }) => waiting.forget(account),
      },
    };
  },
});
