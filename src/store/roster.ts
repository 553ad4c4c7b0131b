/**
 * RFC 6121 §2 and §3: roster items, their versions, and the subscription requests that wait for an answer.
 * What writes is used inside a transaction.
 */
import { and, asc, count, desc, eq, lte, sql } from "drizzle-orm";
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

export const rosterStore = ({ db, t }: Store) => {
  const { rosters, rosterItems: items, subscriptionRequests: requests } = t;
  const itemOf = (account: string, jid: string) => and(eq(items.account, account), eq(items.jid, jid));
  const requestOf = (account: string, jid: string) =>
    and(eq(requests.account, account), eq(requests.jid, jid));
  const removedOf = (account: string) => and(eq(items.account, account), eq(items.removed, true));

  return {
    /** The last version given, and the one from which on every removal is among the rows. */
    async versions(account: string): Promise<{ version: number; completeSince: number }> {
      const [row] = await db.select().from(rosters).where(eq(rosters.account, account));
      return row ?? { version: 0, completeSince: 0 };
    },

    /** All of an account, removed ones included, in the order of their versions. */
    rows: async (account: string): Promise<RosterRow[]> =>
      db.select().from(items).where(eq(items.account, account)).orderBy(asc(items.version)),

    async find(account: string, jid: string): Promise<RosterRow | undefined> {
      const [row] = await db.select().from(items).where(itemOf(account, jid));
      return row;
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
    requests: async (account: string): Promise<{ jid: string; stanza: string }[]> =>
      db
        .select({ jid: requests.jid, stanza: requests.stanza })
        .from(requests)
        .where(eq(requests.account, account))
        .orderBy(asc(requests.receivedAt)),

    async requestCount(account: string): Promise<number> {
      const [row] = await db.select({ size: count() }).from(requests).where(eq(requests.account, account));
      return row!.size;
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
