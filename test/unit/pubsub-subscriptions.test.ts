/** XEP-0060 §6.1–6.4, §8.6, §8.8: subscriptions, as requests and answers in XML. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { formOf } from "../../src/xmpp/dataform.ts";
import { attr, child, children } from "../../src/xmpp/xml.ts";
import { engine, jid, nodeConfig, publishOptions, refusalOf, type Engine } from "../support/pubsub.ts";

const service = "pubsub.shakespeare.example";
const hamlet = "hamlet@denmark.example";
const francisco = "francisco@denmark.example";
const name = "princely_musings";

async function stage(t: TestContext, config: Record<string, string> = {}): Promise<Engine> {
  const e = engine(t);
  await e.pubsub.nodes.create(service, name, jid(hamlet), nodeConfig(config));
  e.told.length = 0;
  return e;
}

const ns = "http://jabber.org/protocol/pubsub";
const asking = (e: Engine, type: "get" | "set", from: string, inside: string) =>
  e.asks(type, service, from, `<pubsub xmlns='${ns}'>${inside}</pubsub>`);
const asOwner = (e: Engine, type: "get" | "set", inside: string, from = hamlet) =>
  e.asks(type, service, from, `<pubsub xmlns='${ns}#owner'>${inside}</pubsub>`);

const subscribing = (e: Engine, address: string, from = address, more = "") =>
  asking(e, "set", from, `<subscribe node='${name}' jid='${address}'/>${more}`);

/** Everybody's subscriptions to the node, as `address state`. */
const states = async (e: Engine): Promise<string[]> =>
  (await e.pubsub.subscriptions.at(await e.pubsub.nodes.get(service, name))).map(
    (one) => `${one.jid} ${one.state}`,
  );

const options = (fields: Record<string, string>): string =>
  `<x xmlns='jabber:x:data' type='submit'>
     <field var='FORM_TYPE' type='hidden'><value>${ns}#subscribe_options</value></field>${Object.entries(
       fields,
     )
       .map(([name, value]) => `<field var='pubsub#${name}'><value>${value}</value></field>`)
       .join("")}</x>`;

describe("subscribing", () => {
  test("is answered with the subscription and its id", async (t) => {
    const e = await stage(t);
    const answer = await subscribing(e, francisco, `${francisco}/barracks`);
    const { attrs } = child(answer!, "subscription")!;
    assert.deepEqual(
      { ...attrs, subid: Boolean(attrs["subid"]) },
      { node: name, jid: francisco, subscription: "subscribed", subid: true },
    );
    const [told] = e.take("pubsub.subscription");
    assert.deepEqual(
      [told?.jid, told?.previous, told?.state, told?.by],
      [francisco, "none", "subscribed", francisco],
    );
  });

  test("again is answered the same, and told to nobody", async (t) => {
    const e = await stage(t);
    const first = await subscribing(e, francisco);
    e.told.length = 0;
    const second = await subscribing(e, francisco);
    assert.deepEqual(child(second!, "subscription")!.attrs, child(first!, "subscription")!.attrs);
    assert.deepEqual([await states(e), e.told], [[`${francisco} subscribed`], []]);
  });

  test("with a resource is another subscription", async (t) => {
    const e = await stage(t);
    await subscribing(e, francisco);
    await subscribing(e, `${francisco}/barracks`, francisco);
    assert.deepEqual((await states(e)).length, 2);
  });

  const refused: [string, Record<string, string>, (e: Engine) => Promise<unknown>, string][] = [
    [
      "for somebody else",
      {},
      (e) => subscribing(e, "bernardo@denmark.example", francisco),
      "modify bad-request invalid-jid",
    ],
    ["with a bad address", {}, (e) => subscribing(e, "@", francisco), "modify bad-request invalid-jid"],
    [
      "without an address",
      {},
      (e) => asking(e, "set", francisco, `<subscribe node='${name}'/>`),
      "modify bad-request jid-required",
    ],
    [
      "without a node",
      {},
      (e) => asking(e, "set", francisco, `<subscribe jid='${francisco}'/>`),
      "modify bad-request nodeid-required",
    ],
    [
      "to what is not there",
      {},
      (e) => asking(e, "set", francisco, `<subscribe node='no-such-node' jid='${francisco}'/>`),
      "cancel item-not-found",
    ],
    [
      "where there are no subscriptions",
      { subscribe: "0" },
      (e) => subscribing(e, francisco),
      "cancel feature-not-implemented unsupported subscribe",
    ],
    [
      "without the owner's presence",
      { access_model: "presence" },
      (e) => subscribing(e, francisco),
      "auth not-authorized presence-subscription-required",
    ],
    [
      "from outside the groups",
      { access_model: "roster" },
      (e) => subscribing(e, francisco),
      "auth not-authorized not-in-roster-group",
    ],
    [
      "off the whitelist",
      { access_model: "whitelist" },
      (e) => subscribing(e, francisco),
      "cancel not-allowed closed-node",
    ],
    [
      "with options in the wrong place",
      {},
      (e) => subscribing(e, francisco, francisco, `<options node='${name}'>${options({})}</options>`),
      "modify bad-request",
    ],
    [
      "with options that cannot be",
      {},
      (e) => subscribing(e, francisco, francisco, `<options>${options({ deliver: "maybe" })}</options>`),
      "modify bad-request invalid-options",
    ],
  ];
  for (const [what, config, work, expected] of refused) {
    test(`${what} is refused`, async (t) => {
      const e = await stage(t, config);
      assert.equal(await refusalOf(work(e)), expected);
      assert.deepEqual([await states(e), e.told], [[], []]);
    });
  }

  test("as an outcast is refused, and becoming one ends it", async (t) => {
    const e = await stage(t);
    await subscribing(e, francisco);
    await subscribing(e, `${francisco}/barracks`, francisco);
    e.told.length = 0;
    await asOwner(
      e,
      "set",
      `<affiliations node='${name}'><affiliation jid='${francisco}' affiliation='outcast'/></affiliations>`,
    );
    assert.deepEqual(await states(e), []);
    assert.deepEqual(
      e.take("pubsub.subscription").map(({ state, by }) => [state, by]),
      [
        ["none", hamlet],
        ["none", hamlet],
      ],
    );
    assert.equal(await refusalOf(subscribing(e, francisco)), "auth forbidden");
  });

  test("too often is refused", async (t) => {
    const e = await stage(t);
    for (let i = 0; i < 20; i += 1) await subscribing(e, `${francisco}/${i}`, francisco);
    assert.equal(
      await refusalOf(subscribing(e, `${francisco}/20`, francisco)),
      "wait policy-violation too-many-subscriptions",
    );
    assert.equal(await refusalOf(subscribing(e, `${francisco}/7`, francisco)), "done");
  });

  test("people whose names begin alike are different people", async (t) => {
    const e = await stage(t);
    const own = async (bare: string) =>
      (await e.pubsub.subscriptions.of(service, bare)).map((one) => one.jid);
    const addresses = ["a_b@denmark.example", "a_b@denmark.example.evil", "a_b@denmark.example0"];
    for (const address of addresses) await subscribing(e, `${address}/x`, address);
    for (const address of addresses) assert.deepEqual(await own(address), [`${address}/x`]);
    assert.deepEqual(await own("acb@denmark.example"), []);
  });
});

describe("where an owner must approve", () => {
  const key = { service, node: name, jid: jid(francisco) };

  test("a request waits, and shows nothing yet", async (t) => {
    const e = await stage(t, { access_model: "authorize" });
    const answer = await subscribing(e, francisco);
    assert.equal(attr(child(answer!, "subscription")!, "subscription"), "pending");
    assert.equal(e.take("pubsub.subscription")[0]?.state, "pending");
    assert.equal(await refusalOf(subscribing(e, francisco)), "auth not-authorized pending-subscription");
    const reading = asking(e, "get", francisco, `<items node='${name}'/>`);
    assert.equal(await refusalOf(reading), "auth not-authorized not-subscribed");
    assert.equal((await e.pubsub.subscriptions.pending(service)).length, 1);
  });

  test("an approval makes it a subscription, once", async (t) => {
    const e = await stage(t, { access_model: "authorize" });
    await subscribing(e, francisco);
    e.told.length = 0;
    await e.pubsub.subscriptions.decide(key, jid(hamlet), true);
    await e.pubsub.subscriptions.decide(key, jid(hamlet), false);
    assert.deepEqual(await states(e), [`${francisco} subscribed`]);
    assert.deepEqual(
      e.take("pubsub.subscription").map(({ previous, state }) => [previous, state]),
      [["pending", "subscribed"]],
    );
    assert.equal(await refusalOf(asking(e, "get", francisco, `<items node='${name}'/>`)), "done");
  });

  test("a denial ends it", async (t) => {
    const e = await stage(t, { access_model: "authorize" });
    await subscribing(e, francisco);
    await e.pubsub.subscriptions.decide(key, jid(hamlet), false);
    assert.deepEqual(await states(e), []);
  });

  test("nobody but an owner decides", async (t) => {
    const e = await stage(t, { access_model: "authorize" });
    await subscribing(e, francisco);
    assert.equal(await refusalOf(e.pubsub.subscriptions.decide(key, jid(francisco), true)), "auth forbidden");
    assert.deepEqual(await states(e), [`${francisco} pending`]);
  });

  test("members need no approval", async (t) => {
    const e = await stage(t, { access_model: "authorize" });
    await asOwner(
      e,
      "set",
      `<affiliations node='${name}'><affiliation jid='${francisco}' affiliation='member'/></affiliations>`,
    );
    await subscribing(e, francisco);
    assert.deepEqual(await states(e), [`${francisco} subscribed`]);
  });
});

describe("unsubscribing", () => {
  const unsubscribing = (e: Engine, address: string, from = address, subid = "") =>
    asking(e, "set", from, `<unsubscribe node='${name}' jid='${address}' ${subid && `subid='${subid}'`}/>`);

  test("ends the subscription with that address", async (t) => {
    const e = await stage(t);
    await subscribing(e, francisco);
    await subscribing(e, `${francisco}/barracks`, francisco);
    e.told.length = 0;
    const answer = await unsubscribing(e, francisco);
    assert.equal(attr(child(answer!, "subscription")!, "subscription"), "none");
    assert.deepEqual(await states(e), [`${francisco}/barracks subscribed`]);
    assert.deepEqual(
      e.take("pubsub.subscription").map(({ state }) => state),
      ["none"],
    );
  });

  test("is refused where nothing fits (§6.2.3)", async (t) => {
    const e = await stage(t);
    assert.equal(await refusalOf(unsubscribing(e, francisco)), "cancel unexpected-request not-subscribed");
    const subid = attr(child((await subscribing(e, francisco))!, "subscription")!, "subid")!;
    assert.equal(await refusalOf(unsubscribing(e, francisco, hamlet)), "auth forbidden");
    assert.equal(
      await refusalOf(unsubscribing(e, francisco, francisco, "wrong")),
      "modify not-acceptable invalid-subid",
    );
    const elsewhere = asking(e, "set", francisco, `<unsubscribe node='no-such-node' jid='${francisco}'/>`);
    assert.equal(await refusalOf(elsewhere), "cancel item-not-found");
    assert.equal(await refusalOf(unsubscribing(e, francisco, francisco, subid)), "done");
  });
});

describe("subscription options (§6.3)", () => {
  const at = `node='${name}' jid='${francisco}'`;

  test("are chosen, given back, and announce what they can be", async (t) => {
    const e = await stage(t);
    await subscribing(e, francisco);
    const before = formOf(child((await asking(e, "get", francisco, `<options ${at}/>`))!, "options")!);
    assert.deepEqual(before?.fields.get("pubsub#deliver")?.values, ["true"]);
    await asking(
      e,
      "set",
      francisco,
      `<options ${at}>${options({ deliver: "0", include_body: "1" })}</options>`,
    );
    const after = formOf(child((await asking(e, "get", francisco, `<options ${at}/>`))!, "options")!);
    assert.deepEqual(after?.fields.get("pubsub#deliver")?.values, ["false"]);
    assert.deepEqual(after?.fields.get("pubsub#include_body")?.values, ["true"]);
    assert.deepEqual(after?.fields.get("pubsub#expire")?.values, []);
  });

  test("can come with the subscription", async (t) => {
    const e = await stage(t);
    await subscribing(e, francisco, francisco, `<options>${options({ expire: "presence" })}</options>`);
    const chosen = await e.pubsub.subscriptions.options(
      { service, node: name, jid: jid(francisco) },
      jid(francisco),
    );
    assert.deepEqual(chosen, { deliver: true, includeBody: false, temporary: true });
  });

  test("stay as they were where the form is cancelled", async (t) => {
    const e = await stage(t);
    await subscribing(e, francisco, francisco, `<options>${options({ deliver: "0" })}</options>`);
    await asking(e, "set", francisco, `<options ${at}><x xmlns='jabber:x:data' type='cancel'/></options>`);
    const chosen = await e.pubsub.subscriptions.options(
      { service, node: name, jid: jid(francisco) },
      jid(francisco),
    );
    assert.equal(chosen.deliver, false);
  });

  const refused: [string, string, string, string][] = [
    ["of somebody else", hamlet, `<options ${at}/>`, "auth forbidden"],
    ["of nobody", francisco, `<options node='${name}'/>`, "modify bad-request jid-required"],
    ["of no node", francisco, `<options jid='${francisco}'/>`, "modify bad-request nodeid-required"],
    ["with a wrong id", francisco, `<options ${at} subid='wrong'/>`, "modify not-acceptable invalid-subid"],
    [
      "of another address",
      francisco,
      `<options node='${name}' jid='${francisco}/barracks'/>`,
      "cancel unexpected-request not-subscribed",
    ],
  ];
  for (const [what, from, xml, expected] of refused) {
    test(`${what} are refused`, async (t) => {
      const e = await stage(t);
      await subscribing(e, francisco);
      assert.equal(await refusalOf(asking(e, "get", from, xml)), expected);
    });
  }

  test("are refused where they cannot be honoured", async (t) => {
    const e = await stage(t);
    await subscribing(e, francisco);
    for (const bad of [{ deliver: "maybe" }, { expire: "2027-02-28T23:59:59Z" }]) {
      const setting = asking(
        e,
        "set",
        francisco,
        `<options ${at}>${options(bad as Record<string, string>)}</options>`,
      );
      assert.equal(await refusalOf(setting), "modify bad-request invalid-options");
    }
  });

  test("have defaults (§6.4)", async (t) => {
    const e = await stage(t);
    const answer = await asking(e, "get", francisco, `<default node='${name}'/>`);
    assert.deepEqual(formOf(child(answer!, "default")!)?.fields.get("pubsub#deliver")?.values, ["true"]);
  });
});

describe("temporary subscriptions (§12.4)", () => {
  test("end with the resource, and with the last one for a bare JID", async (t) => {
    const e = await stage(t, { tempsub: "1" });
    await subscribing(e, francisco);
    await subscribing(e, `${francisco}/barracks`, francisco);
    await e.pubsub.subscriptions.left(jid(`${francisco}/barracks`), false);
    assert.deepEqual(await states(e), [`${francisco} subscribed`]);
    await e.pubsub.subscriptions.left(jid(`${francisco}/tent`), true);
    assert.deepEqual(await states(e), []);
  });

  test("are those that ask for it, at another node", async (t) => {
    const e = await stage(t);
    await subscribing(e, francisco, francisco, `<options>${options({ expire: "presence" })}</options>`);
    await subscribing(e, "bernardo@denmark.example");
    for (const one of [francisco, "bernardo@denmark.example"])
      await e.pubsub.subscriptions.left(jid(`${one}/barracks`), true);
    assert.deepEqual(await states(e), ["bernardo@denmark.example subscribed"]);
  });
});

describe("the owner's list (§8.8)", () => {
  test("shows who is subscribed, and not who waits", async (t) => {
    const e = await stage(t, { access_model: "authorize" });
    await subscribing(e, francisco);
    await subscribing(e, "bernardo@denmark.example");
    await e.pubsub.subscriptions.decide({ service, node: name, jid: jid(francisco) }, jid(hamlet), true);
    const list = child((await asOwner(e, "get", `<subscriptions node='${name}'/>`))!, "subscriptions")!;
    assert.deepEqual(
      children(list).map((one) => [attr(one, "jid"), attr(one, "subscription")]),
      [[francisco, "subscribed"]],
    );
    assert.ok(children(list).every((one) => attr(one, "subid")));
  });

  test("is changed by its entries", async (t) => {
    const e = await stage(t, { access_model: "whitelist" });
    const entries = (list: string) =>
      asOwner(e, "set", `<subscriptions node='${name}'>${list}</subscriptions>`);
    const entry = (address: string, state: string) =>
      `<subscription jid='${address}' subscription='${state}'/>`;
    await entries(entry(francisco, "subscribed") + entry("bard@shakespeare.example", "subscribed"));
    assert.equal((await states(e)).length, 2);
    e.told.length = 0;
    await entries(
      entry(francisco, "none") +
        entry("nobody@denmark.example", "none") +
        `<subscription jid='bard@shakespeare.example'/>`,
    );
    assert.deepEqual(await states(e), ["bard@shakespeare.example subscribed"]);
    assert.deepEqual(
      e.take("pubsub.subscription").map(({ jid, state, by }) => [jid, state, by]),
      [[francisco, "none", hamlet]],
    );
    assert.equal(
      await refusalOf(entries(entry(francisco, "subscribed") + entry(hamlet, "perhaps"))),
      "modify not-acceptable",
    );
    assert.deepEqual(await states(e), ["bard@shakespeare.example subscribed"]);
  });
});

test("somebody's own subscriptions are listed, of all addresses and nodes, or of one node (§5.6)", async (t) => {
  const e = await stage(t);
  await e.pubsub.nodes.create(service, "other", jid(hamlet));
  await subscribing(e, francisco);
  await subscribing(e, `${francisco}/barracks`, francisco);
  await asking(e, "set", francisco, `<subscribe node='other' jid='${francisco}'/>`);
  await subscribing(e, "bernardo@denmark.example");
  const listed = async (inside: string) => {
    const answer = await asking(e, "get", `${francisco}/tent`, inside);
    return children(child(answer!, "subscriptions")!).map((one) => [attr(one, "node"), attr(one, "jid")]);
  };
  assert.deepEqual(await listed("<subscriptions/>"), [
    ["other", francisco],
    [name, francisco],
    [name, `${francisco}/barracks`],
  ]);
  assert.deepEqual(await listed("<subscriptions node='other'/>"), [["other", francisco]]);
  assert.deepEqual(await listed("<subscriptions node='no-such-node'/>"), []);
});

test("an account that goes takes its nodes and its subscriptions along", async (t) => {
  const e = await stage(t);
  await e.publish(francisco, "urn:example:notes", ["1"], publishOptions({ access_model: "open" }));
  await subscribing(e, francisco);
  await subscribing(e, `${francisco}/barracks`, francisco);
  await e.pubsub.nodes.removeAll(francisco);
  assert.equal(await e.pubsub.find(francisco, "urn:example:notes"), undefined);
  assert.deepEqual(await states(e), []);
});
