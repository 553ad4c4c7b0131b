/** What those whom an account follows have written, as it arrived: each item once, edits and deletions included. */
import type { Events } from "../events.ts";
import { timelineStore, type TimelineRow } from "../store/timelines.ts";
import type { Store } from "../store/store.ts";
import { parseEntry } from "../xmpp/atom-parser.ts";
import { newId } from "../xmpp/id.ts";
import { NS } from "../xmpp/ns.ts";
import { parseElement } from "../xmpp/parser.ts";
import { itemUri } from "../xmpp/uri.ts";
import { namespaceOf, serialize, type Element } from "../xmpp/xml.ts";
import type { DomainEvents } from "./events.ts";
import { readBody } from "./microblog-entry.ts";
import { cleanText, isVisible, oneLine } from "./post-text.ts";

/** What one account can look back on: more than anybody reads, and some tens of megabytes at worst. */
const entriesMaximum = 5_000;
/** Of an entry, in UTF-16 units; those of other software are larger than ours, which end at half of that. */
const payloadMaximum = 131_072;
/** Entries that somebody is told of who comes back after a while; the older ones are in the timeline all the same. */
const untoldMaximum = 50;

/** An item of somebody's blog, as it came. */
export interface BlogItem {
  readonly id: string;
  readonly payload: Element | undefined;
}

export interface TimelineEntry {
  /** Bare JID of whose blog it is in: that alone says who wrote it. */
  readonly author: string;
  readonly id: string;
  /** What it says, as plain text. */
  readonly text: string;
  /** Where to read it: on the web, or else an `xmpp:` URI. */
  readonly link: string;
  readonly publishedAt: Date;
  readonly updatedAt: Date;
  readonly deletedAt: Date | undefined;
}

/** An entry of which the account's clients do not know, or not as it is now. */
export interface Untold extends TimelineEntry {
  /** The chat message by which they know it. */
  readonly messageId: string | undefined;
  readonly row: TimelineRow;
}

export interface TimelineOptions {
  readonly store: Store;
  readonly events: Events<DomainEvents>;
}

export class Timeline {
  readonly #store: Store;
  readonly #rows: ReturnType<typeof timelineStore>;
  readonly #events: Events<DomainEvents>;

  constructor({ store, events }: TimelineOptions) {
    this.#store = store;
    this.#rows = timelineStore(store);
    this.#events = events;
    events.on("account.removed", ({ account }) => this.#rows.clear(account));
  }

  /**
   * Takes in items of somebody's blog, the oldest first; what is known already changes nothing. `quiet`: nobody is
   * told of what is new. What is no entry is left out. Whether anything was new.
   */
  async receive(
    account: string,
    service: string,
    items: readonly BlogItem[],
    quiet = false,
  ): Promise<boolean> {
    const changed = await this.#store.transaction(async (tx) => {
      const rows = timelineStore(tx);
      const key = { account, service, node: NS.microblog };
      const known = new Map(
        (
          await rows.some(
            key,
            items.map(({ id }) => id),
          )
        ).map((row) => [row.item, row]),
      );
      let changes = 0;
      for (const { id, payload } of items) {
        const row = payload && rowOf(payload, { ...key, item: id }, known.get(id));
        if (!row) continue;
        await rows.put(quiet ? { ...row, told: true } : row);
        changes += 1;
      }
      return changes;
    });
    if (changed > 0 && !quiet) this.#events.emit("timeline.changed", { account });
    return changed > 0;
  }

  /** The items are gone; all of that blog where none is named. */
  async retract(account: string, service: string, ids?: readonly string[]): Promise<void> {
    const buried = await this.#rows.bury({ account, service, node: NS.microblog }, ids, new Date());
    if (buried > 0) this.#events.emit("timeline.changed", { account });
  }

  /** Which of these items of a blog the timeline has, or had. */
  async known(account: string, service: string, ids: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = await this.#rows.some({ account, service, node: NS.microblog }, ids);
    return new Set(rows.map(({ item }) => item));
  }

  /**
   * What is not among a blog's newest items (newest first), though it came, and was last changed, after the oldest of
   * them that is known: probably it is gone. At most so many, the newest first.
   */
  async missing(
    account: string,
    service: string,
    newest: readonly string[],
    limit: number,
  ): Promise<string[]> {
    const key = { account, service, node: NS.microblog };
    const known = new Map((await this.#rows.some(key, newest)).map((row) => [row.item, row]));
    const oldest = newest.findLast((id) => known.has(id));
    return oldest === undefined ? [] : this.#rows.since(known.get(oldest)!, newest, limit);
  }

  /** What the account's clients shall be told, the oldest first. */
  async untold(account: string): Promise<Untold[]> {
    const rows = await this.#rows.untold(account, untoldMaximum);
    const oldest = rows.at(-1);
    if (rows.length === untoldMaximum && oldest) await this.#rows.setToldBefore(account, oldest.position);
    return rows.reverse().map((row) => ({ ...entryOf(row), messageId: row.messageId ?? undefined, row }));
  }

  /** They were told of it, by that message first. */
  told({ row }: Untold, messageId: string): Promise<void> {
    return this.#rows.setTold(row, messageId);
  }

  /** What there is to read, newest first; `next` is the `before` of what is older. */
  async page(
    account: string,
    limit: number,
    before?: string,
  ): Promise<{ entries: TimelineEntry[]; next: string | undefined }> {
    const rows = await this.#rows.page(account, before, limit);
    return { entries: rows.map(entryOf), next: rows.length < limit ? undefined : rows.at(-1)?.position };
  }

  /** Forgets what is older than anybody looks back. */
  trim(account: string): Promise<void> {
    return this.#rows.trim(account, entriesMaximum);
  }
}

type Place = Pick<TimelineRow, "account" | "service" | "node" | "item">;

/** The item as a row; `undefined` where it is no entry, or says nothing new. */
function rowOf(payload: Element, place: Place, known: TimelineRow | undefined): TimelineRow | undefined {
  if (payload.name !== "entry" || namespaceOf(payload) !== NS.atom) return undefined;
  const text = serialize(payload);
  if (text.length > payloadMaximum || known?.payload === text) return undefined;
  const now = new Date();
  const { published, updated } = parseEntry(payload);
  const updatedAt = earlier(updated ?? published ?? now, now);
  // A page that was asked for may be older than the event that came meanwhile.
  if (known && !known.deletedAt && updatedAt < known.updatedAt) return undefined;
  return {
    ...place,
    position: known?.position ?? newId(),
    payload: text,
    publishedAt: known?.publishedAt ?? earlier(published ?? updatedAt, now),
    updatedAt,
    receivedAt: known?.receivedAt ?? now,
    deletedAt: null,
    told: false,
    // What was deleted and is there again is a new message.
    messageId: known?.deletedAt ? null : (known?.messageId ?? null),
  };
}

/** Nothing was written in the future. */
const earlier = (date: Date, now: Date): Date => (date > now ? now : date);

function entryOf(row: TimelineRow): TimelineEntry {
  const { service: author, item: id, publishedAt, updatedAt } = row;
  const deletedAt = row.deletedAt ?? undefined;
  const said = deletedAt ? { text: "", link: undefined } : read(parseElement(row.payload));
  const link = said.link ?? itemUri(author, row.node, id);
  return { author, id, text: said.text, link, publishedAt, updatedAt, deletedAt };
}

/** What an entry of any software says. */
function read(payload: Element): { text: string; link: string | undefined } {
  const entry = parseEntry(payload);
  const link = entry.links.find(
    ({ rel = "alternate", href = "" }) => rel === "alternate" && /^https?:\/\/\S+$/.test(href),
  )?.href;
  return { text: textOf(entry), link };
}

function textOf(entry: ReturnType<typeof parseEntry>): string {
  try {
    const { title, contents } = readBody(entry);
    const text = contents.find(({ type }) => type === "text")?.body;
    if (typeof text !== "string") return title;
    const heading = cleanText(entry.title?.value ?? "");
    const repeats = !isVisible(heading) || oneLine(text).startsWith(oneLine(heading).replace(/…$/, ""));
    return repeats ? text : `${title}\n\n${text}`;
  } catch {
    // Too long, or empty: its headline stands for it.
    return cleanText(entry.title?.value ?? "");
  }
}
