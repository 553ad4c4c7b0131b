/** The table of what becomes of a message, row by row: XEP-0160 §3, 0280 §6, 0313 §5.1.1, 0334 §4, 0352 §5.1, 0357. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { handlingOf } from "../../src/xmpp/message-kind.ts";
import { parseElement } from "../../src/xmpp/parser.ts";

const body = "<body>But soft</body>";
const hint = (name: string): string => `<${name} xmlns='urn:xmpp:hints'/>`;
const composing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
const markable = "<markable xmlns='urn:xmpp:chat-markers:0'/>";
const request = "<request xmlns='urn:xmpp:receipts'/>";
const received = "<received xmlns='urn:xmpp:receipts' id='1'/>";
const displayed = "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>";
const replace = "<replace xmlns='urn:xmpp:message-correct:0' id='1'/>";
const reactions = "<reactions xmlns='urn:xmpp:reactions:0' id='1'><reaction>👋</reaction></reactions>";
const retract = "<retract xmlns='urn:xmpp:message-retract:1' id='1'/>";
const eme = "<encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:omemo:2'/>";
const omemo = "<encrypted xmlns='urn:xmpp:omemo:2'><header sid='1'/><payload>x</payload></encrypted>";
const keys = "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted>";
const direct = "<x xmlns='jabber:x:conference' jid='verona@rooms.example'/>";
const mediated = "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='romeo@example'/></x>";
const inRoom = "<x xmlns='http://jabber.org/protocol/muc#user'/>";
const propose = "<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>";
const proceed = "<proceed xmlns='urn:xmpp:jingle-message:0' id='1'/>";
const event = "<event xmlns='http://jabber.org/protocol/pubsub#event'/>";
const form = "<x xmlns='jabber:x:data' type='form'/>";
const forged = "<sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'/></sent>";
const bounce =
  "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";

/** A: archive, O: offline, C: carbon, P: push, !: important. For the type `normal` (and none), then for `chat`. */
const table: readonly (readonly [what: string, content: string, normal: string, chat: string])[] = [
  ["body", body, "AOCP!", "AOCP!"],
  ["body", body + composing + request + markable, "AOCP!", "AOCP!"],
  ["body", `${body}<thread>t</thread><origin-id xmlns='urn:xmpp:sid:0' id='1'/>`, "AOCP!", "AOCP!"],
  ["body", body + inRoom, "AOCP!", "AOCP!"],
  ["body", body + form, "AOCP!", "AOCP!"],
  ["subject", "<subject>Balcony</subject>", "AO!", "AOC!"],
  ["encrypted", omemo, "AOCP!", "AOCP!"],
  ["encrypted", omemo + eme + body, "AOCP!", "AOCP!"],
  ["encrypted", eme, "AOCP!", "AOCP!"],
  ["encrypted", "<openpgp xmlns='urn:xmpp:openpgp:0'>x</openpgp>", "AOCP!", "AOCP!"],
  ["keys", keys, "AO", "AOC"],
  ["receipt", received, "AOC", "AOC"],
  ["receipt", received + composing, "AOC", "AOC"],
  ["marker", displayed, "AOC", "AOC"],
  ["correction", replace + body, "AOCP!", "AOCP!"],
  ["reaction", reactions, "AOC", "AOC"],
  ["reaction", `${reactions}${body}<fallback xmlns='urn:xmpp:fallback:0'/>`, "AOC", "AOC"],
  ["retraction", retract + body, "AOC", "AOC"],
  [
    "retraction",
    "<apply-to xmlns='urn:xmpp:fasten:0' id='1'><retract xmlns='urn:xmpp:message-retract:0'/></apply-to>",
    "AOC",
    "AOC",
  ],
  ["invitation", direct, "AOCP!", "AOCP!"],
  ["invitation", mediated, "AOCP!", "AOCP!"],
  ["call", propose, "AOCP!", "AOCP!"],
  ["call-state", proceed, "AOC!", "AOC!"],
  ["chat-state", composing, "C", "C"],
  ["chat-state", `${composing}<thread>t</thread>${hint("no-store")}`, "C", "C"],
  ["chat-state", composing + inRoom, "C", "C"],
  ["event", event, "", "C"],
  ["result", forged, "!", "C!"],
  ["other", form, "O!", "OC!"],
  ["empty", "", "", "C"],
  ["empty", "<thread>t</thread>", "", "C"],
  ["empty", request, "", "C"],
];

const marks = { archive: "A", offline: "O", carbon: "C", push: "P", important: "!" } as const;

function told(type: string | undefined, content: string): [string, string] {
  const attrs = type === undefined ? "" : ` type='${type}'`;
  const handling = handlingOf(parseElement(`<message${attrs}>${content}</message>`));
  const set = Object.entries(marks).filter(([name]) => handling[name as keyof typeof marks]);
  return [handling.kind, set.map(([, mark]) => mark).join("")];
}

for (const [kind, content, normal, chat] of table) {
  test(`${kind}: ${content.replaceAll(/ xmlns='[^']*'/g, "").slice(0, 60)}`, () => {
    assert.deepEqual(told("chat", content), [kind, chat]);
    for (const type of ["normal", undefined, "odd"]) assert.deepEqual(told(type, content), [kind, normal]);
    // What comes from a node or a room is no conversation; an error is about one.
    assert.deepEqual(told("headline", content), ["headline", ""]);
    assert.deepEqual(told("error", content + bounce), ["error", "AC!"]);
    // What a room's messages are about a message wakes nobody, whatever is said for those who do not know that.
    const speaks =
      /<body|<encrypt|<openpgp|<payload/.test(content) && !/^(keys|reaction|retraction)$/.test(kind);
    const inRoom = kind === "subject" ? ["room-subject", "!"] : ["room-state", ""];
    assert.deepEqual(told("groupchat", content), speaks ? ["room", "P!"] : inRoom);
  });
}

test("hints of the sender (XEP-0334 §4, XEP-0280 §9)", () => {
  const cases: readonly (readonly [content: string, marks: string])[] = [
    [body + hint("no-store"), "C!"],
    [body + hint("no-permanent-store"), "OCP!"],
    [body + hint("no-copy"), "AOP!"],
    [`${body}<private xmlns='urn:xmpp:carbons:2'/>`, "AOP!"],
    [body + hint("store"), "AOCP!"],
    [composing + hint("store"), "AOC"],
    [keys + hint("store"), "AOC"],
    // To keep less is the stronger wish, as it cannot be taken back.
    [body + hint("store") + hint("no-store"), "C!"],
    [body + hint("store") + hint("no-permanent-store"), "OCP!"],
    [body + hint("no-store") + hint("no-copy"), "!"],
  ];
  for (const [content, expected] of cases) assert.equal(told("chat", content)[1], expected, content);
  // Those of an error are the hints of what it answers (§5).
  assert.equal(told("error", body + hint("no-store") + bounce)[1], "AC!");
  assert.equal(told("headline", body + hint("store"))[1], "AO");
  assert.equal(told("groupchat", body + hint("store"))[1], "P!");
});

test("a message of one kind is handled by one object", () => {
  const one = (): unknown =>
    handlingOf(parseElement(`<message type='chat'>${body}${hint("no-copy")}</message>`));
  assert.equal(one(), one());
});
