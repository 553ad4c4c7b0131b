/** RFC 7395: a stream on a WebSocket. Each message is one whole element, which names its own namespace. */
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { StreamError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { parseElement, type ParserEvent, type ParserLimits } from "../xmpp/parser.ts";
import { namespaceOf, type Element } from "../xmpp/xml.ts";
import type { Framing } from "./client-transport.ts";
import { checkAttributes, openElement } from "./header.ts";
import { named } from "./named.ts";
import type { Wire, WireEnd } from "./wire.ts";

/** How long the peer may take to answer our `<close/>` (§3.6), in milliseconds. */
const maxFarewell = 2_000;

/** §3.4: `<open/>` is the header. */
export const webSocketFraming = (isEncrypted: boolean): Framing => ({
  name: "websocket",
  isEncrypted,
  header: openElement,
  check: ({ attrs }, domain) => checkAttributes(attrs, domain),
});

export class WebSocketWire implements Wire {
  readonly isReady = true;
  readonly footer = `<close xmlns="${NS.framing}"/>`;
  readonly address: string;
  limits: ParserLimits;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  /** What came while nothing was to: those behind in the same segment. */
  readonly #frames: string[] = [];
  /** The one that is being handled. */
  #frame: string | undefined;
  #paused = false;
  #end: WireEnd | undefined;
  #failed = false;
  /** The next element is a header, and no other is. */
  #begins = true;
  /** The peer has said `<close/>`. */
  #closed = false;
  #farewell: NodeJS.Timeout | undefined;

  /** `socket` is the one below. */
  constructor(webSocket: WebSocket, socket: Socket, address: string, limits: ParserLimits) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.address = address;
    this.limits = limits;
  }

  get waiting(): number {
    return this.#webSocket.bufferedAmount;
  }

  attach(end: WireEnd): void {
    this.#end = end;
    this.#webSocket.on("message", (data: Buffer, isBinary) => {
      this.#frames.push(isBinary ? "" : data.toString("utf8"));
      this.#handle();
    });
    this.#socket.on("drain", () => end.drained());
    this.#webSocket.on("error", (error) => end.broke(error));
    this.#webSocket.on("close", () => {
      clearTimeout(this.#farewell);
      end.lost();
    });
  }

  take(): ParserEvent[] {
    if (this.#frame === undefined || this.#failed) return [];
    const event = eventOf(this.#frame, this.limits, this.#begins);
    this.#begins = false;
    this.#failed = event.kind === "error";
    this.#closed ||= event.kind === "close";
    return [event];
  }

  send(parts: readonly string[]): void {
    this.#socket.cork();
    for (const part of parts) this.#webSocket.send(named(part));
    this.#socket.uncork();
  }

  pause(): void {
    this.#paused = true;
    this.#webSocket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#webSocket.resume();
    if (this.#frames.length > 0) queueMicrotask(() => this.#handle());
  }

  /** Nothing is left over between messages. */
  restart(limits: ParserLimits): void {
    this.limits = limits;
    this.#begins = true;
  }

  /** §3.6: the WebSocket is closed once both sides have said `<close/>`. */
  end(): void {
    if (this.#closed) this.#leave();
    else this.#farewell ??= setTimeout(() => this.#leave(), maxFarewell);
  }

  destroy(): void {
    this.#webSocket.terminate();
  }

  #handle(): void {
    while (!this.#paused) {
      this.#frame = this.#frames.shift();
      if (this.#frame === undefined) return;
      this.#end?.arrived();
      if (this.#farewell && /^<close\b/.test(this.#frame)) this.#leave();
    }
  }

  #leave(): void {
    this.#webSocket.close(1000);
  }
}

/** What a message says, as on any other stream: a header, an end, or an element. */
function eventOf(frame: string, limits: ParserLimits, begins: boolean): ParserEvent {
  try {
    // §3.3.3: text that begins with an element, and not with white space or a declaration.
    if (!frame.startsWith("<")) throw new StreamError("bad-format", "A message is one whole element");
    const bytes = Buffer.byteLength(frame);
    if (bytes > limits.stanzaBytes) throw new StreamError("policy-violation", "The message is too long");
    const element = parseElement(frame, limits);
    if (namespaceOf(element) === NS.framing && element.name === "close") return { kind: "close" };
    if (begins) return headerEvent(element);
    // What is nobody's must not become a stanza (§3.3.3).
    if (element.attrs["xmlns"] === undefined) throw new StreamError("invalid-namespace");
    if (element.attrs["xmlns"] === NS.client) delete element.attrs["xmlns"];
    return { kind: "element", element, bytes };
  } catch (thrown) {
    const error = thrown instanceof StreamError ? thrown : new StreamError("internal-server-error");
    return { kind: "error", error };
  }
}

function headerEvent(element: Element): ParserEvent {
  const { name, attrs } = element;
  if (namespaceOf(element) !== NS.framing || name !== "open") throw new StreamError("invalid-namespace");
  const { xmlns = "", ...others } = attrs as Record<string, string>;
  return { kind: "open", header: { attrs: others, name, prefix: "", xmlns, contentXmlns: NS.client } };
}
