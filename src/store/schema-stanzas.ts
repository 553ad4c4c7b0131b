/** Tables of stanzas: the archives, and what waits for somebody. */
import type { Columns } from "./columns.ts";

export type ArchiveDefault = "always" | "never" | "roster";
export type OutboundKind = "chat" | "notification" | "subscription";

export const stanzaTables = ({ table, text, int, bool, time, json, index, primaryKey }: Columns) => ({
  /** Stanzas for other domains until these have taken them; `id` sorts them. `local` is the domain they come from. */
  outbound: table(
    "outbound",
    {
      local: text().notNull(),
      domain: text().notNull(),
      id: text().notNull(),
      kind: text().notNull().$type<OutboundKind>(),
      /** What a newer event of the same item to the same address takes the place of. */
      itemKey: text().unique(),
      stanza: text().notNull(),
      /** How often it was the first that a stream ended without taking. */
      attempts: int().notNull(),
      queuedAt: time().notNull(),
    },
    (t) => [
      primaryKey({ columns: [t.local, t.domain, t.id] }),
      index("outbound_age").on(t.local, t.domain, t.kind, t.queuedAt),
    ],
  ),
  /** Other domains that something waits for or that failed lately: since when, why, and when to try again. */
  outboundDomains: table(
    "outbound_domains",
    {
      local: text().notNull(),
      domain: text().notNull(),
      attempts: int().notNull(),
      failingSince: time(),
      triedAt: time(),
      nextAt: time().notNull(),
      condition: text(),
      reason: text(),
    },
    (t) => [
      primaryKey({ columns: [t.local, t.domain] }),
      index("outbound_domains_next").on(t.nextAt),
      index("outbound_domains_failing").on(t.failingSince, t.nextAt),
    ],
  ),
  /**
   * What an account sent and received; one row on each side. `position` is the order of `id` (`xmpp/id.ts`), so it
   * sorts by arrival and the newest rows stand together.
   */
  messages: table(
    "messages",
    {
      position: int().primaryKey(),
      account: text().notNull(),
      /** The archive id (XEP-0313 §3.1). */
      id: text().notNull(),
      /** The other side: its bare address, and its resource or "". */
      with: text().notNull(),
      resource: text().notNull(),
      at: time().notNull(),
      sent: bool().notNull(),
      /** `false`: it only waits, and goes once it is delivered. */
      archived: bool().notNull(),
      /** It is for who is away, too. */
      waits: bool().notNull(),
      /** Of the id that its sender gave it: a conversation's index alone finds what is retracted or comes again. */
      idHash: int(),
      /** As delivered, with the `<stanza-id/>`. */
      stanza: text().notNull(),
    },
    (t) => [
      index("messages_account").on(t.account, t.position),
      index("messages_with").on(t.account, t.with, t.position, t.idHash),
    ],
  ),
  /** All that came for an account up to this position was taken by one of its clients. */
  messagesTaken: table("messages_taken", { account: text().primaryKey(), position: int().notNull() }),
  /** XEP-0441; where an account has none, everything is archived. */
  archivePreferences: table("archive_preferences", {
    account: text().primaryKey(),
    default: text().notNull().$type<ArchiveDefault>(),
    always: json<string[]>().notNull(),
    never: json<string[]>().notNull(),
  }),
  /** XEP-0198 §5: sessions that may be resumed. `id` is the SM-ID; what `state` says is the server's own. */
  hibernatedSessions: table(
    "hibernated_sessions",
    {
      id: text().primaryKey(),
      account: text().notNull(),
      jid: text().notNull(),
      expiresAt: time().notNull(),
      /** The position in the archive up to which it was handed all that it was to get. */
      completeTo: int().notNull(),
      state: json<object>().notNull(),
    },
    (t) => [index("hibernated_sessions_account").on(t.account)],
  ),
  /** What their clients have not acknowledged, in order. */
  hibernatedStanzas: table(
    "hibernated_stanzas",
    {
      session: text().notNull(),
      position: int().notNull(),
      /** Of a message that is in the archive too. */
      archiveId: text(),
      at: time().notNull(),
      stanza: text().notNull(),
    },
    (t) => [primaryKey({ columns: [t.session, t.position] })],
  ),
});
