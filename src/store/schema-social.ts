/** Tables of what people publish, follow and put up. */
import type { Columns } from "./columns.ts";

export type Affiliation = "owner" | "publisher" | "publish-only" | "member" | "none" | "outcast";
export type SubscriptionState = "subscribed" | "pending" | "unconfigured";
/** `ending`: unfollowed, and the other side does not know yet. */
export type FollowState = "pending" | "subscribed" | "refused" | "ending";
export type UploadPurpose = "message" | "profile" | "ephemeral" | "permanent";

export const socialTables = ({ table, text, int, bool, time, json, index, primaryKey }: Columns) => ({
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
});
