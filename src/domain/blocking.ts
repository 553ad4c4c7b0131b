/**
 * XEP-0191: whom people have blocked. It is asked for every stanza, so it answers at once wherever it can: the names of
 * those who block anybody are in memory, and of their lists the ones that were asked for lately.
 */
import { blockedStore } from "../store/blocked.ts";
import type { Store } from "../store/store.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { BlockList } from "./block-list.ts";

/** Addresses that one account can block; a spammer's makes are blocked by their domain. */
const maxEntries = 5_000;
/** Addresses in memory, of all accounts together: some 20 MB. */
const keptEntries = 200_000;

const nobody = new BlockList([]);

type Checker = (jid: Jid) => boolean;

export interface BlockingOptions {
  readonly store: Store;
  /** Whether a bare JID is the server itself or a service of it. */
  isOurs(bare: string): boolean;
}

export class Blocking {
  readonly #store: Store;
  readonly #rows: ReturnType<typeof blockedStore>;
  readonly #isOurs: (bare: string) => boolean;
  #blockers: Set<string> | undefined;
  /** Longest in memory first. */
  readonly #kept = new Map<string, BlockList>();
  #keptEntries = 0;
  /** Counts changes, so that a list that was read before one is not kept behind it. */
  #changes = 0;

  constructor({ store, isOurs }: BlockingOptions) {
    this.#store = store;
    this.#rows = blockedStore(store);
    this.#isOurs = isOurs;
  }

  /**
   * Whether an account (bare JID) has blocked `jid`. Its own resources never are, nor the server and its services: these
   * a domain on the list does not mean.
   */
  blocked(account: string, jid: Jid): boolean | Promise<boolean> {
    if (this.#blockers && !this.#blockers.has(account)) return false;
    if (jid.bare === account || this.#isOurs(jid.bare)) return false;
    const list = this.#kept.get(account);
    return list ? list.has(jid) : this.list(account).then((read) => read.has(jid));
  }

  /** The same for many at once; `undefined` where nobody is blocked. */
  checker(account: string): Checker | undefined | Promise<Checker | undefined> {
    if (this.#blockers && !this.#blockers.has(account)) return undefined;
    const list = this.#kept.get(account);
    return list
      ? this.#checker(account, list)
      : this.list(account).then((read) => this.#checker(account, read));
  }

  #checker(account: string, list: BlockList): Checker | undefined {
    if (list.size === 0) return undefined;
    return (jid) => jid.bare !== account && !this.#isOurs(jid.bare) && list.has(jid);
  }

  async list(account: string): Promise<BlockList> {
    const changes = this.#changes;
    if (!this.#blockers) {
      const accounts = await this.#rows.accounts();
      if (changes === this.#changes) this.#blockers = new Set(accounts);
    }
    if (this.#blockers && !this.#blockers.has(account)) return nobody;
    const kept = this.#kept.get(account);
    if (kept) return kept;
    const list = new BlockList(await this.#rows.list(account));
    if (changes === this.#changes) this.#keep(account, list);
    return list;
  }

  /**
   * Puts addresses on the list of an account; returns those that were not on it. `not-acceptable` for its own address and
   * those of this server, `resource-constraint` where the list is full.
   */
  async block(account: string, jids: readonly Jid[]): Promise<Jid[]> {
    for (const { bare, local } of jids) {
      if (bare === account || (local !== "" && this.#isOurs(bare)))
        throw new StanzaError("not-acceptable", { text: `${bare} cannot be blocked` });
    }
    return this.#change(account, async (rows) => {
      const before = new Set(await rows.list(account));
      const added = new Map(jids.filter(({ full }) => !before.has(full)).map((jid) => [jid.full, jid]));
      if (before.size + added.size > maxEntries)
        throw new StanzaError("resource-constraint", { text: `At most ${maxEntries} addresses are blocked` });
      await rows.add(account, [...added.keys()]);
      return [...added.values()];
    });
  }

  /** Takes addresses off the list, or all of them; returns those that were on it. */
  async unblock(account: string, jids?: readonly Jid[]): Promise<Jid[]> {
    return this.#change(account, async (rows) => {
      const before = new Set(await rows.list(account));
      const removed = (jids?.map(({ full }) => full) ?? [...before]).filter((jid) => before.has(jid));
      if (removed.length > 0) await rows.remove(account, removed);
      return removed.flatMap((jid) => parseJid(jid) ?? []);
    });
  }

  /** Forgets an account that is no more, and what it reported. */
  async clear(account: string): Promise<void> {
    await this.#change(account, (rows) => rows.clear(account));
  }

  async #change<T>(account: string, work: (rows: ReturnType<typeof blockedStore>) => Promise<T>): Promise<T> {
    const done = await this.#store.transaction((tx) => work(blockedStore(tx)));
    const changes = (this.#changes += 1);
    this.#drop(account);
    this.#blockers?.add(account);
    const list = await this.list(account);
    if (list.size === 0 && changes === this.#changes) {
      this.#drop(account);
      this.#blockers?.delete(account);
    }
    return done;
  }

  #keep(account: string, list: BlockList): void {
    this.#drop(account);
    this.#kept.set(account, list);
    this.#keptEntries += list.size;
    for (const oldest of this.#kept.keys()) {
      if (this.#keptEntries <= keptEntries) break;
      this.#drop(oldest);
    }
  }

  #drop(account: string): void {
    this.#keptEntries -= this.#kept.get(account)?.size ?? 0;
    this.#kept.delete(account);
  }
}
