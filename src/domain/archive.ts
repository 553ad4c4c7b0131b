/**
 * XEP-0313: the archives of accounts, in the one store of messages. What is appended in a turn of the event loop is one
 * commit; ids are given in the order in which rows become visible, so that no reader misses one.
 */
import { crc32 } from "node:zlib";
import {
  messageStore,
  type MessageFilter,
  type MessageKey,
  type MessagePage,
  type MessageRow,
} from "../store/messages.ts";
import type { Store } from "../store/store.ts";
import { continueAfter, firstOrderOf, newId, orderOf } from "../xmpp/id.ts";
import type { Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { parseElement } from "../xmpp/parser.ts";
import { attr, child, escapeAttribute, serialize, type Element } from "../xmpp/xml.ts";

/** Rows that are deleted at once, so that nobody who writes has to wait for long. */
const unitSize = 200;
/** How far back in a conversation a message is looked for that comes again: more than a client keeps to send. */
const repeatDepth = 2_000;

/** A message on one side of its way. */
export interface NewMessage {
  readonly account: string;
  /** The other side. */
  readonly with: Jid;
  readonly sent: boolean;
  /** `false`: it is only kept until it is delivered. */
  readonly archived: boolean;
  /** It waits for who is away. */
  readonly waits: boolean;
  /** The id that its sender gave it, if any. */
  readonly messageId: string | undefined;
  /** Without a stanza-id. */
  readonly text: string;
}

export interface Appended {
  readonly id: string;
  /** With the account's stanza-id, where it is archived. */
  readonly text: string;
  /** Resolves once the row is on disk. */
  readonly written: Promise<void>;
}

interface Batch {
  readonly rows: MessageRow[];
  readonly written: Promise<void>;
}

export class Archive {
  readonly #rows: ReturnType<typeof messageStore>;
  /** Takes rows until its unit is at work. */
  #open: Batch | undefined;
  /** Those with rows that readers may not see yet, or whose followers have not run; the oldest first. */
  readonly #unfinished = new Set<Batch>();

  constructor(store: Store) {
    this.#rows = messageStore(store);
  }

  /** Makes new ids greater than all that there are, whatever the clock says. To be called once, before the first. */
  async open(): Promise<void> {
    const newest = await this.#rows.newest();
    if (newest !== undefined) continueAfter(newest);
  }

  /** Puts a message into an archive, behind all others. */
  append({ account, with: other, sent, archived, waits, messageId, text }: NewMessage): Appended {
    // No message is younger than its id.
    const now = Date.now();
    const id = newId(now);
    const stanza = archived ? withStanzaId(text, account, id) : text;
    const batch = (this.#open ??= this.#begin());
    batch.rows.push({
      position: orderOf(id)!,
      account,
      id,
      with: other.bare,
      resource: other.resource,
      at: new Date(now),
      sent,
      archived,
      waits,
      idHash: messageId === undefined ? null : crc32(messageId),
      stanza,
    });
    return { id, text: stanza, written: batch.written };
  }

  #begin(): Batch {
    const rows: MessageRow[] = [];
    const close = (): void => {
      if (this.#open === batch) this.#open = undefined;
    };
    const finish = (): void => void this.#unfinished.delete(batch);
    const written = this.#rows.append(() => {
      close();
      // Behind all who wait for it by now.
      written.then(finish, finish);
      return rows;
    });
    // It may fail before it is asked for its rows.
    written.catch(() => (close(), finish()));
    const batch: Batch = { rows, written };
    this.#unfinished.add(batch);
    return batch;
  }

  /**
   * A position: all messages in front of it are on disk, and whoever waited for that has gone on; all that are still to
   * come are behind it.
   */
  get frontier(): number {
    for (const { rows } of this.#unfinished) if (rows[0]) return rows[0].position;
    return orderOf(newId())!;
  }

  /** What is to wait for an account, and is not known to be on disk yet. */
  comingFor(account: string): { count: number; length: number } {
    const coming = { count: 0, length: 0 };
    for (const { rows } of this.#unfinished) {
      for (const row of rows) {
        if (!row.waits || row.account !== account) continue;
        coming.count += 1;
        coming.length += row.stanza.length;
      }
    }
    return coming;
  }

  /**
   * Whether the account has sent this very message before, lately; it is on disk then. Clients send again what they
   * believe lost, with the same origin-id (XEP-0359 §3.2).
   */
  isRepeat(account: string, to: Jid, message: Element): false | Promise<boolean> {
    const same = sameAs(account, to, message);
    if (!same) return false;
    const written = this.#unwritten(same.key, same.isIt)?.batch.written;
    if (written) return written.then(() => true);
    return this.#written(same.key, repeatDepth, same.isIt).then((row) => row !== undefined);
  }

  /** Resolves once it is on disk, where the account has just sent this very message before. */
  underWay(account: string, to: Jid, message: Element): Promise<void> | undefined {
    const same = sameAs(account, to, message);
    return same && this.#unwritten(same.key, same.isIt)?.batch.written;
  }

  /** The newest message that the account sent to, or got from, somebody under that id; so many are looked through. */
  async find(
    { account, with: other, sent }: Pick<NewMessage, "account" | "sent"> & { readonly with: string },
    messageId: string,
    depth: number = repeatDepth,
  ): Promise<MessageRow | undefined> {
    const isIt = (row: MessageRow): boolean =>
      row.sent === sent && row.archived && messageIdOf(parseElement(row.stanza)) === messageId;
    const key = { account, with: other, idHash: crc32(messageId) };
    return this.#unwritten(key, isIt)?.row ?? this.#written(key, depth, isIt);
  }

  #unwritten(
    key: MessageKey,
    isIt: (row: MessageRow) => boolean,
  ): { row: MessageRow; batch: Batch } | undefined {
    for (const batch of this.#unfinished) {
      for (const row of batch.rows) {
        const fits =
          row.idHash === key.idHash && row.account === key.account && row.with === key.with && isIt(row);
        if (fits) return { row, batch };
      }
    }
    return undefined;
  }

  async #written(
    key: MessageKey,
    depth: number,
    isIt: (row: MessageRow) => boolean,
  ): Promise<MessageRow | undefined> {
    for (const position of await this.#rows.byHash(key, depth)) {
      const row = await this.#rows.find(position);
      if (row && isIt(row)) return row;
    }
    return undefined;
  }

  /** Puts something else in the place of what a message said; its id, time and addresses stay (XEP-0313 §3.2). */
  replace(position: number, stanza: string): Promise<void> {
    return this.#rows.replace(position, stanza);
  }

  /** An archived message of the account. */
  async get(account: string, id: string): Promise<MessageRow | undefined> {
    const position = orderOf(id);
    const row = position === undefined ? undefined : await this.#rows.find(position);
    return row?.id === id && row.account === account && row.archived ? row : undefined;
  }

  /** Messages by their ids, archived or not, the oldest first; those that are not there are left out. */
  async some(account: string, ids: readonly string[]): Promise<MessageRow[]> {
    const rows = await this.#rows.some(ids.flatMap((id) => orderOf(id) ?? []));
    return rows.filter((row) => row.account === account && ids.includes(row.id));
  }

  /** The account is no more. `gone` is told which messages went. */
  async clear(account: string, gone: (positions: readonly number[]) => Promise<void>): Promise<void> {
    await everyUnit(() => this.#rows.clear(account, unitSize), gone);
  }

  /**
   * Deletes what is older, of each archive from the old end on and as far as nothing waits for its account. `gone` is
   * told which messages went.
   */
  async trim(before: Date, gone: (positions: readonly number[]) => Promise<void>): Promise<void> {
    const position = firstOrderOf(before.getTime());
    let { after } = everything;
    const remove = async (): Promise<number[]> => {
      const positions = await this.#rows.trim(after, position, unitSize);
      after = Math.max(after, ...positions);
      return positions;
    };
    await everyUnit(remove, gone);
  }

  page(account: string, filter: MessageFilter, page: MessagePage): Promise<MessageRow[]> {
    return this.#rows.page(account, filter, page);
  }

  /** How many archived messages there are; more than `limit` are not counted. */
  count(account: string, filter: MessageFilter, limit: number): Promise<number> {
    return this.#rows.count(account, filter, limit);
  }

  /** The first and the last message of an archive; `undefined` where it is empty. */
  async ends(account: string): Promise<{ first: MessageRow; last: MessageRow } | undefined> {
    const [first] = await this.page(account, everything, { from: "start", limit: 1 });
    const [last] = await this.page(account, everything, { from: "end", limit: 1 });
    return first && last && { first, last };
  }
}

/** Which rows are a message that an account has sent before; `undefined` of such that nobody could tell apart. */
function sameAs(
  account: string,
  to: Jid,
  message: Element,
): { key: MessageKey; isIt: (row: MessageRow) => boolean } | undefined {
  const origin = originOf(message);
  const messageId = messageIdOf(message);
  if (origin === undefined || messageId === undefined) return undefined;
  const isIt = ({ sent, stanza }: MessageRow): boolean => {
    if (!sent && to.bare !== account) return false;
    const earlier = parseElement(stanza);
    if (originOf(earlier) !== origin) return false;
    // What was taken back is not said again by who did not hear that it had been taken.
    if (child(earlier, "retracted", NS.retract)) return attr(earlier, "to") === attr(message, "to");
    return essence(earlier) === essence(message);
  };
  return { key: { account, with: to.bare, idHash: crc32(messageId) }, isIt };
}

async function everyUnit(
  remove: () => Promise<number[]>,
  gone: (positions: readonly number[]) => Promise<void>,
): Promise<void> {
  for (;;) {
    const positions = await remove();
    if (positions.length === 0) return;
    await gone(positions);
  }
}

/** The filter that keeps all. */
export const everything: MessageFilter = {
  after: Number.MIN_SAFE_INTEGER,
  before: Number.MAX_SAFE_INTEGER,
  start: new Date(-8.64e15),
  end: new Date(8.64e15),
  with: undefined,
  resource: undefined,
};

const close = "</message>";

/** A message as text, with the `<stanza-id/>` of an archive in it (XEP-0359 §3). */
function withStanzaId(text: string, by: string, id: string): string {
  return `${text.slice(0, -close.length)}<stanza-id xmlns="${NS.stanzaIds}" by="${escapeAttribute(by)}" id="${id}"/>${close}`;
}

/** What its sender calls a message: the id by which others refer to it. */
export const messageIdOf = (message: Element): string | undefined => attr(message, "id") ?? originOf(message);

function originOf(message: Element): string | undefined {
  const origin = child(message, "origin-id", NS.stanzaIds);
  return origin && attr(origin, "id");
}

/** What a message says and to whom, whichever client of the account sends it, and however often. */
function essence(message: Element): string {
  const parts = message.children.filter((node) => {
    if (typeof node === "string") return true;
    const xmlns = attr(node as Element, "xmlns");
    return xmlns !== NS.delay && !(xmlns === NS.stanzaIds && (node as Element).name === "stanza-id");
  });
  const said = parts.map((node) => (typeof node === "string" ? node : serialize(node as Element)));
  return [attr(message, "to"), attr(message, "type"), ...said].join("\n");
}
