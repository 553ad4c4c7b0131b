/** XEP-0115 on the server: what is asked and believed, for sessions and for resources of other servers. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pino } from "pino";
import { Events } from "../../src/events.ts";
import { Capabilities, type CapabilityEvents } from "../../src/modules/capabilities.ts";
import { Session } from "../../src/server/session.ts";
import { attr, child, type Element } from "../../src/xmpp/xml.ts";
import { wanting } from "../support/client-caps.ts";
import { element, jid } from "../support/pubsub.ts";

const juliet = "juliet@capulet.example";
const benvolio = "benvolio@capulet.example";
const orchard = "romeo@montague.example/orchard";
const tune = "http://jabber.org/protocol/tune";
const mood = "http://jabber.org/protocol/mood";

/** The capabilities, the questions that are open, and what was told of interests. */
class Bench {
  readonly questions: { iq: Element; answer(query?: string): void }[] = [];
  readonly told: string[] = [];
  readonly capabilities: Capabilities;

  constructor() {
    const request = (iq: Element): Promise<Element> =>
      new Promise((resolve) => {
        const answer = (query?: string): void =>
          resolve(element(query ? `<iq type='result'>${query}</iq>` : "<iq type='error'/>"));
        this.questions.push({ iq, answer });
      });
    const log = pino({ level: "silent" });
    const events = new Events<CapabilityEvents>(log);
    events.on("caps.interest", ({ resource, added, account }) => {
      this.told.push(`${resource.jid.full} ${added.join(" ")}${account ? ` of ${account}` : ""}`);
    });
    this.capabilities = new Capabilities({ router: { request }, log, events });
  }

  hears(from: string, c = "", account = juliet): void {
    this.capabilities.heard(jid(from), undefined, account, element(`<presence>${c}</presence>`));
  }

  /** Answers the oldest open question, and lets that sink in. */
  async answers(query?: string): Promise<Element> {
    const { iq, answer } = this.questions.shift()!;
    answer(query);
    await new Promise((resolve) => setImmediate(resolve));
    return iq;
  }

  wants(full: string): string[] | undefined {
    const found = this.capabilities.of(jid(full).bare).find((one) => one.jid.full === full);
    return found && [...found.wants];
  }
}

const sessionOf = (full: string): Session =>
  new Session(
    jid(full),
    { isOpen: true, isFull: false, write: () => undefined, close: () => undefined },
    "127.0.0.1",
  );

describe("a resource of another server", () => {
  test("is asked from the account that hears it, under the node that it names", async () => {
    const bench = new Bench();
    const caps = wanting([tune]);
    bench.hears(orchard, caps.c);
    const iq = await bench.answers(caps.query);
    assert.deepEqual([attr(iq, "from"), attr(iq, "to")], [juliet, orchard]);
    assert.equal(
      attr(child(iq, "query", "http://jabber.org/protocol/disco#info")!, "node"),
      `https://client.example#${caps.ver}`,
    );
    assert.deepEqual(bench.wants(orchard), [tune]);
    assert.deepEqual(bench.told, [`${orchard} ${tune} of ${juliet}`]);
  });

  test("is heard by each account for itself", async () => {
    const bench = new Bench();
    const caps = wanting([tune]);
    bench.hears(orchard, caps.c);
    await bench.answers(caps.query);
    bench.hears(orchard, caps.c, benvolio);
    bench.hears(orchard, caps.c, benvolio);
    assert.deepEqual(bench.told, [`${orchard} ${tune} of ${juliet}`, `${orchard} ${tune} of ${benvolio}`]);
    bench.capabilities.hidden(jid(orchard), juliet);
    assert.deepEqual([...bench.capabilities.of(jid(orchard).bare)[0]!.heardBy], [benvolio]);
    bench.capabilities.hidden(jid(orchard), benvolio);
    assert.deepEqual(bench.capabilities.of(jid(orchard).bare), []);
    assert.equal(bench.questions.length, 0);
  });

  test("is forgotten where there are too many, the one known longest first", async () => {
    const bench = new Bench();
    const caps = wanting([tune]);
    bench.hears("u0@montague.example/r", caps.c);
    await bench.answers(caps.query);
    const presence = element(`<presence>${caps.c}</presence>`);
    for (let i = 1; i <= 20_000; i += 1)
      bench.capabilities.heard(jid(`u${i}@montague.example/r`), undefined, juliet, presence);
    assert.equal(bench.wants("u0@montague.example/r"), undefined);
    assert.deepEqual(bench.wants("u1@montague.example/r"), [tune]);
    assert.deepEqual(bench.wants("u20000@montague.example/r"), [tune]);
  });
});

test("a resource is asked one question at a time, however often it changes", async () => {
  const bench = new Bench();
  const shown = Array.from({ length: 100 }, (_, i) => wanting([`${tune}${i}`]));
  for (const { c } of shown) bench.hears(orchard, c);
  assert.equal(bench.questions.length, 1);
  await bench.answers(shown[0]!.query);
  assert.deepEqual([bench.wants(orchard), bench.questions.length], [[], 1]);
  await bench.answers(shown[99]!.query);
  assert.deepEqual([bench.wants(orchard), bench.questions.length], [[`${tune}99`], 0]);
});

test("what it has come back to is believed", async () => {
  const bench = new Bench();
  const [one, two] = [wanting([tune]), wanting([mood])];
  bench.hears(orchard, one.c);
  bench.hears(orchard, two.c);
  bench.hears(orchard, one.c);
  await bench.answers(one.query);
  assert.deepEqual([bench.wants(orchard), bench.questions.length], [[tune], 0]);
});

test("who waits for an answer and owes another one is not asked twice", async () => {
  const bench = new Bench();
  const garden = "romeo@montague.example/garden";
  const [one, two] = [wanting([tune]), wanting([mood])];
  bench.hears(garden, one.c);
  bench.hears(orchard, one.c);
  bench.hears(orchard, two.c);
  bench.hears(orchard, one.c);
  await bench.answers();
  assert.equal(bench.questions.length, 1);
  await bench.answers(two.query);
  await bench.answers(one.query);
  assert.deepEqual([bench.wants(orchard), bench.questions.length], [[tune], 0]);
});

test("legacy capabilities are asked for once as long as they stay the same", async () => {
  const bench = new Bench();
  const legacy =
    "<c xmlns='http://jabber.org/protocol/caps' node='http://psi-im.org/caps' ver='0.9' ext='ca'/>";
  bench.hears(orchard, legacy);
  await bench.answers(wanting([tune]).query);
  bench.hears(orchard, legacy);
  assert.deepEqual([bench.wants(orchard), bench.questions.length], [[tune], 0]);
  for (let i = 0; i < 100; i += 1) bench.hears(orchard, legacy.replace("0.9", `0.${i}`));
  assert.equal(bench.questions.length, 1);
});

test("hashes are remembered up to a number, the least used are forgotten", async () => {
  const bench = new Bench();
  const kept = wanting(["kept"]);
  const lost = wanting(["lost"]);
  for (const caps of [kept, lost]) {
    bench.hears(orchard, caps.c);
    await bench.answers(caps.query);
  }
  for (let i = 0; i < 1_999; i += 1) {
    const caps = wanting([`${i}`]);
    bench.hears(orchard, caps.c);
    await bench.answers(caps.query);
    bench.hears(orchard, kept.c);
  }
  assert.equal(bench.questions.length, 0);
  bench.hears(orchard, lost.c);
  assert.equal(bench.questions.length, 1);
});

test("of what a client wants, a limited number is kept", async () => {
  const bench = new Bench();
  const caps = wanting(Array.from({ length: 1_000 }, (_, i) => `n${i}`));
  bench.hears(orchard, caps.c);
  await bench.answers(caps.query);
  assert.equal(bench.wants(orchard)?.length, 200);
});

test("the end of an old session does not take away what its successor showed", async () => {
  const bench = new Bench();
  const caps = wanting([tune]);
  const balcony = `${juliet}/balcony`;
  const [old, young] = [sessionOf(balcony), sessionOf(balcony)];
  const presence = element(`<presence>${caps.c}</presence>`);
  bench.capabilities.heard(old.jid, old, juliet, presence);
  await bench.answers(caps.query);
  bench.capabilities.heard(young.jid, young, juliet, presence);
  bench.capabilities.left(old);
  assert.deepEqual(
    bench.capabilities.of(juliet).map(({ session }) => session),
    [young],
  );
  assert.deepEqual(bench.told, [`${balcony} ${tune}`, `${balcony} ${tune}`]);
  bench.capabilities.left(young);
  assert.deepEqual(bench.capabilities.of(juliet), []);
});
