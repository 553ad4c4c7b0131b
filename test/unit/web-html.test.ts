/** Bodies of posts on their way to pages and feeds. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { articleOf } from "../../src/web/article.ts";
import { excerpt, firstWords, plainText, rewrite } from "../../src/web/html.ts";

const base = "https://example.org";
const tagHref = (word: string) => (word === "#tea" ? "/@ana/tag/tea" : undefined);
const onPage = (html: string, headings = 2) => rewrite(html, { base, tagHref, headings });
const inFeed = (html: string) => rewrite(html, { base, tagHref });
const link = '<a class="p-category" rel="tag" href="/@ana/tag/tea">#tea</a>';

describe("plain text", () => {
  test("has a line for each block and no markup", () => {
    assert.equal(plainText("<p>One<br>two</p><ul><li>a</li><li>b <em>c</em></li></ul>"), "One\ntwo\na\nb c");
  });

  test("says what the references stand for", () => {
    assert.equal(plainText("<p>&lt;b&gt; &amp;amp; &quot;&apos;&#10;&#9786;</p>"), "<b> &amp; \"'\n☺");
  });
});

describe("tags in the text", () => {
  test("lead to their pages", () => assert.equal(onPage("<p>Hot #tea!</p>"), `<p>Hot ${link}!</p>`));

  for (const html of [
    "<p>#coffee</p>",
    "<p>a#tea</p>",
    "<p>/#tea</p>",
    "<p><code>#tea</code></p>",
    "<pre><code>x <em>#tea</em></code></pre>",
  ]) {
    test(`are left alone in ${html}`, () => assert.equal(inFeed(html), html));
  }

  test("are left alone in links, however deep", () => {
    const html = '<p><a href="https://a.example/">see <em>#tea</em></a> #tea</p>';
    assert.equal(onPage(html), html.replace(" #tea</p>", ` ${link}</p>`));
  });

  test("do not begin in a reference", () => {
    assert.equal(onPage("<p>&lt;#tea</p>"), `<p>&lt;${link}</p>`);
    assert.equal(rewrite("<p>&amp;</p>", { base, tagHref: () => "/x" }), "<p>&amp;</p>");
  });
});

describe("addresses", () => {
  test("become absolute, on pages and in feeds", () => {
    const html = '<p><a href="/about?a=1&amp;b=2">x</a></p>';
    const absolute = '<p><a href="https://example.org/about?a=1&amp;b=2">x</a></p>';
    assert.equal(onPage(html), absolute);
    assert.equal(inFeed(html), absolute);
  });

  test("with a scheme stay as they are", () => {
    const html = '<p><a href="xmpp:ana@example.org?message">x</a></p>';
    assert.equal(onPage(html), html);
  });
});

describe("pictures", () => {
  const remote = '<p><img src="https://cdn.example/a.jpg" alt="A &quot;cup&quot;"></p>';

  test("of other hosts are links on pages, by their description", () => {
    assert.equal(
      onPage(remote),
      '<p><a href="https://cdn.example/a.jpg" rel="noopener noreferrer">[A &quot;cup&quot;]</a></p>',
    );
    assert.match(onPage('<p><img src="https://cdn.example/a.jpg"></p>'), />\[Picture\]<\/a>/);
  });

  test("inside a link are its words, for links do not nest", () => {
    const html = '<a href="https://a.example/"><img src="https://cdn.example/a.jpg" alt="cup"></a>';
    assert.equal(onPage(html), '<a href="https://a.example/">[cup]</a>');
  });

  test("of our own are shown, and so are all in feeds", () => {
    const own = '<p><img src="https://example.org/icon.png" alt="cup"></p>';
    assert.equal(onPage(own), own);
    assert.equal(inFeed(remote), remote);
    assert.match(onPage('<img src="https://example.org.evil.example/a.jpg" alt="cup">'), /^<a /);
  });

  test("that were uploaded here come in the size of a page, and whole in feeds", () => {
    const uploaded = '<p><img src="/upload/x/a%20$&amp;.jpg" alt="cup"></p>';
    const link = "https://example.org/upload/x/a%20$&amp;.jpg";
    assert.equal(onPage(uploaded), `<p><img src="${link}?w=1280" alt="cup"></p>`);
    assert.equal(inFeed(uploaded), `<p><img src="${link}" alt="cup"></p>`);
    const chosen = `<img src="${link}?w=640" alt="cup">`;
    assert.equal(onPage(chosen), chosen);
  });
});

describe("on a page", () => {
  test("headings start below those of the page", () => {
    assert.equal(onPage("<h1>a</h1><h3>b</h3><h6>c</h6>", 3), "<h3>a</h3><h5>b</h5><h6>c</h6>");
    assert.equal(inFeed("<h1>a</h1>"), "<h1>a</h1>");
  });

  test("lists find their own direction, and code can be scrolled by keyboard", () => {
    assert.equal(onPage("<ul><li>x</li></ul>"), '<ul dir="auto"><li>x</li></ul>');
    assert.equal(onPage("<pre><code>x</code></pre>"), '<pre tabindex="0"><code>x</code></pre>');
  });
});

describe("the excerpt of a long post", () => {
  const paragraph = `<p>${"word ".repeat(60)}<em>end</em></p>`;

  test("is none where the post is short", () => assert.equal(excerpt(paragraph.repeat(3)), undefined));

  test("ends after a block", () => assert.equal(excerpt(paragraph.repeat(9)), paragraph.repeat(2)));

  test("does not end with a heading", () => {
    const html = paragraph + "<p>" + "w ".repeat(60) + "</p><h2>Next</h2>" + paragraph.repeat(9);
    assert.doesNotMatch(excerpt(html)!, /<\/h2>$/);
  });

  test("of one endless paragraph ends between words, with all elements closed", () => {
    const cut = excerpt(`<blockquote><p>${"<em>some words &amp; more</em> ".repeat(200)}</p></blockquote>`)!;
    assert.match(cut, /more<\/em>…<\/p><\/blockquote>$/);
    assert.ok(plainText(cut).length <= 1_040);
  });

  test("of one endless line ends between words", () => {
    const cut = excerpt(`<p>${"words &amp; ".repeat(200)}</p>`)!;
    assert.match(cut, /(words|&amp;)…<\/p>$/);
    assert.ok(plainText(cut).length <= 1_040);
  });

  test("never cuts a character in two", () => {
    const cut = excerpt(`<p>${"🏳️‍🌈".repeat(900)}</p>`)!;
    assert.match(cut, /^<p>(🏳️‍🌈)+…<\/p>$/u);
  });

  test("of a long list of short lines is one, too", () => {
    assert.match(excerpt(`<ul>${"<li>x</li>".repeat(80)}</ul>`)!, /^<ul>(<li>x<\/li>){25}<\/ul>$/);
    assert.match(excerpt(`<p>${"x<br>".repeat(80)}x</p>`)!, /^<p>(x<br>){24}…<\/p>$/);
  });
});

test("first words keep whole words, and cut an endless one", () => {
  assert.equal(firstWords("one two three", 20), "one two three");
  assert.equal(firstWords("one two three", 9), "one two…");
  assert.equal(firstWords("a".repeat(50), 9), "a".repeat(9) + "…");
  assert.equal(firstWords("😀".repeat(50), 9), "😀".repeat(4) + "…");
});

describe("an article", () => {
  test("is a post whose author gave it a heading, or that begins with one", () => {
    const body = "<p>Words</p>";
    assert.deepEqual(articleOf({ titled: true, title: "T", html: body }), { title: "T", html: body });
    assert.deepEqual(articleOf({ titled: false, title: "T", html: `<h2>A &amp; <em>b</em></h2>\n${body}` }), {
      title: "A & b",
      html: body,
    });
  });

  test("is not a note, nor a heading alone", () => {
    for (const html of ["<p>Words</p>", "<h1>Words</h1>"]) {
      assert.deepEqual(articleOf({ titled: false, title: "Words", html }), { title: undefined, html });
    }
  });
});
