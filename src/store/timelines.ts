/** Timelines: what arrived of those whom an account follows. Each item once, with whether its clients know it as it is. */
import { and, desc, eq, gt, inArray, isNull, lt, lte, notInArray, sql } from "drizzle-orm";
import type { Schema } from "./schema.ts";
import type { Store } from "./store.ts";

export type TimelineRow = Schema["timelines"]["$inferSelect"];
export type TimelineKey = Pick<TimelineRow, "account" | "service" | "node">;

export const timelineStore = (store: Store) => {
  const { timelines } = store.t;
  const at = ({ account, service, node }: TimelineKey) =>
    and(eq(timelines.account, account), eq(timelines.service, service), eq(timelines.node, node));

  return {
    async some(key: TimelineKey, items: readonly string[]): Promise<TimelineRow[]> {
      return store.db
        .select()
        .from(timelines)
        .where(and(at(key), inArray(timelines.item, [...items])));
    },

    /** What of the same blog is newer than an item, in arrival and in its last change, but for some; newest first. */
    async since(row: TimelineRow, except: readonly string[], limit: number): Promise<string[]> {
      const { position, updatedAt, deletedAt, item } = timelines;
      const rows = await store.db
        .select({ item })
        .from(timelines)
        .where(
          and(
            at(row),
            gt(position, row.position),
            gt(updatedAt, row.updatedAt),
            isNull(deletedAt),
            notInArray(item, [...except]),
          ),
        )
        .orderBy(desc(position))
        .limit(limit);
      return rows.map(({ item }) => item);
    },

    put: (row: TimelineRow): Promise<void> =>
      store.transaction(async ({ db }) => {
        const { account, service, node, item } = timelines;
        await db
          .insert(timelines)
          .values(row)
          .onConflictDoUpdate({ target: [account, service, node, item], set: row });
      }),

    /** Empties those that are gone; `told` those of them of which nobody was told. How many there were. */
    bury: (key: TimelineKey, items: readonly string[] | undefined, deletedAt: Date): Promise<number> =>
      store.transaction(async ({ db }) => {
        const those = and(at(key), items && inArray(timelines.item, [...items]), isNull(timelines.deletedAt));
        const told = items ? sql`${timelines.messageId} IS NULL` : sql`1`;
        const buried = await db
          .update(timelines)
          .set({ payload: "", deletedAt, told })
          .where(those)
          .returning({ item: timelines.item });
        return buried.length;
      }),

    /** The newest of which the account's clients do not know. */
    async untold(account: string, limit: number): Promise<TimelineRow[]> {
      return store.db
        .select()
        .from(timelines)
        .where(and(eq(timelines.account, account), eq(timelines.told, false)))
        .orderBy(desc(timelines.position))
        .limit(limit);
    },

    /** Notes that an item was told of, unless it has changed since. */
    setTold: (row: TimelineRow, messageId: string | null): Promise<void> =>
      store.transaction(async ({ db }) => {
        const isSame = and(
          eq(timelines.payload, row.payload),
          row.deletedAt ? eq(timelines.deletedAt, row.deletedAt) : isNull(timelines.deletedAt),
        );
        const that = and(at(row), eq(timelines.item, row.item));
        await db.update(timelines).set({ messageId }).where(that);
        await db.update(timelines).set({ told: true }).where(and(that, isSame));
      }),

    /** Gives up telling of what is older than that. */
    setToldBefore: (account: string, position: string): Promise<void> =>
      store.transaction(async ({ db }) => {
        const those = and(
          eq(timelines.account, account),
          eq(timelines.told, false),
          lt(timelines.position, position),
        );
        await db.update(timelines).set({ told: true }).where(those);
      }),

    /** Newest first; only those before a position. */
    async page(account: string, before: string | undefined, limit: number): Promise<TimelineRow[]> {
      return store.db
        .select()
        .from(timelines)
        .where(
          and(
            eq(timelines.account, account),
            isNull(timelines.deletedAt),
            before === undefined ? undefined : lt(timelines.position, before),
          ),
        )
        .orderBy(desc(timelines.position))
        .limit(limit);
    },

    /** Keeps the newest so many. */
    trim: (account: string, size: number): Promise<void> =>
      store.transaction(async ({ db }) => {
        const [last] = await db
          .select({ position: timelines.position })
          .from(timelines)
          .where(eq(timelines.account, account))
          .orderBy(desc(timelines.position))
          .limit(1)
          .offset(size);
        if (!last) return;
        await db
          .delete(timelines)
          .where(and(eq(timelines.account, account), lte(timelines.position, last.position)));
      }),

    clear: (account: string): Promise<void> =>
      store.transaction(async ({ db }) => {
        await db.delete(timelines).where(eq(timelines.account, account));
      }),
  };
};
