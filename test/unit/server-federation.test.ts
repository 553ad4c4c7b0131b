/** The queue to other domains: in order, once, durable, and back with a reason where it must. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { NS } from "../../src/xmpp/ns.ts";
import { errorCondition } from "../../src/xmpp/stanza.ts";
import { attr, childText } from "../../src/xmpp/xml.ts";
import { openDesk, unreachable } from "../support/federation.ts";
import { until } from "../support/until.ts";

const montague = "montague.example";
const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

const event = (id: string, title: string, to = `romeo@${montague}`): string =>
  `<message from='juliet@capulet.example' to='${to}' type='headline' id='${title}'>` +
  `<event xmlns='${NS.pubsubEvent}'><items node='${NS.microblog}'><item id='${id}'>` +
  `<entry xmlns='${NS.atom}'><title>${title}</title></entry></item></items></event></message>`;

const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index));

test("a message is on disk when send resolves, whether or not its domain can be reached", async (t) => {
  const desk = await openDesk(t, false);
  await desk.says("Hist!");
  assert.equal(await desk.waiting(), 1);
  const link = desk.links(montague);
  await desk.start();
  await until(async () => (await desk.waiting()) === 0, "the message leaves the queue");
  assert.deepEqual(link.said, ["Hist!"]);
});

test("what waits is sent in order, and leaves the disk only once the peer has it", async (t) => {
  const desk = await openDesk(t);
  const link = desk.links(montague, { willing: false });
  for (const body of numbers(20)) await desk.says(body);
  await desk.settle();
  assert.deepEqual(link.said, numbers(20));
  assert.equal(await desk.waiting(), 20);
  link.takes(15);
  await until(async () => (await desk.waiting()) === 5, "what was taken is removed");
});

test("a link that breaks: what the peer has not taken is sent again in order, and nothing else", async (t) => {
  const desk = await openDesk(t);
  const first = desk.links(montague, { willing: false });
  const sending = numbers(1_000).map((body) => desk.says(body));
  await until(() => first.sent.length >= 300, "a part is on its way");
  first.takes(250);
  const next = desk.links(montague);
  first.breaks();
  await Promise.all(sending);
  await until(async () => (await desk.waiting()) === 0, "everything arrives");
  assert.deepEqual(first.said.slice(0, 250), numbers(250));
  assert.deepEqual(next.said, numbers(1_000).slice(250));
});

test("SIGKILL: what was acknowledged to its sender and not taken is sent after the next start", async (t) => {
  const desk = await openDesk(t);
  const link = desk.links(montague, { willing: false });
  for (const body of numbers(10)) await desk.says(body);
  await desk.settle();
  link.takes(4);
  await desk.settle();
  const next = desk.links(montague);
  await desk.crashes();
  await until(async () => (await desk.waiting()) === 0, "the rest is sent");
  assert.deepEqual(next.said, numbers(10).slice(4));
});

test("requests and presence keep their place among messages, and are nowhere on disk", async (t) => {
  const desk = await openDesk(t);
  const link = desk.links(montague, { willing: false });
  await desk.says("one");
  await desk.send(`<presence from='juliet@capulet.example/balcony' to='romeo@${montague}' id='two'/>`);
  await desk.says("three");
  await desk.send(
    `<iq from='juliet@capulet.example/balcony' to='${montague}' type='get' id='four'><ping xmlns='${NS.ping}'/></iq>`,
  );
  await desk.says("five");
  await desk.settle();
  assert.deepEqual(link.said, ["one", "two", "three", "four", "five"]);
  assert.equal(await desk.waiting(), 3);
});

test("nobody has to wait for a message to be on disk: what is sent behind it stays behind it", async (t) => {
  const desk = await openDesk(t);
  const link = desk.links(montague);
  const presence = (id: string) =>
    desk.send(`<presence from='juliet@capulet.example/balcony' to='romeo@${montague}' id='${id}'/>`);
  await desk.says("zero");
  await until(() => link.said.length === 1, "there is a link");
  const sending = [desk.says("one"), presence("two"), desk.says("three"), presence("four")];
  // While those are being written.
  await new Promise((resolve) => setImmediate(resolve));
  sending.push(presence("five"), desk.says("six"), presence("seven"));
  await Promise.all(sending);
  await desk.settle();
  assert.deepEqual(link.said, ["zero", "one", "two", "three", "four", "five", "six", "seven"]);
});

test("a domain that fails is tried again after 5 s, then each time twice as long, up to half an hour", async (t) => {
  const desk = await openDesk(t);
  await desk.send(event("1", "news"));
  await desk.advance(5 * hour);
  const pauses = desk.dialled.slice(1).map(({ at }, index) => (at - desk.dialled[index]!.at) / second);
  assert.deepEqual(pauses.slice(0, 12), [5, 10, 20, 40, 80, 160, 320, 640, 1280, 1800, 1800, 1800]);
  assert.deepEqual(desk.logged, [`${montague} cannot be reached: no answer`], "said once, not at each try");
  const link = desk.links(montague);
  await desk.advance(hour);
  assert.deepEqual(link.sent.length, 1);
  assert.deepEqual(desk.logged.slice(1), [`${montague} can be reached again`]);
});

test("a message comes back after an hour with remote-server-timeout, once, whole, and after a restart too", async (t) => {
  const desk = await openDesk(t);
  await desk.says("Wherefore art thou?");
  await desk.advance(30 * minute);
  assert.deepEqual(desk.returned, []);
  await desk.crashes();
  await desk.advance(31 * minute);
  assert.equal(desk.returned.length, 1);
  const [error] = desk.returned;
  assert.equal(attr(error!, "type"), "error");
  assert.equal(attr(error!, "to"), "juliet@capulet.example/balcony");
  assert.equal(attr(error!, "from"), `romeo@${montague}`);
  assert.equal(attr(error!, "id"), "Wherefore art thou?");
  assert.equal(childText(error!, "body"), "Wherefore art thou?");
  assert.equal(errorCondition(error!), "remote-server-timeout");
  await desk.crashes();
  await desk.advance(day);
  assert.equal(desk.returned.length, 1);
  assert.equal(await desk.waiting(), 0);
});

test("to a name that DNS does not know it comes back after a minute, and at once where the peer refuses us", async (t) => {
  const desk = await openDesk(t);
  desk.answers.set(montague, unreachable("remote-server-not-found"));
  desk.answers.set("verona.example", unreachable("not-allowed"));
  await desk.says("one");
  await desk.says("two", "prince@verona.example");
  await desk.settle();
  assert.deepEqual(desk.returned.map(errorCondition), ["not-allowed"]);
  await desk.advance(59 * second);
  assert.equal(desk.returned.length, 1);
  await desk.advance(second);
  assert.deepEqual(desk.returned.map(errorCondition), ["not-allowed", "remote-server-not-found"]);
});

test("notifications wait for days; of an item only the newest, at each address", async (t) => {
  const desk = await openDesk(t);
  await desk.send(event("1", "first"));
  await desk.send(event("2", "other"));
  await desk.send(event("1", "edited"));
  await desk.send(event("1", "the nurse", `nurse@${montague}`));
  await desk.advance(3 * day);
  assert.equal(await desk.waiting(), 3);
  const link = desk.links(montague);
  await desk.advance(hour);
  assert.deepEqual(link.said, ["other", "edited", "the nurse"]);
  assert.deepEqual(desk.returned, []);
});

test("a notification that nobody takes is dropped after a week, and comes back to nobody", async (t) => {
  const desk = await openDesk(t);
  await desk.send(event("1", "news"));
  await desk.advance(8 * day);
  assert.equal(await desk.waiting(), 0);
  assert.deepEqual(desk.returned, []);
  const tries = desk.dialled.length;
  await desk.advance(day);
  assert.equal(desk.dialled.length, tries, "nothing waits, so nobody is dialled");
});

test("while a domain fails, requests are answered at once without a dial, and presence is dropped", async (t) => {
  const desk = await openDesk(t);
  const ask = `<iq from='juliet@capulet.example/balcony' to='${montague}' type='get' id='1'><ping xmlns='${NS.ping}'/></iq>`;
  await desk.send(ask);
  await desk.settle();
  assert.deepEqual(desk.returned.map(errorCondition), ["remote-server-timeout"]);
  await desk.send(ask);
  await desk.send(`<presence from='juliet@capulet.example/balcony' to='romeo@${montague}'/>`);
  await desk.settle();
  assert.equal(desk.returned.length, 2);
  assert.equal(desk.dialled.length, 1);
});

test("a domain that is only asked is dialled after a pause, each time a longer one; the log says once what is wrong", async (t) => {
  const desk = await openDesk(t);
  const ask = `<iq from='juliet@capulet.example/balcony' to='${montague}' type='get' id='1'><ping xmlns='${NS.ping}'/></iq>`;
  for (let minutes = 0; minutes < 60; minutes += 1) {
    await desk.send(ask);
    await desk.advance(minute);
  }
  assert.equal(desk.returned.length, 60);
  assert(desk.dialled.length < 15, `${desk.dialled.length} dials`);
  assert.deepEqual(desk.logged, [`${montague} cannot be reached: no answer`]);
  // Nobody asks any more: nobody is dialled, and in the end nothing is known.
  const dials = desk.dialled.length;
  await desk.advance(2 * day);
  assert.equal(desk.dialled.length, dials);
  assert.deepEqual(await desk.federation.status(), []);
});

test("errors and answers that cannot be delivered vanish", async (t) => {
  const desk = await openDesk(t);
  const from = "from='juliet@capulet.example' to='romeo@montague.example/x'";
  const error = "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
  await desk.send(`<message ${from} type='error'>${error}</message>`);
  await desk.send(`<iq ${from} type='error' id='1'>${error}</iq>`);
  await desk.send(`<iq ${from} type='result' id='2'/>`);
  await desk.send(`<message ${from} type='chat'><composing xmlns='${NS.chatStates}'/></message>`);
  await desk.advance(2 * hour);
  assert.deepEqual(desk.returned, []);
  assert.equal(await desk.waiting(), 0);
});

test("a request to change something is not sent twice when a link breaks, others are", async (t) => {
  const desk = await openDesk(t);
  const link = desk.links(montague, { willing: false });
  const iq = (type: string, id: string): string =>
    `<iq from='juliet@capulet.example/balcony' to='${montague}' type='${type}' id='${id}'><query xmlns='x'/></iq>`;
  await desk.says("first");
  await desk.settle();
  link.takes(1);
  await desk.send(iq("set", "set"));
  await desk.send(iq("get", "get"));
  await desk.settle();
  const next = desk.links(montague);
  link.breaks();
  await until(() => next.sent.length > 0, "the rest is sent again");
  await desk.settle();
  assert.deepEqual(next.said, ["get"]);
  assert.deepEqual(
    desk.returned.map((one) => attr(one, "id")),
    ["set"],
  );
});

test("what is larger than the peer takes comes back with policy-violation, and the rest goes on", async (t) => {
  const desk = await openDesk(t);
  const link = desk.links(montague, { maxStanzaBytes: 10_000 });
  await desk.says("x".repeat(10_000));
  await desk.says("small");
  await until(async () => (await desk.waiting()) === 0, "the queue is empty");
  assert.deepEqual(link.said, ["small"]);
  assert.deepEqual(desk.returned.map(errorCondition), ["policy-violation"]);
});

test("a stanza at which every stream ends does not stand before the others for ever", async (t) => {
  const desk = await openDesk(t);
  await desk.send(event("1", "poison"));
  await desk.send(event("2", "harmless"));
  const said: string[] = [];
  // The peer reads the first stanza, and ends the stream.
  for (let tries = 0; tries < 20; tries += 1) {
    const link = desk.links(montague, { willing: false });
    await desk.advance(hour);
    said.push(...link.said.slice(0, 1));
    if (said.at(-1) !== "poison") {
      link.takes(1);
      break;
    }
    link.breaks();
  }
  await desk.settle();
  assert.equal(said.at(-1), "harmless");
  assert.equal(await desk.waiting(), 0);
});

test("a denied domain: the sender is told not-allowed, and nothing is queued or dialled", async (t) => {
  const desk = await openDesk(t);
  desk.policy.set({ deny: [montague] });
  await assert.rejects(desk.says("Hist!"), { condition: "not-allowed" });
  await assert.rejects(desk.says("Hist!", `romeo@chat.${montague}`), { condition: "not-allowed" });
  assert.equal(await desk.waiting(), 0);
  assert.deepEqual(desk.dialled, []);
  desk.policy.set({ deny: [] });
  const link = desk.links(montague);
  await desk.says("Hist!");
  await until(() => link.sent.length === 1, "it is allowed again");
});

test("what waits for a domain that becomes denied comes back with not-allowed", async (t) => {
  const desk = await openDesk(t);
  await desk.says("Hist!");
  await desk.send(event("1", "news"));
  await desk.settle();
  desk.policy.set({ allow: ["verona.example"], deny: [] });
  await desk.advance(minute);
  assert.deepEqual(desk.returned.map(errorCondition), ["not-allowed"]);
  assert.equal(await desk.waiting(), 0);
  assert.equal(desk.dialled.length, 1);
});

test("whoever writes to a domain that has failed for long has it tried within a minute", async (t) => {
  const desk = await openDesk(t);
  await desk.send(event("1", "news"));
  await desk.advance(2 * day);
  const link = desk.links(montague);
  await desk.says("Hist!");
  await desk.advance(minute);
  assert.deepEqual(link.said, ["news", "Hist!"]);
});

test("a domain that shows itself is tried at once", async (t) => {
  const desk = await openDesk(t);
  await desk.send(event("1", "news"));
  await desk.advance(2 * day);
  const link = desk.links(montague);
  desk.federation.seen("capulet.example", montague);
  await until(() => link.sent.length === 1, "the news is sent");
});

test("thousands of dead domains delay nobody, and few of them are in memory", async (t) => {
  const desk = await openDesk(t);
  const dead = numbers(3_000).map((index) => `dead${index}.example`);
  for (const domain of dead) desk.answers.set(domain, unreachable());
  await Promise.all(dead.map((domain) => desk.send(event("1", "news", `romeo@${domain}`))));
  await until(() => desk.dialled.length === dead.length, "each is tried once");
  // From now on they say nothing at all, which takes a place for as long as the dial lasts.
  for (const domain of dead) desk.answers.set(domain, "silence");
  await desk.advance(minute);
  assert(desk.dialled.length - dead.length < 100, "not all at once");
  const link = desk.links(montague);
  await desk.says("Hist!");
  await until(() => link.sent.length === 1, "who lives is not kept waiting");
});

test("a thousand followers at one domain: one transaction, and each gets their own", async (t) => {
  const desk = await openDesk(t);
  const link = desk.links(montague);
  await Promise.all(numbers(1_000).map((index) => desk.send(event("1", "news", `fan${index}@${montague}`))));
  await until(async () => (await desk.waiting()) === 0, "all are told");
  assert.deepEqual(
    link.sent.map((text) => / to="(.*?)@/.exec(text)?.[1]),
    numbers(1_000).map((index) => `fan${index}`),
  );
});

test("what is wrong with a domain is told with it", async (t) => {
  const desk = await openDesk(t);
  await desk.says("Hist!");
  desk.links("verona.example");
  await desk.says("Hist!", "prince@verona.example");
  await desk.settle();
  const [failing, connected] = (await desk.federation.status()).sort((a, b) =>
    a.domain.localeCompare(b.domain),
  );
  assert.equal(failing!.state, "failing");
  assert.equal(failing!.queued, 1);
  assert.equal(failing!.problem, "no answer");
  assert.equal(failing!.attempts, 1);
  assert.equal(failing!.nextTry?.getTime(), desk.clock.now() + 5 * second);
  assert.equal(connected!.state, "connected");
  assert.equal(connected!.queued, 0);
});
