/** How often pushes go out to one place, whatever is registered and whoever writes: so much at once, then steadily. */

/** Leaving and coming back with a bad connection, on a few devices at once. */
const burst = 10;
/** And in the long run one a minute: nobody is worn down by what somebody else has registered. In milliseconds. */
const interval = 60_000;
/** Places remembered; some 100 bytes each. */
const maxPlaces = 20_000;

export class Pace {
  /** When what was sent to each place will be forgotten. */
  readonly #forgotten = new Map<string, number>();

  /** The time to wait in milliseconds; 0: it may go now, and is counted. */
  take(place: string, now: number): number {
    const forgotten = Math.max(now, this.#forgotten.get(place) ?? 0);
    const wait = forgotten - now - (burst - 1) * interval;
    if (wait > 0) return wait;
    // The place that was used last is the last one to go.
    this.#forgotten.delete(place);
    this.#forgotten.set(place, forgotten + interval);
    if (this.#forgotten.size > maxPlaces) {
      const [oldest] = this.#forgotten.keys();
      this.#forgotten.delete(oldest!);
    }
    return 0;
  }
}
