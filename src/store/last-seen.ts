/** When the last available resource of an account went away, and what it said (RFC 6121 §4.3.2, XEP-0012). */
import { eq, sql } from "drizzle-orm";
import { prepared } from "./prepared.ts";
import type { Store } from "./store.ts";

export interface LastSeen {
  readonly at: Date;
  readonly status: string | null;
}

// Asked for each contact who is away, whenever somebody logs in.
const findLastSeen = prepared(({ db, t: { lastSeen } }) =>
  db
    .select()
    .from(lastSeen)
    .where(eq(lastSeen.account, sql.placeholder("account")))
    .prepare(),
);

export const lastSeenStore = (store: Store) => ({
  async find(account: string): Promise<LastSeen | undefined> {
    return findLastSeen(store).get({ account });
  },

  put: (account: string, seen: LastSeen): Promise<void> =>
    store.transaction(async ({ db, t }) => {
      await db
        .insert(t.lastSeen)
        .values({ account, ...seen })
        .onConflictDoUpdate({ target: t.lastSeen.account, set: seen });
    }),

  remove: (account: string): Promise<void> =>
    store.transaction(async ({ db, t }) => {
      await db.delete(t.lastSeen).where(eq(t.lastSeen.account, account));
    }),
});
