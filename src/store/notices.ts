/** What the node tells everybody who logs in (XEP-0133). */
import { eq } from "drizzle-orm";
import type { NoticeName, Schema } from "./schema.ts";
import type { Store } from "./store.ts";

export type NoticeRow = Schema["notices"]["$inferSelect"];

export const noticeStore = (store: Store) => {
  const { notices } = store.t;
  return {
    async list(): Promise<NoticeRow[]> {
      return store.db.select().from(notices).all();
    },

    put: (row: NoticeRow): Promise<void> =>
      store.transaction(async ({ db }) => {
        db.insert(notices).values(row).onConflictDoUpdate({ target: notices.name, set: row }).run();
      }),

    /** Tells whether it was there. */
    remove: (name: NoticeName): Promise<boolean> =>
      store.transaction(
        async ({ db }) => db.delete(notices).where(eq(notices.name, name)).returning().all().length > 0,
      ),
  };
};
