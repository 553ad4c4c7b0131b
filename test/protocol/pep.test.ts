/** XEP-0163: what an account publishes, and who hears of it. The scenes are those of the XEP. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createNotifier } from "../../src/modules/pep-notifier.ts";
import { errorCondition } from "../../src/xmpp/stanza.ts";
import { attr, child, children, type Element } from "../../src/xmpp/xml.ts";
import { shows, wanting } from "../support/client-caps.ts";
import { cast, type Actor, type Stage } from "../support/cast.ts";

const friends = [
  ["juliet", "romeo"],
  ["juliet", "nurse"],
] as const;
const pubsub = "http://jabber.org/protocol/pubsub";
const tune = "http://jabber.org/protocol/tune";
const mood = "http://jabber.org/protocol/mood";
const ok = "<iq type='result'/>";

/** `options` are publish-options. */
const publishing = (node: string, id: string, options: Record<string, string> = {}): string =>
  `<iq type='set'><pubsub xmlns='${pubsub}'><publish node='${node}'><item id='${id}'>
     <tune xmlns='${tune}'><title>${id}</title></tune></item></publish>
     <publish-options>${form("publish-options", options)}</publish-options></pubsub></iq>`;
const form = (type: string, fields: Record<string, string>): string =>
  `<x xmlns='jabber:x:data' type='submit'>
     <field var='FORM_TYPE' type='hidden'><value>${pubsub}#${type}</value></field>
     ${Object.entries(fields)
       .map(([name, value]) => `<field var='pubsub#${name}'><value>${value}</value></field>`)
       .join("")}</x>`;
const retracting = (node: string, id: string, notify = ""): string =>
  `<iq type='set'><pubsub xmlns='${pubsub}'><retract node='${node}' ${notify}><item id='${id}'/></retract></pubsub></iq>`;
const owning = (inside: string): string =>
  `<iq type='set'><pubsub xmlns='${pubsub}#owner'>${inside}</pubsub></iq>`;
const configuring = (node: string, fields: Record<string, string>): string =>
  owning(`<configure node='${node}'>${form("node_config", fields)}</configure>`);
const subscribing = (to: Actor, node: string, address: string, more = ""): string =>
  `<iq type='set' to='${to.bare}'><pubsub xmlns='${pubsub}'><subscribe node='${node}' jid='${address}'/>${more}</pubsub></iq>`;

const event = (from: Actor, to: string, inside: string): string =>
  `<message type='headline' id='{any}' from='${from.bare}' to='${to}'><event xmlns='${pubsub}#event'>${inside}</event></message>`;
const itemEvent = (from: Actor, to: string, id: string, node = tune): string =>
  event(
    from,
    to,
    `<items node='${node}'><item id='${id}' publisher='${from.bare}'><tune xmlns='${tune}'><title>${id}</title></tune></item></items>`,
  );
const retractEvent = (from: Actor, to: string, id: string): string =>
  event(from, to, `<items node='${tune}'><retract id='${id}'/></items>`);

/** These clients want to hear of these nodes. */
async function want(stage: Stage, nodes: readonly string[], ...actors: Actor[]): Promise<void> {
  for (const actor of actors) {
    await shows(actor, wanting(nodes, actor.full));
    await stage.settle();
  }
  ignoresPresence(stage, ...actors);
}

/** Whose presence came along the way is the roster's business, not this file's. */
function ignoresPresence(stage: Stage, ...guests: Actor[]): void {
  for (const actor of [...Object.values(stage.actors), ...guests]) {
    const kept = actor.inbox.filter(({ name }) => name !== "presence");
    actor.inbox.splice(0, actor.inbox.length, ...kept);
  }
}

test("a publish reaches contacts and own resources that want it, and nobody else (§1.2)", async (t) => {
  await using stage = await cast(
    t,
    { juliet: { resource: "balcony" }, romeo: { resource: "orchard" }, nurse: {}, benvolio: {} },
    { friends },
  );
  const { juliet, romeo, nurse, benvolio } = stage.actors;
  const chamber = await stage.login("juliet", { resource: "chamber" });
  await want(stage, [tune], juliet, romeo, benvolio);
  await want(stage, [mood], nurse);
  ignoresPresence(stage, chamber);
  const reply = await juliet.asks(publishing(tune, "one"), ok);
  assert.equal(attr(child(child(reply, "pubsub", pubsub)!, "publish")!, "node"), tune);
  for (const actor of [juliet, romeo]) await actor.receives(itemEvent(juliet, actor.full, "one"));
  for (const actor of [juliet, romeo, nurse, benvolio, chamber]) await actor.receivesNothing();
});

test("what is published is read by everybody who may, newest first, with its publisher", async (t) => {
  await using stage = await cast(
    t,
    { juliet: {}, romeo: {}, benvolio: {} },
    { friends: [["juliet", "romeo"]] },
  );
  const { juliet, romeo, benvolio } = stage.actors;
  for (const id of ["one", "two"]) await juliet.asks(publishing(tune, id, { max_items: "max" }), ok);
  const reading = `<iq type='get' to='${juliet.bare}'><pubsub xmlns='${pubsub}'><items node='${tune}'/></pubsub></iq>`;
  for (const actor of [juliet, romeo]) {
    const reply = await actor.asks(reading, `<iq type='result' from='${juliet.bare}'/>`);
    const items = children(child(child(reply, "pubsub", pubsub)!, "items")!);
    assert.deepEqual(
      items.map((item) => [attr(item, "id"), attr(item, "publisher")]),
      [
        ["two", juliet.bare],
        ["one", juliet.bare],
      ],
    );
  }
  await benvolio.asks(
    reading,
    `<iq type='error'><error type='auth'><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>
       <presence-subscription-required xmlns='${pubsub}#errors'/></error></iq>`,
  );
});

test("what is published is there after a restart", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  await stage.actors.juliet.asks(publishing(tune, "one"), ok);
  await stage.restarts();
  const juliet = await stage.login("juliet");
  await juliet.asks(
    `<iq type='get'><pubsub xmlns='${pubsub}'><items node='${tune}'/></pubsub></iq>`,
    `<iq type='result'><pubsub xmlns='${pubsub}'><items node='${tune}'><item id='one'/></items></pubsub></iq>`,
  );
});

test("without an address the asker's own account is asked, and nobody publishes at another's", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} });
  const { juliet, romeo } = stage.actors;
  await juliet.asks(publishing(tune, "one").replace("<iq", `<iq to='${juliet.bare}'`), ok);
  await romeo.asks(
    publishing(tune, "two").replace("<iq", `<iq to='${juliet.bare}'`),
    "<iq type='error'><error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
  );
  await romeo.asks(
    publishing(tune, "two").replace("<iq", `<iq to='nobody@${stage.domain}'`),
    "<iq type='error'><error><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
  );
});

test("notifications come in the order of what they tell", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} }, { friends: [["juliet", "romeo"]] });
  const { juliet, romeo } = stage.actors;
  await want(stage, [tune], romeo);
  const ids = Array.from({ length: 30 }, (_, i) => `item-${i}`);
  for (const id of ids)
    juliet.sends(publishing(tune, id, { max_items: "max" }).replace("<iq", `<iq id='${id}'`));
  juliet.sends(retracting(tune, "item-0").replace("<iq", "<iq id='retract'"));
  for (const id of [...ids, "retract"]) await juliet.receives(`<iq type='result' id='${id}'/>`);
  for (const id of ids) await romeo.receivesNext(itemEvent(juliet, romeo.full, id));
  await romeo.receivesNext(retractEvent(juliet, romeo.full, "item-0"));
});

test("a contact that leaves, or is no contact any more, hears nothing", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {}, nurse: {} }, { friends });
  const { juliet, romeo, nurse } = stage.actors;
  await want(stage, [tune], romeo, nurse);
  romeo.sends("<presence type='unavailable'/>");
  juliet.sends(`<presence type='unsubscribed' to='${nurse.bare}'/>`);
  await stage.settle();
  ignoresPresence(stage);
  await juliet.asks(publishing(tune, "one", { access_model: "open" }), ok);
  await romeo.receivesNothing();
  await nurse.receivesNothing();
});

test("an open node is followed by its subscribers, at the address they gave (B8)", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {}, benvolio: {} });
  const { juliet, romeo, benvolio } = stage.actors;
  await juliet.asks(publishing(tune, "one", { access_model: "open", send_last_published_item: "never" }), ok);
  const garden = await stage.login("romeo", { resource: "garden" });
  const field = await stage.login("benvolio", { resource: "field" });
  await romeo.asks(subscribing(juliet, tune, romeo.bare), ok);
  await benvolio.asks(subscribing(juliet, tune, benvolio.full), ok);
  await juliet.asks(publishing(tune, "two"), ok);
  for (const actor of [romeo, garden]) await actor.receives(itemEvent(juliet, romeo.bare, "two"));
  await benvolio.receives(itemEvent(juliet, benvolio.full, "two"));
  for (const actor of [romeo, garden, benvolio, field]) await actor.receivesNothing();
  await benvolio.asks(
    `<iq type='set' to='${juliet.bare}'><pubsub xmlns='${pubsub}'><unsubscribe node='${tune}' jid='${benvolio.full}'/></pubsub></iq>`,
    ok,
  );
  await juliet.asks(publishing(tune, "three"), ok);
  for (const actor of [romeo, garden]) await actor.receives(itemEvent(juliet, romeo.bare, "three"));
  await benvolio.receivesNothing();
});

test("who subscribed and wants the node as well hears of it once", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {}, nurse: {} }, { friends });
  const { juliet, romeo, nurse } = stage.actors;
  await want(stage, [tune], romeo, nurse);
  await juliet.asks(publishing(tune, "one"), ok);
  for (const actor of [romeo, nurse]) await actor.receives(itemEvent(juliet, actor.full, "one"));
  await romeo.asks(subscribing(juliet, tune, romeo.bare), ok);
  await nurse.asks(subscribing(juliet, tune, nurse.full), ok);
  for (const actor of [romeo, nurse]) {
    await actor.receives(`<message type='headline'><delay xmlns='urn:xmpp:delay'/></message>`);
  }
  await juliet.asks(publishing(tune, "two"), ok);
  await romeo.receives(itemEvent(juliet, romeo.bare, "two"));
  await nurse.receives(itemEvent(juliet, nurse.full, "two"));
  for (const actor of [romeo, nurse]) await actor.receivesNothing();
});

test("a subscription of somebody who may no longer read is silent", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} });
  const { juliet, romeo } = stage.actors;
  await juliet.asks(publishing(tune, "one", { access_model: "open", send_last_published_item: "never" }), ok);
  await romeo.asks(subscribing(juliet, tune, romeo.bare), ok);
  await juliet.asks(configuring(tune, { access_model: "presence" }), ok);
  await juliet.asks(publishing(tune, "two"), ok);
  await romeo.receivesNothing();
});

test("roster groups decide who hears (XEP-0060 §9.2)", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {}, nurse: {} }, { friends });
  const { juliet, romeo, nurse } = stage.actors;
  for (const [contact, group] of [
    [romeo, "Friends"],
    [nurse, "Servants"],
  ] as const) {
    await juliet.asks(
      `<iq type='set'><query xmlns='jabber:iq:roster'><item jid='${contact.bare}'><group>${group}</group></item></query></iq>`,
      ok,
    );
  }
  await want(stage, [tune], romeo, nurse);
  await juliet.asks(
    publishing(tune, "one", { access_model: "roster", roster_groups_allowed: "Friends" }),
    ok,
  );
  await romeo.receives(itemEvent(juliet, romeo.full, "one"));
  await nurse.receivesNothing();
  await juliet.asks(
    `<iq type='set'><query xmlns='jabber:iq:roster'><item jid='${nurse.bare}'><group>Friends</group></item></query></iq>`,
    ok,
  );
  await nurse.receives(
    itemEvent(juliet, nurse.full, "one").replace("</message>", "<delay xmlns='urn:xmpp:delay'/></message>"),
  );
});

const last = (from: Actor, to: string, id: string): string =>
  itemEvent(from, to, id).replace(
    "</message>",
    `<delay xmlns='urn:xmpp:delay' from='${from.bare}' stamp='{any}'/></message>`,
  );

test("the last item comes once, when a resource has come that wants it (§4.3.4)", async (t) => {
  await using stage = await cast(
    t,
    { juliet: {}, romeo: { presence: false }, benvolio: { presence: false } },
    { friends: [["juliet", "romeo"]] },
  );
  const { juliet, romeo, benvolio } = stage.actors;
  for (const id of ["one", "two"]) await juliet.asks(publishing(tune, id, { max_items: "max" }), ok);
  await juliet.asks(publishing(mood, "three"), ok);
  romeo.sends("<presence/>");
  await stage.settle();
  ignoresPresence(stage);
  await romeo.receivesNothing();
  await want(stage, [tune], romeo, benvolio);
  await romeo.receives(last(juliet, romeo.full, "two"));
  const { c } = wanting([tune], romeo.full);
  romeo.sends(`<presence><show>away</show>${c}</presence>`);
  await stage.settle();
  ignoresPresence(stage);
  for (const actor of [romeo, benvolio]) await actor.receivesNothing();
  // What it wants besides comes, and what it has heard already does not.
  await want(stage, [tune, mood], romeo);
  await romeo.receives(last(juliet, romeo.full, "three").replace(`node='${tune}'`, `node='${mood}'`));
  await romeo.receivesNothing();
  romeo.sends(`<presence type='unavailable'/><presence>${c}</presence>`);
  await stage.settle();
  ignoresPresence(stage);
  await romeo.receives(last(juliet, romeo.full, "two"));
});

test("the own last items come too, to each new resource", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  await juliet.asks(publishing(tune, "one"), ok);
  const chamber = await stage.login("juliet", { resource: "chamber" });
  await want(stage, [tune], chamber);
  await chamber.receives(last(juliet, chamber.full, "one"));
  ignoresPresence(stage);
  await juliet.receivesNothing();
});

test("a node that does not send its last item on presence does not", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} }, { friends: [["juliet", "romeo"]] });
  const { juliet, romeo } = stage.actors;
  await juliet.asks(publishing(tune, "one", { send_last_published_item: "on_sub" }), ok);
  await juliet.asks(publishing(mood, "two", { send_last_published_item: "never" }), ok);
  await want(stage, [tune, mood], romeo);
  await romeo.receivesNothing();
  await romeo.asks(subscribing(juliet, tune, romeo.bare), ok);
  await romeo.receives(last(juliet, romeo.bare, "one"));
  await romeo.asks(subscribing(juliet, mood, romeo.bare), ok);
  await romeo.receivesNothing();
});

test("the last item comes when a subscription to the presence is approved", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} });
  const { juliet, romeo } = stage.actors;
  await juliet.asks(publishing(tune, "one"), ok);
  await want(stage, [tune], romeo);
  await romeo.receivesNothing();
  romeo.sends(`<presence type='subscribe' to='${juliet.bare}'/>`);
  await romeo.pings();
  juliet.sends(`<presence type='subscribed' to='${romeo.bare}'/>`);
  await romeo.receives(last(juliet, romeo.full, "one"));
  await stage.settle();
  ignoresPresence(stage);
  // A new name in the roster is no new approval.
  await juliet.asks(
    `<iq type='set'><query xmlns='jabber:iq:roster'><item jid='${romeo.bare}' name='Romeo'/></query></iq>`,
    ok,
  );
  await romeo.receivesNothing();
});

test("the last item comes when a node opens", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} }, { friends: [["juliet", "romeo"]] });
  const { juliet, romeo } = stage.actors;
  await want(stage, [tune], juliet, romeo);
  await juliet.asks(publishing(tune, "one", { access_model: "whitelist" }), ok);
  await juliet.receives(itemEvent(juliet, juliet.full, "one"));
  await romeo.receivesNothing();
  await juliet.asks(configuring(tune, { access_model: "presence" }), ok);
  await romeo.receives(last(juliet, romeo.full, "one"));
  await juliet.asks(configuring(tune, { access_model: "open" }), ok);
  for (const actor of [juliet, romeo]) await actor.receivesNothing();
});

test("retractions are told as the request or the node asks", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} }, { friends: [["juliet", "romeo"]] });
  const { juliet, romeo } = stage.actors;
  await want(stage, [tune], romeo);
  const options = { max_items: "max" };
  for (const id of ["one", "two", "three"]) {
    await juliet.asks(publishing(tune, id, options), ok);
    await romeo.receives(itemEvent(juliet, romeo.full, id));
  }
  await juliet.asks(retracting(tune, "one"), ok);
  await romeo.receives(retractEvent(juliet, romeo.full, "one"));
  await juliet.asks(configuring(tune, { notify_retract: "0" }), ok);
  await juliet.asks(retracting(tune, "two"), ok);
  await romeo.receivesNothing();
  await juliet.asks(retracting(tune, "three", "notify='true'"), ok);
  await romeo.receives(retractEvent(juliet, romeo.full, "three"));
});

test("what a full node loses is retracted, before the new item comes", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} }, { friends: [["juliet", "romeo"]] });
  const { juliet, romeo } = stage.actors;
  await want(stage, [tune, mood], romeo);
  for (const id of ["one", "two", "three"]) await juliet.asks(publishing(tune, id, { max_items: "2" }), ok);
  for (const id of ["one", "two"]) await romeo.receivesNext(itemEvent(juliet, romeo.full, id));
  await romeo.receivesNext(retractEvent(juliet, romeo.full, "one"));
  await romeo.receivesNext(itemEvent(juliet, romeo.full, "three"));
  // Where there is room for one, the new item says it all.
  for (const id of ["one", "two"]) await juliet.asks(publishing(mood, id), ok);
  for (const id of ["one", "two"]) await romeo.receivesNext(itemEvent(juliet, romeo.full, id, mood));
  await romeo.receivesNothing();
});

test("purging, configuring and deleting are told where the node says so", async (t) => {
  await using stage = await cast(
    t,
    { juliet: {}, romeo: {}, benvolio: {} },
    { friends: [["juliet", "romeo"]] },
  );
  const { juliet, romeo, benvolio } = stage.actors;
  await want(stage, [tune], romeo);
  await juliet.asks(publishing(tune, "one", { access_model: "open", max_items: "max" }), ok);
  await romeo.receives(itemEvent(juliet, romeo.full, "one"));
  await benvolio.asks(subscribing(juliet, tune, benvolio.bare), ok);
  await benvolio.receives(last(juliet, benvolio.bare, "one"));
  const both = async (inside: string): Promise<void> => {
    await romeo.receives(event(juliet, romeo.full, inside));
    await benvolio.receives(event(juliet, benvolio.bare, inside));
  };
  await juliet.asks(owning(`<purge node='${tune}'/>`), ok);
  await both(`<purge node='${tune}'/>`);
  await juliet.asks(configuring(tune, { title: "Tunes" }), ok);
  await romeo.receivesNothing();
  await juliet.asks(configuring(tune, { notify_config: "1" }), ok);
  await both(
    `<configuration node='${tune}'><x xmlns='jabber:x:data' type='result'><field var='pubsub#title'><value>Tunes</value></field></x></configuration>`,
  );
  await juliet.asks(
    owning(`<delete node='${tune}'><redirect uri='xmpp:juliet@verona.example'/></delete>`),
    ok,
  );
  await both(`<delete node='${tune}'><redirect uri='xmpp:juliet@verona.example'/></delete>`);
});

test("a node may end without a word", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} }, { friends: [["juliet", "romeo"]] });
  const { juliet, romeo } = stage.actors;
  await want(stage, [tune], romeo);
  await juliet.asks(publishing(tune, "one", { notify_delete: "0" }), ok);
  await romeo.receives(itemEvent(juliet, romeo.full, "one"));
  await juliet.asks(owning(`<delete node='${tune}'/>`), ok);
  await romeo.receivesNothing();
});

test("a node may keep what it tells for who is available", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: { presence: false }, paris: { presence: false } });
  const { juliet, romeo, paris } = stage.actors;
  const options = { access_model: "open", send_last_published_item: "never" };
  await juliet.asks(publishing(tune, "one", options), ok);
  for (const actor of [romeo, paris]) await actor.asks(subscribing(juliet, tune, actor.full), ok);
  await juliet.asks(publishing(tune, "two"), ok);
  for (const actor of [romeo, paris]) await actor.receives(itemEvent(juliet, actor.full, "two"));
  await juliet.asks(configuring(tune, { presence_based_delivery: "1" }), ok);
  romeo.sends("<presence/>");
  await stage.settle();
  ignoresPresence(stage);
  await juliet.asks(publishing(tune, "three"), ok);
  await romeo.receives(itemEvent(juliet, romeo.full, "three"));
  await paris.receivesNothing();
});

test("what one event leads to is over before the next one at that account begins", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  await juliet.asks(publishing(tune, "one"), ok);
  const node = await stage.node.pubsub.nodes.get(juliet.bare, tune);
  const { inOrder } = createNotifier(stage.node);
  const done: string[] = [];
  let release = (): void => undefined;
  const slow = inOrder(node, async () => {
    await new Promise<void>((resolve) => (release = resolve));
    done.push("slow");
    throw new Error("and it fails");
  });
  const fast = inOrder(node, async () => void done.push("fast"));
  await stage.settle();
  assert.deepEqual(done, []);
  release();
  await assert.rejects(async () => slow, /and it fails/);
  await fast;
  assert.deepEqual(done, ["slow", "fast"]);
});

test("notifications are as the node is configured", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} }, { friends: [["juliet", "romeo"]] });
  const { juliet, romeo } = stage.actors;
  await want(stage, [tune, mood, "urn:example:silent", "urn:example:bare"], romeo);
  await juliet.asks(publishing(tune, "one", { deliver_payloads: "0" }), ok);
  const told = await romeo.receives(
    event(juliet, romeo.full, `<items node='${tune}'><item id='one'/></items>`),
  );
  const items = child(child(told, "event", `${pubsub}#event`)!, "items")!;
  assert.deepEqual(children(children(items)[0]!), []);
  await juliet.asks(publishing(mood, "one", { notification_type: "normal" }), ok);
  await romeo.receives(itemEvent(juliet, romeo.full, "one", mood).replace("headline", "normal"));
  await juliet.asks(publishing("urn:example:silent", "one", { deliver_notifications: "0" }), ok);
  await romeo.receivesNothing();
  await juliet.asks(
    `<iq type='set'><pubsub xmlns='${pubsub}'><create node='urn:example:bare'/>
       <configure>${form("node_config", { persist_items: "0", deliver_payloads: "0" })}</configure></pubsub></iq>`,
    ok,
  );
  await juliet.asks(
    `<iq type='set'><pubsub xmlns='${pubsub}'><publish node='urn:example:bare'/></pubsub></iq>`,
    ok,
  );
  await romeo.receives(event(juliet, romeo.full, "<items node='urn:example:bare'/>"));
});

test("a subscriber can do without, or ask for a body", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {}, benvolio: {} });
  const { juliet, romeo, benvolio } = stage.actors;
  await juliet.asks(publishing(tune, "one", { access_model: "open", send_last_published_item: "never" }), ok);
  const options = (fields: Record<string, string>) =>
    `<options>${form("subscribe_options", fields)}</options>`;
  await romeo.asks(subscribing(juliet, tune, romeo.bare, options({ include_body: "1" })), ok);
  await benvolio.asks(subscribing(juliet, tune, benvolio.bare, options({ deliver: "0" })), ok);
  await juliet.asks(publishing(tune, "two"), ok);
  await romeo.receives(
    itemEvent(juliet, romeo.bare, "two").replace("</message>", "<body>two</body></message>"),
  );
  await benvolio.receivesNothing();
});

test("an owner approves subscriptions (XEP-0060 §8.6)", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {}, paris: {} });
  const { juliet, romeo, paris } = stage.actors;
  await juliet.asks(publishing(tune, "one", { access_model: "authorize" }), ok);
  await romeo.asks(
    subscribing(juliet, tune, romeo.bare),
    `<iq type='result'><pubsub xmlns='${pubsub}'><subscription node='${tune}' jid='${romeo.bare}' subid='{any}' subscription='pending'/></pubsub></iq>`,
  );
  const question = (asking: Actor, to = juliet.bare): string =>
    `<message from='${juliet.bare}' to='${to}' id='{any}'><x xmlns='jabber:x:data' type='form'>
       <field var='FORM_TYPE' type='hidden'><value>${pubsub}#subscribe_authorization</value></field>
       <field var='pubsub#subid'><value>{any}</value></field><field var='pubsub#node'><value>${tune}</value></field>
       <field var='pubsub#subscriber_jid'><value>${asking.bare}</value></field>
       <field var='pubsub#allow' type='boolean'><value>false</value></field></x></message>`;
  const answer = (asked: Element, allow: string, type = "submit"): string => {
    const { attrs } = asked;
    const fields = children(child(asked, "x", "jabber:x:data")!, "field")
      .map(
        (one) =>
          `<field var='${attr(one, "var")}' type='${attr(one, "type")}'><value>${attr(one, "var") === "pubsub#allow" ? allow : children(one)[0]!.getText()}</value></field>`,
      )
      .join("");
    return `<message id='${attrs["id"]}' to='${juliet.bare}'><x xmlns='jabber:x:data' type='${type}'>${fields}</x></message>`;
  };
  const asked = await juliet.receives(question(romeo));
  await romeo.receivesNothing();

  // Who is not there when it is asked is asked again, and a cancelled form leaves the request as it was.
  juliet.sends(`${answer(asked, "true", "cancel")}<presence type='unavailable'/>`);
  await stage.settle();
  juliet.sends("<presence/>");
  const again = await juliet.receives(question(romeo, juliet.full));
  ignoresPresence(stage);

  // Nobody approves for the owner.
  romeo.sends(answer(again, "true"));
  await romeo.receives(
    "<message type='error'><error><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
  );

  juliet.sends(answer(again, "true"));
  const change = (state: string) => `<subscription node='${tune}' jid='{any}' subscription='${state}'/>`;
  await romeo.receives(event(juliet, romeo.bare, change("subscribed")));
  await romeo.receives(last(juliet, romeo.bare, "one"));
  await juliet.asks(publishing(tune, "two"), ok);
  await romeo.receives(itemEvent(juliet, romeo.bare, "two"));

  await paris.asks(subscribing(juliet, tune, paris.bare), ok);
  juliet.sends(answer(await juliet.receives(question(paris)), "false"));
  await paris.receives(event(juliet, paris.bare, change("none")));
  await juliet.asks(publishing(tune, "three"), ok);
  await romeo.receives(itemEvent(juliet, romeo.bare, "three"));
  for (const actor of [juliet, romeo, paris]) await actor.receivesNothing();

  // Who still waits hears nothing, also where others need not wait any more.
  await paris.asks(subscribing(juliet, tune, paris.bare), ok);
  await juliet.receives(question(paris));
  await juliet.asks(configuring(tune, { access_model: "open" }), ok);
  await juliet.asks(publishing(tune, "four"), ok);
  await romeo.receives(itemEvent(juliet, romeo.bare, "four"));
  await paris.receivesNothing();
});

test("an owner hears of followers, and can end what they began (B8)", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} });
  const { juliet, romeo } = stage.actors;
  const options = { access_model: "open", notify_sub: "1", send_last_published_item: "never" };
  await juliet.asks(publishing(tune, "one", options), ok);
  const change = (to: string, state: string) =>
    event(
      juliet,
      to,
      `<subscription node='${tune}' jid='${romeo.bare}' subid='{any}' subscription='${state}'/>`,
    );
  await romeo.asks(subscribing(juliet, tune, romeo.bare), ok);
  await juliet.receives(change(juliet.bare, "subscribed"));
  await juliet.asks(
    `<iq type='get'><pubsub xmlns='${pubsub}#owner'><subscriptions node='${tune}'/></pubsub></iq>`,
    `<iq type='result'><pubsub xmlns='${pubsub}#owner'><subscriptions node='${tune}'>
       <subscription jid='${romeo.bare}' subscription='subscribed'/></subscriptions></pubsub></iq>`,
  );
  await juliet.asks(
    owning(
      `<subscriptions node='${tune}'><subscription jid='${romeo.bare}' subscription='none'/></subscriptions>`,
    ),
    ok,
  );
  await romeo.receives(change(romeo.bare, "none"));
  await juliet.asks(publishing(tune, "two"), ok);
  for (const actor of [juliet, romeo]) await actor.receivesNothing();
});

test("what is purged offline goes with the last resource", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} }, { friends: [["juliet", "romeo"]] });
  const { juliet, romeo } = stage.actors;
  const chamber = await stage.login("juliet", { resource: "chamber" });
  await want(stage, [tune], romeo);
  await juliet.asks(publishing(tune, "one", { purge_offline: "1" }), ok);
  await romeo.receives(itemEvent(juliet, romeo.full, "one"));
  juliet.sends("<presence type='unavailable'/>");
  await stage.settle();
  ignoresPresence(stage);
  await romeo.receivesNothing();
  chamber.sends("<presence type='unavailable'/>");
  await romeo.receives(retractEvent(juliet, romeo.full, "one"));
  ignoresPresence(stage);
  chamber.inbox.length = 0;
});

test("a temporary subscription ends with the presence of its subscriber", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} });
  const { juliet, romeo } = stage.actors;
  const options = { access_model: "open", tempsub: "1", send_last_published_item: "never" };
  await juliet.asks(publishing(tune, "one", options), ok);
  await romeo.asks(subscribing(juliet, tune, romeo.bare), ok);
  romeo.sends("<presence type='unavailable'/><presence/>");
  await stage.settle();
  ignoresPresence(stage);
  await juliet.asks(publishing(tune, "two"), ok);
  await romeo.receivesNothing();
  await romeo.asks(subscribing(juliet, tune, romeo.bare), ok);
  await romeo.kill();
  const garden = await stage.login("romeo", { resource: "garden" });
  await juliet.asks(publishing(tune, "three"), ok);
  await garden.receivesNothing();
});

test("a subscriber whose resource does not take what is for the bare JID hears of what it wants", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} }, { friends: [["juliet", "romeo"]] });
  const { juliet, romeo } = stage.actors;
  await want(stage, [tune], romeo);
  romeo.sends("<presence><priority>-1</priority></presence>");
  await stage.settle();
  ignoresPresence(stage);
  await juliet.asks(publishing(tune, "one", { send_last_published_item: "never" }), ok);
  await romeo.receives(itemEvent(juliet, romeo.full, "one"));
  await romeo.asks(subscribing(juliet, tune, romeo.bare), ok);
  await juliet.asks(publishing(tune, "two"), ok);
  await romeo.receives(itemEvent(juliet, romeo.full, "two"));
  await romeo.receivesNothing();
});

test("members of a whitelist hear what it holds, and of its end", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {}, paris: {} });
  const { juliet, romeo, paris } = stage.actors;
  const options = { access_model: "whitelist", send_last_published_item: "never" };
  await juliet.asks(publishing(tune, "one", options), ok);
  await juliet.asks(
    owning(
      `<affiliations node='${tune}'><affiliation jid='${romeo.bare}' affiliation='member'/></affiliations>`,
    ),
    ok,
  );
  await romeo.asks(subscribing(juliet, tune, romeo.bare), ok);
  await paris.asks(
    subscribing(juliet, tune, paris.bare),
    `<iq type='error'><error><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><closed-node xmlns='${pubsub}#errors'/></error></iq>`,
  );
  await juliet.asks(publishing(tune, "two"), ok);
  await romeo.receives(itemEvent(juliet, romeo.bare, "two"));
  await juliet.asks(owning(`<delete node='${tune}'/>`), ok);
  await romeo.receives(event(juliet, romeo.bare, `<delete node='${tune}'/>`));
  for (const actor of [romeo, paris]) await actor.receivesNothing();
});

test("forms that are no answers to the account's questions pass by", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} });
  const { juliet, romeo } = stage.actors;
  for (const x of ["type='submit'", "type='nonsense'", "type='cancel'"]) {
    romeo.sends(
      `<message to='${juliet.bare}'><x xmlns='jabber:x:data' ${x}><field var='FORM_TYPE'><value>urn:x</value></field></x></message>`,
    );
    await juliet.receives(`<message from='${romeo.full}'><x xmlns='jabber:x:data' ${x}/></message>`);
  }
});

test("an account says that it is a pubsub service, and what is there for whom (§6, XEP-0060 §5)", async (t) => {
  await using stage = await cast(
    t,
    { juliet: {}, romeo: {}, benvolio: {} },
    { friends: [["juliet", "romeo"]] },
  );
  const { juliet, romeo, benvolio } = stage.actors;
  const info = "http://jabber.org/protocol/disco#info";
  const items = "http://jabber.org/protocol/disco#items";
  const discovering = (xmlns: string, node = "") =>
    `<iq type='get' to='${juliet.bare}'><query xmlns='${xmlns}' ${node && `node='${node}'`}/></iq>`;
  await juliet.asks(publishing(tune, "one", { title: "Tunes", max_items: "10", type: tune }), ok);
  await juliet.asks(publishing("urn:example:blog", "two", { access_model: "open" }), ok);
  const features = [
    "publish",
    "auto-create",
    "filtered-notifications",
    "publish-options",
    "config-node-max",
    "rsm",
  ];
  await romeo.asks(
    discovering(info),
    `<iq type='result'><query xmlns='${info}'><identity category='account' type='registered'/><identity category='pubsub' type='pep'/>
       <feature var='${pubsub}'/>${features.map((name) => `<feature var='${pubsub}#${name}'/>`).join("")}</query></iq>`,
  );
  const listed = async (actor: Actor, node?: string, name = "node"): Promise<(string | undefined)[]> => {
    const reply = await actor.asks(discovering(items, node), ok);
    return children(child(reply, "query", items)!).flatMap((one) => attr(one, name) ?? []);
  };
  assert.deepEqual(await listed(romeo), [tune, "urn:example:blog"]);
  assert.deepEqual(await listed(benvolio), ["urn:example:blog"]);
  assert.deepEqual(await listed(romeo, tune, "name"), ["one"]);
  await romeo.asks(
    discovering(info, tune),
    `<iq type='result'><query xmlns='${info}' node='${tune}'><identity category='pubsub' type='leaf' name='Tunes'/>
       <x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>${pubsub}#meta-data</value></field>
         <field var='pubsub#title'><value>Tunes</value></field><field var='pubsub#type'><value>${tune}</value></field>
         <field var='pubsub#creation_date'><value>{any}</value></field><field var='pubsub#access_model'><value>presence</value></field>
         <field var='pubsub#publish_model'><value>publishers</value></field><field var='pubsub#max_items'><value>10</value></field>
         <field var='pubsub#num_subscribers'><value>0</value></field><field var='pubsub#owner'><value>${juliet.bare}</value></field>
       </x></query></iq>`,
  );
  // As if there were no such node.
  for (const xmlns of [info, items]) {
    const missing = await benvolio.asks(discovering(xmlns, "urn:example:nothing"));
    const hidden = await benvolio.asks(discovering(xmlns, tune));
    const likeness = (reply: Element) => [
      attr(reply, "type"),
      errorCondition(reply),
      children(reply)[0]?.children,
    ];
    assert.deepEqual(likeness(hidden), likeness(missing));
  }
});
