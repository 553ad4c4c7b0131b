/** XEP-0363: what is known of uploaded files and of the slots for them. The bytes are in files of their own. */
import { and, asc, eq, inArray, isNotNull, isNull, lte, notExists, sql } from "drizzle-orm";
import { prepared } from "./prepared.ts";
import type { Schema } from "./schema.ts";
import type { Store } from "./store.ts";

export type UploadRow = Schema["uploads"]["$inferSelect"];
export type { UploadPurpose } from "./schema.ts";

/** A file takes whole blocks of the disk, and a row here; without that, a million files of one byte would be nothing. */
const blockSize = 4_096;
export const weightOf = (size: number): number => Math.ceil(size / blockSize) * blockSize;
/** Rows that one statement names; SQLite bounds its parameters. */
const chunkSize = 500;

const findUpload = prepared(({ db, t: { uploads } }) =>
  db
    .select()
    .from(uploads)
    .where(eq(uploads.id, sql.placeholder("id")))
    .prepare(),
);

export const uploadStore = (store: Store) => {
  const { uploads, uploadLinks } = store.t;
  // Written out, for a number that is bound is a REAL, whose division leaves fractions.
  const block = sql.raw(String(blockSize));
  const weight = sql<number>`((${uploads.size} + ${block} - 1) / ${block} * ${block})`;
  const those = (account: string, purposes: readonly UploadRow["purpose"][]) =>
    and(eq(uploads.account, account), inArray(uploads.purpose, [...purposes]));

  return {
    async find(id: string): Promise<UploadRow | undefined> {
      return findUpload(store).get({ id });
    },

    /** Bytes on disk of an account's files and slots. */
    async used(account: string, purposes: readonly UploadRow["purpose"][]): Promise<number> {
      const total = sql<number>`coalesce(sum(${weight}), 0)`;
      const [row] = await store.db.select({ total }).from(uploads).where(those(account, purposes));
      return row?.total ?? 0;
    },

    /** When so many bytes of them will have gone by themselves; `undefined` where that will never be. */
    async freeAt(
      account: string,
      purposes: readonly UploadRow["purpose"][],
      bytes: number,
    ): Promise<Date | undefined> {
      const going = store.db
        .select({
          at: uploads.expiresAt,
          freed: sql<number>`sum(${weight}) over (order by ${uploads.expiresAt}, ${uploads.id})`.as("freed"),
        })
        .from(uploads)
        .where(and(those(account, purposes), isNotNull(uploads.expiresAt)))
        .as("going");
      const [row] = await store.db
        .select({ at: going.at })
        .from(going)
        .where(sql`${going.freed} >= ${bytes}`)
        .orderBy(asc(going.freed))
        .limit(1);
      return row?.at ?? undefined;
    },

    /** Files to which no item refers, the oldest first. */
    async unlinked(account: string, purpose: UploadRow["purpose"], limit: number): Promise<string[]> {
      const link = store.db.select().from(uploadLinks).where(eq(uploadLinks.upload, uploads.id));
      const rows = await store.db
        .select({ id: uploads.id })
        .from(uploads)
        .where(and(those(account, [purpose]), isNotNull(uploads.uploadedAt), notExists(link)))
        .orderBy(asc(uploads.uploadedAt))
        .limit(limit);
      return rows.map(({ id }) => id);
    },

    /** Ids of an account's files and slots, or of those that are over at that time. */
    async some(which: { account: string } | { expiredAt: Date }, limit: number): Promise<string[]> {
      const rows = await store.db
        .select({ id: uploads.id })
        .from(uploads)
        .where(
          "account" in which ? eq(uploads.account, which.account) : lte(uploads.expiresAt, which.expiredAt),
        )
        .limit(limit);
      return rows.map(({ id }) => id);
    },

    /** Those of these ids whose file was uploaded. */
    async uploaded(ids: readonly string[]): Promise<Set<string>> {
      const rows = await store.db
        .select({ id: uploads.id })
        .from(uploads)
        .where(and(inArray(uploads.id, [...ids]), isNotNull(uploads.uploadedAt)));
      return new Set(rows.map(({ id }) => id));
    },

    add: (row: UploadRow): Promise<void> =>
      store.transaction(async ({ db }) => {
        await db.insert(uploads).values(row);
      }),

    /** A slot becomes a file; `false` where it is gone or was taken. */
    finish: (id: string, file: Pick<UploadRow, "type" | "uploadedAt" | "expiresAt">): Promise<boolean> =>
      store.transaction(async ({ db }) => {
        const slot = and(eq(uploads.id, id), isNull(uploads.uploadedAt));
        return (await db.update(uploads).set(file).where(slot).returning({ id: uploads.id })).length > 0;
      }),

    remove: (ids: readonly string[]): Promise<void> =>
      store.transaction(async ({ db }) => {
        for (let at = 0; at < ids.length; at += chunkSize) {
          const chunk = ids.slice(at, at + chunkSize);
          await db.delete(uploadLinks).where(inArray(uploadLinks.upload, chunk));
          await db.delete(uploads).where(inArray(uploads.id, chunk));
        }
      }),
  };
};
