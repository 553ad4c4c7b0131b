/**
 * The node `urn:xmpp:microblog:0` of an account: whatever door an entry came by, it is made canonical before it is
 * stored, and the rows of posts, tags and feeds are written in the transaction of the item.
 */
import type { NodeConfig } from "../pubsub/config.ts";
import { refusal } from "../pubsub/errors.ts";
import type { Item, PubSubNode } from "../pubsub/events.ts";
import type { Projection } from "../pubsub/pubsub.ts";
import { postStore, type PostRow } from "../store/posts.ts";
import type { Store } from "../store/store.ts";
import { parseEntry } from "../xmpp/atom-parser.ts";
import { NS } from "../xmpp/ns.ts";
import { parseElement } from "../xmpp/parser.ts";
import { namespaceOf, serialize, type Element } from "../xmpp/xml.ts";
import { canonicalEntry, readBody, relinkEntry, showEntry, type LinkPlace } from "./microblog-entry.ts";
import { newItemId, permalink, tagUri } from "./microblog-id.ts";

/**
 * XEP-0472 §5.1.1 and XEP-0277 §4.1; open, because a blog that everybody may read is what people come for. Payloads go
 * along, though §5.1.1 would rather not: Movim does not fetch what a notification from an account leaves out.
 */
export const microblogDefaults: Partial<NodeConfig> = {
  type: NS.microblog,
  accessModel: "open",
  persistItems: true,
  maxItems: "max",
  itemreply: "publisher",
  notifyRetract: true,
  notifySub: true,
  sendLastPublishedItem: "never",
  deliverPayloads: true,
};

/** Movim publishes an empty entry with this id, and retracts it, to see whether it may there. */
const probeId = "test_post";
/** Items of a microblog that are no posts: XEP-0277 §5 (item 0), and the avatar of a community. */
const feedId = "0";
const avatarId = "urn:xmpp:avatar:metadata";

export interface StoredPost {
  readonly row: PostRow;
  readonly created: boolean;
}

export class MicroblogProjection implements Projection {
  readonly #store: Store;
  readonly #domain: string;
  readonly #url: string;
  readonly #outcomes = new WeakMap<Item, StoredPost>();
  readonly #buried = new WeakMap<PubSubNode, string[]>();
  #last = 0;

  /** `url` is the public base URL of the node. */
  constructor(options: { store: Store; domain: string; url: string }) {
    this.#store = options.store;
    this.#domain = options.domain;
    this.#url = options.url;
  }

  /** The post that was stored with an item, or `undefined` where the item is none. */
  outcome(item: Item): StoredPost | undefined {
    return this.#outcomes.get(item);
  }

  /** The posts that went away from a node, as it was handed to `removed`; each is told once. */
  takeBuried(node: PubSubNode): readonly string[] {
    const ids = this.#buried.get(node) ?? [];
    this.#buried.delete(node);
    return ids;
  }

  async prepare({ node, id, payload, publisher }: Parameters<Projection["prepare"]>[0]) {
    if (!payload) throw refusal("payload-required");
    if (id === probeId && isEntry(payload) && payload.children.length === 0)
      return { id, payload, store: false };
    if (id !== undefined && isMetadata(id, payload)) return { id, payload };
    if (!isEntry(payload)) throw refusal("invalid-payload", "A microblog is made of Atom entries");

    const raw = parseEntry(payload);
    const body = readBody(raw);
    const itemId = id ?? newItemId(body.title);
    const known = await postStore(this.#store).find(node.service, itemId);
    const now = this.#now();
    const entry = canonicalEntry(raw, body, {
      ...this.#placeOf(node, itemId),
      publisher: publisher.bare,
      now,
      knownId: known?.atomId,
      newId: tagUri(this.#domain, now, itemId),
      previous:
        known && !known.deletedAt ? { published: known.publishedAt, updated: known.updatedAt } : undefined,
    });
    return { id: itemId, payload: entry };
  }

  async stored(tx: Store, node: PubSubNode, item: Item): Promise<void> {
    if (!item.payload || !isEntry(item.payload)) return this.removed(tx, node, [item.id]);
    const posts = postStore(tx);
    const before = await posts.find(node.service, item.id);
    const entry = showEntry(item.payload);
    const row: PostRow = {
      author: node.service,
      id: item.id,
      ...entry,
      public: isOpen(node),
      deletedAt: null,
    };
    await posts.put(row);
    if (row.public || before?.public) {
      await posts.touch(scopesOf(node.service, [...row.tags, ...(before?.tags ?? [])]), this.#now());
    }
    this.#outcomes.set(item, { row, created: before === undefined || before.deletedAt !== null });
  }

  async removed(tx: Store, node: PubSubNode, ids: readonly string[]): Promise<void> {
    const now = this.#now();
    const buried = await postStore(tx).bury(node.service, ids, now);
    this.#buried.set(node, [...(this.#buried.get(node) ?? []), ...buried.map(({ id }) => id)]);
    const seen = buried.filter((row) => row.public);
    const tags = seen.flatMap((row) => row.tags);
    if (seen.length > 0) await postStore(tx).touch(scopesOf(node.service, tags), now);
  }

  /** The links to the web come and go with the right of everybody to read. */
  async configured(tx: Store, node: PubSubNode): Promise<void> {
    const posts = postStore(tx);
    const tags = await posts.setPublic(node.service, isOpen(node));
    if (!tags) return;
    await posts.touch(scopesOf(node.service, tags), this.#now());
    for (let last = ""; ;) {
      const items = await posts.payloads(node.service, node.node, last);
      for (const { id, payload } of items) {
        const entry = parseElement(payload);
        last = id;
        if (!isEntry(entry)) continue;
        const relinked = relinkEntry(entry, this.#placeOf(node, id));
        await posts.setPayload(node.service, node.node, id, serialize(relinked));
      }
      if (items.length === 0) return;
    }
  }

  #placeOf(node: PubSubNode, itemId: string): LinkPlace {
    const owner = node.service;
    return { owner, itemId, open: isOpen(node), permalink: permalink(this.#url, owner, itemId) };
  }

  /** No two posts of this process bear the same time, so that lists keep the order in which they were written. */
  #now(): Date {
    this.#last = Math.max(Date.now(), this.#last + 1);
    return new Date(this.#last);
  }
}

const isEntry = (payload: Element): boolean => payload.name === "entry" && namespaceOf(payload) === NS.atom;

const isMetadata = (id: string, payload: Element): boolean =>
  id === avatarId || (id === feedId && payload.name === "feed" && namespaceOf(payload) === NS.atom);

const isOpen = (node: PubSubNode): boolean => node.config.accessModel === "open";

/** The feeds that show a post: those of the site and of its author, whole and by tag. */
function scopesOf(author: string, tags: readonly string[]): string[] {
  const suffixes = ["", ...new Set(tags.map((tag) => `#${tag}`))];
  return suffixes.flatMap((suffix) => [suffix, author + suffix]);
}
