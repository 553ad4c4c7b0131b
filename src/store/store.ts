/**
 * The database handle. Reads use `db`, a connection that cannot write; every write happens inside `transaction`,
 * which runs on the one writer. Writers that arrive in one turn of the event loop share one commit (group commit),
 * each behind its own savepoint: one that throws is rolled back alone.
 */
import type Database from "better-sqlite3";
import type { BetterSQLite3Database } from "drizzle-orm/better-sqlite3";
import type { Schema } from "./schema.ts";

export type Db = BetterSQLite3Database<Schema> & { readonly $client: Database.Database };

export interface Store {
  readonly db: Db;
  readonly t: Schema;
  /**
   * Runs `work` with a handle that can write, and resolves once it is durable on disk. Inside, use only the handle
   * that is passed in; its own `transaction` joins. Await nothing but the store there.
   */
  transaction<T>(work: (tx: Store) => Promise<T>): Promise<T>;
}
