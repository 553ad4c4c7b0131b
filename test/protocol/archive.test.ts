/** XEP-0313 1.1.3: what is in an archive (§5.1.1), how it is read (§4), and by whom (§9.1). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { NS } from "../../src/xmpp/ns.ts";
import { attr, child, children, serialize } from "../../src/xmpp/xml.ts";
import { queryText, reads, rsm, saidIn, stanzaIds } from "../support/archive.ts";
import { cast, type Actor } from "../support/cast.ts";

const away = { presence: false } as const;
const chat = (to: string, text: string): string =>
  `<message to='${to}' type='chat' id='${text}'><body>${text}</body></message>`;
const notFound =
  "<iq type='error'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>";
const refused = (condition: string): string =>
  `<iq type='error'><error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`;

/** Words, from the first to the last. */
const words = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, at) => `w${from + at}`);

/** Romeo has written w1 to w… to Juliet, who is away. */
async function archiveOf(count: number, romeo: Actor, juliet: { readonly bare: string }): Promise<string[]> {
  for (const word of words(1, count)) romeo.sends(chat(juliet.bare, word));
  await romeo.pings();
  const all = await reads(romeo, {}, rsm({ max: 250 }));
  assert.deepEqual(all.said, words(1, count));
  return all.ids;
}

describe("a message", () => {
  test("is in the archives of both, once, however many clients get it", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: {} });
    const { romeo, juliet } = stage.actors;
    const tablet = await stage.login("juliet", { resource: "tablet" });
    romeo.sends(chat(juliet.bare, "soft"));
    const [one, other] = [
      await juliet.receives(chat(juliet.bare, "soft")),
      await tablet.receives(chat(juliet.bare, "soft")),
    ];
    const [hers, his] = [await reads(juliet), await reads(romeo)];
    assert.deepEqual([hers.said, his.said], [["soft"], ["soft"]]);
    // §3.4: what was delivered says by which id the archive has it; the other side's id is the other side's.
    assert.deepEqual(stanzaIds(one), { [juliet.bare]: hers.ids[0] });
    assert.deepEqual(stanzaIds(other), stanzaIds(one));
    assert.notEqual(hers.ids[0], his.ids[0]);
    const [archived] = his.messages;
    assert.deepEqual(
      [attr(archived!, "from"), attr(archived!, "to"), attr(archived!, "id"), attr(archived!, "type")],
      [romeo.full, juliet.bare, "soft", "chat"],
    );
  });

  test("is archived if it says something", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: away });
    const { romeo, juliet } = stage.actors;
    const says = (inside: string, attrs = "type='chat'") =>
      romeo.sends(`<message to='${juliet.bare}' ${attrs}>${inside}</message>`);
    says("<body>normal</body>", "");
    says("<composing xmlns='http://jabber.org/protocol/chatstates'/>");
    says("<received xmlns='urn:xmpp:receipts' id='1'/>");
    says("<body>headline</body>", "type='headline'");
    says("<body>gone</body><no-store xmlns='urn:xmpp:hints'/>");
    says("<body>for now</body><no-permanent-store xmlns='urn:xmpp:hints'/>");
    says("<thing xmlns='urn:example:thing'/><store xmlns='urn:xmpp:hints'/>");
    says("<thing xmlns='urn:example:thing'/>");
    await romeo.pings();
    for (const { messages } of [await reads(romeo), await reads(juliet)]) {
      const content = messages.map((message) => children(message)[0]!.name);
      assert.deepEqual(content, ["body", "received", "thing"]);
    }
  });

  test("that is refused is in the archive of who wrote it alone, with the refusal", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: {} });
    const { romeo, juliet } = stage.actors;
    const bounced = `<message type='error' id='{any}'><body>{any}</body><error/></message>`;
    romeo.sends(`<message to='${juliet.bare}/gone' id='n'><body>nobody there</body></message>`);
    romeo.sends(chat(stage.bare("nobody"), "unknown"));
    await romeo.receives(bounced);
    await romeo.receives(bounced);
    assert.deepEqual((await reads(juliet)).said, []);
    const { messages } = await reads(romeo);
    assert.deepEqual(
      messages.map((message) => [saidIn(message), attr(message, "type")]),
      [
        ["nobody there", undefined],
        ["nobody there", "error"],
        ["unknown", "chat"],
        ["unknown", "error"],
      ],
    );
  });

  test("to oneself is there once", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: away });
    const { romeo, juliet } = stage.actors;
    romeo.sends(chat(romeo.bare, "note") + chat(juliet.bare, "letter"));
    const note = await romeo.receives(chat(romeo.bare, "note"));
    const own = await reads(romeo, { with: romeo.bare });
    assert.deepEqual(own.said, ["note"]);
    assert.deepEqual(stanzaIds(note), { [romeo.bare]: own.ids[0] });
    assert.deepEqual((await reads(romeo)).said, ["note", "letter"]);
  });
});

describe("a page", () => {
  test("has fifty messages where nothing is said, and the next one begins behind it", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: away });
    const { romeo, juliet } = stage.actors;
    const ids = await archiveOf(120, romeo, juliet);
    const first = await reads(romeo);
    assert.deepEqual([first.said, first.complete], [words(1, 50), false]);
    assert.deepEqual([first.first, first.last], [ids[0], ids[49]]);
    const second = await reads(romeo, {}, rsm({ after: first.last! }));
    assert.deepEqual([second.said, second.complete], [words(51, 100), false]);
    const third = await reads(romeo, {}, rsm({ after: second.last! }));
    assert.deepEqual([third.said, third.complete], [words(101, 120), true]);
    const none = await reads(romeo, {}, rsm({ after: third.last! }));
    assert.deepEqual([none.said, none.complete, none.first, none.last], [[], true, undefined, undefined]);
    // What comes later is on a page of its own.
    romeo.sends(chat(juliet.bare, "w121"));
    assert.deepEqual((await reads(romeo, {}, rsm({ after: third.last! }))).said, ["w121"]);
  });

  test("from the end is in order too, and so is the one in front of it", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: away });
    const { romeo, juliet } = stage.actors;
    const ids = await archiveOf(25, romeo, juliet);
    const last = await reads(romeo, {}, rsm({ max: 10, before: "" }));
    assert.deepEqual([last.said, last.complete, last.first], [words(16, 25), false, ids[15]]);
    const middle = await reads(romeo, {}, rsm({ max: 10, before: last.first! }));
    assert.deepEqual([middle.said, middle.complete], [words(6, 15), false]);
    const first = await reads(romeo, {}, rsm({ max: 10, before: middle.first! }));
    assert.deepEqual([first.said, first.complete], [words(1, 5), true]);
    // Exactly as many as there are: nothing was left out.
    assert((await reads(romeo, {}, rsm({ max: 25 }))).complete);
    assert((await reads(romeo, {}, rsm({ max: 5, before: ids[5]! }))).complete);
    assert(!(await reads(romeo, {}, rsm({ max: 24, before: "" }))).complete);
  });

  test("may be turned round, which changes its order and nothing else (§4.3.4)", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: away });
    const { romeo, juliet } = stage.actors;
    const ids = await archiveOf(9, romeo, juliet);
    const flip = "<flip-page/>";
    const page = await reads(romeo, {}, rsm({ max: 3, after: ids[2]! }) + flip);
    assert.deepEqual([page.said, page.first, page.last], [words(4, 6).reverse(), ids[3], ids[5]]);
    const end = await reads(romeo, {}, rsm({ max: 3, before: "" }) + flip);
    assert.deepEqual([end.said, end.first, end.last], [words(7, 9).reverse(), ids[6], ids[8]]);
  });

  test("has a limit of its own, in messages and in length", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: away });
    const { romeo, juliet } = stage.actors;
    const long = "x".repeat(200_000);
    for (let at = 0; at < 4; at += 1)
      romeo.sends(`<message to='${juliet.bare}' id='${at}'><body>${long}</body></message>`);
    await romeo.pings();
    const [start, end] = [await reads(romeo), await reads(romeo, {}, rsm({ before: "" }))];
    const idsOf = (page: typeof start) => page.messages.map((message) => attr(message, "id"));
    assert.deepEqual([idsOf(start), start.complete], [["0", "1"], false]);
    assert.deepEqual([idsOf(end), end.complete], [["2", "3"], false]);
    assert.deepEqual(idsOf(await reads(romeo, {}, rsm({ after: start.last! }))), ["2", "3"]);
    for (const word of words(1, 260)) romeo.sends(chat(juliet.bare, word));
    await romeo.pings();
    const wide = await reads(romeo, {}, rsm({ max: 1_000, before: "" }));
    assert.deepEqual([wide.said, wide.complete], [words(11, 260), false]);
  });

  test("of no messages tells how many there are (XEP-0059 §2.7)", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: away, nurse: away });
    const { romeo, juliet, nurse } = stage.actors;
    const empty = await reads(romeo, {}, rsm({ max: 0 }));
    assert.deepEqual([empty.count, empty.complete, empty.said], ["0", true, []]);
    await archiveOf(7, romeo, juliet);
    romeo.sends(chat(nurse.bare, "nurse"));
    const count = async (fields = {}) => (await reads(romeo, fields, rsm({ max: 0 }))).count;
    assert.deepEqual([await count(), await count({ with: juliet.bare })], ["8", "7"]);
    const page = await reads(romeo, {}, rsm({ max: 0 }));
    assert.deepEqual([page.complete, page.said], [false, []]);
  });
});

describe("what is asked for", () => {
  test("may be what one writes with somebody, or with one of their clients (§4.1.1)", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: {}, nurse: {} });
    const { romeo, juliet, nurse } = stage.actors;
    const pad = await stage.login("juliet", { resource: "pad", presence: false });
    romeo.sends(chat(juliet.bare, "bare") + chat(nurse.bare, "nurse") + chat(juliet.full, "phone"));
    await juliet.receives(chat(juliet.bare, "bare"));
    await juliet.receives(chat(juliet.full, "phone"));
    await nurse.receives(chat(nurse.bare, "nurse"));
    pad.sends(chat(romeo.full, "pad"));
    await romeo.receives(chat(romeo.full, "pad"));
    const said = async (jid: string) => (await reads(romeo, { with: jid })).said;
    assert.deepEqual(await said(juliet.bare), ["bare", "phone", "pad"]);
    assert.deepEqual(await said(juliet.bare.toUpperCase().replace("PIPIT.TEST", "pipit.test")), [
      "bare",
      "phone",
      "pad",
    ]);
    assert.deepEqual(await said(juliet.full), ["phone"]);
    assert.deepEqual(await said(pad.full), ["pad"]);
    assert.deepEqual(await said(stage.bare("nobody")), []);
    await romeo.asks(queryText({ with: "a@b@c" }), refused("jid-malformed"));
  });

  test("may be a time (§4.1.2)", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: away });
    const { romeo, juliet } = stage.actors;
    const ids = await archiveOf(3, romeo, juliet);
    // They may have come in one millisecond: their times are set apart here.
    const { results } = await reads(romeo);
    const stamps = results.map((result) =>
      attr(child(child(result, "forwarded", NS.forward)!, "delay", NS.delay)!, "stamp")!,
    );
    const [from, to] = [stamps[0]!, stamps[2]!];
    const before = new Date(Date.parse(from) - 1).toISOString();
    const after = new Date(Date.parse(to) + 1).toISOString();
    const found = async (fields: Record<string, string>) => (await reads(romeo, fields)).ids;
    assert.deepEqual(await found({ start: from }), ids);
    assert.deepEqual(await found({ end: to }), ids);
    assert.deepEqual(await found({ start: from, end: to }), ids);
    assert.deepEqual(await found({ start: after }), []);
    assert.deepEqual(await found({ end: before }), []);
    assert.deepEqual(await found({ start: "2010-08-07T00:00:00Z", end: "2010-09-07T02:00:00+02:00" }), []);
    for (const wrong of ["yesterday", "2010-08-07", "2010-02-31T00:00:00Z"])
      await romeo.asks(queryText({ start: wrong }), refused("bad-request"));
  });

  test("may lie between messages, and pages stay between them (§4.1.3)", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: away });
    const { romeo, juliet } = stage.actors;
    const ids = await archiveOf(12, romeo, juliet);
    const [third, tenth] = [ids[2]!, ids[9]!];
    const between = { "after-id": third, "before-id": tenth };
    assert.deepEqual((await reads(romeo, { "after-id": third })).said, words(4, 12));
    assert.deepEqual((await reads(romeo, { "before-id": tenth })).said, words(1, 9));
    assert.deepEqual((await reads(romeo, between)).said, words(4, 9));
    const page = await reads(romeo, between, rsm({ max: 4 }));
    assert.deepEqual([page.said, page.complete], [words(4, 7), false]);
    const next = await reads(romeo, between, rsm({ max: 4, after: page.last! }));
    assert.deepEqual([next.said, next.complete], [words(8, 9), true]);
    const last = await reads(romeo, between, rsm({ max: 4, before: "" }));
    assert.deepEqual([last.said, last.complete], [words(6, 9), false]);
    assert.deepEqual((await reads(romeo, { "after-id": tenth, "before-id": third })).said, []);
    assert.deepEqual((await reads(romeo, { "after-id": third, "before-id": ids[3]! })).said, []);
  });

  test("may be single messages", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: away });
    const { romeo, juliet } = stage.actors;
    const ids = await archiveOf(5, romeo, juliet);
    const some = [ids[4]!, ids[1]!, ids[4]!];
    assert.deepEqual((await reads(romeo, { ids: some })).said, ["w2", "w5"]);
    const page = await reads(romeo, { ids: some }, rsm({ max: 1 }));
    assert.deepEqual([page.said, page.complete], [["w2"], false]);
    assert.deepEqual((await reads(romeo, { ids: some, with: stage.bare("nobody") })).said, []);
    const many = Array.from({ length: 251 }, (_, at) => `${at}`);
    await romeo.asks(queryText({ ids: many }), refused("not-acceptable"));
  });

  test("is not there by an id that is not in the archive", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: away });
    const { romeo, juliet } = stage.actors;
    const [own] = await archiveOf(2, romeo, juliet);
    const { ids } = await reads(juliet);
    const waiting = `<message to='${juliet.bare}' type='chat'><body>x</body><no-permanent-store xmlns='urn:xmpp:hints'/></message>`;
    romeo.sends(waiting);
    await romeo.pings();
    const { store } = stage.node;
    const rows = await store.db.select().from(store.t.messages);
    const unarchived = rows.find(({ archived }) => !archived)!.id;
    const flipped = own!.slice(0, -1) + (own!.endsWith("0") ? "1" : "0");
    for (const id of [flipped, "1", "'; DROP TABLE messages; --", "x".repeat(1_000), ids[0]!]) {
      for (const field of ["before-id", "after-id", "ids"])
        await romeo.asks(queryText({ [field]: id }), notFound);
      const text = id.replaceAll("'", "&apos;");
      await romeo.asks(queryText({}, rsm({ after: text })), notFound);
      await romeo.asks(queryText({}, rsm({ before: text })), notFound);
    }
    await juliet.asks(queryText({ ids: [ids[0]!, unarchived] }), notFound);
    await romeo.asks(queryText({ ids: [own!, "1"] }), notFound);
  });

  test("is asked in words that both know (§4.1.6)", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: away });
    const { romeo, juliet } = stage.actors;
    await archiveOf(1, romeo, juliet);
    const reply = await romeo.asks(
      `<iq type='get'><query xmlns='${NS.archive}'/></iq>`,
      `<iq type='result'><query xmlns='${NS.archive}'><x xmlns='jabber:x:data' type='form'>
        <field type='hidden' var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>
        <field type='jid-single' var='with'/><field type='text-single' var='start'/>
        <field type='text-single' var='end'/><field type='text-single' var='before-id'/>
        <field type='text-single' var='after-id'/><field type='boolean' var='include-groupchat'/>
        <field type='text-single' var='{urn:xmpp:fulltext:0}fulltext'/>
        <field type='list-multi' var='ids'>
          <validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:string'><open/></validate>
        </field></x></query></iq>`,
    );
    assert(!serialize(reply).includes("required"));
    await romeo.asks(queryText({ "{urn:example:x}mood": "lonely" }), refused("feature-not-implemented"));
    const otherForm =
      "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:0</value></field></x>";
    await romeo.asks(
      `<iq type='set'><query xmlns='${NS.archive}'>${otherForm}</query></iq>`,
      refused("bad-request"),
    );
    await romeo.asks(queryText({}, rsm({ max: -1 })), refused("bad-request"));
    // XEP-0059 §2.6: who is told no count has no positions to ask for; the first page again would be no answer.
    await romeo.asks(queryText({}, rsm({ max: 1, index: 1 })), refused("feature-not-implemented"));
    await romeo.asks(`<iq type='set'><query xmlns='${NS.archive}' node='princely_musings'/></iq>`, notFound);
    for (const does of ["true", "false"])
      assert.deepEqual((await reads(romeo, { "include-groupchat": does })).said, ["w1"]);
  });
});

test("an archive tells where it begins and ends (§4.4)", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: away });
  const { romeo, juliet } = stage.actors;
  const ask = `<iq type='get'><metadata xmlns='${NS.archive}'/></iq>`;
  const empty = await romeo.asks(ask, `<iq type='result'><metadata xmlns='${NS.archive}'/></iq>`);
  assert.deepEqual(children(child(empty, "metadata", NS.archive)!), []);
  const ids = await archiveOf(3, romeo, juliet);
  await romeo.asks(
    ask,
    `<iq type='result'><metadata xmlns='${NS.archive}'>
      <start id='${ids[0]}' timestamp='{any}'/><end id='${ids[2]}' timestamp='{any}'/></metadata></iq>`,
  );
});

test("nobody reads the archive of somebody else, or learns whether there is one (§9.1)", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: {} }, { friends: [["romeo", "juliet"]] });
  const { romeo, juliet } = stage.actors;
  for (const to of [juliet.bare, stage.bare("nobody")]) {
    for (const [type, name] of [
      ["set", "query"],
      ["get", "query"],
      ["get", "metadata"],
      ["get", "prefs"],
      ["set", "prefs"],
    ])
      await romeo.asks(
        `<iq type='${type}' to='${to}'><${name} xmlns='${NS.archive}'/></iq>`,
        refused("forbidden"),
      );
  }
  // What looks like a result but was not asked for is a message like any other, from who sent it.
  romeo.sends(
    `<message to='${juliet.full}'><result xmlns='${NS.archive}' id='1'><forwarded xmlns='${NS.forward}'/></result></message>`,
  );
  await juliet.receives(`<message from='${romeo.full}'><result xmlns='${NS.archive}' id='1'/></message>`);
});

test("an account says that it has an archive", async (t) => {
  await using stage = await cast(t, { romeo: {} });
  const { romeo } = stage.actors;
  const features = [
    "urn:xmpp:mam:2",
    "urn:xmpp:mam:2#extended",
    "urn:xmpp:mam:2#groupchat-field",
    "urn:xmpp:sid:0",
    "urn:xmpp:fulltext:0",
    "urn:xmpp:message-retract:1#tombstone",
  ];
  await romeo.asks(
    `<iq type='get' to='${romeo.bare}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`,
    `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'>${features.map((one) => `<feature var='${one}'/>`).join("")}</query></iq>`,
  );
});

test("an archive outlives the node, in its order", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: away });
  const { romeo, juliet } = stage.actors;
  const before = await archiveOf(5, romeo, juliet);
  await stage.restarts();
  const again = await stage.login("romeo");
  again.sends(chat(juliet.bare, "w6"));
  const page = await reads(again);
  assert.deepEqual([page.said, page.ids.slice(0, 5)], [words(1, 6), before]);
  assert.deepEqual([...page.ids].sort(), page.ids);
});

test("what is read in the archive at login is not sent again (§5.1.1)", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: away });
  const { romeo, juliet } = stage.actors;
  const temporary = `<message to='${juliet.bare}' type='chat' id='off'><body>off the record</body><no-permanent-store xmlns='urn:xmpp:hints'/></message>`;
  romeo.sends(chat(juliet.bare, "one") + temporary + chat(juliet.bare, "two"));
  await romeo.pings();
  assert.deepEqual((await reads(juliet)).said, ["one", "two"]);
  // Between what it read and its presence.
  romeo.sends(chat(juliet.bare, "three"));
  await romeo.pings();
  juliet.sends("<presence/>");
  await juliet.receivesNext(`<presence from='${juliet.full}'/>`);
  // Not in the archive, so it has to come; and so does what came since.
  assert.equal(saidIn(await juliet.receivesNext("<message/>")), "off the record");
  assert.equal(saidIn(await juliet.receivesNext("<message/>")), "three");
  await juliet.receivesNothing();
  await juliet.ends();
  const again = await stage.login("juliet", away);
  again.sends("<presence/>");
  await again.receivesNext(`<presence from='${again.full}'/>`);
  await again.receivesNothing();
});

test("messages go when their time is over, the oldest first, and never the others", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: away }, { config: { archive: { keep_days: 7 } } });
  const { romeo, juliet } = stage.actors;
  const ids = await archiveOf(4, romeo, juliet);
  const { archive, fullText } = stage.node;
  await archive.trim(new Date(Date.now() - 7 * 86_400_000), (gone) => fullText.remove(gone));
  assert.deepEqual((await reads(romeo)).ids, ids);
  await archive.trim(new Date(Date.now() + 1_000), (gone) => fullText.remove(gone));
  assert.deepEqual((await reads(romeo)).ids, []);
  await romeo.asks(queryText({ "after-id": ids[0]! }), notFound);
});

test("what nobody has got yet stays when its time is over, and what came behind it: an archive has no holes (§3.2)", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: away });
  const { romeo, juliet } = stage.actors;
  await archiveOf(3, romeo, juliet);
  juliet.sends(chat(romeo.bare, "answer"));
  await romeo.receives(chat(romeo.bare, "answer"));
  const { archive, fullText, waiting } = stage.node;
  const trim = async () => {
    await waiting.flush();
    await archive.trim(new Date(Date.now() + 1_000), (gone) => fullText.remove(gone));
  };
  await trim();
  assert.deepEqual((await reads(romeo)).said, []);
  assert.deepEqual((await reads(juliet)).said, ["w1", "w2", "w3", "answer"]);
  await stage.restarts();
  const back = await stage.login("juliet", away);
  back.sends("<presence/>");
  for (const word of words(1, 3)) await back.receives(chat(back.bare, word));
  await back.receives(`<presence from='${back.full}'/>`);
  await stage.node.waiting.flush();
  await stage.node.archive.trim(new Date(Date.now() + 1_000), (gone) => stage.node.fullText.remove(gone));
  assert.deepEqual((await reads(back)).said, []);
});
