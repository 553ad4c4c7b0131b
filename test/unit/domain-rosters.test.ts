/** Rosters on a real database: versions, what is remembered of removals, and what is held in memory. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { pino } from "pino";
import type { DomainEvents } from "../../src/domain/events.ts";
import { Rosters } from "../../src/domain/rosters.ts";
import { Events } from "../../src/events.ts";
import { rosterStore } from "../../src/store/roster.ts";
import { openStore } from "../../src/store/sqlite.ts";
import { xml } from "../../src/xmpp/xml.ts";

const ana = "ana@example.org";
const bob = "bob@example.org";
type Told = DomainEvents["roster.changed"];

function bench(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "pipit-rosters-"));
  const log = pino({ level: "silent" });
  const store = openStore(join(folder, "pipit.db"), { log });
  const events = new Events<DomainEvents>(log);
  const told: Told[] = [];
  events.on("roster.changed", (event) => void told.push(event));
  t.after(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  return { store, rosters: new Rosters({ store, events }), told };
}

const request = (from: string) => xml("presence", { type: "subscribe", from, to: ana });
const condition = (name: string) => ({ name: "StanzaError", condition: name });

test("each change has a version of its own, and all are told in their order", async (t) => {
  const { rosters, told } = bench(t);
  await Promise.all([
    rosters.set(ana, { jid: bob, groups: [] }),
    rosters.pass({ account: ana, contact: "eve@example.org", direction: "out", type: "subscribe" }),
    rosters.set(bob, { jid: ana, groups: ["Friends"] }),
    rosters.set(ana, { jid: bob, name: "Bob", groups: ["Friends"] }),
    rosters.remove(ana, bob),
  ]);
  const versions = (account: string) =>
    told.filter((event) => event.account === account).map(({ item }) => item.version);
  assert.deepEqual(versions(ana), [1, 2, 3, 4]);
  assert.deepEqual(versions(bob), [1]);
  assert.equal((await rosters.roster(ana)).version, 4);
  assert.deepEqual(
    told
      .filter(({ item }) => item.jid === bob)
      .map(({ item, previous }) => [item.name, item.subscription, previous?.name]),
    [
      [undefined, "none", undefined],
      ["Bob", "none", undefined],
      [undefined, "remove", "Bob"],
    ],
  );
});

test("the final state of each item is told since a version, in the order of the changes", async (t) => {
  const { rosters } = bench(t);
  for (const name of ["one", "two", "three"])
    await rosters.set(ana, { jid: `${name}@example.org`, groups: [] });
  await rosters.set(ana, { jid: "one@example.org", name: "One", groups: [] });
  await rosters.set(ana, { jid: "two@example.org", name: "Two", groups: [] });
  await rosters.set(ana, { jid: "one@example.org", name: "Ones", groups: [] });
  await rosters.remove(ana, "three@example.org");
  const roster = await rosters.roster(ana);
  assert.deepEqual(
    roster.since(3)?.map(({ jid, name, subscription, version }) => [jid, name, subscription, version]),
    [
      ["two@example.org", "Two", "none", 5],
      ["one@example.org", "Ones", "none", 6],
      ["three@example.org", undefined, "remove", 7],
    ],
  );
  assert.deepEqual(roster.since(7), []);
  assert.equal(roster.since(8), undefined, "a version that never was");
});

for (const held of [false, true]) {
  test(`of old removals it is known that they are forgotten (${held ? "in memory" : "read anew"})`, async (t) => {
    const { rosters } = bench(t);
    if (held) {
      rosters.hold(ana);
      await rosters.of(ana);
    }
    const jids = Array.from({ length: 202 }, (_, n) => `${n}@example.org`);
    await Promise.all(jids.map((jid) => rosters.set(ana, { jid, groups: [] })));
    await Promise.all(jids.map((jid) => rosters.remove(ana, jid)));
    // 200 removals are kept: versions 205 to 404. Those of 203 and 204 are gone.
    const roster = await rosters.roster(ana);
    assert.equal(roster.version, 404);
    assert.equal(roster.since(203), undefined);
    assert.equal(roster.since(204)?.length, 200);
    // One comes back: there is room again, but nothing is remembered better for that.
    await rosters.set(ana, { jid: jids[201]!, groups: [] });
    const later = await rosters.roster(ana);
    assert.equal(later.since(203), undefined);
    assert.equal(later.since(204)?.length, 200);
  });
}

test("what is removed and comes back begins anew", async (t) => {
  const { rosters } = bench(t);
  await rosters.pass({ account: ana, contact: bob, direction: "out", type: "subscribe" });
  await rosters.pass({ account: ana, contact: bob, direction: "in", type: "subscribed" });
  assert.equal((await rosters.item(ana, bob))?.subscription, "to");
  const asking = { account: ana, contact: bob, direction: "in", type: "subscribe" } as const;
  await rosters.pass({ ...asking, request: request(bob) });
  assert.deepEqual(await rosters.remove(ana, bob), { to: "granted", from: "pending", approved: false });
  assert.equal((await rosters.roster(ana)).requests.size, 0);
  assert.equal(await rosters.item(ana, bob), undefined);
  await assert.rejects(rosters.remove(ana, bob), condition("item-not-found"));
  await rosters.set(ana, { jid: bob, groups: [] });
  assert.equal((await rosters.item(ana, bob))?.subscription, "none");
});

test("a held roster shows each change once it is durable, also one that came while it was read", async (t) => {
  const { rosters, store } = bench(t);
  await rosters.set(ana, { jid: "old@example.org", groups: [] });
  assert.equal(rosters.cached(ana), undefined);
  rosters.hold(ana);
  rosters.hold(ana);
  assert.equal(rosters.cached(ana), undefined, "nothing is read before somebody asks");
  const writing = rosters.set(ana, { jid: bob, groups: [] });
  const loading = rosters.of(ana);
  await Promise.all([writing, loading]);
  assert.deepEqual([...rosters.cached(ana)!.keys()].sort(), [bob, "old@example.org"]);
  const items = rosters.cached(ana);
  await rosters.set(ana, { jid: bob, name: "Bob", groups: [] });
  assert.equal(rosters.cached(ana), items);
  assert.equal(items?.get(bob)?.name, "Bob");
  await assert.rejects(
    store.transaction(async (tx) => {
      await rosterStore(tx).put(ana, { ...items!.get(bob)!, name: "Mallory", removed: false });
      throw new Error("the disk is full");
    }),
  );
  assert.equal(rosters.cached(ana)?.get(bob)?.name, "Bob");
  rosters.release(ana);
  assert.equal(rosters.cached(ana), items, "one session is left");
  rosters.release(ana);
  assert.equal(rosters.cached(ana), undefined);
});

test("what is committed while a roster is read is not lost", async (t) => {
  const { rosters, store } = bench(t);
  rosters.hold(ana);
  let loading: ReturnType<typeof rosters.of> | undefined;
  // Both units are one commit, so the reading begins before it and ends behind it.
  await Promise.all([
    rosters.set(ana, { jid: bob, groups: [] }),
    store.transaction(async () => {
      loading = rosters.of(ana);
    }),
  ]);
  assert.deepEqual([...(await loading!).keys()], [bob]);
  assert.equal((await rosters.roster(ana)).version, 1);
});

test("a request waits, whole, until it is answered", async (t) => {
  const { rosters } = bench(t);
  const stanza = request(bob);
  stanza.append(xml("nick", { xmlns: "http://jabber.org/protocol/nick" }, "Bob"));
  const seen: boolean[] = [];
  for (const text of [stanza, request(bob)]) {
    const { passes } = await rosters.pass({
      account: ana,
      contact: bob,
      direction: "in",
      type: "subscribe",
      request: text,
    });
    seen.push(passes);
  }
  assert.deepEqual(seen, [true, false], "only the first is delivered");
  assert.deepEqual([...(await rosters.roster(ana)).requests], [[bob, stanza.toString()]]);
  assert.equal(await rosters.item(ana, bob), undefined, "nobody is put into a roster by asking");
  assert.equal(await rosters.isSubscriber(ana, bob), false);
  await rosters.pass({ account: ana, contact: bob, direction: "out", type: "subscribed" });
  assert.equal((await rosters.roster(ana)).requests.size, 0);
  assert.equal(await rosters.isSubscriber(ana, `${bob}/phone`), true);
});

test("requests are bounded in number and length", async (t) => {
  const { rosters } = bench(t);
  const ask = (n: number, words = "") => {
    const stanza = request(`${n}@example.org`);
    stanza.append(xml("status", {}, words));
    const contact = `${n}@example.org`;
    return rosters.pass({ account: ana, contact, direction: "in", type: "subscribe", request: stanza });
  };
  assert.equal((await ask(0, "x".repeat(10_000))).passes, true);
  const kept = (await rosters.roster(ana)).requests.get("0@example.org");
  assert.equal(kept, request("0@example.org").toString(), "without what made it so long");
  const others = await Promise.all(Array.from({ length: 199 }, (_, n) => ask(n + 1)));
  assert.ok(others.every(({ passes }) => passes));
  assert.deepEqual(await ask(200).then(({ passes, state }) => [passes, state.from]), [false, "none"]);
  assert.equal((await rosters.roster(ana)).requests.size, 200);
  await rosters.pass({ account: ana, contact: "7@example.org", direction: "out", type: "unsubscribed" });
  assert.equal((await ask(200)).passes, true);
});

test("requests of one other domain leave room for those of all others", async (t) => {
  const { rosters } = bench(t);
  const ask = (contact: string) =>
    rosters.pass({ account: ana, contact, direction: "in", type: "subscribe", request: request(contact) });
  const some = await Promise.all(Array.from({ length: 50 }, (_, n) => ask(`${n}@mallory.example`)));
  assert.ok(some.every(({ passes }) => passes));
  for (const contact of ["50@mallory.example", "mallory.example"]) {
    assert.deepEqual(await ask(contact).then(({ passes, state }) => [passes, state.from]), [false, "none"]);
  }
  for (const contact of ["x@chat.mallory.example", "bob@example.org"]) {
    assert.equal((await ask(contact)).passes, true);
  }
  await rosters.pass({ account: ana, contact: "7@mallory.example", direction: "out", type: "unsubscribed" });
  assert.equal((await ask("50@mallory.example")).passes, true);
});

test("items are bounded in number, groups and length", async (t) => {
  const { rosters, store } = bench(t);
  await store.transaction(async ({ db, t }) => {
    const common = { account: ana, subscription: "none", ask: false, approved: false } as const;
    const rows = Array.from({ length: 4_999 }, (_, n) => ({
      ...common,
      groups: [],
      jid: `${n}@example.org`,
      removed: false,
      version: n,
    }));
    for (let n = 0; n < rows.length; n += 1_000)
      await db.insert(t.rosterItems).values(rows.slice(n, n + 1_000));
  });
  await rosters.set(ana, { jid: "last@example.org", groups: [] });
  await assert.rejects(rosters.set(ana, { jid: bob, groups: [] }), condition("resource-constraint"));
  const asking = rosters.pass({ account: ana, contact: bob, direction: "out", type: "subscribe" });
  await assert.rejects(asking, condition("resource-constraint"));
  await rosters.set(ana, { jid: "7@example.org", name: "Seven", groups: [] });
  const groups = Array.from({ length: 51 }, (_, n) => `group ${n}`);
  await assert.rejects(rosters.set(bob, { jid: ana, groups }), condition("not-acceptable"));
  await rosters.set(bob, { jid: ana, groups: groups.slice(1) });
  const long = "x".repeat(1_024);
  await assert.rejects(rosters.set(bob, { jid: ana, name: long, groups: [] }), condition("not-acceptable"));
  await assert.rejects(rosters.set(bob, { jid: ana, groups: [long] }), condition("not-acceptable"));
});

test("who may see the presence of whom, held or not", async (t) => {
  const { rosters } = bench(t);
  const grant = async (contact: string) => {
    await rosters.pass({
      account: ana,
      contact,
      direction: "in",
      type: "subscribe",
      request: request(contact),
    });
    await rosters.pass({ account: ana, contact, direction: "out", type: "subscribed" });
  };
  await grant(bob);
  await rosters.set(ana, { jid: bob, groups: ["Friends"] });
  await rosters.pass({ account: ana, contact: "eve@example.org", direction: "out", type: "subscribe" });
  for (const held of [false, true]) {
    if (held) {
      rosters.hold(ana);
      await rosters.of(ana);
    }
    assert.equal(await rosters.isSubscriber(ana, ana), true);
    assert.equal(await rosters.isSubscriber(ana, `${ana}/home`), true);
    assert.equal(await rosters.isSubscriber(ana, bob), true);
    assert.equal(await rosters.isSubscriber(ana, "eve@example.org"), false);
    assert.equal(await rosters.isSubscriber("nobody@example.org", bob), false);
    assert.deepEqual(await rosters.groupsOf(ana, `${bob}/phone`), ["Friends"]);
    assert.deepEqual(await rosters.groupsOf(ana, "nobody@example.org"), []);
  }
  assert.equal(rosters.maySee(ana, `${bob}/phone`), true, "at once while it is held");
});

test("a cleared roster is gone with its requests and versions", async (t) => {
  const { rosters } = bench(t);
  await rosters.set(ana, { jid: bob, groups: [] });
  await rosters.pass({
    account: ana,
    contact: "eve@example.org",
    direction: "in",
    type: "subscribe",
    request: request("eve@example.org"),
  });
  await rosters.clear(ana);
  const now = await rosters.roster(ana);
  assert.deepEqual([now.items.size, now.requests.size, now.version], [0, 0, 0]);
});
