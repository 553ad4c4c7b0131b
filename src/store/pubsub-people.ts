/** XEP-0060: who has what to do with a node: affiliations and subscriptions. */
import { and, asc, count, eq, gte, inArray, lt, or, type SQL } from "drizzle-orm";
import type { Affiliation, Schema } from "./schema.ts";
import type { Store } from "./store.ts";

export type SubscriptionRow = Schema["pubsubSubscriptions"]["$inferSelect"];
export type AffiliationRow = Schema["pubsubAffiliations"]["$inferSelect"];

export const pubsubPeopleStore = ({ db, t, transaction }: Store) => {
  const { pubsubAffiliations: affiliations, pubsubSubscriptions: subscriptions } = t;
  const subscribedTo = (service: string, node: string) =>
    and(eq(subscriptions.service, service), eq(subscriptions.node, node));
  /** Whatever this person subscribed with: the bare JID or one of its resources (a zero follows the slash in ASCII). */
  const ofPerson = (bare: string): SQL | undefined =>
    or(
      eq(subscriptions.jid, bare),
      and(gte(subscriptions.jid, `${bare}/`), lt(subscriptions.jid, `${bare}0`)),
    );

  return {
    async affiliation(service: string, node: string, jid: string): Promise<Affiliation> {
      const [row] = await db
        .select({ affiliation: affiliations.affiliation })
        .from(affiliations)
        .where(
          and(eq(affiliations.service, service), eq(affiliations.node, node), eq(affiliations.jid, jid)),
        );
      return row?.affiliation ?? "none";
    },

    /** Of a node. */
    async affiliations(service: string, node: string): Promise<AffiliationRow[]> {
      return db
        .select()
        .from(affiliations)
        .where(and(eq(affiliations.service, service), eq(affiliations.node, node)))
        .orderBy(asc(affiliations.jid));
    },

    /** Of a person, at these services. */
    async affiliationsOf(services: readonly string[], jid: string): Promise<AffiliationRow[]> {
      return db
        .select()
        .from(affiliations)
        .where(and(inArray(affiliations.service, [...services]), eq(affiliations.jid, jid)))
        .orderBy(asc(affiliations.service), asc(affiliations.node));
    },

    /** `none` is what is not in the table. */
    async setAffiliation(row: AffiliationRow): Promise<void> {
      await transaction(async ({ db }) => {
        const key = [affiliations.service, affiliations.node, affiliations.jid];
        if (row.affiliation === "none") {
          await db
            .delete(affiliations)
            .where(
              and(
                eq(affiliations.service, row.service),
                eq(affiliations.node, row.node),
                eq(affiliations.jid, row.jid),
              ),
            );
        } else {
          await db
            .insert(affiliations)
            .values(row)
            .onConflictDoUpdate({ target: key, set: { affiliation: row.affiliation } });
        }
      });
    },

    /** Of a node, in every state. */
    async subscriptions(service: string, node: string): Promise<SubscriptionRow[]> {
      return db.select().from(subscriptions).where(subscribedTo(service, node));
    },

    async subscriberCount(service: string, node: string): Promise<number> {
      const [row] = await db
        .select({ count: count() })
        .from(subscriptions)
        .where(and(subscribedTo(service, node), eq(subscriptions.state, "subscribed")));
      return row?.count ?? 0;
    },

    /** Of a person at a service, or at one of its nodes. */
    async subscriptionsOf(service: string, bare: string, node?: string): Promise<SubscriptionRow[]> {
      return db
        .select()
        .from(subscriptions)
        .where(
          and(
            eq(subscriptions.service, service),
            node === undefined ? undefined : eq(subscriptions.node, node),
            ofPerson(bare),
          ),
        )
        .orderBy(asc(subscriptions.node), asc(subscriptions.jid));
    },

    /** Of these addresses at any service. */
    async subscriptionsWith(jids: readonly string[]): Promise<SubscriptionRow[]> {
      return db
        .select()
        .from(subscriptions)
        .where(inArray(subscriptions.jid, [...jids]));
    },

    /** Requests that wait for an owner of this service's nodes. */
    async pending(service: string): Promise<SubscriptionRow[]> {
      return db
        .select()
        .from(subscriptions)
        .where(and(eq(subscriptions.service, service), eq(subscriptions.state, "pending")))
        .orderBy(asc(subscriptions.createdAt));
    },

    async putSubscription(row: SubscriptionRow): Promise<void> {
      await transaction(async ({ db }) => {
        await db
          .insert(subscriptions)
          .values(row)
          .onConflictDoUpdate({
            target: [subscriptions.service, subscriptions.node, subscriptions.jid, subscriptions.subid],
            set: { state: row.state, options: row.options },
          });
      });
    },

    async removeSubscription({ service, node, jid, subid }: SubscriptionRow): Promise<void> {
      await transaction(async ({ db }) => {
        await db
          .delete(subscriptions)
          .where(
            and(subscribedTo(service, node), eq(subscriptions.jid, jid), eq(subscriptions.subid, subid)),
          );
      });
    },

    /** Forgets a person at every node of every service. */
    async forget(bare: string): Promise<void> {
      await transaction(async ({ db }) => {
        await db.delete(subscriptions).where(ofPerson(bare));
        await db.delete(affiliations).where(eq(affiliations.jid, bare));
      });
    },
  };
};
