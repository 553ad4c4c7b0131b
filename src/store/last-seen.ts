/** When the last available resource of an account went away, and what it said (RFC 6121 §4.3.2, XEP-0012). */
import { eq } from "drizzle-orm";
import type { Store } from "./store.ts";

export interface LastSeen {
  readonly at: Date;
  readonly status: string | null;
}

export const lastSeenStore = ({ db, t, transaction }: Store) => ({
  async find(account: string): Promise<LastSeen | undefined> {
    const [row] = await db.select().from(t.lastSeen).where(eq(t.lastSeen.account, account));
    return row;
  },

  put: (account: string, seen: LastSeen): Promise<void> =>
    transaction(async ({ db, t }) => {
      await db
        .insert(t.lastSeen)
        .values({ account, ...seen })
        .onConflictDoUpdate({ target: t.lastSeen.account, set: seen });
    }),

  remove: (account: string): Promise<void> =>
    transaction(async ({ db, t }) => {
      await db.delete(t.lastSeen).where(eq(t.lastSeen.account, account));
    }),
});
