/** The one door to posts, on the real engine and the real store. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { pino } from "pino";
import { Posts, pageMaximum, type Post } from "../../src/domain/posts.ts";
import type { DomainEvents } from "../../src/domain/events.ts";
import { Events } from "../../src/events.ts";
import type { PubSubEvents } from "../../src/pubsub/events.ts";
import { PubSub } from "../../src/pubsub/pubsub.ts";
import { openStore } from "../../src/store/sqlite.ts";
import { parseForm } from "../../src/xmpp/dataform.ts";
import { StanzaError } from "../../src/xmpp/errors.ts";
import { parseJid } from "../../src/xmpp/jid.ts";
import { NS } from "../../src/xmpp/ns.ts";
import { parseElement } from "../../src/xmpp/parser.ts";
import { serialize } from "../../src/xmpp/xml.ts";

const ana = parseJid("ana@a.example")!;
const bob = parseJid("bob@a.example")!;
const eve = parseJid("eve@b.example")!;

const is = (condition: string) => (error: unknown) =>
  error instanceof StanzaError && error.condition === condition;

function house(t: TestContext, file = join(mkdtempSync(join(tmpdir(), "pipit-posts-")), "pipit.db")) {
  const log = pino({ level: "silent" });
  const store = openStore(file, { log });
  const events = new Events<DomainEvents & PubSubEvents>(log);
  /** Bob sees Ana's presence, Eve does not. */
  const contacts = {
    isSubscriber: async (owner: string, jid: string) => owner === jid || jid === bob.bare,
    contact: async () => undefined,
    groupsOf: async () => [],
    blocked: async () => undefined,
  };
  const pubsub = new PubSub({ store, events, contacts });
  const config = { domain: "a.example", url: "https://a.example" };
  const posts = new Posts({ config, store, events, pubsub, software: { name: "Pipit", version: "1" } });
  const told: string[] = [];
  events.on(
    "post.published",
    ({ post, created }) => void told.push(`${created ? "created" : "edited"} ${post.text}`),
  );
  events.on(
    "post.deleted",
    ({ author, id }) => void told.push(`deleted ${author} ${id.replace(/-[^-]*$/, "")}`),
  );
  let closed: Promise<void> | undefined;
  const close = () => (closed ??= store.close());
  t.after(async () => {
    await close();
    rmSync(join(file, ".."), { recursive: true, force: true });
  });
  const configure = (owner: typeof ana, value: string, name = "access_model") => {
    const field = `<field var='pubsub#${name}'><value>${value}</value></field>`;
    const form = parseForm(parseElement(`<x xmlns='jabber:x:data' type='submit'>${field}</x>`));
    return pubsub.nodes.configure(owner.bare, NS.microblog, owner, form);
  };
  const stored = async (post: Post) =>
    serialize((await pubsub.item(post.author, NS.microblog, post.id))!.payload!);
  const texts = async (list: Omit<Parameters<Posts["page"]>[0], "limit"> = {}) =>
    (await posts.page({ ...list, limit: 100 })).posts.map(({ text }) => text);
  return { file, store, events, pubsub, posts, told, close, configure, stored, texts };
}

describe("a post", () => {
  test("is created as an item, and can be found", async (t) => {
    const { posts, pubsub, told, stored } = house(t);
    const post = await posts.create({
      author: ana.withResource("phone"),
      text: " Tea *and* XML #xmpp\r\n",
      language: "en",
    });
    assert.equal(post.author, ana.bare);
    assert.match(post.id, /^tea-and-xml-xmpp-[a-z0-9]{6}$/);
    assert.equal(post.atomId, `tag:a.example,${post.publishedAt.toISOString().slice(0, 10)}:${post.id}`);
    assert.deepEqual(
      [post.title, post.titled, post.text, post.html, post.tags, post.language, post.public, post.deletedAt],
      [
        "Tea and XML #xmpp",
        false,
        "Tea *and* XML #xmpp",
        "<p>Tea <em>and</em> XML #xmpp</p>",
        ["xmpp"],
        "en",
        true,
        undefined,
      ],
    );
    assert.deepEqual(await posts.find(ana.bare, post.id), post);
    assert.equal(posts.permalink(post), `https://a.example/@ana/${post.id}`);
    assert.match(await stored(post), /<generator version="1">Pipit<\/generator>/);
    assert.equal((await pubsub.item(ana.bare, NS.microblog, post.id))?.publisher, ana.bare);
    assert.deepEqual(told, ["created Tea *and* XML #xmpp"]);
  });

  test("is edited in its place", async (t) => {
    const { posts, pubsub, told, stored } = house(t);
    const payload = parseElement(
      `<entry xmlns='${NS.atom}'><id>urn:x:1</id><title>Tee #a</title><published>2020-01-01T00:00:00Z</published>` +
        `<link rel='enclosure' href='https://b.example/c'/><geoloc xmlns='http://jabber.org/protocol/geoloc'/></entry>`,
    );
    await pubsub.publish({
      service: ana.bare,
      node: NS.microblog,
      publisher: ana,
      items: [{ id: "tee-123456", payload }],
    });
    const before = (await posts.find(ana.bare, "tee-123456"))!;
    const after = await posts.edit({ author: ana, id: "tee-123456", text: "Tea #b" });
    assert.deepEqual(
      [after.id, after.atomId, after.publishedAt],
      ["tee-123456", "urn:x:1", new Date("2020-01-01T00:00:00Z")],
    );
    assert.deepEqual([after.text, after.tags], ["Tea #b", ["b"]]);
    assert(after.updatedAt > before.updatedAt);
    assert.match(await stored(after), /rel="enclosure".*<geoloc/);
    assert.deepEqual(told, ["created Tee #a", "edited Tea #b"]);
  });

  test("is deleted, and leaves a tombstone without a word", async (t) => {
    const { posts, pubsub, told } = house(t);
    const { id } = await posts.create({ author: ana, text: "Secret #s" });
    await posts.remove({ author: ana, id });
    const gone = (await posts.find(ana.bare, id))!;
    assert.deepEqual([gone.title, gone.text, gone.html, gone.tags], ["", "", "", []]);
    assert(gone.deletedAt);
    assert.equal(await pubsub.item(ana.bare, NS.microblog, id), undefined);
    await posts.remove({ author: ana, id });
    assert.deepEqual(told, ["created Secret #s", "deleted ana@a.example secret-s"]);
    await assert.rejects(posts.edit({ author: ana, id, text: "x" }), is("item-not-found"));
    await assert.rejects(posts.remove({ author: ana, id: "nothing" }), is("item-not-found"));
  });

  test("that comes back keeps its identifier", async (t) => {
    const { posts, pubsub } = house(t);
    const first = await posts.create({ author: ana, text: "x" });
    await posts.remove({ author: ana, id: first.id });
    const payload = parseElement(`<entry xmlns='${NS.atom}'><id>urn:other</id><title>again</title></entry>`);
    await pubsub.publish({
      service: ana.bare,
      node: NS.microblog,
      publisher: ana,
      items: [{ id: first.id, payload }],
    });
    const again = (await posts.find(ana.bare, first.id))!;
    assert.deepEqual([again.atomId, again.text, again.deletedAt], [first.atomId, "again", undefined]);
  });

  test("that has no room any more is told to be gone, once", async (t) => {
    const { posts, told, configure, texts } = house(t);
    for (const text of ["1", "2", "3"]) await posts.create({ author: ana, text });
    await configure(ana, "2", "max_items");
    await posts.create({ author: ana, text: "4" });
    assert.deepEqual(told.slice(3), ["deleted ana@a.example 1", "deleted ana@a.example 2", "created 4"]);
    assert.deepEqual(await texts(), ["4", "3"]);
  });

  test("that is refused leaves nothing behind", async (t) => {
    const { posts, pubsub, told, texts } = house(t);
    await assert.rejects(posts.create({ author: ana, text: " \u0000" }), is("not-acceptable"));
    await assert.rejects(posts.create({ author: ana, text: "字".repeat(16_384) }), is("not-acceptable"));
    assert.equal(await pubsub.find(ana.bare, NS.microblog), undefined);
    assert.deepEqual([await texts(), told], [[], []]);
  });

  test("is nobody else's to make or delete", async (t) => {
    const { posts, pubsub } = house(t);
    const { id } = await posts.create({ author: ana, text: "mine" });
    const retract = { service: ana.bare, node: NS.microblog, ids: [id], requester: bob };
    await assert.rejects(pubsub.retract(retract), is("forbidden"));
    await assert.rejects(posts.remove({ author: bob, id }), is("item-not-found"));
    assert.equal((await posts.find(ana.bare, id))?.text, "mine");
  });

  test("comes from all doors at once without disorder", async (t) => {
    const { posts, texts } = house(t);
    const numbers = Array.from({ length: 50 }, (_, at) => String(at));
    await Promise.all(numbers.map((text) => posts.create({ author: ana, text })));
    assert.deepEqual(
      (await texts()).toSorted((a, b) => Number(a) - Number(b)),
      numbers,
    );
    const times = (await posts.page({ limit: 100 })).posts.map(({ publishedAt }) => publishedAt.getTime());
    assert.equal(new Set(times).size, 50);
  });
});

describe("items that are no posts", () => {
  const publish = (pubsub: PubSub, id: string | undefined, xml: string) =>
    pubsub.publish({
      service: ana.bare,
      node: NS.microblog,
      publisher: ana,
      items: [{ id, payload: parseElement(xml) }],
    });

  test("Movim's probe succeeds, and is neither stored nor told", async (t) => {
    const { pubsub, events, texts } = house(t);
    let told = 0;
    events.on("pubsub.published", ({ items }) => void (told += items.length));
    await publish(pubsub, "test_post", `<entry xmlns='${NS.atom}'/>`);
    assert.equal(await pubsub.item(ana.bare, NS.microblog, "test_post"), undefined);
    assert.deepEqual([await texts(), told], [[], 0]);
    await pubsub.retract({ service: ana.bare, node: NS.microblog, ids: ["test_post"], requester: ana });
  });

  test("a feed's metadata and a community's avatar are kept, and not shown", async (t) => {
    const { pubsub, texts } = house(t);
    await publish(pubsub, "0", `<feed xmlns='${NS.atom}'><title>Ana</title></feed>`);
    await publish(pubsub, "urn:xmpp:avatar:metadata", `<metadata xmlns='urn:xmpp:avatar:metadata'/>`);
    assert(await pubsub.item(ana.bare, NS.microblog, "0"));
    assert(await pubsub.item(ana.bare, NS.microblog, "urn:xmpp:avatar:metadata"));
    assert.deepEqual(await texts(), []);
  });

  test("anything else is refused", async (t) => {
    const { pubsub } = house(t);
    for (const [id, xml] of [
      ["a", "<x xmlns='urn:x'/>"],
      ["b", `<feed xmlns='${NS.atom}'/>`],
      [undefined, "<entry xmlns='urn:x'/>"],
    ] as const) {
      await assert.rejects(publish(pubsub, id, xml), is("bad-request"));
    }
    await assert.rejects(publish(pubsub, "c", `<entry xmlns='${NS.atom}'/>`), is("not-acceptable"));
  });

  test("an item without an id gets a readable one", async (t) => {
    const { pubsub } = house(t);
    const [item] = await publish(
      pubsub,
      undefined,
      `<entry xmlns='${NS.atom}'><title>Tea and XML</title></entry>`,
    );
    assert.match(item!.id, /^tea-and-xml-[a-z0-9]{6}$/);
  });
});

describe("the message that made a post", () => {
  const says = (text: string, ...messageIds: string[]) => ({ author: ana, text, messageIds });

  test("makes it once, however often it is sent", async (t) => {
    const { posts, texts } = house(t);
    const first = await posts.create(says("hello", "m1", "o1"));
    assert.deepEqual(await posts.create(says("hello", "m1", "o1")), first);
    assert.equal(await posts.idOfMessage(ana.bare, "m1"), first.id);
    assert.equal(await posts.idOfMessage(ana.bare, "o1"), first.id);
    assert.equal(await posts.idOfMessage(bob.bare, "m1"), undefined);
    assert.deepEqual(await texts(), ["hello"]);
  });

  test("is another one where it says something else", async (t) => {
    const { posts, texts } = house(t);
    await posts.create(says("one", "m1"));
    const second = await posts.create(says("two", "m1"));
    assert.equal(await posts.idOfMessage(ana.bare, "m1"), second.id);
    assert.deepEqual(await texts(), ["two", "one"]);
  });

  test("does not bring back what was deleted", async (t) => {
    const { posts, texts } = house(t);
    const { id } = await posts.create(says("x", "m1"));
    await posts.remove({ author: ana, id });
    assert((await posts.create(says("x", "m1"))).deletedAt);
    assert.deepEqual(await texts(), []);
  });

  test("was noted before the post, so that a death in between loses and doubles nothing", async (t) => {
    const { posts, store, texts } = house(t);
    const row = { author: ana.bare, messageId: "m1", postId: "x-abcdef", digest: "" };
    const { postStore } = await import("../../src/store/posts.ts");
    await store.transaction((tx) => postStore(tx).setMessage(row));
    assert.equal(await posts.idOfMessage(ana.bare, "m1"), undefined);
    await posts.create(says("x", "m1"));
    await posts.create(says("x", "m1"));
    assert.deepEqual(await texts(), ["x"]);
  });

  test("is answered with the present state when an old correction is sent again", async (t) => {
    const { posts } = house(t);
    const { id } = await posts.create(says("one", "m1"));
    await posts.edit({ ...says("two", "m2"), id });
    await posts.edit({ ...says("three", "m3"), id });
    assert.equal((await posts.edit({ ...says("two", "m2"), id })).text, "three");
    assert.equal(await posts.idOfMessage(ana.bare, "m3"), id);
  });

  test("is known after a restart, and forgotten with the account", async (t) => {
    const first = house(t);
    const { id } = await first.posts.create(says("x", "m1"));
    await first.close();
    const second = house(t, first.file);
    assert.equal(await second.posts.idOfMessage(ana.bare, "m1"), id);
    second.events.emit("account.removed", { account: ana.bare });
    await second.store.transaction(async () => undefined);
    assert.equal(await second.posts.idOfMessage(ana.bare, "m1"), undefined);
  });
});

describe("lists", () => {
  test("are newest first, by person and by tag, page by page", async (t) => {
    const { posts, texts } = house(t);
    for (let at = 0; at < 7; at += 1)
      await posts.create({ author: at % 2 ? bob : ana, text: `${at} #t${at % 3}x` });
    assert.deepEqual((await texts()).map((text) => text[0]).join(""), "6543210");
    assert.deepEqual((await texts({ author: ana.bare })).map((text) => text[0]).join(""), "6420");
    assert.deepEqual((await texts({ tag: "t0x" })).map((text) => text[0]).join(""), "630");
    assert.deepEqual((await texts({ author: ana.bare, tag: "t0x" })).map((text) => text[0]).join(""), "60");
    for (const list of [{}, { author: ana.bare }, { tag: "t0x" }, { author: ana.bare, tag: "t0x" }]) {
      const seen: string[] = [];
      let before: string | undefined;
      do {
        const page = await posts.page({ ...list, before, limit: 2 });
        assert(page.posts.length <= 2);
        seen.push(...page.posts.map(({ text }) => text));
        before = page.next;
      } while (before);
      assert.deepEqual(seen, await texts(list));
    }
  });

  test("go on where they were, also when that post is gone meanwhile", async (t) => {
    const { posts } = house(t);
    for (const text of ["1", "2", "3"]) await posts.create({ author: ana, text });
    const page = await posts.page({ limit: 2 });
    await posts.remove({ author: ana, id: page.posts[1]!.id });
    assert.deepEqual(
      (await posts.page({ limit: 2, before: page.next })).posts.map(({ text }) => text),
      ["1"],
    );
  });

  test("are bounded, and refuse a place that is none", async (t) => {
    const { posts } = house(t);
    await Promise.all(
      Array.from({ length: pageMaximum + 1 }, () => posts.create({ author: ana, text: "x" })),
    );
    assert.equal((await posts.page({ limit: 1_000_000 })).posts.length, pageMaximum);
    assert.equal((await posts.page({ limit: -1 })).posts.length, 1);
    for (const before of ["", "x", "1", "-", "99999999999999999999-a"]) {
      await assert.rejects(posts.page({ limit: 1, before }), is("item-not-found"));
    }
  });
});

describe("who may read", () => {
  test("is everybody while the node is open, and whom the node names after it was closed", async (t) => {
    const { posts, configure, stored, texts } = house(t);
    const post = await posts.create({ author: ana, text: "x #tag" });
    await posts.create({ author: bob, text: "y" });
    assert.match(await stored(post), /https:\/\/a\.example\/@ana/);

    await configure(ana, "presence");
    assert.doesNotMatch(await stored(post), /https:/);
    for (const [viewer, seen] of [
      [undefined, ["y"]],
      [eve, ["y"]],
      [bob, ["y", "x #tag"]],
      [ana, ["y", "x #tag"]],
    ] as const) {
      assert.deepEqual(await texts({ viewer }), seen);
      assert.deepEqual(await texts({ viewer, author: ana.bare }), seen.slice(1));
      assert.deepEqual(await texts({ viewer, tag: "tag" }), seen.slice(1));
      assert.equal((await posts.find(ana.bare, post.id, viewer)) !== undefined, seen.length === 2);
    }
    const later = await posts.create({ author: ana, text: "z" });
    assert.equal(later.public, false);
    assert.doesNotMatch(await stored(later), /https:/);

    await configure(ana, "open");
    assert.match(await stored(post), /https:\/\/a\.example\/@ana/);
    assert.match(await stored(later), /https:\/\/a\.example\/@ana/);
    assert.deepEqual(await texts(), ["z", "y", "x #tag"]);
  });

  test("changes in all posts, however many there are", async (t) => {
    const { posts, configure, stored } = house(t);
    const all = await Promise.all(
      Array.from({ length: 501 }, (_, at) => posts.create({ author: ana, text: `${at}` })),
    );
    await configure(ana, "presence");
    for (const post of all) assert.doesNotMatch(await stored(post), /https:/);
  });

  test("does not learn that a closed post was deleted", async (t) => {
    const { posts, configure } = house(t);
    const { id } = await posts.create({ author: ana, text: "x" });
    await configure(ana, "whitelist");
    await posts.remove({ author: ana, id });
    assert.equal(await posts.find(ana.bare, id), undefined);
    assert((await posts.find(ana.bare, id, ana))?.deletedAt);
  });

  test("is decided once, however publishing and closing meet", async (t) => {
    const { posts, pubsub, configure } = house(t);
    await posts.create({ author: ana, text: "first" });
    for (const access of ["presence", "open", "whitelist"]) {
      await Promise.all([
        ...Array.from({ length: 5 }, (_, at) => posts.create({ author: ana, text: `${access} ${at}` })),
        configure(ana, access),
        ...Array.from({ length: 5 }, (_, at) => posts.create({ author: ana, text: `${access} ${at}` })),
      ]);
      for (const post of (await posts.page({ viewer: ana, limit: 100 })).posts) {
        const item = await pubsub.item(ana.bare, NS.microblog, post.id);
        assert.equal(post.public, access === "open", post.text);
        assert.equal(serialize(item!.payload!).includes("https://a.example"), access === "open", post.text);
      }
    }
  });
});

describe("the state of a feed", () => {
  test("changes with all that the feed shows, and with nothing else", async (t) => {
    const { posts, configure } = house(t);
    const feeds = [
      {},
      { author: ana.bare },
      { author: bob.bare },
      { tag: "a" },
      { author: ana.bare, tag: "a" },
      { tag: "b" },
      { author: ana.bare, tag: "b" },
    ];
    const changes = () => Promise.all(feeds.map(async (feed) => (await posts.feedState(feed))?.changes ?? 0));
    assert.deepEqual(await changes(), [0, 0, 0, 0, 0, 0, 0]);
    const { id } = await posts.create({ author: ana, text: "x #a" });
    assert.deepEqual(await changes(), [1, 1, 0, 1, 1, 0, 0]);
    await posts.edit({ author: ana, id, text: "x #b" });
    assert.deepEqual(await changes(), [2, 2, 0, 2, 2, 1, 1]);
    await configure(ana, "presence");
    assert.deepEqual(await changes(), [3, 3, 0, 2, 2, 2, 2]);
    await posts.edit({ author: ana, id, text: "y #b" });
    assert.deepEqual(await changes(), [3, 3, 0, 2, 2, 2, 2]);
    await configure(ana, "open");
    await posts.remove({ author: ana, id });
    assert.deepEqual(await changes(), [5, 5, 0, 2, 2, 4, 4]);
  });

  test("is never older than its posts", async (t) => {
    const { posts } = house(t);
    const post = await posts.create({ author: ana, text: "x" });
    assert((await posts.feedState({}))!.changedAt >= post.updatedAt);
  });
});

describe("when an account goes", () => {
  test("its posts are gone, for the feeds too", async (t) => {
    const { posts, pubsub, told, texts } = house(t);
    const { id } = await posts.create({ author: ana, text: "x #a" });
    await posts.create({ author: bob, text: "y" });
    await pubsub.nodes.removeAll(ana.bare);
    assert.deepEqual(await texts(), ["y"]);
    assert((await posts.find(ana.bare, id))?.deletedAt);
    assert.equal((await posts.feedState({ tag: "a" }))?.changes, 2);
    assert.equal(told.at(-1), "deleted ana@a.example x-a");
  });
});
