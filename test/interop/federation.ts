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
export const startPipit: StartServer = async (t, { domain, host, dns, mode, certificate, ca, people }) => {
  const folder = await folderFor(t);
  await writeFile(join(folder, "ca.pem"), ca);
  const node = await spawnNode(
    t,
    {
      domain,
      tls: { cert: "cert.pem", key: "key.pem", ca: join(folder, "ca.pem") },
      listen: { host, s2s: 0, s2s_tls: 0 },
      s2s: { dialback: mode.proof === "dialback", resolver: [dns] },
      log: { level: "debug" },
    },
    { certificate },
  );
  for (const name of people) {
    const added = await node.pipit(["account", "add", `${name}@${domain}`, "--password", password]);
    assert.equal(added.code, 0, added.stderr);
  }
  return {
    name: "Pipit",
    ports: node.ports,
    asksForAddresses: true,
    output: () => node.output,
    streams: () => [...node.output.matchAll(/"msg":"(connected to a server|a server came)"/g)].length,
  };
};

/** A server in its place. */
interface Home {
  readonly domain: string;
  readonly host: string;
  readonly server: Server;
}

export interface Pair {
  readonly near: StartServer;
  readonly far: StartServer;
  readonly mode: Mode;
  /** What they listen on, where it is IPv4. */
  readonly hosts: readonly [near: string, far: string];
}

/** Starts both, lets ana and ben log in, and plays every scene in both directions. */
export async function federates(t: TestContext, { near, far, mode, hosts }: Pair): Promise<void> {
  await using dns = await serveDns({});
  const folder = await folderFor(t);
  const trusted = await createAuthority();
  const unknown = await createAuthority();
  const issuer = mode.proof === "certificate" ? trusted : unknown;
  const ca = join(folder, "ca.pem");
  await writeFile(ca, issuer.ca);

  const open = async (start: StartServer, domain: string, ipv4: string, person: string): Promise<Home> => {
    const host = mode.family === "IPv4" ? ipv4 : "::1";
    const certificate = await issuer.issue({ names: [domain] });
    const place = { domain, host, dns: dns.address, mode, certificate, ca: trusted.ca, people: [person] };
    return { domain, host, server: await start(t, place) };
  };
  const capulet = await open(near, "capulet.example", hosts[0], "ana");
  const montague = await open(far, "montague.example", hosts[1], "ben");
  announce(dns, capulet, montague.server, mode);
  announce(dns, montague, capulet.server, mode);
  const person = ({ domain, host, server }: Home, name: string): Person =>
    new Person({ jid: `${name}@${domain}`, password, host, port: server.ports.c2s, ca });
  await using ana = person(capulet, "ana");
  await using ben = person(montague, "ben");
  try {
    await play(ana, ben);
    for (const { server } of [capulet, montague]) {
      assert.equal(server.streams(), mode.bidi ? 1 : 2, `streams of ${server.name}`);
    }
  } catch (error) {
    for (const { server } of [capulet, montague]) {
      for (const line of server.output().trimEnd().split("\n").slice(-shownLines)) {
        t.diagnostic(`${server.name}: ${line}`);
      }
    }
    throw error;
  }
}

/** SRV for the one port that is to be used, and one address, for the other server to find. */
function announce(
  { zone }: DnsServer,
  { domain, host, server }: Home,
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
