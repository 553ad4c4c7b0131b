/** What is kept for other domains in memory alone: requests, answers, presence. Bounded for each, and for all. */
import type { Element } from "../xmpp/xml.ts";

export interface Transient {
  readonly id: string;
  readonly stanza: Element;
  readonly text: string;
  /** Whether its sender waits for an answer, or must hear that it is lost. */
  readonly asks: boolean;
}

/** Characters for one domain: the presence of some thousand people, or a few large answers. */
const maxForOne = 2 * 1024 * 1024;
/** Characters for all domains. */
const maxForAll = 32 * 1024 * 1024;

export class HeldTotal {
  characters = 0;
}

export class Held {
  readonly #total: HeldTotal;
  #waiting: Transient[] = [];
  #characters = 0;

  constructor(total: HeldTotal) {
    this.#total = total;
  }

  get size(): number {
    return this.#waiting.length;
  }

  get first(): Transient | undefined {
    return this.#waiting[0];
  }

  /** `false` where there is no room. */
  push(transient: Transient): boolean {
    const { length } = transient.text;
    if (this.#characters + length > maxForOne || this.#total.characters + length > maxForAll) return false;
    this.#waiting.push(transient);
    this.#count(length);
    return true;
  }

  shift(): Transient | undefined {
    const transient = this.#waiting.shift();
    if (transient) this.#count(-transient.text.length);
    return transient;
  }

  /** What was taken out and not delivered stands first again. */
  putBack(transients: readonly Transient[]): void {
    this.#waiting.unshift(...transients);
    for (const { text } of transients) this.#count(text.length);
  }

  clear(): Transient[] {
    const all = this.#waiting;
    this.#waiting = [];
    this.#count(-this.#characters);
    return all;
  }

  #count(characters: number): void {
    this.#characters += characters;
    this.#total.characters += characters;
  }
}
