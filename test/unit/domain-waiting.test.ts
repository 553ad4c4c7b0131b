/** What waits for who is away: which messages, how far they were taken, and what is left of that on disk. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { pino } from "pino";
import { Archive } from "../../src/domain/archive.ts";
import { Waiting } from "../../src/domain/waiting.ts";
import { openStore } from "../../src/store/sqlite.ts";
import { parseJid } from "../../src/xmpp/jid.ts";

const ana = "ana@pipit.test";
const bob = parseJid("bob@pipit.test/pad")!;

async function house(t: TestContext) {
  const log = pino({ level: "silent" });
  const folder = mkdtempSync(join(tmpdir(), "pipit-waiting-"));
  const store = openStore(join(folder, "pipit.db"), { log });
  t.after(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  const archive = new Archive(store);
  await archive.open();
  const begin = () => new Waiting({ store, archive, log, hasClients: () => false });
  const text = "<message><body>x</body></message>";
  /** A message that comes for Ana, and is on disk. */
  const comes = async (waiting: Waiting, { archived = true, sent = false, length = 10 } = {}) => {
    await waiting.ready(ana);
    const { id, written } = archive.append({
      ...{ account: ana, with: bob, sent, archived, waits: !sent, messageId: undefined, text },
    });
    await written;
    if (!sent) waiting.add(ana, id, length, archived);
    return id;
  };
  const idsOf = async (waiting: Waiting) => (await waiting.of(ana)).map(({ id }) => id);
  /** What another process finds on disk. */
  const onDisk = async (waiting: Waiting) => {
    await waiting.flush();
    return idsOf(begin());
  };
  const rows = async () => (await store.db.select().from(store.t.messages)).map(({ id }) => id);
  return { archive, begin, comes, idsOf, onDisk, rows };
}

const comingWith = (text: string) => ({
  ...{ account: ana, with: bob, sent: false, archived: true, waits: true, messageId: undefined, text },
});

test("what was taken does not wait any more, now or in another life", async (t) => {
  const { begin, comes, idsOf, onDisk } = await house(t);
  const waiting = begin();
  const [a, b, c] = [await comes(waiting), await comes(waiting), await comes(waiting)];
  assert.deepEqual(await idsOf(waiting), [a, b, c]);
  assert.deepEqual(await onDisk(waiting), [a, b, c]);
  waiting.take(ana, a);
  waiting.take(ana, b);
  assert.deepEqual(await onDisk(waiting), [c]);
  waiting.take(ana, c);
  waiting.take(ana, c);
  waiting.take(ana, "what was never there");
  assert.deepEqual([await idsOf(waiting), await onDisk(waiting)], [[], []]);
  const d = await comes(waiting);
  assert.deepEqual(await onDisk(waiting), [d]);
});

test("what is taken out of turn lets nothing in front of it be forgotten", async (t) => {
  const { begin, comes, idsOf, onDisk } = await house(t);
  const waiting = begin();
  const [a, b, c] = [await comes(waiting), await comes(waiting), await comes(waiting)];
  waiting.take(ana, c);
  waiting.take(ana, b);
  assert.deepEqual(await idsOf(waiting), [a]);
  // At worst it comes again; it is never lost.
  assert.deepEqual(await onDisk(waiting), [a, b, c]);
  waiting.take(ana, a);
  assert.deepEqual(await onDisk(waiting), []);
});

test("what only waited is gone once it was taken", async (t) => {
  const { begin, comes, rows } = await house(t);
  const waiting = begin();
  const [a, b] = [await comes(waiting, { archived: false }), await comes(waiting)];
  const own = await comes(waiting, { sent: true });
  waiting.take(ana, a);
  waiting.take(ana, b);
  await waiting.flush();
  assert.deepEqual(await rows(), [b, own]);
  // It is known as such by who reads it from disk, too.
  const c = await comes(waiting, { archived: false });
  const later = begin();
  assert.deepEqual(await later.of(ana), [{ id: c, archived: false }]);
  later.take(ana, c);
  await later.flush();
  assert.deepEqual(await rows(), [b, own]);
});

test("there is room for so many messages, and for so much of them", async (t) => {
  const { begin, comes } = await house(t);
  const waiting = begin();
  assert.equal(await waiting.hasRoom(ana, 10_485_760), true);
  assert.equal(await waiting.hasRoom(ana, 10_485_761), false);
  const id = await comes(waiting, { length: 10_485_000 });
  assert.deepEqual([waiting.hasRoom(ana, 760), waiting.hasRoom(ana, 761)], [true, false]);
  waiting.take(ana, id);
  assert.equal(waiting.hasRoom(ana, 761), true);
  for (let count = 0; count < 10_000; count += 1) waiting.add(ana, `${id}${count}`, 1, true);
  assert.equal(waiting.hasRoom(ana, 1), false);
});

test("what is not on disk yet is added once, by who waits for it", async (t) => {
  const { archive, begin } = await house(t);
  const waiting = begin();
  const text = "<message><body>x</body></message>";
  const { id, written } = archive.append({
    ...{ account: ana, with: bob, sent: false, archived: true, waits: true, messageId: undefined, text },
  });
  const early = waiting.of(ana);
  let late: Promise<{ id: string }[]> | undefined;
  const effect = written.then(() => {
    // It is on disk by now; who looks at this moment shall not find it twice.
    late = begin().of(ana);
    waiting.add(ana, id, 10, true);
  });
  await effect;
  assert.deepEqual([await early, await late], [[], []]);
  assert.deepEqual((await waiting.of(ana)).length, 1);
});

test("what is under way to the disk takes its room", async (t) => {
  const { archive, begin } = await house(t);
  const waiting = begin();
  await waiting.ready(ana);
  const text = `<message><body>${"x".repeat(1_000_000)}</body></message>`;
  const coming = comingWith(text);
  for (let count = 0; count < 10; count += 1) {
    assert.equal(waiting.hasRoom(ana, text.length), true);
    void archive.append(coming);
  }
  assert.equal(waiting.hasRoom(ana, text.length), false);
  await archive.append({ ...coming, account: "eve@pipit.test", text: "<message></message>" }).written;
});

test("more than there is room for is not forgotten", async (t) => {
  const { archive, begin } = await house(t);
  const text = "<message></message>";
  const coming = comingWith(text);
  let written: Promise<void> | undefined;
  for (let count = 0; count < 10_002; count += 1) ({ written } = archive.append(coming));
  await written;
  // Those who wait for it go first.
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await begin().of(ana)).length, 10_002);
});
