/** vCards as XML text, one for each account. */
import { eq } from "drizzle-orm";
import type { Store } from "./store.ts";

export const vcardStore = ({ db, t, transaction }: Store) => ({
  async find(account: string): Promise<string | undefined> {
    return db.select().from(t.vcards).where(eq(t.vcards.account, account)).get()?.xml;
  },

  save: (account: string, xml: string): Promise<void> =>
    transaction(async ({ db, t }) => {
      db.insert(t.vcards)
        .values({ account, xml })
        .onConflictDoUpdate({ target: t.vcards.account, set: { xml } })
        .run();
    }),

  remove: (account: string): Promise<void> =>
    transaction(async ({ db, t }) => {
      db.delete(t.vcards).where(eq(t.vcards.account, account)).run();
    }),
});
