/** RFC 6121 §2 and §3: whom an account knows, and who may see its presence. */
import type { Events } from "../events.ts";
import { rosterStore, type RosterRow } from "../store/roster.ts";
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
import { serialize, xml, type Element } from "../xmpp/xml.ts";
import type { DomainEvents, RosterChange } from "./events.ts";
import {
  columnsOf,
  fresh,
  HeldRoster,
  isFrom,
  itemOf,
  keptRemovals,
  removal,
  same,
  stateOf,
  type Roster,
  type RosterItem,
  type Written,
} from "./roster.ts";

/** Contacts of one account: more than a big school has people, and a roster that is still sent in well under a second. */
const maxItems = 5_000;
/** RFC 6121 §2.3.3 leaves these to the server: what nobody reaches by hand. */
const maxGroups = 50;
const maxNameLength = 1_023;
/** Requests that wait for an answer; whoever gets more is being flooded, and those beyond are not heard. */
const maxRequests = 200;
/** Of them, such as come from one other domain: no server can keep those of all others from being heard. */
const maxRequestsOfDomain = 50;
/** A longer request loses its extensions: it comes from a stranger and may wait for years. In UTF-16 units. */
const maxRequestLength = 8_192;

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
  /** The stanza of an inbound `subscribe`, which is kept until it is answered (§3.1.3). */
  readonly request?: Element;
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
  /** Committed while the roster was being read. */
  missed: Written[];
}

export type { Roster, RosterItem };

type Rows = ReturnType<typeof rosterStore>;

export class Rosters {
  readonly #store: Store;
  readonly #rows: Rows;
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
        for (const written of held.missed) roster.apply(written);
        held.missed = [];
        held.roster = roster;
        return roster;
      },
      (error: unknown) => {
        held.loading = undefined;
        held.missed = [];
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
    const row = await present(this.#rows, account, jid);
    return row && itemOf(row);
  }

  /** Whether `jid` (bare or full) may see the presence of `owner` (bare): a subscriber, or the owner. */
  async isSubscriber(owner: string, jid: string): Promise<boolean> {
    return this.maySee(owner, jid);
  }

  /** The same, at once where the roster is in memory. */
  maySee(owner: string, jid: string): boolean | Promise<boolean> {
    const bare = bareOf(jid);
    if (bare === owner) return true;
    const items = this.cached(owner);
    return items ? isFrom(items.get(bare)) : this.item(owner, bare).then(isFrom);
  }

  /** The groups of its roster into which `owner` put `jid`. */
  async groupsOf(owner: string, jid: string): Promise<string[]> {
    const item = (await this.item(owner, jid)) ?? (await this.item(owner, bareOf(jid)));
    return item ? [...item.groups] : [];
  }

  /** Adds an item, or renames and regroups it (§2.3, §2.4); its subscription is nothing the user can set. */
  async set(
    account: string,
    item: { jid: string; name?: string | undefined; groups: string[] },
  ): Promise<void> {
    const { jid, name, groups } = item;
    if ([name ?? "", ...groups].some((value) => value.length > maxNameLength)) {
      throw new StanzaError("not-acceptable", { text: `A name has ${maxNameLength} characters at most` });
    }
    if (groups.length > maxGroups) {
      throw new StanzaError("not-acceptable", { text: `A contact is in ${maxGroups} groups at most` });
    }
    await this.#write(account, async (rows) => {
      const row = await present(rows, account, jid);
      if (!row) await refuseMore(rows, account);
      const { subscription, ask, approved } = row ?? fresh;
      const written = { jid, name: name || null, groups, subscription, ask, approved, removed: false };
      return { change: await put(rows, account, written), previous: row && itemOf(row) };
    });
  }

  /**
   * Removes an item and forgets a request of its contact (§2.5); `item-not-found` where there is no such item.
   * Returns the state there was.
   */
  async remove(account: string, jid: string): Promise<SubscriptionState> {
    let before!: SubscriptionState;
    await this.#write(account, async (rows) => {
      const row = await present(rows, account, jid);
      if (!row) throw new StanzaError("item-not-found");
      before = stateOf(row, await rows.isRequested(account, jid));
      await rows.removeRequest(account, jid);
      const change = await put(rows, account, { jid, name: null, groups: [], ...fresh, removed: true });
      await rows.forgetRemovals(account, keptRemovals);
      return { change, previous: itemOf(row), request: { contact: jid, stanza: undefined } };
    });
    return before;
  }

  /** Takes a subscription stanza through the state machine, on one of our sides. */
  async pass(passage: SubscriptionPassage): Promise<Passed> {
    const { account, contact, direction, type } = passage;
    let passed!: Passed;
    const work = async (rows: Rows): Promise<Written> => {
      const row = await present(rows, account, contact);
      const before = stateOf(row, await rows.isRequested(account, contact));
      passed = { before, ...transition(before, direction, type) };
      let request: Written["request"];
      if (before.from !== "pending" && passed.state.from === "pending") {
        const stanza = keptForm(passage.request);
        if (isFlooded(account, contact, await rows.requestedBy(account))) {
          passed = { before, state: before, passes: false, answered: false };
        } else {
          await rows.addRequest(account, contact, stanza, new Date());
          request = { contact, stanza };
        }
      } else if (before.from === "pending" && passed.state.from !== "pending") {
        await rows.removeRequest(account, contact);
        request = { contact, stanza: undefined };
      }
      const columns = columnsOf(passed.state);
      if (same(columns, columnsOf(before))) return { request };
      if (!row) await refuseMore(rows, account);
      const { name, groups } = row ?? { name: null, groups: [] };
      const written = { jid: contact, name, groups, ...columns, removed: false };
      return { change: await put(rows, account, written), previous: row && itemOf(row), request };
    };
    await this.#write(account, work, () => passage.then?.(passed));
    return passed;
  }

  /**
   * Makes two accounts contacts of each other, who both agreed by other means, inside a transaction. What it returns is
   * to be called at once behind the commit.
   */
  async befriend(tx: Store, one: string, other: string): Promise<() => void> {
    const rows = rosterStore(tx);
    const written: [account: string, written: Written][] = [];
    for (const [account, jid] of [
      [one, other],
      [other, one],
    ] as const) {
      const row = await present(rows, account, jid);
      const { name, groups } = row ?? { name: null, groups: [] };
      await rows.removeRequest(account, jid);
      const change = await put(rows, account, { jid, name, groups, ...columnsOf(mutual), removed: false });
      const request = { contact: jid, stanza: undefined };
      written.push([account, { change, previous: row && itemOf(row), request }]);
    }
    return () => {
      for (const [account, what] of written) this.#tell(account, what);
    };
  }

  /** Puts contacts and requests into the roster of an account that nobody uses yet; nobody is told (XEP-0227). */
  async restore(
    account: string,
    items: readonly Omit<RosterItem, "version">[],
    requests: ReadonlyMap<string, Element>,
  ): Promise<void> {
    await this.#store.transaction(async (tx) => {
      const rows = rosterStore(tx);
      for (const { name = null, ...item } of items.slice(0, maxItems))
        await rows.put(account, { ...item, name, removed: false });
      for (const [contact, request] of [...requests].slice(0, maxRequests)) {
        if (await rows.isRequested(account, contact)) continue;
        await rows.addRequest(account, contact, keptForm(request), new Date());
      }
    });
  }

  /** Forgets the roster of an account that is no more. Sessions that still end keep what they hold. */
  clear(account: string): Promise<void> {
    return this.#store.transaction((tx) => rosterStore(tx).clear(account));
  }

  async #load(account: string): Promise<HeldRoster> {
    // The versions last: what is newer than the rows read before is told again, what is older would be lost.
    const rows = await this.#rows.rows(account);
    const requests = await this.#rows.requests(account);
    const versions = await this.#rows.versions(account);
    return new HeldRoster(versions, rows, requests);
  }

  /** What follows the commit runs in one go, so that everybody is told in the order of the versions. */
  async #write(account: string, work: (rows: Rows) => Promise<Written>, then?: () => void): Promise<void> {
    this.#tell(account, await this.#store.transaction((tx) => work(rosterStore(tx))), then);
  }

  #tell(account: string, written: Written, then?: () => void): void {
    const held = this.#held.get(account);
    if (held?.roster) held.roster.apply(written);
    else if (held?.loading) held.missed.push(written);
    then?.();
    const { change, previous } = written;
    if (change) this.#events.emit("roster.changed", { account, item: change, previous });
  }
}

const mutual: SubscriptionState = { to: "granted", from: "granted", approved: false };

/** Whether one more request would be too much, by who waits for an answer already. */
function isFlooded(account: string, contact: string, waiting: readonly string[]): boolean {
  if (waiting.length >= maxRequests) return true;
  const domain = domainOf(contact);
  const ofDomain = waiting.filter((jid) => domainOf(jid) === domain);
  return domain !== domainOf(account) && ofDomain.length >= maxRequestsOfDomain;
}

/** Of a bare JID. */
const domainOf = (jid: string): string => jid.slice(jid.indexOf("@") + 1);

/** A roster item that was not removed. */
async function present(rows: Rows, account: string, jid: string): Promise<RosterRow | undefined> {
  const row = await rows.find(account, jid);
  return row && !row.removed ? row : undefined;
}

async function refuseMore(rows: Rows, account: string): Promise<void> {
  if ((await rows.size(account)) >= maxItems) {
    throw new StanzaError("resource-constraint", { text: `A roster has ${maxItems} contacts at most` });
  }
}

async function put(rows: Rows, account: string, row: Omit<RosterRow, "version">): Promise<RosterChange> {
  const version = await rows.put(account, row);
  return row.removed ? removal(row.jid, version) : itemOf({ ...row, version });
}

function keptForm(request: Element | undefined): string {
  if (!request) throw new Error("a subscription request came without its stanza");
  const whole = serialize(request);
  return whole.length > maxRequestLength ? serialize(xml(request.name, request.attrs)) : whole;
}

const bareOf = (jid: string): string => parseJid(jid)?.bare ?? jid;
