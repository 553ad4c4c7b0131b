/** XEP-0441 preferences, XEP-0431 search, XEP-0424 tombstones, and messages that clients send again (XEP-0359 §3.2). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { NS } from "../../src/xmpp/ns.ts";
import { attr, child, children } from "../../src/xmpp/xml.ts";
import { queryText, reads, rsm, saidIn } from "../support/archive.ts";
import { cast, type Actor } from "../support/cast.ts";
import { world } from "../support/world.ts";

const away = { presence: false } as const;
const chat = (to: string, text: string, more = ""): string =>
  `<message to='${to}' type='chat' id='${text}'><body>${text}</body>${more}</message>`;
const refused = (condition: string): string =>
  `<iq type='error'><error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`;

describe("preferences (XEP-0441)", () => {
  const list = (name: string, jids: readonly string[]) =>
    `<${name}>${jids.map((jid) => `<jid>${jid}</jid>`).join("")}</${name}>`;
  const prefs = (byDefault: string, always: readonly string[] = [], never: readonly string[] = []) =>
    `<prefs xmlns='${NS.archive}' default='${byDefault}'>${list("always", always)}${list("never", never)}</prefs>`;
  const sets = async (actor: Actor, wanted: string): Promise<void> =>
    void (await actor.asks(`<iq type='set'>${wanted}</iq>`, `<iq type='result'>${wanted}</iq>`));

  test("are kept, and answered with", async (t) => {
    await using stage = await cast(t, { romeo: {} });
    const { romeo } = stage.actors;
    const get = `<iq type='get'><prefs xmlns='${NS.archive}'/></iq>`;
    const first = await romeo.asks(get, `<iq type='result'>${prefs("always")}</iq>`);
    assert.deepEqual(
      children(child(first, "prefs", NS.archive)!).map(({ name }) => name),
      ["always", "never"],
    );
    const wanted = prefs("roster", ["juliet@capulet.lit"], ["tybalt@capulet.lit/sword", "paris.lit"]);
    await sets(romeo, wanted);
    await romeo.asks(get, `<iq type='result'>${wanted}</iq>`);
    await stage.restarts();
    const again = await stage.login("romeo");
    await again.asks(get, `<iq type='result'>${wanted}</iq>`);
    // §2.1.2, §2.1.3: a list that is not there is empty.
    await again.asks(
      `<iq type='set'><prefs xmlns='${NS.archive}' default='never'/></iq>`,
      `<iq type='result'>${prefs("never")}</iq>`,
    );
    const bad = (inside: string) => again.asks(`<iq type='set'>${inside}</iq>`, refused("bad-request"));
    await bad(`<prefs xmlns='${NS.archive}'/>`);
    await bad(prefs("sometimes"));
    await again.asks(`<iq type='set'>${prefs("always", ["a@b@c"])}</iq>`, refused("jid-malformed"));
  });

  test("decide what each side archives, by the other's address (§2.2)", async (t) => {
    await using stage = await cast(
      t,
      { romeo: {}, juliet: {}, nurse: {} },
      { friends: [["romeo", "juliet"]] },
    );
    const { romeo, juliet, nurse } = stage.actors;
    const pad = await stage.login("juliet", { resource: "pad" });
    const talks = async (): Promise<(string | undefined)[]> => {
      for (const [who, at] of [
        [juliet, "juliet"],
        [pad, "pad"],
        [nurse, "nurse"],
      ] as const) {
        romeo.sends(chat(who.full, `to ${at}`));
        await who.receives(chat(who.full, `to ${at}`));
        who.sends(chat(romeo.full, `from ${at}`));
        await romeo.receives(chat(romeo.full, `from ${at}`));
      }
      const after = (await reads(romeo, {}, rsm({ max: 250 }))).said.slice(before);
      before += after.length;
      return after;
    };
    let before = 0;
    const [hers, pads, nurses] = ["juliet", "pad", "nurse"].map((who) => [`to ${who}`, `from ${who}`]);
    assert.deepEqual(await talks(), [...hers!, ...pads!, ...nurses!]);
    await sets(romeo, prefs("never"));
    assert.deepEqual(await talks(), []);
    await sets(romeo, prefs("roster"));
    assert.deepEqual(await talks(), [...hers!, ...pads!]);
    await sets(romeo, prefs("roster", [nurse.bare], [pad.full]));
    assert.deepEqual(await talks(), [...hers!, ...nurses!]);
    await sets(romeo, prefs("never", [juliet.full]));
    assert.deepEqual(await talks(), hers);
    await sets(romeo, prefs("always", [juliet.bare], [juliet.bare]));
    assert.deepEqual(await talks(), nurses);
    // The others have their own archives.
    assert.equal((await reads(nurse)).said.length, 12);
  });

  test("do not keep messages from who is away", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: away });
    const { romeo, juliet } = stage.actors;
    await sets(juliet, prefs("never"));
    romeo.sends(chat(juliet.bare, "for now"));
    await romeo.pings();
    assert.deepEqual((await reads(juliet)).said, []);
    juliet.sends("<presence/>");
    await juliet.receives(chat(juliet.bare, "for now"));
    await juliet.receives(`<presence from='${juliet.full}'/>`);
    await juliet.ends();
    // It is nowhere any more.
    await stage.restarts();
    const { store } = stage.node;
    const rows = await store.db.select().from(store.t.messages);
    assert.deepEqual(
      rows.map(({ account }) => account),
      [romeo.bare],
    );
  });
});

describe("search (XEP-0431)", () => {
  const search = (actor: Actor, words: string, fields = {}, extra = "") =>
    reads(actor, { "{urn:xmpp:fulltext:0}fulltext": words, ...fields }, extra);

  test("finds words, in pages, in one's own archive alone", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: away, nurse: away });
    const { romeo, juliet, nurse } = stage.actors;
    const says = (to: Actor, id: string, text: string, more = "") =>
      romeo.sends(`<message to='${to.bare}' type='chat' id='${id}'><body>${text}</body>${more}</message>`);
    says(juliet, "1", "But, soft! what light through yonder window breaks?");
    says(nurse, "2", "Go, counsellor; soft light");
    says(juliet, "3", "Ärger über die Straße");
    says(juliet, "4", "soft", "<encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:omemo:2'/>");
    await romeo.pings();
    const found = async (
      ...query: Parameters<typeof search> extends [unknown, ...infer Rest] ? Rest : never
    ) => (await search(romeo, ...query)).messages.map((message) => attr(message, "id"));
    assert.deepEqual(await found("soft"), ["1", "2"]);
    assert.deepEqual(await found("SOFT light"), ["1", "2"]);
    assert.deepEqual(await found("light window"), ["1"]);
    assert.deepEqual(await found("win"), ["1"]);
    assert.deepEqual(await found("arger"), ["3"]);
    assert.deepEqual(await found("romeo"), []);
    assert.deepEqual(await found("soft", { with: nurse.bare }), ["2"]);
    for (const special of [
      '"',
      "soft OR",
      "soft*",
      "NEAR(",
      "account:x",
      "-soft",
      "...",
      "body : soft",
      "' OR 1=1",
    ])
      await search(romeo, special);
    const page = await search(romeo, "soft", {}, rsm({ max: 1 }));
    assert.deepEqual([page.messages.map((one) => attr(one, "id")), page.complete], [["1"], false]);
    const next = await search(romeo, "soft", {}, rsm({ max: 1, after: page.last! }));
    assert.deepEqual([next.messages.map((one) => attr(one, "id")), next.complete], [["2"], true]);
    const last = await search(romeo, "soft", {}, rsm({ max: 1, before: "" }));
    assert.deepEqual([last.messages.map((one) => attr(one, "id")), last.complete], [["2"], false]);
    assert.equal((await search(romeo, "soft", {}, rsm({ max: 0 }))).count, "2");
    assert.deepEqual((await search(juliet, "counsellor")).ids, []);
    assert.deepEqual((await search(nurse, "counsellor")).said, ["Go, counsellor; soft light"]);
    // No words: as if the field were not there.
    assert.equal((await search(romeo, "  ")).ids.length, 4);
  });

  test("finds words of scripts that put nothing between them", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: away });
    const { romeo, juliet } = stage.actors;
    const said = [
      "罗密欧与朱丽叶",
      "ジュリエットはバルコニーにいる",
      "โรมิโอกับจูเลียต",
      "로미오와 줄리엣",
      "👋 adieu",
    ];
    for (const one of said) romeo.sends(chat(juliet.bare, one));
    await romeo.pings();
    const found = async (words: string) => (await search(romeo, words)).said;
    assert.deepEqual(await found("朱丽叶"), [said[0]]);
    assert.deepEqual(await found("丽朱"), []);
    assert.deepEqual(await found("バルコニー"), [said[1]]);
    assert.deepEqual(await found("จูเลียต"), [said[2]]);
    assert.deepEqual(await found("로미오 줄리"), [said[3]]);
    assert.deepEqual(await found("👋 adieu"), [said[4]]);
    assert.deepEqual(await found("👋"), []);
  });

  test("goes on behind a restart, and forgets what goes", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: away });
    const { romeo, juliet } = stage.actors;
    romeo.sends(chat(juliet.bare, "nightingale"));
    assert.deepEqual((await search(romeo, "nightingale")).said, ["nightingale"]);
    await stage.restarts();
    const again = await stage.login("romeo");
    again.sends(chat(juliet.bare, "lark"));
    assert.deepEqual((await search(again, "lark")).said, ["lark"]);
    assert.deepEqual((await search(again, "nightingale")).said, ["nightingale"]);
  });
});

describe("a retraction (XEP-0424)", () => {
  const retract = (to: string, id: string, by: string): string =>
    `<message to='${to}' type='chat' id='${by}'><retract xmlns='${NS.retract}' id='${id}'/>
      <fallback xmlns='urn:xmpp:fallback:0' for='${NS.retract}'/><body>took it back</body>
      <store xmlns='urn:xmpp:hints'/></message>`;

  test("leaves a tombstone in both archives, under the same id, and stays itself (§5)", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: {} });
    const { romeo, juliet } = stage.actors;
    const origin = `<origin-id xmlns='${NS.stanzaIds}' id='wrong'/><thing xmlns='urn:example:thing'/>`;
    romeo.sends(chat(juliet.full, "wrong", origin));
    await juliet.receives(chat(juliet.full, "wrong"));
    const before = [await reads(romeo), await reads(juliet)];
    romeo.sends(retract(juliet.full, "wrong", "r1"));
    await juliet.receives(`<message id='r1'><retract xmlns='${NS.retract}' id='wrong'/></message>`);
    await stage.settle();
    for (const [at, actor] of [romeo, juliet].entries()) {
      const { ids, messages, results } = await reads(actor);
      assert.equal(ids[0], before[at]!.ids[0]);
      const [stone, retraction] = messages;
      const stamp = (one: typeof results) =>
        attr(child(child(one[0]!, "forwarded", NS.forward)!, "delay", NS.delay)!, "stamp");
      assert.equal(stamp(results), stamp(before[at]!.results));
      assert.deepEqual(
        [attr(stone!, "from"), attr(stone!, "to"), attr(stone!, "id"), attr(stone!, "type")],
        [romeo.full, juliet.full, "wrong", "chat"],
      );
      assert.deepEqual(
        children(stone!)
          .map(({ name }) => name)
          .sort(),
        ["origin-id", "retracted", "stanza-id"],
      );
      const retracted = child(stone!, "retracted", NS.retract)!;
      assert.equal(attr(retracted, "id"), "r1");
      assert(Date.parse(attr(retracted, "stamp")!) <= Date.now());
      assert.equal(attr(retraction!, "id"), "r1");
      // Nobody finds what it said.
      const found = await reads(actor, { "{urn:xmpp:fulltext:0}fulltext": "wrong" });
      assert.deepEqual(found.ids, []);
    }
  });

  test("takes back what its author wrote to the same person, and nothing else", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: {}, tybalt: {} });
    const { romeo, juliet, tybalt } = stage.actors;
    romeo.sends(chat(juliet.bare, "same"));
    await juliet.receives(chat(juliet.bare, "same"));
    // Somebody else, the other side of the conversation, and what is not there.
    tybalt.sends(retract(juliet.bare, "same", "r1"));
    juliet.sends(retract(romeo.bare, "same", "r2"));
    romeo.sends(retract(juliet.bare, "other", "r3"));
    await juliet.receives("<message id='r1'/>");
    await romeo.receives("<message id='r2'/>");
    await juliet.receives("<message id='r3'/>");
    await stage.settle();
    for (const actor of [romeo, juliet]) assert.equal((await reads(actor)).said[0], "same");
    // Another client of the same account may.
    const pad = await stage.login("romeo", { resource: "pad", presence: false });
    pad.sends(retract(juliet.bare, "same", "r4"));
    await juliet.receives("<message id='r4'/>");
    await stage.settle();
    for (const actor of [romeo, juliet]) assert.equal((await reads(actor)).said[0], undefined);
  });

  test("reaches who was away before what it takes back", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: away });
    const { romeo, juliet } = stage.actors;
    romeo.sends(chat(juliet.bare, "hasty") + retract(juliet.bare, "hasty", "r1"));
    await stage.settle();
    juliet.sends("<presence/>");
    const stone = await juliet.receives("<message id='hasty'/>");
    assert.equal(child(stone, "body"), undefined);
    await juliet.receives("<message id='r1'/>");
    await juliet.receives(`<presence from='${juliet.full}'/>`);
  });
});

describe("a message that comes again", () => {
  const origin = (id: string) => `<origin-id xmlns='${NS.stanzaIds}' id='${id}'/>`;

  test("on another stream is handled once", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: {} });
    const { romeo, juliet } = stage.actors;
    const messages = Array.from({ length: 5 }, (_, at) => chat(juliet.bare, `m${at}`, origin(`m${at}`)));
    romeo.sends(messages.join(""));
    for (let at = 0; at < 5; at += 1) await juliet.receives(chat(juliet.bare, `m${at}`));
    await romeo.kill();
    const again = await stage.login("romeo", { resource: "pad" });
    again.sends([...messages.slice(2), chat(juliet.bare, "m5", origin("m5"))].join(""));
    await juliet.receivesNext(chat(juliet.bare, "m5"));
    await juliet.receivesNothing();
    const all = ["m0", "m1", "m2", "m3", "m4", "m5"];
    assert.deepEqual((await reads(again)).said, all);
    assert.deepEqual((await reads(juliet)).said, all);
    await stage.restarts();
    const [third, reader] = [await stage.login("romeo"), await stage.login("juliet")];
    third.sends(messages[4]!);
    await third.pings();
    await reader.receivesNothing();
  });

  test("is not said again where it was taken back", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: {} });
    const { romeo, juliet } = stage.actors;
    const regretted =
      chat(juliet.bare, "hasty", origin("hasty")) +
      `<message to='${juliet.bare}' type='chat' id='r1'><retract xmlns='${NS.retract}' id='hasty'/>${origin("r1")}</message>`;
    romeo.sends(regretted);
    await juliet.receives("<message id='hasty'/>");
    await juliet.receives("<message id='r1'/>");
    await stage.settle();
    await romeo.kill();
    const again = await stage.login("romeo", { resource: "pad" });
    again.sends(regretted);
    await again.pings();
    await juliet.receivesNothing();
    for (const actor of [again, juliet]) assert.deepEqual((await reads(actor)).said, [undefined, undefined]);
  });

  test("is another one where it says something else, or to somebody else, or bears no id of its own", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: {}, nurse: {} });
    const { romeo, juliet, nurse } = stage.actors;
    const first = chat(juliet.bare, "x", origin("x"));
    romeo.sends(first + first.replace(">x<", ">y<") + first.replace(juliet.bare, nurse.bare) + first);
    assert.equal(saidIn(await juliet.receivesNext("<message/>")), "x");
    assert.equal(saidIn(await juliet.receivesNext("<message/>")), "y");
    assert.equal(saidIn(await nurse.receivesNext("<message/>")), "x");
    await juliet.receivesNothing();
    romeo.sends(chat(juliet.bare, "z").repeat(2));
    for (let at = 0; at < 2; at += 1) assert.equal(saidIn(await juliet.receivesNext("<message/>")), "z");
  });

  test("goes to another server once", async (t) => {
    await using verona = await world(t, { capulet: { juliet: {} }, montague: { romeo: {} } });
    const { juliet, romeo } = verona.actors;
    const message = chat(juliet.bare, "once", origin("once"));
    romeo.sends(message + message);
    await juliet.receives(chat(juliet.bare, "once"));
    await romeo.pings();
    romeo.sends(chat(juliet.bare, "twice"));
    await juliet.receivesNext(chat(juliet.bare, "twice"));
    assert.deepEqual((await reads(romeo)).said, ["once", "twice"]);
  });
});

test("what is written to a room is in no archive of a person, and may be asked for all the same", async (t) => {
  await using stage = await cast(t, { romeo: {} });
  const { romeo } = stage.actors;
  romeo.sends(`<message to='room@rooms.elsewhere.example' type='groupchat'><body>all</body></message>`);
  await romeo.receives("<message type='error'><error/></message>");
  assert.deepEqual((await reads(romeo, { "include-groupchat": "true" })).said, []);
  await romeo.asks(queryText({ "include-groupchat": "perhaps" }), refused("not-acceptable"));
});
