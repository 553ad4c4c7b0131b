/** Following: `timeline@` and the node subscribe for a person, keep what comes, and tell it as chat messages. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseJid } from "../../src/xmpp/jid.ts";
import { attr, childText, type Element } from "../../src/xmpp/xml.ts";
import { cast, type Actor, type Stage } from "../support/cast.ts";
import { world } from "../support/world.ts";

const microblog = "urn:xmpp:microblog:0";
const timelineOf = (actor: Actor): string => `timeline@${actor.bare.split("@")[1]}`;

const says = (actor: Actor, text: string, inside = ""): void =>
  actor.sends(
    `<message to='${timelineOf(actor)}' type='chat' id='${text.slice(0, 8)}'><body>${text}</body>${inside}</message>`,
  );
const hears = async (actor: Actor, body = "{any}", inside = ""): Promise<Element> =>
  actor.receives(`<message from='${timelineOf(actor)}' type='chat'><body>${body}</body>${inside}</message>`);
const answer = async (actor: Actor, text: string): Promise<string> => {
  says(actor, text);
  return childText(await hears(actor), "body")!;
};
const post = (stage: Stage, actor: Actor, text: string) =>
  stage.node.posts.create({ author: parseJid(actor.bare)!, text });
const texts = async (stage: Stage, actor: Actor): Promise<string[]> =>
  (await stage.node.timeline.page(actor.bare, 100)).entries.map(({ text }) => text);

/** What of an event reaches the clients besides is no matter here. */
const ignoreEvents = (...actors: Actor[]): void => {
  for (const { inbox } of actors) {
    const kept = inbox.filter((one) => attr(one, "type") !== "headline");
    inbox.splice(0, inbox.length, ...kept);
  }
};

describe("on one node", () => {
  test("a post arrives in the chat, and an edit and a deletion of it", async (t) => {
    await using stage = await cast(t, { ana: {}, bob: {} });
    const { ana, bob } = stage.actors;
    await post(stage, bob, "before");
    assert.equal(await answer(ana, `follow ${bob.bare}`), `You follow ${bob.bare} now.`);
    await ana.receivesNothing();
    assert.deepEqual(await texts(stage, ana), ["before"]);
    const tea = await post(stage, bob, "Tea");
    const link = stage.node.posts.permalink(tea);
    const message = await hears(ana, `${bob.bare}: Tea\n${link}`);
    const id = attr(message, "id")!;
    const author = parseJid(bob.bare)!;
    await stage.node.posts.edit({ author, id: tea.id, text: "Coffee" });
    const replace = `<replace id='${id}' xmlns='urn:xmpp:message-correct:0'/>`;
    await hears(ana, `${bob.bare}: Coffee\n${link}`, replace);
    assert.deepEqual(await texts(stage, ana), ["Coffee", "before"]);
    await stage.node.posts.edit({ author, id: tea.id, text: "Water" });
    await hears(ana, `${bob.bare}: Water\n${link}`, replace);
    await stage.node.posts.remove({ author, id: tea.id });
    await hears(
      ana,
      `${bob.bare} deleted a post.`,
      `<retract id='${id}' xmlns='urn:xmpp:message-retract:1'/><fallback xmlns='urn:xmpp:fallback:0'/>`,
    );
    assert.deepEqual(await texts(stage, ana), ["before"]);
    ignoreEvents(ana, bob);
  });

  test("who is away is told when they are back, of what is still there", async (t) => {
    await using stage = await cast(t, { ana: {}, bob: {} });
    const { ana, bob } = stage.actors;
    await post(stage, bob, "before");
    await answer(ana, `follow ${bob.bare}`);
    await ana.ends();
    const gone = await post(stage, bob, "oops");
    for (let at = 0; at < 3; at += 1) await post(stage, bob, `post ${at}`);
    await stage.node.posts.remove({ author: parseJid(bob.bare)!, id: gone.id });
    await stage.settle();
    const back = await stage.login("ana", { presence: false });
    await back.receivesNothing();
    back.sends("<presence/>");
    await back.receives(`<presence from='${back.full}'/>`);
    for (let at = 0; at < 3; at += 1) {
      const body = childText(await hears(back), "body")!;
      assert(body.startsWith(`${bob.bare}: post ${at}\n`), body);
    }
    await back.receivesNothing();
    ignoreEvents(bob);
  });

  test("says whom one follows, and who follows one", async (t) => {
    await using stage = await cast(t, { ana: {}, bob: {} });
    const { ana, bob } = stage.actors;
    assert.equal(await answer(ana, "following"), "You follow nobody.");
    assert.equal(await answer(bob, "Followers"), "Nobody follows you yet.");
    await post(stage, bob, "x");
    await answer(ana, `follow xmpp:${bob.bare}?;node=urn%3Axmpp%3Amicroblog%3A0`);
    assert.equal(await answer(ana, "following"), bob.bare);
    assert.equal(await answer(bob, "followers"), ana.bare);
    assert.equal(await answer(ana, `unfollow ${bob.bare}`), `You no longer follow ${bob.bare}.`);
    assert.equal(await answer(ana, `unfollow ${bob.bare}`), `You do not follow ${bob.bare}`);
    assert.equal(await answer(bob, "followers"), "Nobody follows you yet.");
    ignoreEvents(ana, bob);
    await post(stage, bob, "y");
    await ana.receivesNothing();
  });

  test("says why somebody cannot be followed, and goes on once they can", async (t) => {
    await using stage = await cast(t, { ana: {}, bob: {} });
    const { ana, bob } = stage.actors;
    const refused = (why: string) => `${bob.bare} cannot be followed: ${why}.`;
    assert.equal(await answer(ana, `follow ${bob.bare}`), refused("they have published nothing there yet"));
    assert.match(await answer(ana, "follow nobody@pipit.test"), /no such address/);
    assert.equal(await answer(ana, `follow ${ana.bare}`), "That is you");
    await bob.asks(
      `<iq type='set'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='${microblog}'>
         <item><entry xmlns='http://www.w3.org/2005/Atom'><title>for friends</title></entry></item></publish>
         <publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>
           <value>http://jabber.org/protocol/pubsub#publish-options</value></field>
           <field var='pubsub#access_model'><value>presence</value></field></x></publish-options></pubsub></iq>`,
      "<iq type='result'/>",
    );
    assert.match(await answer(ana, `follow ${bob.bare}`), /only their contacts may/);
    assert.match(await answer(ana, "following"), /bob@pipit.test \(refused: only their contacts may/);
    ana.sends(`<presence type='subscribe' to='${bob.bare}'/>`);
    await bob.receives("<presence type='subscribe'/>");
    bob.sends(`<presence type='subscribed' to='${ana.bare}'/>`);
    await ana.receives(`<presence from='${bob.full}'/>`);
    await stage.settle();
    const listed = (await answer(ana, "following")).split("\n");
    assert(listed.includes(bob.bare), listed.join());
    await post(stage, bob, "now you know");
    assert.match(childText(await hears(ana), "body")!, /: now you know\n/);
    ignoreEvents(ana, bob);
  });

  test("what only begins like a command is a post", async (t) => {
    await using stage = await cast(t, { ana: {} });
    const { ana } = stage.actors;
    const written = [
      "follow me",
      "follow",
      "follow bob",
      "unfollow bob@x.example please",
      "following you",
      "followers!",
    ];
    for (const text of written) assert.match(await answer(ana, text), /^Posted: /);
    const { posts } = await stage.node.posts.page({ limit: 10 });
    assert.deepEqual(posts.map(({ text }) => text).toReversed(), written);
  });

  test("only the followed address itself is believed", async (t) => {
    await using stage = await cast(t, { ana: {}, bob: {}, eve: {} });
    const { ana, bob, eve } = stage.actors;
    await post(stage, bob, "x");
    await answer(ana, `follow ${bob.bare}`);
    eve.sends(
      `<message to='${ana.bare}' type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'>
        <items node='${microblog}'><item id='forged' publisher='${bob.bare}'><entry xmlns='http://www.w3.org/2005/Atom'>
        <title>forged</title><author><uri>xmpp:${bob.bare}</uri></author></entry></item></items></event></message>`,
    );
    // Nor one of the clients there: the service is the account (XEP-0163 §4.3.1).
    bob.sends(
      `<message to='${ana.bare}' type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'>
        <items node='${microblog}'><item id='forged'><entry xmlns='http://www.w3.org/2005/Atom'>
        <title>forged</title></entry></item></items></event></message>`,
    );
    await stage.settle();
    ignoreEvents(ana, bob);
    await ana.receivesNothing();
    assert.deepEqual(await texts(stage, ana), ["x"]);
  });
});

const houses = { here: { ana: {} }, there: { bob: {} } } as const;

describe("across two servers", () => {
  test("a post, an edit and a deletion arrive, and unfollowing ends it", async (t) => {
    await using net = await world(t, houses);
    const { ana, bob } = net.actors;
    const { there, here } = net.stages;
    await post(there, bob, "before");
    assert.equal(await answer(ana, `follow ${bob.bare}`), `You follow ${bob.bare} now.`);
    assert.equal(await answer(bob, "followers"), ana.bare);
    const tea = await post(there, bob, "Tea");
    await hears(ana, `${bob.bare}: Tea\n${there.node.posts.permalink(tea)}`);
    const author = parseJid(bob.bare)!;
    await there.node.posts.edit({ author, id: tea.id, text: "Coffee" });
    await hears(ana, `${bob.bare}: Coffee\n${there.node.posts.permalink(tea)}`);
    await there.node.posts.remove({ author, id: tea.id });
    await hears(ana, `${bob.bare} deleted a post.`);
    assert.deepEqual(await texts(here, ana), ["before"]);
    await answer(ana, `unfollow ${bob.bare}`);
    assert.equal(await answer(bob, "followers"), "Nobody follows you yet.");
    ignoreEvents(ana, bob);
    await post(there, bob, "unheard");
    await net.settle();
    await ana.receivesNothing();
  });

  test("an item of which only the id is told is fetched", async (t) => {
    await using net = await world(t, houses);
    const { ana, bob } = net.actors;
    const { there, here } = net.stages;
    await post(there, bob, "before");
    const owner = "http://jabber.org/protocol/pubsub#owner";
    await bob.asks(
      `<iq type='set'><pubsub xmlns='${owner}'><configure node='${microblog}'><x xmlns='jabber:x:data' type='submit'>
        <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#node_config</value></field>
        <field var='pubsub#deliver_payloads'><value>0</value></field></x></configure></pubsub></iq>`,
      "<iq type='result'/>",
    );
    await answer(ana, `follow ${bob.bare}`);
    const { id } = await post(there, bob, "Tea");
    assert.match(childText(await hears(ana), "body")!, /: Tea\n/);
    assert.deepEqual(await texts(here, ana), ["Tea", "before"]);
    const event = await ana.receives(`<message type='headline' from='${bob.bare}'/>`);
    assert(event.toString().includes(id) && !event.toString().includes("Tea"), event.toString());
    ignoreEvents(bob);
  });

  test("somebody whose server is away is followed once it is back", async (t) => {
    await using net = await world(t, houses);
    const { ana, bob } = net.actors;
    const { there, here } = net.stages;
    await post(there, bob, "before");
    await there.stops();
    assert.match(
      await answer(ana, `follow ${bob.bare}`),
      /^You will follow bob@there.example, but not yet: .* tried again/,
    );
    assert.match(await answer(ana, "following"), /^bob@there.example \(not yet: /);
    await there.starts();
    const back = await there.login("bob");
    // Whoever is heard of can be reached.
    back.sends(`<message to='${ana.bare}' type='chat'><body>I am back</body></message>`);
    await ana.receives("<message><body>I am back</body></message>");
    while ((await answer(ana, "following")) !== bob.bare) await net.settle();
    const tea = await post(there, back, "Tea");
    await hears(ana, `${bob.bare}: Tea\n${there.node.posts.permalink(tea)}`);
    assert.deepEqual(await texts(here, ana), ["Tea", "before"]);
    ignoreEvents(ana, back);
  });

  test("what was written while this server was away is there when it is back, in order, each once", async (t) => {
    await using net = await world(t, houses);
    const { ana, bob } = net.actors;
    const { there, here } = net.stages;
    await post(there, bob, "before");
    await answer(ana, `follow ${bob.bare}`);
    await here.stops();
    const written = Array.from({ length: 45 }, (_, at) => `post ${at}`);
    for (const text of written) await post(there, bob, text);
    await there.settle();
    // Bob's server forgets what it could not send, as others do.
    await there.node.store.transaction(async (tx) => void (await tx.db.delete(tx.t.outbound)));
    await here.starts();
    const back = await here.login("ana");
    await here.node.follows.hasten(undefined, true);
    for (const text of written) {
      const body = childText(await hears(back), "body")!;
      assert(body.startsWith(`${bob.bare}: ${text}\n`), body);
    }
    await net.settle();
    ignoreEvents(back, bob);
    await back.receivesNothing();
    assert.deepEqual((await texts(here, back)).toReversed(), ["before", ...written]);
  });

  test("what a server has kept for this one comes in order, each once", async (t) => {
    await using net = await world(t, houses);
    const { ana, bob } = net.actors;
    const { there, here } = net.stages;
    await post(there, bob, "before");
    await answer(ana, `follow ${bob.bare}`);
    await here.stops();
    const written = Array.from({ length: 150 }, (_, at) => `post ${at}`);
    for (const text of written) await post(there, bob, text);
    await here.starts();
    const back = await here.login("ana", { presence: false });
    let missing = written.length;
    const complete = new Promise<void>((resolve) => {
      here.node.events.on("timeline.changed", () => void ((missing -= 1) === 0 && resolve()));
    });
    // Whoever is heard of can be reached.
    back.sends(`<message to='${bob.bare}' type='chat'><body>I am back</body></message>`);
    await bob.receives("<message><body>I am back</body></message>");
    await complete;
    ignoreEvents(back, bob);
    const all = (await here.node.timeline.page(back.bare, 200)).entries.map(({ text }) => text);
    assert.deepEqual(all.toReversed(), ["before", ...written]);
  });
});
