/** Posts through their doors: an iq publish, a message to the timeline, and the domain itself (what `pipit post` calls). */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseJid } from "../../src/xmpp/jid.ts";
import { attr, child, children, serialize, type Element } from "../../src/xmpp/xml.ts";
import { cast, type Actor, type Stage } from "../support/cast.ts";

const pubsub = "http://jabber.org/protocol/pubsub";
const node = "urn:xmpp:microblog:0";
const atom = "http://www.w3.org/2005/Atom";
const timeline = "timeline@pipit.test";

const entry = (inside: string): string => `<entry xmlns='${atom}'>${inside}</entry>`;
const publish = (id: string | undefined, payload: string, options = ""): string =>
  `<iq type='set'><pubsub xmlns='${pubsub}'><publish node='${node}'><item${id === undefined ? "" : ` id='${id}'`}>${payload}</item></publish>${options}</pubsub></iq>`;
const retract = (id: string): string =>
  `<iq type='set'><pubsub xmlns='${pubsub}'><retract node='${node}' notify='true'><item id='${id}'/></retract></pubsub></iq>`;
const result = "<iq type='result'/>";
const options = (fields: Record<string, string>): string =>
  `<publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>${pubsub}#publish-options</value></field>` +
  Object.entries(fields)
    .map(([name, value]) => `<field var='pubsub#${name}'><value>${value}</value></field>`)
    .join("") +
  "</x></publish-options>";

/** The items of somebody's blog, newest first, as `reader` gets them. */
async function items(reader: Actor, owner: string): Promise<Element[]> {
  const reply = await reader.asks(
    `<iq type='get' to='${owner}'><pubsub xmlns='${pubsub}'><items node='${node}'/></pubsub></iq>`,
    result,
  );
  return children(children(children(reply)[0]!)[0]!);
}
/** The owner hears of the new reader, as `notify_sub` says. */
async function follow(follower: Actor, owner: Actor): Promise<void> {
  const subscribe = `<subscribe node='${node}' jid='${follower.bare}'/>`;
  await follower.asks(
    `<iq type='set' to='${owner.bare}'><pubsub xmlns='${pubsub}'>${subscribe}</pubsub></iq>`,
    result,
  );
  await owner.receives(
    `<message from='${owner.bare}'><event xmlns='${pubsub}#event'><subscription jid='${follower.bare}'/></event></message>`,
  );
}

/** An entry without what differs from post to post. */
const anonymous = (item: Element, id: string): string =>
  serialize(child(item, "entry", atom)!)
    .replaceAll(id, "ID")
    .replace(/<(published|updated)>[^<]*/g, "<$1>")
    .replace(/<generator.*<\/generator>/, "");

describe("the doors", () => {
  test("lead to the same item", async (t) => {
    await using stage = await cast(t, { ana: {}, bob: {} });
    const { ana, bob } = stage.actors;
    for (const [text, xml] of [
      ["Tea #xmpp", "Tea #xmpp"],
      ["Tea *and*\n\n- XML & <b>", "Tea *and*\n\n- XML &amp; &lt;b&gt;"],
    ] as const) {
      ana.sends(`<message to='${timeline}' type='chat'><body>${xml}</body></message>`);
      await ana.receives(`<message from='${timeline}'/>`);
      await ana.asks(publish(undefined, entry(`<content>${xml}</content>`)), result);
      await ana.asks(
        publish(undefined, entry(`<title type='text'/><content type='text'>${xml}</content>`)),
        result,
      );
      await stage.node.posts.create({ author: parseJid(ana.bare)!, text });
      const four = (await items(bob, ana.bare)).slice(0, 4);
      const shapes = new Set(four.map((item) => anonymous(item, attr(item, "id")!)));
      assert.equal(shapes.size, 1, [...shapes].join("\n"));
      for (const item of four) {
        assert.equal(attr(item, "publisher"), ana.bare);
        assert.match(attr(item, "id")!, /^tea[a-z-]*-[a-z0-9]{6}$/);
      }
    }
  });

  test("lead to the pages, edited and deleted by any of them", async (t) => {
    await using stage = await cast(t, { ana: {} });
    const { ana } = stage.actors;
    ana.sends(`<message to='${timeline}' type='chat' id='m1'><body>one</body></message>`);
    await ana.receives(`<message from='${timeline}'/>`);
    const { id } = (await stage.node.posts.page({ limit: 1 })).posts[0]!;
    await ana.asks(publish(id, entry("<title>two</title>")), result);
    assert.equal((await stage.node.posts.find(ana.bare, id))?.text, "two");
    ana.sends(
      `<message to='${timeline}' type='chat' id='m2'><body>three</body><replace id='m1' xmlns='urn:xmpp:message-correct:0'/></message>`,
    );
    await ana.receives(`<message from='${timeline}'/>`);
    assert.equal((await stage.node.posts.find(ana.bare, id))?.text, "three");
    await ana.asks(retract(id), result);
    assert((await stage.node.posts.find(ana.bare, id))?.deletedAt);
    ana.sends(
      `<message to='${timeline}' type='chat' id='m3'><retract id='m1' xmlns='urn:xmpp:message-retract:1'/></message>`,
    );
    await ana.receives(`<message from='${timeline}'><body>Deleted.</body></message>`);
  });
});

describe("followers", () => {
  test("get the canonical entry, its edits and its end", async (t) => {
    await using stage = await cast(t, { ana: {}, bob: {} });
    const { ana, bob } = stage.actors;
    await ana.asks(publish("tea-123456", entry("<content>Tea</content>")), result);
    await follow(bob, ana);
    const event = (inside: string) =>
      `<message type='headline' from='${ana.bare}' to='${bob.bare}'><event xmlns='${pubsub}#event'><items node='${node}'>${inside}</items></event></message>`;
    const item = (title: string) =>
      `<item id='tea-123456' publisher='${ana.bare}'><entry xmlns='${atom}'><title type='text'>${title}</title><updated>{any}</updated><author><uri>xmpp:${ana.bare}</uri></author>` +
      `<link rel='alternate' type='text/html' href='${stage.config.url}/@ana/tea-123456'/></entry></item>`;
    ana.sends(
      publish("tea-123456", entry("<title/><content>Tea for two</content>")).replace("<iq", "<iq id='p'"),
    );
    await bob.receives(event(item("Tea for two")));
    await ana.receives("<iq type='result' id='p'/>");
    await ana.asks(retract("tea-123456"), result);
    await bob.receives(event("<retract id='tea-123456'/>"));
  });

  test("do not hear of Movim's probe (test_post, test_node)", async (t) => {
    await using stage = await cast(t, { ana: {}, bob: {} });
    const { ana, bob } = stage.actors;
    await ana.asks(publish("tea-123456", entry("<title>Tea</title>")), result);
    await follow(bob, ana);
    await ana.asks(publish("test_post", entry("")), result);
    await ana.asks(retract("test_post"), result);
    await ana.asks(
      `<iq type='set'><pubsub xmlns='${pubsub}'><create node='test_node'/></pubsub></iq>`,
      result,
    );
    await ana.asks(
      `<iq type='set'><pubsub xmlns='${pubsub}#owner'><delete node='test_node'/></pubsub></iq>`,
      result,
    );
    await bob.receivesNothing();
    assert.deepEqual(
      (await items(bob, ana.bare)).map((item) => attr(item, "id")),
      ["tea-123456"],
    );
    assert.equal((await stage.node.posts.feedState({}))?.changes, 1);
  });
});

describe("what clients publish", () => {
  test("with the options of Movim, of Converse, and with some that nobody knows", async (t) => {
    await using stage = await cast(t, { ana: {}, bob: {}, cy: {} });
    const { ana, bob, cy } = stage.actors;
    const movim = {
      persist_items: "true",
      max_items: "max",
      itemreply: "publisher",
      notify_retract: "true",
      notify_sub: "true",
    };
    const converse = {
      access_model: "open",
      persist_items: "true",
      max_items: "max",
      itemreply: "publisher",
      notify_retract: "true",
      send_last_published_item: "never",
      deliver_payloads: "true",
    };
    await ana.asks(publish("a-123456", entry("<title>a</title>"), options(movim)), result);
    await bob.asks(publish("b-123456", entry("<title>b</title>"), options(converse)), result);
    await cy.asks(publish("c-123456", entry("<title>c</title>"), options({ "no-such-thing": "1" })), result);
    for (const actor of [ana, bob, cy])
      await actor.asks(publish("x-123456", entry("<title>x</title>"), options(movim)), result);
    assert.equal((await stage.node.posts.page({ limit: 10 })).posts.length, 6);
  });

  test("makes a node that everybody reads, and that keeps everything", async (t) => {
    await using stage = await cast(t, { ana: {}, bob: {} });
    const { ana, bob } = stage.actors;
    for (let at = 0; at < 30; at += 1)
      await ana.asks(publish(`p-${at}-123456`, entry(`<title>${at}</title>`)), result);
    assert.equal((await items(bob, ana.bare)).length, 30);
    const field = (name: string, value: string) =>
      `<field var='pubsub#${name}'><value>${value}</value></field>`;
    await ana.asks(
      `<iq type='get'><pubsub xmlns='${pubsub}#owner'><configure node='${node}'/></pubsub></iq>`,
      `<iq type='result'><pubsub xmlns='${pubsub}#owner'><configure node='${node}'><x xmlns='jabber:x:data' type='form'>` +
        field("access_model", "open") +
        field("persist_items", "true") +
        field("max_items", "max") +
        field("itemreply", "publisher") +
        field("notify_retract", "true") +
        field("notify_sub", "true") +
        field("send_last_published_item", "never") +
        field("deliver_payloads", "true") +
        field("type", node) +
        "</x></configure></pubsub></iq>",
    );
  });

  test("is refused with the reason, and nothing of it stays", async (t) => {
    await using stage = await cast(t, { ana: {} });
    const { ana } = stage.actors;
    const stanzas = "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'";
    const error = (condition: string, app = "") =>
      `<iq type='error'><error><${condition} ${stanzas}/>${app && `<${app} xmlns='${pubsub}#errors'/>`}</error></iq>`;
    await ana.asks(
      publish("a", entry("<title>x</title>".replace("x", "x".repeat(16_385)))),
      error("not-acceptable"),
    );
    await ana.asks(
      publish("a", entry(`<title>x</title><thing xmlns='urn:x'>${"x".repeat(65_536)}</thing>`)),
      error("not-acceptable", "payload-too-big"),
    );
    await ana.asks(publish("a", entry("<title/>")), error("not-acceptable"));
    await ana.asks(publish("a", "<thing xmlns='urn:x'/>"), error("bad-request", "invalid-payload"));
    await ana.asks(publish("a", ""), error("bad-request", "payload-required"));
    assert.deepEqual((await stage.node.posts.page({ limit: 1 })).posts, []);
  });

  test("can be only for some, and no address on the web gives it away", async (t) => {
    await using stage = await cast(t, { ana: {}, bob: {}, eve: {} }, { friends: [["ana", "bob"]] });
    const { ana, bob, eve } = stage.actors;
    await ana.asks(
      publish("a-123456", entry("<title>a</title>"), options({ access_model: "presence" })),
      result,
    );
    assert.doesNotMatch(serialize((await items(bob, ana.bare))[0]!), /https?:\/\/[^"]*@ana/);
    await eve.asks(
      `<iq type='get' to='${ana.bare}'><pubsub xmlns='${pubsub}'><items node='${node}'/></pubsub></iq>`,
      "<iq type='error'/>",
    );
    const sees = async (viewer?: Actor) =>
      (await stage.node.posts.page({ viewer: viewer && parseJid(viewer.bare)!, limit: 1 })).posts.length;
    assert.deepEqual([await sees(), await sees(eve), await sees(bob), await sees(ana)], [0, 0, 1, 1]);
    ana.sends(`<message to='${timeline}' type='chat'><body>b</body></message>`);
    await ana.receives(
      `<message from='${timeline}'><body>Posted. Only those who may read your blog see it.</body></message>`,
    );
  });
});

describe("an account with a blog", () => {
  test("says so", async (t) => {
    await using stage = await cast(t, { ana: {} });
    await stage.actors.ana.asks(
      "<iq type='get'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
      `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'><identity category='account' type='registered'/>` +
        `<feature var='${node}'/><feature var='urn:xmpp:pubsub-social-feed:1'/></query></iq>`,
    );
  });

  test("takes its posts along when it goes", async (t) => {
    await using stage: Stage<"ana" | "bob"> = await cast(t, { ana: {}, bob: {} });
    const { ana, bob } = stage.actors;
    await ana.asks(publish("a-123456", entry("<title>a</title>")), result);
    const home = ana.bare;
    await stage.node.accounts.remove(parseJid(home)!);
    await ana.receives("<error xmlns='http://etherx.jabber.org/streams'/>");
    await bob.asks(
      `<iq type='get' to='${home}'><pubsub xmlns='${pubsub}'><items node='${node}'/></pubsub></iq>`,
      "<iq type='error'/>",
    );
    await bob.receivesNothing();
    assert.deepEqual((await stage.node.posts.page({ limit: 1 })).posts, []);
    assert((await stage.node.posts.find(home, "a-123456"))?.deletedAt);
  });
});
