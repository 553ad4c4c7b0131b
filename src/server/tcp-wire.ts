/** A stream on a TCP connection (RFC 6120 §3, §5). */
import type { Socket } from "node:net";
import { StreamParser, type ParserEvent, type ParserLimits } from "../xmpp/parser.ts";
import type { SecureChannel } from "./tls.ts";
import type { Wire, WireEnd } from "./wire.ts";

/** Listeners are shared by all sockets and find their wire here: no closure per connection. */
const carries = Symbol("wire");
interface Carrier extends Socket {
  [carries]?: TcpWire;
}

const nothing: Buffer = Buffer.alloc(0);

export class TcpWire implements Wire {
  readonly footer = "</stream:stream>";
  channel: SecureChannel | undefined;
  isReady = true;
  #socket: Carrier;
  #parser: StreamParser;
  #end: WireEnd | undefined;
  #chunk = nothing;

  constructor(socket: Socket, limits: ParserLimits) {
    this.#socket = socket;
    this.#parser = new StreamParser(limits);
  }

  get waiting(): number {
    return this.#socket.writableLength;
  }

  get address(): string | undefined {
    return this.#socket.remoteAddress;
  }

  get limits(): ParserLimits {
    return this.#parser.limits;
  }

  set limits(limits: ParserLimits) {
    this.#parser.limits = limits;
  }

  attach(end: WireEnd): void {
    this.#end = end;
    this.#listen(this.#socket);
  }

  take(): ParserEvent[] {
    const chunk = this.#chunk;
    this.#chunk = nothing;
    return this.#parser.push(chunk);
  }

  send(parts: readonly string[]): void {
    this.#socket.write(parts.length === 1 ? parts[0]! : parts.join(""));
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  restart(limits: ParserLimits): void {
    this.#parser = new StreamParser(limits);
  }

  /** Somebody in between may have put there what came in before (§5.4.3.3). */
  secure(wrap: (socket: Socket) => SecureChannel, limits: ParserLimits): void {
    const plain = this.#socket;
    if (plain.destroyed) return;
    this.restart(limits);
    for (const [event, listener] of TcpWire.#listeners) plain.removeListener(event, listener);
    while (plain.read() !== null);
    this.isReady = false;
    this.channel = wrap(plain);
    this.#listen(this.channel.socket);
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #listen(socket: Carrier): void {
    this.#socket = socket;
    socket[carries] = this;
    for (const [event, listener] of TcpWire.#listeners) socket.on(event, listener);
  }

  static readonly #listeners = Object.entries({
    data(this: Carrier, chunk: Buffer) {
      const wire = this[carries]!;
      wire.#chunk = chunk;
      wire.#end?.arrived();
      wire.#chunk = nothing;
    },
    drain(this: Carrier) {
      this[carries]!.#end?.drained();
    },
    end(this: Carrier) {
      this[carries]!.#end?.finished();
    },
    error(this: Carrier, error: Error) {
      this[carries]!.#end?.broke(error);
    },
    secure(this: Carrier) {
      const wire = this[carries]!;
      wire.isReady = true;
      wire.#end?.secured();
    },
    close(this: Carrier) {
      this[carries]!.#end?.lost();
    },
  });
}
