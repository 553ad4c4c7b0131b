/** Posts: the one door by which they are made, changed, deleted and listed. The pubsub item is the truth of each. */
import { createHash } from "node:crypto";
import type { Events } from "../events.ts";
import type { Item, PubSubEvents, PubSubNode } from "../pubsub/events.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import { postStore, type FeedState, type PostPosition, type PostRow } from "../store/posts.ts";
import type { Store } from "../store/store.ts";
import { generatorElement } from "../xmpp/atom.ts";
import { StanzaError } from "../xmpp/errors.ts";
import type { Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { children, copy, xml, type Element } from "../xmpp/xml.ts";
import type { DomainEvents } from "./events.ts";
import { newItemId, permalink } from "./microblog-id.ts";
import { MicroblogProjection, microblogDefaults } from "./microblog-projection.ts";
import { acceptText } from "./post-text.ts";

export interface Post {
  /** Bare JID of the account whose blog it is in. */
  readonly author: string;
  /** The item's id, and the last part of the permalink. */
  readonly id: string;
  /** A `tag:` URI, or what the client that made the post chose; the same for ever. */
  readonly atomId: string;
  /** A headline of one line, never empty. */
  readonly title: string;
  /** The title is a heading of its own. Otherwise the body begins with it, and it stands for the post where only a line is shown. */
  readonly titled: boolean;
  /** Markdown. */
  readonly text: string;
  /** What readers see: sanitised, in elements of phrasing and flow. */
  readonly html: string;
  /** Lower case, without `#`. */
  readonly tags: readonly string[];
  readonly language: string | undefined;
  /** Everybody may read it. */
  readonly public: boolean;
  readonly publishedAt: Date;
  readonly updatedAt: Date;
  /** Since when it is gone; title, text and tags are empty then. */
  readonly deletedAt: Date | undefined;
}

/** Posts of a page at most. */
export const pageMaximum = 100;

export interface PostsOptions {
  readonly config: {
    readonly domain: string;
    /** The public base URL of the node. */
    readonly url: string;
  };
  readonly store: Store;
  readonly events: Events<DomainEvents & PubSubEvents>;
  readonly pubsub: PubSub;
  /** What made the posts, for Atom's `<generator/>`. */
  readonly software: { readonly name: string; readonly version: string };
}

export interface PostText {
  readonly author: Jid;
  readonly text: string;
  readonly language?: string | undefined;
  /** The ids of the chat message that says it. Sent again with the same words, it does nothing more. */
  readonly messageIds?: readonly string[];
}

export interface PostList extends PostFeed {
  /** Who wants to read; nobody is the anonymous web. */
  readonly viewer?: Jid | undefined;
  /** The `next` of the page before. */
  readonly before?: string | undefined;
  readonly limit: number;
}

/** One person's feed or, without an author, the site's; of one tag or of all. */
export interface PostFeed {
  readonly author?: string | undefined;
  readonly tag?: string | undefined;
}

export interface PostPage {
  readonly posts: readonly Post[];
  /** The `before` of the page with older posts. */
  readonly next: string | undefined;
  /** The `before` of the page with newer posts; "" where that is the first, which has none itself. */
  readonly previous: string | undefined;
}

export class Posts {
  readonly #options: PostsOptions;
  readonly #rows: ReturnType<typeof postStore>;
  readonly #projection: MicroblogProjection;

  constructor(options: PostsOptions) {
    const { store, events, pubsub } = options;
    const { domain, url } = options.config;
    this.#options = options;
    this.#rows = postStore(store);
    this.#projection = new MicroblogProjection({ store, domain, url });
    pubsub.project(NS.microblog, this.#projection, microblogDefaults);
    events.on("pubsub.published", ({ node, items }) => {
      for (const item of items) this.#tellPublished(item);
      this.#tellDeleted(node);
    });
    events.on("pubsub.retracted", ({ node }) => this.#tellDeleted(node));
    events.on("pubsub.purged", ({ node }) => this.#tellDeleted(node));
    events.on("pubsub.deleted", ({ node }) => this.#tellDeleted(node));
    events.on("account.removed", ({ account }) =>
      store.transaction((tx) => postStore(tx).forgetMessages(account)),
    );
  }

  /** Publishes a text; durable when it resolves. `not-acceptable` where it is empty or too long. */
  async create({ author, text, language, messageIds = [] }: PostText): Promise<Post> {
    const said = acceptText(text);
    const owner = author.bare;
    let id = await this.#newId(owner, said);
    if (messageIds.length > 0) {
      // Claimed before it is published: whatever happens in between, the client may send it again.
      id = await this.#claim(owner, messageIds, said, id);
      const earlier = await this.#rows.find(owner, id);
      if (earlier) return postFrom(earlier);
    }
    const entry = xml("entry", { xmlns: NS.atom, "xml:lang": language }, ...this.#textParts(said));
    return this.#publish(author, id, entry);
  }

  /** Replaces the text of a post; its dates of birth, its links and what else it carries stay. `item-not-found`. */
  async edit({ author, id, text, language, messageIds = [] }: PostText & { id: string }): Promise<Post> {
    const owner = author.bare;
    const said = acceptText(text);
    const row = await this.#living(owner, id);
    const [message] = messageIds;
    if (message !== undefined) {
      const known = await this.#rows.message(owner, message);
      if (known?.digest === digestOf(said)) return postFrom(row);
    }
    const item = await this.#options.pubsub.item(owner, NS.microblog, id);
    const kept = item?.payload ? children(item.payload).filter((part) => !replaced.has(part.name)) : [];
    const lang = language ?? row.language ?? undefined;
    const parts = [...this.#textParts(said), ...kept.map((part) => copy(part))];
    const post = await this.#publish(
      author,
      id,
      xml("entry", { xmlns: NS.atom, "xml:lang": lang }, ...parts),
    );
    if (messageIds.length > 0) await this.#claim(owner, messageIds, said, id);
    return post;
  }

  /** Deletes a post; nothing happens where it is gone already. `item-not-found` where it never was. */
  async remove({ author, id }: { author: Jid; id: string }): Promise<void> {
    const row = await this.#rows.find(author.bare, id);
    if (!row) throw notFound();
    if (row.deletedAt) return;
    const service = author.bare;
    await this.#options.pubsub.retract({
      service,
      node: NS.microblog,
      ids: [id],
      requester: author,
      notify: true,
    });
  }

  /** A post, if the viewer may read it; one that is gone comes with `deletedAt`. */
  async find(author: string, id: string, viewer?: Jid): Promise<Post | undefined> {
    const row = await this.#rows.find(author, id);
    if (!row) return undefined;
    return row.public || (await this.#readable(viewer, author)).length > 0 ? postFrom(row) : undefined;
  }

  /** Posts, newest first, and the pages beside them. `item-not-found` for a `before` that we did not give out. */
  async page({ author, tag, viewer, before, limit }: PostList): Promise<PostPage> {
    const size = Math.min(Math.max(limit, 1), pageMaximum);
    const readable = await this.#readable(viewer, author);
    const cursor = before === undefined ? undefined : parseCursor(before);
    const rows = await this.#rows.page({ author, tag, readable, before: cursor, limit: size + 1 });
    const posts = rows.slice(0, size);
    const last = rows.length > size ? posts.at(-1) : undefined;
    const page = { posts: posts.map(postFrom), next: last && cursorOf(last) };
    if (!cursor) return { ...page, previous: undefined };
    const after = posts[0] ?? cursor;
    const newer = await this.#rows.page({ author, tag, readable, before: undefined, after, limit: size + 1 });
    return { ...page, previous: newer[size] ? cursorOf(newer[size]) : "" };
  }

  /** How often a feed has changed, and when it last did, deletions included; `undefined` where nothing ever was in it. */
  feedState({ author = "", tag }: PostFeed): Promise<FeedState | undefined> {
    return this.#rows.feedState(tag === undefined ? author : `${author}#${tag}`);
  }

  /** The id of the post that a chat message made or changed. */
  async idOfMessage(author: string, messageId: string): Promise<string | undefined> {
    const message = await this.#rows.message(author, messageId);
    return message && (await this.#rows.find(author, message.postId)) ? message.postId : undefined;
  }

  /** Where a post is on the web. */
  permalink({ author, id }: Pick<Post, "author" | "id">): string {
    return permalink(this.#options.config.url, author, id);
  }

  /** The one predicate: everybody reads what is public, and these authors' posts are open to the viewer besides. */
  async #readable(viewer: Jid | undefined, author: string | undefined): Promise<string[]> {
    if (!viewer) return [];
    const authors: string[] = [];
    for (const candidate of author === undefined ? await this.#rows.closedAuthors() : [author]) {
      const node = await this.#options.pubsub.find(candidate, NS.microblog);
      if (node && (await this.#options.pubsub.mayRead(node, viewer))) authors.push(candidate);
    }
    return authors;
  }

  async #newId(owner: string, text: string): Promise<string> {
    for (;;) {
      const id = newItemId(text);
      if (!(await this.#rows.find(owner, id))) return id;
    }
  }

  async #living(owner: string, id: string): Promise<PostRow> {
    const row = await this.#rows.find(owner, id);
    if (!row || row.deletedAt) throw notFound();
    return row;
  }

  async #publish(author: Jid, id: string, payload: Element): Promise<Post> {
    const request = { service: author.bare, node: NS.microblog, publisher: author, items: [{ id, payload }] };
    const [item] = await this.#options.pubsub.publish(request);
    const stored = item && this.#projection.outcome(item);
    if (!stored)
      throw new StanzaError("not-acceptable", { text: "This blog keeps no posts (pubsub#persist_items)" });
    return postFrom(stored.row);
  }

  #textParts(text: string): Element[] {
    return [xml("content", { type: "text" }, text), generatorElement(this.#options.software)];
  }

  /** Notes which post a message made. Returns that of an earlier message with the same id and the same words. */
  #claim(author: string, messageIds: readonly string[], text: string, postId: string): Promise<string> {
    const digest = digestOf(text);
    return this.#options.store.transaction(async (tx) => {
      const posts = postStore(tx);
      const known = await posts.message(author, messageIds[0]!);
      if (known?.digest === digest) return known.postId;
      for (const messageId of messageIds) await posts.setMessage({ author, messageId, postId, digest });
      return postId;
    });
  }

  #tellPublished(item: Item): void {
    const stored = this.#projection.outcome(item);
    if (stored)
      this.#options.events.emit("post.published", { post: postFrom(stored.row), created: stored.created });
  }

  #tellDeleted(node: PubSubNode): void {
    for (const id of this.#projection.takeBuried(node)) {
      this.#options.events.emit("post.deleted", { author: node.service, id });
    }
  }
}

/** What an edit writes anew. */
const replaced = new Set(["title", "content", "summary", "category", "updated", "generator"]);

const notFound = (): StanzaError => new StanzaError("item-not-found", { text: "There is no such post" });

const digestOf = (text: string): string => createHash("sha256").update(text).digest("base64url");

const postFrom = ({ language, deletedAt, ...row }: PostRow): Post => ({
  ...row,
  language: language ?? undefined,
  deletedAt: deletedAt ?? undefined,
});

const cursorOf = ({ publishedAt, id }: PostPosition): string => `${publishedAt.getTime()}-${id}`;

function parseCursor(cursor: string): PostPosition {
  const [, time, id] = /^(\d{1,15})-(.+)$/.exec(cursor) ?? [];
  if (time === undefined || id === undefined) {
    throw new StanzaError("item-not-found", { text: "There is no such page" });
  }
  return { publishedAt: new Date(Number(time)), id };
}
