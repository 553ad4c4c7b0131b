/** XEP-0352: an inactive client is spared what can wait, and misses nothing by it. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { parseJid } from "../../src/xmpp/jid.ts";
import { NS } from "../../src/xmpp/ns.ts";
import { attr } from "../../src/xmpp/xml.ts";
import { domain, openPorts } from "../support/c2s.ts";
import { cast } from "../support/cast.ts";
import { acknowledges, asksHandled, enablesResumption, resumes } from "../support/management.ts";
import { readElement } from "../support/reader.ts";
import { until } from "../support/until.ts";

const patience = { timeout: 120_000 };
const ping = `<iq type='get' id='ping' to='${domain}'><ping xmlns='${NS.ping}'/></iq>`;
const delay = `<delay xmlns='${NS.delay}' from='${domain}' stamp='{any}'/>`;
const inactive = `<inactive xmlns='${NS.clientState}'/>`;
const active = `<active xmlns='${NS.clientState}'/>`;

const presence = (from: string, id: string, attrs = "", inside = "") =>
  `<presence from='${from}' id='${id}' ${attrs}>${inside}</presence>`;
const message = (id: string, inside: string, attrs = "type='chat'") =>
  `<message from='bob@b.test/x' id='${id}' ${attrs}>${inside}</message>`;
const item = (id: string, node: string, itemId: string, from = "bob@b.test") =>
  `<message from='${from}' id='${id}' type='headline'><event xmlns='${NS.pubsubEvent}'>` +
  `<items node='${node}'><item id='${itemId}'/></items></event></message>`;
const composing = `<composing xmlns='${NS.chatStates}'/>`;
const body = "<body>hello</body>";

/** An inactive client, and a way to send it something: what comes at once of it. */
async function idler(t: TestContext) {
  const ports = await openPorts(t);
  const { stream, full } = await ports.welcomes("ana");
  const id = await enablesResumption(stream);
  stream.raw(inactive);
  await asksHandled(stream);
  const sends = (xml: string, archiveId?: string) =>
    ports.sessions.get(parseJid(full)!)!.send(readElement(xml), undefined, archiveId);
  /** What has come. Acknowledgements are no stanzas, so that asking for one brings nothing else about. */
  const comes = async () => {
    await asksHandled(stream);
    return stream.inbox.splice(0).filter(({ name }) => name !== "r");
  };
  const ids = async () => (await comes()).map((one) => attr(one, "id"));
  return { ports, stream, full, id, sends, comes, ids };
}

describe("while a client is inactive", patience, () => {
  const waits: [string, string][] = [
    ["presence", presence("bob@b.test/x", "1")],
    ["unavailable presence", presence("bob@b.test/x", "1", "type='unavailable'")],
    ["an occupant's presence", presence("room@muc.test/bob", "1", "", `<x xmlns='${NS.mucUser}'/>`)],
    ["a chat state", message("1", composing)],
    ["news of a node", item("1", "urn:xmpp:avatar:metadata", "a")],
    ["a receipt", message("1", `<received xmlns='${NS.receipts}' id='0'/>`)],
    ["a marker", message("1", `<displayed xmlns='${NS.chatMarkers}' id='0'/>`)],
    [
      "a copy of a chat state",
      `<message id='1' from='ana@${domain}'><sent xmlns='${NS.carbons}'><forwarded xmlns='${NS.forward}'>` +
        `<message xmlns='${NS.client}' type='chat'>${composing}</message></forwarded></sent></message>`,
    ],
  ];
  for (const [what, stanza] of waits) {
    test(`${what} waits`, async (t) => {
      const { sends, ids, stream } = await idler(t);
      sends(stanza);
      assert.deepEqual(await ids(), []);
      stream.raw(active);
      assert.deepEqual(await ids(), ["1"]);
    });
  }

  const comes: [string, string][] = [
    ["a message", message("1", body)],
    ["a message in a room", message("1", body, "type='groupchat'")],
    ["a subject", message("1", "<subject>tea</subject>", "type='groupchat'")],
    ["an encrypted message", message("1", `<encryption xmlns='${NS.encryption}' namespace='x'/>`)],
    ["a call", message("1", `<propose xmlns='${NS.jingleMessage}' id='c'/>`)],
    ["an error", message("1", "<error type='cancel'/>", "type='error'")],
    ["a request", "<iq type='get' id='1' from='bob@b.test/x'><query xmlns='test:x'/></iq>"],
    ["a subscription", presence("bob@b.test", "1", "type='subscribe'")],
    ["an error in presence", presence("bob@b.test", "1", "type='error'")],
    [
      "what a room says of oneself",
      presence(
        "room@muc.test/ana",
        "1",
        "type='unavailable'",
        `<x xmlns='${NS.mucUser}'><status code='110'/></x>`,
      ),
    ],
    [
      "a copy of a message",
      `<message id='1' from='ana@${domain}'><received xmlns='${NS.carbons}'><forwarded xmlns='${NS.forward}'>` +
        `<message xmlns='${NS.client}' type='chat'>${body}</message></forwarded></received></message>`,
    ],
  ];
  for (const [what, stanza] of comes) {
    test(`${what} comes at once, behind all that waited`, async (t) => {
      const { sends, ids } = await idler(t);
      sends(presence("eve@e.test/y", "before"));
      sends(stanza);
      sends(presence("eve@e.test/y", "after"));
      assert.deepEqual(await ids(), ["before", "1"]);
    });
  }

  test("the latest presence of each is kept, as if only that had been sent", async (t) => {
    const { sends, ids, stream } = await idler(t);
    for (const id of ["1", "2", "3"]) sends(presence("bob@b.test/x", id));
    sends(presence("bob@b.test/y", "4"));
    sends(presence("bob@b.test/x", "5", "type='unavailable'"));
    stream.raw(active);
    assert.deepEqual(await ids(), ["4", "5"]);
  });

  test("the latest of each item of a node is kept, and other items are not lost for it", async (t) => {
    const { sends, ids, stream } = await idler(t);
    sends(item("1", "tune", "current"));
    sends(item("2", "tune", "current"));
    sends(item("3", "blog", "a"));
    sends(item("4", "blog", "b"));
    sends(item("5", "tune", "current", "eve@e.test"));
    sends(item("6", "blog", "a"));
    stream.raw(active);
    assert.deepEqual(await ids(), ["2", "4", "5", "6"]);
  });

  test("the latest chat state of each is kept", async (t) => {
    const { sends, ids, stream } = await idler(t);
    sends(message("1", composing));
    sends(message("2", `<paused xmlns='${NS.chatStates}'/>`));
    stream.raw(active);
    assert.deepEqual(await ids(), ["2"]);
  });

  test("what is in the archive is kept, whatever it is", async (t) => {
    const { sends, ids, stream, ports } = await idler(t);
    const taken: string[] = [];
    ports.sessions.onTaken((_, id) => void taken.push(id));
    sends(message("1", `<received xmlns='${NS.receipts}' id='0'/>`), "archive-1");
    sends(message("2", composing), "archive-2");
    sends(message("3", composing), "archive-3");
    assert.deepEqual(taken, []);
    stream.raw(active);
    assert.deepEqual(await ids(), ["1", "2", "3"]);
    assert.deepEqual(taken, []);
    acknowledges(stream, 2);
    await asksHandled(stream);
    acknowledges(stream, 3);
    await asksHandled(stream);
    assert.deepEqual(taken, ["archive-1", "archive-2", "archive-3"]);
  });

  test("what waited tells since when; what says so itself already is left alone", async (t) => {
    const { sends, comes, stream } = await idler(t);
    const own = `<delay xmlns='${NS.delay}' from='b.test' stamp='2020-01-01T00:00:00Z'/>`;
    sends(presence("bob@b.test/x", "1"));
    sends(presence("bob@b.test/y", "2", "", own));
    sends("<presence from='bob@b.test/z'/>");
    stream.raw(active);
    const [first, second, third] = await comes();
    stream.inbox.push(first!, second!, third!);
    await stream.receivesNext(`<presence id='1'>${delay}</presence>`);
    const late = await stream.receivesNext(`<presence id='2'>${own}</presence>`);
    assert.equal(late.children.length, 1);
    await stream.receivesNext(`<presence from='bob@b.test/z'>${delay}</presence>`);
  });

  test("256 stanzas wait at most", async (t) => {
    const { sends, ids } = await idler(t);
    for (let n = 1; n <= 255; n += 1) sends(presence(`bob@b.test/${n}`, String(n)));
    assert.deepEqual(await ids(), []);
    sends(presence("bob@b.test/256", "256"));
    assert.equal((await ids()).length, 256);
    sends(presence("bob@b.test/1", "again"));
    assert.deepEqual(await ids(), []);
  });
});

test("no more than a quarter of a million characters waits for an inactive client", patience, async (t) => {
  const { sends, ids } = await idler(t);
  const large = (n: number) =>
    presence(`bob@b.test/${n}`, String(n), "", `<status>${"x".repeat(100_000)}</status>`);
  for (const n of [1, 2, 2, 2]) sends(large(n));
  assert.deepEqual(await ids(), [], "what is replaced is not counted");
  sends(large(3));
  assert.deepEqual(await ids(), ["1", "2", "3"]);
  sends(presence("bob@b.test/1", "again"));
  assert.deepEqual(await ids(), []);
});

describe("a client is active", patience, () => {
  test("until it says otherwise", async (t) => {
    const { ports, stream, sends, ids } = await idler(t);
    stream.raw(active);
    sends(presence("bob@b.test/x", "1"));
    assert.deepEqual(await ids(), ["1"]);
    const { stream: other, full } = await ports.welcomes("bob");
    ports.sessions.get(parseJid(full)!)!.send(readElement(presence("ana@a.test/x", "1")));
    await other.receivesNext("<presence id='1'/>");
  });

  test("before what it says next is answered (§5.1)", async (t) => {
    const { sends, stream } = await idler(t);
    sends(presence("bob@b.test/x", "1"));
    stream.raw(active + ping);
    await stream.receivesNext("<presence id='1'/>");
    await stream.receivesNext("<iq id='ping' type='result'/>");
  });

  test("again once its session is resumed (§5.2)", async (t) => {
    const { ports, stream, sends, full, id } = await idler(t);
    sends(presence("bob@b.test/x", "1"));
    await stream.kill();
    await until(() => ports.count("session.hibernated") === 1, "the session rests");
    sends(presence("bob@b.test/y", "2"));
    const again = await ports.admits();
    await resumes(again, id, 0);
    for (const came of ["1", "2"]) await again.receivesNext(`<presence id='${came}'>${delay}</presence>`);
    ports.sessions.get(parseJid(full)!)!.send(readElement(presence("bob@b.test/x", "3")));
    const now = await again.receivesNext("<presence id='3'/>");
    assert.equal(now.children.length, 0);
  });

  test("or inactive, and nothing else", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.welcomes("ana");
    stream.raw(`<dozing xmlns='${NS.clientState}'/>`);
    await stream.receives(
      `<error xmlns='${NS.stream}'><unsupported-stanza-type xmlns='${NS.streams}'/></error>`,
    );
    await stream.closed();
  });
});

describe("what waits comes once (XEP-0160)", patience, () => {
  const reaction =
    "<reactions xmlns='urn:xmpp:reactions:0' id='1'><reaction>+1</reaction></reactions><store xmlns='urn:xmpp:hints'/>";

  test("to an inactive client, which may say that its user is away", async (t) => {
    await using stage = await cast(t, { juliet: {}, romeo: {} });
    const { juliet, romeo } = stage.actors;
    juliet.raw(inactive);
    await juliet.pings();
    romeo.sends(`<message type='chat' to='${juliet.bare}' id='liked'>${reaction}</message>`);
    await romeo.pings();
    juliet.sends("<presence><show>away</show></presence>");
    await juliet.pings();
    await stage.settle();
    juliet.raw(active);
    await juliet.pings();
    assert.deepEqual(
      juliet.inbox
        .splice(0)
        .filter(({ name }) => name === "message")
        .map((one) => attr(one, "id")),
      ["liked"],
    );
  });

  test("to a client whose connection is lost, while another one comes and goes", async (t) => {
    await using stage = await cast(t, { juliet: {}, romeo: {} });
    const { juliet, romeo } = stage.actors;
    const id = await enablesResumption(juliet);
    const desk = await stage.login("juliet", { resource: "desk", presence: false });
    desk.sends("<presence><priority>-1</priority></presence>");
    await desk.pings();
    await juliet.kill();
    await stage.settle();
    romeo.sends(`<message type='chat' to='${juliet.bare}' id='liked'>${reaction}</message>`);
    await romeo.pings();
    await desk.ends();
    await stage.settle();
    const again = await stage.connects();
    await again.opens();
    await again.receives("<stream:features/>");
    await again.authenticates("juliet", "juliet's secret");
    await resumes(again, id, 0);
    await again.asks(ping);
    assert.deepEqual(
      again.inbox
        .splice(0)
        .filter(({ name }) => name === "message")
        .map((one) => attr(one, "id")),
      ["liked"],
    );
    juliet.inbox.length = romeo.inbox.length = desk.inbox.length = 0;
    await again.kill();
  });
});
