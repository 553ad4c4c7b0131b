/** Who may know whom (design §2), and what only one place may do. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, test } from "node:test";

const root = new URL("../../../", import.meta.url);
const maxLines = 400;

/** Each room and the rooms that it may import. Everybody may speak the language (`xmpp`) but the store. */
const rooms: Record<string, readonly string[]> = {
  xmpp: [],
  store: [],
  server: ["xmpp"],
  pubsub: ["xmpp", "store"],
  domain: ["xmpp", "store", "pubsub"],
  modules: ["xmpp", "store", "pubsub", "domain", "server"],
  web: ["xmpp", "domain", "views"],
  views: [],
};
/** Files of no room that all rooms may import; of the settings only the types. */
const shared = ["src/events.ts", "src/log.ts"];
const settings = "src/config.ts";

interface Import {
  readonly file: string;
  readonly from: string;
  readonly typeOnly: boolean;
}

const files = ["src", "views", "test"].flatMap((folder) =>
  readdirSync(new URL(`${folder}/`, root), { recursive: true, encoding: "utf8" })
    .filter((file) => /\.tsx?$/.test(file))
    .map((file) => `${folder}/${file}`),
);
const sources = new Map(files.map((file) => [file, readFileSync(new URL(file, root), "utf8")]));
const program = [...sources].filter(([file]) => !file.startsWith("test/"));

const imports: Import[] = program.flatMap(([file, text]) =>
  [...text.matchAll(/^(?:import|export)\s+(type\s)?(?:[^;"']*?\sfrom\s+)?["']([^"']+)["']/gm)].map(
    ([, type, from]) => ({
      file,
      from: from!.startsWith(".") ? posix.join(posix.dirname(file), from!) : from!,
      typeOnly: type !== undefined,
    }),
  ),
);

/** The room of a file; `undefined` for what stands above the rooms. */
function roomOf(file: string): string | undefined {
  if (file.startsWith("views/")) return "views";
  return /^src\/([^/]+)\//.exec(file)?.[1];
}

const told = (found: readonly { file: string; from?: string }[]): string[] =>
  found.map(({ file, from }) => (from === undefined ? file : `${file} imports ${from}`));

describe("the rooms", () => {
  test("are those of the plan", () => {
    const found = new Set(program.map(([file]) => roomOf(file)).filter((room) => room !== undefined));
    assert.deepEqual([...found].sort(), Object.keys(rooms).sort());
  });

  test("import only whom they may know", () => {
    const forbidden = imports.filter(({ file, from, typeOnly }) => {
      const room = roomOf(file);
      if (room === undefined || !/^(?:src|views)\//.test(from)) return false;
      if (shared.includes(from) || (from === settings && typeOnly)) return false;
      const other = roomOf(from);
      return other === undefined || (other !== room && !rooms[room]!.includes(other));
    });
    assert.deepEqual(told(forbidden), []);
  });

  test("were looked at: the imports that must be there were found", () => {
    const arrow = (file: string, from: string): boolean =>
      imports.some((one) => one.file === file && one.from === from);
    assert(arrow("src/modules/ping.ts", "src/server/module.ts"));
    assert(arrow("src/node.ts", "src/store/sqlite.ts"));
    assert(arrow("src/store/schema.ts", "src/store/columns.ts"));
  });
});

test("only the store speaks SQL", () => {
  const libraries = /^(?:drizzle-orm|better-sqlite3)(?:\/|$)/;
  const found = imports.filter(({ file, from }) => libraries.test(from) && roomOf(file) !== "store");
  assert.deepEqual(told(found), []);
});

test("only the settings read the environment", () => {
  const found = program.filter(([file, text]) => text.includes("process.env") && file !== settings);
  assert.deepEqual(
    found.map(([file]) => file),
    [],
  );
});

test(`no file is longer than ${maxLines} lines`, () => {
  const found = program.filter(([, text]) => text.split("\n").length > maxLines);
  assert.deepEqual(
    found.map(([file]) => file),
    [],
  );
});

test("every file says in its first line which specification or which job it is", () => {
  const found = program.filter(([, text]) => !/^(?:#!.*\n)?\/\*\*/.test(text));
  assert.deepEqual(
    found.map(([file]) => file),
    [],
  );
});

test("nothing is put off and nothing is checked away", () => {
  const words = /\b(?:TODO|FIXME|XXX)\b|@ts-(?:ignore|nocheck|expect-error)|eslint-disable/;
  const here = "test/unit/rooms.test.ts";
  const found = [...sources].filter(([file, text]) => file !== here && words.test(text));
  assert.deepEqual(
    found.map(([file]) => file),
    [],
  );
});
