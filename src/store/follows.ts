/** Whom accounts follow, and when to ask again. */
import { and, asc, eq, lt, lte, ne, or, isNull, sql } from "drizzle-orm";
import { prepared } from "./prepared.ts";
import type { Schema } from "./schema.ts";
import type { Store } from "./store.ts";

export type FollowRow = Schema["follows"]["$inferSelect"];
export type FollowKey = Pick<FollowRow, "account" | "target">;

// Asked for each news of a blog that comes in.
const findFollow = prepared(({ db, t: { follows } }) =>
  db
    .select()
    .from(follows)
    .where(
      and(eq(follows.account, sql.placeholder("account")), eq(follows.target, sql.placeholder("target"))),
    )
    .prepare(),
);

export const followStore = (store: Store) => {
  const { follows } = store.t;
  const that = ({ account, target }: FollowKey) =>
    and(eq(follows.account, account), eq(follows.target, target));

  return {
    async find(key: FollowKey): Promise<FollowRow | undefined> {
      return findFollow(store).get({ ...key });
    },

    /** In the order of the addresses. */
    async of(account: string): Promise<FollowRow[]> {
      return store.db.select().from(follows).where(eq(follows.account, account)).orderBy(asc(follows.target));
    },

    put: (row: FollowRow): Promise<void> =>
      store.transaction(async ({ db }) => {
        await db
          .insert(follows)
          .values(row)
          .onConflictDoUpdate({ target: [follows.account, follows.target], set: row });
      }),

    /** Changes it where it still is in that state. */
    change: (
      { state, ...key }: FollowKey & Pick<FollowRow, "state">,
      to: Partial<FollowRow>,
    ): Promise<void> =>
      store.transaction(async ({ db }) => {
        await db
          .update(follows)
          .set(to)
          .where(and(that(key), eq(follows.state, state)));
      }),

    /** Forgets it, where it was unfollowed. */
    end: (key: FollowKey): Promise<void> =>
      store.transaction(async ({ db }) => {
        await db.delete(follows).where(and(that(key), eq(follows.state, "ending")));
      }),

    /** The account is no more. */
    endAll: (account: string, nextAt: Date): Promise<void> =>
      store.transaction(async ({ db }) => {
        await db.update(follows).set({ state: "ending", nextAt }).where(eq(follows.account, account));
      }),

    /** Those to be looked after, who waits longest first. */
    async due(now: Date, limit: number): Promise<FollowRow[]> {
      return store.db
        .select()
        .from(follows)
        .where(lte(follows.nextAt, now))
        .orderBy(asc(follows.nextAt))
        .limit(limit);
    },

    /** Leaves a domain alone until then. */
    postpone: (domain: string, now: Date, nextAt: Date): Promise<void> =>
      store.transaction(async ({ db }) => {
        await db
          .update(follows)
          .set({ nextAt, attempts: sql`${follows.attempts} + 1` })
          .where(and(eq(follows.domain, domain), lte(follows.nextAt, now)));
      }),

    /** Makes those due, at a domain or everywhere, that wait for an answer. */
    hasten: (domain: string | undefined, now: Date): Promise<void> =>
      store.transaction(async ({ db }) => {
        await db
          .update(follows)
          .set({ nextAt: now })
          .where(
            and(
              domain === undefined ? undefined : eq(follows.domain, domain),
              ne(follows.state, "subscribed"),
            ),
          );
      }),

    /** Has those compared at that time or before that were not since another. */
    compare: (domain: string | undefined, at: Date, checkedBefore: Date): Promise<void> =>
      store.transaction(async ({ db }) => {
        await db
          .update(follows)
          .set({ nextAt: sql`min(${follows.nextAt}, ${at.getTime()})` })
          .where(
            and(
              domain === undefined ? undefined : eq(follows.domain, domain),
              eq(follows.state, "subscribed"),
              or(isNull(follows.checkedAt), lt(follows.checkedAt, checkedBefore)),
            ),
          );
      }),
  };
};
