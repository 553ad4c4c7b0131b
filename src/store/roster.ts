/**
 * RFC 6121 §2 and §3: roster items, their versions, and the subscription requests that wait for an answer.
 * What writes is used inside a transaction.
 */
import { and, asc, count, desc, eq, lte, sql } from "drizzle-orm";
import { prepared } from "./prepared.ts";
import type { Subscription } from "./schema.ts";
import type { Store } from "./store.ts";

export interface RosterRow {
  readonly jid: string;
  readonly name: string | null;
  readonly groups: string[];
  readonly subscription: Subscription;
  readonly ask: boolean;
  readonly approved: boolean;
  /** Kept for its version alone. */
  readonly removed: boolean;
  readonly version: number;
}

// Read at each login: an account's own rows, and one item of every contact who is away.
const findItem = prepared(({ db, t: { rosterItems: items } }) =>
  db
    .select()
    .from(items)
    .where(and(eq(items.account, sql.placeholder("account")), eq(items.jid, sql.placeholder("jid"))))
    .prepare(),
);
const findVersions = prepared(({ db, t: { rosters } }) =>
  db
    .select()
    .from(rosters)
    .where(eq(rosters.account, sql.placeholder("account")))
    .prepare(),
);
const listItems = prepared(({ db, t: { rosterItems: items } }) =>
  db
    .select()
    .from(items)
    .where(eq(items.account, sql.placeholder("account")))
    .orderBy(asc(items.version))
    .prepare(),
);
const listRequests = prepared(({ db, t: { subscriptionRequests: requests } }) =>
  db
    .select()
    .from(requests)
    .where(eq(requests.account, sql.placeholder("account")))
    .orderBy(asc(requests.receivedAt))
    .prepare(),
);

export const rosterStore = (store: Store) => {
  const { db } = store;
  const { rosters, rosterItems: items, subscriptionRequests: requests } = store.t;
  const requestOf = (account: string, jid: string) =>
    and(eq(requests.account, account), eq(requests.jid, jid));
  const removedOf = (account: string) => and(eq(items.account, account), eq(items.removed, true));

  return {
    /** The last version given, and the one from which on every removal is among the rows. */
    async versions(account: string): Promise<{ version: number; completeSince: number }> {
      return findVersions(store).get({ account }) ?? { version: 0, completeSince: 0 };
    },

    /** All of an account, removed ones included, in the order of their versions. */
    async rows(account: string): Promise<RosterRow[]> {
      return listItems(store).all({ account });
    },

    async find(account: string, jid: string): Promise<RosterRow | undefined> {
      return findItem(store).get({ account, jid });
    },

    /** How many items an account has. */
    async size(account: string): Promise<number> {
      const [row] = await db
        .select({ size: count() })
        .from(items)
        .where(and(eq(items.account, account), eq(items.removed, false)));
      return row!.size;
    },

    /** Writes an item under the next version of its roster, which it returns. */
    async put(account: string, item: Omit<RosterRow, "version">): Promise<number> {
      const [next] = await db
        .insert(rosters)
        .values({ account, version: 1, completeSince: 0 })
        .onConflictDoUpdate({ target: rosters.account, set: { version: sql`${rosters.version} + 1` } })
        .returning();
      const { version } = next!;
      const row = { ...item, version };
      await db
        .insert(items)
        .values({ account, ...row })
        .onConflictDoUpdate({ target: [items.account, items.jid], set: row });
      return version;
    },

    /** Forgets the removals before the newest `kept`; older versions are incomplete from then on. */
    async forgetRemovals(account: string, kept: number): Promise<void> {
      const [newest] = await db
        .select({ version: items.version })
        .from(items)
        .where(removedOf(account))
        .orderBy(desc(items.version))
        .limit(1)
        .offset(kept);
      if (!newest) return;
      await db.delete(items).where(and(removedOf(account), lte(items.version, newest.version)));
      await db.update(rosters).set({ completeSince: newest.version }).where(eq(rosters.account, account));
    },

    async isRequested(account: string, jid: string): Promise<boolean> {
      const found = await db.select({ jid: requests.jid }).from(requests).where(requestOf(account, jid));
      return found.length > 0;
    },

    /** The requests that wait for the user's answer, as they came, oldest first. */
    async requests(account: string): Promise<{ jid: string; stanza: string }[]> {
      return listRequests(store).all({ account });
    },

    /** Who waits for an answer, in no order. */
    async requestedBy(account: string): Promise<string[]> {
      const rows = await db.select({ jid: requests.jid }).from(requests).where(eq(requests.account, account));
      return rows.map(({ jid }) => jid);
    },

    async addRequest(account: string, jid: string, stanza: string, receivedAt: Date): Promise<void> {
      await db.insert(requests).values({ account, jid, stanza, receivedAt });
    },

    async removeRequest(account: string, jid: string): Promise<void> {
      await db.delete(requests).where(requestOf(account, jid));
    },

    /** Everything of an account that is no more. */
    async clear(account: string): Promise<void> {
      await db.delete(items).where(eq(items.account, account));
      await db.delete(rosters).where(eq(rosters.account, account));
      await db.delete(requests).where(eq(requests.account, account));
    },
  };
};
