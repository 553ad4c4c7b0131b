/** XEP-0191 and XEP-0377: whom accounts have blocked, and what they reported. What writes is used inside a transaction. */
import { and, eq, gte, inArray, sql } from "drizzle-orm";
import { prepared } from "./prepared.ts";
import type { Store } from "./store.ts";

export interface ReportRow {
  readonly id: string;
  /** Who reports. */
  readonly account: string;
  /** Who is reported. */
  readonly jid: string;
  readonly reason: string;
  /** The `<report/>` as XML text. */
  readonly report: string;
  readonly reportedAt: Date;
}

const listOf = prepared(({ db, t: { blocked } }) =>
  db
    .select({ jid: blocked.jid })
    .from(blocked)
    .where(eq(blocked.account, sql.placeholder("account")))
    .prepare(),
);

export const blockedStore = (store: Store) => {
  const { db } = store;
  const { blocked, reports } = store.t;
  return {
    /** The accounts that block anybody at all. */
    async accounts(): Promise<string[]> {
      const rows = db.selectDistinct({ account: blocked.account }).from(blocked).all();
      return rows.map(({ account }) => account);
    },

    async list(account: string): Promise<string[]> {
      return listOf(store)
        .all({ account })
        .map(({ jid }) => jid);
    },

    async add(account: string, jids: readonly string[]): Promise<void> {
      for (const jid of jids) await db.insert(blocked).values({ account, jid }).onConflictDoNothing();
    },

    async remove(account: string, jids: readonly string[]): Promise<void> {
      await db.delete(blocked).where(and(eq(blocked.account, account), inArray(blocked.jid, [...jids])));
    },

    async addReport(row: ReportRow): Promise<void> {
      await db.insert(reports).values(row);
    },

    /** How many reports an account made since then. */
    async reportCount(account: string, since: Date): Promise<number> {
      return db.$count(reports, and(eq(reports.account, account), gte(reports.reportedAt, since)));
    },

    /** What people reported, the newest first. */
    async reports(limit: number): Promise<ReportRow[]> {
      return db
        .select()
        .from(reports)
        .orderBy(sql`${reports.reportedAt} desc`)
        .limit(limit);
    },

    /** Everything of an account that is no more. */
    async clear(account: string): Promise<void> {
      await db.delete(blocked).where(eq(blocked.account, account));
      await db.delete(reports).where(eq(reports.account, account));
    },
  };
};
