/** The edge itself: addresses, methods, hosts, headers, errors, static files, caching. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { gunzipSync } from "node:zlib";
import { cast } from "../support/cast.ts";
import { base, jid, site } from "../support/site.ts";

describe("addresses", () => {
  test("spelt in another way lead to the one", async (t) => {
    const { get, post } = await site(t, ["ana"]);
    await post("ana", "One #tea");
    const spellings: Record<string, string> = {
      "/@Ana": "/@ana",
      "/@ana/": "/@ana",
      "/%40ana": "/@ana",
      "/%40ANA/feed.atom?before=1-x": "/@ana/feed.atom?before=1-x",
      "/tag/Tea": "/tag/tea",
      "/@ana/tag/TEA/": "/@ana/tag/tea",
      "/tag/%74ea/feed.rss": "/tag/tea/feed.rss",
      "/feed": "/feed.atom",
      "/feed/": "/feed.atom",
      "/feed.xml": "/feed.atom",
      "/atom.xml": "/feed.atom",
      "/index.xml": "/feed.atom",
      "/rss.xml": "/feed.rss",
      "/rss": "/feed.rss",
      "/@ana/feed": "/@ana/feed.atom",
      "/@ana/feed/": "/@ana/feed.atom",
      "/@ana/rss.xml": "/@ana/feed.rss",
      "/@ana/tag/tea/index.xml": "/@ana/tag/tea/feed.atom",
    };
    for (const [from, to] of Object.entries(spellings)) {
      const answer = await get(from);
      assert.deepEqual([answer.status, answer.headers.get("location")], [301, to], from);
    }
  });

  test("that cannot be are pages that say so", async (t) => {
    const { get, errors } = await site(t, ["ana"]);
    const paths = ["/nowhere", "/@nobody", "/@ana/nothing", "/@", "/@ana/a/b", "/static/x.css"];
    const broken = [
      "/%",
      "/%E0%A4%A",
      "/@%ff",
      "/tag/%c3%28",
      "/@ana/%",
      "/%00",
      "/@a%20b",
      "/tag/a%2Fb",
      "//",
      "//evil.example/",
      "//evil.example/@Ana",
      "/@%2F",
    ];
    for (const path of [...paths, ...broken]) {
      const answer = await get(path);
      assert.equal(answer.status, 404, path);
      assert.match(await answer.text(), /<h1>Nothing nests here<\/h1>/, path);
    }
    assert.deepEqual(errors, []);
  });

  test("with a cursor that was never given out are bad requests", async (t) => {
    const { get, post } = await site(t, ["ana"]);
    await post("ana", "One");
    for (const path of ["/", "/feed.atom"]) assert.equal((await get(path)).status, 200);
    for (const path of ["/", "/@ana", "/feed.atom", "/@ana/feed.json"]) {
      for (const cursor of ["", "x", "%00", "99999999999999999999-x"]) {
        assert.equal((await get(`${path}?before=${cursor}`)).status, 400, `${path} ${cursor}`);
      }
    }
  });
});

describe("methods", () => {
  test("HEAD tells what GET would", async (t) => {
    const { app, post } = await site(t, ["ana"]);
    const { id } = await post("ana", "One");
    for (const path of [
      "/",
      "/@ana",
      `/@ana/${id}`,
      "/@ana/feed.atom",
      "/@ana/avatar.svg",
      "/livez",
      "/nowhere",
      "/@nobody",
    ]) {
      const [head, get] = await Promise.all(
        ["HEAD", "GET"].map((method) => app.request(`${base}${path}`, { method })),
      );
      assert.equal(head!.status, get!.status, path);
      assert.deepEqual([...head!.headers], [...get!.headers], path);
      assert.equal(await head!.text(), "", path);
    }
  });

  test("that change something are not for these pages", async (t) => {
    const { app } = await site(t, ["ana"]);
    for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
      const answer = await app.request(`${base}/@ana`, { method });
      assert.equal(answer.status, 405, method);
      assert.equal(answer.headers.get("allow"), "GET, HEAD");
      assert.equal((await app.request(`${base}/nowhere`, { method })).status, 404);
    }
  });
});

describe("hosts", () => {
  const status = async (url: string, app: { request(url: string): Response | Promise<Response> }) =>
    (await app.request(url)).status;

  test("that are not served here are refused", async (t) => {
    const { app } = await site(t, ["ana"]);
    for (const host of [
      "evil.example",
      "example.org.evil.example",
      "www.example.org",
      "192.168.1.9",
      "[2001:db8::1]",
    ]) {
      assert.equal(await status(`http://${host}/@ana`, app), 421, host);
    }
  });

  test("served are the domain, the public address and the machine itself, on any port", async (t) => {
    const { app } = await site(t, ["ana"], { url: "https://blog.example.net:8443" });
    for (const host of [
      "example.org",
      "blog.example.net",
      "blog.example.net:80",
      "localhost:3000",
      "127.0.0.1:8080",
      "[::1]",
      "example.org.",
    ]) {
      assert.equal(await status(`http://${host}/@ana`, app), 200, host);
    }
  });

  test("do not matter to health checks", async (t) => {
    const { app } = await site(t, []);
    for (const path of ["/livez", "/readyz"]) assert.equal(await status(`http://10.0.0.7${path}`, app), 200);
  });
});

describe("headers", () => {
  const policy =
    /default-src 'none'; style-src 'self'; img-src 'self' data:;.* base-uri 'none'; frame-ancestors 'none'$/;

  test("guard every answer, errors included", async (t) => {
    const { get } = await site(t, ["ana"]);
    for (const path of ["/", "/@ana", "/@ana/feed.rss", "/nowhere", "/livez", "/@Ana", "/favicon.ico"]) {
      const { headers } = await get(path);
      assert.match(headers.get("content-security-policy") ?? "", policy, path);
      assert.doesNotMatch(headers.get("content-security-policy") ?? "", /unsafe/);
      assert.equal(headers.get("x-content-type-options"), "nosniff", path);
      assert.equal(headers.get("referrer-policy"), "same-origin", path);
    }
    assert.match((await get("/", { host: "x" })).headers.get("content-security-policy") ?? "", policy);
  });

  test("open the feeds and pictures to other sites, and nothing else", async (t) => {
    const { get } = await site(t, ["ana"]);
    const [page, feed] = [(await get("/@ana")).headers, (await get("/@ana/feed.json")).headers];
    assert.equal(page.get("cross-origin-resource-policy"), "same-origin");
    assert.equal(page.get("access-control-allow-origin"), null);
    assert.equal(feed.get("cross-origin-resource-policy"), "cross-origin");
    assert.equal(feed.get("access-control-allow-origin"), "*");
  });

  test("ask for TLS where the site has it, for this host alone", async (t) => {
    const secure = await site(t, []);
    assert.equal((await secure.get("/")).headers.get("strict-transport-security"), "max-age=31536000");
    const plain = await site(t, [], { url: "http://example.org" });
    assert.equal((await plain.get("/")).headers.get("strict-transport-security"), null);
  });
});

describe("static files", () => {
  test("have their content in their address and never change there", async (t) => {
    const { read, get } = await site(t, []);
    const [, href = ""] = /<link rel="stylesheet" href="([^"]*)"/.exec(await read("/")) ?? [];
    assert.match(href, /^\/static\/site\.[\w-]{12}\.css$/);
    const sheet = await get(href);
    assert.equal(sheet.headers.get("content-type"), "text/css; charset=utf-8");
    assert.equal(sheet.headers.get("cache-control"), "public, max-age=31536000, immutable");
    assert.equal((await get(href.replace(".css", "x.css"))).status, 404);
    assert.equal((await get("/static/..%2F..%2Fpackage.json")).status, 404);
  });

  test("that browsers and robots look for are there", async (t) => {
    const { get } = await site(t, []);
    assert.equal((await get("/favicon.ico")).headers.get("content-type"), "image/x-icon");
    assert.match(await (await get("/robots.txt")).text(), /^User-agent: \*\nDisallow:\n/);
  });
});

describe("a fault on this side", () => {
  test("is a page that tells nothing, and a line in the log", async (t) => {
    const { node, get, errors } = await site(t, ["ana"]);
    await node.close();
    node.close = async () => undefined;
    const answer = await get("/@ana");
    assert.equal(answer.status, 500);
    const page = await answer.text();
    assert.match(page, /<h1>Something broke<\/h1>/);
    assert.doesNotMatch(page, /database|sqlite|at Object/i);
    assert.equal(errors.length, 1);
    assert.equal((await get("/readyz")).status, 503);
    assert.equal((await get("/livez")).status, 200);
  });
});

describe("caching", () => {
  const feeds = ["/@ana/feed.atom", "/@ana/feed.rss", "/@ana/feed.json", "/feed.atom", "/tag/tea/feed.rss"];
  /** Sets the clock; it stands still until it is set again. */
  const at = (t: TestContext, time: string) => {
    t.mock.timers.reset();
    t.mock.timers.enable({ apis: ["Date"], now: Date.parse(time) });
  };

  test("answers 304, with the validators, to whoever has it", async (t) => {
    const { get, post } = await site(t, ["ana", "bob"]);
    at(t, "2026-08-10T09:00:00.300Z");
    const { id } = await post("ana", "One #tea");
    at(t, "2026-08-10T09:00:01Z");
    for (const path of [...feeds, "/", "/@ana", "/tag/tea", `/@ana/${id}`]) {
      const first = await get(path);
      const [etag, modified] = ["etag", "last-modified"].map((name) => first.headers.get(name)!);
      assert.match(etag!, /^"[\w-]{22}"$/, path);
      for (const headers of [
        { "if-none-match": etag! },
        { "if-none-match": `W/${etag!}` },
        { "if-modified-since": modified! },
        { "if-none-match": etag!, "if-modified-since": "Mon, 10 Aug 2020 09:00:00 GMT" },
      ]) {
        const again = await get(path, headers);
        assert.equal(again.status, 304, `${path} ${JSON.stringify(headers)}`);
        assert.equal(await again.text(), "");
        for (const name of ["etag", "cache-control", "vary", "last-modified"]) {
          assert.equal(again.headers.get(name), first.headers.get(name), `${path} ${name}`);
        }
      }
      const other = { "if-none-match": '"other"', "if-modified-since": modified! };
      assert.equal((await get(path, other)).status, 200, path);
    }
  });

  test("notices a new post, an edit and a deletion, though the newest post stays the same", async (t) => {
    const { get, node, post } = await site(t, ["ana"]);
    at(t, "2026-08-10T09:00:00.300Z");
    const author = jid("ana");
    const old = await post("ana", "Old #tea");
    await post("ana", "New #tea");
    const lists = [...feeds, "/", "/@ana", "/tag/tea"];
    const changes = [
      () => post("ana", "Newer #tea"),
      () => node.posts.edit({ author, id: old.id, text: "Older #tea" }),
      () => node.posts.remove({ author, id: old.id }),
    ];
    for (const change of changes) {
      const before = await Promise.all(lists.map(async (path) => (await get(path)).headers));
      await change();
      for (const [i, path] of lists.entries()) {
        const headers = before[i]!;
        const byTag = await get(path, { "if-none-match": headers.get("etag")! });
        assert.equal(byTag.status, 200, path);
        const byTime = await get(path, { "if-modified-since": headers.get("last-modified")! });
        assert.equal(byTime.status, 200, `${path}, by time alone and in the same second`);
      }
    }
  });

  test("dates a feed by its last change, in its head as in its content", async (t) => {
    const { get, node, post } = await site(t, ["ana"]);
    at(t, "2026-08-10T09:00:00Z");
    const old = await post("ana", "Old");
    await post("ana", "New");
    at(t, "2026-08-10T10:00:00Z");
    await node.posts.remove({ author: jid("ana"), id: old.id });
    at(t, "2026-08-10T11:00:00Z");
    const answer = await get("/@ana/feed.atom");
    const [, updated = ""] = /<updated>(.*?)<\/updated>/.exec(await answer.text()) ?? [];
    assert.equal(updated, "2026-08-10T10:00:00Z");
    assert.equal(answer.headers.get("last-modified"), "Mon, 10 Aug 2026 10:00:00 GMT");
  });

  test("serves other readers of the same feed without rendering it again", async (t) => {
    const { get, node, post } = await site(t, ["ana"]);
    await post("ana", "One");
    const page = t.mock.method(node.posts, "page");
    const bodies = await Promise.all(
      Array.from({ length: 5 }, async () => (await get("/@ana/feed.rss")).text()),
    );
    assert.equal(new Set(bodies).size, 1);
    assert.equal(page.mock.callCount(), 1);
  });

  test("says how long, and what the answer depends on", async (t) => {
    const { get } = await site(t, ["ana"]);
    const [page, feed] = [(await get("/@ana")).headers, (await get("/@ana/feed.atom")).headers];
    assert.equal(page.get("cache-control"), "public, no-cache");
    assert.equal(feed.get("cache-control"), "public, max-age=300, stale-while-revalidate=3600");
    for (const headers of [page, feed]) assert.equal(headers.get("vary"), "Accept-Encoding");
  });

  test("keeps a compressed form apart from the plain one", async (t) => {
    const { get, post } = await site(t, ["ana"]);
    await post("ana", "Word ".repeat(300));
    const plain = await get("/@ana/feed.json");
    const zipped = await get("/@ana/feed.json", { "accept-encoding": "br;q=1, gzip;q=0.8" });
    assert.equal(zipped.headers.get("content-encoding"), "gzip");
    assert.notEqual(zipped.headers.get("etag"), plain.headers.get("etag"));
    const body = await zipped.arrayBuffer();
    assert.equal(zipped.headers.get("content-length"), String(body.byteLength));
    assert.equal(gunzipSync(Buffer.from(body)).toString(), await plain.text());
    for (const refused of ["gzip;q=0", "br", "gzip;q=0.0, *"]) {
      assert.equal(
        (await get("/@ana/feed.json", { "accept-encoding": refused })).headers.get("content-encoding"),
        null,
      );
    }
  });

  test("lets web pages elsewhere revalidate feeds", async (t) => {
    const { app } = await site(t, ["ana"]);
    const asked = await app.request(`${base}/@ana/feed.json`, { method: "OPTIONS" });
    assert.equal(asked.status, 204);
    assert.equal(asked.headers.get("access-control-allow-origin"), "*");
    assert.match(asked.headers.get("access-control-allow-headers") ?? "", /If-None-Match/);
  });
});

test("feeds go on page by page until everything was told", async (t) => {
  const { read, post } = await site(t, ["ana"]);
  for (let i = 1; i <= 35; i++) await post("ana", `Number ${i}.`);
  for (const [format, next, item] of [
    ["atom", /<link rel="next" href="https:\/\/example\.org([^"]*)"/, /<title type="text">Number (\d+)/g],
    ["rss", /<atom:link rel="next"[^>]* href="https:\/\/example\.org([^"]*)"/, /<p>Number (\d+)/g],
    ["json", /"next_url":"https:\/\/example\.org([^"]*)"/, /"content_text":"Number (\d+)/g],
  ] as const) {
    const seen: string[] = [];
    let path: string | undefined = `/@ana/feed.${format}`;
    while (path !== undefined) {
      const document: string = await read(path);
      seen.push(...[...document.matchAll(item)].map(([, number]) => number!));
      path = next.exec(document)?.[1];
    }
    assert.deepEqual(
      seen,
      Array.from({ length: 35 }, (_, i) => String(35 - i)),
      format,
    );
  }
});

test("a message to the timeline is on the page and in the feeds when its sender is told so", async (t) => {
  await using stage = await cast(t, { ana: {} });
  const { ana } = stage.actors;
  ana.sends(
    `<message to='timeline@${stage.domain}' type='chat' id='m1'><body>Seen on the web</body></message>`,
  );
  await ana.receives(`<message from='timeline@${stage.domain}'/>`);
  const origin = `http://127.0.0.1:${stage.node.ports.http}`;
  for (const path of ["/", "/@ana", "/@ana/feed.atom", "/@ana/feed.rss", "/@ana/feed.json"]) {
    const answer = await fetch(`${origin}${path}`);
    assert.equal(answer.status, 200, path);
    assert.match(await answer.text(), /Seen on the web/, path);
    const head = await fetch(`${origin}${path}`, { method: "HEAD" });
    assert.equal(head.status, 200);
    assert.equal(await head.text(), "");
  }
});
