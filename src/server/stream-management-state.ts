/** XEP-0198 §4: what one session has handled of the other side's stanzas, and what of ours its client has not yet. */
import { StreamError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { xml } from "../xmpp/xml.ts";

/**
 * Stanzas that may wait for their acknowledgement. Twice what waits for an account that is offline (XEP-0160); and whoever
 * asks thousands of things at once can say what they got only behind all they asked.
 */
const maxStanzas = 20_000;
/** And their length, in UTF-16 units: all that may wait at a connection that is not read, twice. */
const maxLength = 4_194_304;

/** Stanzas that nobody would miss for long are asked about this many at a time. */
const batch = 10;
/** Or this many UTF-16 units, so that large answers do not fill the queue. */
const batchLength = 65_536;

/** Counters are unsigned 32-bit integers that wrap. */
const modulus = 2 ** 32;

/** A stanza that was sent, or is to be, and was not acknowledged. */
export interface Unacknowledged {
  readonly text: string;
  /** Of a message: its id in the archive of the session's account. */
  readonly archiveId: string | undefined;
  /** When it was sent first, in milliseconds since 1970. */
  readonly at: number;
}

/** What outlives the process. */
export interface ManagementSnapshot {
  readonly id: string;
  readonly seconds: number;
  readonly handled: number;
  readonly acknowledged: number;
  readonly reach: number;
}

export class StreamManagement {
  /** The SM-ID by which the session is resumed; `undefined` where it is not resumable. */
  readonly id: string | undefined;
  /** For how long it may be resumed once its connection is lost. */
  readonly seconds: number;
  #handled: number;
  #acknowledged: number;
  #queue: Unacknowledged[];
  #length = 0;
  /** How many of the queue were written to the connection that the session is on. */
  #written = 0;
  /** How many of the queue the client may have seen, on whatever connection. */
  #reach: number;
  /** When the request was sent that is not answered yet. */
  #askedAt: number | undefined;
  /** What was written since the last request. */
  #unasked = 0;
  #unaskedLength = 0;
  #isUrgent = false;
  #overflown = false;

  constructor(
    id: string | undefined,
    seconds: number,
    past: Omit<ManagementSnapshot, "id" | "seconds"> = { handled: 0, acknowledged: 0, reach: 0 },
    queue: Unacknowledged[] = [],
  ) {
    this.id = id;
    this.seconds = seconds;
    this.#handled = past.handled;
    this.#acknowledged = past.acknowledged;
    this.#reach = past.reach;
    this.#queue = queue;
    for (const { text } of queue) this.#length += text.length;
  }

  /** The client's stanzas that were handled: `h` of our `<a/>`. */
  get handled(): number {
    return this.#handled;
  }

  /** Stanzas in the order in which they were sent. */
  get queue(): readonly Unacknowledged[] {
    return this.#queue;
  }

  /** Whether there is more than may wait; said once. */
  overflows(): boolean {
    if (this.#overflown || (this.#queue.length <= maxStanzas && this.#length <= maxLength)) return false;
    return (this.#overflown = true);
  }

  /** Whether the client owes an acknowledgement that it should be asked for with what is written next. */
  get isDue(): boolean {
    if (this.#askedAt !== undefined || this.#unasked === 0) return false;
    return this.#isUrgent || this.#unasked >= batch || this.#unaskedLength >= batchLength;
  }

  /** A stanza of the client's was handled. */
  count(): void {
    this.#handled = (this.#handled + 1) % modulus;
  }

  add(text: string, archiveId: string | undefined): void {
    this.#queue.push({ text, archiveId, at: Date.now() });
    this.#length += text.length;
  }

  /** The next stanza that was not written to this connection yet; from now on it was. */
  next(): string | undefined {
    const one = this.#queue[this.#written];
    if (!one) return undefined;
    this.#written += 1;
    if (this.#written > this.#reach) this.#reach = this.#written;
    this.#unasked += 1;
    this.#unaskedLength += one.text.length;
    this.#isUrgent ||= one.archiveId !== undefined;
    return one.text;
  }

  /** A request goes out, behind all that was written. */
  asked(): void {
    this.#askedAt = performance.now();
    this.#unasked = this.#unaskedLength = 0;
    this.#isUrgent = false;
  }

  /** For how long a request has not been answered, in milliseconds. */
  owedFor(now: number): number {
    return this.#askedAt === undefined ? 0 : now - this.#askedAt;
  }

  /**
   * How many stanzas of the queue `h` says are handled; negative where it takes back what was acknowledged before.
   * Throws the stream error of §6 where the client was sent fewer.
   */
  measure(h: number): number {
    const ahead = (h - this.#acknowledged + modulus) % modulus;
    if (ahead <= this.#reach) return ahead;
    if (ahead >= modulus / 2) return ahead - modulus;
    const sent = (this.#acknowledged + this.#reach) % modulus;
    throw new StreamError(
      "undefined-condition",
      `You acknowledged ${h} stanzas, and were sent ${sent}`,
      xml("handled-count-too-high", { xmlns: NS.streamManagement, h: String(h), "send-count": String(sent) }),
    );
  }

  /** The client has handled `h`: they leave the queue. The archive ids among them; throws as `measure`. */
  acknowledge(h: number): readonly string[] {
    const count = this.measure(h);
    this.#askedAt = undefined;
    if (count <= 0) return [];
    const ids: string[] = [];
    for (const { archiveId, text } of this.#queue.splice(0, count)) {
      this.#length -= text.length;
      if (archiveId !== undefined) ids.push(archiveId);
    }
    this.#acknowledged = (this.#acknowledged + count) % modulus;
    this.#written = Math.max(0, this.#written - count);
    this.#reach -= count;
    return ids;
  }

  /** All of the queue is to be written again, to another connection. `stamp` marks it as late. */
  rewind(stamp: (one: Unacknowledged) => string): void {
    this.#written = 0;
    this.#askedAt = undefined;
    this.#unasked = this.#unaskedLength = 0;
    this.#queue = this.#queue.map((one) => ({ ...one, text: stamp(one) }));
    this.#length = this.#queue.reduce((sum, { text }) => sum + text.length, 0);
  }

  snapshot(id: string): ManagementSnapshot {
    return {
      id,
      seconds: this.seconds,
      handled: this.#handled,
      acknowledged: this.#acknowledged,
      reach: this.#reach,
    };
  }
}
