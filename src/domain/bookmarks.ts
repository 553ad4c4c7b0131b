/**
 * XEP-0402 §5.3: an account's bookmarks are the items of `urn:xmpp:bookmarks:1`. Clients that only know the older list
 * read and write that; both nodes change in one transaction, and only what differs is told.
 */
import type { Events } from "../events.ts";
import type { NodeConfig } from "../pubsub/config.ts";
import { refusal } from "../pubsub/errors.ts";
import type { Item, PubSubEvents, PubSubNode } from "../pubsub/events.ts";
import { itemFrom, positionAfter, rowOf } from "../pubsub/item.ts";
import type { Projection, PubSub } from "../pubsub/pubsub.ts";
import { pubsubStore } from "../store/pubsub.ts";
import type { Store } from "../store/store.ts";
import {
  listElement,
  nativeElement,
  readList,
  readNative,
  sameBookmark,
  type Bookmark,
  type BookmarkList,
} from "../xmpp/bookmarks.ts";
import { parseJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import type { Element } from "../xmpp/xml.ts";

/** Rooms that the older list holds; whoever has more has not chosen them by hand. */
const maxBookmarks = 1_000;
/** XEP-0048 §3.1.1: the one item of the older node. */
const listId = "current";

const isPrivate: Partial<NodeConfig> = { accessModel: "whitelist", persistItems: true };

/** What a change of one node did to the other. */
interface Outcome {
  readonly node: PubSubNode;
  readonly items: readonly Item[];
  readonly removed: readonly string[];
}

export class Bookmarks {
  readonly #store: Store;
  readonly #events: Events<PubSubEvents>;
  readonly #pubsub: PubSub;
  readonly #outcomes = new WeakMap<Item | PubSubNode, Outcome>();

  constructor({ store, events, pubsub }: { store: Store; events: Events<PubSubEvents>; pubsub: PubSub }) {
    this.#store = store;
    this.#events = events;
    this.#pubsub = pubsub;
    const native: Partial<NodeConfig> = { ...isPrivate, maxItems: "max", sendLastPublishedItem: "never" };
    pubsub.project(NS.bookmarks, this.#native(), { ...native, notifyRetract: true });
    pubsub.project(NS.legacyBookmarks, this.#legacy(), isPrivate);
  }

  /** The bookmarks as the older list. */
  async list(account: string): Promise<Element> {
    return listElement(await this.#listOf(this.#store, account));
  }

  /** Replaces them by such a list. */
  async replace(account: string, payload: Element): Promise<void> {
    const publisher = parseJid(account)!;
    const items = [{ id: listId, payload }];
    await this.#pubsub.publish({ service: account, node: NS.legacyBookmarks, publisher, items });
  }

  /** After the commit: tells of what changed in the other node. */
  async told(item: Item | PubSubNode): Promise<void> {
    const outcome = this.#outcomes.get(item);
    if (!outcome) return;
    this.#outcomes.delete(item);
    const { node, items, removed } = outcome;
    if (items.length > 0) await this.#events.settle("pubsub.published", { node, items });
    if (removed.length > 0)
      await this.#events.settle("pubsub.retracted", {
        node,
        ids: removed,
        notify: node.config.notifyRetract,
      });
  }

  #native(): Projection {
    const follow = async (tx: Store, legacy: PubSubNode, cause: Item | PubSubNode): Promise<void> => {
      const list = await this.#listOf(tx, legacy.service);
      const [before] = await this.#items(tx, legacy);
      if (before?.payload && isSame(readList(before.payload), list)) return;
      const item = await this.#put(tx, legacy, listId, listElement(list));
      this.#outcomes.set(cause, { node: legacy, items: [item], removed: [] });
    };
    return {
      prepare: async ({ id, payload }) => {
        const room = parseJid(id ?? "")?.full;
        if (room === undefined) throw refusal("item-required", "A bookmark's id is the address of its room");
        if (!readNative(room, payload)) throw refusal("invalid-payload");
        return { id: room, payload };
      },
      stored: async (tx, { service }, item) =>
        follow(tx, await this.#nodeOf(tx, service, NS.legacyBookmarks), item),
      removed: async (tx, node) => {
        const legacy = await this.#pubsub.nodes.find(node.service, NS.legacyBookmarks, tx);
        if (legacy) await follow(tx, legacy, node);
      },
      configured: async () => undefined,
    };
  }

  #legacy(): Projection {
    return {
      prepare: async ({ payload }) => {
        if (!payload || !readList(payload)) throw refusal("invalid-payload");
        return { id: listId, payload };
      },
      stored: async (tx, { service }, item) => {
        const { bookmarks } = readList(item.payload!)!;
        const native = await this.#nodeOf(tx, service, NS.bookmarks);
        const before = new Map((await this.#items(tx, native)).map((one) => [one.id, one]));
        const items: Item[] = [];
        for (const bookmark of bookmarks.values()) {
          const previous = before.get(bookmark.jid);
          before.delete(bookmark.jid);
          if (previous && sameBookmark(readNative(previous.id, previous.payload), bookmark)) continue;
          items.push(await this.#put(tx, native, bookmark.jid, nativeElement(bookmark, previous?.payload)));
        }
        const removed = [...before.keys()];
        if (removed.length > 0) await pubsubStore(tx).removeItems(service, NS.bookmarks, removed);
        if (items.length > 0 || removed.length > 0)
          this.#outcomes.set(item, { node: native, items, removed });
      },
      // Who takes the older list away has moved on to the new one.
      removed: async () => undefined,
      configured: async () => undefined,
    };
  }

  async #listOf(store: Store, account: string): Promise<BookmarkList> {
    const read = (node: string): Promise<Item[]> => this.#items(store, { service: account, node });
    const bookmarks = new Map<string, Bookmark>();
    for (const { id, payload } of (await read(NS.bookmarks)).reverse()) {
      const bookmark = readNative(id, payload);
      if (bookmark) bookmarks.set(id, bookmark);
    }
    const [list] = await read(NS.legacyBookmarks);
    const rest = (list?.payload && readList(list.payload)?.rest) ?? [];
    return { bookmarks, rest };
  }

  /** Newest first. */
  async #items(store: Store, { service, node }: Pick<PubSubNode, "service" | "node">): Promise<Item[]> {
    const rows = await pubsubStore(store).page(service, node, { limit: maxBookmarks }, new Date());
    return rows.map(itemFrom);
  }

  async #nodeOf(tx: Store, account: string, name: string): Promise<PubSubNode> {
    const found = await this.#pubsub.nodes.find(account, name, tx);
    if (found) return found;
    const owner = parseJid(account)!;
    const draft = this.#pubsub.nodes.draft(account, name, owner);
    await this.#pubsub.nodes.insert(tx, draft, owner);
    return draft;
  }

  async #put(tx: Store, { service, node }: PubSubNode, id: string, payload: Element): Promise<Item> {
    const publishedAt = new Date();
    const item: Item = { service, node, id, publisher: service, payload, publishedAt };
    const position = positionAfter(await pubsubStore(tx).lastPosition(service, node), publishedAt);
    await pubsubStore(tx).putItem(rowOf(item, position, null));
    return item;
  }
}

/** Whether both lists mean the same, in whatever order. */
function isSame(one: BookmarkList | undefined, other: BookmarkList): boolean {
  if (one?.bookmarks.size !== other.bookmarks.size) return false;
  return [...other.bookmarks.values()].every((bookmark) =>
    sameBookmark(one.bookmarks.get(bookmark.jid), bookmark),
  );
}
