/** The three forms of a feed: valid whatever the posts say, and saying the same. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import RssParser from "rss-parser";
import type { Post } from "../../src/domain/posts.ts";
import { atom } from "../../src/web/atom.ts";
import { feedOf, type Feed } from "../../src/web/feed.ts";
import { jsonFeed } from "../../src/web/json-feed.ts";
import { rss } from "../../src/web/rss.ts";
import { NS } from "../../src/xmpp/ns.ts";
import { parseElement } from "../../src/xmpp/parser.ts";
import { attr, child, children, childText, type Element } from "../../src/xmpp/xml.ts";

const base = "https://example.org";
const publishedAt = new Date("2026-08-10T09:00:00Z");
const changedAt = new Date("2026-08-11T12:00:00Z");

const post = (about: Partial<Post>): Post => ({
  author: "ana@example.org",
  id: "tea-7qk2zp",
  atomId: "tag:example.org,2026-08-10:tea-7qk2zp",
  title: "Tea",
  titled: false,
  text: "Tea",
  html: "<p>Tea</p>",
  tags: [],
  language: undefined,
  public: true,
  publishedAt,
  updatedAt: publishedAt,
  deletedAt: undefined,
  ...about,
});

const feed = (posts: readonly Post[], about: Partial<Parameters<typeof feedOf>[0]> = {}): Feed =>
  feedOf({
    domain: "example.org",
    base,
    icon: "/static/icon.png",
    listing: { author: "ana@example.org" },
    format: "atom",
    updated: changedAt,
    cursor: undefined,
    previous: undefined,
    next: undefined,
    posts,
    ...about,
  });

/** The documents are stored-XML parsed: strictly, one element, nothing that XML forbids. */
const parse = (document: string): Element => parseElement(document.replace(/^<\?xml[^>]*\?>\s*/, "").trim());
const dc = "http://purl.org/dc/elements/1.1/";
const contentNs = "http://purl.org/rss/1.0/modules/content/";

/** Words that have broken feeds before: what they are in HTML, and as text. */
const hostile: readonly (readonly [what: string, words: string])[] = [
  ["markup characters", `a & b < c > d "e" 'f'`],
  ["an escaped ampersand as text", "AT&amp;T &amp;amp; &lt;b&gt; &#38;"],
  ["the end of CDATA, twice", "]]> x ]]> ]]]]>>"],
  ["a comment and a DOCTYPE", "<!-- x --> <!DOCTYPE html> <?php ?> <![CDATA[ y"],
  ["emoji, joined and flagged", "👩‍🚀🏳️‍🌈🇪🇺 😀"],
  ["right-to-left", "שלום עולם مرحبا"],
  ["astral letters", "𝒳𝓜𝕻𝕻 𐍈"],
];
/** What XML 1.0 cannot say (§2.2); the domain removes it, and so do feeds. */
const illegal = "bell\u0007 null\u0000 lone\ud83d low\udc00 nonchar\ufffe\uffff vt\u000b";

const escaped = (words: string) => words.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

describe("whatever a post says", () => {
  for (const [what, words] of hostile) {
    const entry = post({
      title: words,
      titled: true,
      html: `<p>${escaped(words)}</p>`,
      text: words,
      tags: [words],
      id: words,
      atomId: `urn:x:${words}`,
    });
    const document = feed([entry]);

    test(`${what}: Atom`, () => {
      const [one] = children(parse(atom(document)), "entry");
      assert.ok(one);
      assert.equal(childText(one, "title"), words);
      assert.equal(childText(one, "id"), `urn:x:${words}`);
      assert.equal(childText(one, "content"), `<p>${escaped(words)}</p>`);
      assert.equal(attr(child(one, "category")!, "term"), words);
    });

    test(`${what}: RSS, read by two parsers`, async () => {
      const document_ = rss(document);
      const [item] = children(child(parse(document_), "channel")!, "item");
      assert.ok(item);
      assert.equal(childText(item, "title"), words);
      assert.equal(childText(item, "guid"), `urn:x:${words}`);
      assert.equal(childText(item, "category"), words);
      assert.equal(childText(item, "encoded", contentNs), `<p>${escaped(words)}</p>`);
      const parsed = await new RssParser().parseString(document_);
      assert.equal(parsed.items[0]?.title?.trim(), words);
      assert.equal(parsed.items[0]?.creator, "ana");
      assert.equal(parsed.items[0]?.["content:encoded"], `<p>${escaped(words)}</p>`);
    });

    test(`${what}: JSON`, () => {
      const [item] = (JSON.parse(jsonFeed(document)) as { items: Record<string, unknown>[] }).items;
      assert.equal(item?.["title"], words);
      assert.equal(item?.["content_text"], words);
      assert.deepEqual(item?.["tags"], [words]);
    });
  }

  test("characters that XML forbids are gone, and the rest is there", async () => {
    const document = feed([
      post({
        title: illegal,
        titled: true,
        html: `<p>${illegal}</p>`,
        tags: [illegal],
        atomId: `urn:x:${illegal}`,
      }),
    ]);
    const clean = "bell null lone low nonchar vt";
    assert.equal(childText(child(parse(atom(document)), "entry")!, "title"), clean);
    const item = child(child(parse(rss(document)), "channel")!, "item")!;
    assert.equal(childText(item, "title"), clean);
    assert.equal((await new RssParser().parseString(rss(document))).items[0]?.title, clean);
    assert.doesNotMatch(jsonFeed(document), /\\ud83d|\\u0007/);
  });

  test("a body with the end of CDATA in it, as the domain never writes it, stays one", () => {
    const document = rss(feed([post({ html: "<p>a ]]> b ]]> c</p>" })]));
    const item = child(child(parse(document), "channel")!, "item")!;
    assert.equal(childText(item, "encoded", contentNs), "<p>a ]]&gt; b ]]&gt; c</p>");
  });

  test("a post with nothing to show does not break the feed around it", () => {
    const document = feed([post({ html: "", text: "", title: "Untitled" })]);
    const item = child(child(parse(rss(document)), "channel")!, "item")!;
    assert.equal(childText(item, "creator", dc), "ana");
    assert.equal(children(parse(atom(document)), "entry").length, 1);
  });
});

describe("Atom", () => {
  const document = parse(
    atom(
      feed([post({ language: "de" })], {
        previous: "",
        next: "1-b",
        cursor: "2-a",
        listing: { author: "ana@example.org" },
      }),
    ),
  );
  const links = children(document, "link").map((link) => `${attr(link, "rel")} ${attr(link, "href")}`);

  test("says where it is, what it is of, and where it goes on (RFC 5005)", () => {
    assert.deepEqual(links, [
      `self ${base}/@ana/feed.atom?before=2-a`,
      `alternate ${base}/@ana`,
      "related xmpp:ana@example.org?;node=urn:xmpp:microblog:0",
      `first ${base}/@ana/feed.atom`,
      `previous ${base}/@ana/feed.atom`,
      `next ${base}/@ana/feed.atom?before=1-b`,
    ]);
  });

  test("was updated when its feed last changed, not when its newest post was written, nor now", () => {
    assert.equal(childText(document, "updated"), "2026-08-11T12:00:00Z");
  });

  test("has one content an entry (RFC 4287 §4.1.2), a language, and both addresses of the post", () => {
    const [entry] = children(document, "entry");
    assert.ok(entry);
    assert.equal(children(entry, "content").length, 1);
    assert.equal(attr(entry, "xml:lang"), "de");
    assert.deepEqual(
      children(entry, "link").map((link) => [attr(link, "rel"), attr(link, "href")]),
      [
        ["alternate", `${base}/@ana/tea-7qk2zp`],
        // Were there two alternates, some readers would take the first for the page, and some the last.
        ["related", "xmpp:ana@example.org?;node=urn:xmpp:microblog:0;item=tea-7qk2zp"],
      ],
    );
    const author = child(entry, "author")!;
    assert.deepEqual([childText(author, "name"), childText(author, "uri")], ["ana", "xmpp:ana@example.org"]);
  });

  test("is known by an identifier that stays when the site moves, another for each feed", () => {
    const idOf = (about: Parameters<typeof feed>[1]) => childText(parse(atom(feed([], about))), "id");
    const id = idOf({});
    assert.match(id!, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(idOf({ base: "http://elsewhere.example:8080" }), id);
    const all = [
      {},
      { tag: "tea" },
      { author: "ana@example.org", tag: "tea" },
      { author: "bob@example.org" },
    ];
    assert.equal(new Set([id, ...all.map((listing) => idOf({ listing }))]).size, 5);
  });

  test("of an empty list is valid", () => {
    const empty = parse(atom(feed([])));
    assert.equal(empty.attrs["xmlns"], NS.atom);
    assert.equal(children(empty, "entry").length, 0);
  });
});

describe("RSS", () => {
  test("gives notes no title, but a description; articles a title that the body does not repeat", () => {
    const note = post({ title: "Tea is ready", html: "<p>Tea is <b>ready</b> &amp; hot</p>" });
    const article = post({ title: "On tea", html: "<h1>On tea</h1><p>Words</p>" });
    const [one, two] = children(child(parse(rss(feed([note, article]))), "channel")!, "item");
    assert.equal(child(one!, "title"), undefined);
    assert.equal(childText(one!, "description"), "Tea is ready &amp; hot");
    assert.equal(childText(two!, "title"), "On tea");
    assert.equal(childText(two!, "encoded", contentNs), "<p>Words</p>");
  });

  test("has identifiers that are no permalinks, RFC 822 dates, and links to itself and on", () => {
    const channel = child(parse(rss(feed([post({})], { format: "rss", next: "1-b" }))), "channel")!;
    const item = child(channel, "item")!;
    assert.equal(attr(child(item, "guid")!, "isPermaLink"), "false");
    assert.equal(childText(item, "pubDate"), "Mon, 10 Aug 2026 09:00:00 GMT");
    assert.equal(childText(channel, "lastBuildDate"), "Tue, 11 Aug 2026 12:00:00 GMT");
    assert.equal(childText(item, "author"), undefined);
    assert.deepEqual(
      children(channel, "link", NS.atom).map((link) => [attr(link, "rel"), attr(link, "href")]),
      [
        ["self", `${base}/@ana/feed.rss`],
        ["first", `${base}/@ana/feed.rss`],
        ["next", `${base}/@ana/feed.rss?before=1-b`],
      ],
    );
  });

  test("of an empty list is valid", async () => {
    assert.equal((await new RssParser().parseString(rss(feed([])))).items.length, 0);
  });
});

describe("JSON Feed", () => {
  const entry = post({ language: "de", tags: ["tea"], html: '<p>Hot <a href="/x">#tea</a> #tea</p>' });
  const document = JSON.parse(jsonFeed(feed([entry], { format: "json", next: "1-b" }))) as Record<
    string,
    unknown
  >;

  test("is 1.1 with all that is known", () => {
    assert.deepEqual(document, {
      version: "https://jsonfeed.org/version/1.1",
      title: "ana@example.org",
      description: "Posts by ana@example.org",
      home_page_url: `${base}/@ana`,
      feed_url: `${base}/@ana/feed.json`,
      next_url: `${base}/@ana/feed.json?before=1-b`,
      icon: `${base}/static/icon.png`,
      authors: [{ name: "ana", url: `${base}/@ana`, avatar: `${base}/@ana/avatar.svg` }],
      _xmpp: { uri: "xmpp:ana@example.org?;node=urn:xmpp:microblog:0" },
      items: [
        {
          id: "tag:example.org,2026-08-10:tea-7qk2zp",
          url: `${base}/@ana/tea-7qk2zp`,
          content_html: `<p>Hot <a href="${base}/x">#tea</a> <a class="p-category" rel="tag" href="${base}/@ana/tag/tea">#tea</a></p>`,
          content_text: "Hot #tea #tea",
          date_published: "2026-08-10T09:00:00.000Z",
          date_modified: "2026-08-10T09:00:00.000Z",
          authors: [{ name: "ana", url: `${base}/@ana`, avatar: `${base}/@ana/avatar.svg` }],
          tags: ["tea"],
          language: "de",
          _xmpp: { uri: "xmpp:ana@example.org?;node=urn:xmpp:microblog:0;item=tea-7qk2zp" },
        },
      ],
    });
  });

  test("of the site names no author of its own", () => {
    const site = JSON.parse(jsonFeed(feed([], { listing: {} }))) as Record<string, unknown>;
    assert.equal(site["authors"], undefined);
    assert.equal(site["title"], "example.org");
  });
});
