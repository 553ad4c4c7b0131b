/**
 * An XML stream on its wire (RFC 6120 §4): elements in, one at a time and in order; text out, collected and sent once a
 * turn of the event loop, so that many small stanzas become one TLS record. It knows nothing of what is negotiated on
 * it; that is its handler's part.
 */
import type { Socket } from "node:net";
import type { Logger } from "../log.ts";
import { StreamError } from "../xmpp/errors.ts";
import type { ParserEvent, ParserLimits, StreamHeader } from "../xmpp/parser.ts";
import { serialize, type Element } from "../xmpp/xml.ts";
import type { Transport } from "./session.ts";
import type { SecureChannel } from "./tls.ts";
import type { Wire, WireEnd } from "./wire.ts";

/** In UTF-16 units: a long contact list many times over. A client for whom more is waiting does not read. */
const maxQueued = 2_097_152;
/** Where more than this waits for a client, nothing is read from it: who asks faster than they read has to wait. */
const pauseAbove = 262_144;
/** How long a peer may take to end its side after ours has ended (RFC 6120 §4.4), in milliseconds. */
const maxFarewell = 10_000;

type Done = void | Promise<void>;

/** Who is told what comes in on a stream. */
export interface StreamHandler {
  /** The server's own header, for an error before anything else was sent (§4.9.1.2). */
  header(): string;
  /** The peer's header: at the beginning, and again after each `restart`. */
  opened(header: StreamHeader): Done;
  /** A whole element, and its size as sent. The next one is not handled before what this returns has settled. */
  received(element: Element, bytes: number): Done;
  /** The handshake of `secure` is over. */
  secured?(): void;
  /** What is to be said behind all that goes out in one turn; asked only where something does. */
  trailer?(): string;
  /** The peer has read what was written, and more may be. */
  drained?(): void;
  /** The peer has ended the stream: what has to be waited for before we do. */
  finishing?(): Promise<void> | undefined;
  /** What is said last, before an error and the end. */
  lastWords?(): string;
  /** What the peer still says after our end: its own last words, and its end (§4.4). Without it, nobody listens. */
  farewell?(event: ParserEvent): void;
  /** Nothing can be sent any more. `unfinished`: neither side meant it to end, other than the connection (XEP-0198 §7). */
  detached(unfinished: boolean): void;
  /** After `detached`: what had been received is handled. */
  ended(): void;
  /** After `ended`: the socket is closed too. */
  gone(): void;
}

type State = "open" | "closing" | "gone";

const nothing: readonly ParserEvent[] = [];
/** The end of a peer that did not say so. */
const cutOff: ParserEvent = { kind: "close" };

export class XmppStream implements Transport, WireEnd {
  readonly #wire: Wire;
  readonly #handler: StreamHandler;
  readonly #log: Logger;
  #state: State = "open";
  /** Whether our header was sent since the last restart. */
  #headed = false;
  #queue = nothing;
  /** The event of the queue that is next. */
  #next = 0;
  /** The handler is at work, and nothing is read meanwhile. */
  #busy = false;
  #over = false;
  #out: string[] = [];
  #outLength = 0;
  /** Too much waits for the peer, and nothing is read until it is through. */
  #clogged = false;
  #overflown = false;
  #fault: Error | undefined;
  #heard = true;
  /** When the peer was last heard, as far as the sweeps tell, in milliseconds; or when we took our leave. */
  #quietSince = 0;

  constructor(wire: Wire, handler: StreamHandler, log: Logger) {
    this.#wire = wire;
    this.#handler = handler;
    this.#log = log;
    wire.attach(this);
  }

  /** Whether anything can still be sent. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Whether so much waits for the peer that nothing is read from it. */
  get isFull(): boolean {
    return this.#clogged;
  }

  /** TLS, where the stream is under it. */
  get channel(): SecureChannel | undefined {
    return this.#wire.channel;
  }

  /** Whether TLS can be begun, which it can once, and not everywhere. */
  get canSecure(): boolean {
    return this.#wire.secure !== undefined && this.#wire.channel === undefined;
  }

  /** What ended the stream other than in order, where something did. */
  get fault(): Error | undefined {
    return this.#fault;
  }

  /** Holds from the next bytes on. */
  set limits(limits: ParserLimits) {
    this.#wire.limits = limits;
  }

  /** Begins our side of the stream. */
  open(header: string): void {
    this.#headed = true;
    this.write(header);
  }

  write(xml: string): void {
    if (this.#state !== "open") return;
    if (this.#out.length === 0) flushLater(this);
    else if (this.#outLength > maxQueued) this.#overflown = true;
    if (this.#overflown) return;
    this.#out.push(xml);
    this.#outLength += xml.length;
    if (this.#outLength > pauseAbove) this.#clog();
  }

  send(element: Element): void {
    this.write(serialize(element));
  }

  /** What comes next is a new stream on the same wire; what came already is of the old one, and dropped. */
  restart(limits: ParserLimits): void {
    this.#wire.restart(limits);
    this.#queue = nothing;
    this.#headed = false;
  }

  /**
   * Goes on under TLS after a last word in the clear. Whatever came in before is dropped: somebody in between may
   * have put it there (RFC 6120 §5.4.3.3).
   */
  secure(wrap: (socket: Socket) => SecureChannel, limits: ParserLimits, lastWord?: Element): void {
    if (lastWord) this.send(lastWord);
    this.flush();
    if (this.#state !== "open" || !this.#wire.secure) return;
    this.#queue = nothing;
    this.#headed = false;
    this.#wire.secure(wrap, limits);
  }

  /** `unfinished`: what the stream is for may be taken up again on another one. */
  close(error?: StreamError, unfinished = false): void {
    if (this.#state !== "open") return;
    this.#fault ??= error;
    const { isReady } = this.#wire;
    if (isReady) this.#sayGoodbye(error);
    this.#state = "closing";
    const unread = this.#queue.slice(this.#next);
    this.#queue = nothing;
    this.#heard = true;
    if (isReady) {
      this.flush();
      this.#wire.end();
      // The peer's own end is still to come, and is not seen by one who does not read.
      this.#wire.resume();
    } else {
      this.#wire.destroy();
    }
    this.#handler.detached(unfinished);
    for (const event of unread) this.#handler.farewell?.(event);
    this.#conclude();
  }

  /** Ends the connection, whatever is under way. */
  destroy(): void {
    this.#wire.destroy();
  }

  /** For how long nothing came, in milliseconds; to be asked now and then. A peer that lingers at the end is cut off. */
  quietFor(now: number): number {
    if (this.#heard) {
      this.#heard = false;
      this.#quietSince = now;
    }
    const quiet = now - this.#quietSince;
    if (this.#state === "closing" && quiet >= maxFarewell) this.destroy();
    return quiet;
  }

  /** Hands the collected text to the wire. */
  flush(): void {
    const parts = this.#out;
    if (parts.length === 0 || this.#state === "gone") return;
    this.#out = [];
    this.#outLength = 0;
    const wire = this.#wire;
    if (this.#state === "open" && (this.#overflown || wire.waiting > maxQueued)) {
      this.#overflown = false;
      return this.close(new StreamError("policy-violation", "What is sent here is not read"));
    }
    const trailer = this.#state === "open" ? this.#handler.trailer?.() : undefined;
    if (trailer) parts.push(trailer);
    wire.send(parts);
    if (wire.waiting > pauseAbove) this.#clog();
  }

  #sayGoodbye(error: StreamError | undefined): void {
    // §4.9.1.2: an error comes after a header, even where it is about the very first bytes.
    if (error && !this.#headed) this.open(this.#handler.header());
    // Before an error: who reads one reads nothing behind it (§4.9.1.1).
    const words = this.#handler.lastWords?.();
    if (words && this.#headed) this.write(words);
    if (error) {
      this.send(error.toElement());
      this.#log.debug({ condition: error.condition, address: this.#wire.address }, "stream error");
    }
    if (this.#headed) this.write(this.#wire.footer);
  }

  arrived(): void {
    if (this.#state !== "open") return this.#overhear();
    this.#heard = true;
    this.#queue = this.#wire.take();
    this.#next = 0;
    this.#work();
  }

  #overhear(): void {
    if (!this.#handler.farewell) return;
    for (const event of this.#wire.take()) this.#handler.farewell(event);
  }

  /** Handles what is in the queue, up to something that has to be waited for. */
  #work(): void {
    while (this.#next < this.#queue.length) {
      if (this.#clogged) return;
      const event = this.#queue[this.#next]!;
      this.#next += 1;
      try {
        const done = this.#handle(event);
        if (done instanceof Promise) return this.#wait(done);
      } catch (error) {
        this.#fail(error);
      }
    }
    this.#queue = nothing;
  }

  #handle(event: ParserEvent): Done {
    switch (event.kind) {
      case "element":
        return this.#handler.received(event.element, event.bytes);
      case "open":
        return this.#handler.opened(event.header);
      case "close":
        return this.#finish(event === cutOff);
      case "error":
        return this.close(event.error);
    }
  }

  #finish(unfinished: boolean): Done {
    const wait = this.#handler.finishing?.();
    return wait ? wait.then(() => this.close(undefined, unfinished)) : this.close(undefined, unfinished);
  }

  #wait(done: Promise<void>): void {
    this.#busy = true;
    this.#wire.pause();
    done
      .catch((error: unknown) => this.#fail(error))
      .then(
        () => {
          this.#busy = false;
          this.#goOn();
        },
        (error: unknown) => this.#log.error({ err: error }, "a stream broke"),
      );
  }

  /** What waited for a handler, or for the peer to read, waits no more. */
  #goOn(): void {
    this.#work();
    if (this.#busy) return;
    if (this.#state !== "open") this.#conclude();
    else if (!this.#clogged) this.#wire.resume();
  }

  /** A rule was broken, or a handler is. */
  #fail(error: unknown): void {
    if (error instanceof StreamError) return this.close(error);
    this.#log.error({ err: error }, "a stream could not go on");
    this.close(new StreamError("internal-server-error"));
  }

  /** Tells the handler what is over, once nothing that was received is still being handled. */
  #conclude(): void {
    if (this.#busy) return;
    if (!this.#over) {
      this.#over = true;
      this.#handler.ended();
    }
    if (this.#state === "gone") this.#handler.gone();
  }

  #clog(): void {
    this.#clogged = true;
    this.#wire.pause();
  }

  drained(): void {
    this.#clogged = false;
    this.#handler.drained?.();
    if (!this.#busy) this.#goOn();
  }

  /** The peer will send no more; what it sent comes first. */
  finished(): void {
    if (this.#queue.length === 0) return this.close(undefined, true);
    this.#queue = [...this.#queue.slice(this.#next), cutOff];
    this.#next = 0;
  }

  broke(err: Error): void {
    this.#fault = err;
    this.#log.debug({ err, address: this.#wire.address }, "a connection broke");
  }

  secured(): void {
    this.#handler.secured?.();
  }

  lost(): void {
    const wasOpen = this.#state === "open";
    this.#state = "gone";
    this.#out = [];
    if (wasOpen) this.#handler.detached(true);
    this.drained();
  }
}

/** Streams with text to send in this turn of the event loop. */
let written: XmppStream[] = [];

function flushLater(stream: XmppStream): void {
  if (written.length === 0) setImmediate(flushAll);
  written.push(stream);
}

function flushAll(): void {
  const streams = written;
  written = [];
  for (const stream of streams) stream.flush();
}
