/**
 * XEP-0357: the push services by which clients want to be woken. It is asked for every message that may wake somebody,
 * so all of it but what is sent along is in memory, a few hundred bytes each.
 */
import { pushStore, type PushKey, type PushProgress, type PushRow } from "../store/push.ts";
import type { Store } from "../store/store.ts";

/** A person's devices, with several accounts in some client, and what reinstalled ones left behind. */
const maxOfAccount = 20;
const dayMs = 86_400_000;
/** Given up so often in a row, for a day, two, four and eight, it is forgotten. */
const maxFailures = 5;

/** Kept current; only `Registrations` changes it. */
export type Registration = Readonly<Omit<PushRow, "options">>;

/** A client as its session tells it. */
export interface PushClient {
  readonly account: string;
  readonly client: string | null;
  readonly resource: string;
  readonly appPassword: string | null;
}

export interface PushRequest {
  readonly service: string;
  readonly node: string;
  readonly options: string | null;
  readonly wantsPriority: boolean;
}

type Kept = { -readonly [Key in keyof Registration]: Registration[Key] };

const none: readonly Kept[] = [];

export class Registrations {
  readonly #rows: ReturnType<typeof pushStore>;
  readonly #accounts = new Map<string, readonly Kept[]>();

  constructor(store: Store) {
    this.#rows = pushStore(store);
  }

  /** Reads what there is. */
  async open(): Promise<void> {
    for (const row of await this.#rows.all()) this.#set(row.account, [...this.#of(row.account), row]);
  }

  /** Whether any client of an account (bare JID) wants to be woken. */
  has(account: string): boolean {
    return this.#accounts.has(account);
  }

  /** Those of an account, the oldest first. */
  of(account: string): readonly Registration[] {
    return this.#of(account);
  }

  /** Whether it is still what is registered. */
  holds(registration: Registration): boolean {
    return this.#of(registration.account).includes(registration);
  }

  /** What is to be sent along: a form as XML text. */
  options(registration: Registration): Promise<string | undefined> {
    return this.#rows.options(registration);
  }

  /** §5: the last request holds. Where an account has too many, the oldest go; returns what is no more. */
  async enable(client: PushClient, { options, ...request }: PushRequest): Promise<readonly Registration[]> {
    const { account } = client;
    const row: Kept = {
      ...client,
      ...request,
      enabledAt: new Date(),
      pushedAt: null,
      failures: 0,
      pausedUntil: null,
    };
    const others = this.#of(account).filter((one) => !isSame(one, row));
    const surplus = others.slice(0, Math.max(0, others.length + 1 - maxOfAccount));
    await this.#rows.put({ ...row, options }, surplus);
    const gone = this.#of(account).filter((one) => isSame(one, row) || surplus.includes(one));
    this.#drop(account, gone);
    this.#set(account, [...this.#of(account), row]);
    return gone;
  }

  /** Ends those of an account that are meant; returns them. */
  async disable(account: string, isMeant: (one: Registration) => boolean): Promise<readonly Registration[]> {
    const gone = this.#of(account).filter(isMeant);
    if (gone.length === 0) return gone;
    // What nobody wants any more is not sent while that is being written (§6).
    this.#drop(account, gone);
    await this.#rows.remove(gone);
    return gone;
  }

  /** Its client was told to come. */
  async pushed(registration: Registration): Promise<void> {
    await this.#update(registration, { pushedAt: new Date(), failures: 0, pausedUntil: null });
  }

  /** Its client is there again. */
  async returned(registration: Registration): Promise<void> {
    if (registration.pushedAt) await this.#update(registration, { pushedAt: null });
  }

  /** §7.1: its service does not take it: it is given up, for a while that grows, or for ever. */
  async failed(registration: Registration): Promise<void> {
    const failures = registration.failures + 1;
    if (failures >= maxFailures) {
      await this.disable(registration.account, (one) => one === registration);
      return;
    }
    const pausedUntil = new Date(Date.now() + dayMs * 2 ** (failures - 1));
    await this.#update(registration, { failures, pausedUntil });
  }

  /** The account is no more. */
  async clear(account: string): Promise<void> {
    this.#accounts.delete(account);
    await this.#rows.clear(account);
  }

  async #update(registration: Registration, changes: Partial<PushProgress>): Promise<void> {
    const kept = this.#of(registration.account).find((one) => one === registration);
    if (kept) await this.#rows.update(kept, Object.assign(kept, changes));
  }

  #of(account: string): readonly Kept[] {
    return this.#accounts.get(account) ?? none;
  }

  #drop(account: string, gone: readonly Registration[]): void {
    this.#set(
      account,
      this.#of(account).filter((one) => !gone.includes(one)),
    );
  }

  #set(account: string, list: readonly Kept[]): void {
    if (list.length > 0) this.#accounts.set(account, list);
    else this.#accounts.delete(account);
  }
}

const isSame = (one: PushKey, other: PushKey): boolean =>
  one.account === other.account && one.service === other.service && one.node === other.node;
