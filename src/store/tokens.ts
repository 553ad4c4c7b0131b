/** The clients of accounts, and the tokens that stand for a password with them (XEP-0484). */
import { and, asc, count, eq, gt, lt, notExists, sql } from "drizzle-orm";
import { prepared } from "./prepared.ts";
import type { TokenSlot } from "./schema-logins.ts";
import type { Schema } from "./schema.ts";
import type { Store } from "./store.ts";

export type ClientRow = Schema["clients"]["$inferSelect"];
export type TokenRow = Schema["tokens"]["$inferSelect"];

// Asked at each login with a token.
const findTokens = prepared(({ db, t: { tokens } }) =>
  db
    .select()
    .from(tokens)
    .where(and(eq(tokens.account, sql.placeholder("account")), eq(tokens.client, sql.placeholder("client"))))
    .prepare(),
);

export const tokenStore = (store: Store) => {
  const { clients, tokens } = store.t;
  const ofClient = (account: string, client: string) =>
    and(eq(tokens.account, account), eq(tokens.client, client));
  const slotOf = (account: string, client: string, slot: TokenSlot) =>
    and(ofClient(account, client), eq(tokens.slot, slot));

  return {
    /** Both at most. */
    async tokens(account: string, client: string): Promise<TokenRow[]> {
      return findTokens(store).all({ account, client });
    },

    /** Whose clients have tokens that are good at that time. */
    async holders(account: string, now: Date): Promise<string[]> {
      const isGood = and(eq(tokens.account, account), gt(tokens.expiresAt, now));
      const rows = await store.db.selectDistinct({ client: tokens.client }).from(tokens).where(isGood);
      return rows.map(({ client }) => client);
    },

    /** Puts a token into its slot, whatever was there. */
    put: (row: TokenRow): Promise<void> =>
      store.transaction(async ({ db }) => {
        db.delete(tokens)
          .where(slotOf(row.account, row.client, row.slot))
          .run();
        db.insert(tokens).values(row).run();
      }),

    remove: ({ account, client, slot }: Pick<TokenRow, "account" | "client" | "slot">): Promise<void> =>
      store.transaction(async ({ db }) => {
        db.delete(tokens)
          .where(slotOf(account, client, slot))
          .run();
      }),

    removeAll: (account: string, client: string): Promise<void> =>
      store.transaction(async ({ db }) => {
        db.delete(tokens).where(ofClient(account, client)).run();
      }),

    async client(account: string, client: string): Promise<ClientRow | undefined> {
      const isIt = and(eq(clients.account, account), eq(clients.client, client));
      return store.db.select().from(clients).where(isIt).get();
    },

    /** Those of an account, the longest known first. */
    async clients(account: string): Promise<ClientRow[]> {
      return store.db
        .select()
        .from(clients)
        .where(eq(clients.account, account))
        .orderBy(asc(clients.firstSeen), asc(clients.id));
    },

    putClient: (row: ClientRow): Promise<void> =>
      store.transaction(async ({ db }) => {
        const { account, client, id, firstSeen, ...changes } = row;
        db.insert(clients)
          .values({ account, client, id, firstSeen, ...changes })
          .onConflictDoUpdate({ target: [clients.account, clients.client], set: changes })
          .run();
      }),

    /** Keeps so many of an account's clients, those that were here last. */
    keepNewest: (account: string, most: number): Promise<void> =>
      store.transaction(async ({ db }) => {
        const [all] = db.select({ n: count() }).from(clients).where(eq(clients.account, account)).all();
        if ((all?.n ?? 0) <= most) return;
        const [oldest] = db
          .select()
          .from(clients)
          .where(eq(clients.account, account))
          .orderBy(asc(clients.lastSeen))
          .limit(1)
          .all();
        if (!oldest) return;
        db.delete(tokens).where(ofClient(account, oldest.client)).run();
        db.delete(clients).where(eq(clients.id, oldest.id)).run();
      }),

    removeClient: (account: string, client: string): Promise<void> =>
      store.transaction(async ({ db }) => {
        db.delete(tokens).where(ofClient(account, client)).run();
        db.delete(clients)
          .where(and(eq(clients.account, account), eq(clients.client, client)))
          .run();
      }),

    seen: (account: string, client: string, lastSeen: Date): Promise<void> =>
      store.transaction(async ({ db }) => {
        db.update(clients)
          .set({ lastSeen })
          .where(and(eq(clients.account, account), eq(clients.client, client)))
          .run();
      }),

    /** The account has another password: what was had for the old one is worth nothing. */
    forgetPassword: (account: string): Promise<void> =>
      store.transaction(async ({ db }) => {
        db.delete(tokens).where(eq(tokens.account, account)).run();
        db.update(clients).set({ knowsPassword: false }).where(eq(clients.account, account)).run();
      }),

    clear: (account: string): Promise<void> =>
      store.transaction(async ({ db }) => {
        db.delete(tokens).where(eq(tokens.account, account)).run();
        db.delete(clients).where(eq(clients.account, account)).run();
      }),

    /** Forgets tokens that ended before a time, and clients without one that were not here since another. */
    sweep: (ended: Date, seen: Date): Promise<void> =>
      store.transaction(async ({ db }) => {
        db.delete(tokens).where(lt(tokens.expiresAt, ended)).run();
        const theirs = db
          .select({ one: sql`1` })
          .from(tokens)
          .where(and(eq(tokens.account, clients.account), eq(tokens.client, clients.client)));
        db.delete(clients)
          .where(and(lt(clients.lastSeen, seen), notExists(theirs)))
          .run();
      }),
  };
};
