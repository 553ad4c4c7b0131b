/** Accounts, their SCRAM verifiers, and the secrets of the node. */
import { and, asc, eq } from "drizzle-orm";
import type { Store } from "./store.ts";

export interface AccountRow {
  readonly local: string;
  readonly admin: boolean;
  readonly createdAt: Date;
  readonly removedAt: Date | null;
}

/** One verifier (RFC 5802 §3), binary parts in base64. */
export interface CredentialsRow {
  readonly local: string;
  readonly hash: "SHA-1" | "SHA-256" | "SHA-512";
  readonly salt: string;
  readonly iterations: number;
  readonly storedKey: string;
  readonly serverKey: string;
}

export const accountStore = ({ db, t, transaction }: Store) => ({
  /** Removed accounts too: their names stay taken. */
  async find(local: string): Promise<AccountRow | undefined> {
    return db.select().from(t.accounts).where(eq(t.accounts.local, local)).get();
  },

  async list(): Promise<AccountRow[]> {
    return db.select().from(t.accounts).orderBy(asc(t.accounts.local)).all();
  },

  async credentials(local: string, hash: CredentialsRow["hash"]): Promise<CredentialsRow | undefined> {
    const { credentials: c } = t;
    return db
      .select()
      .from(c)
      .where(and(eq(c.local, local), eq(c.hash, hash)))
      .get();
  },

  insert: (row: AccountRow): Promise<void> =>
    transaction(async ({ db, t }) => {
      db.insert(t.accounts).values(row).run();
    }),

  /** Takes the verifiers away, and keeps the name. */
  remove: (local: string, removedAt: Date): Promise<void> =>
    transaction(async ({ db, t }) => {
      db.update(t.accounts).set({ removedAt }).where(eq(t.accounts.local, local)).run();
      db.delete(t.credentials).where(eq(t.credentials.local, local)).run();
    }),

  /** Replaces all verifiers of an account. */
  setCredentials: (local: string, rows: readonly CredentialsRow[]): Promise<void> =>
    transaction(async ({ db, t }) => {
      db.delete(t.credentials).where(eq(t.credentials.local, local)).run();
      db.insert(t.credentials)
        .values([...rows])
        .run();
    }),

  /** A value made once and kept: the stored one, or `fresh` from now on. */
  secret: (name: string, fresh: string): Promise<string> =>
    transaction(async ({ db, t }) => {
      db.insert(t.secrets).values({ name, value: fresh }).onConflictDoNothing().run();
      return db.select().from(t.secrets).where(eq(t.secrets.name, name)).get()!.value;
    }),
});
