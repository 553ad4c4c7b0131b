/** RFC 6121 §2: managing the roster. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { attr, children, type Element } from "../../src/xmpp/xml.ts";
import { cast, type Actor } from "../support/cast.ts";

const friends = [
  ["juliet", "romeo"],
  ["juliet", "nurse"],
] as const;
const stanzas = "urn:ietf:params:xml:ns:xmpp-stanzas";
const get = (ver?: string) =>
  `<iq type='get'><query xmlns='jabber:iq:roster'${ver === undefined ? "" : ` ver='${ver}'`}/></iq>`;
const set = (items: string) => `<iq type='set'><query xmlns='jabber:iq:roster'>${items}</query></iq>`;
const pushed = (items: string) =>
  `<iq type='set'><query xmlns='jabber:iq:roster' ver='{any}'>${items}</query></iq>`;
const result = "<iq type='result'/>";
const error = (type: string, condition: string) =>
  `<iq type='error'><error type='${type}'><${condition} xmlns='${stanzas}'/></error></iq>`;

const queryOf = (iq: Element): Element | undefined => children(iq)[0];
const verOf = (iq: Element): number => Number(attr(queryOf(iq)!, "ver"));
const jidsOf = (iq: Element): (string | undefined)[] =>
  children(queryOf(iq)!).map((item) => attr(item, "jid"));

/** Becomes an interested resource (§2.2), and returns the roster. */
const interest = (actor: Actor): Promise<Element> =>
  actor.asks(get(), `<iq type='result'><query xmlns='jabber:iq:roster'/></iq>`);

test("a new roster is empty and has a version", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  const reply = await interest(juliet);
  assert.equal(attr(queryOf(reply)!, "ver"), "0");
  assert.deepEqual(children(queryOf(reply)!), []);
  await juliet.asks(`<iq type='get' to='${juliet.bare}'><query xmlns='jabber:iq:roster'/></iq>`, result);
});

test("an item is added, changed and removed, and every interested resource is told", async (t) => {
  await using stage = await cast(t, { juliet: { resource: "balcony" } });
  const { juliet } = stage.actors;
  const chamber = await stage.login("juliet", { resource: "chamber", presence: false });
  const silent = await stage.login("juliet", { resource: "silent" });
  await interest(juliet);
  await interest(chamber);
  const versions: number[] = [];
  const both = async (item: string) => {
    for (const actor of [juliet, chamber]) {
      const push = await actor.receives(pushed(item));
      assert.equal(attr(push, "to"), actor.full);
      assert.equal(attr(push, "from") ?? juliet.bare, juliet.bare);
      assert.equal(children(queryOf(push)!).length, 1);
      actor.answers(push);
      if (actor === juliet) versions.push(verOf(push));
    }
  };
  const nurse = stage.bare("nurse");

  await juliet.asks(set(`<item jid='${nurse}' name='Nurse'><group>Servants</group></item>`), result);
  await both(
    `<item jid='${nurse}' name='Nurse' subscription='none' ask='{none}'><group>Servants</group></item>`,
  );

  // §2.4.1: an item is replaced as a whole; §2.1.2: what the client says of the subscription is ignored.
  await chamber.asks(
    set(`<item jid='NURSE@${stage.domain}' subscription='both' ask='subscribe' approved='true'>
           <group>Friends</group><group>Servants</group></item>`),
    result,
  );
  await both(
    `<item jid='${nurse}' name='{none}' subscription='none' ask='{none}' approved='{none}'>
       <group>Friends</group><group>Servants</group></item>`,
  );
  await juliet.asks(set(`<item jid='${nurse}'/>`), result);
  await both(`<item jid='${nurse}' subscription='none'/>`);
  assert.equal(children(children(queryOf(await interest(juliet))!)[0]!).length, 0, "no group is left");

  await juliet.asks(set(`<item jid='${nurse}' subscription='remove'/>`), result);
  await both(`<item jid='${nurse}' subscription='remove'/>`);
  assert.deepEqual(jidsOf(await interest(juliet)), []);
  assert.deepEqual(
    versions,
    [...new Set(versions)].sort((a, b) => a - b),
    "each push has a greater version",
  );
  await silent.receivesNothing();
});

test("items may be full addresses, domains, and in any script", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  for (const jid of ["conference.example.org", "romeo@example.net/orchard", "рома@пример.рф"])
    await juliet.asks(
      set(`<item jid='${jid}' name='&lt;&amp;&quot;💌'><group>Ὀδυσσεύς</group></item>`),
      result,
    );
  const reply = await interest(juliet);
  assert.deepEqual(jidsOf(reply), ["conference.example.org", "romeo@example.net/orchard", "рома@пример.рф"]);
  for (const item of children(queryOf(reply)!)) assert.equal(attr(item, "name"), '<&"💌');
});

const nurse = "nurse@pipit.test";
const many = Array.from({ length: 51 }, (_, n) => `<group>${n}</group>`).join("");
for (const [what, items, expected] of [
  ["no item", "", error("modify", "bad-request")],
  ["two items", `<item jid='${nurse}'/><item jid='a@b.example'/>`, error("modify", "bad-request")],
  ["something else", `<contact xmlns='urn:example' jid='${nurse}'/>`, error("modify", "bad-request")],
  ["an item without a jid", "<item name='Nurse'/>", error("modify", "bad-request")],
  ["an item with a bad jid", "<item jid='nurse@@pipit.test'/>", error("modify", "jid-malformed")],
  [
    "a group twice",
    `<item jid='${nurse}'><group>A</group><group>A</group></item>`,
    error("modify", "bad-request"),
  ],
  ["an empty group", `<item jid='${nurse}'><group/></item>`, error("modify", "not-acceptable")],
  [
    "a very long name",
    `<item jid='${nurse}' name='${"x".repeat(1_024)}'/>`,
    error("modify", "not-acceptable"),
  ],
  [
    "a very long group",
    `<item jid='${nurse}'><group>${"x".repeat(1_024)}</group></item>`,
    error("modify", "not-acceptable"),
  ],
  ["too many groups", `<item jid='${nurse}'>${many}</item>`, error("modify", "not-acceptable")],
  [
    "the removal of who is not there",
    `<item jid='${nurse}' subscription='remove'/>`,
    error("cancel", "item-not-found"),
  ],
] as const) {
  test(`a roster set with ${what} is refused and changes nothing (§2.3.3, §2.5.3)`, async (t) => {
    await using stage = await cast(t, { juliet: {} });
    const { juliet } = stage.actors;
    await interest(juliet);
    await juliet.asks(set(items), expected);
    assert.deepEqual(jidsOf(await interest(juliet)), []);
    await juliet.receivesNothing();
  });
}

test("nobody reads or changes another's roster, or learns from that who is there (§2.1.5)", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} }, { friends: [["juliet", "romeo"]] });
  const { juliet, romeo } = stage.actors;
  await interest(romeo);
  for (const owner of [romeo.bare, stage.bare("nobody")]) {
    await juliet.asks(
      `<iq type='set' to='${owner}'><query xmlns='jabber:iq:roster'><item jid='${juliet.bare}'/></query></iq>`,
      error("auth", "forbidden"),
    );
    await juliet.asks(
      `<iq type='get' to='${owner}'><query xmlns='jabber:iq:roster'/></iq>`,
      error("auth", "forbidden"),
    );
  }
  await romeo.receivesNothing();
});

test("a removed contact is unsubscribed, both ways, and sees nobody any more (§2.5.2)", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {}, nurse: {} }, { friends });
  const { juliet, romeo, nurse } = stage.actors;
  const chamber = await stage.login("juliet", { resource: "chamber" });
  await interest(juliet);
  await interest(romeo);
  await juliet.asks(set(`<item jid='${romeo.bare}' subscription='remove'/>`), result);

  await romeo.receives(`<presence type='unsubscribe' from='${juliet.bare}' to='${romeo.bare}'/>`);
  await romeo.receives(pushed(`<item jid='${juliet.bare}' subscription='to'/>`));
  // §3.2.2: unavailable while the contact still believes it.
  await romeo.receivesNext(`<presence type='unavailable' from='${juliet.full}'/>`);
  await romeo.receivesNext(`<presence type='unavailable' from='${chamber.full}'/>`);
  await romeo.receivesNext(`<presence type='unsubscribed' from='${juliet.bare}' to='${romeo.bare}'/>`);
  await romeo.receivesNext(pushed(`<item jid='${juliet.bare}' subscription='none'/>`));

  await juliet.receives(pushed(`<item jid='${romeo.bare}' subscription='remove'/>`));
  for (const actor of [juliet, chamber])
    await actor.receives(`<presence type='unavailable' from='${romeo.full}'/>`);
  await juliet.receivesNothing();
  await chamber.receivesNothing();
  // Directed, not broadcast: for others Juliet is as available as before.
  await nurse.receivesNothing();
  romeo.sends("<presence><show>away</show></presence>");
  await romeo.receives(`<presence from='${romeo.full}'/>`);
  await juliet.receivesNothing();
});

test("a removal withdraws a request, and refuses one", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} });
  const { juliet, romeo } = stage.actors;
  await interest(juliet);
  await interest(romeo);
  juliet.sends(`<presence type='subscribe' to='${romeo.bare}'/>`);
  await juliet.receives(pushed(`<item jid='${romeo.bare}' ask='subscribe'/>`));
  await romeo.receives("<presence type='subscribe'/>");
  romeo.sends(`<presence type='subscribe' to='${juliet.bare}'/>`);
  await romeo.receives(pushed(`<item jid='${juliet.bare}' ask='subscribe'/>`));
  await juliet.receives("<presence type='subscribe'/>");
  await juliet.asks(set(`<item jid='${romeo.bare}' subscription='remove'/>`), result);
  await juliet.receives(pushed(`<item jid='${romeo.bare}' subscription='remove'/>`));
  await romeo.receives(`<presence type='unsubscribe' from='${juliet.bare}'/>`);
  await romeo.receives(`<presence type='unsubscribed' from='${juliet.bare}'/>`);
  await romeo.receives(pushed(`<item jid='${juliet.bare}' subscription='none' ask='{none}'/>`));
  const again = await stage.login("juliet", { resource: "again", presence: false });
  again.sends("<presence/>");
  await again.receives(`<presence from='${again.full}'/>`);
  await juliet.receives(`<presence from='${again.full}'/>`);
  await again.receives(`<presence from='${juliet.full}'/>`);
  await again.receivesNothing();
});

test("who has the current version gets an empty result and no pushes (§2.6.3)", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  const fresh = await juliet.asks(get(""), "<iq type='result'><query xmlns='jabber:iq:roster'/></iq>");
  const same = await juliet.asks(get(String(verOf(fresh))), result);
  assert.equal(queryOf(same), undefined);
  await juliet.asks(set(`<item jid='${nurse}'/>`), result);
  const { ver } = queryOf(await juliet.receives(pushed(`<item jid='${nurse}'/>`)))!.attrs as { ver: string };
  assert.equal(queryOf(await juliet.asks(get(ver), result)), undefined);
});

test("who has an older version gets an empty result, then the changes in their order", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  for (const name of ["a", "b", "c", "d", "e"])
    await juliet.asks(set(`<item jid='${name}@example.org'/>`), result);
  const ver = verOf(await interest(juliet));
  const chamber = await stage.login("juliet", { resource: "chamber", presence: false });
  await chamber.asks(set("<item jid='b@example.org' name='first'/>"), result);
  await chamber.asks(set("<item jid='c@example.org' subscription='remove'/>"), result);
  await chamber.asks(set("<item jid='b@example.org' name='last'/>"), result);
  for (let n = 0; n < 3; n += 1) await juliet.receives(pushed("<item/>"));

  chamber.sends(`<iq type='get' id='r'><query xmlns='jabber:iq:roster' ver='${ver}'/></iq>`);
  const reply = await chamber.receivesNext("<iq type='result' id='r'/>");
  assert.deepEqual(children(reply), []);
  const first = await chamber.receivesNext(pushed("<item jid='c@example.org' subscription='remove'/>"));
  const second = await chamber.receivesNext(pushed("<item jid='b@example.org' name='last'/>"));
  assert.ok(ver < verOf(first) && verOf(first) < verOf(second));
  await chamber.receivesNothing();
  await juliet.receivesNothing();

  // From then on it is an interested resource like any other.
  await chamber.asks(set("<item jid='f@example.org'/>"), result);
  await chamber.receives(pushed("<item jid='f@example.org'/>"));
  await juliet.receives(pushed("<item jid='f@example.org'/>"));
});

for (const ver of ["17", "99999999999999999999", "-1", "1.5", "0x1", "a hash of another server", " "]) {
  test(`a version that is not of this roster gets all of it: "${ver}"`, async (t) => {
    await using stage = await cast(t, { juliet: {} });
    const { juliet } = stage.actors;
    await juliet.asks(set(`<item jid='${nurse}'/>`), result);
    assert.deepEqual(
      jidsOf(await juliet.asks(get(ver), "<iq type='result'><query xmlns='jabber:iq:roster' ver='1'/></iq>")),
      [nurse],
    );
    await juliet.receivesNothing();
  });
}

test("where more has changed than there is, all is sent at once", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  for (const name of ["a", "b", "c"]) await juliet.asks(set(`<item jid='${name}@example.org'/>`), result);
  for (const name of ["a", "b"])
    await juliet.asks(set(`<item jid='${name}@example.org' subscription='remove'/>`), result);
  assert.deepEqual(jidsOf(await juliet.asks(get("3"), result)), ["c@example.org"]);
  await juliet.receivesNothing();
});

test("roster, versions and requests outlive a restart", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} });
  const { juliet, romeo } = stage.actors;
  await juliet.asks(set(`<item jid='${nurse}' name='Nurse'><group>Servants</group></item>`), result);
  romeo.sends(`<presence type='subscribe' to='${juliet.bare}'><status>It is my lady</status></presence>`);
  await juliet.receives("<presence type='subscribe'/>");
  await stage.restarts();
  const again = await stage.login("juliet", { presence: false });
  const reply = await interest(again);
  assert.equal(verOf(reply), 1);
  assert.deepEqual(jidsOf(reply), [nurse]);
  again.sends("<presence/>");
  await again.receives(`<presence from='${again.full}'/>`);
  await again.receives(
    `<presence type='subscribe' from='${romeo.bare}'><status>It is my lady</status></presence>`,
  );
});

test("clients that change and get the roster at once agree on what is in it", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  const chamber = await stage.login("juliet", { resource: "chamber", presence: false });
  const late = await stage.login("juliet", { resource: "late", presence: false });
  await interest(juliet);
  await interest(chamber);
  const count = 40;
  for (let n = 0; n < count; n += 1) {
    for (const actor of [juliet, chamber])
      actor.sends(
        set(`<item jid='${n % 5}@example.org' name='${actor.full} ${n}'/>`).replace("<iq", `<iq id='${n}'`),
      );
    if (n === count / 2) late.sends(get().replace("<iq", "<iq id='roster'"));
  }
  /** What a client knows that had a roster of that version, once it has heard of all changes since. */
  const follow = async (actor: Actor, roster: Map<string, string>, version: number) => {
    for (let next = version + 1; next <= 2 * count; next += 1) {
      const push = await actor.receives(pushed("<item/>"));
      assert.equal(verOf(push), next, "pushes come in the order of versions, and none is left out");
      note(roster, push);
    }
    return roster;
  };
  const note = (roster: Map<string, string>, iq: Element): Map<string, string> => {
    for (const item of children(queryOf(iq)!)) roster.set(attr(item, "jid")!, attr(item, "name")!);
    return roster;
  };
  const first = await late.receivesNext("<iq type='result' id='roster'/>");
  const known = await follow(juliet, new Map(), 0);
  assert.deepEqual(await follow(chamber, new Map(), 0), known);
  assert.deepEqual(await follow(late, note(new Map(), first), verOf(first)), known);
  assert.deepEqual(note(new Map(), await interest(juliet)), known);
  for (const actor of [juliet, chamber])
    for (let n = 0; n < count; n += 1) await actor.receives(`<iq type='result' id='${n}'/>`);
});
