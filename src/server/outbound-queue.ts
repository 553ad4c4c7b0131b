/** What the queue to other domains needs of a store. All that writes resolves once it is durable. */
import type { DurableKind } from "./delivery-class.ts";

/** One way: from a domain of ours to another one. */
export interface Route {
  readonly local: string;
  readonly domain: string;
}

export interface QueuedStanza {
  /** Sorts by when it was queued. */
  readonly id: string;
  readonly kind: DurableKind;
  readonly stanza: string;
  readonly attempts: number;
}

export interface NewStanza extends Route {
  readonly id: string;
  readonly kind: DurableKind;
  readonly stanza: string;
  /** Takes the place of the one that has the same key. */
  readonly itemKey: string | null;
  readonly queuedAt: Date;
}

/** What is known of a route on which something waits or that failed lately. */
export interface RouteState extends Route {
  readonly attempts: number;
  readonly failingSince: Date | null;
  readonly triedAt: Date | null;
  readonly nextAt: Date;
  readonly condition: string | null;
  readonly reason: string | null;
}

/** A route on which something waits now. */
export interface Due extends Route {
  readonly at: Date;
  /** A later time that was set before gives way, but not sooner than so long after the last try. In milliseconds. */
  readonly pause: number;
}

export interface NewOutbound {
  readonly stanzas: readonly NewStanza[];
  readonly due: readonly Due[];
}

export interface OutboundQueue {
  /**
   * Queues what `collect` gives, and notes where nobody looks after it yet. It is asked once the transaction is at work,
   * so that one commit holds all that came until then, here and elsewhere. `holds` is the one below, in there.
   */
  collect(collect: (holds: OutboundQueue["holds"]) => Promise<NewOutbound>): Promise<void>;
  /** Queues stanzas, and notes where nobody looks after them yet. */
  add(stanzas: readonly NewStanza[], due: readonly Due[]): Promise<void>;
  /** The oldest behind `after`. */
  page(route: Route, after: string, limit: number): Promise<QueuedStanza[]>;
  remove(route: Route, ids: readonly string[]): Promise<void>;
  countAttempt(route: Route, id: string): Promise<void>;
  /** Those of a kind that were queued at a time or before. */
  aged(route: Route, kind: DurableKind, at: Date, limit: number): Promise<QueuedStanza[]>;
  oldest(route: Route, kind: DurableKind): Promise<Date | undefined>;
  /** Whether at least so many wait. */
  holds(route: Route, size: number): Promise<boolean>;
  find(route: Route): Promise<RouteState | undefined>;
  put(state: RouteState): Promise<void>;
  forget(route: Route): Promise<void>;
  /** Those to be tried by now, for the first time or again, who waits longest first. */
  due(now: Date, again: boolean, limit: number): Promise<RouteState[]>;
  /** When the next of them is to be tried, after that time. */
  nextDue(from: Date): Promise<Date | undefined>;
  lengths(): Promise<(Route & { readonly length: number; readonly oldest: Date })[]>;
  routes(): Promise<RouteState[]>;
  /** At start: all are tried at once, and what was being sent when the node ended has somebody who looks after it. */
  recover(at: Date): Promise<void>;
  /** The domain has shown that it is there: no need to wait until the next try. */
  expedite(route: Route, at: Date): Promise<void>;
}
