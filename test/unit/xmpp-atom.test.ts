/** RFC 4287: the one builder of entries and feeds, the parser that reads everybody's, and the URIs in them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { entryElement, feedElement, innerHtml, type Entry } from "../../src/xmpp/atom.ts";
import { parseEntry } from "../../src/xmpp/atom-parser.ts";
import { parseElement } from "../../src/xmpp/parser.ts";
import { itemUri, jidUri, nodeUri } from "../../src/xmpp/uri.ts";
import { serialize, xml } from "../../src/xmpp/xml.ts";

const body = parseElement(`<div xmlns="http://www.w3.org/1999/xhtml"><p>Tea <em>and</em> XML<br/></p></div>`);
const entry: Entry = {
  id: "tag:ada.example,2026-08-10:tea-and-xml-7qk2zp",
  title: "Tea & <XML>",
  author: { name: "Ada", uri: "xmpp:ada@ada.example" },
  published: new Date("2026-08-10T09:00:00Z"),
  updated: new Date("2026-08-10T09:30:00.5Z"),
  contents: [
    { type: "xhtml", body },
    { type: "text", body: "Tea *and* XML" },
  ],
  categories: ["xmpp"],
  links: [
    {
      rel: "enclosure",
      type: "image/jpeg",
      title: 'a "cup"',
      length: "48211",
      href: "https://up.example/c?a&b",
    },
  ],
  language: "en",
  extensions: [xml("geoloc", { xmlns: "http://jabber.org/protocol/geoloc" }, xml("lat", {}, "1"))],
};

const written =
  `<entry xmlns="http://www.w3.org/2005/Atom" xml:lang="en">` +
  `<id>tag:ada.example,2026-08-10:tea-and-xml-7qk2zp</id><title type="text">Tea &amp; &lt;XML&gt;</title>` +
  `<author><name>Ada</name><uri>xmpp:ada@ada.example</uri></author>` +
  `<published>2026-08-10T09:00:00Z</published><updated>2026-08-10T09:30:00.500Z</updated>` +
  `<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Tea <em>and</em> XML<br/></p></div></content>` +
  `<content type="text">Tea *and* XML</content><category term="xmpp"/>` +
  `<link rel="enclosure" type="image/jpeg" title="a &quot;cup&quot;" length="48211" href="https://up.example/c?a&amp;b"/>` +
  `<geoloc xmlns="http://jabber.org/protocol/geoloc"><lat>1</lat></geoloc></entry>`;

describe("an entry", () => {
  test("is written in one order, whoever reads it", () =>
    assert.equal(serialize(entryElement(entry)), written));

  test("is read as it was written", () => {
    const read = parseEntry(parseElement(written));
    assert.deepEqual(
      { ...read, extensions: read.extensions.map((one) => serialize(one)) },
      {
        id: entry.id,
        title: { type: "text", value: entry.title },
        author: entry.author,
        published: entry.published,
        updated: entry.updated,
        summary: undefined,
        contents: [
          { type: "html", value: "<p>Tea <em>and</em> XML<br></p>" },
          { type: "text", value: "Tea *and* XML" },
        ],
        categories: ["xmpp"],
        links: entry.links,
        language: "en",
        extensions: [`<geoloc xmlns="http://jabber.org/protocol/geoloc"><lat>1</lat></geoloc>`],
      },
    );
  });

  test("leaves out what there is not", () => {
    const bare = {
      ...entry,
      author: undefined,
      contents: [],
      categories: [],
      links: [],
      language: undefined,
    };
    assert.equal(
      serialize(entryElement({ ...bare, extensions: [] })),
      `<entry xmlns="http://www.w3.org/2005/Atom"><id>${entry.id}</id><title type="text">Tea &amp; &lt;XML&gt;</title>` +
        `<published>2026-08-10T09:00:00Z</published><updated>2026-08-10T09:30:00.500Z</updated></entry>`,
    );
  });
});

describe("a feed", () => {
  test("holds entries with the content that the web wants", () => {
    const feed = feedElement({
      id: "tag:ada.example,2026:feed",
      title: "Ada",
      updated: entry.updated,
      author: entry.author,
      links: [{ rel: "self", href: "https://ada.example/feed.atom" }],
      generator: { name: "Pipit", version: "1" },
      entries: [{ ...entry, contents: [{ type: "html", body: innerHtml(body) }] }],
    });
    const text = serialize(feed);
    assert.match(
      text,
      /^<feed xmlns="http:\/\/www.w3.org\/2005\/Atom"><id>tag:ada.example,2026:feed<\/id><title type="text">Ada<\/title>/,
    );
    assert.match(text, /<generator version="1">Pipit<\/generator><entry xml:lang="en">/);
    assert.match(
      text,
      /<content type="html">&lt;p&gt;Tea &lt;em&gt;and&lt;\/em&gt; XML&lt;br&gt;&lt;\/p&gt;<\/content>/,
    );
    assert.equal(serialize(parseElement(text)), text);
  });
});

describe("entries of other clients", () => {
  const read = (inside: string, attrs = "") =>
    parseEntry(parseElement(`<entry xmlns='http://www.w3.org/2005/Atom' ${attrs}>${inside}</entry>`));

  test("have contents in any order and of any spelling", () => {
    const html = { type: "html", value: "<b>x</b>" };
    const text = { type: "text", value: "*x*" };
    const xhtml = `<content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><b>x</b></div></content>`;
    assert.deepEqual(read(`<content>*x*</content>${xhtml}`).contents, [text, html]);
    assert.deepEqual(read(`${xhtml}<content type='text'>*x*</content>`).contents, [html, text]);
    for (const type of ["html", "text/html", "HTML", "text/html; charset=utf-8"]) {
      assert.deepEqual(read(`<content type='${type}'>&lt;b&gt;x&lt;/b&gt;</content>`).contents, [html]);
    }
    assert.deepEqual(read(`<content type='text/plain'>*x*</content>`).contents, [text]);
    assert.deepEqual(
      read(`<content type='xhtml'><b xmlns='http://www.w3.org/1999/xhtml'>x</b></content>`).contents,
      [html],
    );
  });

  test("close in HTML what XHTML need not close", () => {
    const xhtml = `<content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><p/><a href='&quot;'/><br/>&lt;</div></content>`;
    assert.deepEqual(read(xhtml).contents[0]?.value, `<p></p><a href="&quot;"></a><br>&lt;`);
  });

  test("may lack everything", () => {
    assert.deepEqual(read(""), {
      id: undefined,
      title: undefined,
      author: undefined,
      published: undefined,
      updated: undefined,
      summary: undefined,
      contents: [],
      categories: [],
      links: [],
      language: undefined,
      extensions: [],
    });
    assert.equal(read("<published>yesterday</published>").published, undefined);
  });

  test("carry other namespaces, also under names that Atom has", () => {
    const foreign = `<title xmlns="urn:x">y</title><in-reply-to ref="z" xmlns="http://purl.org/syndication/thread/1.0"/>`;
    assert.equal(
      read(`${foreign}<rights>r</rights>`)
        .extensions.map((one) => serialize(one))
        .join(""),
      `${foreign}<rights>r</rights>`,
    );
    assert.equal(read(foreign).title, undefined);
  });
});

describe("xmpp URIs", () => {
  test("keep colons and slashes, which Movim does not decode, and escape what parts them", () => {
    assert.equal(
      itemUri("ada@ada.example", "urn:xmpp:microblog:0", "tea-and-xml-7qk2zp"),
      "xmpp:ada@ada.example?;node=urn:xmpp:microblog:0;item=tea-and-xml-7qk2zp",
    );
    assert.equal(
      itemUri("a@b", "x/y", "1;2=3&4%5#6 7é🫖"),
      "xmpp:a@b?;node=x/y;item=1%3B2%3D3%264%255%236%207%C3%A9%F0%9F%AB%96",
    );
    assert.equal(nodeUri("pubsub.b", "n"), "xmpp:pubsub.b?;node=n");
  });

  test("name an address as it is written, where nothing in it means something else", () => {
    assert.equal(jidUri("jürgen@münchen.example"), "xmpp:jürgen@münchen.example");
    assert.equal(jidUri("a?b#c@d.example"), "xmpp:a%3Fb%23c@d.example");
  });
});
