/** How many domains are dialled at once. Who failed before may not keep those waiting who are tried for the first time. */

/** A dial is a few sockets and, for a peer that says nothing, half a minute. */
const maxDials = 100;
const maxRetries = 50;

type Lane = "first" | "again";

export class DialSlots {
  readonly #waiting: Record<Lane, (() => void)[]> = { first: [], again: [] };
  readonly #taken: Record<Lane, number> = { first: 0, again: 0 };

  /** Waits for a turn; call what it resolves to when the dial is over. */
  async enter(lane: Lane): Promise<() => void> {
    if (!this.#isFree(lane)) await new Promise<void>((resolve) => this.#waiting[lane].push(resolve));
    else this.#taken[lane] += 1;
    return () => {
      this.#taken[lane] -= 1;
      this.#admit();
    };
  }

  #isFree(lane: Lane): boolean {
    if (this.#taken.first + this.#taken.again >= maxDials) return false;
    return lane === "first" || this.#taken.again < maxRetries;
  }

  #admit(): void {
    for (const lane of ["first", "again"] as const) {
      while (this.#waiting[lane].length > 0 && this.#isFree(lane)) {
        this.#taken[lane] += 1;
        this.#waiting[lane].shift()!();
      }
    }
  }
}
