/**
 * One other domain while there is something for it: finds or makes a link, sends what waits in order, and gives up for a
 * time where that fails. What is durable stays in the store until the peer has taken it; only what is on its way, and
 * what is kept nowhere else, is in memory.
 */
import type { Logger } from "../log.ts";
import { StanzaError, type StanzaCondition } from "../xmpp/errors.ts";
import { parseElement } from "../xmpp/parser.ts";
import { attr, type Element } from "../xmpp/xml.ts";
import { Backlog } from "./backlog.ts";
import { afterFailure, holdTime, isResting, maxLostFirst, memoryOfFailures } from "./back-off.ts";
import type { Clock } from "./clock.ts";
import type { DurableKind } from "./delivery-class.ts";
import type { DialSlots } from "./dial-slots.ts";
import type { Held, Transient } from "./held.ts";
import type { OutboundQueue, QueuedStanza, Route, RouteState } from "./outbound-queue.ts";
import { S2sError, type S2sLink } from "./s2s-link.ts";
import { Shipment, type Sent } from "./shipment.ts";
import { errorFor, undeliverable } from "./undeliverable.ts";

/** Of what is given back at once. */
const pageSize = 200;

/** What all destinations share. */
export interface Desk {
  readonly queue: OutboundQueue;
  readonly log: Logger;
  readonly clock: Clock;
  readonly slots: DialSlots;
  random(): number;
  permits(domain: string): boolean;
  /** The id of the first stanza for a route that is not in the queue yet, where there is one. */
  unwritten(route: Route): string | undefined;
  connect(local: string, remote: string): Promise<S2sLink>;
  /** Hands an error to its addressee, here. */
  returns(stanza: Element): void | Promise<void>;
  /** There is a link; `again`: there could be none before. */
  connected(domain: string, again: boolean): void;
  /** It cannot be reached; told once, until it is. */
  lost(domain: string): void;
  /** The destination is over; `late`: something was queued that it did not look at. */
  gone(destination: Destination, late: boolean): void;
}

export type Phase = "waiting" | "connecting" | "connected" | "failing";

export class Destination {
  readonly route: Route;
  /** Since when it is in its phase, in milliseconds since 1970. */
  since: number;
  phase: Phase = "waiting";
  readonly #desk: Desk;
  readonly #held: Held;
  #state: RouteState | undefined;
  readonly #backlog: Backlog;
  #link: S2sLink | undefined;
  #shipment: Shipment | undefined;
  #closing = false;
  /** Set once it has given up: from then on nothing is taken in. */
  #refusal: S2sError | undefined;
  #late = false;
  #left = false;
  /** Ends when the destination does. */
  readonly over: Promise<void>;

  constructor(route: Route, held: Held, desk: Desk) {
    this.route = route;
    this.#desk = desk;
    this.#held = held;
    this.#backlog = new Backlog(desk.queue, route);
    this.since = desk.clock.now();
    this.over = this.#live();
  }

  /** Neither sends nor waits for anything. */
  get isIdle(): boolean {
    return this.#shipment?.isIdle === true && this.#held.size === 0;
  }

  /** Takes what is kept in memory alone. */
  hold(transient: Transient): void {
    if (this.#refusal) return this.#return(transient, this.#refusal);
    if (!this.#held.push(transient)) {
      const full = new S2sError("resource-constraint", "too much waits for this domain already");
      return this.#return(transient, full);
    }
    this.#shipment?.pump();
  }

  /** There is more in the store. */
  wake(): void {
    this.#backlog.wake();
    this.#late = this.#refusal !== undefined;
    this.#shipment?.pump();
  }

  /** Ends the link, in order; what waits stays in the store. */
  close(): void {
    this.#closing = true;
    this.#link?.close();
  }

  /** Ends the link, so that another domain can be reached. */
  makeRoom(): void {
    this.#link?.close();
  }

  async #live(): Promise<void> {
    try {
      await this.#deliver();
    } catch (error) {
      await this.#fail(error).catch((fault: unknown) => {
        this.#desk.log.error({ err: fault, ...this.route }, "the queue to a domain cannot be kept");
      });
    }
    this.#leave();
  }

  #leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#held.clear();
    this.#desk.gone(this, this.#late);
  }

  /** Until nothing is left to do. Throws `S2sError` where that cannot be done now. */
  async #deliver(): Promise<void> {
    const { clock, queue } = this.#desk;
    this.#state = await queue.find(this.route);
    if (this.#state && isResting(this.#state, clock.now())) {
      const { condition, reason } = this.#state;
      return this.#refuse(new S2sError(condition as StanzaCondition, reason!));
    }
    while (await this.#hasWork()) {
      const taken = await this.#send(await this.#connect());
      if (taken === 0 && (await this.#hasWork()))
        throw new S2sError("remote-server-timeout", "it ends the connection before it has taken anything");
    }
  }

  async #connect(): Promise<S2sLink> {
    const { slots, connect } = this.#desk;
    const { local, domain } = this.route;
    this.#enter("waiting");
    this.#judge();
    const leave = await slots.enter(this.#state?.failingSince ? "again" : "first");
    try {
      this.#judge();
      this.#enter("connecting");
      return await connect(local, domain);
    } finally {
      leave();
    }
  }

  #judge(): void {
    if (!this.#desk.permits(this.route.domain))
      throw new S2sError("not-allowed", "the settings s2s.allow and s2s.deny forbid it");
  }

  #enter(phase: Phase): void {
    this.phase = phase;
    this.since = this.#desk.clock.now();
  }

  /** Where it says no, the destination is over in the same turn: what comes next finds another one. */
  async #hasWork(): Promise<boolean> {
    for (;;) {
      if (this.#backlog.isUnread) await this.#backlog.read();
      if (this.#closing) break;
      if (this.#backlog.first || this.#held.size > 0) return true;
      if (this.#backlog.isUnread) continue;
      if (!this.#state) break;
      await this.#file(this.#state);
    }
    this.#leave();
    return false;
  }

  /** Nothing waits. That it failed is known for a while. */
  async #file(state: RouteState): Promise<void> {
    const { clock, queue } = this.#desk;
    const end = (state.triedAt?.getTime() ?? 0) + memoryOfFailures;
    if (!state.failingSince || end <= clock.now()) return this.#forget();
    this.#state = undefined;
    await queue.put({ ...state, nextAt: new Date(end) });
  }

  async #forget(): Promise<void> {
    this.#state = undefined;
    await this.#desk.queue.forget(this.route);
  }

  /** Sends on a link until it ends; how many stanzas the peer has taken. */
  async #send(link: S2sLink): Promise<number> {
    const { local, domain } = this.route;
    const shipment = new Shipment({
      link,
      ...{ backlog: this.#backlog, held: this.#held },
      unwritten: () => this.#desk.unwritten(this.route),
      taken: (sent) => this.#taken(sent),
      refused: (sent) => this.#refused(sent, link),
      failed: (error) => {
        this.#desk.log.error({ err: error, domain }, "the queue to a domain cannot be read");
        link.close();
      },
    });
    this.#link = link;
    this.#shipment = shipment;
    this.#enter("connected");
    this.#desk.connected(domain, this.#state?.failingSince != null);
    await new Promise<void>((resolve) => {
      link.onEnd(resolve);
      // It may have ended before this was heard.
      if (!link.carries(local, domain)) resolve();
      if (this.#closing) link.close();
      shipment.pump();
    });
    shipment.end();
    this.#link = undefined;
    this.#shipment = undefined;
    await this.#backlog.rewind();
    const { taken, lost } = shipment;
    this.#held.putBack(lost.flatMap(({ transient }) => (transient ? this.#again(transient) : [])));
    if (taken === 0 && lost[0]?.row) await this.#blame(lost[0].row);
    return taken;
  }

  /** What was lost in memory is sent again, but for what would be done twice. */
  #again(transient: Transient): Transient[] {
    const { stanza } = transient;
    if (stanza.name !== "iq" || attr(stanza, "type") !== "set") return [transient];
    this.#return(transient, new S2sError("remote-server-timeout", "the connection ended before it answered"));
    return [];
  }

  /** A stanza at which the peer ends every stream shall not stand before all others for ever. */
  async #blame(row: QueuedStanza): Promise<void> {
    const { queue, log } = this.#desk;
    if (row.attempts + 1 < maxLostFirst) return queue.countAttempt(this.route, row.id);
    log.warn({ domain: this.route.domain, id: row.id }, "a stanza ends every stream; it goes back");
    const reason = "its server ends the connection whenever it is sent this";
    await this.#giveBack([row], new StanzaError("remote-server-timeout", { text: reason }));
  }

  #taken({ row }: Sent): void {
    if (this.#state) this.#recover(this.#state);
    if (row) this.#backlog.remove(row.id, (fault) => this.#unkept(fault));
  }

  #refused({ row, transient }: Sent, { maxStanzaBytes }: S2sLink): void {
    const text = `${this.route.domain} takes no stanza larger than ${maxStanzaBytes ?? 0} bytes`;
    const error = new StanzaError("policy-violation", { text });
    if (transient) this.#answerSoon(transient.stanza, error);
    else this.#giveBack([row], error).catch((fault: unknown) => this.#unkept(fault));
  }

  /** It takes stanzas. */
  #recover({ failingSince }: RouteState): void {
    const { domain } = this.route;
    if (failingSince) this.#desk.log.info({ domain }, `${domain} can be reached again`);
    this.#forget().catch((fault: unknown) => this.#unkept(fault));
  }

  #unkept(error: unknown): void {
    this.#desk.log.error({ err: error, ...this.route }, "what was sent cannot be removed from the queue");
  }

  /** It cannot be reached now: what has waited long enough goes back, the rest waits. */
  async #fail(thrown: unknown): Promise<void> {
    if (this.#closing) return;
    const { log, clock, queue, permits, random } = this.#desk;
    const { domain } = this.route;
    if (!(thrown instanceof S2sError)) log.error({ err: thrown, domain }, "a domain could not be dialled");
    const problem =
      thrown instanceof S2sError ? thrown : new S2sError("internal-server-error", "the log says why");
    this.#enter("failing");
    this.#refuse(problem);
    const before = this.#state;
    const attempts = (before?.attempts ?? 0) + 1;
    const now = clock.now();
    let nextAt = now + afterFailure(attempts, random());
    for (const kind of ["chat", "subscription", "notification"] as const) {
      const hold = permits(domain) ? holdTime(kind, problem.condition) : 0;
      await this.#giveBackAged(kind, now - hold, problem);
      const oldest = await queue.oldest(this.route, kind);
      // One more try when its time is up.
      if (oldest) nextAt = Math.min(nextAt, Math.max(oldest.getTime() + hold, now + afterFailure(1, 0)));
    }
    const { condition, reason } = problem;
    const since = before?.failingSince ?? new Date(now);
    await queue.put({
      ...this.route,
      ...{
        attempts,
        condition,
        reason,
        failingSince: since,
        triedAt: new Date(now),
        nextAt: new Date(nextAt),
      },
    });
    if (!before?.failingSince) this.#desk.lost(domain);
    if (before?.reason !== reason) log.warn({ domain, condition }, `${domain} cannot be reached: ${reason}`);
    else log.debug({ domain, condition, attempts }, "a domain cannot be reached yet");
  }

  async #giveBackAged(kind: DurableKind, at: number, problem: S2sError): Promise<void> {
    const error = errorFor(problem, this.route.domain);
    for (;;) {
      const rows = await this.#desk.queue.aged(this.route, kind, new Date(at), pageSize);
      if (rows.length === 0) return;
      await this.#giveBack(rows, error);
    }
  }

  /** Senders get their stanzas back, then the store forgets them: at worst they hear of it twice, never not at all. */
  async #giveBack(rows: readonly QueuedStanza[], error: StanzaError): Promise<void> {
    for (const { kind, stanza } of rows) {
      if (kind !== "notification") await this.#answer(parseElement(stanza), error);
    }
    await this.#desk.queue.remove(
      this.route,
      rows.map(({ id }) => id),
    );
  }

  #answer(stanza: Element, error: StanzaError): void | Promise<void> {
    const returned = undeliverable(stanza, error);
    if (returned) return this.#desk.returns(returned);
  }

  #answerSoon(stanza: Element, error: StanzaError): void {
    this.#answer(stanza, error)?.catch((fault: unknown) => {
      this.#desk.log.error({ err: fault }, "an error could not be returned");
    });
  }

  #return({ stanza, asks }: Transient, problem: S2sError): void {
    if (asks) this.#answerSoon(stanza, errorFor(problem, this.route.domain));
  }

  /** From now on, and until it is over, nothing is taken in. */
  #refuse(problem: S2sError): void {
    this.#refusal = problem;
    for (const transient of this.#held.clear()) this.#return(transient, problem);
  }
}
