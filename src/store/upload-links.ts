/** Which pubsub items link to which uploads. */
import { and, eq, inArray, isNotNull, notExists, sql } from "drizzle-orm";
import { prepared } from "./prepared.ts";
import type { Schema } from "./schema.ts";
import type { Store } from "./store.ts";
import type { UploadRow } from "./uploads.ts";

export type UploadLinkRow = Schema["uploadLinks"]["$inferSelect"];
export type LinkingItem = Omit<UploadLinkRow, "upload">;

/** Rows that one statement names; SQLite bounds its parameters. */
const chunkSize = 500;

// Asked at each publish.
const linksOfItem = prepared(({ db, t: { uploadLinks: links } }) =>
  db
    .select({ upload: links.upload })
    .from(links)
    .where(
      and(
        eq(links.service, sql.placeholder("service")),
        eq(links.node, sql.placeholder("node")),
        eq(links.item, sql.placeholder("item")),
      ),
    )
    .prepare(),
);

export const uploadLinkStore = (store: Store) => {
  const { uploads, uploadLinks: links } = store.t;
  const ofNode = ({ service, node }: Omit<LinkingItem, "item">) =>
    and(eq(links.service, service), eq(links.node, node));

  return {
    async of(item: LinkingItem): Promise<string[]> {
      return linksOfItem(store)
        .all({ ...item })
        .map(({ upload }) => upload);
    },

    /** The uploads to which these items of a node refer, or all of its items. */
    async ofItems(
      node: Omit<LinkingItem, "item">,
      items: readonly string[] | undefined,
    ): Promise<UploadLinkRow[]> {
      if (!items) return store.db.select().from(links).where(ofNode(node));
      const found: UploadLinkRow[] = [];
      for (let at = 0; at < items.length; at += chunkSize) {
        const chunk = items.slice(at, at + chunkSize);
        const those = and(ofNode(node), inArray(links.item, chunk));
        found.push(...(await store.db.select().from(links).where(those)));
      }
      return found;
    },

    /** Notes links to files of that account which stay as long as something refers to them. */
    add: (
      item: LinkingItem,
      account: string,
      ids: readonly string[],
      purposes: readonly UploadRow["purpose"][],
    ): Promise<void> =>
      store.transaction(async ({ db }) => {
        const mine = and(
          inArray(uploads.id, [...ids]),
          eq(uploads.account, account),
          inArray(uploads.purpose, [...purposes]),
        );
        const found = await db
          .update(uploads)
          .set({ expiresAt: sql`CASE WHEN ${uploads.uploadedAt} IS NULL THEN ${uploads.expiresAt} END` })
          .where(mine)
          .returning({ upload: uploads.id });
        if (found.length > 0)
          await db
            .insert(links)
            .values(found.map(({ upload }) => ({ ...item, upload })))
            .onConflictDoNothing();
      }),

    /** Forgets links; files to which nothing refers any more end at that time. */
    remove: (rows: readonly UploadLinkRow[], expiresAt: Date): Promise<void> =>
      store.transaction(async ({ db }) => {
        for (const { service, node, item, upload } of rows) {
          const link = and(ofNode({ service, node }), eq(links.item, item), eq(links.upload, upload));
          await db.delete(links).where(link);
          const others = db.select().from(links).where(eq(links.upload, upload));
          await db
            .update(uploads)
            .set({ expiresAt })
            .where(and(eq(uploads.id, upload), isNotNull(uploads.uploadedAt), notExists(others)));
        }
      }),
  };
};
