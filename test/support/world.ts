/**
 * Screenplays with several servers: real nodes in this process, each on a loopback address of its own, that find each
 * other by DNS and trust one authority.
 *
 *     await using verona = await world(t, { capulet: { juliet: {} }, montague: { romeo: {} } });
 *     const { juliet, romeo } = verona.actors;
 *     juliet.sends(`<message to='${romeo.bare}' type='chat'><body>Hist!</body></message>`);
 *     await romeo.receives(`<message from='${juliet.full}'><body>Hist!</body></message>`);
 *
 * `capulet` is the server of `capulet.example`.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { isIPv6 } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { completeConfig, type ConfigInput } from "../../src/config.ts";
import { NS } from "../../src/xmpp/ns.ts";
import { xml } from "../../src/xmpp/xml.ts";
import type { Actor, Role } from "./actor.ts";
import { createAuthority, type Authority } from "./authority.ts";
import { Stage } from "./cast.ts";
import type { Certificate } from "./certificate.ts";
import { serveDns, type DnsServer, type Zone } from "./dns.ts";

export interface HouseOptions {
  /** Settings beside or instead of the world's own. */
  readonly config?: ConfigInput;
  /** The address to listen on, instead of one in 127.0.0.0/8. */
  readonly host?: string;
  /** How other servers reach it, instead of by STARTTLS. */
  readonly directTls?: boolean;
  /** The certificate that it has, instead of a good one of the world's authority. */
  readonly certificate?: (authority: Authority) => Promise<Certificate>;
}

type Cast = Record<string, Record<string, Role>>;
type Names<Houses extends Cast> = { [House in keyof Houses]: keyof Houses[House] }[keyof Houses] & string;

export interface WorldOptions<Houses extends Cast> {
  readonly houses?: { readonly [House in keyof Houses]?: HouseOptions };
}

let authority: Promise<Authority> | undefined;

/** Whom all servers of a test process trust. */
export const commonAuthority = (): Promise<Authority> => (authority ??= createAuthority());

/** Starts the servers with their accounts, each logged in once; ends all of it with the test. */
export async function world<Houses extends Cast>(
  t: TestContext,
  houses: Houses,
  options: WorldOptions<NoInfer<Houses>> = {},
): Promise<World<Houses>> {
  const folder = await mkdtemp(join(tmpdir(), "pipit-"));
  const dns = await serveDns({});
  const made = new World<Houses>(dns);
  t.after(async () => {
    try {
      await made.verify();
    } finally {
      await dns[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    }
  });
  const root = await commonAuthority();
  await writeFile(join(folder, "ca.pem"), root.ca);
  for (const [index, [name, roles]] of Object.entries(houses).entries()) {
    const { config = {}, certificate, ...where } = options.houses?.[name] ?? {};
    const { host = `127.0.0.${index + 2}`, directTls = false } = where;
    const domain = config.domain ?? `${name}.example`;
    const pem = await (certificate?.(root) ?? root.issue({ names: [domain, `*.${domain}`] }));
    const tls = ["cert", "key", "ca"].map((part) => [part, join(folder, `${name}-${part}.pem`)] as const);
    for (const [part, file] of tls) {
      await writeFile(file, part === "ca" ? root.ca : pem[part as keyof Certificate]);
    }
    const { listen, s2s, ...settings } = config;
    const ports = directTls ? { s2s: false as const, s2s_tls: 0 } : { s2s: 0, s2s_tls: false as const };
    const stage = new Stage(
      completeConfig({
        domain,
        data: join(folder, name),
        tls: Object.fromEntries(tls),
        listen: { host, c2s: 0, c2s_tls: 0, http: 0, ...ports, ...listen },
        s2s: { resolver: [dns.address], ...s2s },
        ...settings,
      }),
      root.ca,
      roles,
      () => made.settle(),
    );
    made.add(name, stage);
    await stage.raise([]);
    publish(dns.zone, stage, host);
  }
  return made;
}

/** Says in DNS where a server is. */
function publish(zone: Zone, { domain, node }: Stage, host: string): void {
  const { s2s, s2sTls } = node.ports;
  const server = `server.${domain}`;
  zone[server] = isIPv6(host) ? { AAAA: [host] } : { A: [host] };
  zone[domain] = {};
  if (s2s !== undefined) zone[`_xmpp-server._tcp.${domain}`] = { SRV: [`0 0 ${s2s} ${server}`] };
  if (s2sTls !== undefined) zone[`_xmpps-server._tcp.${domain}`] = { SRV: [`0 0 ${s2sTls} ${server}`] };
}

export class World<Houses extends Cast> {
  /** What can be found out about the servers; it may be changed at any time. */
  readonly dns: DnsServer;
  /** The servers, by their names. */
  readonly stages = {} as Record<keyof Houses & string, Stage>;

  constructor(dns: DnsServer) {
    this.dns = dns;
  }

  /** Everybody, wherever they live. */
  get actors(): Record<Names<Houses>, Actor> {
    return Object.assign({}, ...this.#all.map(({ actors }) => actors)) as Record<Names<Houses>, Actor>;
  }

  add(name: keyof Houses & string, stage: Stage): void {
    this.stages[name] = stage;
  }

  /** Waits until all that was sent has been handled, at every server that runs. */
  async settle(): Promise<void> {
    // What arrives may be answered, and the answer be for a third.
    for (let round = 0; round < 2; round += 1) {
      await Promise.all(this.#up.map((stage) => stage.settle()));
      await Promise.all(this.#up.flatMap((from) => this.#up.map((to) => roundTrip(from, to))));
    }
    await Promise.all(this.#up.map((stage) => stage.settle()));
  }

  async verify(): Promise<void> {
    await this[Symbol.asyncDispose]();
    for (const stage of this.#all) await stage.verify();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((stage) => stage[Symbol.asyncDispose]()));
  }

  get #all(): Stage[] {
    return Object.values(this.stages);
  }

  get #up(): Stage[] {
    return this.#all.filter(({ isUp }) => isUp);
  }
}

/** Behind all that one server has for another; where that cannot be reached, nothing is on its way. */
async function roundTrip(from: Stage, to: Stage): Promise<void> {
  if (from === to) return;
  const attrs = { type: "get", from: from.domain, to: to.domain };
  await from.node.router.request(xml("iq", attrs, xml("ping", { xmlns: NS.ping }))).catch(() => undefined);
}
