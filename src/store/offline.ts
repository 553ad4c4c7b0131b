/** XEP-0160: messages that wait for somebody who is away, in the order in which they came. */
import { and, asc, count, eq, inArray, sum } from "drizzle-orm";
import type { Schema } from "./schema.ts";
import type { Store } from "./store.ts";

export type OfflineRow = Schema["offlineMessages"]["$inferSelect"];

/** What may wait for one account: messages, and their length in all, in UTF-16 units. */
export interface OfflineLimits {
  readonly messages: number;
  readonly length: number;
}

export const offlineStore = (store: Store) => {
  const { offlineMessages: messages } = store.t;
  return {
    /** `false` where there is no more room. */
    add: (row: OfflineRow, limits: OfflineLimits): Promise<boolean> =>
      store.transaction(async ({ db }) => {
        const [held] = await db
          .select({ messages: count(), length: sum(messages.length) })
          .from(messages)
          .where(eq(messages.account, row.account));
        const length = Number(held?.length ?? 0) + row.length;
        if ((held?.messages ?? 0) >= limits.messages || length > limits.length) return false;
        await db.insert(messages).values(row);
        return true;
      }),

    /** The oldest. */
    async page(account: string, limit: number): Promise<Pick<OfflineRow, "id" | "stanza">[]> {
      return store.db
        .select({ id: messages.id, stanza: messages.stanza })
        .from(messages)
        .where(eq(messages.account, account))
        .orderBy(asc(messages.id))
        .limit(limit);
    },

    remove: (account: string, ids: readonly string[]): Promise<void> =>
      store.transaction(async ({ db }) => {
        await db.delete(messages).where(and(eq(messages.account, account), inArray(messages.id, [...ids])));
      }),

    clear: (account: string): Promise<void> =>
      store.transaction(async ({ db }) => {
        await db.delete(messages).where(eq(messages.account, account));
      }),

    async accounts(): Promise<string[]> {
      const rows = await store.db.selectDistinct({ account: messages.account }).from(messages);
      return rows.map(({ account }) => account);
    },
  };
};
