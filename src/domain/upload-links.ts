/**
 * Which items of a person refer to which of their uploads. What was uploaded for a profile or a post goes when the last
 * item that shows it is replaced or retracted; what no item here ever showed stays, for it may be shown elsewhere.
 */
import type { Events } from "../events.ts";
import type { Item, PubSubEvents } from "../pubsub/events.ts";
import { uploadLinkStore, type LinkingItem, type UploadLinkRow } from "../store/upload-links.ts";
import type { Store } from "../store/store.ts";
import { Element } from "../xmpp/xml.ts";

/** Those files stay as long as something refers to them. */
const purposes = ["profile", "permanent"] as const;
/** Some clients edit by retracting and publishing anew: so long a file waits for it, in milliseconds. */
const grace = 5 * 60_000;

export interface UploadLinksOptions {
  readonly store: Store;
  readonly events: Events<PubSubEvents>;
  /** What all links to uploads begin with. */
  readonly base: string;
  readonly now: () => Date;
}

export class UploadLinks {
  readonly #rows: ReturnType<typeof uploadLinkStore>;
  readonly #base: string;
  readonly #now: () => Date;
  #turn: Promise<unknown> = Promise.resolve();

  constructor({ store, events, base, now }: UploadLinksOptions) {
    this.#rows = uploadLinkStore(store);
    this.#base = base;
    this.#now = now;
    events.on("pubsub.published", ({ node, items }) => {
      if (node.config.persistItems) return this.#inOrder(() => this.#published(items));
    });
    events.on("pubsub.retracted", ({ node, ids }) => this.#inOrder(() => this.#gone(node, ids)));
    events.on("pubsub.purged", ({ node }) => this.#inOrder(() => this.#gone(node, undefined)));
    events.on("pubsub.deleted", ({ node }) => this.#inOrder(() => this.#gone(node, undefined)));
  }

  /** What `account` says at that place now, instead of what it said there before. */
  refer(place: LinkingItem, account: string, payload: Element): Promise<void> {
    return this.#inOrder(() => this.#refer(place, account, payload));
  }

  /** Events come in the order in which things happened, and are handled in it. */
  #inOrder(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #published(items: readonly Item[]): Promise<void> {
    for (const { service, node, id, publisher, payload } of items)
      await this.#refer({ service, node, item: id }, publisher, payload);
  }

  async #refer(item: LinkingItem, account: string, payload: Element | undefined): Promise<void> {
    const found = new Set(payload ? this.#linksIn(payload) : []);
    const known = await this.#rows.of(item);
    const added = [...found].filter((id) => !known.includes(id));
    const lost = known.filter((id) => !found.has(id));
    if (added.length > 0) await this.#rows.add(item, account, added, purposes);
    if (lost.length > 0) await this.#forget(lost.map((upload) => ({ ...item, upload })));
  }

  async #gone(
    { service, node }: { service: string; node: string },
    ids: readonly string[] | undefined,
  ): Promise<void> {
    const lost = await this.#rows.ofItems({ service, node }, ids);
    if (lost.length > 0) await this.#forget(lost);
  }

  #forget(links: readonly UploadLinkRow[]): Promise<void> {
    return this.#rows.remove(links, new Date(this.#now().getTime() + grace));
  }

  *#linksIn(element: Element): Generator<string> {
    for (const value of Object.values(element.attrs)) yield* this.#linksOf(String(value));
    for (const part of element.children) {
      if (part instanceof Element) yield* this.#linksIn(part);
      else yield* this.#linksOf(String(part));
    }
  }

  *#linksOf(text: string): Generator<string> {
    if (!text.includes(this.#base)) return;
    for (const rest of text.split(this.#base).slice(1)) yield rest.split("/", 1)[0]!;
  }
}
