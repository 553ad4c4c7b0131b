/** Hot statements: built and prepared once for each connection, which is a tenth of the cost of building them anew. */
import type Database from "better-sqlite3";
import type { Db, Store } from "./store.ts";

/** Gives the statement that `build` prepares, for whichever handle asks. */
export function prepared<Statement>(
  build: (store: Pick<Store, "db" | "t">) => Statement,
): (store: Pick<Store, "db" | "t">) => Statement {
  const statements = new WeakMap<Db, Statement>();
  return (store) => {
    let statement = statements.get(store.db);
    if (!statement) statements.set(store.db, (statement = build(store)));
    return statement;
  };
}

/**
 * For what runs many thousand times a second: the statement as the driver has it, without the query builder, which
 * takes as long as the database itself. Values go in as the driver takes them, in the order of the placeholders.
 */
export const driven = (
  build: (store: Pick<Store, "db" | "t">) => { toSQL(): { readonly sql: string } },
): ((store: Pick<Store, "db" | "t">) => Database.Statement) =>
  prepared((store) => store.db.$client.prepare(build(store).toSQL().sql));
