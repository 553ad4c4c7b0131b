/** What is kept for other domains: in order, newest event of an item only, and when to try whom again. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createLogger } from "../../src/log.ts";
import { outboundStore, type NewOutbound } from "../../src/store/outbound.ts";
import { openStore } from "../../src/store/sqlite.ts";

const route = { local: "capulet.example", domain: "montague.example" };
const other = { ...route, domain: "verona.example" };
const at = (milliseconds: number): Date => new Date(Date.UTC(2026, 6, 1) + milliseconds);

function opened(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "pipit-outbound-"));
  const store = openStore(join(folder, "pipit.db"), { log: createLogger("silent") });
  t.after(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  return outboundStore(store);
}

const row = (id: string, changes: Partial<NewOutbound> = {}): NewOutbound => ({
  ...route,
  ...{ id, kind: "chat", itemKey: null, stanza: `<message id="${id}"/>`, queuedAt: at(Number(id)) },
  ...changes,
});

const failing = { attempts: 3, failingSince: at(0), triedAt: at(100), condition: "x", reason: "y" };

test("pages of one domain come in order, behind where the reader is", async (t) => {
  const queue = opened(t);
  await queue.add([row("3"), row("1"), row("2", other), row("4")], []);
  const ids = async (after: string, limit: number) =>
    (await queue.page(route, after, limit)).map(({ id }) => id);
  assert.deepEqual(await ids("", 2), ["1", "3"]);
  assert.deepEqual(await ids("3", 2), ["4"]);
  await queue.remove(route, ["1", "4", "2"]);
  assert.deepEqual(await ids("", 9), ["3"]);
  assert.equal((await queue.page(other, "", 9)).length, 1);
});

test("a newer event of an item takes the place and the time of the older, at the end", async (t) => {
  const queue = opened(t);
  const event = { kind: "notification", itemKey: "ana romeo 1" } as const;
  await queue.add([row("1", event), row("2")], []);
  await queue.add([row("3", { ...event, stanza: "<edited/>" })], []);
  const rows = await queue.page(route, "", 9);
  assert.deepEqual(
    rows.map(({ id, stanza }) => [id, stanza]),
    [
      ["2", `<message id="2"/>`],
      ["3", "<edited/>"],
    ],
  );
  assert.deepEqual(rows[1]!.queuedAt, at(3));
  // The older one was on its way when the newer came; that it has arrived says nothing of the newer.
  await queue.remove(route, ["1"]);
  assert.equal((await queue.page(route, "", 9)).length, 2);
});

test("what is due comes by age, those that failed apart from those that did not", async (t) => {
  const queue = opened(t);
  await queue.add([], [{ ...route, at: at(5), pause: 0 }]);
  await queue.put({ ...other, ...failing, nextAt: at(7) });
  assert.deepEqual(await queue.due(at(4), false, 9), []);
  assert.deepEqual(
    (await queue.due(at(9), false, 9)).map(({ domain }) => domain),
    [route.domain],
  );
  assert.deepEqual(
    (await queue.due(at(9), true, 9)).map(({ domain }) => domain),
    [other.domain],
  );
  assert.deepEqual(await queue.nextDue(at(5)), at(7));
  assert.equal(await queue.nextDue(at(7)), undefined);
});

test("what is queued brings the next try forward, but for a pause after the last", async (t) => {
  const queue = opened(t);
  await queue.put({ ...route, ...failing, nextAt: at(9_000) });
  await queue.add([row("1")], [{ ...route, at: at(150), pause: 20_000 }]);
  assert.deepEqual((await queue.find(route))!.nextAt, at(9_000));
  await queue.add([row("2")], [{ ...route, at: at(150), pause: 1_000 }]);
  assert.deepEqual((await queue.find(route))!.nextAt, at(1_100));
  await queue.add([row("3")], [{ ...route, at: at(5_000), pause: 1_000 }]);
  assert.deepEqual((await queue.find(route))!.nextAt, at(1_100));
  assert.equal((await queue.find(route))!.attempts, 3);
});

test("at start everything is due, and what was known of failures is still known", async (t) => {
  const queue = opened(t);
  await queue.add([row("1"), row("2"), row("3", other)], []);
  await queue.put({ ...other, ...failing, nextAt: at(9_000) });
  await queue.recover(at(50));
  assert.deepEqual((await queue.find(route))!.nextAt, at(50));
  assert.equal((await queue.find(route))!.failingSince, null);
  assert.deepEqual((await queue.find(other))!.nextAt, at(50));
  assert.equal((await queue.find(other))!.attempts, 3);
});

test("how much waits, since when, and whether that is too much", async (t) => {
  const queue = opened(t);
  await queue.add([row("1"), row("2", { kind: "notification" }), row("3")], []);
  assert.deepEqual(await queue.lengths(), [{ ...route, length: 3, oldest: at(1) }]);
  assert.equal(await queue.holds(route, 3), true);
  assert.equal(await queue.holds(route, 4), false);
  assert.deepEqual(await queue.oldest(route, "notification"), at(2));
  assert.equal(await queue.oldest(route, "subscription"), undefined);
  assert.deepEqual(
    (await queue.aged(route, "chat", at(2), 9)).map(({ id }) => id),
    ["1"],
  );
});
