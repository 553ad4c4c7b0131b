/** What a stream between servers is, whoever began it: XML on a socket, and once TLS is up an exchange of stanzas. */
import type { Socket } from "node:net";
import type { StreamError } from "../xmpp/errors.ts";
import { limitsBeforeAuthentication, type ParserEvent, type StreamHeader } from "../xmpp/parser.ts";
import type { Element } from "../xmpp/xml.ts";
import type { S2sContext } from "./s2s-context.ts";
import type { Exchange } from "./s2s-exchange.ts";
import { XmppStream, type StreamHandler } from "./stream.ts";
import type { Member } from "./stream-set.ts";
import { TcpWire } from "./tcp-wire.ts";

export abstract class PeerStream implements StreamHandler, Member {
  protected readonly context: S2sContext;
  protected readonly stream: XmppStream;
  /** How far the negotiation is. */
  protected abstract phase: { readonly name: string; readonly exchange?: Exchange };

  constructor(context: S2sContext, socket: Socket) {
    this.context = context;
    this.stream = new XmppStream(new TcpWire(socket, limitsBeforeAuthentication), this, context.log);
  }

  /** Once TLS is up and who is on the stream was said. */
  protected get exchange(): Exchange | undefined {
    return this.phase.exchange;
  }

  abstract header(): string;
  abstract opened(header: StreamHeader): void;
  abstract received(element: Element, bytes: number): void | Promise<void>;
  abstract ended(): void;
  abstract sweep(now: number): void;

  close(error?: StreamError): void {
    if (this.exchange) this.exchange.leave(error);
    else this.stream.close(error);
  }

  finishing(): Promise<void> | undefined {
    return this.exchange?.idle;
  }

  destroy(): void {
    this.stream.destroy();
  }

  lastWords(): string {
    return this.exchange?.lastWords() ?? "";
  }

  farewell(event: ParserEvent): void {
    this.exchange?.farewell(event);
  }

  detached(): void {
    this.exchange?.detached();
  }

  gone(): void {
    this.exchange?.gone();
    this.context.streams.delete(this);
  }
}
