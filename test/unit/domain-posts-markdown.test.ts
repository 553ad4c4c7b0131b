/** Markdown as people write it in posts: what it means, and what it must not be able to do. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { cleanHtml, plainHtml } from "../../src/domain/microblog-html.ts";
import { readMarkdown, tagOf, tagsIn, tagsMaximum } from "../../src/domain/microblog-markdown.ts";
import { innerHtml } from "../../src/xmpp/atom.ts";
import { serialize } from "../../src/xmpp/xml.ts";

/** What readers get. */
const shown = (markdown: string): string => innerHtml(cleanHtml(readMarkdown(markdown).html));
const cleaned = (html: string): string => innerHtml(cleanHtml(html));

describe("Markdown", () => {
  test("becomes the elements that it stands for", () => {
    assert.equal(
      shown("Tea *and* **XML** ~~now~~ `x`"),
      "<p>Tea <em>and</em> <strong>XML</strong> <s>now</s> <code>x</code></p>",
    );
    assert.equal(shown("a\nb"), "<p>a<br>\nb</p>");
    assert.equal(
      shown("- a\n  - b\n    1. c").replace(/\n/g, ""),
      "<ul><li>a<ul><li>b<ol><li>c</li></ol></li></ul></li></ul>",
    );
  });

  test("shows HTML as the text it is", () => {
    assert.equal(
      shown("<script>alert(1)</script> & <b>"),
      "<p>&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;b&gt;</p>",
    );
    assert.equal(shown("<div onclick=x>\n\ny"), "<p>&lt;div onclick=x&gt;</p>\n<p>y</p>");
  });

  test("links to nothing that runs", () => {
    for (const scheme of [
      "javascript:alert(1)",
      "JaVaScRiPt:alert(1)",
      "vbscript:x",
      "data:text/html,x",
      "file:///etc/passwd",
    ]) {
      assert.doesNotMatch(shown(`[x](${scheme}) ![x](${scheme}) <${scheme}>`), /href|src/);
    }
    assert.doesNotMatch(shown("[x](&#106;avascript:alert(1))"), /href/);
    assert.doesNotMatch(shown("[x](//evil.example/) [y](/settings) [z](relative)"), /href/);
  });

  test("links addresses that name their scheme, as they were typed", () => {
    const rel = 'rel="nofollow noopener noreferrer ugc"';
    assert.equal(
      shown("https://a.example/_b_c_?d=%20"),
      `<p><a href="https://a.example/_b_c_?d=%20" ${rel}>https://a.example/_b_c_?d=%20</a></p>`,
    );
    assert.equal(
      shown("xmpp:ana@a.example?join."),
      `<p><a href="xmpp:ana@a.example?join" ${rel}>xmpp:ana@a.example?join</a>.</p>`,
    );
    assert.doesNotMatch(shown("readme.md ana@a.example www.a.example ftp://a.example"), /href/);
  });

  test("is bounded in depth and in time", () => {
    const started = process.cpuUsage();
    for (const part of [
      "[",
      "> ",
      "- ",
      "*a ",
      "![",
      "`",
      "_",
      "<",
      "a@",
      "http://",
      "xmpp:",
      "\\",
      "&",
      "[a](<b",
    ]) {
      const xhtml = serialize(cleanHtml(readMarkdown(part.repeat(16_384 / part.length)).html));
      assert((xhtml.match(/<(blockquote|ul)/g) ?? []).length <= 40, part);
    }
    // Each takes some milliseconds; what is quadratic in bad earnest takes many seconds.
    const { user } = process.cpuUsage(started);
    assert(user < 20_000_000, `${user} µs`);
  });
});

describe("a status", () => {
  test("is one line without marks; addresses and tags are none", () => {
    for (const status of [
      "Good morning",
      "3 < 4 & 5",
      "See https://a.example/_x_ #tea",
      "#tea",
      "a_b_c 2 * 3 * 4",
    ]) {
      assert.equal(readMarkdown(status).unmarked, true, status);
    }
  });

  test("is nothing that Markdown changes", () => {
    for (const text of [
      "*a*",
      "a\nb",
      "# a",
      "- a",
      "> a",
      "`a`",
      "&copy;",
      "\\*",
      "[a](https://b.example)",
      "<https://b.example>",
      "    a",
    ]) {
      assert.equal(readMarkdown(text).unmarked, false, text);
    }
  });
});

describe("tags", () => {
  test("are words behind a number sign, in the letters of any language", () => {
    assert.deepEqual(readMarkdown("#XMPP and (#Tea), #ÜBER #हिन्दी #日本語 #c_3po #2nd, *#em*").tags, [
      "xmpp",
      "tea",
      "über",
      "हिन्दी",
      "日本語",
      "c_3po",
      "2nd",
      "em",
    ]);
  });

  test("are not numbers, parts of words, code or addresses", () => {
    const text =
      "#1 #2026 C# a#b &#39; `#code` https://a.example/#frag [x](#y) <https://a.example/,#z> https://a.example/,#w\n\n```\n#fence\n```";
    assert.deepEqual(readMarkdown(text).tags, []);
  });

  test("are each counted once, and bounded", () => {
    assert.deepEqual(tagsIn("#a #A #a"), ["a"]);
    const many = Array.from({ length: 10_000 }, (_, at) => `#t${at}x`).join(" ");
    assert.equal(tagsIn(many).length, tagsMaximum);
    assert.deepEqual(tagsIn(`#${"x".repeat(65)} #${"x".repeat(64)}`), ["x".repeat(64)]);
  });

  test("of clients may be phrases, but have to be something", () => {
    assert.equal(tagOf(" #Open Source "), "open source");
    for (const nothing of ["", "#", "…", "x".repeat(65)]) assert.equal(tagOf(nothing), undefined);
  });
});

describe("HTML of others", () => {
  test("loses what runs, loads or lays out, and keeps its words", () => {
    assert.equal(
      cleaned("<p onclick=x style=y class=z>a<script>b</script><style>c</style><b>d</b></p>"),
      "<p>a<b>d</b></p>",
    );
    assert.equal(
      cleaned(
        "<form><button>x</button></form><svg><a href='https://x.example'>y</a></svg><math>z</math>",
      ).replace(/ rel="[^"]*"/, ""),
      'x<a href="https://x.example">y</a>z',
    );
    assert.equal(
      cleaned(
        "<img src=x onerror=alert(1)><img src='data:image/png;base64,x'><img src='https://a.example/b.png' alt='c'>",
      ),
      '<img src="https://a.example/b.png" alt="c">',
    );
  });

  test("keeps what microformats and Mastodon mark with classes", () => {
    assert.match(cleaned('<a class="mention evil" href="https://a.example/@b">b</a>'), /class="mention"/);
  });

  test("sets apart what stood in blocks that are gone", () => {
    assert.equal(
      cleaned("<div>a<div>b</div><section><h2>c</h2>d</section></div>"),
      "<p>a</p><p>b</p><h2>c</h2><p>d</p>",
    );
    assert.equal(cleaned("<table><tr><td>1</td><td>2</td></tr></table>"), "<p>1</p><p>2</p>");
    assert.equal(
      cleaned('<iframe src="https://v.example/1"></iframe>').replace(/ rel="[^"]*"/, ""),
      '<a href="https://v.example/1">https://v.example/1</a>',
    );
  });

  test("is well-formed whatever it was", () => {
    for (const html of [
      "<p><b>a</p></b>",
      "a & b &nbsp; &bogus; &#8; &#xd800; &#0;",
      "<p a=1 a=2 <b",
      "]]>",
      "<!DOCTYPE x [<!ENTITY y 'z'>]>&y;",
      "<![CDATA[x]]>",
      "<!-- -- -->",
      "<a href='x\ny'>",
      "<\u0000p>",
      `${"<q>".repeat(5_000)}x`,
      "<p>\u0338</p>",
    ]) {
      assert.equal(typeof serialize(cleanHtml(html)), "string");
    }
  });

  test("can be read as words", () => {
    const body = cleanHtml(
      "<h1>T</h1><p>a<br>b <em>c</em></p><ul><li>d</li><li>e</li></ul><img src='https://x.example' alt='f'><pre>#g</pre>",
    );
    assert.equal(plainHtml(body), "T\n\na\nb c\n\nd\n\ne\n\nf\n#g");
    assert.equal(plainHtml(body, new Set(["pre"])).includes("#g"), false);
  });
});
