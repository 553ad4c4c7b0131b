/** Posts: the second shape of the items of `urn:xmpp:microblog:0`, their tags, and what feeds need to know of them. */
import { and, asc, desc, eq, gt, inArray, isNotNull, isNull, or, sql } from "drizzle-orm";
import type { Schema } from "./schema.ts";
import type { Store } from "./store.ts";

export type PostRow = Schema["posts"]["$inferSelect"];

export type PostPosition = Pick<PostRow, "publishedAt" | "id">;

/** How often a feed has changed, and when it last did; edits and deletions count. */
export type FeedState = Pick<Schema["feedChanges"]["$inferSelect"], "changes" | "changedAt">;

export interface PostQuery {
  readonly author: string | undefined;
  readonly tag: string | undefined;
  /** Authors all of whose posts are shown; of others, what is public. */
  readonly readable: readonly string[];
  /** Only posts that sort behind this one. */
  readonly before: PostPosition | undefined;
  /** Only posts that sort before this one, those next to it first. */
  readonly after?: PostPosition | undefined;
  readonly limit: number;
}

/** Rows that one statement names; SQLite bounds its parameters. */
const chunkSize = 500;

export const postStore = ({ db, t: { posts, postTags, postMessages, feedChanges, pubsubItems } }: Store) => ({
  async find(author: string, id: string): Promise<PostRow | undefined> {
    const those = and(eq(posts.author, author), eq(posts.id, id));
    return (await db.select().from(posts).where(those))[0];
  },

  async put(row: PostRow): Promise<void> {
    await db
      .insert(posts)
      .values(row)
      .onConflictDoUpdate({ target: [posts.author, posts.id], set: row });
    const { author, id: postId, publishedAt } = row;
    await db.delete(postTags).where(and(eq(postTags.author, author), eq(postTags.postId, postId)));
    if (row.tags.length > 0)
      await db.insert(postTags).values(row.tags.map((tag) => ({ author, postId, tag, publishedAt })));
  },

  /** Empties posts that are gone and returns them as they were. */
  async bury(author: string, ids: readonly string[], deletedAt: Date): Promise<PostRow[]> {
    const buried: PostRow[] = [];
    for (let at = 0; at < ids.length; at += chunkSize) {
      const chunk = ids.slice(at, at + chunkSize);
      const those = and(eq(posts.author, author), inArray(posts.id, chunk), isNull(posts.deletedAt));
      buried.push(...(await db.select().from(posts).where(those)));
      await db
        .update(posts)
        .set({ title: "", text: "", html: "", tags: [], titled: false, deletedAt })
        .where(those);
      await db.delete(postTags).where(and(eq(postTags.author, author), inArray(postTags.postId, chunk)));
    }
    return buried;
  },

  /** Opens or closes all posts of an author, and returns the tags of those that changed; nothing where none did. */
  async setPublic(author: string, open: boolean): Promise<string[] | undefined> {
    const those = and(eq(posts.author, author), eq(posts.public, !open));
    const changed = await db.select({ tags: posts.tags }).from(posts).where(those);
    if (changed.length === 0) return undefined;
    await db.update(posts).set({ public: open }).where(those);
    return [...new Set(changed.flatMap(({ tags }) => tags))];
  },

  async page({ author, tag, readable, before, after, limit }: PostQuery): Promise<PostRow[]> {
    const key = tag === undefined ? [posts.publishedAt, posts.id] : [postTags.publishedAt, postTags.postId];
    const where = and(
      isNull(posts.deletedAt),
      or(eq(posts.public, true), readable.length > 0 ? inArray(posts.author, [...readable]) : undefined),
      author === undefined ? undefined : eq(tag === undefined ? posts.author : postTags.author, author),
      tag === undefined ? undefined : eq(postTags.tag, tag),
      before && sql`(${key[0]}, ${key[1]}) < (${before.publishedAt.getTime()}, ${before.id})`,
      after && sql`(${key[0]}, ${key[1]}) > (${after.publishedAt.getTime()}, ${after.id})`,
    );
    const query =
      tag === undefined
        ? db.select({ posts }).from(posts)
        : db
            .select({ posts })
            .from(postTags)
            .innerJoin(posts, and(eq(posts.author, postTags.author), eq(posts.id, postTags.postId)));
    const rows = await query
      .where(where)
      .orderBy(...key.map((column) => (after ? asc(column!) : desc(column!))))
      .limit(limit);
    return rows.map((row) => row.posts);
  },

  /** Authors who have posts that not everybody may read. */
  async closedAuthors(): Promise<string[]> {
    const rows = await db
      .selectDistinct({ author: posts.author })
      .from(posts)
      .where(and(eq(posts.public, false), isNull(posts.deletedAt)));
    return rows.map(({ author }) => author);
  },

  async feedState(scope: string): Promise<FeedState | undefined> {
    return (await db.select().from(feedChanges).where(eq(feedChanges.scope, scope)))[0];
  },

  /** Counts a change of each of these feeds. */
  async touch(scopes: readonly string[], changedAt: Date): Promise<void> {
    for (const scope of scopes) {
      await db
        .insert(feedChanges)
        .values({ scope, changes: 1, changedAt })
        .onConflictDoUpdate({
          target: feedChanges.scope,
          set: { changes: sql`${feedChanges.changes} + 1`, changedAt },
        });
    }
  },

  /** What a chat message made, with the digest of what it said. */
  async message(author: string, messageId: string): Promise<{ postId: string; digest: string } | undefined> {
    const those = and(eq(postMessages.author, author), eq(postMessages.messageId, messageId));
    return (await db.select().from(postMessages).where(those))[0];
  },

  async setMessage(row: {
    author: string;
    messageId: string;
    postId: string;
    digest: string;
  }): Promise<void> {
    await db
      .insert(postMessages)
      .values(row)
      .onConflictDoUpdate({ target: [postMessages.author, postMessages.messageId], set: row });
  },

  async forgetMessages(author: string): Promise<void> {
    await db.delete(postMessages).where(eq(postMessages.author, author));
  },

  /** Payloads of a node's items, in the order of their ids behind `after`, to be written anew one by one. */
  async payloads(service: string, node: string, after: string): Promise<{ id: string; payload: string }[]> {
    const { id, payload } = pubsubItems;
    const isNode = and(eq(pubsubItems.service, service), eq(pubsubItems.node, node));
    return db
      .select({ id, payload: sql<string>`${payload}` })
      .from(pubsubItems)
      .where(and(isNode, gt(id, after), isNotNull(payload)))
      .orderBy(asc(id))
      .limit(chunkSize);
  },

  async setPayload(service: string, node: string, id: string, payload: string): Promise<void> {
    await db
      .update(pubsubItems)
      .set({ payload })
      .where(and(eq(pubsubItems.service, service), eq(pubsubItems.node, node), eq(pubsubItems.id, id)));
  },
});
