/** The durable queue to other domains: stanzas that these have not taken yet, and when to try whom again. */
import { and, asc, count, eq, gt, isNotNull, isNull, lte, min, sql } from "drizzle-orm";
import { prepared } from "./prepared.ts";
import type { OutboundKind, Schema } from "./schema.ts";
import type { Store } from "./store.ts";

/** One way: from a domain of ours to another one. */
export interface Route {
  readonly local: string;
  readonly domain: string;
}

export type NewOutbound = Omit<Schema["outbound"]["$inferSelect"], "attempts">;
export type OutboundRow = Pick<
  Schema["outbound"]["$inferSelect"],
  "id" | "kind" | "stanza" | "attempts" | "queuedAt"
>;
export type OutboundDomain = Schema["outboundDomains"]["$inferSelect"];

/** A route on which something waits, and the earliest time for the next try. */
export interface Due extends Route {
  readonly at: Date;
  /** A later time that was set before gives way, but not sooner than so long after the last try. In milliseconds. */
  readonly pause: number;
}

const onRoute = ({ local, domain }: Schema["outbound"]) =>
  and(eq(local, sql.placeholder("local")), eq(domain, sql.placeholder("domain")));

// Once for each recipient on another domain: the newer event of an item takes the place of the one that waits.
const insertRow = prepared(({ db, t: { outbound } }) =>
  db
    .insert(outbound)
    .values({
      local: sql.placeholder("local"),
      domain: sql.placeholder("domain"),
      id: sql.placeholder("id"),
      kind: sql.placeholder("kind"),
      itemKey: sql.placeholder("itemKey"),
      stanza: sql.placeholder("stanza"),
      queuedAt: sql.placeholder("queuedAt"),
      attempts: 0,
    })
    .onConflictDoUpdate({
      target: outbound.itemKey,
      set: {
        id: sql`excluded.id`,
        stanza: sql`excluded.stanza`,
        queuedAt: sql`excluded.queued_at`,
        attempts: 0,
      },
    })
    .prepare(),
);
const deleteRow = prepared(({ db, t: { outbound } }) =>
  db
    .delete(outbound)
    .where(and(onRoute(outbound), eq(outbound.id, sql.placeholder("id"))))
    .prepare(),
);
const selectPage = prepared(({ db, t: { outbound } }) =>
  db
    .select(rowOf(outbound))
    .from(outbound)
    .where(and(onRoute(outbound), gt(outbound.id, sql.placeholder("after"))))
    .orderBy(asc(outbound.id))
    .limit(sql.placeholder("limit"))
    .prepare(),
);

const rowOf = ({ id, kind, stanza, attempts, queuedAt }: Schema["outbound"]) => ({
  ...{ id, kind, stanza, attempts, queuedAt },
});

export const outboundStore = (store: Store) => {
  const { outbound, outboundDomains: domains } = store.t;
  const on = ({ local, domain }: Route) => and(eq(outbound.local, local), eq(outbound.domain, domain));
  const of = ({ local, domain }: Route) => and(eq(domains.local, local), eq(domains.domain, domain));

  return {
    /** Queues what `collect` gives once the transaction is at work; `holds` is the one below, in there. */
    collect: (
      collect: (
        holds: (route: Route, size: number) => Promise<boolean>,
      ) => Promise<{ readonly stanzas: readonly NewOutbound[]; readonly due: readonly Due[] }>,
    ): Promise<void> =>
      store.transaction(async (tx) => {
        const inside = outboundStore(tx);
        const { stanzas, due } = await collect(inside.holds);
        await inside.add(stanzas, due);
      }),

    /** Queues stanzas, and notes where nobody looks after them yet. */
    add: (rows: readonly NewOutbound[], due: readonly Due[]): Promise<void> =>
      store.transaction(async (tx) => {
        const insert = insertRow(tx);
        for (const row of rows) insert.run({ ...row });
        for (const { local, domain, at, pause } of due) {
          const soonest = sql`max(coalesce(${domains.triedAt}, 0) + ${pause}, ${at.getTime()})`;
          await tx.db
            .insert(domains)
            .values({ local, domain, attempts: 0, nextAt: at })
            .onConflictDoUpdate({
              target: [domains.local, domains.domain],
              set: { nextAt: sql`min(${domains.nextAt}, ${soonest})` },
            });
        }
      }),

    /** The oldest behind `after`. */
    async page({ local, domain }: Route, after: string, limit: number): Promise<OutboundRow[]> {
      return selectPage(store).all({ local, domain, after, limit });
    },

    remove: ({ local, domain }: Route, ids: readonly string[]): Promise<void> =>
      store.transaction(async (tx) => {
        const statement = deleteRow(tx);
        for (const id of ids) statement.run({ local, domain, id });
      }),

    /** Counts that a stream ended while this stanza was the first that it had not taken. */
    countAttempt: (route: Route, id: string): Promise<void> =>
      store.transaction(async ({ db }) => {
        await db
          .update(outbound)
          .set({ attempts: sql`${outbound.attempts} + 1` })
          .where(and(on(route), eq(outbound.id, id)));
      }),

    /** Those of a kind that were queued at a time or before. */
    async aged(route: Route, kind: OutboundKind, at: Date, limit: number): Promise<OutboundRow[]> {
      return store.db
        .select(rowOf(outbound))
        .from(outbound)
        .where(and(on(route), eq(outbound.kind, kind), lte(outbound.queuedAt, at)))
        .orderBy(asc(outbound.queuedAt))
        .limit(limit);
    },

    async oldest(route: Route, kind: OutboundKind): Promise<Date | undefined> {
      const [row] = await store.db
        .select({ at: min(outbound.queuedAt) })
        .from(outbound)
        .where(and(on(route), eq(outbound.kind, kind)));
      return row?.at ?? undefined;
    },

    /** Whether at least so many wait. */
    async holds(route: Route, size: number): Promise<boolean> {
      const found = await store.db
        .select({ id: outbound.id })
        .from(outbound)
        .where(on(route))
        .orderBy(asc(outbound.id))
        .limit(1)
        .offset(size - 1);
      return found.length > 0;
    },

    async find(route: Route): Promise<OutboundDomain | undefined> {
      return (await store.db.select().from(domains).where(of(route)))[0];
    },

    put: (row: OutboundDomain): Promise<void> =>
      store.transaction(async ({ db }) => {
        await db
          .insert(domains)
          .values(row)
          .onConflictDoUpdate({ target: [domains.local, domains.domain], set: row });
      }),

    forget: (route: Route): Promise<void> =>
      store.transaction(async ({ db }) => {
        await db.delete(domains).where(of(route));
      }),

    /** It is tried as if it had not been before, where a try is planned. */
    expedite: (route: Route, at: Date): Promise<void> =>
      store.transaction(async ({ db }) => {
        await db.update(domains).set({ nextAt: at, triedAt: null }).where(of(route));
      }),

    /** Those to be tried by now, for the first time or again, who waits longest first. */
    async due(now: Date, again: boolean, limit: number): Promise<OutboundDomain[]> {
      const { failingSince } = domains;
      return store.db
        .select()
        .from(domains)
        .where(and(again ? isNotNull(failingSince) : isNull(failingSince), lte(domains.nextAt, now)))
        .orderBy(asc(domains.nextAt))
        .limit(limit);
    },

    /** When the next of them is to be tried, at the time or later. */
    async nextDue(from: Date): Promise<Date | undefined> {
      const [row] = await store.db
        .select({ at: min(domains.nextAt) })
        .from(domains)
        .where(gt(domains.nextAt, from));
      return row?.at ?? undefined;
    },

    /** How much waits, since when, on every route. */
    async lengths(): Promise<(Route & { length: number; oldest: Date })[]> {
      const { local, domain, queuedAt } = outbound;
      const rows = await store.db
        .select({ local, domain, length: count(), oldest: min(queuedAt) })
        .from(outbound)
        .groupBy(local, domain);
      return rows.map((row) => ({ ...row, oldest: row.oldest! }));
    },

    async routes(): Promise<OutboundDomain[]> {
      return store.db.select().from(domains);
    },

    /** At start: all are tried at once, and what was being sent when the node ended has somebody who looks after it. */
    recover: (at: Date): Promise<void> =>
      store.transaction(async ({ db }) => {
        await db.update(domains).set({ nextAt: at }).where(gt(domains.nextAt, at));
        const { local, domain } = outbound;
        await db
          .insert(domains)
          .select(
            db
              .selectDistinct({
                ...{ local, domain },
                attempts: sql<number>`0`.as("attempts"),
                failingSince: sql<null>`NULL`.as("failing_since"),
                triedAt: sql<null>`NULL`.as("tried_at"),
                nextAt: sql<number>`${at.getTime()}`.as("next_at"),
                condition: sql<null>`NULL`.as("condition"),
                reason: sql<null>`NULL`.as("reason"),
              })
              .from(outbound)
              .where(sql`true`),
          )
          .onConflictDoNothing();
      }),
  };
};

export type OutboundStore = ReturnType<typeof outboundStore>;
