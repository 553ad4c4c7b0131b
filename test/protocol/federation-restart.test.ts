/** Servers that go away in the middle of something and come back: nothing is lost, nothing comes twice, all in order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJid } from "../../src/xmpp/jid.ts";
import { attr, child, childText } from "../../src/xmpp/xml.ts";
import type { ClientStream } from "../support/cast.ts";
import { until } from "../support/until.ts";
import { world } from "../support/world.ts";

const count = 1_000;
const numbers = Array.from({ length: count }, (_, index) => String(index));

const says = (from: ClientStream, to: string, bodies: readonly string[]): void => {
  for (const body of bodies)
    from.sends(`<message to='${to}' type='chat' id='m${body}'><body>${body}</body></message>`);
};

/** Takes the bodies of what has come so far out of an inbox. */
function heard(stream: ClientStream): string[] {
  return stream.inbox
    .splice(0)
    .flatMap((stanza) => (stanza.name === "message" ? [childText(stanza, "body") ?? ""] : []));
}

test("the peer stops in the middle of a thousand messages and starts again", async (t) => {
  await using verona = await world(t, { capulet: { juliet: {} }, montague: { romeo: {} } });
  const { juliet, romeo } = verona.actors;
  const { montague } = verona.stages;
  says(juliet, romeo.bare, numbers);
  await until(() => romeo.inbox.length > 100, "some arrive");
  await montague.node.close();
  await romeo.closed();
  const before = heard(romeo);
  assert(before.length < count, "it stopped in the middle");
  await juliet.pings();
  await montague.starts();
  const back = await montague.login("romeo");
  // He writes first, so his server calls; otherwise hers would try again within seconds.
  says(back, juliet.bare, ["I am back"]);
  await juliet.receives(`<message from='${back.full}'/>`);
  const after: string[] = [];
  await until(() => (after.push(...heard(back)), before.length + after.length >= count), "the rest arrives");
  assert.deepEqual([...before, ...after], numbers);
  await verona.settle();
  assert.deepEqual(heard(back), []);
});

test("the peer stops in the middle of a thousand posts and starts again", async (t) => {
  await using verona = await world(t, { capulet: { juliet: {} }, montague: { romeo: {} } });
  const { juliet, romeo } = verona.actors;
  const { capulet, montague } = verona.stages;
  const author = parseJid(juliet.bare)!;
  await capulet.node.posts.create({ author, text: "first" });
  await montague.node.follows.follow(parseJid(romeo.bare)!, author);
  await verona.settle();
  const arrived = async (): Promise<string[]> => {
    const texts: string[] = [];
    for (let before: string | undefined; ;) {
      const { entries, next } = await montague.node.timeline.page(romeo.bare, 500, before);
      texts.push(...entries.map(({ text }) => text));
      if (next === undefined) return texts.reverse();
      before = next;
    }
  };
  const posting = Promise.all(numbers.map((text) => capulet.node.posts.create({ author, text })));
  const newest = async (): Promise<number> =>
    Number((await montague.node.timeline.page(romeo.bare, 1)).entries[0]!.text);
  await until(async () => (await newest()) > 100, "some arrive");
  const stopping = montague.node.close();
  await posting;
  await stopping;
  await montague.starts();
  const back = await montague.login("romeo");
  says(back, juliet.bare, ["I am back"]);
  await juliet.receives(`<message from='${back.full}'/>`);
  await until(async () => (await newest()) === count - 1, "the rest arrives");
  await verona.settle();
  assert.deepEqual(await arrived(), ["first", ...numbers]);
  // What their clients are told of all this is no matter here.
  for (const one of [juliet, romeo, back]) heard(one);
});

test("both stop while something waits", async (t) => {
  await using verona = await world(t, { capulet: { juliet: {} }, montague: { romeo: {} } });
  const { juliet, romeo } = verona.actors;
  const { capulet, montague } = verona.stages;
  await montague.stops();
  says(juliet, romeo.bare, numbers.slice(0, 200));
  // Handled is durable: what came before the ping is on disk when it is answered.
  await juliet.pings();
  await capulet.stops();
  await montague.starts();
  await capulet.starts();
  const back = await montague.login("romeo", { presence: false });
  says(back, juliet.bare, ["I am back"]);
  await until(
    async () => (await capulet.node.federation.status()).every(({ queued }) => queued === 0),
    "all is sent",
  );
  await verona.settle();
  back.sends("<presence/>");
  const after: string[] = [];
  await until(() => (after.push(...heard(back)), after.length >= 200), "everything arrives");
  assert.deepEqual(after, numbers.slice(0, 200));
  const again = await capulet.login("juliet", { presence: false });
  again.sends("<presence/>");
  await again.receives(`<message from='${back.full}'/>`);
  await verona.settle();
  heard(again);
  assert.deepEqual(heard(back), []);
});

test("DNS is away, and comes back: the message arrives with the next", async (t) => {
  await using verona = await world(t, { capulet: { juliet: {} }, montague: { romeo: {} } });
  const { juliet, romeo } = verona.actors;
  const { capulet, montague } = verona.stages;
  const { zone } = verona.dns;
  const name = `_xmpp-server._tcp.${montague.domain}`;
  const records = zone[name]!;
  zone[name] = { fails: "SERVFAIL" };
  says(juliet, romeo.bare, ["one"]);
  await until(
    async () => (await capulet.node.federation.status()).some(({ problem }) => problem?.includes("DNS")),
    "it is known that DNS fails",
  );
  zone[name] = records;
  says(romeo, juliet.bare, ["two"]);
  await juliet.receives(`<message from='${romeo.full}'><body>two</body></message>`);
  await until(() => romeo.inbox.length > 0, "the message arrives");
  assert.deepEqual(heard(romeo), ["one"]);
});

test("a name that DNS does not know: requests are answered, presence is not", async (t) => {
  await using verona = await world(t, { capulet: { juliet: {} } });
  const { juliet } = verona.actors;
  juliet.sends("<presence to='rosaline@nowhere.example'/>");
  const reply = await juliet.asks(
    "<iq type='get' to='nowhere.example'><ping xmlns='urn:xmpp:ping'/></iq>",
    `<iq type='error' from='nowhere.example'><error type='cancel'><remote-server-not-found
       xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
  );
  assert.match(childText(child(reply, "error")!, "text", "urn:ietf:params:xml:ns:xmpp-stanzas")!, /DNS/);
  assert.equal(attr(reply, "to"), juliet.full);
  await juliet.receivesNothing();
});
