/** Every table, once, over a column kit. The SQL that makes them is in `migrations/`; a test holds both together. */
import type { Columns } from "./columns.ts";

export type Subscription = "none" | "to" | "from" | "both";
export type Affiliation = "owner" | "publisher" | "publish-only" | "member" | "none" | "outcast";
export type SubscriptionState = "subscribed" | "pending" | "unconfigured";
/** `ending`: unfollowed, and the other side does not know yet. */
export type FollowState = "pending" | "subscribed" | "refused" | "ending";
export type ArchiveDefault = "always" | "never" | "roster";
export type NoticeName = "motd" | "welcome";
export type OutboundKind = "chat" | "notification" | "subscription";
export type InvitationKind = "contact" | "account";
export type UploadPurpose = "message" | "profile" | "ephemeral" | "permanent";

export function schema({ table, text, int, bool, time, json, index, primaryKey }: Columns) {
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
    /** `service` is the bare address of a PEP account or of a pubsub service. `config` holds what differs from the default. */
    pubsubNodes: table(
      "pubsub_nodes",
      {
        service: text().notNull(),
        node: text().notNull(),
        config: json<Record<string, string | string[]>>().notNull(),
        createdAt: time().notNull(),
      },
      (t) => [primaryKey({ columns: [t.service, t.node] })],
    ),
    /** `position` sorts by the time of the last publish; `publisher` is a bare address. */
    pubsubItems: table(
      "pubsub_items",
      {
        service: text().notNull(),
        node: text().notNull(),
        id: text().notNull(),
        position: text().notNull(),
        publisher: text().notNull(),
        payload: text(),
        publishedAt: time().notNull(),
        /** From then on nobody sees it any more. */
        expiresAt: time(),
      },
      (t) => [
        primaryKey({ columns: [t.service, t.node, t.id] }),
        index("pubsub_items_position").on(t.service, t.node, t.position),
        index("pubsub_items_expiry").on(t.expiresAt),
      ],
    ),
    pubsubAffiliations: table(
      "pubsub_affiliations",
      {
        service: text().notNull(),
        node: text().notNull(),
        jid: text().notNull(),
        affiliation: text().notNull().$type<Affiliation>(),
      },
      (t) => [primaryKey({ columns: [t.service, t.node, t.jid] })],
    ),
    pubsubSubscriptions: table(
      "pubsub_subscriptions",
      {
        service: text().notNull(),
        node: text().notNull(),
        /** As it subscribed: bare or full. */
        jid: text().notNull(),
        subid: text().notNull(),
        state: text().notNull().$type<SubscriptionState>(),
        options: json<Record<string, string | string[]>>().notNull(),
        createdAt: time().notNull(),
      },
      (t) => [
        primaryKey({ columns: [t.service, t.node, t.jid, t.subid] }),
        index("pubsub_subscriptions_jid").on(t.jid),
      ],
    ),
    /** A projection of the items of `urn:xmpp:microblog:0`, written in their transaction. `deletedAt` marks what is gone (410). */
    posts: table(
      "posts",
      {
        author: text().notNull(),
        id: text().notNull(),
        /** The `tag:` URI, minted once. */
        atomId: text().notNull(),
        title: text().notNull(),
        /** The title is a heading of its own, which the body does not repeat. */
        titled: bool().notNull(),
        /** Markdown or plain source; `html` is what readers see, sanitised. */
        text: text().notNull(),
        html: text().notNull(),
        tags: json<string[]>().notNull(),
        language: text(),
        public: bool().notNull(),
        publishedAt: time().notNull(),
        updatedAt: time().notNull(),
        deletedAt: time(),
      },
      (t) => [
        primaryKey({ columns: [t.author, t.id] }),
        index("posts_published").on(t.author, t.publishedAt, t.id),
        index("posts_site").on(t.publishedAt, t.id),
      ],
    ),
    postTags: table(
      "post_tags",
      {
        author: text().notNull(),
        postId: text().notNull(),
        tag: text().notNull(),
        publishedAt: time().notNull(),
      },
      (t) => [
        primaryKey({ columns: [t.author, t.postId, t.tag] }),
        index("post_tags_tag").on(t.tag, t.publishedAt, t.postId),
        index("post_tags_author").on(t.tag, t.author, t.publishedAt, t.postId),
      ],
    ),
    /**
     * Which chat message to `timeline@` made which post, so that a correction or retraction finds it. The digest of
     * what it said tells a message that a client sends again from another one that bears the same id.
     */
    postMessages: table(
      "post_messages",
      {
        author: text().notNull(),
        messageId: text().notNull(),
        postId: text().notNull(),
        digest: text().notNull(),
      },
      (t) => [primaryKey({ columns: [t.author, t.messageId] })],
    ),
    /** One row a feed: when it last changed, edits and deletions included, and how often (validators of HTTP). */
    feedChanges: table("feed_changes", {
      /** `` for the site, `ana@example.org` for a person, either with `#tag` behind it. */
      scope: text().primaryKey(),
      changes: int().notNull(),
      changedAt: time().notNull(),
    }),
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
    /** Whom an account follows: the node of another account, here or elsewhere, that its bare address subscribes to. */
    follows: table(
      "follows",
      {
        account: text().notNull(),
        /** Bare address. */
        target: text().notNull(),
        /** Of the target. */
        domain: text().notNull(),
        state: text().notNull().$type<FollowState>(),
        /** Why the state is what it is: a condition, and what a person can read. */
        condition: text(),
        reason: text(),
        followedAt: time().notNull(),
        /** When to ask again. */
        nextAt: time().notNull(),
        /** How often the target's server was not reached since it last was. */
        attempts: int().notNull(),
        /** When its newest items were last compared with the timeline. */
        checkedAt: time(),
      },
      (t) => [
        primaryKey({ columns: [t.account, t.target] }),
        index("follows_domain").on(t.domain, t.nextAt),
        index("follows_next").on(t.nextAt),
      ],
    ),
    /** What arrived of those whom an account follows; `position` sorts by arrival. */
    timelines: table(
      "timelines",
      {
        account: text().notNull(),
        service: text().notNull(),
        node: text().notNull(),
        item: text().notNull(),
        position: text().notNull(),
        payload: text().notNull(),
        publishedAt: time().notNull(),
        updatedAt: time().notNull(),
        receivedAt: time().notNull(),
        deletedAt: time(),
        /** The account's clients were told of it as it is now. */
        told: bool().notNull(),
        /** The chat message that told of it first. */
        messageId: text(),
      },
      (t) => [
        primaryKey({ columns: [t.account, t.service, t.node, t.item] }),
        index("timelines_position").on(t.account, t.position),
        index("timelines_told").on(t.account, t.told, t.position),
      ],
    ),
    /** XEP-0363: slots, and the files that were put there. `id` is the unguessable part of the link and the name on disk. */
    uploads: table(
      "uploads",
      {
        id: text().primaryKey(),
        account: text().notNull(),
        purpose: text().notNull().$type<UploadPurpose>(),
        /** The last part of the link. */
        name: text().notNull(),
        /** The media type; of a slot, the one that was announced. */
        type: text(),
        size: int().notNull(),
        /** Without it, it is a slot. */
        uploadedAt: time(),
        /** When the slot ends, or the file. */
        expiresAt: time(),
        /** When the file must end, as its uploader wants it. */
        expireBefore: time(),
      },
      (t) => [index("uploads_account").on(t.account, t.purpose), index("uploads_expiry").on(t.expiresAt)],
    ),
    /** Which of an account's pubsub items link to its uploads. */
    uploadLinks: table(
      "upload_links",
      {
        service: text().notNull(),
        node: text().notNull(),
        item: text().notNull(),
        upload: text().notNull(),
      },
      (t) => [
        primaryKey({ columns: [t.service, t.node, t.item, t.upload] }),
        index("upload_links_upload").on(t.upload),
      ],
    ),
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
  };
}

export type Schema = ReturnType<typeof schema>;
