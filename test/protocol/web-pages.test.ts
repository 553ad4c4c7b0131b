/** The public pages: what is at which address, for whom, and what their heads tell machines. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { base, jid, site } from "../support/site.ts";

const path = ({ author, id }: { author: string; id: string }) => `/@${author.split("@")[0]}/${id}`;

/** The attributes of each element of that name. */
function elements(html: string, name: string): Record<string, string>[] {
  return [...html.matchAll(new RegExp(`<${name}\\b([^>]*)>`, "g"))].map(([, attributes = ""]) =>
    Object.fromEntries(
      [...attributes.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, key, value]) => [key, value]),
    ),
  );
}

const links = (html: string) =>
  elements(html, "link").map(({ rel, type = "", href }) => `${rel} ${type} ${href}`);
const meta = (html: string) =>
  new Map(elements(html, "meta").map(({ name, property, content }) => [name ?? property, content]));

describe("the front page", () => {
  test("says how to begin while nobody lives there", async (t) => {
    const { read } = await site(t, []);
    const page = await read("/");
    assert.match(page, /account add you@example\.org/);
    assert.match(page, /timeline@example\.org/);
  });

  test("is the profile of who lives there alone, and keeps its proper address", async (t) => {
    const { read, post } = await site(t, ["ana"]);
    await post("ana", "Mine alone");
    const page = await read("/");
    assert.equal(page, await read("/@ana"));
    assert.ok(links(page).includes(`canonical  ${base}/@ana`));
  });

  test("is what everybody writes where several live", async (t) => {
    const { read, post } = await site(t, ["ana", "bob"]);
    await post("ana", "From Ana");
    await post("bob", "From Bob");
    const page = await read("/");
    assert.ok(page.indexOf("From Bob") < page.indexOf("From Ana"), "newest first");
    assert.ok(links(page).includes(`canonical  ${base}/`));
    assert.ok(links(page).includes("alternate application/atom+xml /feed.atom"));
  });
});

describe("a profile", () => {
  test("shows the person, the posts and the ways to follow", async (t) => {
    const { read, post } = await site(t, ["ana"]);
    const first = await post("ana", "One #tea");
    await post("ana", "Two");
    const page = await read("/@ana");
    assert.match(page, /<h1[^>]*>.*ana.*<\/h1>/s);
    assert.ok(page.indexOf("Two") < page.indexOf("One"));
    assert.match(page, /href="xmpp:ana@example\.org\?pubsub;action=subscribe;node=urn:xmpp:microblog:0"/);
    assert.match(page, /<a class="p-category" rel="tag" href="\/@ana\/tag\/tea">#tea<\/a>/);
    assert.ok(page.includes(`href="${path(first)}"`));
    for (const name of ["h-feed", "h-card", "h-entry", "u-photo", "u-impp", "e-content", "dt-published"]) {
      assert.match(page, new RegExp(`class="[^"]*\\b${name}\\b`), name);
    }
  });

  test("without posts is a page, too", async (t) => {
    const { read } = await site(t, ["ana", "bob"]);
    assert.match(await read("/@bob"), /Nothing here yet/);
  });

  test("has a picture that stands for the person", async (t) => {
    const { get } = await site(t, ["ana"]);
    const picture = await get("/@ana/avatar.svg");
    assert.equal(picture.headers.get("content-type"), "image/svg+xml");
    assert.equal(picture.headers.get("cross-origin-resource-policy"), "cross-origin");
    assert.match(await picture.text(), />A<\/text>/);
    assert.equal((await get("/@nobody/avatar.svg")).status, 404);
  });

  test("cuts long posts short, and leads to the rest", async (t) => {
    const { read, post } = await site(t, ["ana"]);
    const long = await post("ana", `# An essay\n\n${`${"word ".repeat(80)}\n\n`.repeat(8)}The end.`);
    const list = await read("/@ana");
    assert.doesNotMatch(list, /The end\./);
    assert.match(list, /<h2 class="p-name"[^>]*><a href="[^"]*">An essay<\/a><\/h2>/);
    assert.match(list, /aria-label="Read on: An essay"/);
    const page = await read(path(long));
    assert.match(page, /<h1 class="p-name"[^>]*>An essay<\/h1>/);
    assert.match(page, /The end\./);
  });

  test("goes on behind twenty posts, and leads back", async (t) => {
    const { read, get, post } = await site(t, ["ana"]);
    for (let i = 1; i <= 45; i++) await post("ana", `Number ${i}.`);
    const numbers = (page: string) =>
      [...page.matchAll(/Number (\d+)\./g)].map(([, number]) => Number(number));
    const beside = (page: string, rel: string) => {
      const [inHead] = elements(page, "link").filter((link) => link["rel"] === rel);
      const [inText] = elements(page, "a").filter((link) => link["rel"] === rel);
      assert.equal(inHead?.["href"], inText && base + inText["href"]);
      return inText?.["href"];
    };
    const walk = async (from: string, rel: string) => {
      const visited: string[] = [];
      const seen: number[][] = [];
      for (let path: string | undefined = from; path !== undefined;) {
        const page: string = await read(path);
        visited.push(path);
        seen.push(numbers(page));
        path = beside(page, rel);
      }
      return { visited, seen };
    };

    const down = await walk("/@ana", "next");
    assert.deepEqual(
      down.seen.map((page) => page.length),
      [20, 20, 5],
    );
    assert.deepEqual(
      down.seen.flat(),
      Array.from({ length: 45 }, (_, i) => 45 - i),
    );
    const up = await walk(down.visited.at(-1)!, "prev");
    assert.deepEqual(up.visited, down.visited.toReversed());
    assert.deepEqual(up.seen, down.seen.toReversed());
    assert.equal((await get("/@ana?before=nonsense")).status, 400);
  });
});

describe("a post", () => {
  test("has its page, with what previews and search engines read", async (t) => {
    const { read, node } = await site(t, ["ana"]);
    const text = 'Tea & <script>alert(1)</script> "quoted" #tea';
    const post = await node.posts.create({ author: jid("ana"), text, language: "en" });
    const page = await read(path(post));
    assert.doesNotMatch(page, /<script>alert/);
    assert.match(page, /<div class="prose e-content" dir="auto" lang="en">/);
    assert.equal((page.match(/<h1/g) ?? []).length, 1);
    assert.ok(links(page).includes(`canonical  ${base}${path(post)}`));
    assert.ok(
      links(page).includes(`alternate  xmpp:ana@example.org?;node=urn:xmpp:microblog:0;item=${post.id}`),
      "the same post over XMPP",
    );
    const told = meta(page);
    assert.equal(told.get("og:type"), "article");
    assert.equal(told.get("og:url"), `${base}${path(post)}`);
    assert.equal(told.get("article:published_time"), post.publishedAt.toISOString());
    assert.equal(told.get("article:tag"), "tea");
    assert.equal(
      told.get("description"),
      "Tea &amp; &lt;script&gt;alert(1)&lt;/script&gt; &quot;quoted&quot; #tea",
    );
    const [, json = ""] = /<script type="application\/ld\+json">(.*?)<\/script>/s.exec(page) ?? [];
    const about = JSON.parse(json) as Record<string, unknown>;
    assert.equal(about["@type"], "SocialMediaPosting");
    assert.equal(about["articleBody"], text);
  });

  test("that was edited says so, and shows the new words", async (t) => {
    const { read, node, post } = await site(t, ["ana"]);
    const before = await post("ana", "Befor");
    await node.posts.edit({ author: jid("ana"), id: before.id, text: "Before" });
    assert.match(await read(path(before)), /<p>Before<\/p>/);
  });

  test("that was deleted is gone, on its page and from the lists", async (t) => {
    const { get, read, node, post } = await site(t, ["ana"]);
    const gone = await post("ana", "Not for long #tea");
    await node.posts.remove({ author: jid("ana"), id: gone.id });
    const answer = await get(path(gone));
    assert.equal(answer.status, 410);
    const page = await answer.text();
    assert.doesNotMatch(page, /Not for long/);
    assert.match(page, /href="\/@ana"/);
    for (const list of ["/", "/@ana", "/tag/tea", "/@ana/feed.json"])
      assert.doesNotMatch(await read(list), /Not for/);
  });

  test("of a closed node is nowhere, and comes back when it opens", async (t) => {
    const { get, read, post, setAccess } = await site(t, ["ana", "bob"]);
    const secret = await post("ana", "For friends #tea");
    const places = [
      "/",
      "/@ana",
      "/tag/tea",
      "/@ana/tag/tea",
      "/feed.atom",
      "/@ana/feed.rss",
      "/tag/tea/feed.json",
    ];
    await setAccess("ana", "presence");
    assert.equal((await get(path(secret))).status, 404);
    for (const place of places) assert.doesNotMatch(await read(place), /For friends/, place);
    await setAccess("ana", "open");
    for (const place of [...places, path(secret)]) assert.match(await read(place), /For friends/, place);
  });
});

describe("a tag", () => {
  test("has a page for one person and one for everybody", async (t) => {
    const { get, read, post } = await site(t, ["ana", "bob"]);
    await post("ana", "Ana's #Tea");
    await post("bob", "Bob's #tea");
    const [all, one] = [await read("/tag/tea"), await read("/@ana/tag/tea")];
    assert.match(all, /Ana's.*Bob's|Bob's.*Ana's/s);
    assert.match(all, /rel="tag" href="\/tag\/tea"/);
    assert.doesNotMatch(one, /Bob's/);
    assert.match(one, /<a href="\/tag\/tea">/);
    assert.equal((await get("/tag/coffee")).status, 404);
    assert.equal((await get("/@ana/tag/coffee")).status, 404);
  });

  test("of other alphabets has an address that works", async (t) => {
    const { read, post } = await site(t, ["ana"]);
    await post("ana", "Vögel und #Vögel");
    const [, href = ""] = /rel="tag" href="([^"]*)"/.exec(await read("/@ana")) ?? [];
    assert.equal(href, "/@ana/tag/v%C3%B6gel");
    assert.match(await read(href), /<h1[^>]*>#vögel<\/h1>/);
  });
});

describe("every head", () => {
  test("tells readers where the feeds are (a lost link breaks every one of them)", async (t) => {
    const { read, post } = await site(t, ["ana", "bob"]);
    const one = await post("ana", "One #tea");
    const expected: Record<string, readonly [feeds: string, xmpp: string | undefined]> = {
      "/": ["", undefined],
      "/@ana": ["/@ana", "xmpp:ana@example.org?;node=urn:xmpp:microblog:0"],
      "/tag/tea": ["/tag/tea", undefined],
      "/@ana/tag/tea": ["/@ana/tag/tea", "xmpp:ana@example.org?;node=urn:xmpp:microblog:0"],
      [path(one)]: ["/@ana", `xmpp:ana@example.org?;node=urn:xmpp:microblog:0;item=${one.id}`],
    };
    for (const [page, [folder, xmpp]] of Object.entries(expected)) {
      const html = await read(page);
      const [head = ""] = html.split("</head>");
      const alternates = links(head).filter((link) => link.startsWith("alternate"));
      assert.deepEqual(
        alternates,
        [
          `alternate application/atom+xml ${folder}/feed.atom`,
          `alternate application/rss+xml ${folder}/feed.rss`,
          `alternate application/feed+json ${folder}/feed.json`,
          ...(xmpp === undefined ? [] : [`alternate  ${xmpp}`]),
        ],
        page,
      );
      for (const link of alternates.slice(0, 3)) await read(link.split(" ")[2]!);
      assert.ok(links(head).includes(`canonical  ${base}${page}`), page);
      for (const needed of ["description", "viewport", "og:title", "og:url", "og:image", "og:site_name"]) {
        assert.ok(meta(head).get(needed), `${needed} on ${page}`);
      }
      assert.match(head, /<title>[^<]+<\/title>/);
    }
  });
});

test("no page has a script, a style of its own, or more than one heading of the first rank", async (t) => {
  const { read, get, post } = await site(t, ["ana", "bob"]);
  const one = await post("ana", "# Heading\n\n## Another\n\nWords **and** `code`");
  for (const page of ["/", "/@ana", "/@bob", path(one), "/nowhere"]) {
    const html = page === "/nowhere" ? await (await get(page)).text() : await read(page);
    assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=|<script(?! type="application\/ld\+json")/, page);
    assert.equal((html.match(/<h1\b/g) ?? []).length, 1, page);
    assert.match(html, /^<!doctype html><html lang="en">/);
    assert.match(html, /<a class="skip" href="#main">/);
    assert.match(html, /<main id="main"/);
  }
});
