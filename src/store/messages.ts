/** What accounts sent and received: written on the hot path, read in pages (XEP-0313), in order of position. */
import { and, asc, count, desc, eq, gt, gte, inArray, lt, lte, notExists, sql, type SQL } from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import { driven, prepared } from "./prepared.ts";
import type { Schema } from "./schema.ts";
import type { Db, Store } from "./store.ts";

export type MessageRow = Schema["messages"]["$inferSelect"];
export type ArchivePreferencesRow = Schema["archivePreferences"]["$inferSelect"];

/** Which of an account's archived messages. Bounds are positions, both excluded. */
export interface MessageFilter {
  readonly after: number;
  readonly before: number;
  readonly start: Date;
  readonly end: Date;
  /** The other side, as a bare address; and only where it was this resource of it. */
  readonly with: string | undefined;
  readonly resource: string | undefined;
}

/** A page from the beginning of what the filter leaves, or from the end; always the oldest first. */
export interface MessagePage {
  readonly from: "start" | "end";
  readonly limit: number;
}

/** Where to look for a message, and the hash of the id that its sender gave it. */
export interface MessageKey {
  readonly account: string;
  readonly with: string;
  readonly idHash: number;
}

/** What waits: enough to count it, and to know whether it is in the archive as well. */
export interface WaitingMessage {
  readonly id: string;
  readonly archived: boolean;
  readonly length: number;
}

const insertRow = driven(({ db, t: { messages } }) =>
  db.insert(messages).values({
    position: sql.placeholder("position"),
    account: sql.placeholder("account"),
    id: sql.placeholder("id"),
    with: sql.placeholder("with"),
    resource: sql.placeholder("resource"),
    at: sql.placeholder("at"),
    sent: sql.placeholder("sent"),
    archived: sql.placeholder("archived"),
    waits: sql.placeholder("waits"),
    idHash: sql.placeholder("idHash"),
    stanza: sql.placeholder("stanza"),
  }),
);
const selectRow = prepared(({ db, t: { messages } }) =>
  db
    .select()
    .from(messages)
    .where(eq(messages.position, sql.placeholder("position")))
    .prepare(),
);

const filtered = ({ messages }: Schema, conversation: boolean): SQL | undefined =>
  and(
    eq(messages.account, sql.placeholder("account")),
    // SQLite takes the index of the archive otherwise: then a page of a quiet conversation reads all of it.
    conversation ? sql`unlikely(${eq(messages.with, sql.placeholder("with"))})` : undefined,
    conversation
      ? sql`(${sql.placeholder("resource")} IS NULL OR ${messages.resource} = ${sql.placeholder("resource")})`
      : undefined,
    gt(messages.position, sql.placeholder("after")),
    lt(messages.position, sql.placeholder("before")),
    gte(messages.at, sql.placeholder("start")),
    lte(messages.at, sql.placeholder("end")),
    eq(messages.archived, true),
  );
/** One index serves the whole archive, another one a conversation: each needs a statement of its own. */
const pageOf = (conversation: boolean, order: typeof asc) =>
  prepared(({ db, t }) =>
    db
      .select()
      .from(t.messages)
      .where(filtered(t, conversation))
      .orderBy(order(t.messages.position))
      .limit(sql.placeholder("limit"))
      .prepare(),
  );
const countOf = (conversation: boolean) =>
  prepared(({ db, t }) => {
    const some = db
      .select({ one: sql`1`.as("one") })
      .from(t.messages)
      .where(filtered(t, conversation))
      .limit(sql.placeholder("limit"))
      .as("some");
    return db.select({ count: count() }).from(some).prepare();
  });
const ofArchive = { start: pageOf(false, asc), end: pageOf(false, desc), count: countOf(false) };
const ofConversation = { start: pageOf(true, asc), end: pageOf(true, desc), count: countOf(true) };

// The index of a conversation holds all that this reads.
const selectByHash = prepared(({ db, t: { messages } }) => {
  const latest = db
    .select({ position: messages.position, idHash: messages.idHash })
    .from(messages)
    .where(
      and(
        eq(messages.account, sql.placeholder("account")),
        eq(messages.with, sql.placeholder("with")),
        lt(messages.position, sql.placeholder("before")),
      ),
    )
    .orderBy(desc(messages.position))
    .limit(sql.placeholder("depth"))
    .as("latest");
  return db
    .select({ position: latest.position })
    .from(latest)
    .where(eq(latest.idHash, sql.placeholder("idHash")))
    .prepare();
});
const selectWaiting = prepared(({ db, t: { messages } }) =>
  db
    .select({
      id: messages.id,
      archived: messages.archived,
      length: sql<number>`length(${messages.stanza})`,
    })
    .from(messages)
    .where(
      and(
        eq(messages.account, sql.placeholder("account")),
        gt(messages.position, sql.placeholder("after")),
        lt(messages.position, sql.placeholder("before")),
        eq(messages.waits, true),
      ),
    )
    .orderBy(asc(messages.position))
    .prepare(),
);
const upsertTaken = prepared(({ db, t: { messagesTaken } }) =>
  db
    .insert(messagesTaken)
    .values({ account: sql.placeholder("account"), position: sql.placeholder("position") })
    .onConflictDoUpdate({ target: messagesTaken.account, set: { position: sql`excluded.position` } })
    .prepare(),
);

const parametersOf = (filter: MessageFilter) => ({
  ...filter,
  start: filter.start.getTime(),
  end: filter.end.getTime(),
  with: filter.with ?? null,
  resource: filter.resource ?? null,
});

export const messageStore = (store: Store) => {
  const { messages, messagesTaken, archivePreferences: preferences } = store.t;

  async function drop(db: Db, which: SQL, limit: number): Promise<number[]> {
    const { position } = messages;
    const some = db.select({ position }).from(messages).where(which).orderBy(asc(position)).limit(limit);
    const gone = await db.delete(messages).where(inArray(position, some)).returning({ position });
    return gone.map((row) => row.position);
  }

  return {
    /** `rows` is asked once the unit is at work, so that all that came until then is in one commit. */
    append: (rows: () => readonly MessageRow[]): Promise<void> =>
      store.transaction(async (tx) => {
        const insert = insertRow(tx);
        for (const row of rows()) {
          const {
            position,
            account,
            id,
            with: other,
            resource,
            at,
            sent,
            archived,
            waits,
            idHash,
            stanza,
          } = row;
          const flags = [Number(sent), Number(archived), Number(waits)] as const;
          insert.run(position, account, id, other, resource, at.getTime(), ...flags, idHash, stanza);
        }
      }),

    async find(position: number): Promise<MessageRow | undefined> {
      return selectRow(store).get({ position });
    },

    /** Those of them that are there, the oldest first. */
    async some(positions: readonly number[]): Promise<MessageRow[]> {
      return store.db
        .select()
        .from(messages)
        .where(inArray(messages.position, [...positions]))
        .orderBy(asc(messages.position));
    },

    async page(account: string, filter: MessageFilter, { from, limit }: MessagePage): Promise<MessageRow[]> {
      const statement = (filter.with === undefined ? ofArchive : ofConversation)[from](store);
      const rows = statement.all({ account, ...parametersOf(filter), limit });
      return from === "start" ? rows : rows.reverse();
    },

    /** How many there are; more than `limit` are not counted. */
    async count(account: string, filter: MessageFilter, limit: number): Promise<number> {
      const statement = (filter.with === undefined ? ofArchive : ofConversation).count(store);
      return statement.get({ account, ...parametersOf(filter), limit })?.count ?? 0;
    },

    /** Their positions, the newest first; so many of the conversation's newest messages are looked at. */
    async byHash(key: MessageKey, depth: number): Promise<number[]> {
      const rows = selectByHash(store).all({ ...key, before: Number.MAX_SAFE_INTEGER, depth });
      return rows.map(({ position }) => position);
    },

    /** The position of the newest of all. */
    async newest(): Promise<number | undefined> {
      const [row] = await store.db
        .select({ position: messages.position })
        .from(messages)
        .orderBy(desc(messages.position))
        .limit(1);
      return row?.position;
    },

    /** What nobody has taken yet, in front of a position; the oldest first. */
    async waiting(account: string, before: number): Promise<WaitingMessage[]> {
      const [taken] = await store.db
        .select({ position: messagesTaken.position })
        .from(messagesTaken)
        .where(eq(messagesTaken.account, account));
      const after = taken?.position ?? Number.MIN_SAFE_INTEGER;
      return selectWaiting(store).all({ account, after, before });
    },

    /** The same whole, behind a position; a page of them. */
    async waitingRows(account: string, after: number, limit: number): Promise<MessageRow[]> {
      const taken = store.db
        .select({ position: messagesTaken.position })
        .from(messagesTaken)
        .where(eq(messagesTaken.account, account));
      return store.db
        .select()
        .from(messages)
        .where(
          and(
            eq(messages.account, account),
            eq(messages.waits, true),
            gt(messages.position, after),
            sql`${messages.position} > coalesce((${taken}), ${Number.MIN_SAFE_INTEGER})`,
          ),
        )
        .orderBy(asc(messages.position))
        .limit(limit);
    },

    /** A message that is there waits for its account again. */
    setWaiting: (position: number): Promise<void> =>
      store.transaction(async ({ db }) => {
        await db.update(messages).set({ waits: true }).where(eq(messages.position, position));
      }),

    /** All up to these positions was taken; those that only waited go. */
    take: (
      taken: readonly { readonly account: string; readonly position: number }[],
      gone: readonly number[],
    ): Promise<void> =>
      store.transaction(async (tx) => {
        const upsert = upsertTaken(tx);
        for (const { account, position } of taken) upsert.run({ account, position });
        if (gone.length > 0) await tx.db.delete(messages).where(inArray(messages.position, [...gone]));
      }),

    replace: (position: number, stanza: string): Promise<void> =>
      store.transaction(async ({ db }) => {
        await db.update(messages).set({ stanza }).where(eq(messages.position, position));
      }),

    /** Those behind a position and in front of another one, of all accounts; the oldest first. */
    async since(after: number, before: number, limit: number): Promise<MessageRow[]> {
      return store.db
        .select()
        .from(messages)
        .where(and(gt(messages.position, after), lt(messages.position, before)))
        .orderBy(asc(messages.position))
        .limit(limit);
    },

    /** Deletes some of an account's messages; which ones. */
    clear: (account: string, limit: number): Promise<number[]> =>
      store.transaction(async ({ db }) => {
        await db.delete(messagesTaken).where(eq(messagesTaken.account, account));
        await db.delete(preferences).where(eq(preferences.account, account));
        return drop(db, eq(messages.account, account), limit);
      }),

    /** Deletes some of an account's messages that are older than a time, wherever they stand; which ones. */
    clearOlder: (account: string, than: Date, limit: number): Promise<number[]> =>
      store.transaction(({ db }) =>
        drop(db, and(eq(messages.account, account), lt(messages.at, than))!, limit),
      ),

    /** Deletes some of the oldest messages between two positions, none of which waits or is behind one that does. */
    trim: (after: number, before: number, limit: number): Promise<number[]> =>
      store.transaction(({ db }) => {
        const open = alias(messages, "open");
        const taken = db
          .select({ position: messagesTaken.position })
          .from(messagesTaken)
          .where(eq(messagesTaken.account, messages.account));
        const waiting = db
          .select({ one: sql`1` })
          .from(open)
          .where(
            and(
              eq(open.account, messages.account),
              sql`${open.position} > coalesce((${taken}), ${Number.MIN_SAFE_INTEGER})`,
              lte(open.position, messages.position),
              eq(open.waits, true),
            ),
          );
        const { position } = messages;
        return drop(db, and(gt(position, after), lt(position, before), notExists(waiting))!, limit);
      }),

    async preferences(account: string): Promise<ArchivePreferencesRow | undefined> {
      const [row] = await store.db.select().from(preferences).where(eq(preferences.account, account));
      return row;
    },

    setPreferences: (row: ArchivePreferencesRow): Promise<void> =>
      store.transaction(async ({ db }) => {
        await db
          .insert(preferences)
          .values(row)
          .onConflictDoUpdate({ target: preferences.account, set: row });
      }),
  };
};
