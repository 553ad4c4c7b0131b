/** XEP-0160: messages to who is away. RFC 6121 §8.5.2.2.1 says which; XEP-0203 how they look when they come. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseJid } from "../../src/xmpp/jid.ts";
import { attr, child, childText, children, xml } from "../../src/xmpp/xml.ts";
import { cast, type Actor } from "../support/cast.ts";
import { enables, enablesResumption } from "../support/management.ts";

const delay = "<delay xmlns='urn:xmpp:delay' from='pipit.test' stamp='{any}'/>";
const chat = (to: string, text: string): string =>
  `<message to='${to}' type='chat' id='${text}'><body>${text}</body></message>`;
const kept = (text: string): string =>
  `<message type='chat' id='${text}'><body>${text}</body>${delay}</message>`;
const full = `<message type='error'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`;
const notAvailable = { presence: false } as const;

const presence = async (actor: Actor, priority = 0): Promise<void> => {
  actor.sends(`<presence><priority>${priority}</priority></presence>`);
  await actor.receives(`<presence from='${actor.full}'/>`);
};

describe("a message to somebody who is away", () => {
  test("comes at their next login, once, with the time at which it was sent", async (t) => {
    await using stage = await cast(t, { juliet: {}, romeo: notAvailable });
    const { juliet, romeo } = stage.actors;
    await romeo.ends();
    const before = Date.now();
    juliet.sends(chat(romeo.bare, "Wherefore"));
    await juliet.receivesNothing();
    const back = await stage.login("romeo", notAvailable);
    await back.receivesNothing();
    await presence(back);
    const message = await back.receives(kept("Wherefore"));
    assert.deepEqual([attr(message, "from"), attr(message, "to")], [juliet.full, romeo.bare]);
    const stamp = Date.parse(attr(child(message, "delay", "urn:xmpp:delay")!, "stamp")!);
    assert(stamp >= Math.floor(before / 1000) * 1000 && stamp <= Date.now());
    await back.ends();
    const again = await stage.login("romeo", notAvailable);
    await presence(again);
    await again.receivesNothing();
  });

  test("bears the time that the server knows, whatever it says itself (XEP-0203 §7)", async (t) => {
    await using stage = await cast(t, { juliet: {}, romeo: notAvailable });
    const { juliet, romeo } = stage.actors;
    const stamped = (id: string, more: string) =>
      `<message to='${romeo.bare}' id='${id}'><body>"urn:xmpp:delay"</body>${more}</message>`;
    const old = "1999-01-01T00:00:00Z";
    const by = (from: string) => `<delay xmlns='urn:xmpp:delay' from='${from}' stamp='${old}'/>`;
    juliet.sends(
      stamped("quoted", "") + stamped("forged", by("pipit.test")) + stamped("own", by(juliet.full)),
    );
    await juliet.pings();
    romeo.sends("<presence/>");
    const stampsOf = async (id: string) =>
      children(await romeo.receives(`<message id='${id}'/>`), "delay", "urn:xmpp:delay").map((one) =>
        attr(one, "stamp"),
      );
    for (const id of ["quoted", "forged"]) {
      const stamps = await stampsOf(id);
      assert.equal(stamps.length, 1);
      assert.notEqual(stamps[0], old);
    }
    // Somebody who was without a connection says when they wrote it.
    assert.deepEqual(await stampsOf("own"), [old]);
    await romeo.receives(`<presence from='${romeo.full}'/>`);
  });

  test("survives the node, and keeps its place in the order", async (t) => {
    await using stage = await cast(t, { juliet: {}, romeo: notAvailable });
    const { juliet, romeo } = stage.actors;
    await romeo.ends();
    const words = Array.from({ length: 120 }, (_, at) => `word-${at}`);
    juliet.sends(words.map((word) => chat(romeo.bare, word)).join(""));
    await juliet.pings();
    await stage.restarts();
    const [sender, back] = [await stage.login("juliet"), await stage.login("romeo", notAvailable)];
    // What is said while the old ones are handed over comes after them.
    back.sends("<presence/>");
    sender.sends(chat(romeo.bare, "now"));
    await stage.settle();
    const came = back.inbox.splice(0).filter(({ name }) => name === "message");
    assert.deepEqual(
      came.map((message) => childText(message, "body")),
      [...words, "now"],
    );
  });

  test("waits where a resource is there but takes no messages", async (t) => {
    await using stage = await cast(t, { juliet: {}, romeo: notAvailable });
    const { juliet, romeo } = stage.actors;
    juliet.sends(chat(romeo.bare, "one") + chat(`${romeo.bare}/gone`, "two"));
    await romeo.receivesNothing();
    await presence(romeo, -1);
    await romeo.receivesNothing();
    await presence(romeo, 1);
    await romeo.receives(kept("one"));
    await romeo.receives(kept("two"));
    await presence(romeo, 2);
    await romeo.receivesNothing();
  });

  test("is kept if it says something that lasts", async (t) => {
    await using stage = await cast(t, { juliet: {}, romeo: notAvailable });
    const { juliet, romeo } = stage.actors;
    const states = "xmlns='http://jabber.org/protocol/chatstates'";
    const says = (inside: string, attrs = "type='chat'") =>
      juliet.sends(`<message to='${romeo.bare}' ${attrs}>${inside}</message>`);
    says("<body>headline</body>", "type='headline'");
    says("<body>error</body><error/>", "type='error'");
    says(`<composing ${states}/>`);
    says(`<active ${states}/><thread>t</thread>`);
    says("<thread>t</thread>");
    says("");
    says("<body>secret</body><no-store xmlns='urn:xmpp:hints'/>");
    says("<event xmlns='http://jabber.org/protocol/pubsub#event'/>", "");
    says(`<body>kept</body><active ${states}/>`);
    says("<received xmlns='urn:xmpp:receipts' id='kept'/>");
    says("<body>normal</body>", "");
    says("<body>odd</body>", "type='odd'");
    says("<body>room</body>", "type='groupchat'");
    await juliet.receives(full);
    await presence(romeo);
    await romeo.receives(`<message type='chat'><body>kept</body><active ${states}/>${delay}</message>`);
    await romeo.receives(`<message><received xmlns='urn:xmpp:receipts' id='kept'/>${delay}</message>`);
    await romeo.receives(`<message><body>normal</body>${delay}</message>`);
    await romeo.receives(`<message type='odd'><body>odd</body>${delay}</message>`);
    await romeo.receivesNothing();
  });

  test("comes back where no more can be kept", async (t) => {
    await using stage = await cast(t, { juliet: {}, nurse: notAvailable });
    const { juliet, nurse } = stage.actors;
    const long = "x".repeat(250_000);
    for (let at = 0; at < 42; at += 1)
      juliet.sends(`<message to='${nurse.bare}' id='${at}'><body>${long}</body></message>`);
    // 41 of them are less than 10 MiB.
    await juliet.receives(full);
    await juliet.receivesNothing();
    // Who has more than enough still gets it all, though it is more than a connection holds.
    nurse.sends("<presence/>");
    await nurse.receives(`<presence from='${nurse.full}'/>`);
    for (let at = 0; at < 41; at += 1)
      await nurse.receivesNext(`<message id='${at}'><body>${long}</body></message>`);
  });

  test("goes with the account", async (t) => {
    await using stage = await cast(t, { juliet: {} });
    const { juliet } = stage.actors;
    const romeo = parseJid(stage.bare("romeo"))!;
    await stage.node.accounts.add(romeo, "secret");
    juliet.sends(chat(romeo.bare, "adieu"));
    await juliet.receivesNothing();
    await stage.node.accounts.remove(romeo);
    const { store } = stage.node;
    const rows = await store.db.select().from(store.t.messages);
    assert.deepEqual(
      rows.map(({ account }) => account),
      [juliet.bare],
    );
  });
});

test("what a client leaves goes to one that is connected, and not to one that may come back", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: notAvailable });
  const { juliet, romeo: phone } = stage.actors;
  const desk = await stage.login("romeo", { resource: "desk", presence: false });
  const tablet = await stage.login("romeo", { resource: "tablet", presence: false });
  for (const client of [phone, desk]) await presence(client);
  await enablesResumption(phone);
  await enables(tablet);
  await presence(tablet);
  await phone.kill();
  juliet.sends(chat(tablet.full, "hark"));
  await tablet.receives(`<message id='hark'/>`);
  await tablet.kill();
  await desk.receives(kept("hark"));
  // They have seen each other come and go.
  for (const { inbox } of [phone, desk, tablet]) inbox.length = 0;
});

test("what goes to many is kept with the address of each", async (t) => {
  await using stage = await cast(t, { romeo: notAvailable });
  const { romeo } = stage.actors;
  const message = xml(
    "message",
    { from: stage.bare("juliet"), type: "chat", id: "all" },
    xml("body", {}, "all"),
  );
  await stage.node.router.multicast(message, [parseJid(romeo.bare)!]);
  await presence(romeo);
  assert.equal(attr(await romeo.receives(kept("all")), "to"), romeo.bare);
});

test("the server says that it keeps messages", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  await stage.actors.juliet.asks(
    `<iq type='get' to='${stage.domain}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`,
    "<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'><feature var='msgoffline'/></query></iq>",
  );
});
