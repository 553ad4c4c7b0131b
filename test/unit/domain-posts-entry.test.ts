/** XEP-0277 and XEP-0472: whatever a client publishes becomes the one form in which posts are stored. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  canonicalEntry,
  entryMaximum,
  readBody,
  relinkEntry,
  showEntry,
  type EntryPlace,
} from "../../src/domain/microblog-entry.ts";
import { newItemId, permalink, tagUri } from "../../src/domain/microblog-id.ts";
import { parseEntry } from "../../src/xmpp/atom-parser.ts";
import { StanzaError } from "../../src/xmpp/errors.ts";
import { parseElement } from "../../src/xmpp/parser.ts";
import { children, escapeText, serialize, text, type Element } from "../../src/xmpp/xml.ts";

const now = new Date("2026-08-10T09:00:00Z");
const place: EntryPlace = {
  owner: "ada@ada.example",
  publisher: "ada@ada.example",
  itemId: "tea-and-xml-7qk2zp",
  open: true,
  permalink: "https://ada.example/@ada/tea-and-xml-7qk2zp",
  now,
  knownId: undefined,
  newId: "tag:ada.example,2026-08-10:tea-and-xml-7qk2zp",
  previous: undefined,
};

/** What is stored of an entry with these children. */
function stored(inside: string, changes: Partial<EntryPlace> = {}): Element {
  const raw = parseEntry(parseElement(`<entry xmlns="http://www.w3.org/2005/Atom">${inside}</entry>`));
  return canonicalEntry(raw, readBody(raw), { ...place, ...changes });
}

const all = (entry: Element, name: string): string[] =>
  children(entry, name).map((one) => serialize(one).replace(/ xmlns="http:\/\/www.w3.org\/2005\/Atom"/, ""));
const titleOf = (inside: string): string => text(children(stored(inside), "title")[0]!);
const contentsOf = (inside: string): string[] => all(stored(inside), "content");
const escaped = (markup: string): string => escapeText(markup);
const refused = (pattern: RegExp) => (error: unknown) =>
  error instanceof StanzaError && error.condition === "not-acceptable" && pattern.test(error.text ?? "");

const div = (inside: string): string => `<div xmlns="http://www.w3.org/1999/xhtml">${inside}</div>`;
const alternates =
  `<link rel="alternate" type="text/html" title="Tea and XML" href="https://ada.example/@ada/tea-and-xml-7qk2zp"/>` +
  `<link rel="alternate" href="xmpp:ada@ada.example?;node=urn:xmpp:microblog:0;item=tea-and-xml-7qk2zp"/>`;

describe("the canonical entry", () => {
  test("of a rich post has all parts, in order", () => {
    assert.equal(
      serialize(
        stored(
          `<title>Tea and XML</title><content type="text">Tea *and* XML #xmpp</content>` +
            `<link rel="enclosure" type="image/jpeg" href="https://up.ada.example/cup.jpg"/><generator version="1">Pipit</generator>`,
        ),
      ),
      `<entry xmlns="http://www.w3.org/2005/Atom"><id>tag:ada.example,2026-08-10:tea-and-xml-7qk2zp</id>` +
        `<title type="text">Tea and XML</title><author><name>ada</name><uri>xmpp:ada@ada.example</uri></author>` +
        `<published>2026-08-10T09:00:00Z</published><updated>2026-08-10T09:00:00Z</updated>` +
        `<content type="xhtml">${div("<p>Tea <em>and</em> XML #xmpp</p>")}</content>` +
        `<content type="text">Tea *and* XML #xmpp</content><category term="xmpp"/>${alternates}` +
        `<link rel="enclosure" type="image/jpeg" href="https://up.ada.example/cup.jpg"/>` +
        `<generator version="1">Pipit</generator></entry>`,
    );
  });

  test("of a short status is all title, and keeps its tags in the text", () => {
    const entry = stored(`<content>Tea and XML #XMPP</content>`);
    assert.deepEqual(all(entry, "title"), [`<title type="text">Tea and XML #XMPP</title>`]);
    assert.deepEqual(all(entry, "content"), []);
    assert.deepEqual(all(entry, "category"), [`<category term="xmpp"/>`]);
  });

  test("of a long text has a headline, and the whole text in both contents", () => {
    const long = `A first sentence that says what it is about. ${"And more. ".repeat(40)}`.trim();
    assert.equal(titleOf(`<content>${long}</content>`), "A first sentence that says what it is about.");
    assert.deepEqual(contentsOf(`<title>${long}</title>`), [
      `<content type="xhtml">${div(`<p>${long}</p>`)}</content>`,
      `<content type="text">${long}</content>`,
    ]);
  });

  test("of Markdown has a title without marks", () => {
    const markdown = "# Tea *and* `XML`\n\n- one\n- [two](https://b.example)";
    assert.equal(titleOf(`<content>${markdown}</content>`), "Tea and XML");
    assert.equal(
      contentsOf(`<content>${markdown}</content>`)[1],
      `<content type="text">${markdown}</content>`,
    );
  });

  test("is the same however the same text was published", () => {
    for (const words of [
      "Tea and XML #xmpp",
      "Tea *and* XML",
      "One\nTwo",
      "<b> & ]]> 🫖 \u2067שלום\u2069",
      "x ".repeat(300).trim(),
    ]) {
      const forms = [
        `<content>${escaped(words)}</content>`,
        `<title>${escaped(words)}</title>`,
        `<title/><content type="text">${escaped(words)}</content>`,
        `<title>${escaped(words)}</title><content>${escaped(words)}</content>`,
        `<summary>${escaped(words)}</summary>`,
      ];
      const [first, ...others] = forms.map((form) => serialize(stored(form)));
      for (const other of others) assert.equal(other, first);
    }
  });

  test("stays as it is when it is published again", () => {
    for (const form of [
      "<title>Tea</title>",
      "<content>Tea *and*\n\n> XML #a `b`</content>",
      "<title>T</title><content type='html'>&lt;p&gt;x&lt;br&gt;y&lt;/p&gt;&lt;img src='https://a.example/b.png'&gt;</content>",
    ]) {
      const once = stored(form);
      const raw = parseEntry(once);
      assert.equal(serialize(canonicalEntry(raw, readBody(raw), place)), serialize(once));
    }
  });
});

describe("entries of other clients", () => {
  test("get a title where they have none", () => {
    assert.equal(titleOf(`<title/><content>Said by Jappix</content>`), "Said by Jappix");
    const converse = `<content type="xhtml">${div("<p>Said <b>by</b> Converse</p><p>More</p>")}</content><content type="text">Said **by** Converse\n\nMore</content>`;
    assert.equal(titleOf(converse), "Said by Converse");
    assert.equal(
      titleOf(`<title type="html">&lt;b&gt;a&lt;/b&gt; &amp;amp; b</title><content>c</content>`),
      "a & b",
    );
    assert.equal(titleOf(`<title type="xhtml">${div("a <i>b</i>")}</title><content>c</content>`), "a b");
    assert.equal(titleOf(`<title>a\n b</title><content>c</content>`), "a b");
  });

  test("keep their markup, cleaned, beside a text", () => {
    const clean = [
      `<content type="xhtml">${div("<p>a<b>b</b></p>")}</content>`,
      `<content type="text">ab</content>`,
    ];
    const dirty = "<p onclick='x'>a<b>b</b><script>alert(1)</script></p>";
    for (const type of ["html", "text/html"]) {
      assert.deepEqual(
        contentsOf(`<title>t</title><content type="${type}">${escaped(dirty)}</content>`),
        clean,
      );
    }
    assert.deepEqual(contentsOf(`<title>t</title><content type="xhtml">${div(dirty)}</content>`), clean);
    const both = `<content type="text">a**b**</content><content type="xhtml">${div(dirty)}</content>`;
    assert.deepEqual(contentsOf(`<title>t</title>${both}`), [
      clean[0],
      `<content type="text">a**b**</content>`,
    ]);
  });

  test("that only show something are posts too", () => {
    const picture = `<content type="html">${escaped("<img src='https://a.example/b.png'>")}</content>`;
    assert.equal(titleOf(picture), "Untitled");
    assert.equal(titleOf(`<title/><link rel="enclosure" href="https://a.example/b.png"/>`), "Untitled");
  });

  test("that say nothing are none", () => {
    for (const nothing of [
      "",
      "<title> </title>",
      "<title/><content/>",
      `<content type="html">&lt;script&gt;x&lt;/script&gt;</content>`,
      "<category term='a'/>",
    ]) {
      assert.throws(() => stored(nothing), refused(/needs some text/), nothing);
    }
  });

  test("that say too much are refused with the reason", () => {
    assert.throws(() => stored(`<title>${"x".repeat(16_385)}</title>`), refused(/16,384/));
    assert.throws(
      () => stored(`<title>t</title><content>${"x".repeat(16_385)}</content>`),
      refused(/16,384/),
    );
    assert.throws(
      () => stored(`<title>t</title><x xmlns="urn:x">${"x".repeat(entryMaximum)}</x>`),
      refused(/65 KB|64 KB/),
    );
    assert.throws(
      () => stored(`<title>t</title><content type="html">${"&lt;b>".repeat(20_001)}x</content>`),
      refused(/20,000 tags/),
    );
  });

  test("name as author who published them", () => {
    const author = (inside: string) => all(stored(`<title>t</title>${inside}`), "author")[0];
    const ada = `<author><name>ada</name><uri>xmpp:ada@ada.example</uri></author>`;
    assert.equal(author(""), ada);
    assert.equal(author("<author><name>Mallory</name><uri>xmpp:eve@evil.example</uri></author>"), ada);
    assert.equal(author("<author><name>Ada L.</name></author>"), ada.replace(">ada<", ">Ada L.<"));
    assert.equal(author(`<author><name>${"🫖".repeat(600)}</name></author>`), ada);
    assert.equal(
      author("<author><name>Ada L.</name><uri>xmpp:ada@ada.example</uri></author>"),
      ada.replace(">ada<", ">Ada L.<"),
    );
  });

  test("that repeat somebody else's post say so, and keep its author", () => {
    const bob = `<author><name>Bob</name><uri>xmpp:bob@b.example</uri></author>`;
    const via = `<link rel="via" href="xmpp:bob@b.example?;node=urn:xmpp:microblog:0;item=x-123456" ref="tag:b"/>`;
    const entry = stored(`<title>t</title>${bob}${via}`);
    assert.deepEqual(all(entry, "author"), [bob]);
    assert(all(entry, "link").includes(via));
  });

  test("lose nothing else that they carry", () => {
    const extras = [
      `<link rel="enclosure" type="image/png" title="a" length="5" href="https://a.example/b.png"/>`,
      `<link rel="related" href="https://a.example/" description="d" logo="l"/>`,
      `<link rel="replies" title="comments" href="xmpp:comments.a.example?;node=urn:xmpp:microblog:0:comments/x"/>`,
      `<in-reply-to ref="tag:b" href="xmpp:b@b.example?;node=urn:xmpp:microblog:0;item=y" xmlns="http://purl.org/syndication/thread/1.0"/>`,
      `<geoloc xmlns="http://jabber.org/protocol/geoloc"><lat>1</lat></geoloc>`,
      `<rights>CC0</rights>`,
      `<source><id>tag:c</id></source>`,
      `<thing a="1" xmlns="urn:unknown"><inner/>t</thing>`,
    ];
    const text = serialize(stored(`<title>t</title>${extras.join("")}`));
    for (const extra of extras) assert(text.includes(extra), extra);
  });

  test("do not say where the post is, nor link to what runs", () => {
    const links = `<link href="https://evil.example/1"/><link rel="alternate" href="https://evil.example/2"/><link rel="self" href="https://evil.example/3"/><link rel="related" href="javascript:alert(1)"/><link rel="related"/>`;
    assert.doesNotMatch(serialize(stored(`<title>t</title>${links}`)), /evil|javascript|related/);
  });

  test("have tags from their categories and from their words", () => {
    const tags = (inside: string) =>
      children(stored(inside), "category").map(({ attrs }) => (attrs as { term: string }).term);
    assert.deepEqual(
      tags(
        `<title>t #One</title><content>#two \`#no\`</content><category term="Three"/><category term="one"/><category/>`,
      ),
      ["three", "one", "two"],
    );
    assert.deepEqual(
      tags(`<title>t</title><content type="html">${escaped("<p>#two <code>#no</code></p>")}</content>`),
      ["two"],
    );
    assert.equal(
      tags(
        `<title>t</title>${"<category term='a'/>".repeat(3)}${Array.from({ length: 100 }, (_, at) => `<category term="t${at}"/>`).join("")}`,
      ).length,
      32,
    );
  });
});

describe("identifiers and dates", () => {
  const idOf = (inside: string, changes: Partial<EntryPlace> = {}) =>
    text(children(stored(`<title>t</title>${inside}`, changes), "id")[0]!);
  const dates = (inside: string, changes: Partial<EntryPlace> = {}) => {
    const entry = stored(`<title>t</title>${inside}`, changes);
    return ["published", "updated"].map((name) => text(children(entry, name)[0]!));
  };
  const previous = { published: new Date("2026-08-01T00:00:00Z"), updated: new Date("2026-08-02T00:00:00Z") };

  test("an identifier that is an IRI is kept, any other replaced", () => {
    assert.equal(
      idOf("<id>urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a</id>"),
      "urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a",
    );
    for (const none of [
      "",
      "<id/>",
      "<id>tea-and-xml</id>",
      "<id>1225c695-cfb8-4ebb-aaaa-80da344efa6a</id>",
      "<id>urn: x</id>",
      `<id>urn:${"x".repeat(2_000)}</id>`,
    ]) {
      assert.equal(idOf(none), place.newId);
    }
  });

  test("an identifier is never changed", () => {
    assert.equal(idOf("<id>urn:other</id>", { knownId: "tag:first" }), "tag:first");
    assert.equal(idOf("", { knownId: "tag:first" }), "tag:first");
  });

  test("dates are added, believed, or brought into what is possible", () => {
    const at = "2026-08-10T09:00:00Z";
    assert.deepEqual(dates(""), [at, at]);
    assert.deepEqual(
      dates("<published>2020-01-01T00:00:00Z</published><updated>2020-01-02T00:00:00+01:00</updated>"),
      ["2020-01-01T00:00:00Z", "2020-01-01T23:00:00Z"],
    );
    assert.deepEqual(dates("<updated>2020-01-02T00:00:00Z</updated>"), [
      "2020-01-02T00:00:00Z",
      "2020-01-02T00:00:00Z",
    ]);
    assert.deepEqual(
      dates("<published>2030-01-01T00:00:00Z</published><updated>9999-01-01T00:00:00Z</updated>"),
      [at, at],
    );
    assert.deepEqual(dates("<published>1066-10-14T09:00:00Z</published>"), [
      "1970-01-01T00:00:00Z",
      "1970-01-01T00:00:00Z",
    ]);
    assert.deepEqual(dates("<published>soon</published><updated/>"), [at, at]);
    assert.deepEqual(
      dates("<published>2026-08-09T00:00:00Z</published><updated>2026-08-01T00:00:00Z</updated>"),
      ["2026-08-09T00:00:00Z", "2026-08-09T00:00:00Z"],
    );
  });

  test("an edit keeps when it was published, and is later than what it replaces", () => {
    assert.deepEqual(dates("", { previous }), ["2026-08-01T00:00:00Z", "2026-08-10T09:00:00Z"]);
    assert.deepEqual(
      dates("<published>2020-01-01T00:00:00Z</published><updated>2026-08-03T00:00:00Z</updated>", {
        previous,
      }),
      ["2026-08-01T00:00:00Z", "2026-08-03T00:00:00Z"],
    );
    assert.deepEqual(dates("<updated>2026-08-01T00:00:00Z</updated>", { previous }), [
      "2026-08-01T00:00:00Z",
      "2026-08-10T09:00:00Z",
    ]);
    assert.deepEqual(dates("", { previous, now: new Date("2026-08-01T12:00:00Z") }), [
      "2026-08-01T00:00:00Z",
      "2026-08-02T00:00:00.001Z",
    ]);
  });

  test("a language is kept where it is one", () => {
    const lang = (value: string) => {
      const raw = parseEntry(
        parseElement(
          `<entry xmlns="http://www.w3.org/2005/Atom" xml:lang="${value}"><title>t</title></entry>`,
        ),
      );
      return (canonicalEntry(raw, readBody(raw), place).attrs as Record<string, string | undefined>)[
        "xml:lang"
      ];
    };
    assert.equal(lang("pt-BR"), "pt-BR");
    for (const none of ["", "x y", "1", "a".repeat(50)]) assert.equal(lang(none), undefined);
  });

  test("an item's id is readable, and fit for Movim and for addresses", () => {
    assert.match(newItemId("Tea & XML – für Élise! #xmpp"), /^tea-xml-fur-elise-xmpp-[a-z0-9]{6}$/);
    for (const title of ["", "שלום", "🫖", "x".repeat(500), "word ".repeat(100), "-a-", "../..", "%2e?#"]) {
      assert.match(newItemId(title), /^[a-z0-9][a-z0-9-]{4,62}[a-z0-9]$/);
    }
    assert.notEqual(newItemId("a"), newItemId("a"));
  });

  test("addresses are escaped where a client chose the id", () => {
    assert.equal(
      tagUri("münchen.example", now, "a b/é"),
      "tag:xn--mnchen-3ya.example,2026-08-10:a%20b%2F%C3%A9",
    );
    assert.equal(
      permalink("https://ada.example/", "ada@ada.example", "a b/é?"),
      "https://ada.example/@ada/a%20b%2F%C3%A9%3F",
    );
  });
});

describe("links to the web", () => {
  const entry = `<title>Tea</title><content>Tea *and* XML</content><category term="a"/><link rel="related" href="https://b.example/"/><link xmlns="urn:x" rel="alternate"/>`;

  test("are not in a post that not everybody may read", () => {
    assert.doesNotMatch(
      serialize(stored(entry, { open: false })),
      /rel="alternate"[^>]*href|ada\.example\/@ada/,
    );
  });

  test("come and go with the node's access, and nothing else does", () => {
    const open = stored(entry);
    const closed = stored(entry, { open: false });
    assert.equal(serialize(relinkEntry(open, { ...place, open: false })), serialize(closed));
    assert.equal(serialize(relinkEntry(closed, place)), serialize(open));
    assert.equal(serialize(relinkEntry(open, place)), serialize(open));
  });
});

describe("what is shown of a post", () => {
  test("is the status itself, with its addresses linked", () => {
    const shown = showEntry(stored("<title>See https://b.example/ &amp; #tea</title>"));
    assert.equal(shown.title, "See https://b.example/ & #tea");
    assert.equal(shown.text, shown.title);
    assert.equal(shown.titled, false);
    assert.match(
      shown.html,
      /^<p>See <a href="https:\/\/b\.example\/"[^>]*>https:\/\/b\.example\/<\/a> &amp; #tea<\/p>$/,
    );
    assert.deepEqual(shown.tags, ["tea"]);
  });

  test("has a headline for lists, and a heading only where the body does not say the same", () => {
    const long = "word ".repeat(50).trim();
    assert.match(showEntry(stored(`<title>${long}</title>`)).title, /^word [a-z ]+…$/);
    assert.equal(showEntry(stored(`<content>${long} ${long}</content>`)).titled, false);
    assert.equal(showEntry(stored("<content># Tea\n\nfor two</content>")).titled, false);
    const article = showEntry(stored("<title>Tea</title><content>for *two*</content>"));
    assert.deepEqual(
      [article.title, article.titled, article.text, article.html],
      ["Tea", true, "for *two*", "<p>for <em>two</em></p>"],
    );
  });
});
