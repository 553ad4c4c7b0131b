/** RFC 6120 §6.4.5, §13.12: what guessing passwords and holding connections open costs. */
import { isIPv6 } from "node:net";
import { SaslError, StanzaError } from "../xmpp/errors.ts";

/** How failures turn into waiting. Times are in milliseconds. */
interface Patience {
  /** Failures that cost nothing. */
  readonly free: number;
  /** The wait after the first one that does; it doubles with each further one. */
  readonly firstWait: number;
  readonly longestWait: number;
  /** The time in which one failure is forgotten. */
  readonly forget: number;
}

/** A school has hundreds of people behind one address, and some mistype: ten at once, one a minute in the long run. */
const perNetwork: Patience = { free: 10, firstWait: 1_000, longestWait: 300_000, forget: 60_000 };
/** A person has a few devices with an old password. The longest wait is short: strangers can cause it. */
const perAccount: Patience = { free: 5, firstWait: 1_000, longestWait: 60_000, forget: 60_000 };
/** A class makes its accounts in the same hour, from behind one address; in the long run it is twelve an hour. */
const perRegistrations: Patience = { free: 60, firstWait: 60_000, longestWait: 3_600_000, forget: 300_000 };
/** Keys remembered; some 100 bytes each. A flood of new ones drives out old ones, and costs the flooder connections. */
const maxKeys = 20_000;
/** Connections of one network without a bound resource: a school that comes back after a power cut, some 40 KB each. */
const maxUnbound = 256;

/** Insertion order is age: what is used moves to the end, and the first goes where there are too many. */
class Recent<Value> {
  readonly #entries = new Map<string, Value>();

  get(key: string): Value | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: Value): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= maxKeys) return;
    for (const oldest of this.#entries.keys()) return void this.#entries.delete(oldest);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}

/** Failures by key: each is forgotten after a while, and too many at once block the key for a growing time. */
class Failures {
  readonly #patience: Patience;
  readonly #entries = new Recent<{ count: number; at: number; until: number }>();

  constructor(patience: Patience) {
    this.#patience = patience;
  }

  blocks(key: string, now: number): boolean {
    return now < (this.#entries.get(key)?.until ?? 0);
  }

  add(key: string, now: number): void {
    const { free, firstWait, longestWait, forget } = this.#patience;
    const before = this.#entries.get(key);
    const count = before ? Math.max(0, before.count - (now - before.at) / forget) + 1 : 1;
    const wait = count > free ? Math.min(longestWait, firstWait * 2 ** Math.floor(count - free - 1)) : 0;
    this.#entries.set(key, { count, at: now, until: wait === 0 ? 0 : now + wait });
  }

  clear(key: string): void {
    this.#entries.delete(key);
  }
}

/** Failed logins, by the network they come from and by the account they are for, known or not. */
export class LoginThrottle {
  readonly #networks = new Failures(perNetwork);
  readonly #accounts = new Failures(perAccount);
  /** Where an account has been logged in to from: strangers' failures do not lock its owner out. */
  readonly #proven = new Recent<true>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Throws `temporary-auth-failure` where this network may not try this account now. */
  check(address: string, local: string): void {
    const network = networkOf(address);
    const now = this.#now();
    const blocked =
      this.#networks.blocks(network, now) ||
      (this.#accounts.blocks(local, now) && !this.#proven.get(`${local} ${network}`));
    if (blocked) throw new SaslError("temporary-auth-failure", "Too many failed logins; try again later");
  }

  failed(address: string, local: string): void {
    this.#networks.add(networkOf(address), this.#now());
    this.#accounts.add(local, this.#now());
  }

  /** A login clears the account, not the network: one account there must not pay for guessing at others. */
  succeeded(address: string, local: string): void {
    this.#accounts.clear(local);
    this.#proven.set(`${local} ${networkOf(address)}`, true);
  }
}

/** Accounts that were made, and tries to make one, by the network they come from. */
export class RegistrationThrottle {
  readonly #networks = new Failures(perRegistrations);
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Throws `not-acceptable` where this network has to wait (XEP-0077 §3.1.1). */
  check(address: string): void {
    if (!this.#networks.blocks(networkOf(address), this.#now())) return;
    const text = "Too many accounts were asked for from there; try again later";
    throw new StanzaError("not-acceptable", { type: "wait", text });
  }

  count(address: string): void {
    this.#networks.add(networkOf(address), this.#now());
  }
}

/** The connections that nobody is known on yet, counted by network. */
export class UnboundConnections {
  readonly #counts = new Map<string, number>();
  readonly #most: number;

  constructor(most = maxUnbound) {
    this.#most = most;
  }

  /** `false` where that network has too many already; then nothing is counted. */
  enter(address: string): boolean {
    const network = networkOf(address);
    const count = this.#counts.get(network) ?? 0;
    if (count >= this.#most) return false;
    this.#counts.set(network, count + 1);
    return true;
  }

  /** Once for each that entered. */
  leave(address: string): void {
    const network = networkOf(address);
    const count = this.#counts.get(network) ?? 0;
    if (count > 1) this.#counts.set(network, count - 1);
    else this.#counts.delete(network);
  }
}

/** What one customer has: an IPv4 address, or the first 64 bits of an IPv6 one (RFC 6177). */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = "", tail] = address.replace(/%.*/, "").toLowerCase().split("::");
  const groups = head.split(":").filter(Boolean);
  const rest = tail?.split(":").filter(Boolean) ?? [];
  while (tail !== undefined && groups.length + rest.length < 8) groups.push("0");
  const network = [...groups, ...rest].slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ""));
  return `${network.join(":")}::/64`;
}
