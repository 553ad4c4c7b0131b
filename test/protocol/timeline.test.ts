/** `timeline@<domain>`: to write a message is to publish, to correct it to edit, to retract it to delete. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseJid } from "../../src/xmpp/jid.ts";
import { attr, childText, type Element } from "../../src/xmpp/xml.ts";
import { cast, type Actor, type Stage } from "../support/cast.ts";
import { readElement } from "../support/reader.ts";

const timeline = "timeline@pipit.test";
const stanzas = "urn:ietf:params:xml:ns:xmpp-stanzas";
const answer = (body: string, type = "type='chat'"): string =>
  `<message from='${timeline}' ${type}><body>${body}</body></message>`;
const refusal = (condition: string, text = "{any}"): string =>
  `<message type='error' from='${timeline}'><error><${condition} xmlns='${stanzas}'/><text xmlns='${stanzas}'>${text}</text></error></message>`;

let count = 0;

/** Writes to the timeline and returns the id of the message. */
function says(actor: Actor, inside: string, attrs = "type='chat'"): string {
  const id = `message-${(count += 1)}`;
  actor.sends(`<message to='${timeline}' id='${id}' ${attrs}>${inside}</message>`);
  return id;
}
const body = (text: string): string => `<body>${text}</body>`;
const replace = (id: string): string => `<replace id='${id}' xmlns='urn:xmpp:message-correct:0'/>`;
const retract = (id: string): string =>
  `<retract id='${id}' xmlns='urn:xmpp:message-retract:1'/><fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:message-retract:1'/>` +
  `${body("/me retracted a previous message")}<store xmlns='urn:xmpp:hints'/>`;

/** What there is to read, newest first. */
const texts = async (stage: Stage): Promise<string[]> =>
  (await stage.node.posts.page({ limit: 100 })).posts.map(({ text }) => text);

const permalinkIn = (message: Element): string =>
  /https?:\S+$/.exec(childText(message, "body") ?? "")?.[0] ?? "";

describe("a message to the timeline", () => {
  test("is published, and answered with where it is", async (t) => {
    await using stage = await cast(t, { ana: {}, bob: {} });
    const { ana, bob } = stage.actors;
    says(ana, body("Tea and XML #xmpp"));
    const said = await ana.receives(answer("{any}"));
    const [post] = (await stage.node.posts.page({ limit: 1 })).posts;
    assert.equal(childText(said, "body"), `Posted: ${stage.config.url}/@ana/${post!.id}`);
    assert.deepEqual([post!.author, post!.text, post!.tags], [ana.bare, "Tea and XML #xmpp", ["xmpp"]]);
    assert.match(post!.id, /^tea-and-xml-xmpp-[a-z0-9]{6}$/);
    // Whoever knows of the answer may refer to it.
    assert.equal(attr(said, "to"), ana.full);
    assert(attr(said, "id"));
    await bob.receivesNothing();
  });

  test("is answered in its own type and thread, by its own resource", async (t) => {
    await using stage = await cast(t, { ana: {} });
    const { ana } = stage.actors;
    const other = await stage.login("ana", { resource: "desk" });
    says(ana, `${body("one")}<thread>t1</thread>`, "");
    await ana.receives(
      `<message from='${timeline}' to='${ana.full}' type='{none}'><body>{any}</body><thread>t1</thread></message>`,
    );
    says(ana, body("two"), "type='normal' xml:lang='de'");
    await ana.receives(answer("{any}", "type='normal'"));
    await other.receivesNothing();
    assert.equal((await stage.node.posts.page({ limit: 1 })).posts[0]!.language, "de");
  });

  test("is on disk before the answer comes", async (t) => {
    await using stage = await cast(t, { ana: {} });
    says(stage.actors.ana, body("durable"));
    await stage.actors.ana.receives(answer("{any}"));
    assert.deepEqual(await texts(stage), ["durable"]);
  });

  test("is published once, however often the client sends it", async (t) => {
    await using stage = await cast(t, { ana: {} });
    const { ana } = stage.actors;
    const message = `<message to='${timeline}' id='same' type='chat'><body>once</body><origin-id xmlns='urn:xmpp:sid:0' id='o'/></message>`;
    ana.sends(message + message);
    const [first, second] = [await ana.receives(answer("{any}")), await ana.receives(answer("{any}"))];
    assert.equal(permalinkIn(first), permalinkIn(second));
    await stage.restarts();
    const again = await stage.login("ana");
    again.sends(message);
    assert.equal(permalinkIn(await again.receives(answer("{any}"))), permalinkIn(first));
    again.sends(message.replace("once", "another one"));
    await again.receives(answer("{any}"));
    assert.deepEqual(await texts(stage), ["another one", "once"]);
  });

  test("need not have an id", async (t) => {
    await using stage = await cast(t, { ana: {} });
    stage.actors.ana.sends(`<message to='${timeline}' type='chat'><body>a</body></message>`.repeat(2));
    await stage.actors.ana.receives(answer("{any}"));
    await stage.actors.ana.receives(answer("{any}"));
    assert.deepEqual(await texts(stage), ["a", "a"]);
  });

  test("is refused with the reason where it cannot be a post", async (t) => {
    await using stage = await cast(t, { ana: {} });
    const { ana } = stage.actors;
    says(ana, body("x".repeat(16_385)));
    await ana.receives(refusal("not-acceptable", "A post has at most 16,384 characters"));
    says(ana, body(" \u200b "));
    await ana.receives(refusal("not-acceptable"));
    assert.deepEqual(await texts(stage), []);
    says(ana, body("x".repeat(16_384)));
    await ana.receives(answer("{any}"));
  });

  test("is refused where it is encrypted, instead of publishing the note that says so", async (t) => {
    await using stage = await cast(t, { ana: {} });
    const { ana } = stage.actors;
    for (const hidden of [
      `<encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs.conversations.axolotl'/>${body("OMEMO")}`,
      `<encrypted xmlns='urn:xmpp:omemo:2'/>${body("I sent you an OMEMO encrypted message")}`,
      `<encrypted xmlns='eu.siacs.conversations.axolotl'/>`,
      body("?OTR:AAMD"),
    ]) {
      says(ana, hidden);
      await ana.receives(refusal("not-acceptable"));
    }
    assert.deepEqual(await texts(stage), []);
  });

  test("is none where it only accompanies messages", async (t) => {
    await using stage = await cast(t, { ana: {} });
    const { ana } = stage.actors;
    for (const inside of [
      "",
      "<body/>",
      "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
      "<received xmlns='urn:xmpp:receipts' id='x'/>",
      "<displayed xmlns='urn:xmpp:chat-markers:0' id='x'/>",
      `<reactions xmlns='urn:xmpp:reactions:0' id='x'><reaction>🫖</reaction></reactions><fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reactions:0'><body/></fallback>${body("🫖")}`,
      "<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'>x</body></html>",
      "<subject>x</subject>",
    ]) {
      says(ana, inside);
    }
    says(ana, body("x"), "type='headline'");
    says(ana, `${body("x")}<error/>`, "type='error'");
    await ana.receivesNothing();
    assert.deepEqual(await texts(stage), []);
  });

  test("counts by its body, whatever else says the same", async (t) => {
    await using stage = await cast(t, { ana: {} });
    const { ana } = stage.actors;
    says(
      ana,
      `${body("plain")}<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'><b>rich</b></body></html>`,
    );
    await ana.receives(answer("{any}"));
    const url = "https://upload.example/a.jpg";
    says(ana, `${body(url)}<x xmlns='jabber:x:oob'><url>${url}</url></x>`);
    await ana.receives(answer("{any}"));
    assert.deepEqual(await texts(stage), [url, "plain"]);
  });

  test("keeps every character that can be kept", async (t) => {
    await using stage = await cast(t, { ana: {} });
    const { ana } = stage.actors;
    const hostile = "]]&gt; &lt;script&gt;alert(1)&lt;/script&gt; &amp;amp; 👩‍👩‍👧‍👦 \u202eevil\u202c שלום e\u0301";
    says(ana, body(hostile));
    await ana.receives(answer("{any}"));
    const [post] = (await stage.node.posts.page({ limit: 1 })).posts;
    assert.equal(post!.text, "]]> <script>alert(1)</script> &amp; 👩‍👩‍👧‍👦 evil שלום é");
    assert.doesNotMatch(post!.html, /<script/);
    says(ana, body(Array.from({ length: 2_000 }, (_, at) => `#t${at}`).join(" ")));
    await ana.receives(answer("{any}"));
    assert.equal((await stage.node.posts.page({ limit: 1 })).posts[0]!.tags.length, 32);
  });
});

describe("help", () => {
  test("is an answer and no post, in any case, when it stands alone", async (t) => {
    await using stage = await cast(t, { ana: {} });
    const { ana } = stage.actors;
    for (const word of ["help", "HELP", " Help\n"]) {
      says(ana, body(word));
      const said = childText(await ana.receives(answer("{any}")), "body")!;
      for (const told of ["published", "Markdown", "Correct", "retract", "help"])
        assert(said.includes(told), told);
    }
    assert.deepEqual(await texts(stage), []);
    for (const post of ["help me find some tea", "/help", "help!"]) {
      says(ana, body(post));
      await ana.receives(answer("{any}"));
    }
    assert.deepEqual(await texts(stage), ["help!", "/help", "help me find some tea"]);
  });
});

describe("a corrected message (XEP-0308)", () => {
  test("edits the post, as often as it is corrected, by any of its ids", async (t) => {
    await using stage = await cast(t, { ana: {} });
    const { ana } = stage.actors;
    const first = says(ana, `${body("Tee #a")}<origin-id xmlns='urn:xmpp:sid:0' id='origin-1'/>`);
    const link = permalinkIn(await ana.receives(answer("{any}")));
    const second = says(ana, body("Teа #b") + replace(first));
    assert.equal(childText(await ana.receives(answer("{any}")), "body"), `Edited: ${link}`);
    // §5: the first id is the right one; clients were seen to send the latest, and XEP-0359's.
    for (const [id, text] of [
      [first, "Tea #c"],
      [second, "Tea #d"],
      ["origin-1", "Tea #e"],
    ] as const) {
      says(ana, body(text) + replace(id));
      assert.equal(permalinkIn(await ana.receives(answer("{any}"))), link);
      const [post, ...others] = (await stage.node.posts.page({ limit: 10 })).posts;
      assert.deepEqual([post!.text, others], [text, []]);
    }
    const [post] = (await stage.node.posts.page({ limit: 1 })).posts;
    assert.deepEqual(post!.tags, ["e"]);
    assert(post!.updatedAt > post!.publishedAt);
    assert.deepEqual((await stage.node.posts.page({ tag: "a", limit: 1 })).posts, []);
  });

  test("edits after a restart, and from another client", async (t) => {
    await using stage = await cast(t, { ana: {} });
    const id = says(stage.actors.ana, body("one"));
    await stage.actors.ana.receives(answer("{any}"));
    await stage.restarts();
    const desk = await stage.login("ana", { resource: "desk" });
    says(desk, body("two") + replace(id));
    await desk.receives(answer("{any}"));
    assert.deepEqual(await texts(stage), ["two"]);
    says(desk, retract(id));
    await desk.receives(answer("Deleted."));
    assert.deepEqual(await texts(stage), []);
  });

  test("is the first version where there is no post yet", async (t) => {
    await using stage = await cast(t, { ana: {} });
    const { ana } = stage.actors;
    const refused = says(ana, body("x".repeat(16_385)));
    await ana.receives(refusal("not-acceptable"));
    says(ana, body("short") + replace(refused));
    await ana.receives(answer("{any}"));
    says(ana, body("shorter") + replace(refused));
    await ana.receives(answer("{any}"));
    assert.deepEqual(await texts(stage), ["shorter"]);
  });

  test("is refused where it says too much, and the post stays", async (t) => {
    await using stage = await cast(t, { ana: {} });
    const { ana } = stage.actors;
    const id = says(ana, body("fine"));
    await ana.receives(answer("{any}"));
    says(ana, body("x".repeat(16_385)) + replace(id));
    await ana.receives(refusal("not-acceptable"));
    assert.deepEqual(await texts(stage), ["fine"]);
  });

  test("changes nobody else's post", async (t) => {
    await using stage = await cast(t, { ana: {}, bob: {} });
    const { ana, bob } = stage.actors;
    const id = says(ana, body("mine"));
    await ana.receives(answer("{any}"));
    says(bob, body("yours") + replace(id));
    await bob.receives(answer("{any}"));
    says(bob, retract(says(ana, body("mine too"))));
    await ana.receives(answer("{any}"));
    await bob.receives(refusal("item-not-found"));
    assert.deepEqual((await texts(stage)).toSorted(), ["mine", "mine too", "yours"]);
  });
});

describe("a retracted message (XEP-0424)", () => {
  test("deletes the post, and says so when it is asked again", async (t) => {
    await using stage = await cast(t, { ana: {} });
    const { ana } = stage.actors;
    const id = says(ana, body("oops"));
    const [, post] = /\/@ana\/(.*)$/.exec(permalinkIn(await ana.receives(answer("{any}"))))!;
    for (let times = 0; times < 2; times += 1) {
      says(ana, retract(id));
      await ana.receives(answer("Deleted."));
    }
    assert.deepEqual(await texts(stage), []);
    const gone = (await stage.node.posts.find(ana.bare, post!))!;
    assert.deepEqual([gone.text, gone.deletedAt !== undefined], ["", true]);
    says(ana, body("again") + replace(id));
    await ana.receives(refusal("item-not-found"));
  });

  test("may be the correction, or come in the words of version 0.3", async (t) => {
    await using stage = await cast(t, { ana: {} });
    const { ana } = stage.actors;
    const first = says(ana, body("a"));
    await ana.receives(answer("{any}"));
    const second = says(ana, body("b") + replace(first));
    await ana.receives(answer("{any}"));
    says(ana, retract(second));
    await ana.receives(answer("Deleted."));
    says(ana, `${body("c")}<origin-id xmlns='urn:xmpp:sid:0' id='o9'/>`);
    await ana.receives(answer("{any}"));
    says(
      ana,
      `<apply-to xmlns='urn:xmpp:fasten:0' id='o9'><retract xmlns='urn:xmpp:message-retract:0'/></apply-to>${body("This person attempted to retract a previous message")}`,
    );
    await ana.receives(answer("Deleted."));
    assert.deepEqual(await texts(stage), []);
  });

  test("of something that was no post is refused", async (t) => {
    await using stage = await cast(t, { ana: {} });
    const { ana } = stage.actors;
    const id = says(ana, body("help"));
    await ana.receives(answer("{any}"));
    says(ana, retract(id));
    await ana.receives(refusal("item-not-found"));
    says(ana, "<retract xmlns='urn:xmpp:message-retract:1'/>");
    await ana.receives(refusal("item-not-found"));
  });
});

describe("the contact", () => {
  test("can be added, is there, and is there again at the next login", async (t) => {
    await using stage = await cast(t, { ana: {} });
    const { ana } = stage.actors;
    await ana.asks("<iq type='get'><query xmlns='jabber:iq:roster'/></iq>", "<iq type='result'/>");
    ana.sends(`<presence type='subscribe' to='${timeline}'/>`);
    const push = (subscription: string) =>
      `<iq type='set'><query xmlns='jabber:iq:roster'><item jid='${timeline}' subscription='${subscription}'/></query></iq>`;
    await ana.receives(push("none"));
    await ana.receives(push("to"));
    await ana.receives(`<presence type='subscribed' from='${timeline}'/>`);
    await ana.receives(`<presence from='${timeline}/pipit'><status>{any}</status></presence>`);

    const desk = await stage.login("ana", { resource: "desk", presence: false });
    desk.sends("<presence/>");
    await desk.receives(`<presence from='${timeline}/pipit'><status>{any}</status></presence>`);
    await ana.receives(`<presence from='${desk.full}'/>`);
    await desk.receives(`<presence from='${desk.full}'/>`);
    await desk.receives(`<presence from='${ana.full}'/>`);

    ana.sends(`<presence type='unsubscribe' to='${timeline}'/>`);
    await ana.receives(push("none"));
    await ana.receives(`<presence type='unavailable' from='${timeline}/pipit'/>`);
    await desk.receives(`<presence type='unavailable' from='${timeline}/pipit'/>`);
  });

  test("says what it is", async (t) => {
    await using stage = await cast(t, { ana: {} });
    const { ana } = stage.actors;
    const info = (features: string) =>
      `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'><identity category='client' type='bot' name='Timeline'/>${features}</query></iq>`;
    const features = [
      "urn:xmpp:message-correct:0",
      "urn:xmpp:message-retract:1",
      "vcard-temp",
      "http://jabber.org/protocol/disco#info",
    ];
    for (const to of [timeline, `${timeline}/pipit`]) {
      await ana.asks(
        `<iq type='get' to='${to}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`,
        info(features.map((one) => `<feature var='${one}'/>`).join("")),
      );
      await ana.asks(
        `<iq type='get' to='${to}'><vCard xmlns='vcard-temp'/></iq>`,
        "<iq type='result'><vCard xmlns='vcard-temp'><FN>Timeline</FN><DESC>{any}</DESC></vCard></iq>",
      );
    }
    await ana.asks(`<iq type='set' to='${timeline}'><vCard xmlns='vcard-temp'/></iq>`, "<iq type='error'/>");
  });

  test("is nobody's account", async (t) => {
    await using stage = await cast(t, { ana: {} });
    await assert.rejects(stage.node.accounts.add(parseJid(timeline)!, "password"), /reserved/);
  });

  test("publishes for the accounts of the node and for nobody else", async (t) => {
    await using stage = await cast(t, { ana: {} });
    const service = stage.node.registry.services.get(timeline)!;
    const to = parseJid(timeline)!;
    for (const address of ["eve@elsewhere.test/x", "nobody@pipit.test/x", "pipit.test"]) {
      const stanza = readElement(
        `<message from='${address}' to='${timeline}' type='chat' id='m'><body>spam</body></message>`,
      );
      const passage = {
        stanza,
        direction: "in",
        from: parseJid(address)!,
        to,
        account: timeline,
        session: undefined,
      } as const;
      await assert.rejects(async () => service.message!(passage), { condition: "forbidden" });
    }
    assert.deepEqual(await texts(stage), []);
  });
});
