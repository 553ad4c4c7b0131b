/** Another server as a script: it dials or is dialled, and speaks wire XML over TLS, by no rules but the test's. */
import { EventEmitter, once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { TLSSocket, type ConnectionOptions } from "node:tls";
import { NS } from "../../src/xmpp/ns.ts";
import type { Element } from "../../src/xmpp/xml.ts";
import type { S2sTarget } from "../../src/server/s2s-discovery.ts";
import type { Certificate } from "./certificate.ts";
import { ClientStream, streamHeader } from "./stream.ts";

/** A safety net only, for a machine that is busy with other things: nothing that passes ever waits for it. */
const patience = 20_000;

/** Things that arrive one after the other, and who waits for the next. */
export class Arrivals<T> {
  readonly #items: T[] = [];
  readonly #bell = new EventEmitter();

  get count(): number {
    return this.#items.length;
  }

  push(item: T): void {
    this.#items.push(item);
    this.#bell.emit("item");
  }

  async next(): Promise<T> {
    while (this.#items.length === 0)
      await once(this.#bell, "item", { signal: AbortSignal.timeout(patience) });
    return this.#items.shift()!;
  }
}

type Attributes = Record<string, string | undefined>;

export interface PeerOptions {
  /** Who the peer says it is. */
  readonly domain: string;
  readonly certificate: Certificate;
  /** The only authority whose certificates it takes, where it dials. */
  readonly ca: string;
  /** Whom it speaks to. */
  readonly to: string;
}

/** The peer's end of one stream. */
export class PeerStream extends ClientStream {
  readonly #peer: PeerOptions;
  readonly #tcp: Socket;

  constructor(socket: Socket, peer: PeerOptions) {
    const { certificate, ca, to } = peer;
    const handshake = { cert: certificate.cert, key: certificate.key, ALPNProtocols: ["xmpp-server"] };
    super(socket, { domain: to, port: 0, tls: "none", ca, handshake, content: NS.server });
    this.#peer = peer;
    this.#tcp = socket;
  }

  /** Breaks the connection as a crash does (RST), whatever is on top of it. */
  resets(): void {
    this.#tcp.resetAndDestroy();
  }

  /** Takes in nothing more. */
  stalls(): void {
    this.#tcp.pause();
    this.socket.pause();
  }

  /** Sends a server's header and waits for the other's. */
  override opens(attrs: Attributes = {}): Promise<Record<string, string>> {
    return super.opens({ xmlns: NS.server, "xmlns:db": NS.dialback, from: this.#peer.domain, ...attrs });
  }

  /** The same, and the features that come with it. */
  async meets(attrs: Attributes = {}): Promise<{ id: string; features: Element }> {
    const { id } = await this.opens(attrs);
    return { id: id!, features: await this.receives("<stream:features/>") };
  }

  /** STARTTLS as the one who dialled. */
  override secures(handshake: ConnectionOptions = {}): Promise<void> {
    const { cert, key } = this.#peer.certificate;
    return super.secures({ cert, key, ALPNProtocols: [], ...handshake });
  }

  /** From a connection to an authenticated stream, by certificate; with `bidi`, for stanzas both ways. */
  async arrives(bidi = ""): Promise<Element> {
    await this.meets();
    await this.secures();
    return this.proves(bidi);
  }

  /** SASL EXTERNAL on a stream that is under TLS; the features after it. */
  async proves(bidi = ""): Promise<Element> {
    await this.meets();
    this.raw(`${bidi}<auth xmlns='${NS.sasl}' mechanism='EXTERNAL'>=</auth>`);
    await this.receives(`<success xmlns='${NS.sasl}'/>`);
    return (await this.meets()).features;
  }

  /** Waits for a header as the one who was dialled, and answers it, with what is offered. */
  async welcomes(features = "", attrs: Attributes = {}): Promise<Record<string, string>> {
    const header = await this.greets(attrs);
    this.raw(`<stream:features>${features}</stream:features>`);
    return header;
  }

  /** The same up to the features. */
  async greets(attrs: Attributes = {}): Promise<Record<string, string>> {
    this.expectsHeader();
    const header = await this.receivesHeader();
    const { domain: from } = this.#peer;
    const own = { xmlns: NS.server, "xmlns:db": NS.dialback, from, to: header["from"], id: newId() };
    this.raw(streamHeader({ ...own, ...attrs }));
    return header;
  }

  /** STARTTLS as the one who was dialled, up to the end of the handshake. */
  async encrypts(): Promise<void> {
    await this.welcomes(`<starttls xmlns='${NS.tls}'><required/></starttls>`);
    await this.receives(`<starttls xmlns='${NS.tls}'/>`);
    // Nobody may speak between this and the handshake.
    this.raw(`<proceed xmlns='${NS.tls}'/>`);
    await this.shakes();
  }

  /** The server's side of a TLS handshake. */
  async shakes(alpn: string[] = []): Promise<void> {
    const { cert, key } = this.#peer.certificate;
    await this.wraps(async (socket) => {
      const secured = new TLSSocket(socket, {
        isServer: true,
        cert,
        key,
        requestCert: true,
        rejectUnauthorized: false,
        ...(alpn.length > 0 && { ALPNProtocols: alpn }),
      });
      secured.on("error", () => undefined);
      await once(secured, "secure");
      return secured;
    });
  }
}

let made = 0;
const newId = (): string => `stream-${++made}`;

/** A server that is one only on the wire. */
export class Peer {
  readonly options: PeerOptions;
  readonly #server: Server;
  readonly #streams: PeerStream[] = [];
  readonly #arrivals = new Arrivals<Socket>();

  private constructor(options: PeerOptions, server: Server) {
    this.options = options;
    this.#server = server;
    server.on("connection", (socket) => this.#arrivals.push(socket));
  }

  /** A peer that listens on a loopback address. */
  static async at(host: string, options: PeerOptions): Promise<Peer> {
    const server = createServer({ noDelay: true });
    const peer = new Peer(options, server);
    await once(server.listen(0, host), "listening");
    return peer;
  }

  target(directTls = false): S2sTarget {
    const { address, port } = this.#server.address() as AddressInfo;
    return { host: address, port, directTls, name: `xmpp.${this.options.domain}` };
  }

  /** Opens a connection, and says nothing. */
  async dials(port: number, host = "127.0.0.1"): Promise<PeerStream> {
    const socket = connect({ host, port, noDelay: true });
    await once(socket, "connect");
    return this.#keep(socket);
  }

  /** The next connection that is opened to it. */
  async accepts(): Promise<PeerStream> {
    return this.#keep(await this.#arrivals.next());
  }

  async close(): Promise<void> {
    this.#server.close();
    await Promise.all(this.#streams.map((stream) => stream.kill()));
  }

  #keep(socket: Socket): PeerStream {
    const stream = new PeerStream(socket, this.options);
    this.#streams.push(stream);
    return stream;
  }
}
