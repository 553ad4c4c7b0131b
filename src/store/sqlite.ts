/** The store on SQLite: two connections, write-ahead log, full durability. */
import Database from "better-sqlite3";
import { drizzle } from "drizzle-orm/better-sqlite3";
import { columns } from "./columns.ts";
import { migrate } from "./migrate.ts";
import { schema, type Schema } from "./schema.ts";
import type { Db, Store } from "./store.ts";

/** How long a second process (the command line) may hold the database before a write gives up, in milliseconds. */
const busyTimeout = 10_000;
/** Statement cache and page cache: enough for the hot tables of some hundred people, in KiB. */
const cacheKiB = 16_384;

export interface SqliteStore extends Store {
  /** Waits for the writes under way, then closes both connections. */
  close(): Promise<void>;
}

interface Unit {
  work(tx: Store): Promise<unknown>;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Opens (and makes, and migrates) the database file. */
export function openStore(file: string): SqliteStore {
  const t = schema(columns);
  const write = new Database(file, { timeout: busyTimeout });
  write.pragma("journal_mode = WAL");
  write.pragma("synchronous = FULL");
  write.pragma("foreign_keys = ON");
  write.pragma(`cache_size = -${cacheKiB}`);
  migrate(write, file);
  const read = new Database(file, { timeout: busyTimeout });
  read.pragma("query_only = ON");
  read.pragma(`cache_size = -${cacheKiB}`);

  const writer = queue(write, connect(write, t), t);
  return {
    db: connect(read, t),
    t,
    transaction: writer.transaction,
    async close() {
      await writer.idle();
      read.close();
      write.close();
    },
  };
}

function connect(connection: Database.Database, t: Schema): Db {
  return drizzle(connection, { schema: t, casing: "snake_case" });
}

/** The single writer: a queue of units of work, committed together when they arrive together. */
function queue(connection: Database.Database, db: Db, t: Schema) {
  const statement = (sql: string) => connection.prepare(sql);
  const begin = statement("BEGIN IMMEDIATE");
  const commit = statement("COMMIT");
  const rollback = statement("ROLLBACK");
  const savepoint = statement("SAVEPOINT unit");
  const release = statement("RELEASE unit");
  const undo = statement("ROLLBACK TO unit");

  const tx: Store = { db, t, transaction: (work) => work(tx) };
  let waiting: Unit[] = [];
  let running: Promise<void> | undefined;

  async function commitTogether(units: Unit[]): Promise<void> {
    const settle: (() => void)[] = [];
    try {
      begin.run();
      for (const unit of units) {
        savepoint.run();
        try {
          const value = await unit.work(tx);
          settle.push(() => unit.resolve(value));
        } catch (error) {
          undo.run();
          settle.push(() => unit.reject(error));
        }
        release.run();
      }
      commit.run();
    } catch (error) {
      // The disk is full, say: nothing of the batch is on it.
      if (connection.inTransaction) rollback.run();
      for (const unit of units) unit.reject(error);
      return;
    }
    for (const done of settle) done();
  }

  async function drain(): Promise<void> {
    // Lets every socket that is readable in this turn add its writes to the batch.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const units = waiting;
      waiting = [];
      await commitTogether(units);
    }
    running = undefined;
  }

  return {
    transaction<T>(work: (tx: Store) => Promise<T>): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        waiting.push({ work, resolve: resolve as (value: unknown) => void, reject });
        running ??= drain();
      });
    },
    async idle(): Promise<void> {
      while (running) await running;
    },
  };
}
