/** Whom people follow, with blogs that the test writes and a clock that it sets. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { pino } from "pino";
import type { DomainEvents } from "../../src/domain/events.ts";
import { Follows, type BlogPage, type Blogs } from "../../src/domain/follows.ts";
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

const minute = (at: number): string => new Date(Date.UTC(2026, 7, 10, 8, at)).toISOString();

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
    /** On no page, but there. */
    hidden: [] as BlogItem[],
    /** What happens once the first page is on its way. */
    behindPage: undefined as (() => Promise<void>) | undefined,
    error: undefined as StanzaCondition | undefined,
    answer: "subscribed" as "subscribed" | "pending",
  };
  const ask = (what: string, target: string): void => {
    asked.push(`${what} ${target}`);
    if (world.error) throw new StanzaError(world.error);
  };
  const pageFrom = (start: number): BlogPage => {
    const end = start + 20;
    const items = world.blog.slice(start, end);
    return end >= world.blog.length ? { items } : { items, next: async () => pageFrom(end) };
  };
  const blogs: Blogs = {
    async subscribe(_account, target) {
      ask("subscribe", target);
      return world.answer;
    },
    async unsubscribe(_account, target) {
      ask("unsubscribe", target);
    },
    page: async () => {
      const page = pageFrom(0);
      await world.behindPage?.();
      return page;
    },
    async item(_account, _target, id) {
      return [...world.blog, ...world.hidden].find((one) => one.id === id);
    },
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

  test("finds out what was retracted unheard, as far back as the newest items go", async (t) => {
    const { follows, timeline, world, passes, texts } = house(t);
    const all = Array.from({ length: 40 }, (_, at) => item(`p${at}`, `p${at}`, minute(at))).toReversed();
    world.blog = all.slice(20);
    await follows.follow(ana, bob);
    await timeline.receive(ana.bare, bob.bare, all.slice(0, 20).toReversed());
    const without = (...ids: string[]) => all.filter(({ id }) => !ids.includes(id));
    // On the page: p19 to p39, but for two. Behind it: p5.
    world.blog = without("p38", "p30", "p5");
    passes(30 * hour);
    await follows.attend();
    const left = await texts();
    assert.deepEqual(
      [left.length, left.includes("p38"), left.includes("p30"), left.includes("p5")],
      [38, false, false, true],
    );
  });

  test("keeps what is not on the page and still there, and what a short blog has let go", async (t) => {
    const { follows, timeline, world, passes, texts } = house(t);
    world.blog = [item("b", "b", minute(2)), item("a", "a", minute(1))];
    await follows.follow(ana, bob);
    await timeline.receive(ana.bare, bob.bare, [item("c", "c", minute(3))]);
    // Bob has retracted b; c is there, but on no page.
    world.blog = [item("a", "a", minute(1))];
    world.hidden = [item("c", "c", minute(3))];
    passes(30 * hour);
    await follows.attend();
    assert.deepEqual(await texts(), ["a", "c"]);
    // A list without items says nothing.
    world.blog = [];
    world.hidden = [];
    passes(30 * hour);
    await follows.attend();
    assert.deepEqual(await texts(), ["a", "c"]);
    // There is room for one only.
    world.blog = [item("d", "d", minute(4))];
    passes(30 * hour);
    await follows.attend();
    assert.deepEqual(await texts(), ["a", "c", "d"]);
  });

  test("is compared sooner while that finds something, and then less and less often", async (t) => {
    const { follows, world, passes, asked } = house(t);
    await follows.follow(ana, bob);
    asked();
    const compared = async (minutes: number): Promise<number> => {
      passes(minutes * 60_000);
      await follows.attend();
      return asked().length;
    };
    let pause = 15;
    for (let times = 0; times < 10; times += 1) {
      // Pauses are not all of that length exactly.
      assert.deepEqual([await compared(pause * 0.85), await compared(pause * 0.3)], [0, 1], `${pause}`);
      pause = Math.min(pause * 1.15 * 2, 24 * 60);
    }
    assert.equal(pause, 24 * 60);
    world.blog = [item("untold")];
    assert.equal(await compared(1_700), 1);
    assert.deepEqual([await compared(12), await compared(6)], [0, 1]);
  });

  test("does not take for news what is sent to who subscribes, and does what comes meanwhile", async (t) => {
    const { follows, world, texts, untold } = house(t);
    world.blog = [item("b"), item("a")];
    world.behindPage = async () => {
      world.behindPage = undefined;
      world.blog = [item("c"), ...world.blog];
      assert.equal(await follows.hears(ana.bare, bob.bare), false);
    };
    await follows.follow(ana, bob);
    assert.deepEqual([await texts(), await untold()], [["a", "b", "c"], ["c"]]);
    assert.equal(await follows.hears(ana.bare, bob.bare), true);
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
