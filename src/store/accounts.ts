/** Accounts, their SCRAM verifiers, and the secrets of the node. */
import { and, asc, eq, inArray, isNotNull, sql } from "drizzle-orm";
import { prepared } from "./prepared.ts";
import type { Schema } from "./schema.ts";
import type { Store } from "./store.ts";

export type AccountRow = Schema["accounts"]["$inferSelect"];
/** One verifier (RFC 5802 §3), binary parts in base64. */
export type CredentialsRow = Schema["credentials"]["$inferSelect"];

// Asked for each message to somebody who is away, and for each login.
const findAccount = prepared(({ db, t }) =>
  db
    .select()
    .from(t.accounts)
    .where(eq(t.accounts.local, sql.placeholder("local")))
    .prepare(),
);
const findCredentials = prepared(({ db, t: { credentials } }) =>
  db
    .select()
    .from(credentials)
    .where(
      and(eq(credentials.local, sql.placeholder("local")), eq(credentials.hash, sql.placeholder("hash"))),
    )
    .prepare(),
);

const findVerifiers = prepared(({ db, t: { credentials } }) =>
  db
    .select()
    .from(credentials)
    .where(eq(credentials.local, sql.placeholder("local")))
    .orderBy(asc(credentials.hash))
    .prepare(),
);

export const accountStore = (store: Store) => ({
  /** Removed accounts too: their names stay taken. */
  async find(local: string): Promise<AccountRow | undefined> {
    return findAccount(store).get({ local });
  },

  async list(): Promise<AccountRow[]> {
    const { db, t } = store;
    return db.select().from(t.accounts).orderBy(asc(t.accounts.local)).all();
  },

  async credentials(local: string, hash: CredentialsRow["hash"]): Promise<CredentialsRow | undefined> {
    return findCredentials(store).get({ local, hash });
  },

  insert: (row: AccountRow): Promise<void> =>
    store.transaction(async ({ db, t }) => {
      db.insert(t.accounts).values(row).run();
    }),

  /** Takes the verifiers away, and keeps the name. */
  remove: (local: string, removedAt: Date): Promise<void> =>
    store.transaction(async ({ db, t }) => {
      db.update(t.accounts).set({ removedAt }).where(eq(t.accounts.local, local)).run();
      db.delete(t.credentials).where(eq(t.credentials.local, local)).run();
    }),

  /** Removed accounts of which something may be left. */
  async leaving(): Promise<AccountRow[]> {
    const { db, t } = store;
    return db
      .select()
      .from(t.accounts)
      .where(and(isNotNull(t.accounts.removedAt), eq(t.accounts.cleared, false)))
      .all();
  },

  update: (local: string, to: Partial<Omit<AccountRow, "local">>): Promise<void> =>
    store.transaction(async ({ db, t }) => {
      db.update(t.accounts).set(to).where(eq(t.accounts.local, local)).run();
    }),

  /** These are administrators, and no others. */
  setAdmins: (locals: readonly string[]): Promise<void> =>
    store.transaction(async ({ db, t }) => {
      db.update(t.accounts).set({ admin: false }).run();
      db.update(t.accounts)
        .set({ admin: true })
        .where(inArray(t.accounts.local, [...locals]))
        .run();
    }),

  /** All verifiers of an account. */
  async verifiers(local: string): Promise<CredentialsRow[]> {
    return findVerifiers(store).all({ local });
  },

  setCleared: (local: string): Promise<void> =>
    store.transaction(async ({ db, t }) => {
      db.update(t.accounts).set({ cleared: true }).where(eq(t.accounts.local, local)).run();
    }),

  /** Replaces all verifiers of an account. */
  setCredentials: (local: string, rows: readonly CredentialsRow[]): Promise<void> =>
    store.transaction(async ({ db, t }) => {
      db.delete(t.credentials).where(eq(t.credentials.local, local)).run();
      db.insert(t.credentials)
        .values([...rows])
        .run();
    }),

  /** A value made once and kept: the stored one, or `fresh` from now on. */
  secret: (name: string, fresh: string): Promise<string> =>
    store.transaction(async ({ db, t }) => {
      db.insert(t.secrets).values({ name, value: fresh }).onConflictDoNothing().run();
      return db.select().from(t.secrets).where(eq(t.secrets.name, name)).get()!.value;
    }),
});
