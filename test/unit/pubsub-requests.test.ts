/** XEP-0060: requests and answers in XML: creating, configuring, affiliations, and what is wrong with a request. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { formOf } from "../../src/xmpp/dataform.ts";
import { attr, child, children, type Element } from "../../src/xmpp/xml.ts";
import { engine, refusalOf, type Engine } from "../support/pubsub.ts";

const juliet = "juliet@capulet.example";
const nurse = "nurse@capulet.example";
const service = "pubsub.shakespeare.example";
const ns = "http://jabber.org/protocol/pubsub";

const asking = (e: Engine, type: "get" | "set", inside: string, from = juliet, to = juliet) =>
  e.asks(type, to, from, `<pubsub xmlns='${ns}'>${inside}</pubsub>`);
const asOwner = (e: Engine, type: "get" | "set", inside: string, from = juliet, to = juliet) =>
  e.asks(type, to, from, `<pubsub xmlns='${ns}#owner'>${inside}</pubsub>`);
const form = (fields: Record<string, string>, type = "submit"): string =>
  `<x xmlns='jabber:x:data' type='${type}'>
     <field var='FORM_TYPE' type='hidden'><value>${ns}#node_config</value></field>${Object.entries(fields)
       .map(([name, value]) => `<field var='pubsub#${name}'><value>${value}</value></field>`)
       .join("")}</x>`;

const field = (parent: Element, name: string): string[] | undefined =>
  formOf(parent)?.fields.get(`pubsub#${name}`)?.values;

describe("a request that is not complete", () => {
  const item = "<item id='1'><note xmlns='urn:example:note'/></item>";
  const table: ["get" | "set", string, string][] = [
    ["get", "", "modify bad-request"],
    ["get", "<publish node='n'/>", "cancel feature-not-implemented"],
    ["set", "<items node='n'/>", "cancel feature-not-implemented"],
    ["set", "<nonsense/>", "cancel feature-not-implemented"],
    ["set", `<publish>${item}</publish>`, "modify bad-request nodeid-required"],
    ["set", "<retract><item id='1'/></retract>", "modify bad-request nodeid-required"],
    ["set", "<retract node='n'><item/></retract>", "modify bad-request item-required"],
    ["set", "<retract node='n'/>", "modify bad-request item-required"],
    ["get", "<items/>", "modify bad-request nodeid-required"],
    ["get", "<items node='no-such-node'/>", "cancel item-not-found"],
    [
      "set",
      "<publish node='n'><item><a xmlns='urn:a'/><b xmlns='urn:b'/></item></publish>",
      "modify bad-request invalid-payload",
    ],
    ["set", `<create node='other'/><configure node='other'>${form({})}</configure>`, "modify bad-request"],
    ["set", "<create node='n'/>", "cancel conflict"],
  ];
  for (const [type, inside, expected] of table) {
    test(`${type} ${inside || "nothing"}`, async (t) => {
      const e = engine(t);
      await e.publish(juliet, "n", ["0"]);
      assert.equal(await refusalOf(() => asking(e, type, inside)), expected);
    });
  }

  const owners: ["get" | "set", string, string][] = [
    ["get", "<configure/>", "modify bad-request nodeid-required"],
    ["set", "<configure node='n'/>", "modify bad-request"],
    ["set", "<delete/>", "modify bad-request nodeid-required"],
    ["set", "<purge/>", "modify bad-request nodeid-required"],
    ["get", "<affiliations/>", "modify bad-request nodeid-required"],
    ["get", "<subscriptions/>", "modify bad-request nodeid-required"],
    [
      "set",
      `<configure node='n'>${form({ access_model: "x" })}</configure>`,
      "modify not-acceptable unsupported-access-model",
    ],
    ["set", `<configure node='n'>${form({ max_items: "x" })}</configure>`, "modify not-acceptable"],
  ];
  for (const [type, inside, expected] of owners) {
    test(`${type} ${inside.slice(0, 60)} of an owner`, async (t) => {
      const e = engine(t);
      await e.publish(juliet, "n", ["0"]);
      assert.equal(await refusalOf(() => asOwner(e, type, inside)), expected);
    });
  }

  test("has no items at a node that keeps none", async (t) => {
    const e = engine(t);
    await asking(e, "set", `<create node='n'/><configure>${form({ persist_items: "0" })}</configure>`);
    const expected = "cancel feature-not-implemented unsupported persistent-items";
    assert.equal(await refusalOf(asking(e, "get", "<items node='n'/>")), expected);
    assert.equal(await refusalOf(asOwner(e, "set", "<purge node='n'/>")), expected);
  });

  test("names a subscription that is not the asker's", async (t) => {
    const e = engine(t);
    await e.publish(juliet, "n", ["0"]);
    await asking(e, "set", `<subscribe node='n' jid='${juliet}'/>`);
    const reading = asking(e, "get", "<items node='n' subid='wrong'/>");
    assert.equal(await refusalOf(reading), "modify not-acceptable invalid-subid");
  });
});

describe("publishing", () => {
  test("is answered with the node and the ids", async (t) => {
    const e = engine(t);
    const answer = await asking(
      e,
      "set",
      "<publish node='n'><item id='a'><note xmlns='urn:example:note'/></item></publish>",
    );
    const publish = child(answer!, "publish")!;
    assert.equal(attr(publish, "node"), "n");
    assert.deepEqual(
      children(publish, "item").map((item) => attr(item, "id")),
      ["a"],
    );
  });

  test("takes the publish-options from beside it", async (t) => {
    const e = engine(t);
    await asking(
      e,
      "set",
      `<publish node='n'><item id='a'><note xmlns='urn:example:note'/></item></publish>
       <publish-options>${form({ access_model: "open" }).replace("node_config", "publish-options")}</publish-options>`,
    );
    assert.equal((await e.pubsub.find(juliet, "n"))?.config.accessModel, "open");
  });

  test("asks for no publisher: what an item says of itself is not believed", async (t) => {
    const e = engine(t);
    await asking(
      e,
      "set",
      `<publish node='n'><item id='a' publisher='${nurse}'><note xmlns='urn:example:note'/></item></publish>`,
    );
    assert.equal((await e.pubsub.item(juliet, "n", "a"))?.publisher, juliet);
  });
});

describe("creating and configuring", () => {
  test("a node without a name gets one", async (t) => {
    const e = engine(t);
    const answer = await asking(e, "set", "<create/>");
    const node = attr(child(answer!, "create")!, "node")!;
    assert.ok(await e.pubsub.find(juliet, node));
  });

  test("a node is made as the form beside it says", async (t) => {
    const e = engine(t);
    await asking(
      e,
      "set",
      `<create node='n'/><configure>${form({ access_model: "open", title: "T" })}</configure>`,
    );
    const { config } = (await e.pubsub.find(juliet, "n"))!;
    assert.deepEqual([config.accessModel, config.title], ["open", "T"]);
  });

  test("nobody makes a node at another's account", async (t) => {
    const e = engine(t);
    assert.equal(await refusalOf(asking(e, "set", "<create node='n'/>", nurse)), "auth forbidden");
  });

  test("the form shows what is, and a submitted one changes it", async (t) => {
    const e = engine(t);
    await e.publish(juliet, "n", ["0"]);
    const before = child((await asOwner(e, "get", "<configure node='n'/>"))!, "configure")!;
    assert.deepEqual(field(before, "access_model"), ["presence"]);
    assert.deepEqual(formOf(before)?.type, "form");
    await asOwner(e, "set", `<configure node='n'>${form({ access_model: "open" })}</configure>`);
    const after = child((await asOwner(e, "get", "<configure node='n'/>"))!, "configure")!;
    assert.deepEqual(field(after, "access_model"), ["open"]);
    const [told] = e.take("pubsub.configured");
    assert.deepEqual([told?.previous.accessModel, told?.node.config.accessModel], ["presence", "open"]);
  });

  test("a cancelled form changes nothing", async (t) => {
    const e = engine(t);
    await e.publish(juliet, "n", ["0"]);
    await asOwner(e, "set", `<configure node='n'>${form({ access_model: "open" }, "cancel")}</configure>`);
    assert.equal((await e.pubsub.find(juliet, "n"))?.config.accessModel, "presence");
  });

  test("the defaults are those of the service", async (t) => {
    const e = engine(t);
    for (const [to, model] of [
      [juliet, "presence"],
      [service, "open"],
    ] as const) {
      const answer = await asOwner(e, "get", "<default/>", juliet, to);
      assert.deepEqual(field(child(answer!, "default")!, "access_model"), [model]);
    }
  });
});

describe("affiliations (§5.7, §8.9)", () => {
  const entries = (list: [string, string][]): string =>
    `<affiliations node='n'>${list
      .map(([address, affiliation]) => `<affiliation jid='${address}' affiliation='${affiliation}'/>`)
      .join("")}</affiliations>`;
  const listed = async (e: Engine, to = juliet): Promise<string[]> =>
    children(child((await asOwner(e, "get", "<affiliations node='n'/>", juliet, to))!, "affiliations")!).map(
      (one) => `${attr(one, "jid")} ${attr(one, "affiliation")}`,
    );
  const withNode = async (t: TestContext, to = juliet): Promise<Engine> => {
    const e = engine(t);
    await asking(e, "set", "<create node='n'/>", juliet, to);
    return e;
  };

  test("are given and taken, by bare JID", async (t) => {
    const e = await withNode(t);
    await asOwner(
      e,
      "set",
      entries([
        [`${nurse}/chamber`, "publisher"],
        ["tybalt@capulet.example", "outcast"],
      ]),
    );
    assert.deepEqual(await listed(e), [
      `${juliet} owner`,
      `${nurse} publisher`,
      "tybalt@capulet.example outcast",
    ]);
    await asOwner(
      e,
      "set",
      `${entries([[nurse, "none"]]).replace("</aff", "<affiliation jid='tybalt@capulet.example'/></aff")}`,
    );
    assert.deepEqual(await listed(e), [`${juliet} owner`, "tybalt@capulet.example outcast"]);
  });

  test("are told to who has them", async (t) => {
    const e = await withNode(t);
    await asking(e, "set", "<create node='m'/>");
    await asOwner(e, "set", entries([[nurse, "member"]]));
    const own = async (from: string, inside: string) =>
      children(child((await asking(e, "get", inside, from))!, "affiliations")!).map(
        (one) => `${attr(one, "node")} ${attr(one, "affiliation")}`,
      );
    assert.deepEqual(await own(nurse, "<affiliations/>"), ["n member"]);
    assert.deepEqual(await own(nurse, "<affiliations node='n'/>"), ["n member"]);
    assert.deepEqual(await own(nurse, "<affiliations node='m'/>"), []);
    assert.deepEqual(await own(juliet, "<affiliations/>"), ["m owner", "n owner"]);
    assert.deepEqual(await own("paris@verona.example", "<affiliations/>"), []);
  });

  const refused: [string, [string, string][], string][] = [
    ["that there are not", [[nurse, "friend"]], "modify not-acceptable"],
    [
      "twice for one address",
      [
        [nurse, "member"],
        [`${nurse}/chamber`, "owner"],
      ],
      "modify bad-request",
    ],
    [
      "that take the last owner away",
      [
        [nurse, "member"],
        [juliet, "none"],
      ],
      "modify not-acceptable",
    ],
    ["that make the last owner something else", [[juliet, "publisher"]], "modify not-acceptable"],
  ];
  for (const to of [juliet, service]) {
    for (const [what, list, expected] of refused) {
      test(`${what} are refused, all of them, at ${to}`, async (t) => {
        const e = await withNode(t, to);
        assert.equal(await refusalOf(() => asOwner(e, "set", entries(list), juliet, to)), expected);
        assert.deepEqual(await listed(e, to), [`${juliet} owner`]);
      });
    }
  }

  test("of an owner who hands over to another", async (t) => {
    const e = await withNode(t, service);
    await asOwner(
      e,
      "set",
      entries([
        [nurse, "owner"],
        [juliet, "none"],
      ]),
      juliet,
      service,
    );
    assert.equal(
      await refusalOf(asOwner(e, "get", "<configure node='n'/>", juliet, service)),
      "auth forbidden",
    );
    assert.equal(await refusalOf(asOwner(e, "get", "<configure node='n'/>", nurse, service)), "done");
  });
});
