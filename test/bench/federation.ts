/** What following costs across servers: two nodes as processes of their own, on one machine and with its loopback between them. */
import { createAuthority } from "../support/authority.ts";
import type { Certificate } from "../support/certificate.ts";
import { serveDns } from "../support/dns.ts";
import { BenchClient } from "./client.ts";
import { loginAll, named, publish, say, settled } from "./crowd.ts";
import { BenchServer, type Peering } from "./server.ts";

const near = "capulet.example";
const far = "montague.example";
const followers = 1_000;
const latePosts = 200;
/** To so many followers this is what a domain may send at once (server/s2s-flow.ts); more would measure that limit. */
const massPosts = 20;
const idleStreams = 500;
/** Streams negotiated at once; a server bears only so many strangers of one address. */
const dials = 16;

const subscribe = (local: string): string =>
  `<iq type='set' id='s' to='author@${near}'><pubsub xmlns='http://jabber.org/protocol/pubsub'><subscribe node='urn:xmpp:microblog:0' jid='${local}@${far}'/></pubsub></iq>`;

/** Two nodes that find each other by direct TLS, and other domains with a certificate that both believe. */
async function neighbours(
  residents: readonly string[],
  profile: boolean,
  measure: (author: BenchServer, audience: BenchServer, stranger: Certificate) => Promise<void>,
): Promise<void> {
  const { ca, issue } = await createAuthority();
  await using dns = await serveDns({});
  const open = async (domain: string, accounts: readonly string[]): Promise<BenchServer> => {
    const peering: Peering = { domain, certificate: await issue({ names: [domain] }), ca, dns: dns.address };
    const server = await BenchServer.start(accounts, profile, peering);
    dns.zone[domain] = {};
    dns.zone[`_xmpps-server._tcp.${domain}`] = { SRV: [`0 0 ${server.s2sPort} xmpp.${domain}`] };
    dns.zone[`xmpp.${domain}`] = { A: ["127.0.0.1"] };
    return server;
  };
  const author = await open(near, ["author"]);
  const audience = await open(far, residents);
  await measure(author, audience, await issue({ names: ["*.verona.example"] }));
  for (const line of await author.stop()) say(`        ${line}`);
  await audience.stop();
}

async function follow(audience: BenchServer, locals: readonly string[]): Promise<BenchClient[]> {
  const logins = locals.map((local) => [local, "bench"] as const);
  const clients = await loginAll(audience.port, logins, far);
  for (const [i, client] of clients.entries()) {
    await client.ask("<presence/>", "<presence");
    await client.ask(subscribe(locals[i]!), "</iq>");
  }
  return clients;
}

/** From sending a post until a follower on the other node has the event. */
async function late(profile: boolean): Promise<void> {
  await neighbours(["follower"], profile, async (server, audience) => {
    const author = await BenchClient.login(server.port, near, "author", "bench");
    await author.ask(publish(0), "</iq>");
    const [follower] = await follow(audience, ["follower"]);
    const times: number[] = [];
    for (let i = 1; i <= latePosts; i += 1) {
      const started = performance.now();
      const arrived = new Promise<void>((resolve) => follower!.count("</message>", () => resolve()));
      const answered = author.ask(publish(i), "</iq>");
      await arrived;
      times.push(performance.now() - started);
      await answered;
    }
    times.sort((a, b) => a - b);
    const at = (part: number): string => times[Math.floor(part * times.length)]!.toFixed(1);
    say(
      `late    ${at(0.5)} ms median, ${at(0.99)} ms p99 from a post to a follower's client on another node`,
    );
    author.end();
    follower!.end();
  });
}

async function mass(profile: boolean): Promise<void> {
  const locals = named("follower", followers);
  await neighbours(locals, profile, async (server, audience) => {
    const author = await BenchClient.login(server.port, near, "author", "bench");
    await author.ask(publish(0), "</iq>");
    const clients = await follow(audience, locals);
    let arrived = 0;
    const done = new Promise<void>((resolve) => {
      for (const client of clients) {
        client.count("</message>", (times) => {
          arrived += times;
          if (arrived >= followers * massPosts) resolve();
        });
      }
    });
    const before = [server.cpu(), audience.cpu()] as const;
    const started = performance.now();
    for (let i = 1; i <= massPosts; i += 1) await author.ask(publish(i), "</iq>");
    await done;
    const seconds = (performance.now() - started) / 1000;
    const [sent, received] = [server.cpu() - before[0], audience.cpu() - before[1]];
    say(
      `mass    ${Math.round(arrived / seconds)} notifications/s to one domain, ${(sent / arrived).toFixed(1)} µs of CPU each here, ` +
        `${(received / arrived).toFixed(1)} µs there (${massPosts} posts to ${followers} followers)`,
    );
    for (const client of [author, ...clients]) client.end();
  });
}

/** Streams of as many domains, each proven by its certificate, on which nothing happens. */
async function quiet(profile: boolean): Promise<void> {
  await neighbours([], profile, async (server, _audience, certificate) => {
    const open = async (from: number, to: number): Promise<BenchClient[]> => {
      const peers: BenchClient[] = [];
      let next = from;
      const worker = async (): Promise<void> => {
        for (let i = next++; i < to; i = next++) {
          peers.push(await BenchClient.peer(server.s2sPort, near, `house${i}.verona.example`, certificate));
        }
      };
      await Promise.all(Array.from({ length: dials }, worker));
      return peers;
    };
    // The first ones pay for code and caches that all share.
    const warm = await open(0, dials * 4);
    await settled(server);
    const before = server.memory();
    const peers = await open(warm.length, warm.length + idleStreams);
    await settled(server);
    const each = (server.memory() - before) / idleStreams;
    say(
      `quiet   ${each.toFixed(1)} KB an idle stream (${idleStreams} domains, TLS with client certificates)`,
    );
    for (const peer of [...warm, ...peers]) peer.end();
  });
}

export async function federation(profile: boolean): Promise<void> {
  await late(profile);
  await mass(profile);
  await quiet(profile);
}
