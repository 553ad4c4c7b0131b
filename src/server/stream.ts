/**
 * An XML stream on a socket (RFC 6120 §4): bytes in to elements, one at a time and in order; text out, collected and
 * written once a turn of the event loop, so that many small stanzas become one TLS record. It knows nothing of what
 * is negotiated on it; that is its handler's part.
 */
import type { Socket } from "node:net";
import type { Logger } from "../log.ts";
import { StreamError } from "../xmpp/errors.ts";
import { StreamParser, type ParserEvent, type ParserLimits, type StreamHeader } from "../xmpp/parser.ts";
import { serialize, type Element } from "../xmpp/xml.ts";
import type { Transport } from "./session.ts";
import type { SecureChannel } from "./tls.ts";

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
  /** What is said last where the stream ends in order. */
  lastWords?(): string;
  /** What the peer still says after our end: its own last words, and its end (§4.4). Without it, nobody listens. */
  farewell?(event: ParserEvent): void;
  /** Nothing can be sent any more. */
  detached(): void;
  /** After `detached`: what had been received is handled. */
  ended(): void;
  /** After `ended`: the socket is closed too. */
  gone(): void;
}

type State = "open" | "closing" | "gone";

/** Listeners are shared by all sockets and find their stream here: no closure per connection. */
const carries = Symbol("stream");
interface Carrier extends Socket {
  [carries]?: XmppStream;
}

const nothing: readonly ParserEvent[] = [];

export class XmppStream implements Transport {
  #socket: Carrier;
  #channel: SecureChannel | undefined;
  /** `false` during a TLS handshake, when nothing can be sent. */
  #ready = true;
  #parser: StreamParser;
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
  #out = "";
  /** Too much waits for the peer, and nothing is read until it is through. */
  #clogged = false;
  #overflown = false;
  #fault: Error | undefined;
  #heard = true;
  /** When the peer was last heard, as far as the sweeps tell, in milliseconds; or when we took our leave. */
  #quietSince = 0;

  constructor(socket: Socket, limits: ParserLimits, handler: StreamHandler, log: Logger) {
    this.#socket = socket;
    this.#parser = new StreamParser(limits);
    this.#handler = handler;
    this.#log = log;
    this.#attach(socket);
  }

  /** Whether anything can still be sent. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** TLS, where the stream is under it. */
  get channel(): SecureChannel | undefined {
    return this.#channel;
  }

  /** What ended the stream other than in order, where something did. */
  get fault(): Error | undefined {
    return this.#fault;
  }

  /** Holds from the next bytes on. */
  set limits(limits: ParserLimits) {
    this.#parser.limits = limits;
  }

  /** Begins our side of the stream. */
  open(header: string): void {
    this.#headed = true;
    this.write(header);
  }

  write(xml: string): void {
    if (this.#state !== "open") return;
    if (this.#out === "") flushLater(this);
    else if (this.#out.length > maxQueued) this.#overflown = true;
    if (this.#overflown) return;
    this.#out += xml;
    if (this.#out.length > pauseAbove) this.#clog();
  }

  send(element: Element): void {
    this.write(serialize(element));
  }

  /** What comes next is a new stream on the same socket; what came already is of the old one, and dropped. */
  restart(limits: ParserLimits): void {
    this.#parser = new StreamParser(limits);
    this.#queue = nothing;
    this.#headed = false;
  }

  /**
   * Goes on under TLS after a last word in the clear. Whatever came in before is dropped: somebody in between may
   * have put it there (RFC 6120 §5.4.3.3).
   */
  secure(wrap: (socket: Socket) => SecureChannel, limits: ParserLimits, lastWord?: Element): void {
    const plain = this.#socket;
    if (lastWord) this.send(lastWord);
    this.flush();
    if (this.#state !== "open" || plain.destroyed) return;
    this.restart(limits);
    this.#detach(plain);
    while (plain.read() !== null);
    this.#ready = false;
    this.#channel = wrap(plain);
    this.#attach(this.#channel.socket);
  }

  close(error?: StreamError): void {
    if (this.#state !== "open") return;
    this.#fault ??= error;
    if (this.#ready) this.#sayGoodbye(error);
    this.#state = "closing";
    const unread = this.#queue.slice(this.#next);
    this.#queue = nothing;
    this.#heard = true;
    if (this.#ready) {
      this.flush();
      this.#socket.end();
      // The peer's own end is still to come, and is not seen by one who does not read.
      this.#socket.resume();
    } else {
      this.#socket.destroy();
    }
    this.#handler.detached();
    for (const event of unread) this.#handler.farewell?.(event);
    this.#conclude();
  }

  /** Ends the connection, whatever is under way. */
  destroy(): void {
    this.#socket.destroy();
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

  /** Hands the collected text to the socket. */
  flush(): void {
    const text = this.#out;
    if (text === "" || this.#state === "gone") return;
    this.#out = "";
    const socket = this.#socket;
    if (this.#state === "open" && (this.#overflown || socket.writableLength > maxQueued)) {
      this.#overflown = false;
      return this.close(new StreamError("policy-violation", "What is sent here is not read"));
    }
    socket.write(text);
    if (socket.writableLength > pauseAbove) this.#clog();
  }

  #sayGoodbye(error: StreamError | undefined): void {
    // §4.9.1.2: an error comes after a header, even where it is about the very first bytes.
    if (error && !this.#headed) this.open(this.#handler.header());
    // Before an error: who reads one reads nothing behind it (§4.9.1.1).
    if (this.#headed) this.write(this.#handler.lastWords?.() ?? "");
    if (error) {
      this.send(error.toElement());
      this.#log.debug({ condition: error.condition, address: this.#socket.remoteAddress }, "stream error");
    }
    if (this.#headed) this.write("</stream:stream>");
  }

  #attach(socket: Carrier): void {
    this.#socket = socket;
    socket[carries] = this;
    for (const [event, listener] of XmppStream.#listeners) socket.on(event, listener);
  }

  #detach(socket: Carrier): void {
    for (const [event, listener] of XmppStream.#listeners) socket.removeListener(event, listener);
  }

  #receive(chunk: Buffer): void {
    if (this.#state !== "open") return this.#overhear(chunk);
    this.#heard = true;
    this.#queue = this.#parser.push(chunk);
    this.#next = 0;
    this.#work();
  }

  #overhear(chunk: Buffer): void {
    if (!this.#handler.farewell) return;
    for (const event of this.#parser.push(chunk)) this.#handler.farewell(event);
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
        return this.close();
      case "error":
        return this.close(event.error);
    }
  }

  #wait(done: Promise<void>): void {
    this.#busy = true;
    this.#socket.pause();
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
    else if (!this.#clogged) this.#socket.resume();
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
    this.#socket.pause();
  }

  #drained(): void {
    this.#clogged = false;
    if (!this.#busy) this.#goOn();
  }

  /** The peer will send no more; what it sent comes first. */
  #finish(): void {
    if (this.#queue.length === 0) return this.close();
    this.#queue = [...this.#queue.slice(this.#next), { kind: "close" }];
    this.#next = 0;
  }

  #lost(): void {
    const wasOpen = this.#state === "open";
    this.#state = "gone";
    this.#out = "";
    if (wasOpen) this.#handler.detached();
    this.#drained();
  }

  static readonly #listeners = Object.entries({
    data(this: Carrier, chunk: Buffer) {
      this[carries]!.#receive(chunk);
    },
    drain(this: Carrier) {
      this[carries]!.#drained();
    },
    end(this: Carrier) {
      this[carries]!.#finish();
    },
    error(this: Carrier, err: Error) {
      this[carries]!.#fault = err;
      this[carries]!.#log.debug({ err, address: this.remoteAddress }, "a connection broke");
    },
    secure(this: Carrier) {
      const stream = this[carries]!;
      stream.#ready = true;
      stream.#handler.secured?.();
    },
    close(this: Carrier) {
      this[carries]!.#lost();
    },
  });
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
