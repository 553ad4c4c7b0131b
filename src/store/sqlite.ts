/** The store on SQLite: two connections, write-ahead log, full durability. */
import Database from "better-sqlite3";
import { drizzle } from "drizzle-orm/better-sqlite3";
import type { Logger } from "../log.ts";
import { columns } from "./columns.ts";
import { migrate } from "./migrate.ts";
import { schema, type Schema } from "./schema.ts";
import type { Db, Store } from "./store.ts";

/** How long another program (a backup) may hold the database before a write gives up, in milliseconds. */
const busyTimeout = 10_000;
/** Page cache of a connection, in KiB: enough for the hot tables of some hundred people. */
const cacheKiB = 16_384;
/**
 * Pages of the write-ahead log, of 4 KiB, before they are copied into the database: each copy is synced to the disk, and
 * pages that change with every commit are copied once instead of often.
 */
const checkpointPages = 8_000;
/** A unit awaits nothing but the store; one that is not done by now never will be. In milliseconds. */
const unitTimeout = 10_000;

export interface SqliteStore extends Store {
  /** Waits for the writes under way, then closes both connections. */
  close(): Promise<void>;
}

export interface StoreOptions {
  readonly log: Logger;
  /** Milliseconds after which a unit that does not finish is given up. */
  readonly unitTimeout?: number;
}

interface Unit {
  work(tx: Store): Promise<unknown>;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Opens (and makes, and migrates) the database file. */
export function openStore(file: string, options: StoreOptions): SqliteStore {
  const t = schema(columns);
  const openWriter = () => {
    const connection = open(file);
    connection.pragma("journal_mode = WAL");
    connection.pragma("synchronous = FULL");
    connection.pragma(`wal_autocheckpoint = ${checkpointPages}`);
    connection.pragma("foreign_keys = ON");
    return connection;
  };
  const first = openWriter();
  try {
    migrate(first, file);
  } catch (error) {
    first.close();
    throw error;
  }
  const read = open(file);
  read.pragma("query_only = ON");
  const writer = new Writer(first, openWriter, t, options);
  return {
    db: connect(read, t),
    t,
    transaction: (work) => writer.transaction(work),
    async close() {
      await writer.close();
      read.close();
    },
  };
}

function open(file: string): Database.Database {
  const connection = new Database(file, { timeout: busyTimeout });
  connection.pragma(`cache_size = -${cacheKiB}`);
  return connection;
}

function connect(connection: Database.Database, t: Schema): Db {
  return drizzle(connection, { schema: t, casing: "snake_case" });
}

/** The single writer: a queue of units of work, committed together when they arrive together. */
class Writer {
  readonly #reopen: () => Database.Database;
  readonly #t: Schema;
  readonly #options: StoreOptions;
  #desk: Desk;
  #waiting: Unit[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(
    connection: Database.Database,
    reopen: () => Database.Database,
    t: Schema,
    options: StoreOptions,
  ) {
    this.#reopen = reopen;
    this.#t = t;
    this.#options = options;
    this.#desk = deskOn(connection, t);
  }

  transaction<T>(work: (tx: Store) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) return reject(new Error("the store is closed"));
      this.#waiting.push({ work, resolve: resolve as (value: unknown) => void, reject });
      this.#running ??= this.#drain();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    this.#desk.connection.close();
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      // Lets every socket that is readable in this turn add its writes to the batch.
      await new Promise((resolve) => setImmediate(resolve));
      const units = this.#waiting;
      this.#waiting = [];
      await this.#commitTogether(units);
    }
    this.#running = undefined;
  }

  async #commitTogether(units: Unit[]): Promise<void> {
    const { tx, connection, begin, commit, savepoint, release, undo, rollback } = this.#desk;
    const settle: (() => void)[] = [];
    const watch = stopwatch(this.#options.unitTimeout ?? unitTimeout);
    try {
      begin.run();
      // One that is alone is rolled back with its commit: a savepoint would copy each page that it changes.
      const isShared = units.length > 1;
      for (const unit of units) {
        if (isShared) savepoint.run();
        watch.timer.refresh();
        try {
          const value = await Promise.race([unit.work(tx), watch.expired]);
          settle.push(() => unit.resolve(value));
        } catch (error) {
          if (error instanceof Unfinished || !isShared) throw error;
          undo.run();
          settle.push(() => unit.reject(error));
        }
        if (isShared) release.run();
      }
      commit.run();
    } catch (error) {
      // The disk is full, say: nothing of the batch is on it.
      for (const unit of units) unit.reject(error);
      if (error instanceof Unfinished) this.#replaceConnection(error);
      else if (connection.inTransaction) rollback.run();
      return;
    } finally {
      clearTimeout(watch.timer);
    }
    for (const done of settle) done();
  }

  /** What the unit given up still does must not land in the units of others: its connection is gone. */
  #replaceConnection(error: Unfinished): void {
    this.#options.log.error({ err: error }, "a transaction was given up, and those that shared its commit");
    this.#desk.connection.close();
    this.#desk = deskOn(this.#reopen(), this.#t);
  }
}

type Desk = ReturnType<typeof deskOn>;

/** A connection that writes, with the statements that frame units of work. */
function deskOn(connection: Database.Database, t: Schema) {
  const db = connect(connection, t);
  const tx: Store = { db, t, transaction: (work) => work(tx) };
  return {
    connection,
    tx,
    begin: connection.prepare("BEGIN IMMEDIATE"),
    commit: connection.prepare("COMMIT"),
    rollback: connection.prepare("ROLLBACK"),
    savepoint: connection.prepare("SAVEPOINT unit"),
    release: connection.prepare("RELEASE unit"),
    undo: connection.prepare("ROLLBACK TO unit"),
  };
}

class Unfinished extends Error {
  constructor() {
    super(
      "A transaction does not finish: it awaits something that is not the store, or the store from outside",
    );
  }
}

function stopwatch(milliseconds: number): { timer: NodeJS.Timeout; expired: Promise<never> } {
  let timer!: NodeJS.Timeout;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Unfinished()), milliseconds);
  });
  return { timer, expired };
}
