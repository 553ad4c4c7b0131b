/** When people logged in, and what they have been told of the node's notices (XEP-0133). */
import { eq } from "drizzle-orm";
import type { Schema } from "./schema.ts";
import type { Store } from "./store.ts";

export type LoginRow = Schema["logins"]["$inferSelect"];

export const loginStore = (store: Store) => {
  const { logins } = store.t;
  return {
    async find(local: string): Promise<LoginRow | undefined> {
      return store.db.select().from(logins).where(eq(logins.local, local)).get();
    },

    /** Somebody logged in, for the first time perhaps. */
    note: (local: string, at: Date): Promise<void> =>
      store.transaction(async ({ db }) => {
        db.insert(logins)
          .values({ local, firstAt: at, lastAt: at, welcomed: false })
          .onConflictDoUpdate({ target: logins.local, set: { lastAt: at } })
          .run();
      }),

    setTold: (local: string, told: Pick<LoginRow, "welcomed" | "motdAt">): Promise<void> =>
      store.transaction(async ({ db }) => {
        db.update(logins).set(told).where(eq(logins.local, local)).run();
      }),

    remove: (local: string): Promise<void> =>
      store.transaction(async ({ db }) => {
        db.delete(logins).where(eq(logins.local, local)).run();
      }),
  };
};
