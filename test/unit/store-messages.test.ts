/** How messages are read: no page of a large archive costs more than it holds. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { pino } from "pino";
import { everything } from "../../src/domain/archive.ts";
import { fullTextStore } from "../../src/store/full-text.ts";
import { hibernatedStore } from "../../src/store/hibernated.ts";
import { messageStore } from "../../src/store/messages.ts";
import { openStore } from "../../src/store/sqlite.ts";

const ana = "ana@pipit.test";
const bob = "bob@pipit.test";

/** A store, and how SQLite goes about what is asked of it from now on. */
function house(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "pipit-messages-"));
  const store = openStore(join(folder, "pipit.db"), { log: pino({ level: "silent" }) });
  t.after(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  const client = store.db.$client;
  const asked: string[] = [];
  const prepare = client.prepare.bind(client);
  client.prepare = ((text: string) => (asked.push(text), prepare(text))) as typeof client.prepare;
  const planOf = async (question: () => Promise<unknown>): Promise<string> => {
    asked.length = 0;
    await question();
    const parameters = (text: string) => [...text.matchAll(/\?/g)].map(() => 0);
    const steps = asked.flatMap((text) => prepare(`EXPLAIN QUERY PLAN ${text}`).all(...parameters(text)));
    return (steps as { detail: string }[]).map(({ detail }) => detail).join("\n");
  };
  return { store, planOf };
}

test("every question has its index", async (t) => {
  const { store, planOf } = house(t);
  await fullTextStore(store).create();
  const messages = messageStore(store);
  const conversation = { ...everything, with: bob };
  for (const from of ["start", "end"] as const) {
    const page = { from, limit: 50 };
    const whole = await planOf(() => messages.page(ana, everything, page));
    assert.match(whole, /messages_account \(account=\? AND position>\? AND position<\?\)/);
    const some = await planOf(() => messages.page(ana, conversation, page));
    assert.match(some, /messages_with \(account=\? AND with=\? AND position>\? AND position<\?\)/);
    const found = await planOf(() => fullTextStore(store).search(ana, "soft", conversation, page));
    assert.match(found, /VIRTUAL TABLE INDEX .*\n.* USING INTEGER PRIMARY KEY/);
    for (const plan of [whole, some, found]) assert.doesNotMatch(plan, /TEMP B-TREE/);
  }
  assert.match(
    await planOf(() => messages.count(ana, everything, 9)),
    /messages_account \(account=\? AND pos/,
  );
  assert.match(
    await planOf(() => messages.count(ana, conversation, 9)),
    /messages_with \(account=\? AND with/,
  );
  const key = { account: ana, with: bob, idHash: 1 };
  assert.match(await planOf(() => messages.byHash(key, 9)), /COVERING INDEX messages_with/);
  assert.match(await planOf(() => messages.waiting(ana, 9)), /messages_account \(account=\? AND position>/);
  assert.match(await planOf(() => messages.since(1, 9, 9)), /INTEGER PRIMARY KEY \(rowid>\? AND rowid<\?\)/);
  const passed = await planOf(() => hibernatedStore(store).passed(ana, 1, true, 9));
  assert.match(passed, /messages_account \(account=\? AND position>\?\)/);
});
