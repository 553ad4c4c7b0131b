/** XEP-0401, XEP-0445: invitations. What writes is used inside a transaction. */
import { and, count, desc, eq, gt, gte, isNull, lt, max } from "drizzle-orm";
import type { Schema } from "./schema.ts";
import type { Store } from "./store.ts";

export type InvitationRow = Schema["invitations"]["$inferSelect"];
export type { InvitationKind } from "./schema.ts";

export const invitationStore = (store: Store) => {
  const { db } = store;
  const { invitations } = store.t;
  const isUnused = isNull(invitations.usedAt);
  const isOpen = (now: Date) => and(isUnused, gt(invitations.expiresAt, now));
  return {
    async find(token: string): Promise<InvitationRow | undefined> {
      return db.select().from(invitations).where(eq(invitations.token, token)).get();
    },

    /** One person's, or all; the newest first. */
    async list(inviter?: string): Promise<InvitationRow[]> {
      const whose = inviter === undefined ? undefined : eq(invitations.inviter, inviter);
      return db.select().from(invitations).where(whose).orderBy(desc(invitations.createdAt)).all();
    },

    /** Until when somebody may come with one and make an account. */
    async lastExpiry(now: Date): Promise<Date | undefined> {
      const last = db.select({ at: max(invitations.expiresAt) }).from(invitations);
      return last.where(and(eq(invitations.registers, true), isOpen(now))).get()?.at ?? undefined;
    },

    /** How many of one person were made since then. */
    async countSince(inviter: string, since: Date): Promise<number> {
      const made = and(eq(invitations.inviter, inviter), gte(invitations.createdAt, since));
      return db.select({ made: count() }).from(invitations).where(made).get()!.made;
    },

    /** Whether a name is kept for somebody who was invited. */
    async isReserved(username: string, now: Date): Promise<boolean> {
      const kept = and(eq(invitations.username, username), isOpen(now));
      return db.select().from(invitations).where(kept).limit(1).get() !== undefined;
    },

    async add(row: InvitationRow): Promise<void> {
      db.insert(invitations).values(row).run();
    },

    /** `false` where it is gone or was used before. */
    async spend(token: string, usedBy: string, usedAt: Date): Promise<boolean> {
      const unused = and(eq(invitations.token, token), isUnused);
      return db.update(invitations).set({ usedAt, usedBy }).where(unused).run().changes > 0;
    },

    /** Takes back one that was not used: anybody's, or one person's own. `false` where there is no such one. */
    async revoke(token: string, inviter?: string): Promise<boolean> {
      const whose = inviter === undefined ? undefined : eq(invitations.inviter, inviter);
      return (
        db
          .delete(invitations)
          .where(and(eq(invitations.token, token), isUnused, whose))
          .run().changes > 0
      );
    },

    /** Forgets those that were over before then. */
    async forget(before: Date): Promise<void> {
      db.delete(invitations).where(lt(invitations.expiresAt, before)).run();
    },

    /** All of a person who is no more. */
    async clear(inviter: string): Promise<void> {
      db.delete(invitations).where(eq(invitations.inviter, inviter)).run();
    },
  };
};
