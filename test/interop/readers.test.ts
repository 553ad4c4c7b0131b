/** Feed readers and checkers: newsboat, xmllint, Python's feedparser. */
import assert from "node:assert";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import Database from "better-sqlite3";
import type { NodeProcess } from "../support/node.ts";
import { fetched, folderFor, house } from "./house.ts";
import { missing, missingPython } from "./software.ts";

const run = promisify(execFile);

/** Each would break a feed that is put together by hand; `title` is what a reader must show. */
const posts = [
  {
    text: 'Ampersand & <angle> brackets ]]> and "quotes"',
    title: 'Ampersand & <angle> brackets ]]> and "quotes"',
  },
  { text: "Emoji 👩‍🚀🏳️‍🌈 and العربية של", title: "Emoji 👩‍🚀🏳️‍🌈 and العربية של" },
  { text: "Control \u0008 and \u001b characters", title: "Control  and  characters" },
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

test("newsboat reads all three feeds", { skip: missing("newsboat") }, async (t: TestContext) => {
  const node = await written(t);
  const folder = await folderFor(t);
  for (const format of ["atom", "rss"]) {
    const [urls, cache, config] = [`${format}.urls`, `${format}.db`, `${format}.conf`].map((name) =>
      join(folder, name),
    );
    await writeFile(urls!, `http://127.0.0.1:${node.ports.http}/@ana/feed.${format}\n`);
    await writeFile(config!, "auto-reload no\n");
    await run("newsboat", ["-u", urls!, "-c", cache!, "-C", config!, "-x", "reload"], {
      env: { ...process.env, HOME: folder },
    });
    const database = new Database(cache!, { readonly: true });
    const items = database.prepare("SELECT title, content FROM rss_item ORDER BY id").all() as {
      title: string;
      content: string;
    }[];
    database.close();
    assert.equal(items.length, posts.length, format);
    assert.match(items.at(-1)!.content, /<em>Markdown<\/em>/, format);
    // RSS carries short notes without a title, as microblogs do; their text is the content.
    for (const [i, { title }] of posts.entries()) {
      assert(
        items[i]!.title === title || (format === "rss" && items[i]!.title === ""),
        `${format}: ${items[i]!.title}`,
      );
    }
  }
});

test("xmllint accepts the feeds", { skip: missing("xmllint") }, async (t: TestContext) => {
  const node = await written(t);
  const folder = await folderFor(t);
  for (const path of ["/feed.atom", "/feed.rss", "/@ana/feed.atom", "/@ana/feed.rss"]) {
    const file = join(folder, "feed.xml");
    await writeFile(file, (await fetched(node, path)).body);
    const { stderr } = await run("xmllint", ["--noout", "--pedantic", file]);
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
    const { stdout } = await run("/usr/bin/python3", ["-c", script, url]);
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
