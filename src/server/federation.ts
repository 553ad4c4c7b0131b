/**
 * What is for other domains. Messages, notifications and changes of subscription are on disk before `send` resolves, and
 * stay there until the peer has taken them or their time is up; requests, answers and presence are in memory, and end
 * with it. Only domains that are being dialled or connected have a `Destination` here: all others are rows in the store.
 */
import type { Logger } from "../log.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { newId } from "../xmpp/id.ts";
import type { Jid } from "../xmpp/jid.ts";
import { serialize, type Element } from "../xmpp/xml.ts";
import { pauseForEvents, pauseForSenders } from "./back-off.ts";
import { systemClock, type Clock } from "./clock.ts";
import { deliveryClass, type DeliveryClass } from "./delivery-class.ts";
import { Destination, type Desk } from "./destination.ts";
import { DialSlots } from "./dial-slots.ts";
import { Held, HeldTotal, type Transient } from "./held.ts";
import type { Due, NewStanza, OutboundQueue, Route } from "./outbound-queue.ts";
import type { Remote } from "./router.ts";
import type { S2sLink } from "./s2s-link.ts";
import type { S2sPolicy } from "./s2s-policy.ts";

/** Domains looked after at once: each has a connection, or will have. */
const maxDestinations = 1_000;
/** Of them, such as failed before: enough that there is always one when a dial is over. */
const maxRetries = 100;
/** What may wait for one domain: some hundred thousand short messages are a hundred megabytes. */
const maxQueued = 100_000;
/** How long links may take to say what arrived, when the node stops. In milliseconds. */
const maxShutdown = 2_500;

export interface FederationOptions {
  readonly queue: OutboundQueue;
  readonly policy: S2sPolicy;
  readonly log: Logger;
  readonly clock?: Clock;
  /** From 0 up to 1. */
  readonly random?: () => number;
}

export interface FederationLinks {
  /** Finds or makes a link; rejects with `S2sError`. */
  connect(local: string, remote: string): Promise<S2sLink>;
  /** Hands an error to its addressee, here. */
  returns(stanza: Element): void | Promise<void>;
  /** There is a link to a domain; `again`: there could be none before. */
  connected?(domain: string, again: boolean): void;
  /** A domain cannot be reached; told once, until it is. */
  lost?(domain: string): void;
}

/** How it stands with a domain. */
export interface RouteStatus extends Route {
  readonly state: "connected" | "connecting" | "waiting" | "failing";
  readonly since: Date;
  /** Stanzas on disk. */
  readonly queued: number;
  readonly oldest: Date | undefined;
  /** Where it fails: why, how often it was tried, and when it will be next. */
  readonly problem: string | undefined;
  readonly condition: string | undefined;
  readonly attempts: number;
  readonly nextTry: Date | undefined;
}

/** What is written in one transaction. */
interface Batch {
  readonly stanzas: NewStanza[];
  readonly routes: Map<string, Share>;
  readonly written: Promise<void>;
}

/** What a batch holds for one route. */
interface Share {
  readonly route: Route;
  /** The id of its first stanza. */
  readonly first: string;
  /** Somebody wrote it, and it is not only news. */
  isForSenders: boolean;
  /** There was no room for it. */
  isRefused: boolean;
}

export class Federation implements Remote {
  readonly #options: FederationOptions;
  readonly #clock: Clock;
  readonly #total = new HeldTotal();
  readonly #destinations = new Map<string, Destination>();
  /** Those of them that are tried again. */
  readonly #retries = new Set<string>();
  #desk: Desk | undefined;
  /** The batch that still grows, and the one that is being written. */
  #batch: Batch | undefined;
  #writing: Batch | undefined;
  #written: Promise<void> = Promise.resolve();
  #last: { stanza: Element; how: DeliveryClass } | undefined;
  #alarm: { at: number; cancel: () => void } | undefined;
  #looking: Promise<void> | undefined;

  constructor(options: FederationOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Begins to deliver what waits. Until then, and after `close`, messages are only queued. */
  async start(links: FederationLinks): Promise<void> {
    const { queue, log, policy, random = Math.random } = this.#options;
    await queue.recover(new Date(this.#clock.now()));
    this.#desk = {
      ...{ queue, log, random, ...links },
      connected: (domain, again) => links.connected?.(domain, again),
      lost: (domain) => links.lost?.(domain),
      clock: this.#clock,
      slots: new DialSlots(),
      permits: (domain) => policy.permits(domain),
      unwritten: (route) => this.#unwritten(keyOf(route)),
      gone: (destination, late) => this.#gone(destination, late),
    };
    this.#look();
  }

  /** Ends all links in order. What was not taken is sent after the next start. */
  async close(): Promise<void> {
    this.#desk = undefined;
    this.#alarm?.cancel();
    const open = [...this.#destinations.values()];
    // Dials end with the streams.
    const linked = open.filter(({ phase }) => phase === "connected" || phase === "failing");
    for (const one of open) one.close();
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      Promise.all([this.#written, this.#looking, ...linked.map(({ over }) => over)]),
      new Promise((resolve) => (timer = setTimeout(resolve, maxShutdown))),
    ]);
    clearTimeout(timer);
  }

  /** Order is kept whether or not a caller waits for what this returns before it sends the next one. */
  send(stanza: Element, from: Jid, to: Jid, text: string = serialize(stanza)): void | Promise<void> {
    if (!this.#options.policy.permits(to.domain)) {
      throw new StanzaError("not-allowed", { text: `This server does not speak with ${to.domain}` });
    }
    const { kind, item, asks } = this.#classOf(stanza);
    const id = newId();
    const route = { local: from.domain, domain: to.domain };
    if (kind === undefined) return this.#hold(route, { id, stanza, text, asks });
    const batch = (this.#batch ??= this.#newBatch());
    const itemKey = item === undefined ? null : `${from.bare}\n${to.full}\n${item}`;
    const queuedAt = new Date(this.#clock.now());
    batch.stanzas.push({ ...route, id, kind, itemKey, stanza: text, queuedAt });
    const key = keyOf(route);
    let share = batch.routes.get(key);
    if (!share) batch.routes.set(key, (share = { route, first: id, isForSenders: false, isRefused: false }));
    if (kind === "notification") return batch.written;
    share.isForSenders = true;
    return batch.written.then(() => {
      if (share.isRefused)
        throw new StanzaError("resource-constraint", { text: `Too much waits for ${to.domain} already` });
    });
  }

  /** The domain has shown itself: no need to wait until the next try. */
  seen(local: string, domain: string): void {
    const route = { local, domain };
    if (!this.#desk || this.#destinations.has(keyOf(route))) return;
    this.#options.queue
      .expedite(route, new Date(this.#clock.now()))
      .then(() => this.#look())
      .catch((error: unknown) => this.#options.log.error({ err: error, ...route }, "a queue is not tried"));
  }

  async status(): Promise<RouteStatus[]> {
    const { queue } = this.#options;
    const [states, lengths] = await Promise.all([queue.routes(), queue.lengths()]);
    const lengthOf = new Map(lengths.map((one) => [keyOf(one), one]));
    const stateOf = new Map(states.map((one) => [keyOf(one), one]));
    const routes = new Map<string, Route>(
      [...states, ...lengths, ...[...this.#destinations.values()].map(({ route }) => route)].map(
        ({ local, domain }) => [keyOf({ local, domain }), { local, domain }],
      ),
    );
    return [...routes].map(([key, route]) => {
      const state = stateOf.get(key);
      const waits = lengthOf.get(key);
      const active = this.#destinations.get(key);
      const failing = active?.phase === "connected" ? undefined : (state?.failingSince ?? undefined);
      return {
        ...route,
        state: failing ? "failing" : (active?.phase ?? "waiting"),
        since: failing ?? new Date(active?.since ?? waits?.oldest ?? this.#clock.now()),
        queued: waits?.length ?? 0,
        oldest: waits?.oldest,
        problem: (failing && state?.reason) ?? undefined,
        condition: (failing && state?.condition) ?? undefined,
        attempts: failing ? state!.attempts : 0,
        nextTry: failing && waits && !active ? state!.nextAt : undefined,
      };
    });
  }

  /** What goes to a thousand addresses is looked at once. */
  #classOf(stanza: Element): DeliveryClass {
    if (this.#last?.stanza !== stanza) this.#last = { stanza, how: deliveryClass(stanza) };
    return this.#last.how;
  }

  #hold(route: Route, transient: Transient): void {
    const destination = this.#destinations.get(keyOf(route)) ?? this.#open(route);
    if (destination) return destination.hold(transient);
    if (transient.asks) {
      throw new StanzaError("resource-constraint", { text: "Too many other servers are being spoken with" });
    }
  }

  #newBatch(): Batch {
    const stanzas: NewStanza[] = [];
    const routes = new Map<string, Share>();
    const written = this.#write(stanzas, routes);
    this.#written = written.catch(() => undefined);
    return { stanzas, routes, written };
  }

  /** What is written grows until the transaction is at work: with what a turn writes elsewhere it is one commit. */
  async #write(stanzas: readonly NewStanza[], routes: ReadonlyMap<string, Share>): Promise<void> {
    const { queue } = this.#options;
    const orphans = (): Share[] =>
      [...routes.values()].filter(({ route }) => !this.#destinations.has(keyOf(route)));
    let due: readonly Share[] = [];
    try {
      await queue.collect(async (holds) => {
        this.#writing = this.#batch;
        this.#batch = undefined;
        for (const share of routes.values()) share.isRefused = await holds(share.route, maxQueued);
        const hasRoom = (stanza: NewStanza): boolean => !routes.get(keyOf(stanza))!.isRefused;
        due = orphans();
        return { stanzas: stanzas.filter(hasRoom), due: due.map((share) => this.#dueNow(share)) };
      });
    } finally {
      this.#writing = undefined;
      // It may not even have been asked for.
      if (this.#batch?.stanzas === stanzas) this.#batch = undefined;
      for (const { route } of routes.values()) this.#destinations.get(keyOf(route))?.wake();
    }
    // Who ended while that was written has not seen it; who is there now has been told.
    const left = orphans().filter((share) => !due.includes(share));
    if (left.length > 0)
      await queue.add(
        [],
        left.map((share) => this.#dueNow(share)),
      );
    if (orphans().length > 0) this.#look();
  }

  /** The first stanza for a route that is not on disk yet: what is newer has to wait for it. */
  #unwritten(key: string): string | undefined {
    return (this.#writing?.routes.get(key) ?? this.#batch?.routes.get(key))?.first;
  }

  #dueNow({ route, isForSenders }: Pick<Share, "route" | "isForSenders">): Due {
    const pause = isForSenders ? pauseForSenders : pauseForEvents;
    return { ...route, at: new Date(this.#clock.now()), pause };
  }

  #open(route: Route): Destination | undefined {
    if (!this.#desk) return undefined;
    if (this.#destinations.size >= maxDestinations) {
      for (const one of this.#destinations.values()) {
        if (one.isIdle) {
          one.makeRoom();
          break;
        }
      }
      return undefined;
    }
    const destination = new Destination(route, new Held(this.#total), this.#desk);
    this.#destinations.set(keyOf(route), destination);
    return destination;
  }

  #gone(destination: Destination, late: boolean): void {
    const { route } = destination;
    this.#destinations.delete(keyOf(route));
    this.#retries.delete(keyOf(route));
    if (!this.#desk) return;
    if (!late) return this.#look();
    this.#options.queue
      .add([], [this.#dueNow({ route, isForSenders: true })])
      .catch((error: unknown) => this.#options.log.error({ err: error, ...route }, "a queue is forgotten"))
      .finally(() => this.#look());
  }

  /** Looks, soon, whose turn it is. */
  #look(): void {
    if (!this.#desk) return;
    this.#looking ??= new Promise<void>((resolve) => setImmediate(resolve))
      .then(() => {
        this.#looking = undefined;
        return this.#openDue();
      })
      .catch((error: unknown) =>
        this.#options.log.error({ err: error }, "the queue to other domains cannot be read"),
      );
  }

  async #openDue(): Promise<void> {
    const { queue } = this.#options;
    const now = new Date(this.#clock.now());
    const first = await queue.due(now, false, maxDestinations);
    const again = await queue.due(now, true, maxRetries);
    for (const { local, domain, failingSince } of [...first, ...again]) {
      const route = { local, domain };
      const key = keyOf(route);
      if (this.#destinations.has(key)) continue;
      if (failingSince && this.#retries.size >= maxRetries) break;
      if (!this.#open(route)) break;
      if (failingSince) this.#retries.add(key);
    }
    const next = await queue.nextDue(now);
    if (next) this.#wakeAt(next.getTime());
  }

  #wakeAt(at: number): void {
    if (!this.#desk || (this.#alarm && this.#alarm.at <= at)) return;
    this.#alarm?.cancel();
    const cancel = this.#clock.after(Math.max(at - this.#clock.now(), 0), () => {
      this.#alarm = undefined;
      this.#look();
    });
    this.#alarm = { at, cancel };
  }
}

const keyOf = ({ local, domain }: Route): string => `${local}>${domain}`;
