/** A thousand connections that break at any moment: the server stands, and remembers nobody. */
import assert from "node:assert";
import { once } from "node:events";
import { test } from "node:test";
import { NS } from "../../src/xmpp/ns.ts";
import { domain, openPorts, password, type Ports } from "../support/c2s.ts";
import { auth } from "../support/sasl-client.ts";
import { streamHeader, type ClientStream } from "../support/stream.ts";

const kills = 1_000;
/** Connections at a time; below what one address may have without a resource. */
const crowd = 40;

/** Marsaglia's xorshift32: the same moments in each run. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % sides;
  };
}

/** One after the other, what a client does in its life. */
const steps: ((stream: ClientStream) => Promise<unknown>)[] = [
  (stream) => stream.opens(),
  (stream) => stream.receives("<stream:features/>"),
  (stream) => stream.secures(),
  (stream) => stream.opens(),
  (stream) => stream.receives("<stream:features/>"),
  (stream) => stream.authenticates("ana", password),
  (stream) => stream.binds(),
  async (stream) => {
    const slow = `<iq type='set' id='s' to='${domain}'><slow xmlns='test:slow'/></iq>`;
    stream.raw(slow + `<message to='bob@${domain}/den'><body>half a`);
    await stream.receives("<iq id='s'/>");
    stream.raw(` message</body></message>${slow.repeat(5)}`);
  },
];

/** What is sent last, without waiting for what comes of it. */
const lastWords = [
  "",
  " ",
  "<",
  streamHeader({ to: domain }),
  `<starttls xmlns='${NS.tls}'/>`,
  auth("PLAIN", `\0ana\0${password}`),
  "\x16\x03\x01\x02\x00\x01\x00",
  "</stream:stream>",
];

async function liveAndDie(ports: Ports, roll: (sides: number) => number): Promise<void> {
  const stream = await ports.connects("none");
  const tcp = stream.socket;
  const until = roll(steps.length + 1);
  for (let n = 0; n < until; n += 1) await steps[n]!(stream);
  stream.raw(lastWords[roll(lastWords.length)]!);
  const closed = once(stream.socket, "close");
  if (roll(2)) stream.socket.destroy();
  else tcp.resetAndDestroy();
  await closed;
}

test("a thousand connections break", { timeout: 120_000 }, async (t) => {
  const ports = await openPorts(t);
  const bob = await ports.welcomes("bob", "den");
  const roll = dice(20261120);
  for (let done = 0; done < kills; done += crowd) {
    await Promise.all(Array.from({ length: crowd }, () => liveAndDie(ports, roll)));
  }
  while (ports.sessions.count > 1)
    await bob.stream.asks(`<iq type='get' to='${domain}'><ping xmlns='${NS.ping}'/></iq>`);
  const count = (event: string) => ports.told.filter((line) => line.startsWith(event)).length;
  while (count("session.closed") < count("session.bound") - 1) {
    await bob.stream.asks(`<iq type='get' to='${domain}'><ping xmlns='${NS.ping}'/></iq>`);
  }
  assert.equal(count("session.closed"), count("session.bound") - 1);
  assert(count("session.bound") > kills / 20, "some came as far as to be bound");
  const alarms = ports.log.filter(({ level, msg }) => level >= 40 || msg.includes("too many"));
  assert.deepEqual(alarms, []);
  for (const message of bob.stream.inbox) assert.equal(message.getChildText("body"), "half a message");
});
