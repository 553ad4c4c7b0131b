/** Schema and migrations tell the same; older databases are brought forward, newer ones refused. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import Database from "better-sqlite3";
import { CasingCache } from "drizzle-orm/casing";
import { getTableConfig } from "drizzle-orm/sqlite-core";
import { columns } from "../../src/store/columns.ts";
import { migrate } from "../../src/store/migrate.ts";
import { schema } from "../../src/store/schema.ts";

function place(t: TestContext): { file: string; folder: URL; add: (name: string, sql: string) => void } {
  const root = mkdtempSync(join(tmpdir(), "pipit-migrate-"));
  t.after(() => rmSync(root, { recursive: true }));
  const folder = join(root, "migrations");
  mkdirSync(folder);
  return {
    file: join(root, "pipit.db"),
    folder: pathToFileURL(`${folder}/`),
    add: (name, sql) => writeFileSync(join(folder, name), sql),
  };
}

function opened(t: TestContext, file: string): Database.Database {
  const db = new Database(file);
  t.after(() => db.close());
  return db;
}

const versionOf = (db: Database.Database) => db.pragma("user_version", { simple: true });

interface Column {
  readonly name: string;
  readonly type: string;
  readonly notnull: number;
  readonly dflt_value: string | null;
  readonly pk: number;
}

test("the migrations make exactly the tables, columns and indexes of the schema", (t) => {
  const { file } = place(t);
  const db = opened(t, file);
  migrate(db, file);
  const casing = new CasingCache("snake_case");
  const nameOf = (column: Parameters<CasingCache["getColumnCasing"]>[0]) => casing.getColumnCasing(column);
  const tables = Object.values(schema(columns)).map((table) => getTableConfig(table));

  const made = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").pluck().all();
  assert.deepEqual(made, tables.map(({ name }) => name).sort());

  for (const table of tables) {
    const composite = table.primaryKeys.flatMap((key) => key.columns.map(nameOf));
    const expected = table.columns.map((column) => ({
      name: nameOf(column),
      type: column.getSQLType().toUpperCase(),
      notnull: column.notNull ? 1 : 0,
      dflt_value: column.default === undefined ? null : String(Number(column.default)),
      pk: column.primary ? 1 : composite.indexOf(nameOf(column)) + 1,
    }));
    const info = db.pragma(`table_info(${table.name})`) as Column[];
    const actual = info.map(({ name, type, notnull, dflt_value, pk }) => ({
      name,
      type,
      notnull,
      dflt_value,
      pk,
    }));
    const byName = (a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name);
    assert.deepEqual(actual.sort(byName), expected.sort(byName), table.name);

    const indexes = db.pragma(`index_list(${table.name})`) as {
      name: string;
      unique: number;
      origin: string;
    }[];
    const columnsOf = (index: string) =>
      (db.pragma(`index_info(${index})`) as { name: string }[]).map(({ name }) => name);
    assert.deepEqual(
      Object.fromEntries(
        indexes
          .filter(({ origin }) => origin === "c")
          .map(({ name, unique }) => [name, [unique === 1, columnsOf(name)]]),
      ),
      Object.fromEntries(
        table.indexes.map(({ config }) => [
          config.name,
          [config.unique, config.columns.map((column) => nameOf(column as Parameters<typeof nameOf>[0]))],
        ]),
      ),
      `indexes of ${table.name}`,
    );
  }
});

test("a table checks the types of its values", (t) => {
  const { file } = place(t);
  const db = opened(t, file);
  migrate(db, file);
  const lax = db.prepare(
    "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT strict",
  );
  assert.deepEqual(lax.pluck().all(), ["sqlite_schema"]);
});

test("a migrated database is left as it is", (t) => {
  const { file } = place(t);
  const db = opened(t, file);
  migrate(db, file);
  db.exec("INSERT INTO secrets VALUES ('a', 'b')");
  migrate(db, file);
  assert.equal(db.prepare("SELECT count(*) FROM secrets").pluck().get(), 1);
  assert.equal(existsSync(`${file}.before-1`), false);
});

test("an older database is copied, then brought forward in order", (t) => {
  const { file, folder, add } = place(t);
  const db = opened(t, file);
  add("0001-start.sql", "CREATE TABLE a (x TEXT) STRICT; INSERT INTO a VALUES ('kept')");
  migrate(db, file, folder);
  // An earlier attempt left its copy.
  writeFileSync(`${file}.before-3`, "half of a database");
  add("0003-third.sql", "UPDATE b SET y = y || '!'");
  add("0002-second.sql", "CREATE TABLE b (y TEXT) STRICT; INSERT INTO b SELECT x FROM a");
  migrate(db, file, folder);
  assert.equal(versionOf(db), 3);
  assert.equal(db.prepare("SELECT y FROM b").pluck().get(), "kept!");
  const copy = opened(t, `${file}.before-3`);
  assert.equal(versionOf(copy), 1);
  assert.equal(copy.prepare("SELECT x FROM a").pluck().get(), "kept");
});

test("a migration that fails changes nothing of its own", (t) => {
  const { file, folder, add } = place(t);
  const db = opened(t, file);
  add("0001-start.sql", "CREATE TABLE a (x TEXT) STRICT");
  add("0002-second.sql", "CREATE TABLE b (y TEXT) STRICT");
  add("0003-third.sql", "INSERT INTO a VALUES ('x'); INSERT INTO nowhere VALUES (1)");
  assert.throws(() => migrate(db, file, folder), /nowhere/);
  assert.equal(versionOf(db), 2);
  assert.equal(db.prepare("SELECT count(*) FROM a").pluck().get(), 0);
});

test("a database of a newer version is refused and not touched", (t) => {
  const { file } = place(t);
  const db = opened(t, file);
  db.pragma("user_version = 1000");
  assert.throws(() => migrate(db, file), /newer Pipit \(schema 1000/);
  assert.equal(db.prepare("SELECT count(*) FROM sqlite_schema").pluck().get(), 0);
});
