/**
 * XEP-0160: messages that none of an account's clients has taken. They are rows of the archive behind a position up to
 * which all were taken; in memory is which these are, of the accounts that something happens to.
 */
import type { Logger } from "../log.ts";
import { messageStore } from "../store/messages.ts";
import type { Store } from "../store/store.ts";
import { orderOf } from "../xmpp/id.ts";
import type { Archive } from "./archive.ts";

/** What may wait for one account: half a year of a friend's messages, but not what a flood brings. */
const maxWaiting = 10_000;
/** Their length in all, in UTF-16 units. */
const maxLength = 10_485_760;
/** Of accounts without clients, these many stay in memory: they are read again in a millisecond. */
const maxLines = 1_000;
/** Messages to one account that become known in one turn may do so in another order than that of their ids. */
const disorder = 100;
/** How long what was taken may be known in memory alone: so much comes twice when the power fails. In milliseconds. */
const flushDelay = 1_000;

/** Of one account. */
interface Line {
  /** What was not taken, the oldest first, with its length. */
  readonly open: Map<string, number>;
  /** Those of them that are in no archive. */
  readonly unarchived: Set<string>;
  length: number;
}

export interface WaitingOptions {
  readonly store: Store;
  readonly archive: Archive;
  readonly log: Logger;
  /** Whether any client of an account is there. */
  hasClients(account: string): boolean;
}

export class Waiting {
  readonly #options: WaitingOptions;
  readonly #rows: ReturnType<typeof messageStore>;
  readonly #lines = new Map<string, Line>();
  readonly #loading = new Map<string, Promise<Line>>();
  /** Accounts of which more was taken than is on disk. */
  readonly #dirty = new Set<string>();
  /** Positions of messages that only waited, and were taken. */
  #gone: number[] = [];
  #flushing: NodeJS.Timeout | undefined;

  constructor(options: WaitingOptions) {
    this.#options = options;
    this.#rows = messageStore(options.store);
  }

  /** Whether something of that length may wait too. It waits for the store where the account has been quiet. */
  hasRoom(account: string, length: number): boolean | Promise<boolean> {
    const fits = (line: Line): boolean => {
      // Whoever writes much at once does not wait for the disk in between.
      const coming = this.#options.archive.comingFor(account);
      const { size } = line.open;
      return size + coming.count < maxWaiting && line.length + coming.length + length <= maxLength;
    };
    const line = this.#lines.get(account);
    return line ? fits(line) : this.#load(account).then(fits);
  }

  /** Makes the line of an account known, so that nothing else has to wait for the store. */
  ready(account: string): void | Promise<void> {
    if (!this.#lines.has(account)) return this.#load(account).then(() => undefined);
  }

  /** A message that is on disk, and that nobody has taken yet. */
  add(account: string, id: string, length: number, archived: boolean): void {
    const line = this.#lines.get(account);
    if (line) put(line, id, length, archived);
    // Where it is not known it will be read, and may just have been.
    else void this.#loading.get(account)?.then((loaded) => put(loaded, id, length, archived));
  }

  /** A client has it. What is none of those that wait, such as a message that was sent, changes nothing. */
  take(account: string, id: string): void {
    const line = this.#lines.get(account);
    const length = line?.open.get(id);
    if (!line || length === undefined) return;
    line.open.delete(id);
    line.length -= length;
    if (line.unarchived.delete(id)) this.#gone.push(orderOf(id)!);
    this.#note(account);
  }

  /** What waits for an account, the oldest first. */
  async of(account: string): Promise<{ id: string; archived: boolean }[]> {
    const line = this.#lines.get(account) ?? (await this.#load(account));
    return [...line.open.keys()].map((id) => ({ id, archived: !line.unarchived.has(id) }));
  }

  /** Something may wait, as far as is known without asking the store. */
  has(account: string): boolean {
    const line = this.#lines.get(account);
    return line === undefined || line.open.size > 0;
  }

  /** The account is no more. */
  forget(account: string): void {
    this.#lines.delete(account);
    this.#dirty.delete(account);
  }

  /** Writes how far things were taken. */
  async flush(): Promise<void> {
    clearTimeout(this.#flushing);
    this.#flushing = undefined;
    const taken = [...this.#dirty].flatMap((account) => {
      const line = this.#lines.get(account);
      return line ? { account, position: this.#takenUpTo(line) } : [];
    });
    this.#dirty.clear();
    const gone = this.#gone;
    this.#gone = [];
    try {
      if (taken.length > 0 || gone.length > 0) await this.#rows.take(taken, gone);
    } catch (error) {
      this.#options.log.error({ err: error }, "what clients have taken could not be noted");
      for (const { account } of taken) this.#dirty.add(account);
      this.#gone.push(...gone);
    }
    // Who is read again is read as noted.
    this.#makeRoom();
  }

  #note(account: string): void {
    this.#dirty.add(account);
    this.#flushing ??= setTimeout(() => void this.flush(), flushDelay).unref();
  }

  /** The position in front of the oldest that was not taken, or of what is to come. */
  #takenUpTo({ open }: Line): number {
    let first = this.#options.archive.frontier;
    // They are in order, but for those that came in one turn.
    for (const id of [...open.keys()].slice(0, disorder)) first = Math.min(first, orderOf(id)!);
    return first - 1;
  }

  #load(account: string): Promise<Line> {
    const loading = this.#loading.get(account) ?? this.#read(account);
    this.#loading.set(account, loading);
    return loading;
  }

  async #read(account: string): Promise<Line> {
    try {
      // All of it, though it be more than there is room for: what is not known counts as taken.
      // What comes behind the frontier is added by whoever waits for it.
      const rows = await this.#rows.waiting(account, this.#options.archive.frontier);
      const line: Line = { open: new Map(), unarchived: new Set(), length: 0 };
      for (const { id, length, archived } of rows) put(line, id, length, archived);
      this.#lines.set(account, line);
      // What was sent since it was last noted need not be looked through again.
      if (rows.length === 0) this.#note(account);
      return line;
    } finally {
      this.#loading.delete(account);
    }
  }

  #makeRoom(): void {
    if (this.#lines.size <= maxLines) return;
    let over = this.#lines.size - maxLines;
    for (const account of this.#lines.keys()) {
      if (over <= 0) return;
      if (this.#dirty.has(account) || this.#options.hasClients(account)) continue;
      this.#lines.delete(account);
      over -= 1;
    }
  }
}

function put(line: Line, id: string, length: number, archived: boolean): void {
  if (line.open.has(id)) return;
  line.open.set(id, length);
  line.length += length;
  if (!archived) line.unarchived.add(id);
}
