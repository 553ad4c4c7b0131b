/**
 * Screenplays: a real node in this process, in a directory and on ports of its own, and clients on real TLS sockets.
 *
 *     await using stage = await cast(t, { romeo: {}, juliet: {} }, { friends: [["romeo", "juliet"]] });
 *     const { romeo, juliet } = stage.actors;
 *     romeo.sends(`<message to='${juliet.bare}' type='chat'><body>Call me but love</body></message>`);
 *     await juliet.receives(`<message from='${romeo.full}' type='chat'><body>Call me but love</body></message>`);
 *     await romeo.receivesNothing();
 *
 * A test fails at its end where an inbox is not empty or the node logged an error that nobody expected.
 */
import assert from "node:assert";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { isIPv6 } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { pino } from "pino";
import { completeConfig, type Config, type ConfigInput } from "../../src/config.ts";
import { startNode, type RunningNode } from "../../src/node.ts";
import { parseJid } from "../../src/xmpp/jid.ts";
import { attr } from "../../src/xmpp/xml.ts";
import { Actor, type Role } from "./actor.ts";
import { certificateFor } from "./certificate.ts";
import { pretty } from "./shape.ts";
import { ClientStream, connect, type StreamOptions } from "./stream.ts";

export type { Actor, ClientStream, Role };

export interface StageOptions<Name extends string> {
  /** Pairs whose subscription is `both`. */
  readonly friends?: readonly (readonly [Name, Name])[];
  /** Settings beside or instead of the stage's own. */
  readonly config?: ConfigInput;
}

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly err?: { readonly message: string };
}

const domain = "pipit.test";
const resource = "phone";
/** The level at which pino logs errors. */
const errorLevel = 50;

/** Starts a node with these accounts, each logged in once; ends all of it with the test. */
export async function cast<Name extends string>(
  t: TestContext,
  roles: Record<Name, Role>,
  options: StageOptions<NoInfer<Name>> = {},
): Promise<Stage<Name>> {
  const folder = await mkdtemp(join(tmpdir(), "pipit-"));
  const certificate = await certificateFor(domain);
  const files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
  await writeFile(files.cert, certificate.cert);
  await writeFile(files.key, certificate.key);
  const { listen, ...settings } = options.config ?? {};
  const config = completeConfig({
    domain,
    data: join(folder, "data"),
    tls: files,
    listen: {
      host: "127.0.0.1",
      c2s: 0,
      c2s_tls: 0,
      s2s: false,
      s2s_tls: false,
      component: 0,
      http: 0,
      ...listen,
    },
    ...settings,
  });
  const stage = new Stage<Name>(config, certificate.cert, roles);
  t.after(async () => {
    try {
      await stage.verify();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
  await stage.raise(options.friends ?? []);
  return stage;
}

/** Waits until all that was sent has been handled, on whatever other stages too. */
type Settle = () => Promise<void>;

export class Stage<Name extends string = string> {
  readonly config: Config;
  /** PEM: what the clients trust. */
  readonly certificate: string;
  /** The ones of the cast, by their names. */
  readonly actors = {} as Record<Name, Actor>;
  /** What the node logged, from `debug` on. */
  readonly log: LogLine[] = [];
  readonly #roles: Readonly<Record<string, Role>>;
  readonly #everybody: ClientStream[] = [];
  readonly #left: string[] = [];
  readonly #settleAll: Settle;
  #node: RunningNode | undefined;
  #ports: RunningNode["ports"] = {};
  #ended: Promise<void> | undefined;

  constructor(config: Config, certificate: string, roles: Record<Name, Role>, settleAll?: Settle) {
    this.config = config;
    this.certificate = certificate;
    this.#roles = roles;
    this.#settleAll = settleAll ?? (() => this.settle());
  }

  get domain(): string {
    return this.config.domain;
  }

  get node(): RunningNode {
    assert(this.#node, "the node does not run");
    return this.#node;
  }

  /** Where the web is served: a base URL. */
  get web(): string {
    const { http } = this.node.ports;
    assert(http !== undefined, "the node does not serve the web");
    const { host = "127.0.0.1" } = this.config.listen;
    return `http://${isIPv6(host) ? `[${host}]` : host}:${http}`;
  }

  /** The bare JID of a local name. */
  bare(name: string): string {
    return `${name}@${this.domain}`;
  }

  /** Starts the node, makes the accounts, logs them in and makes friends of those who shall be. */
  async raise(friends: readonly (readonly [Name, Name])[]): Promise<void> {
    await this.starts();
    const names = Object.keys(this.#roles) as Name[];
    await Promise.all(
      names.map(async (name) => {
        const { admin = false } = this.#roles[name]!;
        await this.node.accounts.add(parseJid(this.bare(name))!, this.#passwordOf(name), { admin });
        this.actors[name] = await this.login(name, { ...this.#roles[name], presence: false });
      }),
    );
    for (const [one, other] of friends) await this.#befriend(this.actors[one], this.actors[other]);
    const present = names.filter((name) => this.#roles[name]!.presence !== false);
    for (const name of present) this.actors[name].sends("<presence/>");
    await this.settle();
    for (const name of names) this.actors[name].inbox.length = 0;
  }

  /** One more login of an account. The presence that it causes is not left in anybody's inbox. */
  async login(name: string, role: Role = {}): Promise<Actor> {
    const tls = role.tls === "starttls" ? "none" : "direct";
    const options = this.#streamOptions(tls);
    const actor = new Actor(await connect(options), options, this.bare(name), this.#settleAll);
    this.#everybody.push(actor);
    await actor.logsIn({ resource, ...role, password: role.password ?? this.#passwordOf(name) });
    if (role.presence === false) return actor;
    actor.sends("<presence/>");
    await this.settle();
    for (const other of this.#everybody) {
      drop(other.inbox, (from) => other === actor || from === actor.full);
    }
    return actor;
  }

  /** A connection to the node on which nothing has been sent yet. */
  async connects(tls: StreamOptions["tls"] = "direct"): Promise<ClientStream> {
    const options = this.#streamOptions(tls);
    const stream = new ClientStream(await connect(options), options);
    this.#everybody.push(stream);
    return stream;
  }

  /** Waits until all that was sent has been handled, whoever listens is through, and what came of it is received. */
  async settle(): Promise<void> {
    const isThere = (one: ClientStream) => one instanceof Actor && one.full !== "" && !one.gone;
    const actors = this.#everybody.filter(isThere) as Actor[];
    const roundTrips = () =>
      Promise.all(
        actors.map((actor) =>
          actor.pings().catch((error: unknown) => {
            if (!actor.gone) throw error;
          }),
        ),
      );
    await roundTrips();
    await this.node.events.idle();
    await roundTrips();
  }

  /** Stops the node and starts it again on the same data. Everybody has to log in anew. */
  async restarts(): Promise<void> {
    await this.stops();
    await this.starts();
  }

  async stops(): Promise<void> {
    await this.settle();
    this.#left.push(...this.#unread());
    await this.node.close();
    this.#node = undefined;
    await Promise.all(this.#everybody.splice(0).map((one) => one.kill()));
  }

  /** Starts the node on the data that it has; other servers find it where it was. */
  async starts(): Promise<void> {
    const write = (line: string) => void this.log.push(JSON.parse(line) as LogLine);
    const { s2s = this.config.listen.s2s, s2sTls = this.config.listen.s2s_tls } = this.#ports;
    const config = { ...this.config, listen: { ...this.config.listen, s2s, s2s_tls: s2sTls } };
    this.#node = await startNode(config, pino({ level: "debug", base: null }, { write }));
    this.#ports = this.#node.ports;
  }

  get isUp(): boolean {
    return this.#node !== undefined;
  }

  /** Takes an error out of the log that the test provoked, by a part of its message; fails where there is none. */
  logged(part: string): LogLine {
    const at = this.log.findIndex((line) => line.level >= errorLevel && line.msg.includes(part));
    assert(at >= 0, `no error was logged with "${part}"`);
    return this.log.splice(at, 1)[0]!;
  }

  /** Everybody leaves and the node stops. */
  [Symbol.asyncDispose](): Promise<void> {
    return (this.#ended ??= this.#end());
  }

  /** Ends the play where it has not ended; fails for what was left over. */
  async verify(): Promise<void> {
    await this[Symbol.asyncDispose]();
    const errors = this.log.filter((line) => line.level >= errorLevel);
    const told = errors.map((line) => `the node logged: ${line.msg} ${line.err?.message ?? ""}`);
    const left = [...this.#left, ...this.#unread(), ...told];
    if (left.length > 0) assert.fail(left.join("\n"));
  }

  #unread(): string[] {
    return this.#everybody.flatMap((one) => {
      const who = one instanceof Actor ? one.full : "a stream";
      return one.inbox.map((stanza) => `${who} received, and did not expect:\n${pretty(stanza, "  ")}`);
    });
  }

  async #end(): Promise<void> {
    // Thrown here, it would hide what the test itself failed for; `verify` tells it instead.
    if (this.#node) await this.settle().catch((error: unknown) => this.#left.push(String(error)));
    await Promise.all(this.#everybody.map((one) => one.kill()));
    await this.#node?.close();
    this.#node = undefined;
  }

  /** Mutual subscription, by the protocol (RFC 6121 §3.1); neither is available yet, so neither is told. */
  async #befriend(one: Actor, other: Actor): Promise<void> {
    for (const [asker, asked] of [
      [one, other],
      [other, one],
    ] as const) {
      asker.sends(`<presence type='subscribe' to='${asked.bare}'/>`);
      await asker.pings();
      asked.sends(`<presence type='subscribed' to='${asker.bare}'/>`);
      await asked.pings();
    }
  }

  #passwordOf(name: string): string {
    return this.#roles[name]?.password ?? `${name}'s secret`;
  }

  #streamOptions(tls: StreamOptions["tls"]): StreamOptions {
    const port = tls === "direct" ? this.node.ports.c2sTls : this.node.ports.c2s;
    assert(
      port !== undefined,
      `the node does not listen for ${tls === "direct" ? "direct TLS" : "STARTTLS"}`,
    );
    const { host } = this.config.listen;
    return { domain: this.domain, port, tls, ca: this.certificate, ...(host !== undefined && { host }) };
  }
}

/** Takes presence out of an inbox, by who it is from. */
function drop(inbox: ClientStream["inbox"], unwanted: (from: string | undefined) => boolean): void {
  const kept = inbox.filter((one) => one.name !== "presence" || !unwanted(attr(one, "from")));
  inbox.splice(0, inbox.length, ...kept);
}
