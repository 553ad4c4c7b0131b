/** The client's end of one stream: a real socket, an inbox, and waiting for what comes in. */
import { AssertionError } from "node:assert";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { NS } from "../../src/xmpp/ns.ts";
import { attr, children, type Element } from "../../src/xmpp/xml.ts";
import { readElement, Reader } from "./reader.ts";
import { mismatch, pretty } from "./shape.ts";

/** A safety net only, for a machine that is busy with other things: nothing that passes ever waits for it. */
const patience = 20_000;

export interface StreamOptions {
  readonly domain: string;
  /** Where the server listens; 127.0.0.1 where it is left out. */
  readonly host?: string;
  readonly port: number;
  /** `direct`: TLS from the first byte (XEP-0368); otherwise in the clear, until `secures`. */
  readonly tls: "direct" | "none";
  /** PEM: the only certificate to trust. */
  readonly ca: string;
  /** The address of this machine to come from. */
  readonly localAddress?: string;
  /** Handshake options a test wants otherwise. */
  readonly handshake?: ConnectionOptions;
  /** The content namespace, where it is not a client's. */
  readonly content?: string;
}

export class ClientStream {
  /** Top-level elements that came in and nobody has asked for, in order. */
  readonly inbox: Element[] = [];
  /** The attributes of the server's latest stream header. */
  header: Record<string, string> | undefined;
  socket: Socket;
  readonly #options: StreamOptions;
  readonly #waiting = new Set<() => void>();
  #reader: Reader | undefined;
  #fault: string | undefined;
  #streamClosed = false;
  #socketClosed = false;

  constructor(socket: Socket, options: StreamOptions) {
    this.socket = socket;
    this.#options = options;
    this.#listen(socket);
  }

  get domain(): string {
    return this.#options.domain;
  }

  /** Whether the socket is gone. */
  get gone(): boolean {
    return this.#socketClosed;
  }

  /** Whether the other side has ended the stream. */
  get ended(): boolean {
    return this.#streamClosed;
  }

  /** Writes whatever it is, as it is. */
  raw(text: string | Uint8Array): void {
    this.socket.write(text);
  }

  /** Sends one stanza or several. */
  sends(xml: string): void {
    this.raw(xml);
  }

  /** Sends an iq request (an `id` is added where there is none); its reply, of that shape where one is given. */
  async asks(iq: string, shape?: string): Promise<Element> {
    const written = /^\s*<iq\b[^>]*?\sid=(["'])(.*?)\1/.exec(iq)?.[2];
    const id = written ?? randomUUID();
    this.raw(written === undefined ? iq.replace("<iq", `<iq id='${id}'`) : iq);
    const reply = await this.#until(
      () => this.#take((one) => isReply(one) && attr(one, "id") === id),
      () => `no reply to ${iq.trim()}`,
      this.asks,
    );
    if (shape !== undefined) this.#compare(this.#shape(shape), reply, this.asks);
    return reply;
  }

  /** Answers an iq request that came in with a result. */
  answers(iq: Element, payload = ""): void {
    const to = attr(iq, "from");
    this.raw(`<iq type='result' id='${attr(iq, "id")}'${to ? ` to='${to}'` : ""}>${payload}</iq>`);
  }

  /** The first stanza of that shape in the inbox, waited for; it leaves the inbox. */
  async receives(shape: string): Promise<Element> {
    const wanted = this.#shape(shape);
    return this.#until(
      () => this.#take((one) => mismatch(wanted, one) === undefined),
      () => `expected:\n${pretty(wanted, "  ")}\n${this.#tellInbox(wanted)}`,
      this.receives,
    );
  }

  /** The oldest stanza of the inbox, waited for; it must have that shape. For tests of order. */
  async receivesNext(shape = "<stream:any/>"): Promise<Element> {
    const next = await this.#until(
      () => this.inbox.shift(),
      () => `nothing came; expected: ${shape}`,
      this.receivesNext,
    );
    if (shape !== "<stream:any/>") this.#compare(this.#shape(shape), next, this.receivesNext);
    return next;
  }

  /**
   * Sends a stream header and waits for the server's; what follows it is in the inbox. `attrs` replace or, where
   * `undefined`, leave out those of an ordinary header.
   */
  async opens(attrs: Record<string, string | undefined> = {}): Promise<Record<string, string>> {
    this.expectsHeader();
    this.raw(streamHeader({ to: this.domain, ...attrs }));
    return this.receivesHeader();
  }

  /** From here on the server's bytes are a new stream (RFC 6120 §5.4.3.3, §6.4.6). */
  expectsHeader(): void {
    this.header = undefined;
    this.#streamClosed = false;
    this.#reader = new Reader(this.#options.content ?? NS.client, {
      header: (header) => (this.header = header),
      element: (element) => this.inbox.push(element),
      close: () => (this.#streamClosed = true),
      fault: (reason) => (this.#fault = `the server sent ${reason}`),
    });
  }

  async receivesHeader(): Promise<Record<string, string>> {
    return this.#until(
      () => this.header,
      () => "no stream header came",
      this.receivesHeader,
    );
  }

  /** STARTTLS (RFC 6120 §5.4): leaves the stream ready for `opens`. */
  async secures(handshake: ConnectionOptions = {}): Promise<void> {
    this.raw(`<starttls xmlns='${NS.tls}'/>`);
    await this.receives(`<proceed xmlns='${NS.tls}'/>`);
    await this.shakesHands(handshake);
  }

  /** The handshake that follows `<proceed/>`. */
  async shakesHands(handshake: ConnectionOptions = {}): Promise<void> {
    await this.wraps((socket) => secure({ ...this.#options, handshake }, socket));
  }

  /** Goes on over a socket around the one that it has. */
  async wraps(wrap: (socket: Socket) => Promise<Socket>): Promise<void> {
    this.socket.removeAllListeners();
    this.socket = await wrap(this.socket);
    this.#listen(this.socket);
  }

  /** SASL PLAIN (RFC 4616), the mechanism of the fewest steps, and the new stream behind it; waits for the features. */
  async authenticates(local: string, password: string): Promise<Element> {
    const message = Buffer.from(`\0${local}\0${password}`).toString("base64");
    this.raw(`<auth xmlns='${NS.sasl}' mechanism='PLAIN'>${message}</auth>`);
    await this.receives(`<success xmlns='${NS.sasl}'/>`);
    await this.opens();
    return this.receives("<stream:features/>");
  }

  /** Resource binding (RFC 6120 §7); the full JID that the server gave. */
  async binds(resource?: string): Promise<string> {
    const wish = resource === undefined ? "" : `<resource>${resource}</resource>`;
    const reply = await this.asks(
      `<iq type='set'><bind xmlns='${NS.bind}'>${wish}</bind></iq>`,
      `<iq type='result'><bind xmlns='${NS.bind}'><jid>{any}</jid></bind></iq>`,
    );
    return children(children(reply)[0]!)[0]!.getText();
  }

  /** Closes the stream and waits for the server to do so too (RFC 6120 §4.4). */
  async ends(): Promise<void> {
    this.raw("</stream:stream>");
    await this.closed();
  }

  /** The server's end of stream. `clean`: it sent `</stream:stream>` first. */
  async closed(): Promise<{ clean: boolean }> {
    const gone = () => (this.#socketClosed ? { clean: this.#streamClosed } : undefined);
    return this.#until(gone, () => "the stream is still open", this.closed);
  }

  /** Breaks the connection, as a dead network does. */
  async kill(): Promise<void> {
    if (this.#socketClosed) return;
    const closed = once(this.socket, "close");
    this.socket.destroy();
    await closed;
  }

  #listen(socket: Socket): void {
    socket.on("data", (chunk: Buffer) => {
      try {
        this.#reader?.push(chunk);
      } catch (error) {
        this.#fault = `what came is no UTF-8: ${String(error)}`;
      }
      this.#look();
    });
    // What went wrong with the socket shows in what is missing.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#socketClosed = true;
      this.#look();
    });
  }

  #shape(written: string): Element {
    return readElement(written, this.#options.content);
  }

  #look(): void {
    for (const look of [...this.#waiting]) look();
  }

  #take(wanted: (element: Element) => boolean): Element | undefined {
    const at = this.inbox.findIndex(wanted);
    return at < 0 ? undefined : this.inbox.splice(at, 1)[0];
  }

  /** What `find` returns, as soon as it returns something; it looks again at whatever comes in. */
  #until<T>(find: () => T | undefined, explain: () => string, caller: unknown): Promise<T> {
    const at = { stack: "" };
    Error.captureStackTrace(at, caller as () => void);
    return new Promise<T>((resolve, reject) => {
      const done = (settle: () => void): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        settle();
      };
      const fail = (reason: string): void => done(() => reject(failure(`${reason}${explain()}`, at.stack)));
      const look = (): void => {
        if (this.#fault !== undefined) return fail(`${this.#fault}; `);
        const found = find();
        if (found !== undefined) return done(() => resolve(found));
        if (this.#socketClosed) fail("the connection is closed; ");
      };
      const timer = setTimeout(() => fail(`after ${patience} ms: `), patience);
      this.#waiting.add(look);
      look();
    });
  }

  #compare(shape: Element, actual: Element, caller: unknown): void {
    const why = mismatch(shape, actual);
    if (why === undefined) return;
    const at = { stack: "" };
    Error.captureStackTrace(at, caller as () => void);
    throw failure(`${why}\nexpected:\n${pretty(shape, "  ")}\ncame:\n${pretty(actual, "  ")}`, at.stack);
  }

  #tellInbox(wanted: Element): string {
    if (this.inbox.length === 0) return "the inbox is empty";
    const told = this.inbox.map((one) => `${pretty(one, "  ")}\n    (${mismatch(wanted, one)})`);
    return `in the inbox:\n${told.join("\n")}`;
  }
}

const isReply = (element: Element): boolean =>
  element.name === "iq" && (attr(element, "type") === "result" || attr(element, "type") === "error");

function failure(message: string, stack: string): AssertionError {
  const error = new AssertionError({ message });
  error.stack = `${error.name}: ${message}\n${stack.split("\n").slice(1).join("\n")}`;
  return error;
}

/** A client's stream header; an attribute that is `undefined` is left out. */
export function streamHeader(attrs: Record<string, string | undefined>): string {
  const all = { version: "1.0", xmlns: NS.client, "xmlns:stream": NS.stream, ...attrs };
  const written = Object.entries(all).filter(([, value]) => value !== undefined);
  return `<?xml version='1.0'?><stream:stream${written.map(([name, value]) => ` ${name}='${value}'`).join("")}>`;
}

/** A connected socket for a `ClientStream`, encrypted where the options say so. */
export async function connect(options: StreamOptions): Promise<Socket> {
  const { host = "127.0.0.1", port, localAddress } = options;
  const socket = connectPlain({ host, port, noDelay: true, ...(localAddress && { localAddress }) });
  await once(socket, "connect");
  return options.tls === "direct" ? secure(options, socket) : socket;
}

async function secure(options: StreamOptions, socket: Socket): Promise<Socket> {
  const { domain, ca, handshake } = options;
  const secured = connectTls({
    socket,
    servername: domain,
    ca,
    ALPNProtocols: ["xmpp-client"],
    ...handshake,
  });
  await once(secured, "secureConnect");
  return secured;
}
