/** What a commit promises (design §3, rules 3 and 6): it is on the disk, not in a cache of the operating system. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { sql } from "drizzle-orm";
import { createLogger } from "../../src/log.ts";
import { openStore } from "../../src/store/sqlite.ts";

/** SQLite's number for FULL: the log is synchronised at every commit. */
const full = 2;

test("the writer synchronises the log with the disk at every commit", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "pipit-"));
  const store = openStore(join(folder, "pipit.db"), { log: createLogger("silent") });
  t.after(async () => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });
  const pragmas = await store.transaction(async ({ db }) => ({
    ...db.get<{ journal_mode: string }>(sql`PRAGMA journal_mode`),
    ...db.get<{ synchronous: number }>(sql`PRAGMA synchronous`),
    ...db.get<{ foreign_keys: number }>(sql`PRAGMA foreign_keys`),
  }));
  assert.deepEqual(pragmas, { journal_mode: "wal", synchronous: full, foreign_keys: 1 });
});
