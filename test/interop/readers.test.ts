/** Feed readers and checkers: newsboat, xmllint, Python's feedparser. */
import assert from "node:assert";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import Database from "better-sqlite3";
import type { NodeProcess } from "../support/node.ts";
import { fetched, folderFor, house } from "./house.ts";
import { deadline, missing, missingPython } from "./software.ts";

const run = promisify(execFile);

/** Each would break a feed that is put together by hand; `title` is what a reader must show. */
const posts = [
  {
    text: 'Ampersand & <angle> brackets ]]> and "quotes"',
    title: 'Ampersand & <angle> brackets ]]> and "quotes"',
  },
  { text: "Emoji 👩‍🚀🏳️‍🌈 and العربية של", title: "Emoji 👩‍🚀🏳️‍🌈 and العربية של" },
  { text: "Control \u0008 and \u001b characters", title: "Control and characters" },
  {
    text: "# A longer one\n\nWith *Markdown*, a [link](https://example.org/?a=1&b=2) and `code <b>`.\n\n- one\n- two",
    title: "A longer one",
  },
];

async function written(t: TestContext): Promise<NodeProcess> {
  const node = await house(t);
  for (const { text } of posts) {
    const posted = await node.pipit(["post", `ana@${node.domain}`], text);
    assert.equal(posted.code, 0, posted.stderr);
  }
  return node;
}

interface NewsboatItem {
  readonly title: string;
  readonly url: string;
  readonly content: string;
}

/** What newsboat has of a feed once it has loaded it, and what it complained about. */
async function newsboat(
  t: TestContext,
  node: NodeProcess,
  path: string,
): Promise<{ items: NewsboatItem[]; errors: string }> {
  const folder = await folderFor(t);
  const [urls, cache, config, errors] = ["urls", "cache.db", "config", "errors"].map((name) =>
    join(folder, name),
  ) as [string, string, string, string];
  await writeFile(urls, `http://127.0.0.1:${node.ports.http}${path}\n`);
  await writeFile(config, `auto-reload no\nerror-log ${errors}\n`);
  await run("newsboat", ["-u", urls, "-c", cache, "-C", config, "-x", "reload"], {
    env: { ...process.env, HOME: folder },
    timeout: deadline,
  });
  const database = new Database(cache, { readonly: true });
  const items = database.prepare("SELECT title, url, content FROM rss_item ORDER BY id").all();
  database.close();
  return { items: items as NewsboatItem[], errors: await readFile(errors, "utf8").catch(() => "") };
}

/** A paragraph of HTML as the text that is shown. */
const textOf = (html: string): string =>
  html
    .replace(/<[^>]*>/g, "")
    .replace(/\s+/g, " ")
    .replace(/&(lt|gt|quot|amp);/g, (_, name: keyof typeof entities) => entities[name])
    .trim();

const entities = { lt: "<", gt: ">", quot: '"', amp: "&" };

test("newsboat reads Atom and RSS", { skip: missing("newsboat") }, async (t: TestContext) => {
  const node = await written(t);
  const [atom, rss] = [await newsboat(t, node, "/@ana/feed.atom"), await newsboat(t, node, "/@ana/feed.rss")];
  const titles = posts.map(({ title }) => title);
  assert.deepEqual(
    atom.items.map(({ title }) => title),
    titles,
  );
  // RSS carries short notes without a title, as microblogs do; newsboat makes one up of the address.
  for (const [i, { title, content }] of rss.items.entries()) {
    if (titles[i] === "A longer one") assert.equal(title, titles[i]);
    else assert.equal(textOf(content), titles[i]);
  }
  for (const { items, errors } of [atom, rss]) {
    assert.equal(errors, "");
    assert.match(items.at(-1)!.content, /<em>Markdown<\/em>/);
    for (const [i, { url }] of items.entries()) {
      assert.equal(url, atom.items[i]!.url);
      const { status, body } = await fetched(node, new URL(url).pathname);
      assert.equal(status, 200, url);
      assert(body.includes(`href="${url}"`), "the page knows its address");
    }
  }
});

test("newsboat says that it cannot read JSON", { skip: missing("newsboat") }, async (t: TestContext) => {
  // Up to this day it wants XML. A version that learns JSON Feed will read this one as it reads the others.
  const { items, errors } = await newsboat(t, await written(t), "/@ana/feed.json");
  if (items.length === 0) assert.match(errors, /XML root node is NULL/);
  else assert.equal(items.length, posts.length);
});

test("xmllint accepts the feeds", { skip: missing("xmllint") }, async (t: TestContext) => {
  const node = await written(t);
  const folder = await folderFor(t);
  for (const path of ["/feed.atom", "/feed.rss", "/@ana/feed.atom", "/@ana/feed.rss"]) {
    const file = join(folder, "feed.xml");
    await writeFile(file, (await fetched(node, path)).body);
    const { stderr } = await run("xmllint", ["--noout", "--pedantic", file], { timeout: deadline });
    assert.equal(stderr, "", path);
  }
});

test("feedparser finds nothing to forgive", { skip: missingPython("feedparser") }, async (t: TestContext) => {
  const node = await written(t);
  const script =
    "import feedparser, json, sys; d = feedparser.parse(sys.argv[1]); " +
    "print(json.dumps({'bozo': bool(d.bozo), 'version': d.version, 'ids': [e.id for e in d.entries], " +
    "'titles': [e.get('title', '') for e in d.entries], 'links': [e.link for e in d.entries]}))";
  const ids: unknown[] = [];
  for (const [format, version] of [
    ["atom", "atom10"],
    ["rss", "rss20"],
  ] as const) {
    const url = `http://127.0.0.1:${node.ports.http}/@ana/feed.${format}`;
    const { stdout } = await run("/usr/bin/python3", ["-c", script, url], { timeout: deadline });
    const parsed = JSON.parse(stdout) as { bozo: boolean; version: string; ids: string[]; links: string[] };
    assert.equal(parsed.bozo, false, format);
    assert.equal(parsed.version, version);
    assert.equal(parsed.ids.length, posts.length);
    assert(parsed.links.every((link) => link.includes("/@ana/")));
    ids.push(parsed.ids);
  }
  const json = JSON.parse((await fetched(node, "/@ana/feed.json")).body) as { items: { id: string }[] };
  ids.push(json.items.map(({ id }) => id));
  assert.deepEqual(ids[0], ids[1], "the same ids in Atom and RSS");
  assert.deepEqual(ids[1], ids[2], "and in JSON");
});
