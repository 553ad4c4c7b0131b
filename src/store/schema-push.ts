/** The table of push services. The SQL that makes it is in `migrations/`. */
import type { Columns } from "./columns.ts";

export function pushTables({ table, text, int, bool, time, primaryKey }: Columns) {
  return {
    /** XEP-0357: where clients of an account want to be woken by. */
    pushRegistrations: table(
      "push_registrations",
      {
        account: text().notNull(),
        /** The address of the push service. */
        service: text().notNull(),
        /** "" where the client gave none. */
        node: text().notNull(),
        /** Which client it is, as `Session.client` and `Session.jid` know it. */
        client: text(),
        resource: text().notNull(),
        /** What its client had logged in by: it ends with it. */
        appPassword: text(),
        /** The form that is sent along, as XML text; it holds secrets. */
        options: text(),
        wantsPriority: bool().notNull(),
        enabledAt: time().notNull(),
        /** When its client was told to come; none once it was there again. */
        pushedAt: time(),
        /** How often in a row it was given up. */
        failures: int().notNull(),
        /** It was given up until then. */
        pausedUntil: time(),
      },
      (t) => [primaryKey({ columns: [t.account, t.service, t.node] })],
    ),
  };
}
