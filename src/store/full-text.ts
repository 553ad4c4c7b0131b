/** Full-text search in messages, in the dialect of SQLite (FTS5). Its rows bear the positions of the messages. */
import { sql, type SQL } from "drizzle-orm";
import type { MessageFilter, MessagePage } from "./messages.ts";
import type { Store } from "./store.ts";

export interface MessageText {
  readonly position: number;
  readonly account: string;
  readonly text: string;
}

/**
 * Letters of scripts that put nothing between words, or particles behind them: each is found by itself, and several
 * together in their order.
 */
const unspaced =
  /[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Hang}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}]/gu;
const apart = (text: string): string => text.replace(unspaced, " $& ");

/** One word of an account's address, so that the index itself finds what is whose. */
const wordOf = (account: string): string => Buffer.from(account).toString("hex");

/** All words, the last of which may be a beginning; `undefined` where there are none. What they hold has no meaning. */
function match(account: string, words: string): string | undefined {
  const quoted = words
    .split(/\s+/)
    .filter((word) => /[\p{L}\p{N}]/u.test(word))
    .map((word) => `"${apart(word.replaceAll('"', " "))}"`);
  if (quoted.length === 0) return undefined;
  return `account : "${wordOf(account)}" AND body : (${quoted.join(" AND ")} *)`;
}

export const fullTextStore = (store: Store) => ({
  /** Makes the index where there is none yet. */
  create: (): Promise<void> =>
    store.transaction(async ({ db }) => {
      // The texts themselves are in the messages.
      db.run(sql`CREATE VIRTUAL TABLE IF NOT EXISTS message_texts USING fts5
        (account, body, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2')`);
    }),

  /** The newest message in the index. */
  async newest(): Promise<number | undefined> {
    const query = sql`SELECT rowid AS position FROM message_texts ORDER BY rowid DESC LIMIT 1`;
    return store.db.get<{ position: number } | undefined>(query)?.position;
  },

  add: (texts: readonly MessageText[]): Promise<void> =>
    store.transaction(async ({ db }) => {
      for (const { position, account, text } of texts) {
        db.run(sql`INSERT OR REPLACE INTO message_texts (rowid, account, body)
          VALUES (${position}, ${wordOf(account)}, ${apart(text)})`);
      }
    }),

  remove: (positions: readonly number[]): Promise<void> =>
    store.transaction(async ({ db }) => {
      for (const position of positions) db.run(sql`DELETE FROM message_texts WHERE rowid = ${position}`);
    }),

  /** The positions of an account's messages that have all these words, the oldest first. */
  async search(
    account: string,
    words: string,
    filter: MessageFilter,
    { from, limit }: MessagePage,
  ): Promise<number[]> {
    const wanted = match(account, words);
    if (wanted === undefined) return [];
    const { after, before, start, end, with: other, resource } = filter;
    const conditions: SQL[] = [
      sql`message_texts MATCH ${wanted}`,
      sql`message_texts.rowid > ${after} AND message_texts.rowid < ${before}`,
      sql`m.account = ${account} AND m.archived`,
      sql`m.at >= ${start.getTime()} AND m.at <= ${end.getTime()}`,
    ];
    if (other !== undefined) conditions.push(sql`m."with" = ${other}`);
    if (resource !== undefined) conditions.push(sql`m.resource = ${resource}`);
    const rows = store.db.all<{ position: number }>(sql`
      SELECT m.position FROM message_texts CROSS JOIN messages AS m ON m.position = message_texts.rowid
      WHERE ${sql.join(conditions, sql` AND `)}
      ORDER BY message_texts.rowid ${from === "start" ? sql`ASC` : sql`DESC`} LIMIT ${limit}`);
    return rows.map(({ position }) => position).sort((a, b) => a - b);
  },
});
