/** XEP-0060: nodes and their items. */
import { and, asc, count, desc, eq, gt, inArray, isNull, lt, lte, max, or, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import type { Schema } from "./schema.ts";
import type { Store } from "./store.ts";

export type NodeRow = Schema["pubsubNodes"]["$inferSelect"];
export type ItemRow = Schema["pubsubItems"]["$inferSelect"];

export type ItemKey = Pick<ItemRow, "id" | "position">;

/** A part of a node's items in their order, newest first. */
export interface ItemRange {
  /** Only items older or newer than the one at this position. */
  readonly olderThan?: string;
  readonly newerThan?: string;
  /** How many to leave out at the beginning. */
  readonly skip?: number;
  readonly limit: number;
  /** Counted from the old end; they still come newest first. */
  readonly fromOldest?: boolean;
}

/** What has expired at `now` is as good as gone, also before it is swept. */
export const pubsubStore = ({ db, t, transaction }: Store) => {
  const isNode = (service: string, node: string) =>
    and(eq(t.pubsubNodes.service, service), eq(t.pubsubNodes.node, node));
  const among = (services: readonly string[], nodes: readonly string[]) =>
    and(inArray(t.pubsubNodes.service, [...services]), inArray(t.pubsubNodes.node, [...nodes]));
  const other = alias(t.pubsubItems, "other");
  const isIn = (service: string, node: string) =>
    and(eq(t.pubsubItems.service, service), eq(t.pubsubItems.node, node));
  const isAlive = (now: Date) => or(isNull(t.pubsubItems.expiresAt), gt(t.pubsubItems.expiresAt, now));
  const isWithin = ({ olderThan, newerThan }: ItemRange) =>
    and(
      olderThan === undefined ? undefined : lt(t.pubsubItems.position, olderThan),
      newerThan === undefined ? undefined : gt(t.pubsubItems.position, newerThan),
    );
  const inOrder = ({ fromOldest }: ItemRange) =>
    fromOldest ? asc(t.pubsubItems.position) : desc(t.pubsubItems.position);

  return {
    async node(service: string, node: string): Promise<NodeRow | undefined> {
      const [row] = await db.select().from(t.pubsubNodes).where(isNode(service, node));
      return row;
    },

    async nodes(service: string): Promise<NodeRow[]> {
      return db
        .select()
        .from(t.pubsubNodes)
        .where(eq(t.pubsubNodes.service, service))
        .orderBy(asc(t.pubsubNodes.node));
    },

    async nodeCount(service: string): Promise<number> {
      const [row] = await db
        .select({ count: count() })
        .from(t.pubsubNodes)
        .where(eq(t.pubsubNodes.service, service));
      return row?.count ?? 0;
    },

    /** Those of these nodes that exist at these services. */
    async nodesAmong(services: readonly string[], nodes: readonly string[]): Promise<NodeRow[]> {
      return db.select().from(t.pubsubNodes).where(among(services, nodes));
    },

    async addNode(row: NodeRow): Promise<void> {
      await transaction(async ({ db }) => {
        await db.insert(t.pubsubNodes).values(row);
      });
    },

    async setConfig({ service, node, config }: Pick<NodeRow, "service" | "node" | "config">): Promise<void> {
      await transaction(async ({ db }) => {
        await db.update(t.pubsubNodes).set({ config }).where(isNode(service, node));
      });
    },

    /** The node and all that belongs to it. */
    async removeNode(service: string, node: string): Promise<void> {
      await transaction(async ({ db }) => {
        for (const table of [
          t.pubsubItems,
          t.pubsubSubscriptions,
          t.pubsubAffiliations,
          t.pubsubNodes,
        ] as const) {
          await db.delete(table).where(and(eq(table.service, service), eq(table.node, node)));
        }
      });
    },

    async items(service: string, node: string, ids: readonly string[], now: Date): Promise<ItemRow[]> {
      return db
        .select()
        .from(t.pubsubItems)
        .where(and(isIn(service, node), inArray(t.pubsubItems.id, [...ids]), isAlive(now)));
    },

    async itemCount(service: string, node: string, now: Date): Promise<number> {
      const [row] = await db
        .select({ count: count() })
        .from(t.pubsubItems)
        .where(and(isIn(service, node), isAlive(now)));
      return row?.count ?? 0;
    },

    /** How many items are newer than the one at this position. */
    async newerCount(service: string, node: string, position: string, now: Date): Promise<number> {
      const [row] = await db
        .select({ count: count() })
        .from(t.pubsubItems)
        .where(and(isIn(service, node), gt(t.pubsubItems.position, position), isAlive(now)));
      return row?.count ?? 0;
    },

    /** Newest first. */
    async page(service: string, node: string, range: ItemRange, now: Date): Promise<ItemRow[]> {
      const rows = await db
        .select()
        .from(t.pubsubItems)
        .where(and(isIn(service, node), isWithin(range), isAlive(now)))
        .orderBy(inOrder(range))
        .limit(range.limit)
        .offset(range.skip ?? 0);
      return range.fromOldest ? rows.reverse() : rows;
    },

    /** The same without the payloads. */
    async idPage(service: string, node: string, range: ItemRange, now: Date): Promise<ItemKey[]> {
      const rows = await db
        .select({ id: t.pubsubItems.id, position: t.pubsubItems.position })
        .from(t.pubsubItems)
        .where(and(isIn(service, node), isWithin(range), isAlive(now)))
        .orderBy(inOrder(range))
        .limit(range.limit)
        .offset(range.skip ?? 0);
      return range.fromOldest ? rows.reverse() : rows;
    },

    /** The newest item of each of these nodes at each of these services. */
    async lastItems(services: readonly string[], nodes: readonly string[], now: Date): Promise<ItemRow[]> {
      const newest = db
        .select({ position: max(other.position) })
        .from(other)
        .where(
          and(
            eq(other.service, t.pubsubNodes.service),
            eq(other.node, t.pubsubNodes.node),
            or(isNull(other.expiresAt), gt(other.expiresAt, now)),
          ),
        );
      const rows = await db
        .select({ item: t.pubsubItems })
        .from(t.pubsubNodes)
        .innerJoin(
          t.pubsubItems,
          and(
            eq(t.pubsubItems.service, t.pubsubNodes.service),
            eq(t.pubsubItems.node, t.pubsubNodes.node),
            eq(t.pubsubItems.position, newest),
          ),
        )
        .where(among(services, nodes));
      return rows.map(({ item }) => item);
    },

    /** Where the newest item stands, expired or not. */
    async lastPosition(service: string, node: string): Promise<string | undefined> {
      const [row] = await db
        .select({ position: t.pubsubItems.position })
        .from(t.pubsubItems)
        .where(isIn(service, node))
        .orderBy(desc(t.pubsubItems.position))
        .limit(1);
      return row?.position;
    },

    /** Adds an item, or puts it in the place of the one with its id. */
    async putItem(row: ItemRow): Promise<void> {
      await transaction(async ({ db }) => {
        await db
          .insert(t.pubsubItems)
          .values(row)
          .onConflictDoUpdate({
            target: [t.pubsubItems.service, t.pubsubItems.node, t.pubsubItems.id],
            set: row,
          });
      });
    },

    /** Removes items; tells which were there. */
    async removeItems(service: string, node: string, ids: readonly string[]): Promise<string[]> {
      return transaction(async ({ db }) => {
        const rows = await db
          .delete(t.pubsubItems)
          .where(and(isIn(service, node), inArray(t.pubsubItems.id, [...ids])))
          .returning({ id: t.pubsubItems.id });
        return rows.map(({ id }) => id);
      });
    },

    /** Removes all items of the node, or those that one person published; tells which. */
    async purge(service: string, node: string, publisher?: string): Promise<string[]> {
      return transaction(async ({ db }) => {
        const rows = await db
          .delete(t.pubsubItems)
          .where(
            and(
              isIn(service, node),
              publisher === undefined ? undefined : eq(t.pubsubItems.publisher, publisher),
            ),
          )
          .returning({ id: t.pubsubItems.id });
        return rows.map(({ id }) => id);
      });
    },

    /** Sets when the items of a node vanish: so long after they were published, or never. */
    async setExpiry(service: string, node: string, milliseconds: number | undefined): Promise<void> {
      await transaction(async ({ db }) => {
        const expiresAt =
          milliseconds === undefined ? null : sql`${t.pubsubItems.publishedAt} + ${milliseconds}`;
        await db.update(t.pubsubItems).set({ expiresAt }).where(isIn(service, node));
      });
    },

    /** What has expired and not been swept, the longest gone first. */
    async expired(now: Date, limit: number): Promise<Pick<ItemRow, "service" | "node" | "id">[]> {
      return db
        .select({ service: t.pubsubItems.service, node: t.pubsubItems.node, id: t.pubsubItems.id })
        .from(t.pubsubItems)
        .where(lte(t.pubsubItems.expiresAt, now))
        .orderBy(asc(t.pubsubItems.expiresAt))
        .limit(limit);
    },
  };
};
