/**
 * Prosody and ejabberd that go away in the middle of a thousand stanzas from Pipit, and come back; and Pipit that goes
 * away in the middle of a thousand of theirs.
 */
import assert from "node:assert";
import { test, type TestContext } from "node:test";
import { startEjabberd } from "./ejabberd.ts";
import { announce, openPair, startPipit, type Home, type Pair } from "./federation.ts";
import type { Person } from "./federation-scenes.ts";
import { Gate } from "./peers/gate.ts";
import type { Mode, StartServer } from "./peers/server.ts";
import { startProsody } from "./prosody.ts";
import type { ActorEvent } from "./client-actor.ts";
import { missing, missingPython } from "./software.ts";

const mode: Mode = { proof: "certificate", transport: "starttls", bidi: false, family: "IPv4" };
const microblog = "urn:xmpp:microblog:0";
const count = 1_000;
const ids = Array.from({ length: count }, (_, index) => `n-${String(index).padStart(4, "0")}`);
/** Bytes: a good part of a thousand stanzas, and far from all. */
const middle = 100_000;
/** How many stanzas Pipit has on their way that nobody has acknowledged yet (src/server/shipment.ts). */
const underWay = 500;

interface Peer {
  readonly start: StartServer;
  readonly host: string;
  readonly skip: string | false;
}

const prosody: Peer = {
  start: startProsody,
  host: "127.0.0.31",
  skip: missing("prosody") || missingPython("slixmpp"),
};
const ejabberd: Peer = {
  start: startEjabberd,
  host: "127.0.0.32",
  skip: missing("ejabberdctl") || missingPython("slixmpp"),
};

interface Place {
  readonly pair: Pair;
  readonly ana: Person;
  readonly ben: Person;
  /** The ways of the one to the other. */
  readonly toPeer: Gate;
  readonly toPipit: Gate;
}

/** Pipit with ana, and the peer with ben. */
async function place(t: TestContext, { start, host }: Peer): Promise<Place> {
  const pair = await openPair(t, { near: startPipit, far: start, mode, hosts: ["127.0.0.30", host] });
  const { dns, capulet, montague } = pair;
  const gateOf = async (home: Home, other: Home): Promise<Gate> => {
    const { ports } = home.server;
    const gate = await Gate.before(home.host, ports.s2s);
    t.after(() => gate[Symbol.asyncDispose]());
    const server = { ...home.server, ports: { ...ports, s2s: gate.port } };
    announce(dns, { ...home, server }, other.server, mode);
    return gate;
  };
  return {
    ...{ pair, ana: capulet.person, ben: montague.person },
    toPeer: await gateOf(montague, capulet),
    toPipit: await gateOf(capulet, montague),
  };
}

/** Which of the thousand it is; nothing where it is none. */
const idOf = (e: ActorEvent): string => /\bid="(n-\d{4})"/.exec(String(e["xml"]))?.[1] ?? "";

/** Ids in short, for who reads that they are wrong: `0–499 400–999`. */
function spans(some: readonly string[]): string {
  const numbers = some.map((id) => ids.indexOf(id));
  const isNext = (at: number): boolean => at > 0 && numbers[at] === numbers[at - 1]! + 1;
  const starts = numbers.flatMap((number, at) => (isNext(at) ? [] : [[number, at] as const]));
  return starts
    .map(([number], index) => `${number}–${numbers[(starts[index + 1]?.[1] ?? numbers.length) - 1]}`)
    .join(" ");
}

/** What somebody hears, up to the last that was sent, by id. */
async function hearsAll({ client }: Person, event: string): Promise<string[]> {
  const heard: string[] = [];
  while (heard.at(-1) !== ids.at(-1)) heard.push(idOf(await client.hears(event, (e) => idOf(e) !== "")));
  return heard;
}

/** Says something that comes after all that was sent before it. */
async function reaches(one: Person, other: Person): Promise<void> {
  await one.client.does("message", { to: other.jid, id: "last", body: "That was all" });
  await other.client.hears("message", (e) => e["id"] === "last");
}

/** A thousand messages, until the server has handled them all. */
async function talks(one: Person, other: Person): Promise<void> {
  for (const id of ids) await one.client.does("message", { to: other.jid, id, body: `This is ${id}` });
  await one.client.does("ping", { to: one.domain });
}

/**
 * Each arrived, in order. What the peer took in and never acknowledged is sent again, which nobody can help: ejabberd
 * acknowledges nothing between servers but pings, Prosody says at the end of such a stream not what it has (0.12.3), and
 * neither resumes one. That is one piece, no more than was on its way, and nothing that was acknowledged.
 */
function assertComplete(heard: readonly string[], acknowledged = 0): void {
  assert.equal(spans([...new Set(heard)]), spans(ids), spans(heard));
  const again = heard.findIndex((id, at) => at > 0 && id <= heard[at - 1]!);
  if (again < 0) return;
  const first = ids.indexOf(heard[again]!);
  assert.equal(spans(heard.slice(again)), spans(ids.slice(first)), "it is repeated as one piece");
  assert(heard.length - count <= underWay, `${heard.length - count} come again`);
  assert(first >= acknowledged, `${heard[again]} comes again, though ${acknowledged} were acknowledged`);
}

/** What Prosody says to have acknowledged, of the stream it was asked on last; none where it says nothing. */
const acknowledgedIn = (output: string): number =>
  Number([...output.matchAll(/Sending\[s2sin\]: <a [^>]*h='(\d+)'/g)].at(-1)?.[1] ?? 0);

/**
 * Who is away has their messages from the disk of their server. After SIGKILL that is so with Prosody, which writes each
 * before it acknowledges it; ejabberd's Mnesia may not have written what it took in the last moments.
 */
for (const [what, peer, signal] of [
  ["Prosody stops", prosody, "SIGTERM"],
  ["Prosody is killed", prosody, "SIGKILL"],
  ["ejabberd stops", ejabberd, "SIGTERM"],
] as const) {
  test(`${what} in the middle of a thousand messages, and starts again`, { skip: peer.skip }, async (t) => {
    const { pair, ana, ben, toPeer } = await place(t, peer);
    const { server } = pair.montague;
    const played = async (): Promise<void> => {
      await ana.enters();
      const full = toPeer.stopsAfter(middle);
      await Promise.all([talks(ana, ben), full]);
      await server.stops(signal);
      const acknowledged = signal === "SIGTERM" ? acknowledgedIn(server.output()) : 0;
      toPeer.opens();
      await server.starts();
      await ben.enters();
      // His server calls, so that ours does not wait until its next try.
      await reaches(ben, ana);
      const heard = await hearsAll(ben, "message");
      await reaches(ana, ben);
      heard.push(...ben.client.takes("message").map(idOf));
      assertComplete(heard, acknowledged);
      assert.deepEqual(ana.client.takes("message"), [], "nothing came back");
    };
    await pair.watches(played());
  });
}

/**
 * Notifications are `headline` messages, which no server keeps for who is away (RFC 6121 §8.5.2.2): the follower is back
 * before the way to their server is.
 */
for (const [what, peer] of [
  ["Prosody", prosody],
  ["ejabberd", ejabberd],
] as const) {
  test(
    `${what} stops in the middle of a thousand posts, and starts again`,
    { skip: peer.skip },
    async (t) => {
      const { pair, ana, ben, toPeer } = await place(t, peer);
      const { server } = pair.montague;
      const publishes = async (id: string): Promise<void> => {
        const payload = `<entry xmlns='http://www.w3.org/2005/Atom'><title>${id}</title></entry>`;
        await ana.client.does("publish", { node: microblog, id, payload });
      };
      const played = async (): Promise<void> => {
        await Promise.all([ana.enters(), ben.enters()]);
        await publishes("before");
        await ben.client.does("subscribe", { to: ana.jid, node: microblog });
        const full = toPeer.stopsAfter(middle);
        const publishing = (async () => {
          for (const id of ids) await publishes(id);
        })();
        await Promise.race([full, publishing]);
        await server.stops();
        toPeer.shuts();
        await ben.client.hears("disconnected");
        const heard = ben.client.takes("pubsub").map(idOf).filter(Boolean);
        assert(heard.length > 0 && heard.length < count, `it stopped after ${heard.length}`);
        await Promise.all([publishing, server.starts()]);
        await ben.leaves();
        await ben.enters();
        toPeer.opens();
        await reaches(ben, ana);
        heard.push(...(await hearsAll(ben, "pubsub")));
        await reaches(ana, ben);
        heard.push(...ben.client.takes("pubsub").map(idOf));
        assertComplete(heard);
      };
      await pair.watches(played());
    },
  );
}

/**
 * No server but Pipit sends again what was on its way: Prosody returns to its sender what was not acknowledged, ejabberd
 * forgets it. So with Prosody each message has arrived or come back; with both, what arrived has done so once and in
 * order. What Pipit took in and could not acknowledge any more as it was killed may have done both.
 */
for (const [what, peer, signal] of [
  ["Pipit stops", prosody, "SIGTERM"],
  ["Pipit is killed", prosody, "SIGKILL"],
  ["Pipit stops", ejabberd, "SIGTERM"],
  ["Pipit is killed", ejabberd, "SIGKILL"],
] as const) {
  const name = peer === prosody ? "Prosody" : "ejabberd";
  test(
    `${what} in the middle of a thousand messages of ${name}, and starts again`,
    { skip: peer.skip },
    async (t) => {
      const { pair, ana, ben, toPipit } = await place(t, peer);
      const { server } = pair.capulet;
      const played = async (): Promise<void> => {
        await ben.enters();
        // Prosody 0.12 puts what is said while a stream comes to be proven before what was said earlier.
        await ben.client.does("ping", { to: ana.domain });
        const full = toPipit.stopsAfter(middle);
        await Promise.all([talks(ben, ana), full]);
        await server.stops(signal);
        toPipit.opens();
        await server.starts();
        await ana.enters();
        await reaches(ana, ben);
        await reaches(ben, ana);
        const messages = ana.client.takes("message");
        const heard = messages.map(idOf);
        assert(heard.length > 0 && heard.length < count, `${heard.length} arrived`);
        assert.equal(spans(heard), spans(ids.slice(0, heard.length)), "in order, each once, with no gap");
        if (peer !== prosody) return;
        const returned = ben.client.takes("message").map(idOf);
        assert.equal(spans([...new Set([...heard, ...returned])].sort()), spans(ids), spans(returned));
        // But for the one that is being written when it takes its leave.
        if (signal === "SIGTERM") assert(heard.length + returned.length <= count + 1, spans(returned));
      };
      await pair.watches(played());
    },
  );
}
