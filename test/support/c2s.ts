/** The client ports alone, with a router and no modules: for plays about streams, before there is a stanza to speak of. */
import type { TestContext } from "node:test";
import type { ConnectionOptions } from "node:tls";
import { pino } from "pino";
import { Events } from "../../src/events.ts";
import { listenC2s, type C2s, type C2sOptions } from "../../src/server/c2s.ts";
import type { ServerEvents } from "../../src/server/events.ts";
import { Hibernation } from "../../src/server/hibernation.ts";
import { get, set } from "../../src/server/module.ts";
import { Registry } from "../../src/server/registry.ts";
import { Router } from "../../src/server/router.ts";
import { Sessions } from "../../src/server/sessions.ts";
import { ServerTls } from "../../src/server/tls.ts";
import { NS } from "../../src/xmpp/ns.ts";
import { deriveCredentials, type ScramHash } from "../../src/xmpp/sasl/scram.ts";
import { xml, type Element } from "../../src/xmpp/xml.ts";
import { certificateFor, type Certificate } from "./certificate.ts";
import { authenticate, type Login } from "./sasl-client.ts";
import { ClientStream, connect } from "./stream.ts";

export const domain = "pipit.test";
export const password = "a bottle & a bird";
/** RFC 7677's least: the tests log in often. */
const iterations = 4096;

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [key: string]: unknown;
}

const sessionEvents = ["session.bound", "session.hibernated", "session.resumed", "session.closed"] as const;

export interface PortsOptions extends Partial<C2sOptions> {
  /** For how long sessions can be resumed. */
  readonly seconds?: number;
  /** Where. */
  readonly location?: string;
}

export class Ports {
  readonly sessions = new Sessions();
  readonly events: Events<ServerEvents>;
  readonly log: LogLine[] = [];
  readonly tls: ServerTls;
  readonly certificate: Certificate;
  /** Sessions told as bound, hibernated, resumed and closed, in order. */
  readonly told: string[] = [];
  /** Accounts that are there, besides nobody else; all have the one password. */
  readonly accounts = new Set(["ana", "bob"]);
  c2s!: C2s;
  /** What an iq `<held xmlns='test:held'/>` waits for. */
  held: Promise<void> = Promise.resolve();
  /** Whether one has come. */
  isHeld = false;
  readonly #streams: ClientStream[] = [];

  constructor(certificate: Certificate) {
    this.certificate = certificate;
    this.tls = new ServerTls(certificate);
    this.events = new Events(this.#logger());
    for (const name of sessionEvents) {
      this.events.on(name, ({ session }) => void this.told.push(`${name} ${session.jid.full}`));
    }
  }

  async open({ seconds = 600, location, ...options }: PortsOptions): Promise<void> {
    const log = this.#logger();
    const registry = new Registry();
    registry.add(
      {
        name: "test",
        setup: () => ({
          iq: [
            get(NS.ping, "ping", "server", () => undefined),
            set("test:held", "held", "server", () => {
              this.isHeld = true;
              return this.held;
            }),
            get("test:large", "large", "server", () =>
              xml("large", { xmlns: "test:large" }, "x".repeat(200_000)),
            ),
            // Answers late, so that what comes next could overtake it.
            set(
              "test:slow",
              "slow",
              "server",
              () => new Promise((done) => setImmediate(() => done(undefined))),
            ),
          ],
          message: {
            deliver: ({ stanza, direction, to }) => {
              if (direction === "in") this.sessions.get(to)?.send(stanza);
              return direction === "in";
            },
          },
        }),
      },
      undefined,
      this.events,
    );
    const { sessions, events, tls } = this;
    const accountExists = async (local: string) => this.accounts.has(local);
    const router = new Router({ domain, sessions, registry, log, accountExists });
    const route = (stanza: Element) => router.route(stanza);
    this.c2s = await listenC2s({
      hibernation: new Hibernation({ sessions, events, log, seconds, location, route }),
      domain,
      host: "127.0.0.1",
      port: 0,
      directTlsPort: 0,
      tls,
      requireTls: true,
      authenticator: {
        credentials: (local, hash) => this.#credentials(local, hash),
        admits: accountExists,
      },
      sessions,
      router,
      events,
      log,
      ...options,
    });
  }

  /** A connection on which nothing was sent yet. */
  async connects(
    tls: "direct" | "none" = "direct",
    handshake: ConnectionOptions = {},
  ): Promise<ClientStream> {
    const port = tls === "direct" ? this.c2s.directTlsPort! : this.c2s.port!;
    const options = { domain, port, tls, ca: this.certificate.cert, handshake };
    const stream = new ClientStream(await connect(options), options);
    this.#streams.push(stream);
    return stream;
  }

  /** A connection, and the features that it starts with. */
  async opens(
    tls: "direct" | "none" = "direct",
    handshake: ConnectionOptions = {},
  ): Promise<{ stream: ClientStream; features: Element }> {
    const stream = await this.connects(tls, handshake);
    await stream.opens();
    return { stream, features: await stream.receives("<stream:features/>") };
  }

  /** A connection of somebody who is authenticated and has no resource yet. */
  async admits(login: Partial<Login> = {}, handshake: ConnectionOptions = {}): Promise<ClientStream> {
    const { stream, features } = await this.opens("direct", handshake);
    const outcome = await authenticate(stream, features, { username: "ana", password, ...login });
    if (outcome.name !== "success") throw new Error(`not admitted: ${outcome.toString()}`);
    await stream.opens();
    await stream.receives("<stream:features/>");
    return stream;
  }

  /** Somebody who is logged in. */
  async welcomes(username = "ana", resource?: string): Promise<{ stream: ClientStream; full: string }> {
    const stream = await this.admits({ username });
    return { stream, full: await stream.binds(resource) };
  }

  /** How often that was told of sessions. */
  count(event: (typeof sessionEvents)[number]): number {
    return this.told.filter((line) => line.startsWith(event)).length;
  }

  /** All that the log holds, as text. */
  logged(): string {
    return this.log.map((line) => JSON.stringify(line)).join("\n");
  }

  async close(): Promise<void> {
    await Promise.all(this.#streams.map((stream) => stream.kill()));
    await this.c2s.close();
  }

  #logger() {
    return pino(
      { level: "debug", base: null },
      { write: (line: string) => void this.log.push(JSON.parse(line) as LogLine) },
    );
  }

  async #credentials(local: string, hash: ScramHash) {
    const known = this.accounts.has(local);
    const salt = Buffer.from(`${local}: sixteen bytes`.padEnd(16).slice(0, 16));
    const credentials = await deriveCredentials(known ? password : "nobody's", hash, salt, iterations);
    return { credentials, hash, known };
  }
}

/** Opens ports for one test and closes them with it. */
export async function openPorts(t: TestContext, options: PortsOptions = {}): Promise<Ports> {
  const ports = new Ports(await certificateFor(domain));
  await ports.open(options);
  t.after(() => ports.close());
  return ports;
}
