/** RFC 6121 §2 and §3: whom an account knows, and who may see its presence. */
import type { Events } from "../events.ts";
import { rosterStore, type RosterRow } from "../store/roster.ts";
import type { Subscription } from "../store/schema.ts";
import type { Store } from "../store/store.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { parseJid } from "../xmpp/jid.ts";
import {
  transition,
  type Direction,
  type SubscriptionState,
  type SubscriptionType,
  type Transition,
} from "../xmpp/subscription.ts";
import type { DomainEvents, RosterChange } from "./events.ts";

/** Contacts of one account: more than a big school has people, and a roster that is still sent in well under a second. */
const maxItems = 5_000;
/** RFC 6121 §2.3.3 leaves these to the server: what nobody reaches by hand. */
const maxGroups = 50;
const maxNameLength = 1_023;
/** Requests that wait for an answer; whoever gets more is being flooded, and those beyond are not heard. */
const maxRequests = 500;
/** A longer request loses its extensions: it is kept for years, and comes from a stranger. In UTF-16 units. */
const maxRequestLength = 16_384;
/** Removed items that are remembered; who was away for longer than that many removals gets the whole roster. */
const keptRemovals = 200;

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
  readonly version: number;
  /**
   * What changed after a version, in the order of the changes; `undefined` where that is not known any more, or was
   * never a version of this roster (§2.6.3).
   */
  since(version: number): RosterChange[] | undefined;
}

/** What a subscription stanza did on one side (RFC 6121 appendix A). */
export interface Passed extends Transition {
  readonly before: SubscriptionState;
}

export interface SubscriptionPassage {
  readonly account: string;
  /** Bare JID of the other side. */
  readonly contact: string;
  readonly direction: Direction;
  readonly type: SubscriptionType;
  /** The whole stanza, and what is left of one that is too long; an inbound request is kept until it is answered. */
  readonly stanza?: { readonly whole: string; readonly plain: string };
  /** Runs once all is durable, before anybody is told of a changed item. */
  readonly then?: (passed: Passed) => void;
}

export interface RostersOptions {
  readonly store: Store;
  readonly events: Events<DomainEvents>;
}

interface Held {
  sessions: number;
  roster: HeldRoster | undefined;
  loading: Promise<HeldRoster> | undefined;
  /** Changes committed while the roster was being read. */
  missed: RosterChange[];
}

export class Rosters {
  readonly #store: Store;
  readonly #rows: ReturnType<typeof rosterStore>;
  readonly #events: Events<DomainEvents>;
  readonly #held = new Map<string, Held>();

  constructor({ store, events }: RostersOptions) {
    this.#store = store;
    this.#rows = rosterStore(store);
    this.#events = events;
  }

  /** Keeps the roster of an account in memory once it was asked for, until as many `release`s. One for each session. */
  hold(account: string): void {
    const held = this.#held.get(account);
    if (held) held.sessions += 1;
    else this.#held.set(account, { sessions: 1, roster: undefined, loading: undefined, missed: [] });
  }

  release(account: string): void {
    const held = this.#held.get(account);
    if (!held) return;
    held.sessions -= 1;
    if (held.sessions === 0) this.#held.delete(account);
  }

  /** The roster of a bare JID; while it is held, it shows every change as soon as that is durable. */
  roster(account: string): Promise<Roster> {
    const held = this.#held.get(account);
    if (!held) return this.#load(account);
    if (held.roster) return Promise.resolve(held.roster);
    held.loading ??= this.#load(account).then(
      (roster) => {
        for (const change of held.missed) roster.apply(change);
        held.missed = [];
        held.roster = roster;
        return roster;
      },
      (error: unknown) => {
        held.loading = undefined;
        throw error;
      },
    );
    return held.loading;
  }

  /** The items of a bare JID by their JIDs. */
  async of(account: string): Promise<ReadonlyMap<string, RosterItem>> {
    return (await this.roster(account)).items;
  }

  /** The same without waiting, where they are in memory: always so for an account with an available resource. */
  cached(account: string): ReadonlyMap<string, RosterItem> | undefined {
    return this.#held.get(account)?.roster?.items;
  }

  async item(account: string, jid: string): Promise<RosterItem | undefined> {
    const items = this.cached(account);
    if (items) return items.get(jid);
    const row = await this.#rows.find(account, jid);
    return row && !row.removed ? itemOf(row) : undefined;
  }

  /** Whether `jid` (bare or full) may see the presence of `owner` (bare): a subscriber, or the owner. */
  async isSubscriber(owner: string, jid: string): Promise<boolean> {
    const bare = bareOf(jid);
    if (bare === owner) return true;
    return seesPresence(await this.item(owner, bare));
  }

  /** The groups of its roster into which `owner` put `jid`. */
  async groupsOf(owner: string, jid: string): Promise<string[]> {
    const item = (await this.item(owner, jid)) ?? (await this.item(owner, bareOf(jid)));
    return item ? [...item.groups] : [];
  }

  /** Adds an item, or renames and regroups it (§2.3, §2.4); its subscription is nothing the user can set. */
  set(
    account: string,
    item: { jid: string; name?: string | undefined; groups: string[] },
  ): Promise<RosterChange> {
    const { jid, name, groups } = item;
    if ([name ?? "", ...groups].some((value) => value.length > maxNameLength)) {
      throw new StanzaError("not-acceptable", { text: `A name has ${maxNameLength} characters at most` });
    }
    if (groups.length > maxGroups) {
      throw new StanzaError("not-acceptable", { text: `A contact is in ${maxGroups} groups at most` });
    }
    return this.#write(account, async (rows) => {
      const row = await rows.find(account, jid);
      const known = row && !row.removed;
      if (!known) await refuseMore(rows, account);
      const { subscription, ask, approved } = known ? row : fresh;
      return put(rows, account, {
        jid,
        name: name ?? null,
        groups,
        subscription,
        ask,
        approved,
        removed: false,
      });
    });
  }

  /**
   * Removes an item and forgets a request of its contact (§2.5). `then` gets the state there was, before anybody is
   * told; `item-not-found` where there is no such item.
   */
  remove(account: string, jid: string, then?: (before: SubscriptionState) => void): Promise<RosterChange> {
    let before: SubscriptionState;
    return this.#write(
      account,
      async (rows) => {
        const row = await rows.find(account, jid);
        if (!row || row.removed) throw new StanzaError("item-not-found");
        before = stateOf(row, (await rows.request(account, jid)) !== undefined);
        await rows.removeRequest(account, jid);
        const change = await put(rows, account, { ...row, ...fresh, name: null, groups: [], removed: true });
        await rows.forgetRemovals(account, keptRemovals);
        return change;
      },
      () => then?.(before),
    );
  }

  /** Takes a subscription stanza through the state machine on one of our sides. */
  async pass(passage: SubscriptionPassage): Promise<Passed> {
    const { account, contact, direction, type } = passage;
    let passed!: Passed;
    await this.#write(
      account,
      async (rows) => {
        const found = await rows.find(account, contact);
        const row = found && !found.removed ? found : undefined;
        const before = stateOf(row, (await rows.request(account, contact)) !== undefined);
        passed = { before, ...transition(before, direction, type) };
        const { state } = passed;
        if (state.from !== before.from) {
          if (before.from === "pending") await rows.removeRequest(account, contact);
          if (state.from === "pending" && !(await this.#keep(rows, passage))) {
            passed = { ...passed, state: before, passes: false };
          }
        }
        const after = columnsOf(state);
        const now = columnsOf(before);
        if (same(now, after)) return undefined;
        if (!row) await refuseMore(rows, account);
        const { name, groups } = row ?? { name: null, groups: [] };
        return put(rows, account, { jid: contact, name, groups, ...after, removed: false });
      },
      () => passage.then?.(passed),
    );
    return passed;
  }

  /** The requests that wait for the user's answer, as they came, oldest first. */
  requests(account: string): Promise<string[]> {
    return this.#rows.requests(account);
  }

  /** Forgets a roster with its account, and returns the items that there were. */
  async clear(account: string): Promise<RosterItem[]> {
    const items = [...(await this.of(account)).values()];
    await this.#store.transaction((tx) => rosterStore(tx).clear(account));
    this.#held.delete(account);
    return items;
  }

  async #keep(
    rows: ReturnType<typeof rosterStore>,
    { account, contact, stanza }: SubscriptionPassage,
  ): Promise<boolean> {
    if (!stanza) throw new Error("a subscription request came without its stanza");
    if ((await rows.requestCount(account)) >= maxRequests) return false;
    const kept = stanza.whole.length > maxRequestLength ? stanza.plain : stanza.whole;
    await rows.addRequest(account, contact, kept, new Date());
    return true;
  }

  async #load(account: string): Promise<HeldRoster> {
    const [versions, rows] = await Promise.all([this.#rows.versions(account), this.#rows.rows(account)]);
    return new HeldRoster(versions.version, versions.completeSince, rows);
  }

  /** One change of one roster. What follows the commit runs in one go, so everybody is told in the order of versions. */
  async #write<Change extends RosterChange | undefined>(
    account: string,
    work: (rows: ReturnType<typeof rosterStore>) => Promise<Change>,
    then?: () => void,
  ): Promise<Change> {
    const change = await this.#store.transaction((tx) => work(rosterStore(tx)));
    const held = this.#held.get(account);
    if (change && held) {
      if (held.roster) held.roster.apply(change);
      else held.missed.push(change);
    }
    then?.();
    if (change) this.#events.emit("roster.changed", { account, item: change });
    return change;
  }
}

class HeldRoster implements Roster {
  readonly items = new Map<string, RosterItem>();
  version: number;
  #completeSince: number;
  /** Versions of the removals that are remembered, oldest first. */
  readonly #removed = new Map<string, number>();

  /** `rows` are sorted by version. */
  constructor(version: number, completeSince: number, rows: RosterRow[]) {
    this.version = version;
    this.#completeSince = completeSince;
    for (const row of rows) {
      if (row.removed) this.#removed.set(row.jid, row.version);
      else this.items.set(row.jid, itemOf(row));
    }
  }

  apply(change: RosterChange): void {
    const { jid, version, subscription } = change;
    if (subscription === "remove") {
      this.items.delete(jid);
      this.#removed.set(jid, version);
      this.#forgetRemovals();
    } else {
      this.items.set(jid, { ...change, groups: [...change.groups], subscription });
      this.#removed.delete(jid);
    }
    this.version = Math.max(this.version, version);
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

/** Whether the contact of an item may see the presence of the roster's owner. */
export function seesPresence(item: RosterItem | undefined): boolean {
  return item?.subscription === "from" || item?.subscription === "both";
}

/** Whether the roster's owner may see the presence of the contact. */
export function isSeen(item: RosterItem | undefined): boolean {
  return item?.subscription === "to" || item?.subscription === "both";
}

const fresh = { subscription: "none", ask: false, approved: false } as const;

function stateOf(row: RosterRow | undefined, requested: boolean): SubscriptionState {
  const { subscription, ask, approved } = row ?? fresh;
  const to = subscription === "to" || subscription === "both" ? "granted" : ask ? "pending" : "none";
  const from =
    subscription === "from" || subscription === "both" ? "granted" : requested ? "pending" : "none";
  return { to, from, approved };
}

type SubscriptionColumns = Pick<RosterRow, "subscription" | "ask" | "approved">;

/** A request of the contact is no part of the item (§3.1.3): the roster does not show «Pending In». */
function columnsOf({ to, from, approved }: SubscriptionState): SubscriptionColumns {
  const subscription =
    to === "granted" ? (from === "granted" ? "both" : "to") : from === "granted" ? "from" : "none";
  return { subscription, ask: to === "pending", approved };
}

const same = (one: SubscriptionColumns, other: SubscriptionColumns): boolean =>
  one.subscription === other.subscription && one.ask === other.ask && one.approved === other.approved;

async function refuseMore(rows: ReturnType<typeof rosterStore>, account: string): Promise<void> {
  if ((await rows.size(account)) >= maxItems) {
    throw new StanzaError("resource-constraint", { text: `A roster has ${maxItems} contacts at most` });
  }
}

async function put(
  rows: ReturnType<typeof rosterStore>,
  account: string,
  row: Omit<RosterRow, "version">,
): Promise<RosterChange> {
  const version = await rows.put(account, row);
  return row.removed ? removal(row.jid, version) : itemOf({ ...row, version });
}

function itemOf({ jid, name, groups, subscription, ask, approved, version }: RosterRow): RosterItem {
  return { jid, name: name ?? undefined, groups, subscription, ask, approved, version };
}

const removal = (jid: string, version: number): RosterChange => ({
  ...{ jid, name: undefined, groups: [], ask: false, approved: false },
  subscription: "remove",
  version,
});

const bareOf = (jid: string): string => parseJid(jid)?.bare ?? jid;
