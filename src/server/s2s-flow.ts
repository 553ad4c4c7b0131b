/** What one domain may cost us: its streams, and the stanzas and bytes that it sends, all its streams together. */

/** Of streams that a domain has opened to us and proven itself on: several machines, and one being replaced. */
const maxStreams = 10;
/**
 * A domain whose 20,000 people come online within a minute, or a post to as many followers. In the long run, a fifth
 * of what this server can take in.
 */
const maxBurst = 20_000;
const stanzasPerSecond = 5_000;
/** Bytes: more than a hundred of the largest stanzas at once, and 64 Mbit/s in the long run. */
const maxBurstBytes = 33_554_432;
const bytesPerSecond = 8_388_608;

interface Flow {
  streams: number;
  /** What may still be sent at once; below zero where more was sent already. */
  stanzas: number;
  bytes: number;
  /** When that was so, in milliseconds. */
  at: number;
}

export class DomainFlows {
  readonly #flows = new Map<string, Flow>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * A stream more on which this domain is proven; `false` where it has too many, and then nothing is counted. One that
   * we opened is never too many.
   */
  enter(domain: string, ours: boolean): boolean {
    const flow = this.#flows.get(domain);
    if (!flow) {
      this.#flows.set(domain, { streams: 1, stanzas: maxBurst, bytes: maxBurstBytes, at: this.#now() });
      return true;
    }
    if (flow.streams >= maxStreams && !ours) return false;
    flow.streams += 1;
    return true;
  }

  /** Once for each that entered. */
  leave(domain: string): void {
    const flow = this.#flows.get(domain);
    if (flow) flow.streams -= 1;
    // What was spent is remembered for as long as it counts: who comes back at once begins where they were.
    for (const [name, one] of this.#flows) {
      if (one.streams === 0 && this.#isFull(this.#refill(one))) this.#flows.delete(name);
    }
  }

  /** A stanza of that size came in. For how long nothing more is to be read from that domain, in milliseconds. */
  spend(domain: string, bytes: number): number {
    const flow = this.#flows.get(domain);
    if (!flow) return 0;
    this.#refill(flow);
    flow.stanzas -= 1;
    flow.bytes -= bytes;
    const seconds = Math.max(-flow.stanzas / stanzasPerSecond, -flow.bytes / bytesPerSecond, 0);
    return Math.ceil(seconds * 1_000);
  }

  #refill(flow: Flow): Flow {
    const now = this.#now();
    const seconds = (now - flow.at) / 1_000;
    flow.stanzas = Math.min(maxBurst, flow.stanzas + seconds * stanzasPerSecond);
    flow.bytes = Math.min(maxBurstBytes, flow.bytes + seconds * bytesPerSecond);
    flow.at = now;
    return flow;
  }

  #isFull({ stanzas, bytes }: Flow): boolean {
    return stanzas === maxBurst && bytes === maxBurstBytes;
  }
}
