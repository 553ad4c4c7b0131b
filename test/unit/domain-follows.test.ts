/** Whom people follow, with blogs that the test writes and a clock that it sets. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { pino } from "pino";
import type { DomainEvents } from "../../src/domain/events.ts";
import { Follows, type Blogs } from "../../src/domain/follows.ts";
import { Timeline, type BlogItem } from "../../src/domain/timeline.ts";
import { Events } from "../../src/events.ts";
import { openStore } from "../../src/store/sqlite.ts";
import { StanzaError, type StanzaCondition } from "../../src/xmpp/errors.ts";
import { parseJid } from "../../src/xmpp/jid.ts";
import { readElement } from "../support/reader.ts";

const ana = parseJid("ana@a.example")!;
const bob = parseJid("bob@b.example")!;
const hour = 3_600_000;

const item = (id: string, title = id, updated = "2026-08-10T09:00:00Z"): BlogItem => ({
  id,
  payload: readElement(
    `<entry xmlns='http://www.w3.org/2005/Atom'><title>${title}</title><updated>${updated}</updated></entry>`,
  ),
});

function house(t: TestContext) {
  const log = pino({ level: "silent" });
  const folder = mkdtempSync(join(tmpdir(), "pipit-follows-"));
  const store = openStore(join(folder, "pipit.db"), { log });
  t.after(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  const events = new Events<DomainEvents>(log);
  const timeline = new Timeline({ store, events });
  const asked: string[] = [];
  let clock = Date.parse("2026-08-10T10:00:00Z");
  const world = {
    /** Newest first. */
    blog: [] as BlogItem[],
    error: undefined as StanzaCondition | undefined,
    answer: "subscribed" as "subscribed" | "pending",
  };
  const ask = (what: string, target: string): void => {
    asked.push(`${what} ${target}`);
    if (world.error) throw new StanzaError(world.error);
  };
  const blogs: Blogs = {
    async subscribe(_account, target) {
      ask("subscribe", target);
      return world.answer;
    },
    async unsubscribe(_account, target) {
      ask("unsubscribe", target);
    },
    async page(_account, _target, after) {
      const start = after === undefined ? 0 : world.blog.findIndex(({ id }) => id === after) + 1;
      const items = world.blog.slice(start, start + 20);
      return { items, isLast: start + items.length >= world.blog.length };
    },
    item: async (_account, _target, id) => world.blog.find((one) => one.id === id),
  };
  const follows = new Follows({ store, events, timeline, blogs, now: () => new Date(clock) });
  return {
    ...{ events, follows, timeline, world },
    passes: (milliseconds: number) => void (clock += milliseconds),
    asked: () => asked.splice(0),
    texts: async () => (await timeline.page(ana.bare, 500)).entries.map(({ text }) => text).toReversed(),
    untold: async () => (await timeline.untold(ana.bare)).map(({ text }) => text),
    state: async () => (await follows.of(ana.bare)).map(({ state }) => state).join(),
  };
}

describe("a follow", () => {
  test("takes in what was there without telling of it, and tells what is new since", async (t) => {
    const { follows, world, passes, texts, untold } = house(t);
    world.blog = [item("b"), item("a")];
    await follows.follow(ana, bob);
    assert.deepEqual([await texts(), await untold()], [["a", "b"], []]);
    world.blog = [item("d"), item("c"), ...world.blog];
    passes(30 * hour);
    await follows.attend();
    assert.deepEqual(
      [await texts(), await untold()],
      [
        ["a", "b", "c", "d"],
        ["c", "d"],
      ],
    );
  });

  test("fills gaps between what arrived, over some pages, the oldest first, and no further", async (t) => {
    const { follows, timeline, world, passes, untold, texts } = house(t);
    const all = Array.from({ length: 60 }, (_, at) => item(`p${at}`));
    world.blog = all.slice(0, 10).toReversed();
    await follows.follow(ana, bob);
    await timeline.receive(ana.bare, bob.bare, [all[59]!]);
    world.blog = all.toReversed();
    passes(30 * hour);
    await follows.attend();
    assert.equal((await texts()).length, 60);
    assert.deepEqual((await untold()).slice(0, 2), ["p59", "p10"]);
    world.blog = Array.from({ length: 500 }, (_, at) => item(`q${at}`)).toReversed();
    passes(30 * hour);
    await follows.attend();
    assert.equal((await texts()).length, 160);
  });

  test("waits for a server that is away, longer each time, and is never dropped", async (t) => {
    const { follows, world, passes, asked, state } = house(t);
    world.error = "remote-server-timeout";
    assert.equal((await follows.follow(ana, bob)).state, "pending");
    await follows.follow(ana, parseJid("eve@b.example")!);
    asked();
    passes(2 * 60_000);
    await follows.attend();
    // One finds out for all.
    assert.equal(asked().length, 1);
    for (let tries = 0; tries < 30; tries += 1) {
      passes(8 * hour);
      await follows.attend();
    }
    assert.equal(asked().length, 30);
    await follows.attend();
    assert.deepEqual(asked(), []);
    assert.equal(await state(), "pending,pending");
    world.error = undefined;
    await follows.hasten("b.example", true);
    assert.equal(await state(), "subscribed,subscribed");
  });

  test("stays one where the other server goes away later", async (t) => {
    const { follows, world, passes, state } = house(t);
    await follows.follow(ana, bob);
    world.error = "remote-server-not-found";
    passes(30 * hour);
    await follows.attend();
    assert.equal(await state(), "subscribed");
  });

  test("that is refused says why, and is asked again each day", async (t) => {
    const { follows, world, passes, asked, state } = house(t);
    world.error = "item-not-found";
    const refused = await follows.follow(ana, bob);
    assert.deepEqual([refused.state, refused.reason], ["refused", "they have published nothing there yet"]);
    asked();
    passes(20 * hour);
    await follows.attend();
    assert.deepEqual(asked(), []);
    world.error = undefined;
    passes(10 * hour);
    await follows.attend();
    assert.equal(await state(), "subscribed");
  });

  test("that must be approved is one when the other side says so", async (t) => {
    const { follows, world, state } = house(t);
    world.answer = "pending";
    assert.equal((await follows.follow(ana, bob)).reason, "they have to agree first");
    world.answer = "subscribed";
    await follows.changed(ana.bare, bob.bare, "subscribed");
    assert.equal(await state(), "subscribed");
    await follows.changed(ana.bare, bob.bare, "none");
    assert.equal(await state(), "refused");
  });

  test("ends at once, and the other side is told when it can be", async (t) => {
    const { follows, world, passes, asked, state } = house(t);
    await follows.follow(ana, bob);
    world.error = "remote-server-timeout";
    await follows.unfollow(ana, bob);
    assert.equal(await state(), "");
    assert.equal(await follows.hears(ana.bare, bob.bare), false);
    await assert.rejects(follows.unfollow(ana, bob), { condition: "item-not-found" });
    asked();
    world.error = undefined;
    passes(hour);
    await follows.attend();
    passes(30 * hour);
    await follows.attend();
    assert.deepEqual(asked(), [`unsubscribe ${bob.bare}`]);
  });

  test("ends with the account", async (t) => {
    const { events, follows, world, asked, texts } = house(t);
    world.blog = [item("a")];
    await follows.follow(ana, bob);
    asked();
    await events.settle("account.removed", { account: ana.bare });
    await follows.attend();
    assert.deepEqual([asked(), await texts()], [[`unsubscribe ${bob.bare}`], []]);
  });
});
