/** XEP-0198 §5: sessions that rest are kept whole and in order, and known for what they lack. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { pino } from "pino";
import { hibernatedStore } from "../../src/store/hibernated.ts";
import { openStore } from "../../src/store/sqlite.ts";

const jid = "ana@pipit.test/phone";

function opened(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "pipit-hibernated-"));
  const store = openStore(join(folder, "pipit.db"), { log: pino({ level: "silent" }) });
  t.after(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  return { store, hibernated: hibernatedStore<{ n: number }>(store) };
}

const session = (id: string, seconds = 0, account = "ana@pipit.test") => ({
  ...{ id, account, jid, completeTo: 5, state: { n: seconds } },
  expiresAt: new Date(seconds * 1_000),
});

const stanza = (of: string, position: number, archiveId: string | null = null) => ({
  ...{ session: of, position, archiveId, stanza: `<message id="${position}"/>` },
  at: new Date(position),
});

test("what is written comes back, the first to end in front, each with its stanzas in order", async (t) => {
  const { hibernated } = opened(t);
  await hibernated.write([], [session("b", 2), session("a", 1)], [stanza("b", 0), stanza("a", 0, "x")], []);
  await hibernated.write(
    [],
    [],
    [10, 9, 2, 1].map((n) => stanza("b", n)),
    [{ id: "b", completeTo: 7 }],
  );
  const [a, b, ...others] = await hibernated.all();
  assert.deepEqual(others, []);
  assert.deepEqual(a, { ...session("a", 1), queue: [stanza("a", 0, "x")] });
  assert.deepEqual(b, {
    ...session("b", 2),
    completeTo: 7,
    queue: [0, 1, 2, 9, 10].map((n) => stanza("b", n)),
  });
});

test("what is forgotten leaves nothing behind", async (t) => {
  const { store, hibernated } = opened(t);
  await hibernated.write([], [session("a"), session("b"), session("c", 0, "bob@pipit.test")], [], []);
  await hibernated.write(
    [],
    [],
    ["a", "b", "c"].map((id) => stanza(id, 0)),
    [],
  );
  await hibernated.write(["a"], [], [], []);
  assert.deepEqual(
    (await hibernated.all()).map(({ id }) => id),
    ["b", "c"],
  );
  await hibernated.clear("ana@pipit.test");
  assert.deepEqual(
    (await hibernated.all()).map(({ id }) => id),
    ["c"],
  );
  const left = await store.db.select().from(store.t.hibernatedStanzas);
  assert.deepEqual(
    left.map((row) => row.session),
    ["c"],
  );
});

test("a write is whole or not at all", async (t) => {
  const { hibernated } = opened(t);
  await hibernated.write([], [session("a")], [stanza("a", 0)], []);
  await assert.rejects(hibernated.write(["a"], [session("b")], [stanza("b", 0), stanza("b", 0)], []));
  assert.deepEqual(
    (await hibernated.all()).map(({ id, queue }) => [id, queue.length]),
    [["a", 1]],
  );
});

test("what came to an archive from a position on", async (t) => {
  const { store, hibernated } = opened(t);
  const row = (position: number, sent: boolean, waits: boolean, account = "ana@pipit.test") => ({
    ...{ position, account, id: `m${position}`, with: "bob@pipit.test", resource: "", at: new Date(), sent },
    ...{ archived: true, waits, idHash: null, stanza: "<message/>" },
  });
  await store.transaction(async ({ db, t: { messages } }) => {
    await db
      .insert(messages)
      .values([
        row(4, true, false),
        row(5, true, false),
        row(6, false, true),
        row(7, false, false),
        row(8, true, false, "bob@pipit.test"),
      ]);
  });
  const passed = async (from: number, copies: boolean, limit: number) =>
    (await hibernated.passed("ana@pipit.test", from, copies, limit)).map(({ id }) => id);
  assert.deepEqual(await passed(5, true, 9), ["m5", "m6", "m7"]);
  assert.deepEqual(await passed(5, false, 9), ["m6", "m7"]);
  assert.deepEqual(await passed(4, true, 2), ["m4", "m5"]);
  assert.deepEqual(await passed(8, true, 9), []);
});
