/**
 * XEP-0198 §5: sessions whose connection was lost rest here, and look as if they were there, until their client
 * resumes them or their time is over. They outlive a restart of the process.
 */
import type { Events } from "../events.ts";
import type { Logger } from "../log.ts";
import type { StreamError } from "../xmpp/errors.ts";
import { parseJid } from "../xmpp/jid.ts";
import { parseElement } from "../xmpp/parser.ts";
import type { Element } from "../xmpp/xml.ts";
import { Reserve } from "./csi-reserve.ts";
import type { ServerEvents } from "./events.ts";
import { HibernationJournal, type HibernatedStore, type WholeRow } from "./hibernation-journal.ts";
import { routeLeftovers } from "./hibernation-leftovers.ts";
import { Session, type Transport } from "./session.ts";
import type { Sessions } from "./sessions.ts";
import { StreamManagement } from "./stream-management-state.ts";

/** Of one account; who has more has a client that logs in afresh each time, and will not come back for these. */
const maxOfAccount = 10;
/** Of all accounts: the clients of a whole school at a power cut. Some kilobytes each, as a rule. */
const maxInAll = 10_000;
/** Those whose clients can still be told, when they come too late, how much of theirs was handled. */
const maxRemembered = 10_000;

export interface HibernationOptions {
  readonly sessions: Sessions;
  readonly events: Events<ServerEvents>;
  readonly log: Logger;
  /** How long sessions can be resumed at most, in seconds; 0: not at all. */
  readonly seconds: number;
  /** Where clients had better come back to: `host:port`. */
  readonly location?: string | undefined;
  /** What keeps them while the process does not run. */
  readonly store?: HibernatedStore;
  /** The position of the archive in front of which all was handed to those it was for. */
  readonly frontier?: () => number;
  route(stanza: Element): void | Promise<void>;
}

interface Resting {
  readonly session: Session;
  /** When it is over, in milliseconds since 1970. */
  readonly until: number;
  /** It rested in an earlier life of the process: what its client knows of others is old. */
  readonly isStale: boolean;
  readonly timer: NodeJS.Timeout;
  /** What was received on its connection is handled. */
  isSettled: boolean;
  /** Who is told once that is so, or once it is over. */
  readonly waiting: (() => void)[];
  /** Who is about to resume it: the latest who asked. */
  claim: object | undefined;
}

export class Hibernation {
  readonly seconds: number;
  readonly location: string | undefined;
  readonly #options: HibernationOptions;
  readonly #journal: HibernationJournal;
  /** The oldest first. */
  readonly #resting = new Map<Session, Resting>();
  /** By SM-ID: how much was handled of sessions that were given up. */
  readonly #past = new Map<string, { readonly account: string; readonly handled: number }>();
  readonly #routing = new Set<Promise<void>>();

  constructor(options: HibernationOptions) {
    this.#options = options;
    this.seconds = options.seconds;
    this.location = options.location;
    this.#journal = new HibernationJournal(options);
  }

  /** The connection of a session is over. It rests where its client may come back: where the stream is unfinished. */
  lost(session: Session, unfinished: boolean): void {
    const { management } = session;
    if (!unfinished || management?.id === undefined) return void this.#options.sessions.remove(session);
    session.reserve ??= new Reserve();
    const until = Date.now() + management.seconds * 1_000;
    this.#rest({ session, until, isStale: false, isSettled: false });
    this.#makeRoom(session.account);
  }

  /** After `lost`: what had been received is handled. */
  settled(session: Session): void {
    const resting = this.#resting.get(session);
    if (!resting) return this.#over(session);
    resting.isSettled = true;
    for (const proceed of resting.waiting.splice(0)) proceed();
    // Whoever has claimed it is about to take it away again.
    if (resting.claim) return;
    this.#settle(resting);
  }

  /** The session of an account that can be resumed by that SM-ID, on a connection or not. */
  find(account: string, id: string): Session | undefined {
    for (const session of this.#options.sessions.of(account))
      if (session.management?.id === id) return session;
    return undefined;
  }

  /** How many stanzas of its client a session handled that is no more. */
  handledBy(account: string, id: string): number | undefined {
    const past = this.#past.get(id);
    return past?.account === account ? past.handled : undefined;
  }

  /**
   * Takes a session from the connection that it is on, where it still is, and prepares it for another one; `wake` or
   * `release` follow at once. `false` where it is over meanwhile, or somebody else came for it later.
   */
  async claim(session: Session, conflict: StreamError): Promise<boolean> {
    if (!this.#resting.has(session)) session.close(conflict, true);
    const resting = this.#resting.get(session);
    if (!resting) return false;
    const claim = (resting.claim = {});
    if (!resting.isSettled) await new Promise<void>((resolve) => void resting.waiting.push(resolve));
    // On disk it would be what it was, and be taken for what it is when the process dies.
    await this.#journal.forget(session);
    return this.#resting.get(session) === resting && resting.claim === claim;
  }

  /** Gives a claimed session its new connection; `false` where it is over meanwhile. */
  wake(session: Session, transport: Transport, remoteAddress: string): boolean {
    const resting = this.#resting.get(session);
    if (!resting) return false;
    clearTimeout(resting.timer);
    this.#resting.delete(session);
    session.attach(transport, remoteAddress);
    this.#options.events.emit("session.resumed", { session, isStale: resting.isStale });
    return true;
  }

  /** Who claimed it cannot have it: it rests on. */
  release(session: Session): void {
    const resting = this.#resting.get(session);
    if (!resting) return;
    resting.claim = undefined;
    this.#settle(resting);
  }

  /** Ends the oldest of an account's that rest, where one does. */
  evict(account: string): boolean {
    for (const resting of this.#resting.values()) {
      if (resting.session.account !== account) continue;
      this.#end(resting);
      return true;
    }
    return false;
  }

  /** Takes in those that rested when the process ended. */
  async restore(): Promise<void> {
    const rows = await this.#journal.load();
    for (const row of rows) {
      try {
        this.#revive(row);
      } catch (error) {
        this.#options.log.error({ err: error, jid: row.jid }, "a session that rested could not be read");
      }
    }
    if (rows.length > 0) this.#options.log.info({ sessions: rows.length }, "sessions may be resumed");
  }

  /** All of them are on disk, whole, once this resolves; after it, nothing happens to them here. */
  async close(): Promise<void> {
    for (const { session, timer, until } of this.#resting.values()) {
      clearTimeout(timer);
      session.release();
      this.#journal.save(session, until);
    }
    await Promise.all([this.#journal.close(), ...this.#routing]);
  }

  #rest(one: Pick<Resting, "session" | "until" | "isStale" | "isSettled">): void {
    const { session, until } = one;
    const resting: Resting = {
      ...one,
      ...{ waiting: [], claim: undefined },
      timer: setTimeout(() => this.#end(resting), Math.max(0, until - Date.now())).unref(),
    };
    this.#resting.set(session, resting);
    session.isResting = true;
    session.detach({
      isOpen: true,
      isFull: true,
      write: () => undefined,
      waits: () => this.#journal.append(session),
      close: () => this.#end(resting),
    });
  }

  #settle({ session, until }: Resting): void {
    this.#journal.save(session, until);
    this.#options.log.info({ jid: session.jid.full }, "lost the connection, and may come back");
    this.#options.events.emit("session.hibernated", { session });
  }

  /** The newest win. */
  #makeRoom(account: string): void {
    let count = 0;
    for (const session of this.#options.sessions.of(account)) if (this.#resting.has(session)) count += 1;
    if (count > maxOfAccount) this.evict(account);
    const [oldest] = this.#resting.values();
    if (this.#resting.size > maxInAll) this.#end(oldest!);
  }

  #revive({ jid: full, expiresAt, completeTo, state, queue, missed }: WholeRow): void {
    const { sessions, events } = this.#options;
    const session = new Session(parseJid(full)!, nowhere, state.remoteAddress, sessions.taken);
    const { id, seconds } = state.management;
    const waiting = queue.map(({ stanza, archiveId, at }) => ({
      text: stanza,
      archiveId: archiveId ?? undefined,
      at: at.getTime(),
    }));
    const late = missed.map(({ id: archiveId, at, stanza }) => ({
      text: stanza,
      archiveId,
      at: at.getTime(),
    }));
    session.management = new StreamManagement(id, seconds, state.management, [...waiting, ...late]);
    session.reserve = new Reserve();
    if (state.presence !== undefined)
      session.available = { stanza: parseElement(state.presence), priority: state.priority };
    session.client = state.client;
    session.appPassword = state.appPassword;
    session.interested = state.interested;
    session.carbons = state.carbons;
    session.handedTo = completeTo;
    const until = expiresAt.getTime();
    sessions.add(session);
    this.#journal.adopt(session, until, queue.length);
    this.#rest({ session, until, isStale: true, isSettled: true });
    events.emit("session.restored", { session, state: state.modules });
  }

  #end(resting: Resting): void {
    const { session, timer } = resting;
    if (this.#resting.get(session) !== resting) return;
    clearTimeout(timer);
    this.#resting.delete(session);
    this.#options.sessions.remove(session);
    void this.#journal.forget(session);
    for (const proceed of resting.waiting.splice(0)) proceed();
    if (resting.isSettled) this.#over(session);
  }

  /** Tells that a session is over, and deals with what its client does not have. */
  #over(session: Session): void {
    const { events, log, route } = this.#options;
    const { management } = session;
    if (management?.id !== undefined) this.#remember(management.id, session.account, management.handled);
    log.info({ jid: session.jid.full, address: session.remoteAddress }, "logged out");
    events.emit("session.closed", { session });
    const left = session.leave();
    if (left.length === 0) return;
    const done = routeLeftovers(session.jid, left, route)
      .catch((error: unknown) => log.error({ err: error }, "what a client did not get could not be returned"))
      .finally(() => this.#routing.delete(done));
    this.#routing.add(done);
  }

  #remember(id: string, account: string, handled: number): void {
    this.#past.set(id, { account, handled });
    if (this.#past.size <= maxRemembered) return;
    const [oldest] = this.#past.keys();
    this.#past.delete(oldest!);
  }
}

const nowhere: Transport = { isOpen: true, isFull: true, write: () => undefined, close: () => undefined };
