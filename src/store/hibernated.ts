/** Sessions that may be resumed, and the stanzas that their clients do not have yet (XEP-0198 §5). */
import { and, asc, eq, gte, inArray, sql } from "drizzle-orm";
import type { MessageRow } from "./messages.ts";
import { prepared } from "./prepared.ts";
import type { Schema } from "./schema.ts";
import type { Store } from "./store.ts";

type SessionRow<State> = Omit<Schema["hibernatedSessions"]["$inferSelect"], "state"> & { state: State };
type PassedRow = Pick<MessageRow, "id" | "sent" | "at" | "stanza">;
export type StanzaRow = Schema["hibernatedStanzas"]["$inferSelect"];

// Thousands at once, when the process is told to stop.
const insertSession = prepared(({ db, t: { hibernatedSessions } }) =>
  db
    .insert(hibernatedSessions)
    .values({
      id: sql.placeholder("id"),
      account: sql.placeholder("account"),
      jid: sql.placeholder("jid"),
      expiresAt: sql.placeholder("expiresAt"),
      completeTo: sql.placeholder("completeTo"),
      state: sql.placeholder("state"),
    })
    .prepare(),
);
const updateSession = prepared(({ db, t: { hibernatedSessions: sessions } }) =>
  db
    .update(sessions)
    .set({ completeTo: sql`${sql.placeholder("completeTo")}` })
    .where(eq(sessions.id, sql.placeholder("id")))
    .prepare(),
);
const insertStanza = prepared(({ db, t: { hibernatedStanzas } }) =>
  db
    .insert(hibernatedStanzas)
    .values({
      session: sql.placeholder("session"),
      position: sql.placeholder("position"),
      archiveId: sql.placeholder("archiveId"),
      at: sql.placeholder("at"),
      stanza: sql.placeholder("stanza"),
    })
    .prepare(),
);
const deleteSession = prepared(({ db, t: { hibernatedSessions: sessions } }) =>
  db
    .delete(sessions)
    .where(eq(sessions.id, sql.placeholder("id")))
    .prepare(),
);
const deleteStanzas = prepared(({ db, t: { hibernatedStanzas: stanzas } }) =>
  db
    .delete(stanzas)
    .where(eq(stanzas.session, sql.placeholder("id")))
    .prepare(),
);

// Once for each session at start.
const selectPassed = prepared(({ db, t: { messages } }) =>
  db
    .select({ id: messages.id, sent: messages.sent, at: messages.at, stanza: messages.stanza })
    .from(messages)
    .where(
      and(
        eq(messages.account, sql.placeholder("account")),
        gte(messages.position, sql.placeholder("from")),
        sql`(${sql.placeholder("copies")} OR NOT ${messages.sent})`,
      ),
    )
    .orderBy(asc(messages.position))
    .limit(sql.placeholder("limit"))
    .prepare(),
);

/** `State` is what the caller keeps of a session, as JSON. */
export const hibernatedStore = <State extends object>(store: Store) => {
  const { hibernatedSessions: sessions, hibernatedStanzas: stanzas } = store.t;
  return {
    /** In one transaction: forgets sessions, takes in others, appends stanzas, notes how far those are complete. */
    write: (
      forgotten: readonly string[],
      added: readonly SessionRow<State>[],
      appended: readonly StanzaRow[],
      complete: readonly { readonly id: string; readonly completeTo: number }[],
    ): Promise<void> =>
      store.transaction(async (tx) => {
        for (const id of forgotten) {
          deleteSession(tx).run({ id });
          deleteStanzas(tx).run({ id });
        }
        for (const row of added) insertSession(tx).run(row);
        for (const row of appended) insertStanza(tx).run(row);
        for (const row of complete) updateSession(tx).run(row);
      }),

    /** All of them, those that end first in front, each with its stanzas in order. */
    async all(): Promise<(SessionRow<State> & { queue: StanzaRow[] })[]> {
      const rows = await store.db.select().from(sessions).orderBy(asc(sessions.expiresAt));
      const queues = new Map<string, StanzaRow[]>(rows.map(({ id }) => [id, []]));
      const ordered = store.db.select().from(stanzas).orderBy(asc(stanzas.session), asc(stanzas.position));
      for (const row of await ordered) queues.get(row.session)?.push(row);
      return rows.map((row) => ({ ...row, state: row.state as State, queue: queues.get(row.id)! }));
    },

    /** What an account got from a position on, and where `copies` go to a session what it sent; the oldest first. */
    async passed(account: string, from: number, copies: boolean, limit: number): Promise<PassedRow[]> {
      return selectPassed(store).all({ account, from, copies: Number(copies), limit });
    },

    /** Forgets those of an account. */
    clear: (account: string): Promise<void> =>
      store.transaction(async ({ db }) => {
        const gone = await db
          .delete(sessions)
          .where(eq(sessions.account, account))
          .returning({ id: sessions.id });
        const ids = gone.map(({ id }) => id);
        if (ids.length > 0) await db.delete(stanzas).where(inArray(stanzas.session, ids));
      }),
  };
};
