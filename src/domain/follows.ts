/**
 * Whom an account follows. The node subscribes in its name, keeps what comes of it in its timeline, and looks now and
 * then whether something is missing there. Nobody is dropped because their server is away.
 */
import type { Events } from "../events.ts";
import { followStore, type FollowRow } from "../store/follows.ts";
import type { Store } from "../store/store.ts";
import { StanzaError } from "../xmpp/errors.ts";
import type { Jid } from "../xmpp/jid.ts";
import { followable, isOutOfReach, reasonOf } from "./follow-reasons.ts";
import type { DomainEvents } from "./events.ts";
import type { BlogItem, Timeline } from "./timeline.ts";

/** Blogs that one account follows. */
const followsMaximum = 2_000;
/** How often a blog is compared with the timeline; in milliseconds, as all times here. */
const checkInterval = 24 * 3_600_000;
/**
 * Sooner while comparisons find what nobody told: each that does not doubles the pause. ejabberd before 26.01 tells
 * subscribers elsewhere nothing of a node with `presence_based_delivery`, its default, whatever presence they send.
 */
const shortestCheck = 15 * 60_000;
/** First pause after a server was not reached, and the longest. */
const firstRetry = 60_000;
const longestRetry = 6 * 3_600_000;
/** A connection that is merely a new one, so long after a comparison, is followed by no other. */
const freshFor = 6 * 3_600_000;
/** Due follows that are looked at together, and domains that are asked at once. */
const batchSize = 500;
const domainsAtOnce = 8;
/** Pages of a blog that are read to fill a gap; what is older stays away. */
const pagesMaximum = 5;
/** Items that are asked for in one comparison because they seem to be gone. */
const missingMaximum = 20;

export interface BlogPage {
  /** Newest first. */
  readonly items: readonly BlogItem[];
  /** The page of older ones, where there may be one; it may repeat some. */
  readonly next?: () => Promise<BlogPage>;
}

/** Blogs, wherever they are. Each throws `StanzaError`, which is that of the other side where it answered. */
export interface Blogs {
  /** Has the events of a blog sent to the account; `pending` until its owner agrees. */
  subscribe(account: string, target: string): Promise<"subscribed" | "pending">;
  unsubscribe(account: string, target: string): Promise<void>;
  /** The newest items. */
  page(account: string, target: string): Promise<BlogPage>;
  item(account: string, target: string, id: string): Promise<BlogItem | undefined>;
}

export interface Follow {
  /** Bare JIDs. */
  readonly account: string;
  readonly target: string;
  readonly state: "pending" | "subscribed" | "refused";
  /** Why it is pending or refused, for people. */
  readonly reason: string | undefined;
  readonly followedAt: Date;
}

export interface FollowsOptions {
  readonly store: Store;
  readonly events: Events<DomainEvents>;
  readonly timeline: Timeline;
  readonly blogs: Blogs;
  readonly now?: () => Date;
}

export class Follows {
  readonly #rows: ReturnType<typeof followStore>;
  readonly #timeline: Timeline;
  readonly #blogs: Blogs;
  readonly #now: () => Date;
  /** Under way, by account and target. */
  readonly #working = new Map<string, Promise<void>>();
  /** Those under way, for the first time, of whom something was heard meanwhile. */
  readonly #early = new Set<string>();
  readonly #domains = new Set<string>();

  constructor({ store, events, timeline, blogs, now }: FollowsOptions) {
    this.#rows = followStore(store);
    this.#timeline = timeline;
    this.#blogs = blogs;
    this.#now = now ?? (() => new Date());
    events.on("account.removed", ({ account }) => this.#rows.endAll(account, this.#now()));
  }

  /** Follows somebody and tells what came of it; durable as `pending` before anybody is asked. */
  async follow(account: Jid, target: Jid): Promise<Follow> {
    followable(account, target);
    const key = { account: account.bare, target: target.bare };
    const before = await this.#rows.find(key);
    if ((!before || before.state === "ending") && (await this.of(account.bare)).length >= followsMaximum) {
      throw new StanzaError("resource-constraint", { text: `You can follow ${followsMaximum} at most` });
    }
    const now = this.#now();
    if (before?.state !== "subscribed") {
      const fresh = {
        condition: null,
        reason: null,
        followedAt: now,
        nextAt: now,
        attempts: 0,
        checkedAt: null,
      };
      const kept = before && before.state !== "ending" ? { followedAt: before.followedAt } : {};
      await this.#rows.put({ ...key, domain: target.domain, state: "pending", ...fresh, ...kept });
    }
    await this.#attend(key);
    const row = await this.#rows.find(key);
    if (!row || row.state === "ending")
      throw new StanzaError("item-not-found", { text: "Unfollowed meanwhile" });
    return followFrom(row);
  }

  /** `item-not-found` where they are not followed. The other side is told as soon as it can be. */
  async unfollow(account: Jid, target: Jid): Promise<void> {
    const key = { account: account.bare, target: target.bare };
    const row = await this.#rows.find(key);
    if (!row || row.state === "ending") {
      throw new StanzaError("item-not-found", { text: `You do not follow ${target.bare}` });
    }
    await this.#rows.put({ ...row, state: "ending", nextAt: this.#now(), attempts: 0 });
    await this.#attend(key);
  }

  /** In the order of the addresses. */
  async of(account: string): Promise<Follow[]> {
    return (await this.#rows.of(account)).flatMap((row) => (row.state === "ending" ? [] : followFrom(row)));
  }

  /**
   * Whether what comes from there is for the account's timeline. Before the first comparison it is not: many servers
   * send the last item to who subscribes (XEP-0060 §6.1.7), and that is no news.
   */
  async hears(account: string, target: string): Promise<boolean> {
    const row = await this.#rows.find({ account, target });
    if (row?.state !== "subscribed" && row?.state !== "pending") return false;
    if (row.checkedAt) return true;
    const id = idOf(row);
    if (this.#working.has(id)) this.#early.add(id);
    return false;
  }

  /** The other side says how the subscription stands now (XEP-0060 §8.6, §12.13). */
  async changed(account: string, target: string, state: string): Promise<void> {
    const row = await this.#rows.find({ account, target });
    if (!row || row.state === "ending") return;
    if (state === "subscribed" && row.state !== "subscribed") return this.#attend({ account, target });
    if (state !== "none") return;
    const reason = "they ended your subscription";
    await this.#rows.change(row, { state: "refused", condition: "forbidden", reason, nextAt: this.#later() });
  }

  /** The account sees their presence from now on, and so may read what only contacts read. */
  async admitted(account: string, target: string): Promise<void> {
    const row = await this.#rows.find({ account, target });
    if (row?.state === "refused") await this.#attend({ account, target });
  }

  /** Fetches an item of which only the id was told. */
  async fetch(account: string, target: string, id: string): Promise<void> {
    const item = await this.#item(account, target, id);
    if (item) await this.#timeline.receive(account, target, [item]);
  }

  /** Looks after all that are due; resolves when that is done. Those at one domain one after the other. */
  async attend(): Promise<void> {
    const due = await this.#rows.due(this.#now(), batchSize);
    const byDomain = new Map<string, FollowRow[]>();
    for (const row of due) {
      if (this.#domains.has(row.domain)) continue;
      const rows = byDomain.get(row.domain);
      if (rows) rows.push(row);
      else byDomain.set(row.domain, [row]);
    }
    const domains = byDomain.entries();
    const work = async (): Promise<void> => {
      for (const [domain, rows] of domains) await this.#attendDomain(domain, rows);
    };
    await Promise.all(Array.from({ length: domainsAtOnce }, work));
  }

  /**
   * A domain is connected, or (all of them) this node is: what waits for it is tried, and after a pause gaps are looked
   * for; `again`: it could not be reached for a while, so there may be some.
   */
  async hasten(domain: string | undefined, again: boolean, pause = 0): Promise<void> {
    const now = this.#now().getTime();
    await this.#rows.hasten(domain, new Date(now));
    await this.#rows.compare(domain, new Date(now + pause), new Date(now - (again ? 0 : freshFor)));
    await this.attend();
  }

  async #attendDomain(domain: string, rows: readonly FollowRow[]): Promise<void> {
    if (this.#domains.has(domain)) return;
    this.#domains.add(domain);
    try {
      for (const row of rows) {
        await this.#attend(row);
        const after = await this.#rows.find(row);
        if (!after || after.attempts <= row.attempts) continue;
        // Nobody there: the others need not find out one by one.
        await this.#rows.postpone(domain, this.#now(), after.nextAt);
        return;
      }
    } finally {
      this.#domains.delete(domain);
    }
  }

  /** One at a time for each follow; who comes meanwhile waits for the same. */
  #attend(key: { account: string; target: string }): Promise<void> {
    const id = idOf(key);
    let work = this.#working.get(id);
    if (!work) {
      work = this.#attendOne(key).finally(() => {
        this.#working.delete(id);
        this.#early.delete(id);
      });
      this.#working.set(id, work);
    }
    return work;
  }

  async #attendOne(key: { account: string; target: string }): Promise<void> {
    const row = await this.#rows.find(key);
    if (!row) return;
    const { account, target } = row;
    try {
      if (row.state === "ending") {
        await this.#blogs.unsubscribe(account, target);
        return await this.#rows.end(row);
      }
      const state = await this.#blogs.subscribe(account, target);
      const isOpen = state === "subscribed";
      const reason = isOpen ? null : "they have to agree first";
      const condition = isOpen ? null : "pending-subscription";
      await this.#rows.change(row, { state, condition, reason, attempts: 0, nextAt: this.#later() });
      if (isOpen) await this.#compare({ ...row, state, attempts: 0 });
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error;
      await this.#failed(row, error);
    }
  }

  async #compare(row: FollowRow): Promise<void> {
    let isSame = true;
    try {
      isSame = !(await this.#fill(row));
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error;
      // Who gives no list of items still sends what is new.
      if (isOutOfReach(error)) return this.#failed(row, error);
    }
    const now = this.#now();
    const doubled = isSame && row.checkedAt ? 2 * (now.getTime() - row.checkedAt.getTime()) : 0;
    const pause = Math.min(Math.max(doubled, shortestCheck), checkInterval);
    await this.#rows.change(row, { checkedAt: now, nextAt: this.#later(pause) });
    // What came after the page that was asked for, is news.
    if (this.#early.delete(idOf(row))) return this.#compare({ ...row, checkedAt: now });
    await this.#timeline.trim(row.account);
  }

  async #failed(row: FollowRow, error: StanzaError): Promise<void> {
    if (isOutOfReach(error)) {
      const attempts = row.attempts + 1;
      const pause = Math.min(firstRetry * 2 ** row.attempts, longestRetry) * (0.75 + Math.random() / 2);
      const nextAt = new Date(this.#now().getTime() + pause);
      const { condition } = error;
      return this.#rows.change(row, { condition, reason: reasonOf(error), attempts, nextAt });
    }
    // Whoever knows nothing of a subscription has ended it.
    if (row.state === "ending") return this.#rows.end(row);
    const refusal = { state: "refused", condition: error.condition, reason: reasonOf(error) } as const;
    await this.#rows.change(row, { ...refusal, attempts: 0, nextAt: this.#later() });
  }

  /**
   * Compares the newest items with the timeline: takes in what is missing, the oldest first, and takes out what is
   * gone. The first time, what was there before is taken in without telling anybody. Whether anything was different.
   */
  async #fill({ account, target, checkedAt }: FollowRow): Promise<boolean> {
    const items: BlogItem[] = [];
    const known = new Set<string>();
    let turn: BlogPage["next"] = () => this.#blogs.page(account, target);
    for (let pages = 0; turn && pages < pagesMaximum; pages += 1) {
      const page: BlogPage = await turn();
      const more = page.items.filter(({ id }) => !items.some((item) => item.id === id));
      items.push(...more);
      const ids = more.map(({ id }) => id);
      for (const id of await this.#timeline.known(account, target, ids)) known.add(id);
      const last = ids.at(-1);
      if (last === undefined || known.has(last) || !checkedAt) break;
      turn = page.next;
    }
    // What is older than all that is known was there before, or has been forgotten.
    const oldest = items.findLastIndex(({ id }) => known.has(id));
    const wanted = oldest < 0 ? items : items.slice(0, oldest + 1);
    let changed = false;
    for (const item of wanted.toReversed()) {
      const whole = item.payload ? item : await this.#item(account, target, item.id);
      if (whole && (await this.#timeline.receive(account, target, [whole], !checkedAt))) changed = true;
    }
    const gone: string[] = [];
    const ids = wanted.map(({ id }) => id);
    for (const id of await this.#timeline.missing(account, target, ids, missingMaximum)) {
      // Some order their items in other ways than we do; only who is asked for one says that it is gone.
      if (!(await this.#item(account, target, id))) gone.push(id);
    }
    if (gone.length > 0) await this.#timeline.retract(account, target, gone);
    return changed || gone.length > 0;
  }

  /** `undefined` where there is none, or none any more. */
  async #item(account: string, target: string, id: string): Promise<BlogItem | undefined> {
    try {
      return await this.#blogs.item(account, target, id);
    } catch (error) {
      if (error instanceof StanzaError && error.condition === "item-not-found") return undefined;
      throw error;
    }
  }

  #later(pause = checkInterval): Date {
    return new Date(this.#now().getTime() + pause * (0.9 + Math.random() / 5));
  }
}

const idOf = ({ account, target }: Pick<FollowRow, "account" | "target">): string => `${account} ${target}`;

function followFrom({ account, target, state, reason, followedAt }: FollowRow): Follow {
  if (state === "ending") throw new Error("what has ended is no follow");
  return { account, target, state, reason: reason ?? undefined, followedAt };
}
