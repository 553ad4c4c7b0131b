/** RFC 6121 §4: exchanging presence information. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { attr, child, childText } from "../../src/xmpp/xml.ts";
import { cast, type Actor } from "../support/cast.ts";
import { readElement } from "../support/reader.ts";

const silent = { presence: false } as const;
const stanzas = "urn:ietf:params:xml:ns:xmpp-stanzas";
const refused = (type: string, condition: string) =>
  `<presence type='error'><error type='${type}'><${condition} xmlns='${stanzas}'/></error></presence>`;

/** Romeo sees Juliet's presence, and she does not see his. */
async function admire(romeo: Actor, juliet: Actor): Promise<void> {
  romeo.sends(`<presence type='subscribe' to='${juliet.bare}'/>`);
  await romeo.pings();
  juliet.sends(`<presence type='subscribed' to='${romeo.bare}'/>`);
  await juliet.pings();
}

test("initial presence goes to subscribers and own resources, and is asked of contacts (§4.2, §4.3)", async (t) => {
  await using stage = await cast(t, { romeo: silent, juliet: silent, nurse: {} });
  const { romeo, juliet, nurse } = stage.actors;
  const orchard = await stage.login("romeo", { resource: "orchard", presence: false });
  await admire(romeo, juliet);

  romeo.sends("<presence><show>chat</show></presence>");
  await romeo.receivesNext(`<presence from='${romeo.full}' to='${romeo.bare}'><show>chat</show></presence>`);
  await romeo.receivesNext(`<presence type='unavailable' from='${juliet.bare}' to='${romeo.full}'/>`);
  orchard.sends("<presence/>");
  await orchard.receives(`<presence from='${orchard.full}'/>`);
  await orchard.receives(`<presence from='${romeo.full}'><show>chat</show></presence>`);
  await orchard.receives(`<presence type='unavailable' from='${juliet.bare}' to='${orchard.full}'/>`);
  await romeo.receives(`<presence from='${orchard.full}'/>`);

  const inside = "<x xmlns='vcard-temp:x:update'><photo/></x>";
  juliet.sends(`<presence id='1' xml:lang='it'>${inside}</presence>`);
  await juliet.receives(`<presence from='${juliet.full}' id='1'/>`);
  for (const actor of [romeo, orchard])
    await actor.receives(`<presence from='${juliet.full}' to='${romeo.bare}' id='1'>${inside}</presence>`);

  // Whoever comes later is answered with what Juliet said last, as she said it.
  const late = await stage.login("romeo", { resource: "late", presence: false });
  late.sends("<presence/>");
  await late.receives(
    `<presence from='${juliet.full}' to='${late.full}' id='1' xml:lang='it'>${inside}</presence>`,
  );
  await late.receives(`<presence from='${late.full}'/>`);
  await late.receives(`<presence from='${romeo.full}'><show>chat</show></presence>`);
  await late.receives(`<presence from='${orchard.full}'/>`);
  for (const actor of [romeo, orchard]) await actor.receives(`<presence from='${late.full}'/>`);
  for (const actor of [juliet, nurse, late]) await actor.receivesNothing();
});

test("further presence is broadcast, and asks nobody (§4.4)", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: {} }, { friends: [["romeo", "juliet"]] });
  const { romeo, juliet } = stage.actors;
  const chamber = await stage.login("juliet", { resource: "chamber" });
  const shown = "<show>away</show><status>be right back</status><priority>7</priority>";
  juliet.sends(`<presence>${shown}</presence>`);
  for (const actor of [romeo, juliet, chamber])
    await actor.receivesNext(`<presence from='${juliet.full}' to='${actor.bare}'>${shown}</presence>`);
  for (const actor of [romeo, juliet, chamber]) await actor.receivesNothing();
});

test("unavailable presence is told to all who saw the resource, and to itself (§4.5)", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: {} }, { friends: [["romeo", "juliet"]] });
  const { romeo, juliet } = stage.actors;
  const chamber = await stage.login("juliet", { resource: "chamber" });
  juliet.sends("<presence type='unavailable'><status>gone home</status></presence>");
  for (const actor of [romeo, juliet, chamber])
    await actor.receives(
      `<presence type='unavailable' from='${juliet.full}'><status>gone home</status></presence>`,
    );
  // From then on the resource hears of nobody, and is asked nothing; told once more, it is no news.
  romeo.sends("<presence><show>dnd</show></presence>");
  await romeo.receives("<presence><show>dnd</show></presence>");
  await chamber.receives("<presence><show>dnd</show></presence>");
  juliet.sends("<presence type='unavailable'/>");
  await juliet.receivesNothing();
  await romeo.receivesNothing();
  // And it may come back, as if for the first time.
  juliet.sends("<presence/>");
  await juliet.receives(`<presence from='${juliet.full}'/>`);
  await juliet.receives(`<presence from='${chamber.full}'/>`);
  await juliet.receives(`<presence from='${romeo.full}'><show>dnd</show></presence>`);
  for (const actor of [romeo, chamber]) await actor.receives(`<presence from='${juliet.full}'/>`);
});

for (const [how, leave] of [
  ["closes the stream", (actor: Actor) => actor.ends()],
  ["loses the connection", (actor: Actor) => actor.kill()],
] as const) {
  test(`a client that ${how} is gone for everybody, once (§4.5.2, §4.6.3)`, async (t) => {
    await using stage = await cast(
      t,
      { romeo: {}, juliet: {}, nurse: {}, paris: {} },
      { friends: [["romeo", "juliet"]] },
    );
    const { romeo, juliet, nurse, paris } = stage.actors;
    // The friend is greeted by name too, and must not hear it twice for that.
    for (const to of [nurse.full, nurse.bare, romeo.full]) juliet.sends(`<presence to='${to}'/>`);
    juliet.sends(`<presence to='${paris.bare}'/><presence type='unavailable' to='${paris.bare}'/>`);
    await nurse.receives(`<presence from='${juliet.full}' to='${nurse.full}'/>`);
    await nurse.receives(`<presence from='${juliet.full}' to='${nurse.bare}'/>`);
    await romeo.receives(`<presence from='${juliet.full}' to='${romeo.full}'/>`);
    await paris.receives(`<presence from='${juliet.full}'/>`);
    await paris.receives(`<presence type='unavailable' from='${juliet.full}'/>`);
    await leave(juliet);
    await romeo.receives(`<presence type='unavailable' from='${juliet.full}' to='${romeo.bare}'/>`);
    for (const to of [nurse.full, nurse.bare])
      await nurse.receives(`<presence type='unavailable' from='${juliet.full}' to='${to}'/>`);
    for (const actor of [romeo, nurse, paris]) await actor.receivesNothing();
  });
}

test("directed presence reaches who it is for, and nobody hears of it again but its end (§4.6)", async (t) => {
  await using stage = await cast(t, { romeo: silent, juliet: {} });
  const { romeo, juliet } = stage.actors;
  // Also from a resource that is not available to anybody else.
  romeo.sends(`<presence to='${juliet.full}'><status>hark</status></presence>`);
  await juliet.receives(
    `<presence from='${romeo.full}' to='${juliet.full}'><status>hark</status></presence>`,
  );
  romeo.sends("<presence/>");
  romeo.sends("<presence><show>away</show></presence>");
  await romeo.receives(`<presence from='${romeo.full}'/>`);
  await romeo.receives("<presence><show>away</show></presence>");
  await juliet.receivesNothing();
  romeo.sends("<presence type='unavailable'><status>adieu</status></presence>");
  await romeo.receives("<presence type='unavailable'/>");
  await juliet.receives(
    `<presence type='unavailable' from='${romeo.full}' to='${juliet.full}'><status>adieu</status></presence>`,
  );
  await romeo.ends();
  await juliet.receivesNothing();
});

test("directed presence is bounded", async (t) => {
  await using stage = await cast(t, { romeo: silent });
  const { romeo } = stage.actors;
  for (let n = 0; n < 500; n += 1) romeo.sends(`<presence to='nobody${n}@${stage.domain}'/>`);
  romeo.sends(`<presence to='nobody7@${stage.domain}'/>`);
  await romeo.receivesNothing();
  romeo.sends(`<presence to='one.more@${stage.domain}'/>`);
  await romeo.receives(refused("wait", "resource-constraint"));
  romeo.sends(
    `<presence to='nobody7@${stage.domain}' type='unavailable'/><presence to='one.more@${stage.domain}'/>`,
  );
  await romeo.receivesNothing();
});

for (const priority of ["-128", "-1", "0", "+5", "127", " 7\n", "007"]) {
  test(`a priority of "${priority}" is one (§4.7.2.3)`, async (t) => {
    await using stage = await cast(t, { juliet: silent });
    const { juliet } = stage.actors;
    juliet.sends(`<presence><priority>${priority}</priority></presence>`);
    await juliet.receives(`<presence from='${juliet.full}'/>`);
    const [available] = stage.node.sessions.availableOf(juliet.bare);
    assert.equal(available?.available?.priority, Number(priority));
  });
}

for (const inside of [
  ...["-129", "128", "1.5", "", "high", "1e1", "0x1"].map((value) => `<priority>${value}</priority>`),
  "<priority>1</priority><priority>2</priority>",
]) {
  test(`presence with ${inside} is refused, and is no presence`, async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: silent }, { friends: [["romeo", "juliet"]] });
    const { romeo, juliet } = stage.actors;
    juliet.sends(`<presence id='p'>${inside}</presence>`);
    const error = await juliet.receives(refused("modify", "bad-request"));
    assert.equal(attr(error, "id"), "p");
    await romeo.receivesNothing();
    assert.deepEqual(stage.node.sessions.availableOf(juliet.bare), []);
  });
}

test("presence of a type that there is not, or that is for nobody, is refused (§4.7.1)", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: {} }, { friends: [["romeo", "juliet"]] });
  const { romeo, juliet } = stage.actors;
  for (const attrs of [
    "type='away'",
    "type=''",
    "type='available'",
    `type='away' to='${romeo.bare}'`,
    "type='probe'",
  ]) {
    juliet.sends(`<presence ${attrs}/>`);
    await juliet.receives(refused("modify", "bad-request"));
  }
  juliet.sends("<presence type='error'/>");
  await juliet.receivesNothing();
  await romeo.receivesNothing();
});

test("who is offline is shown as such, with when and how they left (§4.3.2)", async (t) => {
  await using stage = await cast(t, { romeo: silent, juliet: {} }, { friends: [["romeo", "juliet"]] });
  const { romeo, juliet } = stage.actors;
  const chamber = await stage.login("juliet", { resource: "chamber" });
  const before = Date.now();
  juliet.sends("<presence type='unavailable'><status>not this one</status></presence>");
  await juliet.receives("<presence type='unavailable'/>");
  await chamber.receives("<presence type='unavailable'/>");
  chamber.sends("<presence type='unavailable'><status>good night</status></presence>");
  await chamber.receives("<presence type='unavailable'/>");
  await chamber.ends();
  await juliet.ends();
  await stage.settle();
  const after = Date.now();
  const check = async (actor: Actor) => {
    actor.sends("<presence/>");
    await actor.receives(`<presence from='${actor.full}'/>`);
    const told = await actor.receives(
      `<presence type='unavailable' from='${juliet.bare}' to='${actor.full}'>
         <status>good night</status><delay xmlns='urn:xmpp:delay' from='${juliet.bare}' stamp='{any}'/></presence>`,
    );
    const stamp = Date.parse(attr(child(told, "delay", "urn:xmpp:delay")!, "stamp")!);
    assert.ok(before <= stamp && stamp <= after, `${before} <= ${stamp} <= ${after}`);
    await actor.receivesNothing();
  };
  await check(romeo);
  await stage.restarts();
  await check(await stage.login("romeo", silent));
});

test("a probe is answered to subscribers only (§4.3.2)", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: {}, paris: {} });
  const { romeo, juliet, paris } = stage.actors;
  await admire(romeo, juliet);
  await juliet.receives("<presence type='subscribe'/>");
  await romeo.receives(`<presence from='${juliet.full}'/>`);
  const chamber = await stage.login("juliet", { resource: "chamber" });

  romeo.sends(`<presence type='probe' to='${juliet.bare}'/>`);
  for (const { full } of [juliet, chamber])
    await romeo.receives(`<presence from='${full}' to='${romeo.full}'/>`);
  romeo.sends(`<presence type='probe' to='${chamber.full}'/>`);
  await romeo.receives(`<presence from='${chamber.full}' to='${romeo.full}'/>`);
  romeo.sends(`<presence type='probe' to='${juliet.bare}/tomb'/>`);
  await romeo.receives(`<presence type='unavailable' from='${juliet.bare}/tomb'/>`);
  // Everybody may ask about themselves.
  chamber.sends(`<presence type='probe' to='${juliet.bare}'/>`);
  for (const { full } of [juliet, chamber])
    await chamber.receives(`<presence from='${full}' to='${chamber.full}'/>`);
  // Strangers get nothing that they would be shown (§A.3.4).
  for (const bare of [juliet.bare, stage.bare("nobody")])
    paris.sends(`<presence type='probe' to='${bare}'/>`);
  // Juliet may not see Romeo either.
  juliet.sends(`<presence type='probe' to='${romeo.bare}'/>`);
  for (const actor of [romeo, juliet, chamber, paris]) await actor.receivesNothing();
});

test("to who asks without being subscribed, nobody there is as somebody who refuses (§8.5.1)", async (t) => {
  await using stage = await cast(t, { paris: {}, juliet: silent });
  const { paris, juliet } = stage.actors;
  await juliet.ends();
  await paris.asks("<iq type='get'><query xmlns='jabber:iq:roster'/></iq>", "<iq type='result'/>");
  const push = (inside: string) => `<iq type='set'><query xmlns='jabber:iq:roster'>${inside}</query></iq>`;
  for (const bare of [juliet.bare, stage.bare("nobody")]) {
    paris.sends(`<presence type='subscribe' to='${bare}'/>`);
    await paris.receives(push(`<item jid='${bare}' ask='subscribe'/>`));
    paris.sends(`<presence type='probe' to='${bare}'/>`);
    await paris.receivesNext(`<presence type='unsubscribed' from='${bare}' to='${paris.bare}'/>`);
    await paris.receivesNext(push(`<item jid='${bare}' ask='{none}'/>`));
  }
});

test("a server that believes in a subscription there is not learns better by its probe", async (t) => {
  await using stage = await cast(t, { romeo: silent, juliet: silent }, { friends: [["romeo", "juliet"]] });
  const { romeo, juliet } = stage.actors;
  await juliet.ends();
  await stage.node.rosters.clear(juliet.bare);
  await romeo.asks("<iq type='get'><query xmlns='jabber:iq:roster'/></iq>", "<iq type='result'/>");
  romeo.sends("<presence/>");
  await romeo.receives(`<presence from='${romeo.full}'/>`);
  await romeo.receives(`<presence type='unsubscribed' from='${juliet.bare}'/>`);
  await romeo.receives(
    `<iq type='set'><query xmlns='jabber:iq:roster'><item jid='${juliet.bare}' subscription='from'/></query></iq>`,
  );
});

test("presence is delivered as it is addressed, and an error to who caused it", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: {} });
  const { romeo, juliet } = stage.actors;
  const silentOne = await stage.login("juliet", { resource: "silent", presence: false });
  romeo.sends(`<presence to='${juliet.bare}'/>`);
  await juliet.receives(`<presence from='${romeo.full}' to='${juliet.bare}'/>`);
  romeo.sends(`<presence to='${silentOne.full}'/>`);
  await silentOne.receives(`<presence from='${romeo.full}' to='${silentOne.full}'/>`);
  juliet.sends(
    `<presence type='error' to='${romeo.full}' id='e'>
       <error type='cancel'><not-allowed xmlns='${stanzas}'/></error></presence>`,
  );
  await romeo.receives(refused("cancel", "not-allowed"));
  romeo.sends("<presence to='nobody@elsewhere.example'/>");
  await romeo.receives(refused("cancel", "remote-server-not-found"));
  for (const actor of [romeo, juliet, silentOne]) await actor.receivesNothing();
});

test("contacts on other servers that are out of reach disturb nobody", async (t) => {
  await using stage = await cast(t, { romeo: silent });
  const { romeo } = stage.actors;
  const far = "juliet@capulet.example";
  await romeo.asks(
    `<iq type='set'><query xmlns='jabber:iq:roster'><item jid='${far}'/></query></iq>`,
    "<iq type='result'/>",
  );
  romeo.sends(`<presence type='subscribe' to='${far}'/>`);
  await romeo.pings();
  const { rosters, events, router } = stage.node;
  await rosters.pass({ account: romeo.bare, contact: far, direction: "in", type: "subscribed" });
  const told: string[] = [];
  events.on("presence.received", ({ account, from }) => void told.push(`${from.full} to ${account}`));
  romeo.sends("<presence/>");
  await romeo.receives(`<presence from='${romeo.full}'/>`);
  await romeo.receivesNothing();
  // Their presence, once it comes, is delivered, and told to whom it may concern.
  await router.route(readElement(`<presence from='${far}/balcony' to='${romeo.bare}'/>`));
  await romeo.receives(`<presence from='${far}/balcony'/>`);
  assert.deepEqual(told, [`${far}/balcony to ${romeo.bare}`]);
});

test("a subscription to another server that cannot be reached is told to the user (§3.1.2)", async (t) => {
  await using stage = await cast(t, { romeo: {} });
  const { romeo } = stage.actors;
  romeo.sends("<presence type='subscribe' to='juliet@capulet.example/balcony' id='s'/>");
  const error = await romeo.receives(refused("cancel", "remote-server-not-found"));
  assert.deepEqual([attr(error, "from"), attr(error, "id")], ["juliet@capulet.example", "s"]);
});

test("presence at login is not overtaken", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: silent }, { friends: [["romeo", "juliet"]] });
  const { romeo, juliet } = stage.actors;
  const changes = Array.from({ length: 20 }, (_, n) => `<presence><status>${n}</status></presence>`);
  juliet.sends(
    `<presence/>${changes.join("")}<message to='${romeo.bare}' type='chat'><body>hi</body></message>`,
  );
  juliet.sends("<presence type='unavailable'/>");
  await romeo.receivesNext(`<presence from='${juliet.full}'/>`);
  for (let n = 0; n < changes.length; n += 1)
    assert.equal(
      childText(await romeo.receivesNext(`<presence from='${juliet.full}'/>`), "status"),
      String(n),
    );
  await romeo.receivesNext("<message/>");
  await romeo.receivesNext("<presence type='unavailable'/>");
  juliet.inbox.length = 0;
});

test("an approval that comes in the middle of a login is not lost", async (t) => {
  await using stage = await cast(t, { romeo: silent, juliet: {} });
  const { romeo, juliet } = stage.actors;
  for (let round = 0; round < 10; round += 1) {
    romeo.sends(`<presence type='subscribe' to='${juliet.bare}'/>`);
    await juliet.receives("<presence type='subscribe'/>");
    romeo.sends("<presence/>");
    juliet.sends(`<presence type='subscribed' to='${romeo.bare}'/>`);
    await romeo.receives(`<presence from='${romeo.full}'/>`);
    await romeo.receives(`<presence from='${juliet.full}'/>`);
    juliet.sends(`<presence type='unsubscribed' to='${romeo.bare}'/>`);
    await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`);
    romeo.sends("<presence type='unavailable'/>");
    await romeo.receives(`<presence type='unavailable' from='${romeo.full}'/>`);
    // It may come twice: as what approval brings, and as the answer to the probe.
    await stage.settle();
    romeo.inbox.length = 0;
  }
});
