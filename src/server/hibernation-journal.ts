/** Keeps resting sessions on disk, behind what happens to them: all that is new in a turn is one transaction. */
import type { Events } from "../events.ts";
import type { Logger } from "../log.ts";
import { orderOf } from "../xmpp/id.ts";
import { parseElement } from "../xmpp/parser.ts";
import { attr, serialize } from "../xmpp/xml.ts";
import type { ServerEvents } from "./events.ts";
import type { Session } from "./session.ts";
import type { ManagementSnapshot, Unacknowledged } from "./stream-management-state.ts";

/** Stanzas that are written at once, and the sessions that they are of: a tenth of what fits into a unit of the store. */
const unitSize = 20_000;
/** Messages since a session was last written that may pass it by, such as those for others of its account's clients. */
const maxPassed = 10_000;

/** A session as it is kept, without its stanzas. */
export interface HibernatedState {
  readonly remoteAddress: string;
  readonly client?: string;
  readonly appPassword?: string;
  readonly presence?: string;
  readonly priority: number;
  readonly interested: boolean;
  readonly carbons: boolean;
  readonly management: ManagementSnapshot;
  /** What modules keep beside it. */
  readonly modules: Record<string, unknown>;
}

export interface HibernatedSession {
  /** The SM-ID. */
  readonly id: string;
  readonly account: string;
  readonly jid: string;
  readonly expiresAt: Date;
  /** A position of the archive: what is in front of it was handed to the session, where it was to be. */
  readonly completeTo: number;
  readonly state: HibernatedState;
}

export interface HibernatedStanza {
  readonly session: string;
  /** In the queue of the session. */
  readonly position: number;
  readonly archiveId: string | null;
  readonly at: Date;
  readonly stanza: string;
}

export interface HibernatedRow extends HibernatedSession {
  readonly queue: readonly HibernatedStanza[];
}

/** A session that is as its client believes. */
export interface WholeRow extends HibernatedRow {
  /** What it was to get, behind its queue. */
  readonly missed: readonly PassedMessage[];
}

/** What the archive of an account has. */
export interface PassedMessage {
  readonly id: string;
  readonly sent: boolean;
  readonly at: Date;
  readonly stanza: string;
}

/** Where it is kept: `src/store/hibernated.ts`. */
export interface HibernatedStore {
  /** In one transaction: forgets, takes in, appends, notes how far those that were there are complete. */
  write(
    forgotten: readonly string[],
    sessions: readonly HibernatedSession[],
    stanzas: readonly HibernatedStanza[],
    complete: readonly Pick<HibernatedSession, "id" | "completeTo">[],
  ): Promise<void>;
  /** All of them, those that end first in front. */
  all(): Promise<HibernatedRow[]>;
  /** What came from a position on, the oldest first, but no more than `limit`; `copies`: also what the account sent. */
  passed(account: string, from: number, copies: boolean, limit: number): Promise<PassedMessage[]>;
}

export interface JournalOptions {
  readonly store?: HibernatedStore;
  /** The position of the archive in front of which all was handed to those it was for. */
  readonly frontier?: () => number;
  readonly events: Events<ServerEvents>;
  readonly log: Logger;
}

interface Entry {
  readonly id: string;
  readonly expiresAt: Date;
  /** How many stanzas of the queue are on disk; `undefined` where not even the session is. */
  written: number | undefined;
}

export class HibernationJournal {
  readonly #options: JournalOptions;
  readonly #entries = new Map<Session, Entry>();
  readonly #changed = new Set<Session>();
  #forgotten: string[] = [];
  /** The write that was begun last, and the one that takes in what changes now. */
  #last: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  /** Keeps the session as it is now. */
  save(session: Session, until: number): void {
    if (!this.#options.store || this.#entries.has(session)) return this.append(session);
    const id = session.management!.id!;
    this.#entries.set(session, { id, expiresAt: new Date(until), written: undefined });
    this.append(session);
  }

  /** The session was loaded; so many stanzas of its queue are on disk. */
  adopt(session: Session, until: number, written: number): void {
    const { id, queue } = session.management!;
    this.#entries.set(session, { id: id!, expiresAt: new Date(until), written });
    if (queue.length > written) this.append(session);
  }

  /** The queue of the session has grown. */
  append(session: Session): void {
    if (!this.#entries.has(session)) return;
    this.#changed.add(session);
    void this.#soon();
  }

  /** Resolves once nothing of the session is on disk. */
  async forget(session: Session): Promise<void> {
    const entry = this.#entries.get(session);
    if (!entry) return;
    this.#entries.delete(session);
    this.#changed.delete(session);
    this.#forgotten.push(entry.id);
    await this.#soon();
  }

  /**
   * Those that are as their clients believe, with what they were to get and had not been written when the process died.
   * Of the others a copy is not known any more, or the order in which they got something.
   */
  async load(): Promise<WholeRow[]> {
    const { store } = this.#options;
    const rows = (await store?.all()) ?? [];
    const jids = new Set(rows.map(({ jid }) => jid));
    const whole: WholeRow[] = [];
    for (const row of rows) {
      const passed = await store!.passed(row.account, row.completeTo, row.state.carbons, maxPassed);
      const missed = passed.length < maxPassed && missedBy(row, passed, jids);
      if (missed) whole.push({ ...row, missed });
      else this.#forgotten.push(row.id);
    }
    if (this.#forgotten.length > 0) await this.#soon();
    return whole;
  }

  /** Resolves once all is on disk. */
  async close(): Promise<void> {
    for (let last; last !== this.#last;) await (last = this.#last);
  }

  /** One write after the other; each begins in a later turn, so that all of this one goes together. */
  #soon(): Promise<void> {
    return (this.#next ??= this.#last =
      this.#last
        .then(() => new Promise((resolve) => setImmediate(resolve)))
        .then(() => {
          this.#next = undefined;
          return this.#write();
        }));
  }

  async #write(): Promise<void> {
    const changed = this.#takeUnit();
    const forgotten = this.#forgotten;
    this.#forgotten = [];
    if (this.#changed.size > 0) void this.#soon();
    try {
      await this.#writeOnly(changed, forgotten);
    } catch (error) {
      this.#options.log.error({ err: error }, "sessions that rest could not be written");
      for (const session of changed) if (this.#entries.has(session)) this.#changed.add(session);
      this.#forgotten.push(...forgotten);
    }
  }

  /** Sessions with about so many stanzas to write. */
  #takeUnit(): Session[] {
    const unit: Session[] = [];
    let size = 0;
    for (const session of this.#changed) {
      if (size >= unitSize) break;
      this.#changed.delete(session);
      unit.push(session);
      size += 1 + session.management!.queue.length - (this.#entries.get(session)!.written ?? 0);
    }
    return unit;
  }

  async #writeOnly(changed: readonly Session[], forgotten: readonly string[]): Promise<void> {
    const frontier = this.#options.frontier?.() ?? 0;
    const complete: Pick<HibernatedSession, "id" | "completeTo">[] = [];
    const sessions: HibernatedSession[] = [];
    const stanzas: HibernatedStanza[] = [];
    const written: (() => void)[] = [];
    for (const session of changed) {
      const entry = this.#entries.get(session)!;
      const { queue } = session.management!;
      const completeTo = Math.min(frontier, ...waitingIn(session));
      if (entry.written === undefined) sessions.push(this.#row(session, entry, completeTo));
      else complete.push({ id: entry.id, completeTo });
      for (let position = entry.written ?? 0; position < queue.length; position += 1)
        stanzas.push(stanzaRow(entry.id, position, queue[position]!));
      const upTo = queue.length;
      written.push(() => (entry.written = upTo));
    }
    await this.#options.store?.write(forgotten, sessions, stanzas, complete);
    for (const done of written) done();
  }

  #row(session: Session, { id, expiresAt }: Entry, completeTo: number): HibernatedSession {
    const { available, interested, carbons, remoteAddress, client, appPassword } = session;
    const modules: Record<string, unknown> = {};
    this.#options.events.emit("session.saved", { session, state: modules });
    const state: HibernatedState = {
      ...{ remoteAddress, interested, carbons, modules },
      ...(client !== undefined && { client }),
      ...(appPassword !== undefined && { appPassword }),
      ...(available && { presence: serialize(available.stanza) }),
      priority: available?.priority ?? 0,
      management: session.management!.snapshot(id),
    };
    return { id, account: session.account, jid: session.jid.full, expiresAt, completeTo, state };
  }
}

const stanzaRow = (session: string, position: number, { text, archiveId, at }: Unacknowledged) => ({
  ...{ session, position, stanza: text },
  archiveId: archiveId ?? null,
  at: new Date(at),
});

/** The positions of messages that it is still to be sent, of each kind the first. */
function* waitingIn({ behind = [], reserve }: Session): Iterable<number> {
  if (behind[0]) yield orderOf(behind[0].archiveId)!;
  for (const { archiveId } of reserve?.kept ?? [])
    if (archiveId !== undefined) return yield orderOf(archiveId)!;
}

/**
 * What was for a session itself and is not in its queue; `undefined` where something else is missing, or not at the end.
 * `jids`: the other resources that were there.
 */
function missedBy(
  { jid, state, queue }: HibernatedRow,
  passed: readonly PassedMessage[],
  jids: ReadonlySet<string>,
): PassedMessage[] | undefined {
  const kept = new Set(queue.map(({ archiveId }) => archiveId));
  const newest = queue.reduce((most, { archiveId }) => Math.max(most, orderOf(archiveId ?? "") ?? 0), 0);
  const isAvailable = state.presence !== undefined && state.priority >= 0;
  const missed: PassedMessage[] = [];
  for (const message of passed) {
    if (kept.has(message.id)) continue;
    const to = attr(parseElement(message.stanza), "to") ?? "";
    const isOwn = !message.sent && (to === jid || (isAvailable && !jids.has(to)));
    if (!isOwn && !state.carbons) continue;
    if (!isOwn || orderOf(message.id)! < newest) return undefined;
    missed.push(message);
  }
  return missed;
}
