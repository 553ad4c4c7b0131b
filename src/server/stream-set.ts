/** The open streams of one kind: looked at now and then, and told when the server goes. */
import { StreamError } from "../xmpp/errors.ts";

/** How long peers may take to go when the server does, in milliseconds. */
const maxShutdown = 2_000;

export interface Member {
  /** Looks whether the peer is too slow, or still there (RFC 6120 §4.6). */
  sweep(now: number): void;
  close(error?: StreamError): void;
  destroy(): void;
}

export class StreamSet<Stream extends Member> {
  readonly #streams = new Set<Stream>();
  readonly #interval: number;
  #timer: NodeJS.Timeout | undefined;
  #emptied: () => void = () => undefined;

  /** `interval` of the looks, in milliseconds. */
  constructor(interval: number) {
    this.#interval = interval;
  }

  add(stream: Stream): void {
    this.#streams.add(stream);
    this.#timer ??= setInterval(() => this.look(), this.#interval).unref();
  }

  /** Looks at all of them now. */
  look(): void {
    const now = performance.now();
    for (const one of this.#streams) one.sweep(now);
  }

  /** A stream is over, and its socket closed. */
  delete(stream: Stream): void {
    this.#streams.delete(stream);
    if (this.#streams.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#emptied();
  }

  /** Tells all that the server goes, and is over within `maxShutdown`. */
  async close(): Promise<void> {
    for (const stream of this.#streams) stream.close(new StreamError("system-shutdown"));
    if (this.#streams.size === 0) return;
    await new Promise<void>((resolve) => {
      const deadline = setTimeout(resolve, maxShutdown);
      this.#emptied = () => {
        clearTimeout(deadline);
        resolve();
      };
    });
    for (const stream of this.#streams) stream.destroy();
  }
}
