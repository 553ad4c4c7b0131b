/** XEP-0222 and XEP-0223: what clients keep in pubsub, for everybody or for themselves, and the keys of OMEMO above all. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { attr, child, children } from "../../src/xmpp/xml.ts";
import { shows, wanting } from "../support/client-caps.ts";
import { cast, type Actor } from "../support/cast.ts";

const pubsub = "http://jabber.org/protocol/pubsub";
const ok = "<iq type='result'/>";
const form = (type: string, fields: Record<string, string>): string =>
  `<x xmlns='jabber:x:data' type='submit'>
     <field var='FORM_TYPE' type='hidden'><value>${pubsub}#${type}</value></field>
     ${Object.entries(fields)
       .map(([name, value]) => `<field var='pubsub#${name}'><value>${value}</value></field>`)
       .join("")}</x>`;
const publishing = (node: string, id: string, payload: string, fields: Record<string, string>): string =>
  `<iq type='set'><pubsub xmlns='${pubsub}'><publish node='${node}'><item id='${id}'>${payload}</item></publish>
     <publish-options>${form("publish-options", fields)}</publish-options></pubsub></iq>`;
const configuring = (node: string, fields: Record<string, string>): string =>
  `<iq type='set'><pubsub xmlns='${pubsub}#owner'><configure node='${node}'>${form("node_config", fields)}</configure></pubsub></iq>`;
const reading = (of: Actor, node: string): string =>
  `<iq type='get' to='${of.bare}'><pubsub xmlns='${pubsub}'><items node='${node}'/></pubsub></iq>`;
const unmet = `<iq type='error'><error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><precondition-not-met xmlns='${pubsub}#errors'/></error></iq>`;

async function ids(actor: Actor, of: Actor, node: string): Promise<(string | undefined)[]> {
  const reply = await actor.asks(reading(of, node), ok);
  return children(child(child(reply, "pubsub", pubsub)!, "items")!).map((item) => attr(item, "id"));
}

/** What the clients of today publish, with the options that they use. */
const omemo: readonly (readonly [
  who: string,
  node: string,
  id: string,
  payload: string,
  options: Record<string, string>,
])[] = [
  [
    "Conversations: devices",
    "eu.siacs.conversations.axolotl.devicelist",
    "current",
    "<list xmlns='eu.siacs.conversations.axolotl'><device id='31415'/></list>",
    { access_model: "open", persist_items: "true" },
  ],
  [
    "Conversations: a bundle",
    "eu.siacs.conversations.axolotl.bundles:31415",
    "current",
    "<bundle xmlns='eu.siacs.conversations.axolotl'><identityKey>AAAA</identityKey></bundle>",
    { access_model: "open", persist_items: "true" },
  ],
  [
    "OMEMO 2: devices",
    "urn:xmpp:omemo:2:devices",
    "current",
    "<devices xmlns='urn:xmpp:omemo:2'><device id='31415' label='phone'/></devices>",
    { access_model: "open" },
  ],
  [
    "OMEMO 2: bundles, one item a device",
    "urn:xmpp:omemo:2:bundles",
    "31415",
    "<bundle xmlns='urn:xmpp:omemo:2'><ik>AAAA</ik></bundle>",
    { access_model: "open", max_items: "max" },
  ],
];

describe("the keys of OMEMO", () => {
  for (const [who, node, id, payload, options] of omemo) {
    test(`${who}: strangers read them`, async (t) => {
      await using stage = await cast(t, { juliet: {}, tybalt: {} });
      const { juliet, tybalt } = stage.actors;
      await juliet.asks(publishing(node, id, payload, options), ok);
      await juliet.asks(publishing(node, id, payload, options), ok);
      assert.deepEqual(await ids(tybalt, juliet, node), [id]);
      await stage.restarts();
      const again = await stage.login("juliet");
      await again.asks(publishing(node, id, payload, options), ok);
    });
  }

  test("a bundle for each device stays", async (t) => {
    await using stage = await cast(t, { juliet: {}, tybalt: {} });
    const { juliet, tybalt } = stage.actors;
    const [, node, , payload, options] = omemo[3]!;
    for (const device of ["1", "2", "3"]) await juliet.asks(publishing(node, device, payload, options), ok);
    assert.deepEqual((await ids(tybalt, juliet, node)).toSorted(), ["1", "2", "3"]);
  });

  test("a node that another client made for contacts alone is opened as clients do it", async (t) => {
    await using stage = await cast(t, { juliet: {}, tybalt: {} });
    const { juliet, tybalt } = stage.actors;
    const [, node, id, payload, options] = omemo[0]!;
    await juliet.asks(publishing(node, id, payload, { access_model: "presence" }), ok);
    await juliet.asks(publishing(node, id, payload, options), unmet);
    await juliet.asks(configuring(node, options), ok);
    await juliet.asks(publishing(node, id, payload, options), ok);
    assert.deepEqual(await ids(tybalt, juliet, node), [id]);
  });
});

test("each field of a node's configuration is a precondition (XEP-0060 §7.1.5)", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  const payload = "<note xmlns='urn:example:note'/>";
  const fields: Record<string, readonly [is: string, also: string, not: string]> = {
    title: ["Notes", "Notes", "Other"],
    description: ["mine", "mine", "yours"],
    type: ["urn:example:note", "urn:example:note", "urn:example"],
    access_model: ["whitelist", "whitelist", "open"],
    publish_model: ["publishers", "publishers", "open"],
    persist_items: ["true", "1", "0"],
    max_items: ["max", "max", "5"],
    item_expire: ["max", "max", "60"],
    max_payload_size: ["1000", "1000", "999"],
    deliver_payloads: ["0", "false", "true"],
    deliver_notifications: ["1", "true", "false"],
    notification_type: ["normal", "normal", "headline"],
    send_last_published_item: ["never", "never", "on_sub"],
    notify_retract: ["0", "false", "1"],
    notify_delete: ["0", "false", "1"],
    notify_config: ["1", "true", "0"],
    notify_sub: ["1", "true", "0"],
    presence_based_delivery: ["1", "true", "0"],
    purge_offline: ["0", "false", "1"],
    tempsub: ["0", "false", "1"],
    subscribe: ["1", "true", "0"],
    itemreply: ["owner", "owner", "publisher"],
    publish_node_full: ["discard-oldest", "discard-oldest", "reject"],
  };
  const made = Object.fromEntries(Object.entries(fields).map(([name, [is]]) => [name, is]));
  await juliet.asks(publishing("notes", "1", payload, made), ok);
  for (const [name, [, also, not]] of Object.entries(fields)) {
    await juliet.asks(publishing("notes", "2", payload, { [name]: also }), ok);
    await juliet.asks(publishing("notes", "3", payload, { [name]: not }), unmet);
  }
});

test("what is private is read and heard by nobody else (XEP-0223)", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} }, { friends: [["juliet", "romeo"]] });
  const { juliet, romeo } = stage.actors;
  const balcony = await stage.login("juliet", { resource: "balcony", presence: false });
  for (const actor of [balcony, romeo]) await shows(actor, wanting(["notes"], actor.full));
  await stage.settle();
  for (const actor of [juliet, romeo, balcony]) actor.inbox.length = 0;
  const options = { access_model: "whitelist", persist_items: "1", max_items: "max" };
  for (const id of ["1", "2"])
    await juliet.asks(publishing("notes", id, "<note xmlns='urn:example:note'/>", options), ok);
  for (const id of ["1", "2"])
    await balcony.receives(
      `<message type='headline'><event xmlns='${pubsub}#event'><items node='notes'><item id='${id}'/></items></event></message>`,
    );
  await romeo.receivesNothing();
  await romeo.asks(reading(juliet, "notes"), "<iq type='error'/>".replace("/>", "><error/></iq>"));
  const list = await romeo.asks(
    `<iq type='get' to='${juliet.bare}'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>`,
    ok,
  );
  assert(!list.toString().includes("notes"));
});

test("a nickname reaches contacts who want it (XEP-0172 §4.5)", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} }, { friends: [["juliet", "romeo"]] });
  const { juliet, romeo } = stage.actors;
  const node = "http://jabber.org/protocol/nick";
  await shows(romeo, wanting([node], romeo.full));
  await stage.settle();
  for (const actor of [juliet, romeo]) actor.inbox.length = 0;
  const nick = `<nick xmlns='${node}'>Jule</nick>`;
  await juliet.asks(
    `<iq type='set'><pubsub xmlns='${pubsub}'><publish node='${node}'><item>${nick}</item></publish></pubsub></iq>`,
    ok,
  );
  await romeo.receives(
    `<message type='headline' from='${juliet.bare}'><event xmlns='${pubsub}#event'><items node='${node}'><item id='{any}'>${nick}</item></items></event></message>`,
  );
  romeo.sends(
    `<presence type='subscribe' to='${stage.bare("nobody")}'><nick xmlns='${node}'>Romeo</nick></presence>`,
  );
});
