/** RFC 6121 §2: one roster in memory, its items and what its rows mean. */
import type { RosterRow } from "../store/roster.ts";
import type { Subscription } from "../store/schema.ts";
import type { SubscriptionState } from "../xmpp/subscription.ts";
import type { RosterChange } from "./events.ts";

/** Removed items that are remembered; who was away for longer than that many removals gets the whole roster. */
export const keptRemovals = 200;

export interface RosterItem {
  /** Bare or full, prepared. */
  readonly jid: string;
  readonly name: string | undefined;
  readonly groups: string[];
  readonly subscription: Subscription;
  /** A subscription request of ours is unanswered. */
  readonly ask: boolean;
  /** RFC 6121 §3.4: the contact's request will be granted unasked. */
  readonly approved: boolean;
  /** Of the roster, when the item was last changed. */
  readonly version: number;
}

/** A roster in memory, with what was removed from it lately. */
export interface Roster {
  readonly items: ReadonlyMap<string, RosterItem>;
  /** Subscription requests that wait for the user's answer, by contact, as they came; the oldest first (§3.1.3). */
  readonly requests: ReadonlyMap<string, string>;
  readonly version: number;
  /**
   * What changed after a version, in the order of the changes; `undefined` where that is not known any more, or was
   * never a version of this roster (§2.6.3).
   */
  since(version: number): RosterChange[] | undefined;
}

/** What one transaction did to one roster. */
export interface Written {
  readonly change?: RosterChange | undefined;
  /** The item before that. */
  readonly previous?: RosterItem | undefined;
  /** A request that came, or that waits no more. */
  readonly request?: { readonly contact: string; readonly stanza: string | undefined } | undefined;
}

export class HeldRoster implements Roster {
  readonly items = new Map<string, RosterItem>();
  readonly requests = new Map<string, string>();
  version: number;
  #completeSince: number;
  /** Versions of the removals that are remembered, oldest first. */
  readonly #removed = new Map<string, number>();

  /** `rows` are in the order of their versions. */
  constructor(
    { version, completeSince }: { version: number; completeSince: number },
    rows: RosterRow[],
    requests: { jid: string; stanza: string }[],
  ) {
    this.version = version;
    this.#completeSince = completeSince;
    for (const row of rows) {
      if (row.removed) this.#removed.set(row.jid, row.version);
      else this.items.set(row.jid, itemOf(row));
    }
    for (const { jid, stanza } of requests) this.requests.set(jid, stanza);
  }

  apply({ change, request }: Written): void {
    if (request?.stanza !== undefined) this.requests.set(request.contact, request.stanza);
    else if (request) this.requests.delete(request.contact);
    if (!change) return;
    const { jid, version, subscription } = change;
    this.#removed.delete(jid);
    if (subscription === "remove") {
      this.items.delete(jid);
      this.#removed.set(jid, version);
      this.#forgetRemovals();
    } else {
      this.items.set(jid, { ...change, groups: [...change.groups], subscription });
    }
    this.version = version;
  }

  since(version: number): RosterChange[] | undefined {
    if (version < this.#completeSince || version > this.version) return undefined;
    const changes: RosterChange[] = [];
    for (const item of this.items.values()) if (item.version > version) changes.push(item);
    for (const [jid, at] of this.#removed) if (at > version) changes.push(removal(jid, at));
    return changes.sort((a, b) => a.version - b.version);
  }

  #forgetRemovals(): void {
    for (const [jid, version] of this.#removed) {
      if (this.#removed.size <= keptRemovals) return;
      this.#removed.delete(jid);
      this.#completeSince = version;
    }
  }
}

/** Whether the contact sees the presence of the roster's owner. */
export function isFrom(item: RosterItem | undefined): boolean {
  return item?.subscription === "from" || item?.subscription === "both";
}

/** Whether the roster's owner sees the presence of the contact. */
export function isTo(item: RosterItem | undefined): boolean {
  return item?.subscription === "to" || item?.subscription === "both";
}

export const fresh = { subscription: "none", ask: false, approved: false } as const;

export function stateOf(row: RosterRow | undefined, requested: boolean): SubscriptionState {
  const { subscription, ask, approved } = row ?? fresh;
  const to = subscription === "to" || subscription === "both" ? "granted" : ask ? "pending" : "none";
  const from =
    subscription === "from" || subscription === "both" ? "granted" : requested ? "pending" : "none";
  return { to, from, approved };
}

type SubscriptionColumns = Pick<RosterRow, "subscription" | "ask" | "approved">;

/** A request of the contact is no part of the item (§3.1.3): the roster does not show «Pending In». */
export function columnsOf({ to, from, approved }: SubscriptionState): SubscriptionColumns {
  const subscription =
    to === "granted" ? (from === "granted" ? "both" : "to") : from === "granted" ? "from" : "none";
  return { subscription, ask: to === "pending", approved };
}

export const same = (one: SubscriptionColumns, other: SubscriptionColumns): boolean =>
  one.subscription === other.subscription && one.ask === other.ask && one.approved === other.approved;

export function itemOf({ jid, name, groups, subscription, ask, approved, version }: RosterRow): RosterItem {
  return { jid, name: name ?? undefined, groups, subscription, ask, approved, version };
}

export const removal = (jid: string, version: number): RosterChange => ({
  jid,
  name: undefined,
  groups: [],
  subscription: "remove",
  ask: false,
  approved: false,
  version,
});
