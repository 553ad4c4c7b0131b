/** The column kit for SQLite. Another database becomes another kit of the same names, not another schema. */
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

export const columns = {
  table: sqliteTable,
  index,
  primaryKey,
  text: () => text(),
  int: () => integer(),
  bool: () => integer({ mode: "boolean" }),
  /** A moment, in milliseconds since 1970. */
  time: () => integer({ mode: "timestamp_ms" }),
  json: <T>() => text({ mode: "json" }).$type<T>(),
};

export type Columns = typeof columns;
