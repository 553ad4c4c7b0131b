/** What arrives of those who are followed: once each, as it is now. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { pino } from "pino";
import type { DomainEvents } from "../../src/domain/events.ts";
import { Timeline } from "../../src/domain/timeline.ts";
import { Events } from "../../src/events.ts";
import { openStore } from "../../src/store/sqlite.ts";
import { readElement } from "../support/reader.ts";

const [ana, bob] = ["ana@a.example", "bob@b.example"];

function house(t: TestContext) {
  const log = pino({ level: "silent" });
  const folder = mkdtempSync(join(tmpdir(), "pipit-timeline-"));
  const store = openStore(join(folder, "pipit.db"), { log });
  t.after(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  const events = new Events<DomainEvents>(log);
  let changes = 0;
  events.on("timeline.changed", () => void (changes += 1));
  const timeline = new Timeline({ store, events });
  const comes = (id: string, inside: string) => {
    const payload = readElement(`<entry xmlns='http://www.w3.org/2005/Atom'>${inside}</entry>`);
    return timeline.receive(ana!, bob!, [{ id, payload }]);
  };
  const entries = async () => (await timeline.page(ana!, 100)).entries;
  const texts = async () => (await entries()).map(({ text }) => text);
  return { timeline, comes, entries, texts, changes: () => changes };
}

test("an item that comes again is one, and an older form of it is not news", async (t) => {
  const { comes, texts, changes } = house(t);
  const at = (title: string, hour: number) =>
    `<title>${title}</title><updated>2026-08-10T0${hour}:00:00Z</updated>`;
  await comes("x", at("one", 1));
  await comes("x", at("one", 1));
  assert.equal(changes(), 1);
  await comes("x", at("two", 3));
  await comes("x", at("one and a half", 2));
  assert.deepEqual([await texts(), changes()], [["two"], 2]);
});

test("what is told is not told again, unless it changes meanwhile", async (t) => {
  const { comes, timeline } = house(t);
  await comes("x", "<title>one</title>");
  const [first] = await timeline.untold(ana!);
  await comes("x", "<title>two</title>");
  await timeline.told(first!, "m1");
  const [second] = await timeline.untold(ana!);
  assert.deepEqual([second?.text, second?.messageId], ["two", "m1"]);
  await timeline.told(second!, "m1");
  assert.deepEqual(await timeline.untold(ana!), []);
  await timeline.retract(ana!, bob!, ["x", "unknown"]);
  const [gone] = await timeline.untold(ana!);
  assert(gone?.deletedAt);
});

test("nobody is told of what was gone before they knew", async (t) => {
  const { comes, timeline, texts } = house(t);
  await comes("x", "<title>oops</title>");
  await timeline.retract(ana!, bob!, ["x"]);
  assert.deepEqual([await timeline.untold(ana!), await texts()], [[], []]);
});

test("the blog's address says who wrote it, and links lead nowhere else than to the web", async (t) => {
  const { comes, entries } = house(t);
  await comes("x", "<title>a</title><author><name>Eve</name><uri>xmpp:eve@c.example</uri></author>");
  await comes("y", "<title>b</title><link rel='alternate' href='javascript:alert(1)'/>");
  await comes(
    "z",
    "<title>c</title><link href='https://b.example/c'/><published>2999-01-01T00:00:00Z</published>",
  );
  const [z, y, x] = await entries();
  assert.deepEqual([x?.author, y?.link.slice(0, 5), z?.link], [bob, "xmpp:", "https://b.example/c"]);
  assert(z!.publishedAt.getTime() <= Date.now());
});

test("what is no entry is left out, and one that cannot be read is its headline", async (t) => {
  const { comes, timeline, texts } = house(t);
  await timeline.receive(ana!, bob!, [
    { id: "a", payload: readElement("<x xmlns='urn:example'/>") },
    { id: "b", payload: undefined },
  ]);
  await comes("c", `<title>${"x".repeat(200_000)}</title>`);
  await comes("d", `<title>long</title><content type='text'>${"x".repeat(20_000)}</content>`);
  await comes("e", "<title>Tea</title><content type='text'>is served</content>");
  assert.deepEqual(await texts(), ["Tea\n\nis served", "long"]);
});
