/** XEP-0198 §5: which sessions that rested when the process died are still what their clients believe. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { Events } from "../../src/events.ts";
import {
  HibernationJournal,
  type HibernatedRow,
  type HibernatedStore,
  type PassedMessage,
} from "../../src/server/hibernation-journal.ts";
import { idOf } from "../../src/xmpp/id.ts";

const log = pino({ level: "silent" });
const account = "ana@pipit.test";
const ids = Array.from({ length: 9 }, (_, n) => idOf(1_000 + n));

type Came = Pick<PassedMessage, "id" | "sent"> & { readonly to: string };
const came = (n: number, to = account): Came => ({ id: ids[n]!, sent: false, to });
const sent = (n: number): Came => ({ id: ids[n]!, sent: true, to: "bob@pipit.test" });

interface Given {
  readonly carbons?: boolean;
  readonly presence?: string | undefined;
  readonly priority?: number;
  /** Messages in its queue. */
  readonly kept?: readonly number[];
}

function resting(
  resource: string,
  { carbons = false, priority = 0, kept = [], ...more }: Given,
): HibernatedRow {
  const presence = "presence" in more ? more.presence : "<presence/>";
  return {
    id: resource,
    account,
    jid: `${account}/${resource}`,
    expiresAt: new Date(),
    completeTo: 1_000,
    state: {
      ...{ remoteAddress: "::1", priority, interested: false, carbons, modules: {} },
      ...(presence !== undefined && { presence }),
      management: { id: resource, seconds: 60, handled: 0, acknowledged: 0, reach: 0 },
    },
    queue: kept.map((n, position) => ({
      ...{ session: resource, position, archiveId: ids[n]!, at: new Date(), stanza: "<message/>" },
    })),
  };
}

/** By resource: the messages that they missed, or that they are no more. */
async function load(
  passed: readonly Came[],
  rows: Record<string, Given>,
): Promise<Record<string, (number | undefined)[] | "gone">> {
  const forgotten: string[] = [];
  const store: HibernatedStore = {
    write: (gone) => (forgotten.push(...gone), Promise.resolve()),
    all: () => Promise.resolve(Object.entries(rows).map(([resource, given]) => resting(resource, given))),
    passed: (_account, _from, copies, limit) =>
      Promise.resolve(
        passed
          .filter((one) => copies || !one.sent)
          .slice(0, limit)
          .map(({ to, ...one }) => ({ ...one, at: new Date(), stanza: `<message to="${to}"/>` })),
      ),
  };
  const whole = await new HibernationJournal({ store, events: new Events(log), log }).load();
  const outcome = Object.keys(rows).map((resource) => {
    const row = whole.find(({ id }) => id === resource);
    assert.equal(row === undefined, forgotten.includes(resource));
    return [resource, row?.missed.map(({ id }) => ids.indexOf(id)) ?? "gone"] as const;
  });
  return Object.fromEntries(outcome);
}

test("what came and was not written with the session any more is in it, at the end", async () => {
  assert.deepEqual(await load([came(1), came(2), came(3)], { phone: { kept: [1] } }), { phone: [2, 3] });
  assert.deepEqual(await load([came(1), sent(2)], { phone: { kept: [1] } }), { phone: [] });
});

test("what is in the middle would be overtaken: the session is over", async () => {
  assert.deepEqual(await load([came(1), came(2)], { phone: { kept: [2] } }), { phone: "gone" });
});

test("of copies it is not known what they were: the session is over", async () => {
  assert.deepEqual(await load([came(1), sent(2)], { desk: { carbons: true, kept: [1] } }), { desk: "gone" });
  assert.deepEqual(await load([came(1), sent(2)], { desk: { carbons: true, kept: [1, 2] } }), { desk: [] });
  assert.deepEqual(await load([came(1)], { desk: { carbons: true, priority: -1 } }), { desk: "gone" });
});

test("what was for another client, or for those that are available, is not missing", async () => {
  const toPhone = came(1, `${account}/phone`);
  assert.deepEqual(await load([toPhone], { phone: {}, desk: {} }), { phone: [1], desk: [] });
  assert.deepEqual(await load([toPhone], { phone: {}, desk: { carbons: true } }), {
    phone: [1],
    desk: "gone",
  });
  // RFC 6121 §8.5.3.2.1: to a resource that was not there it was one to the account.
  assert.deepEqual(await load([came(1, `${account}/car`)], { phone: {} }), { phone: [1] });
  assert.deepEqual(await load([came(1)], { away: { presence: undefined }, below: { priority: -1 } }), {
    away: [],
    below: [],
  });
});
