/** XEP-0198 §4: what was sent on a stream between servers and is not acknowledged yet. */
import type { Outcome } from "./s2s-link.ts";

type Settled = (outcome: Outcome) => void;

/** §4: counters are unsigned and begin again at zero. */
const wrap = 2 ** 32;

export class Outbox {
  /** By position, the oldest first. */
  readonly #pending = new Map<number, Settled>();
  /** The position of the next stanza to be sent; positions never wrap. */
  #next = 0;
  /** All stanzas before this position are settled. */
  #first = 0;
  /** Where counting began: with stream management, and not before. */
  #base: number | undefined;

  /** Stanzas that are not settled. */
  get size(): number {
    return this.#pending.size;
  }

  /** The position behind all that was sent. */
  get position(): number {
    return this.#next;
  }

  push(settled: Settled): void {
    this.#pending.set(this.#next, settled);
    this.#next += 1;
  }

  /** From the next stanza on, the peer counts. `counted` is where its count begins; 0 but in tests. */
  count(counted = 0): void {
    this.#base = this.#next - counted;
  }

  /** An `<a h='…'/>`; `false` where the peer has handled more than was sent. */
  acknowledge(h: number): boolean {
    if (this.#base === undefined) return false;
    // What came before counting began has been handled too: streams are in order.
    const before = Math.max(this.#first, this.#base);
    const handled = (((h - (before - this.#base)) % wrap) + wrap) % wrap;
    if (before + handled > this.#next) return false;
    this.settle(before + handled);
    return true;
  }

  /** How many stanzas the peer may say that it has handled, as it counts. */
  get sent(): number {
    return (this.#next - (this.#base ?? this.#next)) % wrap;
  }

  /** The peer has all before this position. */
  settle(position: number, outcome: Outcome = "done"): void {
    for (; this.#first < position; this.#first += 1) {
      const settled = this.#pending.get(this.#first);
      this.#pending.delete(this.#first);
      settled?.(outcome);
    }
  }

  settleAll(outcome: Outcome): void {
    this.settle(this.#next, outcome);
  }
}
