/** Brings the database to this program's version at start: numbered SQL files, after a copy of what was there. */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import type Database from "better-sqlite3";

const ours = new URL("./migrations/", import.meta.url);

/** The migrations in a folder, in order; the number that begins a file's name is the version it leads to. */
function migrations(folder: URL): { version: number; sql: string }[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".sql"))
    .sort()
    .map((name) => ({
      version: Number.parseInt(name, 10),
      sql: readFileSync(new URL(name, folder), "utf8"),
    }));
}

/** Applies what is missing, each file in a transaction of its own; refuses a database that is newer than the program. */
export function migrate(db: Database.Database, file: string, folder = ours): void {
  const all = migrations(folder);
  const latest = all.at(-1)?.version ?? 0;
  const current = Number(db.pragma("user_version", { simple: true }));
  if (current > latest) {
    throw new Error(
      `it was written by a newer Pipit (schema ${current}, this one knows ${latest}). ` +
        `Start the newer version, or restore a copy from before the upgrade.`,
    );
  }
  if (current === latest) return;
  if (current > 0) copy(db, `${file}.before-${latest}`);
  for (const { version, sql } of all) {
    if (version <= current) continue;
    db.transaction(() => {
      db.exec(sql);
      db.pragma(`user_version = ${version}`);
    })();
  }
}

/** A copy that an attempt before this one left is older than what it would save. */
function copy(db: Database.Database, file: string): void {
  rmSync(file, { force: true });
  db.prepare("VACUUM INTO ?").run(file);
}
