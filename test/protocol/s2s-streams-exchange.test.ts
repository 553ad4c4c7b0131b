/** What is sent on streams between servers, and what becomes of it: XEP-0198, XEP-0199, XEP-0288, XEP-0478. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { Outcome, S2sLink } from "../../src/server/s2s-link.ts";
import { NS } from "../../src/xmpp/ns.ts";
import { attr, child, childText } from "../../src/xmpp/xml.ts";
import type { PeerStream } from "../support/peer.ts";
import {
  hasty,
  message,
  ours,
  sends,
  servers,
  theirs,
  type Servers,
  type StageOptions,
} from "../support/s2s.ts";

const sm = NS.streamManagement;
const external = `<mechanisms xmlns='${NS.sasl}'><mechanism>EXTERNAL</mechanism></mechanisms>`;
const bidiFeature = `<bidi xmlns='${NS.bidiFeature}'/>`;
const bidi = `<bidi xmlns='${NS.bidi}'/>`;
const letter = (id: string): string => message(id, `juliet@${ours}/balcony`, `romeo@${theirs}`);

interface Play {
  readonly all: Servers;
  readonly stream: PeerStream;
  readonly link: S2sLink;
}

/** A link of ours, and the peer's end of it. */
async function linked(
  t: TestContext,
  options: StageOptions = {},
  before = "",
  after = `<sm xmlns='${sm}'/>`,
): Promise<Play> {
  const all = await servers(t, options);
  const peer = await all.peer();
  const connecting = all.connects();
  const stream = await peer.accepts();
  await stream.encrypts();
  await stream.welcomes(before + external);
  if (before) await stream.receives(bidi);
  await stream.receives(`<auth xmlns='${NS.sasl}'/>`);
  stream.raw(`<success xmlns='${NS.sasl}'/>`);
  await stream.welcomes(after);
  if (after.includes("<sm ")) {
    await stream.receives(`<enable xmlns='${sm}'/>`);
    stream.raw(`<enabled xmlns='${sm}'/>`);
  }
  return { all, stream, link: await connecting };
}

/** A stream of the peer's, proven. */
async function arrived(t: TestContext, options: StageOptions = {}, request = "") {
  const all = await servers(t, options);
  const peer = await all.peer();
  const stream = await peer.dials(all.s2s.port!);
  const features = await stream.arrives(request);
  return { all, peer, stream, features };
}

describe("what a server sends us", () => {
  it("is acknowledged once it is safe, and not before", async (t) => {
    const safe: (() => void)[] = [];
    const receive = (): Promise<void> => new Promise((resolve) => safe.push(resolve));
    const { stream } = await arrived(t, { receive });
    stream.raw(`<enable xmlns='${sm}'/>`);
    await stream.receives(`<enabled xmlns='${sm}'/>`);
    stream.raw(`<r xmlns='${sm}'/>${message("one")}<r xmlns='${sm}'/>`);
    await stream.receivesNext(`<a xmlns='${sm}' h='0'/>`);
    while (safe.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(stream.inbox.length, 0);
    safe[0]!();
    await stream.receivesNext(`<a xmlns='${sm}' h='1'/>`);
  });

  it("is acknowledged as the stream ends", async (t) => {
    const { all, stream } = await arrived(t);
    stream.raw(`<enable xmlns='${sm}'/>${message("one")}`);
    await all.stanzas.next();
    stream.raw("</stream:stream>");
    await stream.receives(`<a xmlns='${sm}' h='1'/>`);
    assert.deepEqual(await stream.closed(), { clean: true });
  });

  it("is acknowledged before an error ends the stream, for who reads nothing behind that", async (t) => {
    const { all, stream } = await arrived(t);
    stream.raw(`<enable xmlns='${sm}'/>${message("one")}`);
    await stream.receives(`<enabled xmlns='${sm}'/>`);
    await all.stanzas.next();
    const closing = all.s2s.close();
    await stream.receivesNext(`<a xmlns='${sm}' h='1'/>`);
    await stream.receivesNext(`<stream:error><system-shutdown xmlns='${NS.streams}'/></stream:error>`);
    stream.raw("</stream:stream>");
    await closing;
  });

  it("is counted from one request on, and the next is refused", async (t) => {
    const { stream } = await arrived(t);
    stream.raw(`<enable xmlns='${sm}'/><enable xmlns='${sm}'/>`);
    await stream.receives(`<enabled xmlns='${sm}'/>`);
    await stream.receives(`<failed xmlns='${sm}'><unexpected-request xmlns='${NS.stanzas}'/></failed>`);
  });

  it("has limits that it is told", async (t) => {
    const { features } = await arrived(t);
    const limits = child(features, "limits", NS.streamLimits)!;
    assert.equal(childText(limits, "max-bytes"), "262144");
    assert.equal(childText(limits, "idle-seconds"), "1800");
  });

  it("ends where nothing comes for long", async (t) => {
    const { stream } = await arrived(t, { timing: { ...hasty, idle: 50 } });
    assert.deepEqual(await stream.closed(), { clean: true });
  });

  it("is not read while its domain has sent too much, and nothing is lost", async (t) => {
    const { all, stream } = await arrived(t);
    const pause = 50;
    let first = true;
    all.context.flows.spend = () => {
      const wait = first ? pause : 0;
      first = false;
      return wait;
    };
    stream.raw(message("one") + message("two"));
    await all.stanzas.next();
    const since = performance.now();
    assert.equal(attr(await all.stanzas.next(), "id"), "two");
    assert.ok(performance.now() - since >= pause - 2);
  });

  it("may come on some streams, and not on any number of them", async (t) => {
    const { all, peer } = await arrived(t);
    for (let n = 1; n < 10; n += 1) await (await peer.dials(all.s2s.port!)).arrives();
    const stream = await peer.dials(all.s2s.port!);
    await stream.meets();
    await stream.secures();
    await stream.meets();
    stream.raw(`<auth xmlns='${NS.sasl}' mechanism='EXTERNAL'>=</auth>`);
    await stream.receives(`<stream:error><resource-constraint xmlns='${NS.streams}'/></stream:error>`);
  });

  it("has to wait where too many others of its network say nothing", async (t) => {
    const all = await servers(t);
    const peer = await all.peer();
    for (let n = 0; n < 64; n += 1) await (await peer.dials(all.s2s.port!)).opens();
    assert.deepEqual(await (await peer.dials(all.s2s.port!)).closed(), { clean: false });
  });
});

describe("what we send", () => {
  it("is done once the peer says so, in order", async (t) => {
    const { stream, link } = await linked(t);
    const told: string[] = [];
    for (const id of ["one", "two", "three"])
      link.send(letter(id), (outcome) => told.push(`${id} ${outcome}`));
    assert.equal(link.waiting, 3);
    for (const id of ["one", "two", "three"]) await stream.receivesNext(`<message id='${id}'/>`);
    await stream.receivesNext(`<r xmlns='${sm}'/>`);
    stream.raw(`<a xmlns='${sm}' h='2'/>`);
    // What is left is asked about again.
    await stream.receivesNext(`<r xmlns='${sm}'/>`);
    assert.deepEqual(told, ["one done", "two done"]);
    const ended = new Promise<void>((resolve) => link.onEnd(resolve));
    stream.resets();
    await ended;
    assert.deepEqual(told, ["one done", "two done", "three lost"]);
    assert.ok(!link.carries(ours, theirs));
    assert.equal(await sends(link, letter("four")), "lost");
  });

  it("cannot be acknowledged before it was sent", async (t) => {
    const { stream, link } = await linked(t);
    const sent = sends(link, letter("one"));
    await stream.receives("<message id='one'/>");
    stream.raw(`<a xmlns='${sm}' h='2'/>`);
    await stream.receives(
      `<stream:error><undefined-condition xmlns='${NS.streams}'/><handled-count-too-high xmlns='${sm}' h='2' send-count='1'/></stream:error>`,
    );
    assert.equal(await sent, "lost");
  });

  it("is done where the peer says so as it goes", async (t) => {
    const { stream, link } = await linked(t);
    const sent = sends(link, letter("one"));
    await stream.receives("<message id='one'/>");
    link.close();
    await stream.receives(`<a xmlns='${sm}' h='0'/>`);
    stream.raw(`<a xmlns='${sm}' h='1'/></stream:stream>`);
    assert.equal(await sent, "done");
  });

  it("is lost where the peer takes it in and never says so", async (t) => {
    const { stream, link } = await linked(t, { timing: { ...hasty, answer: 50 } });
    const sent = sends(link, letter("one"));
    await stream.receives(`<stream:error><connection-timeout xmlns='${NS.streams}'/></stream:error>`);
    await stream.closed();
    assert.equal(await sent, "lost");
  });

  it("is lost where the peer does not read", async (t) => {
    const { stream, link } = await linked(t, { timing: { ...hasty, answer: 50 } });
    stream.stalls();
    const outcomes: Promise<Outcome>[] = [];
    for (let n = 0; n < 30; n += 1) outcomes.push(sends(link, letter("x".repeat(50_000))));
    while (link.carries(ours, theirs)) await new Promise((resolve) => setImmediate(resolve));
    stream.resets();
    assert.deepEqual([...new Set(await Promise.all(outcomes))], ["lost"]);
  });

  it("is not sent where it is larger than the peer takes", async (t) => {
    const limits = `<limits xmlns='${NS.streamLimits}'><max-bytes>1000</max-bytes></limits>`;
    const { stream, link } = await linked(t, {}, "", `<sm xmlns='${sm}'/>${limits}`);
    assert.equal(link.maxStanzaBytes, 1000);
    assert.equal(await sends(link, letter("é".repeat(500))), "refused");
    void sends(link, letter("one"));
    await stream.receivesNext("<message id='one'/>");
  });

  it("is followed by a ping where the peer does not count, and done with its answer", async (t) => {
    const { all, stream, link } = await linked(t, {}, "", "");
    const sent = sends(link, letter("one"));
    await stream.receivesNext("<message id='one'/>");
    const ping = await stream.receivesNext(
      `<iq type='get' from='${ours}' to='${theirs}'><ping xmlns='${NS.ping}'/></iq>`,
    );
    // The answer comes on the peer's own stream, and only from the peer.
    const other = await all.peer({}, { domain: "verona.example" });
    const forger = await other.dials(all.s2s.port!);
    await forger.arrives();
    const answer = (from: string): string =>
      `<iq type='result' id='${attr(ping, "id")}' from='${from}' to='${ours}'/>`;
    forger.raw(answer("verona.example"));
    assert.equal((await all.stanzas.next()).name, "iq");
    assert.equal(link.waiting, 1);
    const peer = await all.peer();
    const back = await peer.dials(all.s2s.port!);
    await back.arrives();
    back.raw(answer(theirs));
    assert.equal(await sent, "done");
    assert.equal(all.stanzas.count, 0);
  });

  it("is done where the peer answers no ping, but ends the stream in order", async (t) => {
    const { stream, link } = await linked(t, { timing: { ...hasty, answer: 50 } }, "", "");
    const sent = sends(link, letter("one"));
    await stream.receives("<message id='one'/>");
    await stream.receives("<iq type='get'/>");
    while (!stream.ended) await new Promise((resolve) => setImmediate(resolve));
    stream.raw("</stream:stream>");
    assert.equal(await sent, "done");
  });

  it("keeps a stream alive only while it is of use", async (t) => {
    const { stream, link } = await linked(t, { timing: { ...hasty, quiet: 20, idle: 200 } });
    await stream.receivesNext(`<r xmlns='${sm}'/>`);
    stream.raw(`<a xmlns='${sm}' h='0'/>`);
    const ended = new Promise<void>((resolve) => link.onEnd(resolve));
    stream.socket.on("data", () => stream.raw(`<a xmlns='${sm}' h='0'/>`));
    assert.deepEqual(await stream.closed(), { clean: true });
    await ended;
  });
});

describe("bidi", () => {
  it("lets us answer on a stream that the peer opened", async (t) => {
    const { all, stream } = await arrived(t, {}, bidi);
    const link = await all.links.next();
    assert.ok(link.carries(ours, theirs));
    stream.raw(`<enable xmlns='${sm}'/>`);
    await stream.receives(`<enabled xmlns='${sm}'/>`);
    const sent = sends(link, letter("one"));
    await stream.receivesNext("<message id='one'/>");
    await stream.receivesNext(`<r xmlns='${sm}'/>`);
    stream.raw(`<a xmlns='${sm}' h='1'/>`);
    assert.equal(await sent, "done");
  });

  it("needs no counting", async (t) => {
    const { all, stream } = await arrived(t, {}, bidi);
    const link = await all.links.next();
    const sent = sends(link, letter("one"));
    const ping = await stream.receives(`<iq type='get'><ping xmlns='${NS.ping}'/></iq>`);
    stream.raw(`<iq type='error' id='${attr(ping, "id")}' from='${theirs}' to='${ours}'/>`);
    assert.equal(await sent, "done");
    assert.equal(all.stanzas.count, 0);
  });

  it("may begin to count between two stanzas", async (t) => {
    const { all, stream } = await arrived(t, {}, bidi);
    const link = await all.links.next();
    const told: string[] = [];
    link.send(letter("one"), (outcome) => told.push(`one ${outcome}`));
    await stream.receives("<message id='one'/>");
    stream.raw(`<enable xmlns='${sm}'/>`);
    await stream.receives(`<enabled xmlns='${sm}'/>`);
    const sent = sends(link, letter("two"));
    await stream.receives("<message id='two'/>");
    stream.raw(`<a xmlns='${sm}' h='1'/>`);
    assert.equal(await sent, "done");
    assert.deepEqual(told, ["one done"]);
  });

  it("is not had where nobody asked for it", async (t) => {
    const { all, stream } = await arrived(t);
    stream.raw(message("one"));
    await all.stanzas.next();
    assert.equal(all.links.count, 0);
  });

  it("comes with the limits of who asks", async (t) => {
    const limits = `<limits xmlns='${NS.streamLimits}'><max-bytes>1000</max-bytes></limits>`;
    const { all } = await arrived(t, {}, `<bidi xmlns='${NS.bidi}'>${limits}</bidi>`);
    const link = await all.links.next();
    assert.equal(await sends(link, letter("x".repeat(1000))), "refused");
  });

  it("lets the peer answer on a stream that we opened", async (t) => {
    const { all, stream } = await linked(t, {}, bidiFeature);
    stream.raw(message("one"));
    assert.equal(attr(await all.stanzas.next(), "id"), "one");
    stream.raw(message("two", "tybalt@verona.example"));
    await stream.receives(`<stream:error><invalid-from xmlns='${NS.streams}'/></stream:error>`);
    assert.equal(all.stanzas.count, 0);
  });

  it("lets the peer bring a part of its domain", async (t) => {
    const { all, stream } = await linked(t, {}, bidiFeature);
    stream.raw(`<db:result from='pubsub.${theirs}' to='${ours}'>key</db:result>`);
    await stream.receives(
      `<result xmlns='${NS.dialback}' from='${ours}' to='pubsub.${theirs}' type='valid'/>`,
    );
    stream.raw(message("one", `pubsub.${theirs}`));
    await all.stanzas.next();
  });

  it("is ours to add domains to as well", async (t) => {
    const { all, stream } = await arrived(t, {}, bidi);
    const link = await all.links.next();
    const second = all.connects(`pubsub.${ours}`);
    await stream.receives(`<result xmlns='${NS.dialback}' from='pubsub.${ours}' to='${theirs}'/>`);
    stream.raw(`<result xmlns='${NS.dialback}' from='${theirs}' to='pubsub.${ours}' type='valid'/>`);
    assert.equal(await second, link);
  });
});
