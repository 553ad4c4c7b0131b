/** A client that does as little as it can for a stanza, so that a bench measures the server and not itself. */
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import type { Certificate } from "../support/certificate.ts";

/** The longest marker that may be cut by a chunk border. */
const overlap = 64;

export class BenchClient {
  readonly address: string;
  readonly #socket: TLSSocket;
  #tail = "";
  #waiting: { marker: string | RegExp; resolve(seen: string): void; reject(error: Error): void } | undefined;
  #closed: Error | undefined;
  /** Told how often `counted` came in with a chunk. */
  onCount: ((times: number) => void) | undefined;
  #counted: Buffer | undefined;
  #rest: Buffer = Buffer.alloc(0);

  private constructor(socket: TLSSocket, address: string) {
    this.#socket = socket;
    this.address = address;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    const end = (error?: Error) => {
      this.#closed = error ?? new Error(`${address}: the server closed the stream`);
      this.#waiting?.reject(this.#closed);
    };
    socket.on("error", end);
    socket.on("close", () => end());
  }

  /** Connects with direct TLS, logs in with PLAIN and binds `resource`. */
  static async login(port: number, domain: string, local: string, resource: string): Promise<BenchClient> {
    const client = await BenchClient.authenticated(port, domain, local, resource);
    await client.ask(
      `<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${resource}</resource></bind></iq>`,
      "</iq>",
    );
    return client;
  }

  /** The same without a resource: it may resume a session. */
  static async authenticated(
    port: number,
    domain: string,
    local: string,
    resource = "",
  ): Promise<BenchClient> {
    const socket = await secured({ port, ALPNProtocols: ["xmpp-client"] });
    const client = new BenchClient(socket, `${local}@${domain}/${resource}`);
    const open = `<stream:stream to='${domain}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`;
    const secret = Buffer.from(`\0${local}\0${benchPassword}`).toString("base64");
    await client.ask(open, "</stream:features>");
    await client.ask(
      `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${secret}</auth>`,
      "<success",
    );
    await client.ask(open, "</stream:features>");
    return client;
  }

  /** Connects with direct TLS as the server of another domain, which its certificate proves. */
  static async peer(
    port: number,
    domain: string,
    remote: string,
    certificate: Certificate,
  ): Promise<BenchClient> {
    const socket = await secured({
      port,
      ALPNProtocols: ["xmpp-server"],
      servername: domain,
      ...certificate,
    });
    const client = new BenchClient(socket, remote);
    const open = `<stream:stream from='${remote}' to='${domain}' version='1.0' xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'>`;
    await client.ask(open, "</stream:features>");
    const authzid = Buffer.from(remote).toString("base64");
    await client.ask(
      `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>${authzid}</auth>`,
      "<success",
    );
    await client.ask(open, "</stream:features>");
    return client;
  }

  /** Sends text and waits until `marker` has come in; what has come by then, or the end of it. */
  async ask(text: string, marker: string | RegExp): Promise<string> {
    this.#tail = "";
    const answered = new Promise<string>((resolve, reject) => {
      if (this.#closed) reject(this.#closed);
      this.#waiting = { marker, resolve, reject };
    });
    this.send(text);
    return answered;
  }

  send(text: string): void {
    this.#socket.write(text);
  }

  /** From now on counts `marker` (ASCII) in what comes in. */
  count(marker: string, onCount: (times: number) => void): void {
    this.#counted = Buffer.from(marker);
    this.#rest = Buffer.alloc(0);
    this.onCount = onCount;
  }

  end(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#waiting) {
      this.#tail += chunk.toString("latin1");
      const { marker, resolve } = this.#waiting;
      if (typeof marker === "string" ? this.#tail.includes(marker) : marker.test(this.#tail)) {
        this.#waiting = undefined;
        resolve(this.#tail);
      } else this.#tail = this.#tail.slice(-overlap * 64);
    }
    const marker = this.#counted;
    if (!marker) return;
    const data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    let times = 0;
    let from = 0;
    for (let at = data.indexOf(marker); at >= 0; at = data.indexOf(marker, from)) {
      times += 1;
      from = at + marker.length;
    }
    this.#rest = data.subarray(Math.max(from, data.length - marker.length + 1));
    if (times > 0) this.onCount?.(times);
  }
}

async function secured(options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ host: "127.0.0.1", rejectUnauthorized: false, ...options });
  await new Promise<void>((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
  return socket;
}

/** The password of every account a bench makes. */
export const benchPassword = "bench";
