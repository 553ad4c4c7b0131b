/**
 * XEP-0060 §4.1 and §4.5: who may read, publish and subscribe. The table is the specification's; every way to ask
 * (one viewer, an audience, an iq, disco) must give its answer.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { itemItems, nodeInfo, nodeItems } from "../../src/pubsub/discovery.ts";
import {
  element,
  engine,
  jid,
  nodeConfig,
  publishOptions,
  refusalOf,
  type Engine,
} from "../support/pubsub.ts";

const owner = "juliet@capulet.example";
const name = "urn:example:notes";

/** Everybody whom a node can know, by what they are to it. */
const people = {
  owner,
  coowner: "capulet@capulet.example",
  publisher: "nurse@capulet.example",
  publishOnly: "peter@capulet.example",
  member: "friar@church.example",
  outcast: "tybalt@capulet.example",
  friend: "romeo@montague.example",
  follower: "rosaline@capulet.example",
  followed: "prince@verona.example",
  subscriber: "balthasar@montague.example",
  waiting: "abram@montague.example",
  stranger: "paris@verona.example",
} as const;
type Person = keyof typeof people;

const rosters = {
  [owner]: {
    [people.friend]: { subscription: "both", groups: ["Friends"] },
    [people.follower]: { subscription: "from", groups: ["Servants"] },
    [people.followed]: { subscription: "to", groups: ["Friends"] },
    [people.outcast]: { subscription: "both", groups: ["Friends"] },
    [people.publishOnly]: { subscription: "both", groups: ["Friends"] },
  },
} as const;

const models = ["open", "presence", "roster", "authorize", "whitelist"] as const;

/** Who may read, beside owners, publishers and members, who always may (§4.1). */
const readers: Record<(typeof models)[number], Person[]> = {
  open: ["friend", "follower", "followed", "subscriber", "waiting", "stranger"],
  presence: ["friend", "follower"],
  roster: ["friend", "followed"],
  authorize: ["subscriber"],
  whitelist: [],
};
const affiliates: Person[] = ["owner", "coowner", "publisher", "member"];

/** §6.1.3 and §6.5.9: what the others hear. */
const refusals: Record<(typeof models)[number], string> = {
  open: "none is refused",
  presence: "auth not-authorized presence-subscription-required",
  roster: "auth not-authorized not-in-roster-group",
  authorize: "auth not-authorized not-subscribed",
  whitelist: "cancel not-allowed closed-node",
};
const banned: Person[] = ["outcast", "publishOnly"];

async function stage(t: TestContext, model: string, publishModel = "publishers"): Promise<Engine> {
  const e = engine(t, rosters);
  const { pubsub } = e;
  const options = publishOptions({
    ...{ access_model: "authorize", roster_groups_allowed: "Friends", max_items: "max" },
    publish_model: publishModel,
  });
  await e.publish(owner, name, ["1"], options);
  const key = (person: Person) => ({ service: owner, node: name, jid: jid(people[person]) });
  await pubsub.affiliations.set(owner, name, jid(owner), [
    { jid: jid(people.coowner), affiliation: "owner" },
    { jid: jid(people.publisher), affiliation: "publisher" },
    { jid: jid(people.publishOnly), affiliation: "publish-only" },
    { jid: jid(people.member), affiliation: "member" },
    { jid: jid(people.outcast), affiliation: "outcast" },
  ]);
  for (const person of ["subscriber", "waiting"] as const)
    await pubsub.subscriptions.subscribe(key(person), jid(people[person]));
  await pubsub.subscriptions.decide(key("subscriber"), jid(owner), true);
  await pubsub.nodes.configure(owner, name, jid(owner), nodeConfig({ access_model: model }));
  return e;
}

for (const model of models) {
  test(`a node with access model ${model}`, async (t) => {
    const e = await stage(t, model);
    const node = (await e.pubsub.find(owner, name))!;
    const audience = await e.pubsub.standings.audience(node, new Map(Object.entries(e.rosters[owner]!)));
    for (const person of Object.keys(people) as Person[]) {
      const may = affiliates.includes(person) || readers[model].includes(person);
      await t.test(`is ${may ? "" : "not "}read by ${person}`, async () => {
        const viewer = jid(`${people[person]}/somewhere`);
        assert.equal(await e.pubsub.mayRead(node, viewer), may);
        assert.equal(audience(viewer.bare), may, "in an audience");
        const readable = await e.pubsub.standings.readable([node], viewer);
        assert.equal(readable.length, may ? 1 : 0, "among other nodes");

        const xml = `<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='${name}'/></pubsub>`;
        const expected = may ? "done" : banned.includes(person) ? "auth forbidden" : refusals[model];
        assert.equal(await refusalOf(e.asks("get", owner, viewer.full, xml)), expected, "by iq");

        assert.equal((await nodeInfo(e.pubsub, owner, name, viewer)) !== undefined, may, "disco#info");
        assert.equal((await nodeItems(e.pubsub, owner, viewer)).length, may ? 1 : 0, "disco#items");
        const query = element("<query xmlns='http://jabber.org/protocol/disco#items'/>");
        const ids = await itemItems(e.pubsub, owner, name, viewer, query);
        assert.equal(ids?.length, may ? 1 : undefined, "disco#items of the node");
      });
    }
    await t.test(`is ${model === "open" ? "" : "not "}read by visitors of the web`, async () => {
      assert.equal(await e.pubsub.mayRead(node, undefined), model === "open");
    });
  });
}

const always: Person[] = ["owner", "coowner", "publisher", "publishOnly"];
const publishers: Record<string, Person[]> = {
  publishers: always,
  subscribers: [...always, "subscriber"],
  open: [...always, "member", "friend", "follower", "followed", "subscriber", "waiting", "stranger"],
};

for (const [model, allowed] of Object.entries(publishers)) {
  test(`a node with publish model ${model}`, async (t) => {
    const e = await stage(t, "open", model);
    for (const person of Object.keys(people) as Person[]) {
      await t.test(`${allowed.includes(person) ? "takes" : "refuses"} items of ${person}`, async () => {
        const work = e.pubsub.publish({
          ...{ service: owner, node: name, publisher: jid(people[person]) },
          items: [{ payload: element("<note xmlns='urn:example:note'/>") }],
        });
        assert.equal(await refusalOf(work), allowed.includes(person) ? "done" : "auth forbidden");
      });
    }
  });
}

test("what only owners may", async (t) => {
  const e = await stage(t, "open");
  const requests: [string, string, string][] = [
    ["get", "configure", "<configure node='N'/>"],
    [
      "set",
      "configure",
      "<configure node='N'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>" +
        "<value>http://jabber.org/protocol/pubsub#node_config</value></field></x></configure>",
    ],
    ["set", "cancel", "<configure node='N'><x xmlns='jabber:x:data' type='cancel'/></configure>"],
    ["set", "purge", "<purge node='N'/>"],
    ["get", "subscriptions", "<subscriptions node='N'/>"],
    ["set", "subscriptions", "<subscriptions node='N'/>"],
    ["get", "affiliations", "<affiliations node='N'/>"],
    ["set", "affiliations", "<affiliations node='N'/>"],
    ["set", "delete", "<delete node='N'/>"],
  ];
  for (const [type, what, xml] of requests) {
    await t.test(`${type} ${what}`, async () => {
      const pubsub = `<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>${xml.replace("'N'", `'${name}'`)}</pubsub>`;
      const missing = pubsub.replace(name, "no-such-node");
      for (const person of Object.keys(people).reverse() as Person[]) {
        const asked = () => e.asks(type as "get" | "set", owner, people[person], pubsub);
        const isOwner = person === "owner" || person === "coowner";
        if (!isOwner) assert.equal(await refusalOf(asked), "auth forbidden", person);
        else if (what !== "delete" || person === "owner")
          assert.equal(await refusalOf(asked), "done", person);
      }
      assert.equal(
        await refusalOf(() => e.asks(type as "get", owner, owner, missing)),
        "cancel item-not-found",
      );
    });
  }
});

test("at a service, presence and roster groups are those of the node's owners", async (t) => {
  const e = engine(t, rosters);
  const service = "pubsub.shakespeare.example";
  for (const [model, friend] of [
    ["presence", people.follower],
    ["roster", people.followed],
  ] as const) {
    const form = nodeConfig({ access_model: model, roster_groups_allowed: "Friends" });
    const node = await e.pubsub.nodes.create(service, model, jid(owner), form);
    assert.equal(await e.pubsub.mayRead(node, jid(friend)), true);
    assert.equal(await e.pubsub.mayRead(node, jid(people.stranger)), false);
  }
});
