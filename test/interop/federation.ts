/** Two servers that find each other by a DNS server on loopback, and what two people do between them. */
import assert from "node:assert";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { createAuthority } from "../support/authority.ts";
import { serveDns, type DnsServer } from "../support/dns.ts";
import { spawnNode } from "../support/node.ts";
import { Person, play } from "./federation-scenes.ts";
import { folderFor } from "./house.ts";
import { password, type Mode, type Server, type StartServer } from "./peers/server.ts";

/** How much of what the servers said is shown when a test fails. */
const shownLines = 500;

/** Pipit as people run it. */
export const startPipit: StartServer = async (t, place) => {
  const { domain, host, dns, mode, certificate, ca, people } = place;
  const folder = await folderFor(t);
  await writeFile(join(folder, "ca.pem"), ca);
  const settings = {
    domain,
    tls: { cert: "cert.pem", key: "key.pem", ca: join(folder, "ca.pem") },
    listen: { host, s2s: place.port ?? 0, s2s_tls: 0 },
    s2s: { dialback: mode.proof === "dialback", resolver: [dns] },
    log: { level: "debug" as const },
  };
  const node = await spawnNode(t, settings, { certificate });
  const { ports } = node;
  for (const name of people) {
    const added = await node.pipit(["account", "add", `${name}@${domain}`, "--password", password]);
    assert.equal(added.code, 0, added.stderr);
  }
  return {
    name: "Pipit",
    ports,
    asksForAddresses: true,
    output: () => node.output,
    stops: async (signal) => void (await node.stops(signal)),
    async starts() {
      const { c2s, s2s, s2sTls: s2s_tls } = ports;
      await node.configures({ ...settings, listen: { host, c2s, s2s, s2s_tls, c2s_tls: 0, http: 0 } });
      await node.starts();
    },
    streams: () => [...node.output.matchAll(/"msg":"(connected to a server|a server came)"/g)].length,
  };
};

/** A server in its place. */
export interface Home {
  readonly domain: string;
  readonly host: string;
  readonly server: Server;
  /** Who lives there. */
  readonly person: Person;
}

export interface PairOptions {
  readonly near: StartServer;
  readonly far: StartServer;
  readonly mode: Mode;
  /** What they listen on, where it is IPv4. */
  readonly hosts: readonly [near: string, far: string];
  /** The port for other servers of one of them, where it may not be any. */
  readonly ports?: readonly [near: number | undefined, far: number | undefined];
}

export interface Pair {
  readonly dns: DnsServer;
  /** Where ana lives. */
  readonly capulet: Home;
  /** Where ben lives. */
  readonly montague: Home;
  /** Waits for it; where that fails, what the servers said is shown. */
  watches(played: Promise<void>): Promise<void>;
}

/** Starts both, and says in DNS where each is; all of it ends with the test. */
export async function openPair(t: TestContext, options: PairOptions): Promise<Pair> {
  const { near, far, mode, hosts, ports = [] } = options;
  const dns = await serveDns({});
  t.after(() => dns[Symbol.asyncDispose]());
  const folder = await folderFor(t);
  const trusted = await createAuthority();
  const unknown = await createAuthority();
  const issuer = mode.proof === "certificate" ? trusted : unknown;
  const ca = join(folder, "ca.pem");
  await writeFile(ca, issuer.ca);

  const open = async (start: StartServer, domain: string, at: 0 | 1, name: string): Promise<Home> => {
    const host = mode.family === "IPv4" ? hosts[at] : "::1";
    const port = ports[at];
    const certificate = await issuer.issue({ names: [domain] });
    const place = { domain, host, dns: dns.address, mode, certificate, ca: trusted.ca, people: [name] };
    const server = await start(t, port === undefined ? place : { ...place, port });
    const person = new Person({ jid: `${name}@${domain}`, password, host, port: server.ports.c2s, ca });
    t.after(() => person.leaves());
    return { domain, host, server, person };
  };
  const capulet = await open(near, "capulet.example", 0, "ana");
  const montague = await open(far, "montague.example", 1, "ben");
  announce(dns, capulet, montague.server, mode);
  announce(dns, montague, capulet.server, mode);
  return {
    ...{ dns, capulet, montague },
    async watches(played) {
      try {
        await played;
      } catch (error) {
        for (const { server } of [capulet, montague]) {
          for (const line of server.output().trimEnd().split("\n").slice(-shownLines)) {
            t.diagnostic(`${server.name}: ${line}`);
          }
        }
        throw error;
      }
    },
  };
}

/** Starts both, lets ana and ben log in, and plays every scene in both directions. */
export async function federates(t: TestContext, options: PairOptions): Promise<void> {
  const { capulet, montague, watches } = await openPair(t, options);
  const all = async (): Promise<void> => {
    await play(capulet.person, montague.person);
    for (const { server } of [capulet, montague]) {
      assert.equal(server.streams(), options.mode.bidi ? 1 : 2, `streams of ${server.name}`);
    }
  };
  await watches(all());
}

/** SRV for the one port that is to be used, and one address, for the other server to find. */
export function announce(
  { zone }: DnsServer,
  { domain, host, server }: Pick<Home, "domain" | "host" | "server">,
  { asksForAddresses }: Server,
  mode: Mode,
): void {
  const [service, port] =
    mode.transport === "direct" ? ["_xmpps-server", server.ports.s2sTls] : ["_xmpp-server", server.ports.s2s];
  const target = asksForAddresses ? `xmpp.${domain}` : host;
  zone[domain] = {};
  zone[`${service}._tcp.${domain}`] = { SRV: [`0 0 ${port} ${target}`] };
  zone[`xmpp.${domain}`] = mode.family === "IPv4" ? { A: [host] } : { AAAA: [host] };
}
