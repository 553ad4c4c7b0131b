/** XEP-0357: the push services that the clients of accounts have registered. */
import { and, asc, eq } from "drizzle-orm";
import type { Schema } from "./schema.ts";
import type { Store } from "./store.ts";

export type PushRow = Schema["pushRegistrations"]["$inferSelect"];
/** What there is one registration of. */
export type PushKey = Pick<PushRow, "account" | "service" | "node">;
/** What happened to a registration since it was made. */
export type PushProgress = Pick<PushRow, "pushedAt" | "failures" | "pausedUntil">;

export const pushStore = (store: Store) => {
  const { pushRegistrations: registrations } = store.t;
  const isIt = ({ account, service, node }: PushKey) =>
    and(eq(registrations.account, account), eq(registrations.service, service), eq(registrations.node, node));

  return {
    /** Those of all accounts, the oldest first; without what is sent along, which can be long. */
    async all(): Promise<Omit<PushRow, "options">[]> {
      return store.db.query.pushRegistrations
        .findMany({ columns: { options: false }, orderBy: asc(registrations.enabledAt) })
        .sync();
    },

    /** What is sent along: a form as XML text. */
    async options(key: PushKey): Promise<string | undefined> {
      const found = store.db.select({ options: registrations.options }).from(registrations).where(isIt(key));
      return found.get()?.options ?? undefined;
    },

    /** Takes one in, in place of what it was before and of others. */
    put: (row: PushRow, instead: readonly PushKey[]): Promise<void> =>
      store.transaction(async ({ db }) => {
        for (const key of [row, ...instead]) db.delete(registrations).where(isIt(key)).run();
        db.insert(registrations).values(row).run();
      }),

    update: (key: PushKey, { pushedAt, failures, pausedUntil }: PushProgress): Promise<void> =>
      store.transaction(async ({ db }) => {
        db.update(registrations).set({ pushedAt, failures, pausedUntil }).where(isIt(key)).run();
      }),

    remove: (keys: readonly PushKey[]): Promise<void> =>
      store.transaction(async ({ db }) => {
        for (const key of keys) db.delete(registrations).where(isIt(key)).run();
      }),

    clear: (account: string): Promise<void> =>
      store.transaction(async ({ db }) => {
        db.delete(registrations).where(eq(registrations.account, account)).run();
      }),
  };
};
