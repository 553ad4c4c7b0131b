/** XEP-0060 §7: publishing and retracting, on a real store. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { payloadMaximum } from "../../src/pubsub/config.ts";
import type { Projection } from "../../src/pubsub/pubsub.ts";
import { StanzaError } from "../../src/xmpp/errors.ts";
import { serialize } from "../../src/xmpp/xml.ts";
import {
  element,
  engine,
  jid,
  nodeConfig,
  publishOptions,
  refusalOf,
  type Engine,
} from "../support/pubsub.ts";

const juliet = "juliet@capulet.example";
const romeo = "romeo@montague.example";
const tune = "http://jabber.org/protocol/tune";
const service = "pubsub.shakespeare.example";

const note = (text = ""): { payload: ReturnType<typeof element> } => ({
  payload: element(`<note xmlns='urn:example:note'>${text}</note>`),
});
const publishing = (e: Engine, publisher: string, more: object = {}) =>
  e.pubsub.publish({ service: juliet, node: tune, publisher: jid(publisher), items: [note()], ...more });

describe("a node that is not there", () => {
  test("is made by its account's first publish", async (t) => {
    const e = engine(t);
    await publishing(e, `${juliet}/balcony`);
    assert.equal((await e.pubsub.find(juliet, tune))?.config.accessModel, "presence");
  });

  test("is made as the publish-options say, and unknown ones do no harm", async (t) => {
    const e = engine(t);
    const options = publishOptions({ access_model: "open", max_items: "max", "no-such-option": "7" });
    await publishing(e, juliet, { options });
    const config = (await e.pubsub.find(juliet, tune))!.config;
    assert.deepEqual([config.accessModel, config.maxItems], ["open", "max"]);
  });

  test("is not made by somebody else", async (t) => {
    const e = engine(t);
    assert.equal(await refusalOf(publishing(e, romeo)), "auth forbidden");
    assert.equal(await e.pubsub.find(juliet, tune), undefined);
  });

  test("belongs to who makes it, at a service", async (t) => {
    const e = engine(t);
    await e.pubsub.publish({ service, node: "musings", publisher: jid(romeo), items: [note()] });
    const node = await e.pubsub.nodes.get(service, "musings");
    assert.deepEqual(await e.pubsub.standings.owners(node), [romeo]);
  });

  test("is made once, by however many publishes at the same time", async (t) => {
    const e = engine(t);
    const options = publishOptions({ max_items: "max" });
    await Promise.all(
      ["a", "b", "c"].map((id) => publishing(e, juliet, { items: [{ id, ...note() }], options })),
    );
    assert.deepEqual((await e.ids(juliet, tune)).sort(), ["a", "b", "c"]);
  });

  test("is refused where an account has too many already", async (t) => {
    const e = engine(t);
    for (let i = 0; i < 1_000; i += 1) await e.pubsub.nodes.create(juliet, `urn:example:${i}`, jid(juliet));
    assert.equal(await refusalOf(publishing(e, juliet)), "wait policy-violation max-nodes-exceeded");
  });

  for (const [what, name] of [
    ["no name", ""],
    ["a name of 1,024 bytes", "x".repeat(1_024)],
  ] as const) {
    test(`is not made with ${what}`, async (t) => {
      const e = engine(t);
      assert.equal(await refusalOf(publishing(e, juliet, { node: name })), "modify not-acceptable");
    });
  }
});

describe("publish-options of a node that is there", () => {
  const table: [string, Record<string, string>, string][] = [
    ["are met as they are", { access_model: "open", max_items: "10" }, "done"],
    ["are met in other words", { persist_items: "1", notify_config: "0" }, "done"],
    ["are met where nobody knows them", { "no-such-option": "7" }, "done"],
    ["differ", { access_model: "presence" }, "cancel conflict precondition-not-met"],
    [
      "differ in one of many",
      { access_model: "open", max_items: "max" },
      "cancel conflict precondition-not-met",
    ],
    ["say what cannot be", { access_model: "everybody" }, "cancel conflict precondition-not-met"],
  ];
  for (const [what, options, expected] of table) {
    test(what, async (t) => {
      const e = engine(t);
      await e.pubsub.nodes.create(
        juliet,
        tune,
        jid(juliet),
        nodeConfig({ access_model: "open", max_items: "10" }),
      );
      assert.equal(await refusalOf(publishing(e, juliet, { options: publishOptions(options) })), expected);
      assert.equal((await e.ids(juliet, tune)).length, expected === "done" ? 1 : 0);
    });
  }

  test("can be configured and published again, as Movim does", async (t) => {
    const e = engine(t);
    await publishing(e, juliet);
    const options = publishOptions({ max_items: "max" });
    assert.match(await refusalOf(publishing(e, juliet, { options })), /precondition-not-met/);
    await e.pubsub.nodes.configure(juliet, tune, jid(juliet), nodeConfig({ max_items: "max" }));
    assert.equal(await refusalOf(publishing(e, juliet, { options })), "done");
  });
});

describe("an item", () => {
  test("is stored with the bare JID of its publisher, the time, and its payload whole", async (t) => {
    const e = engine(t);
    const payload = element(
      "<tune xmlns='http://jabber.org/protocol/tune'><title>L&apos;amour &lt;3</title></tune>",
    );
    const [item] = await e.pubsub.publish({
      ...{ service: juliet, node: tune, publisher: jid(`${juliet}/balcony`) },
      items: [{ id: "current", payload }],
    });
    const stored = await e.pubsub.item(juliet, tune, "current");
    for (const one of [item, stored]) {
      assert.equal(one?.publisher, juliet);
      assert.deepEqual(one?.publishedAt, e.now);
      assert.equal(serialize(one!.payload!), serialize(payload));
    }
  });

  test("keeps the namespace that its payload had from the request", async (t) => {
    const e = engine(t);
    const whole = element("<pubsub xmlns='http://jabber.org/protocol/pubsub'><odd/></pubsub>");
    const [payload] = whole.children as ReturnType<typeof element>[];
    await publishing(e, juliet, { items: [{ id: "1", payload }] });
    const stored = await e.pubsub.item(juliet, tune, "1");
    assert.equal(stored!.payload!.attrs["xmlns"], "http://jabber.org/protocol/pubsub");
  });

  test("gets an id where it has none", async (t) => {
    const e = engine(t);
    const [item] = await publishing(e, juliet);
    assert.match(item!.id, /^[0-9a-f-]{36}$/);
    assert.deepEqual(await e.ids(juliet, tune), [item!.id]);
  });

  test("with the id of another takes its place, as the newest", async (t) => {
    const e = engine(t);
    await e.publish(juliet, tune, ["a", "b", "c", "a"], publishOptions({ max_items: "max" }));
    assert.deepEqual(await e.ids(juliet, tune), ["a", "c", "b"]);
  });

  test("is told of once it is stored", async (t) => {
    const e = engine(t);
    await e.publish(juliet, tune, ["a"]);
    const [told] = e.take("pubsub.published");
    assert.equal(told?.node.node, tune);
    assert.deepEqual(
      told?.items.map(({ id, publisher }) => [id, publisher]),
      [["a", juliet]],
    );
  });

  test("keeps its order when the clock is set back", async (t) => {
    const e = engine(t);
    const options = publishOptions({ max_items: "max" });
    await e.publish(juliet, tune, ["a"], options);
    e.passes(-3600);
    await e.publish(juliet, tune, ["b", "c"], options);
    assert.deepEqual(await e.ids(juliet, tune), ["c", "b", "a"]);
  });
});

describe("a request that does not fit the node (§7.1.3.6)", () => {
  const big = { payload: element(`<note xmlns='urn:example:note'>${"x".repeat(payloadMaximum)}</note>`) };
  const table: [string, Record<string, string>, object[], string][] = [
    ["no item at a persistent node", {}, [], "modify bad-request item-required"],
    ["no item at a node with payloads", { persist_items: "0" }, [], "modify bad-request item-required"],
    ["no payload at a node with payloads", {}, [{ id: "1" }], "modify bad-request payload-required"],
    [
      "an item at a node that only notifies",
      { persist_items: "0", deliver_payloads: "0" },
      [note()],
      "modify bad-request item-forbidden",
    ],
    ["no item at a node that only notifies", { persist_items: "0", deliver_payloads: "0" }, [], "done"],
    ["an item without payload where none is sent", { deliver_payloads: "0" }, [{ id: "1" }], "done"],
    ["a payload of more than the maximum", {}, [big], "modify not-acceptable payload-too-big"],
    [
      "a payload of more than the node's",
      { max_payload_size: "50" },
      [note("x".repeat(30))],
      "modify not-acceptable payload-too-big",
    ],
    ["a payload of the node's size", { max_payload_size: "50" }, [note("x".repeat(10))], "done"],
    [
      "more items than the node holds",
      { max_items: "1" },
      [note(), note()],
      "cancel not-allowed max-items-exceeded",
    ],
    ["an id of 1,024 bytes", {}, [{ id: "x".repeat(1_024), ...note() }], "modify not-acceptable"],
  ];
  for (const [what, config, items, expected] of table) {
    test(what, async (t) => {
      const e = engine(t);
      await e.pubsub.nodes.create(juliet, tune, jid(juliet), nodeConfig(config));
      assert.equal(await refusalOf(publishing(e, juliet, { items })), expected);
    });
  }

  test("is refused as a whole", async (t) => {
    const e = engine(t);
    const options = publishOptions({ max_items: "max" });
    await e.publish(juliet, tune, ["before"], options);
    e.told.length = 0;
    const items = [{ id: "1", ...note() }, { id: "2" }, { id: "3", ...note() }];
    assert.match(await refusalOf(publishing(e, juliet, { items })), /payload-required/);
    assert.deepEqual(await e.ids(juliet, tune), ["before"]);
    assert.deepEqual(e.told, []);
  });
});

test("several items in one request stand in their order and are told of together", async (t) => {
  const e = engine(t);
  const items = ["1", "2", "3"].map((id) => ({ id, ...note() }));
  await publishing(e, juliet, { items, options: publishOptions({ max_items: "max" }) });
  assert.deepEqual(await e.ids(juliet, tune), ["3", "2", "1"]);
  assert.deepEqual(
    e.take("pubsub.published").map((one) => one.items.length),
    [3],
  );
});

test("a node that keeps nothing tells of an item all the same", async (t) => {
  const e = engine(t);
  await publishing(e, juliet, {
    items: [{ id: "1", ...note() }],
    options: publishOptions({ persist_items: "0" }),
  });
  assert.deepEqual(
    e.take("pubsub.published").map(({ items }) => items.map(({ id }) => id)),
    [["1"]],
  );
  assert.equal(await e.pubsub.item(juliet, tune, "1"), undefined);
});

describe("a node that is full (§7.1.2.5)", () => {
  test("loses the oldest, and says so before it tells of the newest", async (t) => {
    const e = engine(t);
    await e.publish(juliet, tune, ["a", "b", "c"], publishOptions({ max_items: "2" }));
    assert.deepEqual(await e.ids(juliet, tune), ["c", "b"]);
    const last = e.told.slice(-2);
    assert.deepEqual(
      last.map(({ name }) => name),
      ["pubsub.retracted", "pubsub.published"],
    );
    const [retracted] = e.take("pubsub.retracted");
    assert.deepEqual([retracted?.ids, retracted?.notify], [["a"], true]);
  });

  test("says nothing of it where nothing is to be said", async (t) => {
    const table: [Record<string, string>, boolean][] = [
      [{ max_items: "2", notify_retract: "0" }, false],
      [{ max_items: "2", publish_node_full: "discard-oldest" }, false],
      [{ max_items: "1" }, false],
    ];
    for (const [options, notify] of table) {
      const e = engine(t);
      await e.publish(juliet, tune, ["a", "b", "c"], publishOptions(options));
      assert.equal(e.take("pubsub.retracted").at(-1)?.notify, notify, JSON.stringify(options));
    }
  });

  test("refuses where it shall, but not an item that it has", async (t) => {
    const e = engine(t);
    const options = publishOptions({ max_items: "2", publish_node_full: "reject" });
    await e.publish(juliet, tune, ["a", "b"], options);
    assert.equal(await refusalOf(e.publish(juliet, tune, ["c"])), "cancel conflict node-full");
    assert.deepEqual(await e.ids(juliet, tune), ["b", "a"]);
    assert.equal(await refusalOf(e.publish(juliet, tune, ["a"])), "done");
    assert.deepEqual(await e.ids(juliet, tune), ["a", "b"]);
  });

  test("that becomes smaller loses what is too much", async (t) => {
    const e = engine(t);
    await e.publish(juliet, tune, ["a", "b", "c", "d"], publishOptions({ max_items: "max" }));
    await e.pubsub.nodes.configure(juliet, tune, jid(juliet), nodeConfig({ max_items: "2" }));
    assert.deepEqual(await e.ids(juliet, tune), ["d", "c"]);
    assert.deepEqual(e.take("pubsub.retracted")[0]?.ids.toSorted(), ["a", "b"]);
  });
});

describe("retracting (§7.2)", () => {
  const retracting = (e: Engine, requester: string, ids: string[], more: object = {}) =>
    e.pubsub.retract({ service: juliet, node: tune, ids, requester: jid(requester), ...more });

  test("removes the item and tells of it as the node says", async (t) => {
    for (const [notifyRetract, notify, expected] of [
      ["1", undefined, true],
      ["0", undefined, false],
      ["0", true, true],
      ["1", false, true],
    ] as const) {
      const e = engine(t);
      await e.publish(juliet, tune, ["a"], publishOptions({ notify_retract: notifyRetract }));
      await retracting(e, juliet, ["a"], { notify });
      assert.deepEqual(await e.ids(juliet, tune), []);
      const [told] = e.take("pubsub.retracted");
      assert.deepEqual([told?.ids, told?.notify], [["a"], expected]);
    }
  });

  test("is refused for what is not there, all or nothing", async (t) => {
    const e = engine(t);
    await e.publish(juliet, tune, ["a"]);
    assert.equal(await refusalOf(retracting(e, juliet, ["b"])), "cancel item-not-found");
    assert.equal(await refusalOf(retracting(e, juliet, ["a", "b"])), "cancel item-not-found");
    assert.deepEqual(await e.ids(juliet, tune), ["a"]);
    assert.equal(await refusalOf(retracting(e, juliet, [])), "modify bad-request item-required");
    assert.equal(
      await refusalOf(retracting(e, juliet, ["a"], { node: "no-such-node" })),
      "cancel item-not-found",
    );
  });

  test("is refused at a node that keeps nothing", async (t) => {
    const e = engine(t);
    await publishing(e, juliet, { options: publishOptions({ persist_items: "0" }) });
    assert.equal(
      await refusalOf(retracting(e, juliet, ["a"])),
      "cancel feature-not-implemented unsupported persistent-items",
    );
  });

  test("is for the item's publisher and for owners", async (t) => {
    const e = engine(t);
    const options = publishOptions({ publish_model: "open", access_model: "open", max_items: "max" });
    await e.publish(juliet, tune, ["hers"], options);
    for (const id of ["his", "his-too"])
      await publishing(e, `${romeo}/orchard`, { items: [{ id, ...note() }] });
    assert.equal(await refusalOf(retracting(e, romeo, ["hers"])), "auth forbidden");
    assert.equal(await refusalOf(retracting(e, "tybalt@capulet.example", ["his"])), "auth forbidden");
    assert.equal(await refusalOf(retracting(e, `${romeo}/garden`, ["his"])), "done");
    assert.equal(await refusalOf(retracting(e, juliet, ["his-too"])), "done");
    assert.deepEqual(await e.ids(juliet, tune), ["hers"]);
  });

  test("tells a stranger nothing about the items of a closed node", async (t) => {
    const e = engine(t);
    await e.publish(juliet, tune, ["a"], publishOptions({ access_model: "whitelist" }));
    for (const id of ["a", "b"]) assert.equal(await refusalOf(retracting(e, romeo, [id])), "auth forbidden");
  });
});

test("who may publish but is no editor cannot write over another's item", async (t) => {
  const e = engine(t);
  await e.publish(juliet, tune, ["a"], publishOptions({ publish_model: "open", max_items: "max" }));
  const overwriting = () => publishing(e, romeo, { items: [{ id: "a", ...note("mine") }] });
  assert.equal(await refusalOf(overwriting), "auth forbidden");
  await e.pubsub.affiliations.set(juliet, tune, jid(juliet), [{ jid: jid(romeo), affiliation: "publisher" }]);
  assert.equal(await refusalOf(overwriting), "done");
  assert.equal((await e.pubsub.item(juliet, tune, "a"))?.publisher, romeo);
});

describe("purging, deleting and expiring", () => {
  test("a purge removes all items and is told of once", async (t) => {
    const e = engine(t);
    await e.publish(juliet, tune, ["a", "b"], publishOptions({ max_items: "max" }));
    e.told.length = 0;
    assert.equal(await refusalOf(e.pubsub.items.purge(juliet, tune, jid(romeo))), "auth forbidden");
    await e.pubsub.items.purge(juliet, tune, jid(juliet));
    assert.deepEqual(await e.ids(juliet, tune), []);
    assert.deepEqual(
      e.told.map(({ name }) => name),
      ["pubsub.purged"],
    );
  });

  test("a deleted node takes everything with it", async (t) => {
    const e = engine(t);
    await e.publish(juliet, tune, ["a"], publishOptions({ access_model: "open" }));
    await e.pubsub.subscriptions.subscribe({ service: juliet, node: tune, jid: jid(romeo) }, jid(romeo));
    assert.equal(await refusalOf(e.pubsub.nodes.remove(juliet, tune, jid(romeo))), "auth forbidden");
    await e.pubsub.nodes.remove(juliet, tune, jid(juliet), "xmpp:juliet@verona.example?;node=tune");
    const [told] = e.take("pubsub.deleted");
    assert.equal(told?.redirect, "xmpp:juliet@verona.example?;node=tune");
    assert.deepEqual(
      told?.subscriptions.map((one) => one.jid),
      [romeo],
    );
    assert.equal(await e.pubsub.find(juliet, tune), undefined);
    await e.publish(juliet, tune, ["b"]);
    assert.deepEqual(await e.ids(juliet, tune), ["b"]);
    assert.deepEqual(await e.pubsub.subscriptions.of(juliet, romeo), []);
  });

  test("an item is gone in time, and the sweep says so later", async (t) => {
    const e = engine(t);
    await e.publish(juliet, tune, ["a"], publishOptions({ max_items: "max", item_expire: "60" }));
    e.passes(30);
    await e.publish(juliet, tune, ["b"]);
    e.passes(29);
    assert.deepEqual(await e.ids(juliet, tune), ["b", "a"]);
    e.passes(1);
    assert.deepEqual(await e.ids(juliet, tune), ["b"]);
    assert.equal(await e.pubsub.item(juliet, tune, "a"), undefined);
    e.told.length = 0;
    await e.pubsub.items.sweep();
    await e.pubsub.items.sweep();
    assert.deepEqual(
      e.take("pubsub.retracted").map(({ ids }) => ids),
      [["a"]],
    );
  });

  test("a new time to live holds for what is there", async (t) => {
    const e = engine(t);
    await e.publish(juliet, tune, ["a"], publishOptions({ max_items: "max" }));
    e.passes(100);
    await e.pubsub.nodes.configure(juliet, tune, jid(juliet), nodeConfig({ item_expire: "90" }));
    assert.deepEqual(await e.ids(juliet, tune), []);
    await e.pubsub.nodes.configure(juliet, tune, jid(juliet), nodeConfig({ item_expire: "max" }));
    assert.deepEqual(await e.ids(juliet, tune), ["a"]);
  });
});

describe("a projection", () => {
  const projection = (log: string[], changes: Partial<Projection> = {}): Projection => ({
    prepare: async ({ id, payload }) => ({ id: id ?? "made", payload, store: id !== "test_post" }),
    stored: async (_tx, _node, { id }) => void log.push(`stored ${id}`),
    removed: async (_tx, _node, ids) => void log.push(`removed ${ids.join(" ")}`),
    configured: async (_tx, { config }) => void log.push(`configured ${config.accessModel}`),
    ...changes,
  });

  test("hears of everything that becomes of the items", async (t) => {
    const e = engine(t);
    const log: string[] = [];
    e.pubsub.project(tune, projection(log), { maxItems: 2, accessModel: "open" });
    await publishing(e, juliet);
    await e.publish(juliet, tune, ["a", "b"]);
    await e.pubsub.retract({ service: juliet, node: tune, ids: ["a"], requester: jid(juliet) });
    await e.publish(juliet, tune, ["c"]);
    const smaller = nodeConfig({ access_model: "presence", max_items: "1" });
    await e.pubsub.nodes.configure(juliet, tune, jid(juliet), smaller);
    await e.pubsub.nodes.remove(juliet, tune, jid(juliet));
    assert.deepEqual(log, [
      ...["stored made", "stored a", "stored b", "removed made", "removed a"],
      ...["stored c", "removed b", "configured presence", "removed c"],
    ]);
  });

  test("is written in the transaction of the item", async (t) => {
    const e = engine(t);
    const failing = async () => {
      throw new StanzaError("not-acceptable");
    };
    e.pubsub.project(tune, projection([], { stored: failing }));
    assert.equal(await refusalOf(publishing(e, juliet)), "modify not-acceptable");
    assert.equal(await e.pubsub.find(juliet, tune), undefined);
    assert.deepEqual(e.told, []);
  });

  test("gives the node its defaults", async (t) => {
    const e = engine(t);
    e.pubsub.project(tune, projection([]), { maxItems: "max", accessModel: "open" });
    const options = publishOptions({ access_model: "open" });
    await publishing(e, juliet, { options });
    const { config } = (await e.pubsub.find(juliet, tune))!;
    assert.deepEqual([config.maxItems, config.accessModel], ["max", "open"]);
  });

  test("may accept what it does not store, which leaves no trace", async (t) => {
    const e = engine(t);
    const log: string[] = [];
    e.pubsub.project(tune, projection(log));
    const [item] = await publishing(e, juliet, { items: [{ id: "test_post", ...note() }] });
    assert.equal(item?.id, "test_post");
    assert.equal(await e.pubsub.find(juliet, tune), undefined);
    const retracting = () =>
      e.pubsub.retract({ service: juliet, node: tune, ids: ["test_post"], requester: jid(juliet) });
    assert.equal(await refusalOf(retracting), "done");
    assert.equal(await refusalOf(retracting), "cancel item-not-found");
    assert.deepEqual([log, e.told], [[], []]);
  });

  test("is not of services", async (t) => {
    const e = engine(t);
    const log: string[] = [];
    e.pubsub.project(tune, projection(log));
    await e.pubsub.publish({ service, node: tune, publisher: jid(romeo), items: [note()] });
    assert.deepEqual(log, []);
  });
});
