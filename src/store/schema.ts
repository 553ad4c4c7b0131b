/** Every table, once, over a column kit. The SQL that makes them is in `migrations/`; a test holds both together. */
import type { Columns } from "./columns.ts";
import { loginTables } from "./schema-logins.ts";
import { pushTables } from "./schema-push.ts";
import { socialTables } from "./schema-social.ts";
import { stanzaTables } from "./schema-stanzas.ts";

export type { Affiliation, SubscriptionState, FollowState, UploadPurpose } from "./schema-social.ts";
export type { ArchiveDefault, OutboundKind } from "./schema-stanzas.ts";

export type Subscription = "none" | "to" | "from" | "both";
export type NoticeName = "motd" | "welcome";
export type InvitationKind = "contact" | "account";

export function schema(columns: Columns) {
  const { table, text, int, bool, time, json, index, primaryKey } = columns;
  return {
    /** People. `local` is the prepared localpart of their address. A removed account keeps its name taken. */
    accounts: table("accounts", {
      local: text().primaryKey(),
      admin: bool().notNull().default(false),
      createdAt: time().notNull(),
      removedAt: time(),
      /** Nobody can log in since then. */
      disabledAt: time(),
      /** Nothing of a removed account is left anywhere. */
      cleared: bool().notNull().default(false),
    }),
    /** SCRAM verifiers, one for each hash (RFC 5802 §3); the password itself is nowhere. */
    credentials: table(
      "credentials",
      {
        local: text().notNull(),
        hash: text().notNull().$type<"SHA-1" | "SHA-256" | "SHA-512">(),
        salt: text().notNull(),
        iterations: int().notNull(),
        storedKey: text().notNull(),
        serverKey: text().notNull(),
      },
      (t) => [primaryKey({ columns: [t.local, t.hash] })],
    ),
    ...loginTables(columns),
    ...pushTables(columns),
    /** Values that the node makes once and keeps, such as the key behind the salts of unknown users. */
    secrets: table("secrets", { name: text().primaryKey(), value: text().notNull() }),
    /** The last version given to a change of a roster, and the one from which on all removals are still remembered. */
    rosters: table("rosters", {
      account: text().primaryKey(),
      version: int().notNull(),
      completeSince: int().notNull(),
    }),
    /** RFC 6121 §2. `account` is a bare address, here and below. A removed item stays as `removed`, for its version. */
    rosterItems: table(
      "roster_items",
      {
        account: text().notNull(),
        jid: text().notNull(),
        name: text(),
        groups: json<string[]>().notNull(),
        subscription: text().notNull().$type<Subscription>(),
        ask: bool().notNull(),
        approved: bool().notNull(),
        removed: bool().notNull(),
        version: int().notNull(),
      },
      (t) => [primaryKey({ columns: [t.account, t.jid] })],
    ),
    /** Subscription requests that wait for the user's answer, whole (RFC 6121 §3.1.3). */
    subscriptionRequests: table(
      "subscription_requests",
      {
        account: text().notNull(),
        jid: text().notNull(),
        stanza: text().notNull(),
        receivedAt: time().notNull(),
      },
      (t) => [primaryKey({ columns: [t.account, t.jid] })],
    ),
    /** When the last resource of an account went away, with its status (RFC 6121 §4.3.2, XEP-0012). */
    lastSeen: table("last_seen", { account: text().primaryKey(), at: time().notNull(), status: text() }),
    /** XEP-0191: addresses of any form, whole domains included, that have nothing to do with the account. */
    blocked: table("blocked", { account: text().notNull(), jid: text().notNull() }, (t) => [
      primaryKey({ columns: [t.account, t.jid] }),
    ]),
    /** XEP-0377: what people reported to whoever runs the node. `report` is the element as it came. */
    reports: table(
      "reports",
      {
        id: text().primaryKey(),
        account: text().notNull(),
        jid: text().notNull(),
        reason: text().notNull(),
        report: text().notNull(),
        reportedAt: time().notNull(),
      },
      (t) => [index("reports_account").on(t.account, t.reportedAt)],
    ),
    /** XEP-0049: one element of each name and namespace. */
    privateXml: table(
      "private_xml",
      { account: text().notNull(), xmlns: text().notNull(), name: text().notNull(), xml: text().notNull() },
      (t) => [primaryKey({ columns: [t.account, t.xmlns, t.name] })],
    ),
    /** XEP-0133: when people first and last logged in, and which message of the day they were told, by its time. */
    logins: table("logins", {
      local: text().primaryKey(),
      firstAt: time().notNull(),
      lastAt: time(),
      welcomed: bool().notNull(),
      motdAt: time(),
    }),
    notices: table("notices", {
      name: text().primaryKey().$type<NoticeName>(),
      text: text().notNull(),
      setAt: time().notNull(),
    }),
    vcards: table("vcards", { account: text().primaryKey(), xml: text().notNull() }),
    /** XEP-0401: who brings the token becomes a contact, or makes an account. */
    invitations: table(
      "invitations",
      {
        token: text().primaryKey(),
        /** The bare address of who invites; none where it is whoever runs the node. */
        inviter: text(),
        kind: text().notNull().$type<InvitationKind>(),
        /** An account can be made with it. */
        registers: bool().notNull(),
        /** Who comes and who invited become contacts. */
        befriends: bool().notNull(),
        /** The localpart that is kept for who comes. */
        username: text(),
        createdAt: time().notNull(),
        expiresAt: time().notNull(),
        /** It is good for once. */
        usedAt: time(),
        usedBy: text(),
      },
      (t) => [
        index("invitations_inviter").on(t.inviter, t.createdAt),
        index("invitations_username").on(t.username),
      ],
    ),
    ...socialTables(columns),
    ...stanzaTables(columns),
  };
}

export type Schema = ReturnType<typeof schema>;
