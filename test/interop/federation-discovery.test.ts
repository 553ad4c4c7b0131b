/**
 * How Pipit, Prosody and ejabberd find each other where the DNS says little, something wrong, or that there is nothing
 * (RFC 6120 §3.2, RFC 2782). ejabberd asks the C library for addresses, which no test can tell: it is found by names,
 * and itself only shown addresses.
 */
import assert from "node:assert";
import { test, type TestContext } from "node:test";
import { startEjabberd } from "./ejabberd.ts";
import { openPair, startPipit, type Home, type Pair } from "./federation.ts";
import { freePorts, isFree } from "./peers/daemon.ts";
import type { Mode, StartServer } from "./peers/server.ts";
import { startProsody } from "./prosody.ts";
import { missing, missingPython } from "./software.ts";

/** RFC 6120 §14.7: where there is no SRV record. */
const defaultPort = 5269;
const mode: Mode = { proof: "certificate", transport: "starttls", bidi: false, family: "IPv4" };
/** Of the whole of 127.0.0.0/8: nobody else listens on that port there. */
const loopback = (last: number): string =>
  `127.${100 + (process.pid >> 14)}.${(process.pid >> 6) & 255}.${last}`;
const hosts = [loopback(1), loopback(2)] as const;

const peers: Readonly<Record<string, { start: StartServer; program: string }>> = {
  Prosody: { start: startProsody, program: "prosody" },
  ejabberd: { start: startEjabberd, program: "ejabberdctl" },
};

const service = ({ domain }: Home): string => `_xmpp-server._tcp.${domain}`;

/** Each asks the other's server, and writes to whom lives there. */
async function meet({ capulet, montague }: Pair): Promise<void> {
  const [ana, ben] = [capulet.person, montague.person];
  await Promise.all([ana.enters(), ben.enters()]);
  for (const [one, other] of [
    [ana, ben],
    [ben, ana],
  ] as const) {
    await one.client.does("ping", { to: other.domain });
    await one.client.does("message", { to: other.jid, id: "found", body: "There you are" });
    await other.client.hears("message", (e) => e["id"] === "found");
  }
}

/** There is nothing but an address: both servers, where each can have the port, or the one that can. */
async function withoutSrv(
  t: TestContext,
  start: StartServer,
  family: Mode["family"],
  who: "both" | "near" | "far",
) {
  if (family === "IPv6" && !(await isFree("::1", defaultPort)))
    return t.skip(`somebody else listens on port ${defaultPort} of ::1`);
  const ports = [who === "far" ? undefined : defaultPort, who === "near" ? undefined : defaultPort] as const;
  const pair = await openPair(t, {
    near: startPipit,
    far: start,
    mode: { ...mode, family },
    hosts,
    ports,
  });
  const { dns, capulet, montague } = pair;
  const homes = [capulet, montague].filter(({ server }) => server.ports.s2s === defaultPort);
  for (const home of homes) {
    delete dns.zone[service(home)];
    dns.zone[home.domain] = family === "IPv4" ? { A: [home.host] } : { AAAA: [home.host] };
  }
  await pair.watches(meet(pair));
  for (const home of homes) assert(dns.asked.includes(`SRV ${service(home)}`));
}

for (const [name, { start, program }] of Object.entries(peers)) {
  const options = { skip: missing(program) || missingPython("slixmpp") };

  test(`${name} and Pipit without SRV records: the IPv4 address of the domain`, options, (t) =>
    withoutSrv(t, start, "IPv4", name === "ejabberd" ? "far" : "both"),
  );

  test(`${name} without SRV records: the IPv6 address of the domain`, options, (t) =>
    withoutSrv(t, start, "IPv6", "far"),
  );

  if (name !== "ejabberd")
    test(`Pipit without SRV records, found by ${name}: the IPv6 address of the domain`, options, (t) =>
      withoutSrv(t, start, "IPv6", "near"),
    );

  test(
    `${name} and Pipit: of three servers the first has no address, the second is dead`,
    options,
    async (t) => {
      const pair = await openPair(t, { near: startPipit, far: start, mode, hosts });
      const { dns, capulet, montague } = pair;
      for (const [home, other] of [
        [capulet, montague],
        [montague, capulet],
      ] as const) {
        const [dead = 0] = await freePorts(home.host, 1);
        const target = other.server.asksForAddresses ? `xmpp.${home.domain}` : home.host;
        const gone = `gone.${home.domain}`;
        const { s2s } = home.server.ports;
        dns.zone[service(home)] = {
          SRV: [`2 0 ${s2s} ${target}`, `0 0 ${s2s} ${gone}`, `1 0 ${dead} ${target}`],
        };
      }
      await pair.watches(meet(pair));
    },
  );

  test(`${name} and Pipit: a domain that says it has no server is left alone`, options, async (t) => {
    const ports = [defaultPort, defaultPort] as const;
    const pair = await openPair(t, { near: startPipit, far: start, mode, hosts, ports });
    const { dns, capulet, montague } = pair;
    for (const home of [capulet, montague]) {
      // It could be reached, were it not for that.
      dns.zone[service(home)] = { SRV: ["0 0 0 ."] };
      dns.zone[home.domain] = { A: [home.host] };
    }
    const played = async (): Promise<void> => {
      const [ana, ben] = [capulet.person, montague.person];
      await Promise.all([ana.enters(), ben.enters()]);
      await assert.rejects(
        ana.client.does("ping", { to: ben.domain }),
        /remote-server-not-found.*no XMPP server/,
      );
      await assert.rejects(ben.client.does("ping", { to: ana.domain }), /remote-server-not-found/);
      for (const { server } of [capulet, montague]) assert.equal(server.streams(), 0);
    };
    await pair.watches(played());
  });
}
