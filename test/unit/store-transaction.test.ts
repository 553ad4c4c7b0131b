/** The writer: group commit, savepoints, what fails alone and what fails together. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import Database from "better-sqlite3";
import { pino } from "pino";
import { openStore, type SqliteStore } from "../../src/store/sqlite.ts";
import type { Store } from "../../src/store/store.ts";

interface Bench {
  readonly file: string;
  readonly store: SqliteStore;
  readonly logged: string[];
}

function bench(t: TestContext, unitTimeout?: number): Bench {
  const folder = mkdtempSync(join(tmpdir(), "pipit-store-"));
  const file = join(folder, "pipit.db");
  const logged: string[] = [];
  const log = pino({}, { write: (line: string) => void logged.push(line) });
  const store = openStore(file, { log, ...(unitTimeout !== undefined && { unitTimeout }) });
  t.after(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  return { file, store, logged };
}

/** Writes one row under a name. */
const put =
  (name: string) =>
  async ({ db, t }: Store): Promise<string> => {
    db.insert(t.secrets).values({ name, value: name }).run();
    return name;
  };

const names = ({ db, t }: Store): string[] =>
  db
    .select({ name: t.secrets.name })
    .from(t.secrets)
    .orderBy(t.secrets.name)
    .all()
    .map(({ name }) => name);

const failing = (error: Error) => async (tx: Store) => {
  await put("never")(tx);
  throw error;
};

/** Counts what ends up in one commit: SQLite's data version seen by another connection grows by one for each. */
function commitCounter(file: string): () => number {
  const other = new Database(file);
  const version = () => Number(other.pragma("data_version", { simple: true }));
  const before = version();
  return () => {
    const commits = version() - before;
    other.close();
    return commits;
  };
}

test("a transaction gives what its work returns, once another connection can read it", async (t) => {
  const { store } = bench(t);
  assert.equal(await store.transaction(put("a")), "a");
  assert.deepEqual(names(store), ["a"]);
});

test("those that arrive in one turn share one commit", async (t) => {
  const { file, store } = bench(t);
  const commits = commitCounter(file);
  await Promise.all(["a", "b", "c"].map((name) => store.transaction(put(name))));
  assert.equal(commits(), 1);
});

test("one that throws is undone alone, and the others stay", async (t) => {
  const { file, store } = bench(t);
  const commits = commitCounter(file);
  const error = new Error("refused");
  const results = await Promise.allSettled([
    store.transaction(put("a")),
    store.transaction(failing(error)),
    store.transaction(put("c")),
  ]);
  assert.deepEqual(
    results.map((result) => (result.status === "fulfilled" ? result.value : result.reason)),
    ["a", error, "c"],
  );
  assert.equal(commits(), 1);
  assert.deepEqual(names(store), ["a", "c"]);
});

test("nobody is told before the commit", async (t) => {
  const { store } = bench(t);
  let seen: string[] | undefined;
  const first = store.transaction(put("a")).then(() => (seen = names(store)));
  await Promise.all([first, store.transaction(put("b"))]);
  assert.deepEqual(seen, ["a", "b"]);
});

test("a commit that fails fails all that share it, and the next one works", async (t) => {
  const { file, store } = bench(t);
  // A deferred constraint is checked by COMMIT, so this is a commit that the database refuses.
  const other = new Database(file);
  other.exec("CREATE TABLE child (parent TEXT REFERENCES secrets (name) DEFERRABLE INITIALLY DEFERRED)");
  other.close();
  const orphan = async ({ db }: Store) => void db.run("INSERT INTO child VALUES ('nobody')");
  const results = await Promise.allSettled([store.transaction(put("a")), store.transaction(orphan)]);
  for (const result of results) {
    assert(result.status === "rejected");
    assert.match(String(result.reason), /FOREIGN KEY/);
  }
  await store.transaction(put("b"));
  assert.deepEqual(names(store), ["b"]);
});

test("a transaction inside joins the one around it", async (t) => {
  const { store } = bench(t);
  const error = new Error("changed my mind");
  const around = store.transaction(async (tx) => {
    await tx.transaction(put("inner"));
    throw error;
  });
  await assert.rejects(around, error);
  assert.deepEqual(names(store), []);
});

test("transactions run one after the other, in order", async (t) => {
  const { store } = bench(t);
  const told: string[] = [];
  await Promise.all(
    ["a", "b"].map((name) =>
      store.transaction(async (tx) => {
        told.push(`${name} begins`);
        await put(name)(tx);
        told.push(`${name} ends`);
      }),
    ),
  );
  assert.deepEqual(told, ["a begins", "a ends", "b begins", "b ends"]);
});

test("outside a transaction nothing can be written", (t) => {
  const { store } = bench(t);
  assert.throws(() => store.db.insert(store.t.secrets).values({ name: "a", value: "" }).run(), /readonly/);
});

test("closing waits for the writes under way, and refuses later ones", async (t) => {
  const { file, store } = bench(t);
  const written = store.transaction(put("a"));
  await store.close();
  assert.equal(await written, "a");
  await assert.rejects(store.transaction(put("b")), /closed/);
  const other = new Database(file, { readonly: true });
  assert.deepEqual(other.prepare("SELECT name FROM secrets").pluck().all(), ["a"]);
  other.close();
});

test("a transaction that never ends is given up and logged, and can do no harm later", async (t) => {
  const { store, logged } = bench(t, 20);
  let wake = (): void => undefined;
  const never = new Promise<void>((resolve) => (wake = resolve));
  let late: Promise<unknown> | undefined;
  const stuck = store.transaction((tx) => {
    late = never.then(() => put("late")(tx));
    return late;
  });
  await assert.rejects(stuck, /does not finish/);
  assert.equal(logged.length, 1);
  assert.match(logged[0]!, /given up/);
  await store.transaction(put("next"));
  wake();
  await assert.rejects(late!, /not open/);
  assert.deepEqual(names(store), ["next"]);
});

test("awaiting the store from outside its own transaction is told, and does not hang for ever", async (t) => {
  const { store } = bench(t, 20);
  const mistaken = store.transaction(() => store.transaction(put("inner")));
  await assert.rejects(mistaken, /does not finish/);
});
