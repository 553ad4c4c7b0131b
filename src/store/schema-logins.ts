/** The tables of what people log in with beside their password. The SQL that makes them is in `migrations/`. */
import type { Columns } from "./columns.ts";

/** `current`: it was used; `new`: not yet. */
export type TokenSlot = "current" | "new";

export function loginTables({ table, text, int, bool, time, index, primaryKey }: Columns) {
  return {
    /** Installations of clients that told which they are (XEP-0388 §2.3); `client` is a digest of what they told. */
    clients: table(
      "clients",
      {
        account: text().notNull(),
        client: text().notNull(),
        /** What it is called where its account manages it (XEP-0494). */
        id: text().notNull().unique(),
        software: text(),
        device: text(),
        firstSeen: time().notNull(),
        lastSeen: time().notNull(),
        /** It has logged in with the password that the account still has. */
        knowsPassword: bool().notNull(),
      },
      (t) => [primaryKey({ columns: [t.account, t.client] }), index("clients_seen").on(t.lastSeen)],
    ),
    /** XEP-0484 §5.1: the token that a client has used last, and the one that it was given since. */
    tokens: table(
      "tokens",
      {
        account: text().notNull(),
        client: text().notNull(),
        slot: text().notNull().$type<TokenSlot>(),
        mechanism: text().notNull(),
        token: text().notNull(),
        /** The last that the client has counted to. */
        count: int(),
        issuedAt: time().notNull(),
        expiresAt: time().notNull(),
      },
      (t) => [primaryKey({ columns: [t.account, t.client, t.slot] }), index("tokens_expiry").on(t.expiresAt)],
    ),
    /** Further passwords of accounts, one for each client that has no better way to log in. */
    appPasswords: table(
      "app_passwords",
      {
        id: text().primaryKey(),
        account: text().notNull(),
        name: text().notNull(),
        createdAt: time().notNull(),
        usedAt: time(),
      },
      (t) => [index("app_passwords_account").on(t.account, t.name)],
    ),
    /** Their SCRAM keys, under the salt and the rounds of the account's own verifier of that hash. */
    appVerifiers: table(
      "app_verifiers",
      {
        account: text().notNull(),
        hash: text().notNull().$type<"SHA-1" | "SHA-256" | "SHA-512">(),
        appPassword: text().notNull(),
        storedKey: text().notNull(),
        serverKey: text().notNull(),
      },
      (t) => [primaryKey({ columns: [t.account, t.hash, t.appPassword] })],
    ),
  };
}
