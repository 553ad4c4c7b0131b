/** App passwords, and their SCRAM keys; binary parts in base64. */
import { and, asc, eq, sql } from "drizzle-orm";
import { prepared } from "./prepared.ts";
import type { Schema } from "./schema.ts";
import type { Store } from "./store.ts";

export type AppPasswordRow = Schema["appPasswords"]["$inferSelect"];
export type AppVerifierRow = Schema["appVerifiers"]["$inferSelect"];

// Asked at each login.
const findVerifiers = prepared(({ db, t: { appVerifiers: verifiers } }) =>
  db
    .select()
    .from(verifiers)
    .where(
      and(eq(verifiers.account, sql.placeholder("account")), eq(verifiers.hash, sql.placeholder("hash"))),
    )
    .prepare(),
);

export const appPasswordStore = (store: Store) => {
  const { appPasswords, appVerifiers } = store.t;
  return {
    async verifiers(account: string, hash: AppVerifierRow["hash"]): Promise<AppVerifierRow[]> {
      return findVerifiers(store).all({ account, hash });
    },

    /** Those of an account, by their names. */
    async of(account: string): Promise<AppPasswordRow[]> {
      return store.db
        .select()
        .from(appPasswords)
        .where(eq(appPasswords.account, account))
        .orderBy(asc(appPasswords.name));
    },

    insert: (row: AppPasswordRow, verifiers: readonly AppVerifierRow[]): Promise<void> =>
      store.transaction(async ({ db }) => {
        db.insert(appPasswords).values(row).run();
        db.insert(appVerifiers)
          .values([...verifiers])
          .run();
      }),

    remove: (account: string, id: string): Promise<void> =>
      store.transaction(async ({ db }) => {
        db.delete(appPasswords)
          .where(and(eq(appPasswords.account, account), eq(appPasswords.id, id)))
          .run();
        db.delete(appVerifiers)
          .where(and(eq(appVerifiers.account, account), eq(appVerifiers.appPassword, id)))
          .run();
      }),

    setUsed: (id: string, usedAt: Date): Promise<void> =>
      store.transaction(async ({ db }) => {
        db.update(appPasswords).set({ usedAt }).where(eq(appPasswords.id, id)).run();
      }),

    clear: (account: string): Promise<void> =>
      store.transaction(async ({ db }) => {
        db.delete(appPasswords).where(eq(appPasswords.account, account)).run();
        db.delete(appVerifiers).where(eq(appVerifiers.account, account)).run();
      }),
  };
};
