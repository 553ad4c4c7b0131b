/** XEP-0402: bookmarks, and the two older ways to them (XEP-0048 in pubsub, XEP-0049), which see and write the same. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseJid } from "../../src/xmpp/jid.ts";
import { attr, child, children, type Element } from "../../src/xmpp/xml.ts";
import { shows, wanting } from "../support/client-caps.ts";
import { cast, type Actor, type Stage } from "../support/cast.ts";

const node = "urn:xmpp:bookmarks:1";
const legacy = "storage:bookmarks";
const pubsub = "http://jabber.org/protocol/pubsub";
const ok = "<iq type='result'/>";
const play = "theplay@conference.shakespeare.example";
const orchard = "orchard@conference.shakespeare.example";

/** As the XEP has clients publish (§3.3). */
const options = (fields: Record<string, string>): string =>
  `<publish-options><x xmlns='jabber:x:data' type='submit'>
     <field var='FORM_TYPE' type='hidden'><value>${pubsub}#publish-options</value></field>
     ${Object.entries(fields)
       .map(([name, value]) => `<field var='pubsub#${name}'><value>${value}</value></field>`)
       .join("")}</x></publish-options>`;
const isPrivate = { persist_items: "true", access_model: "whitelist" };
const asToday = options({ ...isPrivate, max_items: "max", send_last_published_item: "never" });

const publishing = (room: string, attrs: string, inside = "", more = asToday): string =>
  `<iq type='set'><pubsub xmlns='${pubsub}'><publish node='${node}'><item id='${room}'>
     <conference xmlns='${node}' ${attrs}>${inside}</conference></item></publish>${more}</pubsub></iq>`;
const retracting = (room: string): string =>
  `<iq type='set'><pubsub xmlns='${pubsub}'><retract node='${node}' notify='true'><item id='${room}'/></retract></pubsub></iq>`;
const reading = (name: string): string =>
  `<iq type='get'><pubsub xmlns='${pubsub}'><items node='${name}'/></pubsub></iq>`;
const storage = (inside: string): string => `<storage xmlns='${legacy}'>${inside}</storage>`;
const publishingList = (inside: string): string =>
  `<iq type='set'><pubsub xmlns='${pubsub}'><publish node='${legacy}'><item id='current'>${storage(inside)}</item>
     </publish>${options(isPrivate)}</pubsub></iq>`;
const storing = (inside: string): string =>
  `<iq type='set'><query xmlns='jabber:iq:private'>${storage(inside)}</query></iq>`;
const restoring = `<iq type='get'><query xmlns='jabber:iq:private'>${storage("")}</query></iq>`;

async function itemsOf(actor: Actor, name: string): Promise<Element[]> {
  const reply = await actor.asks(reading(name));
  const found = child(reply, "pubsub", pubsub);
  return found && attr(reply, "type") === "result" ? children(child(found, "items")!) : [];
}

const told = (conference: Element): string => {
  const inside = children(conference).map((one) => `${one.name}=${one.getText()}`);
  return [attr(conference, "name"), attr(conference, "autojoin") ?? "false", ...inside].join(" ");
};

/** Every way to the bookmarks, by room. */
async function ways(actor: Actor): Promise<Record<string, string>[]> {
  const native = (await itemsOf(actor, node)).map((item) => [attr(item, "id"), told(children(item)[0]!)]);
  const listed = (list: Element | undefined) =>
    (list ? children(list, "conference") : []).map((one) => [attr(one, "jid"), told(one)]);
  const [item] = await itemsOf(actor, legacy);
  const stored = children(child(await actor.asks(restoring, ok), "query", "jabber:iq:private")!)[0];
  return [native, listed(item && children(item)[0]), listed(stored)].map((entries) =>
    Object.fromEntries(entries.sort()),
  );
}

async function allSay(actor: Actor, expected: Record<string, string>): Promise<void> {
  assert.deepEqual(await ways(actor), [expected, expected, expected]);
}

async function forgets(stage: Stage, ...actors: Actor[]): Promise<void> {
  await stage.settle();
  for (const actor of actors) actor.inbox.length = 0;
}

/** A second client of juliet's that wants to hear of changes, in one form or the other. */
async function listens(stage: Stage, name: string): Promise<Actor> {
  const actor = await stage.login("juliet", { resource: name.replaceAll(":", "-"), presence: false });
  await shows(actor, wanting([name], name));
  await forgets(stage, stage.actors["juliet"]!, actor);
  return actor;
}

test("the account says that it keeps them in step (§4)", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  await stage.actors.juliet.asks(
    `<iq type='get' to='${stage.actors.juliet.bare}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`,
    `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'>
       <feature var='${node}#compat'/><feature var='${node}#compat-pep'/></query></iq>`,
  );
});

describe("what is written in one form is read in all", () => {
  test("as items", async (t) => {
    await using stage = await cast(t, { juliet: {} });
    const { juliet } = stage.actors;
    await allSay(juliet, {});
    await juliet.asks(publishing(play, "name='The Play' autojoin='true'", "<nick>JC</nick>"), ok);
    await juliet.asks(publishing(orchard, "name='The Orcard'", "<password>rose</password>"), ok);
    await allSay(juliet, {
      [play]: "The Play true nick=JC",
      [orchard]: "The Orcard false password=rose",
    });
    await juliet.asks(publishing(orchard, "name='The Orchard'"), ok);
    await juliet.asks(retracting(play), ok);
    await allSay(juliet, { [orchard]: "The Orchard false" });
    await stage.restarts();
    await allSay(await stage.login("juliet"), { [orchard]: "The Orchard false" });
  });

  for (const [way, write] of [
    ["as a list in pubsub", publishingList],
    ["as a list in private storage", storing],
  ] as const) {
    test(way, async (t) => {
      await using stage = await cast(t, { juliet: {} });
      const { juliet } = stage.actors;
      const url = "<url name='Works' url='https://shakespeare.example/'/>";
      await juliet.asks(
        write(
          `<conference jid='${play}' name='The Play' autojoin='true'><nick>JC</nick></conference>
           <conference jid='${orchard}' name='The Orchard'/>${url}`,
        ),
        ok,
      );
      await allSay(juliet, { [play]: "The Play true nick=JC", [orchard]: "The Orchard false" });
      await juliet.asks(publishing(play, "name='Hamlet' autojoin='true'"), ok);
      const stored = await juliet.asks(restoring, ok);
      assert(stored.toString().includes("https://shakespeare.example/"), "pages stay");
      await juliet.asks(write(`<conference jid='${play}' name='Hamlet'/>`), ok);
      await allSay(juliet, { [play]: "Hamlet false" });
      await juliet.asks(write(""), ok);
      await allSay(juliet, {});
    });
  }
});

test("what a client keeps beside a bookmark survives a client that knows the old list alone", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  const state = "<extensions><state xmlns='urn:example:state' minimized='true'/></extensions>";
  await juliet.asks(publishing(play, "name='The Play'", `<nick>JC</nick>${state}`), ok);
  await juliet.asks(
    storing(`<conference jid='${play}' name='Hamlet' autojoin='1'><nick>H</nick></conference>`),
    ok,
  );
  await juliet.asks(
    reading(node),
    `<iq type='result'><pubsub xmlns='${pubsub}'><items node='${node}'><item id='${play}'>
       <conference xmlns='${node}' name='Hamlet' autojoin='true'><nick>H</nick>${state}</conference></item></items></pubsub></iq>`,
  );
});

test("only what has changed is told, and in both forms (§5.3.2)", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  const both = `<conference jid='${play}' name='The Play'/><conference jid='${orchard}' name='The Orchard'/>`;
  await juliet.asks(storing(both), ok);
  const today = await listens(stage, node);
  const before = await listens(stage, legacy);
  await forgets(stage, juliet, today, before);
  const event = (name: string, inside: string): string =>
    `<message type='headline' from='${juliet.bare}'><event xmlns='${pubsub}#event'><items node='${name}'>${inside}</items></event></message>`;

  await juliet.asks(storing(both.replace("The Orchard", "Her orchard")), ok);
  await today.receives(
    event(node, `<item id='${orchard}'><conference xmlns='${node}' name='Her orchard'/></item>`),
  );
  await before.receives(
    event(legacy, `<item id='current'>${storage(both.replace("The Orchard", "Her orchard"))}</item>`),
  );
  await juliet.asks(storing(`<conference jid='${orchard}' name='Her orchard'/>`), ok);
  await today.receives(event(node, `<retract id='${play}'/>`));
  await before.receives(event(legacy, "<item id='current'/>"));

  await juliet.asks(publishing(play, "autojoin='1'"), ok);
  await today.receives(event(node, `<item id='${play}'/>`));
  await before.receives(event(legacy, `<item id='current'>${storage(`<conference jid='${play}'/>`)}</item>`));
  // An extension is nothing that the older list knows.
  await juliet.asks(publishing(play, "autojoin='true'", "<extensions/>"), ok);
  await today.receives(event(node, `<item id='${play}'/>`));
  for (const actor of [juliet, today, before]) await actor.receivesNothing();
});

test("they are nobody else's, whoever made the node and with whatever options", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} }, { friends: [["juliet", "romeo"]] });
  const { juliet, romeo } = stage.actors;
  await juliet.asks(publishing(play, "name='The Play'", "", ""), ok);
  for (const name of [node, legacy]) {
    await romeo.asks(
      `<iq type='get' to='${juliet.bare}'><pubsub xmlns='${pubsub}'><items node='${name}'/></pubsub></iq>`,
      `<iq type='error'><error><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><closed-node xmlns='${pubsub}#errors'/></error></iq>`,
    );
  }
  // A client's usual options are met by the node as the server made it.
  await juliet.asks(publishing(orchard, "name='The Orchard'"), ok);
});

test("what is no bookmark is refused", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  const refused =
    "<iq type='error'><error><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>";
  await juliet.asks(
    `<iq type='set'><pubsub xmlns='${pubsub}'><publish node='${node}'><item id='${play}'><x xmlns='urn:example'/></item></publish></pubsub></iq>`,
    refused,
  );
  await juliet.asks(publishing("@", ""), refused);
  await juliet.asks(
    `<iq type='set'><pubsub xmlns='${pubsub}'><publish node='${legacy}'><item><x xmlns='urn:example'/></item></publish></pubsub></iq>`,
    refused,
  );
});

test("whoever moves on and deletes the old list keeps the bookmarks, and all of them go with the account", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  await juliet.asks(storing(`<conference jid='${play}' name='The Play'/>`), ok);
  await juliet.asks(
    `<iq type='set'><pubsub xmlns='${pubsub}#owner'><delete node='${legacy}'/></pubsub></iq>`,
    ok,
  );
  assert.equal((await itemsOf(juliet, node)).length, 1);
  const stored = await juliet.asks(restoring, ok);
  assert(stored.toString().includes("The Play"));
  await juliet.ends();
  await stage.node.accounts.remove(parseJid(juliet.bare)!);
  await stage.settle();
  assert.deepEqual(await stage.node.pubsub.nodes.list(juliet.bare), []);
});
