/** The plan of the house (design §2): who may know whom, and what a file may be. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

// This file runs as dist/test/unit/imports.test.js.
const root = fileURLToPath(new URL("../../../", import.meta.url));

/** The rooms that a room may import from, beside itself. */
const mayKnow: Readonly<Record<string, readonly string[]>> = {
  xmpp: [],
  store: [],
  pubsub: ["xmpp", "store"],
  domain: ["pubsub", "store", "xmpp"],
  server: ["xmpp"],
  modules: ["server", "domain", "pubsub", "store", "xmpp"],
  web: ["domain", "views", "xmpp"],
  views: [],
};
/** Files beside the rooms that all may import: values, or types only. */
const common = ["src/events", "src/log"];
const commonTypes = ["src/config"];
/** What no room is called, for it says nothing of what is in it. */
const shapeless = ["utils", "util", "helpers", "helper", "common", "types", "misc", "lib", "shared"];
const maxLines = 400;

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

interface Source {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

const statement = /^(?:import|export)\s+(type\s+)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"/gm;
const call = /\bimport\("([^"]+)"\)/g;

function importsOf(text: string): Import[] {
  return [
    ...[...text.matchAll(statement)].map((found) => ({
      specifier: found[2]!,
      typeOnly: found[1] !== undefined,
    })),
    ...[...text.matchAll(call)].map((found) => ({ specifier: found[1]!, typeOnly: false })),
  ];
}

const sources: Source[] = ["src", "views"].flatMap((top) =>
  readdirSync(join(root, top), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => {
      const path = join(top, name).split(sep).join("/");
      const text = readFileSync(join(root, path), "utf8");
      return { path, text, imports: importsOf(text) };
    }),
);

/** `src/xmpp/jid.ts` is in xmpp, `views/post.tsx` in views, `src/main.ts` in no room. */
function roomOf(path: string): string | undefined {
  const [top, room, file] = path.split("/");
  if (top === "views") return "views";
  return file === undefined ? undefined : room;
}

/** Why a file may not import another, if it may not. */
function objection(from: string, to: string, typeOnly: boolean): string | undefined {
  const room = roomOf(from);
  if (room === undefined) return undefined;
  const other = roomOf(to);
  const target = to.replace(/\.tsx?$/, "");
  if (other === undefined) {
    if (common.includes(target) || (commonTypes.includes(target) && typeOnly)) return undefined;
    return `${from} imports ${to}`;
  }
  if (other === room || mayKnow[room]?.includes(other)) return undefined;
  // Views know what they show by its type.
  if (room === "views" && typeOnly) return undefined;
  return `${from} imports ${to}`;
}

const offenders = (fault: (source: Source) => boolean): string[] =>
  sources.filter(fault).map(({ path }) => path);

test("the test itself sees imports of every form", () => {
  const text = `import a from "a";\nimport type { B } from "./b.ts";\nimport {\n  c,\n} from "c";\nimport "d";
export { e } from "e";\nexport type { F } from "f";\nexport * from "g";\nconst h = await import("h");`;
  assert.deepEqual(
    importsOf(text).map(({ specifier, typeOnly }) => (typeOnly ? `type ${specifier}` : specifier)),
    ["a", "type ./b.ts", "c", "d", "e", "type f", "g", "h"],
  );
  assert(sources.length > 50);
});

test("and it knows a forbidden arrow from an allowed one", () => {
  assert.equal(objection("src/modules/a.ts", "src/domain/b.ts", false), undefined);
  assert.equal(objection("src/main.ts", "src/web/b.ts", false), undefined);
  assert.equal(objection("views/a.tsx", "src/domain/b.ts", true), undefined);
  for (const [from, to, typeOnly] of [
    ["src/xmpp/a.ts", "src/server/b.ts", true],
    ["src/server/a.ts", "src/domain/b.ts", true],
    ["src/web/a.ts", "src/store/b.ts", false],
    ["views/a.tsx", "src/domain/b.ts", false],
    ["src/domain/a.ts", "src/config.ts", false],
    ["src/domain/a.ts", "src/node.ts", true],
    ["src/attic/a.ts", "src/xmpp/b.ts", false],
  ] as const) {
    assert.notEqual(objection(from, to, typeOnly), undefined, `${from} imports ${to}`);
  }
});

test("every import goes the way it may", () => {
  const forbidden = sources.flatMap(({ path, imports }) =>
    imports
      .filter(({ specifier }) => specifier.startsWith("."))
      .map(({ specifier, typeOnly }) =>
        objection(
          path,
          normalize(join(dirname(path), specifier))
            .split(sep)
            .join("/"),
          typeOnly,
        ),
      )
      .filter((found) => found !== undefined),
  );
  assert.deepEqual(forbidden, []);
});

test("every room is one of the plan", () => {
  const rooms = new Set(sources.map(({ path }) => roomOf(path)).filter((room) => room !== undefined));
  assert.deepEqual(
    [...rooms].filter((room) => !(room in mayKnow)),
    [],
  );
});

test("only the configuration reads the environment", () => {
  const readers = offenders(({ text }) => /process\.env|["']node:process["']/.test(text));
  assert.deepEqual(readers, ["src/config.ts"]);
});

test("only the store knows the database", () => {
  const isDatabase = ({ specifier }: Import) => /^(?:drizzle-orm|better-sqlite3)(?:\/|$)/.test(specifier);
  const users = offenders(({ imports }) => imports.some(isDatabase));
  assert.deepEqual(
    users.filter((path) => !path.startsWith("src/store/")),
    [],
  );
});

test("the language has no sockets and no files, and is told the time", () => {
  const impure = /^node:(?:net|tls|https?|dns|dgram|fs|fs\/promises|timers|timers\/promises|child_process)$/;
  // Whether a text is an address is for the language to know.
  const isIp = /import \{ isIP(?:v4|v6)? \} from "node:net";/;
  const ownClock = /\bset(?:Timeout|Interval)\(|(?<!: number = )Date\.now\(|new Date\(\)|performance\.now/;
  const users = sources
    .filter(({ path }) => path.startsWith("src/xmpp/"))
    .filter(
      ({ text }) =>
        ownClock.test(text) ||
        importsOf(text.replace(isIp, "")).some(({ specifier }) => impure.test(specifier)),
    );
  assert.deepEqual(
    users.map(({ path }) => path),
    [],
  );
});

test("a file is one idea: none is longer than 400 lines", () => {
  assert.deepEqual(
    offenders(({ text }) => text.split("\n").length - 1 > maxLines),
    [],
  );
});

test("a file says at its top what it is", () => {
  assert.deepEqual(
    offenders(({ text }) => !/^(?:#!.*\n)?\/\*\*/.test(text)),
    [],
  );
});

test("no folder is a drawer for everything", () => {
  const folders = sources.flatMap(({ path }) => dirname(path).split("/"));
  assert.deepEqual(
    folders.filter((folder) => shapeless.includes(folder)),
    [],
  );
});

test("no source writes to the console, and none leaves work for later", () => {
  assert.deepEqual(
    offenders(({ text }) => /\bconsole\.|\bTODO\b|\bFIXME\b|@ts-(?:ignore|expect-error|nocheck)/.test(text)),
    [],
  );
});
