/** XEP-0280 1.0.1 with the rules of its §6.1: who gets a copy of what, and of what not. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { NS } from "../../src/xmpp/ns.ts";
import { attr } from "../../src/xmpp/xml.ts";
import { reads } from "../support/archive.ts";
import { cast, type Actor, type Stage } from "../support/cast.ts";

const done = "<iq type='result'/>";
const turn = (name: string): string => `<iq type='set'><${name} xmlns='${NS.carbons}'/></iq>`;
const chat = (to: string, text: string, more = ""): string =>
  `<message to='${to}' type='chat' id='${text}'><body>${text}</body>${more}</message>`;

/** The copy of a message that one client of an account gets. */
const carbon = (whose: Actor, name: "sent" | "received", message: string, type = "chat"): string =>
  `<message from='${whose.bare}' to='${whose.full}' type='${type}'><${name} xmlns='${NS.carbons}'>
    <forwarded xmlns='${NS.forward}'>${message.replace("<message", `<message xmlns='${NS.client}'`)}</forwarded>
  </${name}></message>`;

/** Romeo at his garden, with carbons, and at his phone; Juliet. */
async function scene(t: Parameters<typeof cast>[0]) {
  const stage = await cast(t, { romeo: {}, juliet: {} });
  const garden = await stage.login("romeo", { resource: "garden" });
  await garden.asks(turn("enable"), done);
  return { stage, garden, phone: stage.actors.romeo, juliet: stage.actors.juliet };
}

const settles = async (stage: Stage, ...quiet: Actor[]): Promise<void> => {
  await stage.settle();
  for (const one of quiet) await one.receivesNothing();
};

describe("a client with carbons", () => {
  test("gets what another client of its account sends and gets, with the account's stanza-id", async (t) => {
    const { garden, phone, juliet } = await scene(t);
    phone.sends(chat(juliet.full, "sent"));
    await juliet.receives(chat(juliet.full, "sent"));
    const [first] = (await reads(garden)).ids;
    const id = (which: string | undefined) =>
      `<stanza-id xmlns='${NS.stanzaIds}' by='${phone.bare}' id='${which}'/>`;
    await garden.receives(
      carbon(
        garden,
        "sent",
        `<message from='${phone.full}' to='${juliet.full}' type='chat' id='sent'><body>sent</body>${id(first)}</message>`,
      ),
    );
    juliet.sends(chat(phone.full, "back"));
    await phone.receives(chat(phone.full, "back"));
    const second = (await reads(garden)).ids[1];
    await garden.receives(
      carbon(
        garden,
        "received",
        `<message from='${juliet.full}' to='${phone.full}' type='chat' id='back'><body>back</body>${id(second)}</message>`,
      ),
    );
    // The phone has none enabled.
    garden.sends(chat(juliet.full, "mine"));
    await juliet.receives(chat(juliet.full, "mine"));
    await phone.receivesNothing();
  });

  test("gets no copy of what it gets itself, or has sent", async (t) => {
    const { stage, garden, phone, juliet } = await scene(t);
    await phone.asks(turn("enable"), done);
    juliet.sends(chat(phone.bare, "to all"));
    await phone.receives(chat(phone.bare, "to all"));
    await garden.receives(chat(phone.bare, "to all"));
    garden.sends(chat(juliet.bare, "own"));
    await juliet.receives(chat(juliet.bare, "own"));
    await phone.receives(carbon(phone, "sent", `<message id='own' type='chat'/>`));
    await settles(stage, garden, phone);
  });

  test("gets one copy of what its account writes to itself", async (t) => {
    const { stage, garden, phone } = await scene(t);
    const desk = await stage.login("romeo", { resource: "desk" });
    await desk.asks(turn("enable"), done);
    phone.sends(chat(garden.full, "note"));
    await garden.receives(chat(garden.full, "note"));
    await desk.receives(carbon(desk, "received", `<message id='note' type='chat'/>`));
    await settles(stage, garden, phone, desk);
  });

  test("may be one that takes no messages to the account, or is not even available", async (t) => {
    const { stage, garden, phone, juliet } = await scene(t);
    garden.sends("<presence><priority>-1</priority></presence>");
    await garden.receives(`<presence from='${garden.full}'/>`);
    await phone.receives(`<presence from='${garden.full}'/>`);
    juliet.sends(chat(phone.bare, "negative"));
    await phone.receives(chat(phone.bare, "negative"));
    await garden.receives(carbon(garden, "received", `<message id='negative' type='chat'/>`));
    const silent = await stage.login("romeo", { resource: "silent", presence: false });
    await silent.asks(turn("enable"), done);
    juliet.sends(chat(phone.bare, "silent"));
    await phone.receives(chat(phone.bare, "silent"));
    for (const one of [garden, silent])
      await one.receives(carbon(one, "received", `<message id='silent' type='chat'/>`));
  });

  test("may turn them on and off as often as it likes (§10.1)", async (t) => {
    const { garden, phone, juliet } = await scene(t);
    await garden.asks(turn("enable"), done);
    await garden.asks(turn("disable"), done);
    await garden.asks(turn("disable"), done);
    phone.sends(chat(juliet.bare, "unseen"));
    await juliet.receives(chat(juliet.bare, "unseen"));
    await garden.asks(turn("enable"), done);
    phone.sends(chat(juliet.bare, "seen"));
    await juliet.receives(chat(juliet.bare, "seen"));
    await garden.receives(carbon(garden, "sent", `<message id='seen' type='chat'/>`));
    await garden.receivesNothing();
    const refused =
      "<iq type='error'><error type='cancel'><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>";
    await juliet.asks(turn("enable").replace("<iq", `<iq to='${phone.bare}'`), refused);
    await juliet.asks(turn("disable").replace("<iq", `<iq to='${phone.bare}'`), refused);
  });
});

/** §6.1. The type, what is in it, and whether there is a copy. */
const table: readonly (readonly [type: string, content: string, isCopied: boolean])[] = [
  ["chat", "<body>x</body>", true],
  ["chat", "<thing xmlns='urn:example:thing'/>", true],
  ["normal", "<body>x</body>", true],
  ["", "<body>x</body>", true],
  ["normal", "<thing xmlns='urn:example:thing'/>", false],
  ["normal", "<received xmlns='urn:xmpp:receipts' id='1'/>", true],
  ["normal", "<active xmlns='http://jabber.org/protocol/chatstates'/>", true],
  ["normal", "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", true],
  ["normal", "<x xmlns='jabber:x:conference' jid='room@example'/>", true],
  ["normal", "<x xmlns='http://jabber.org/protocol/muc#user'><invite/></x>", true],
  ["headline", "<body>x</body>", false],
  ["groupchat", "<body>x</body>", false],
  ["chat", "<body>x</body><private xmlns='urn:xmpp:carbons:2'/>", false],
  ["chat", "<body>x</body><private xmlns='urn:xmpp:carbons:2'/><no-copy xmlns='urn:xmpp:hints'/>", false],
  ["chat", "<body>x</body><no-copy xmlns='urn:xmpp:hints'/>", false],
  ["chat", "<body>x</body><no-store xmlns='urn:xmpp:hints'/>", true],
];

test("which messages are copied", async (t) => {
  const { stage, garden, phone, juliet } = await scene(t);
  for (const [at, [type, content, isCopied]] of table.entries()) {
    const typed = type === "" ? "" : ` type='${type}'`;
    const message = (to: string) => `<message to='${to}' id='${at}'${typed}>${content}</message>`;
    const name = `${type} ${content}`;
    for (const [sender, receiver, direction] of [
      [phone, juliet, "sent"],
      [juliet, phone, "received"],
    ] as const) {
      sender.sends(message(receiver.full));
      await receiver.receives(`<message id='${at}'${typed}/>`);
      await stage.settle();
      const copies = garden.inbox.splice(0);
      assert.equal(copies.length, isCopied ? 1 : 0, `${name}, ${direction}`);
      if (copies[0]) assert.equal(attr(copies[0], "type") ?? "", type, name);
    }
  }
});

test("what is private in a room is copied by the one who writes it, and by the room", async (t) => {
  const { stage, garden, phone, juliet } = await scene(t);
  const inRoom = chat(juliet.full, "pm", `<x xmlns='${NS.mucUser}'/>`);
  phone.sends(inRoom);
  await juliet.receives(inRoom);
  await garden.receives(carbon(garden, "sent", `<message id='pm' type='chat'/>`));
  juliet.sends(chat(phone.full, "answer", `<x xmlns='${NS.mucUser}'/>`));
  await phone.receives(chat(phone.full, "answer"));
  await settles(stage, garden);
});

test("an error is copied where what it answers was, and no error comes of a copy (§10.3)", async (t) => {
  const { stage, garden, phone, juliet } = await scene(t);
  phone.sends(chat(`${stage.bare("nobody")}/x`, "lost"));
  await phone.receives("<message id='lost' type='error'><error/></message>");
  await garden.receives(carbon(garden, "sent", `<message id='lost' type='chat'/>`));
  await garden.receives(
    carbon(garden, "received", "<message id='lost' type='error'><error/></message>", "error"),
  );
  const error = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
  juliet.sends(`<message to='${phone.full}' type='error' id='never sent'>${error}</message>`);
  await phone.receives("<message id='never sent' type='error'/>");
  await settles(stage, garden, phone);
  // A client that cannot read a copy tells its own account, which nobody reads.
  garden.sends(`<message to='${garden.bare}' type='error' id='lost'>${error}</message>`);
  await settles(stage, garden, phone, juliet);
});

test("a copy that somebody makes up comes from them, not from the account", async (t) => {
  const { garden, phone, juliet } = await scene(t);
  const inside = `<message xmlns='${NS.client}' from='${stage(phone)}' to='${phone.full}' type='chat'><body>!</body></message>`;
  const forged = `<message to='${garden.full}' type='chat'><sent xmlns='${NS.carbons}'><forwarded xmlns='${NS.forward}'>${inside}</forwarded></sent></message>`;
  juliet.sends(forged);
  await garden.receives(forged.replace("<message", `<message from='${juliet.full}'`));
  // One's own clients may not speak for the account either.
  const own = forged.replace("<message", `<message from='${phone.bare}'`);
  phone.sends(own);
  const came = await garden.receives("<message type='chat'><sent xmlns='urn:xmpp:carbons:2'/></message>");
  assert.equal(attr(came, "from"), phone.full);
});

const stage = (actor: Actor): string => actor.full.replace("romeo", "tybalt");

test("the server says that it copies messages, and by which rules", async (t) => {
  const { phone, stage } = await scene(t);
  await phone.asks(
    `<iq type='get' to='${stage.domain}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`,
    "<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'><feature var='urn:xmpp:carbons:2'/><feature var='urn:xmpp:carbons:rules:0'/></query></iq>",
  );
});
