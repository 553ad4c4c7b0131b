/** XEP-0060 on the wire, as Movim, Converse and Libervia use it (reference/xmpp-social.md B0, B5, B8). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJid } from "../../src/xmpp/jid.ts";
import { attr, child, children, childText, type Element } from "../../src/xmpp/xml.ts";
import { shows, wanting } from "../support/client-caps.ts";
import { cast } from "../support/cast.ts";
import { element, publishOptions } from "../support/pubsub.ts";

const pubsub = "http://jabber.org/protocol/pubsub";
const rsm = "http://jabber.org/protocol/rsm";
const microblog = "urn:xmpp:microblog:0";
const notes = "urn:example:notes";
const ok = "<iq type='result'/>";

const options = (fields: Record<string, string>, formType = "publish-options"): string =>
  `<x xmlns='jabber:x:data' type='submit'>
     <field var='FORM_TYPE' type='hidden'><value>${pubsub}#${formType}</value></field>${Object.entries(fields)
       .map(([name, value]) => `<field var='pubsub#${name}'><value>${value}</value></field>`)
       .join("")}</x>`;
const publishing = (node: string, id: string, fields: Record<string, string> = {}, payload = note): string =>
  `<iq type='set'><pubsub xmlns='${pubsub}'><publish node='${node}'><item id='${id}'>${payload}</item></publish>
     <publish-options>${options(fields)}</publish-options></pubsub></iq>`;
const note = "<note xmlns='urn:example:note'/>";
const entry = (id: string): string =>
  `<entry xmlns='http://www.w3.org/2005/Atom'><id>${id}</id><title type='text'>Tea and XML</title>
     <published>2026-08-10T09:00:00Z</published><updated>2026-08-10T09:00:00Z</updated></entry>`;
const refused = (condition: string, app: string): string =>
  `<iq type='error'><error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>${app && `<${app} xmlns='${pubsub}#errors'/>`}</error></iq>`;

/** What B5's table says that each of them sends with a post. */
const clients = {
  Movim: {
    persist_items: "true",
    max_items: "max",
    itemreply: "publisher",
    notify_retract: "true",
    notify_sub: "true",
  },
  Converse: {
    ...{ access_model: "open", persist_items: "true", max_items: "max", itemreply: "publisher" },
    ...{ notify_retract: "true", send_last_published_item: "never", deliver_payloads: "true" },
  },
  Libervia: { persist_items: "1", max_items: "-1", deliver_payloads: "1", "x-libervia-unknown": "7" },
};

for (const [client, fields] of Object.entries(clients)) {
  test(`${client} publishes with its own options, on a new node and again`, async (t) => {
    await using stage = await cast(t, { ada: {} });
    const { ada } = stage.actors;
    for (const id of ["tea-and-xml-1", "tea-and-xml-2"])
      await ada.asks(
        publishing(notes, id, fields),
        `<iq type='result'><pubsub xmlns='${pubsub}'><publish node='${notes}'><item id='${id}'/></publish></pubsub></iq>`,
      );
  });
}

test("a client whose options differ configures the node and publishes again (B0.13)", async (t) => {
  await using stage = await cast(t, { ada: {} });
  const { ada } = stage.actors;
  await ada.asks(publishing(notes, "one", { access_model: "presence" }), ok);
  await ada.asks(
    publishing(notes, "two", { access_model: "open" }),
    refused("conflict", "precondition-not-met"),
  );
  await ada.asks(
    `<iq type='set'><pubsub xmlns='${pubsub}#owner'><configure node='${notes}'>${options({ access_model: "open", max_items: "max" }, "node_config")}</configure></pubsub></iq>`,
    ok,
  );
  await ada.asks(publishing(notes, "two", { access_model: "open", max_items: "max" }), ok);
});

test("a follower needs no more than Movim's and Converse's subscribe (B8)", async (t) => {
  await using stage = await cast(t, { ada: {}, bob: {} });
  const { ada, bob } = stage.actors;
  await ada.asks(
    publishing(microblog, "tea-and-xml-1", clients.Converse, entry("tag:ada.example,2026:1")),
    ok,
  );
  await bob.asks(
    `<iq type='set' to='${ada.bare}'><pubsub xmlns='${pubsub}'><subscribe node='${microblog}' jid='${bob.bare}'/></pubsub></iq>`,
    `<iq type='result'><pubsub xmlns='${pubsub}'><subscription node='${microblog}' jid='${bob.bare}' subid='{any}' subscription='subscribed'/></pubsub></iq>`,
  );
  await ada.receives(
    `<message type='headline'><event xmlns='${pubsub}#event'><subscription node='${microblog}' jid='${bob.bare}' subscription='subscribed'/></event></message>`,
  );
  await ada.asks(publishing(microblog, "tea-and-xml-2", {}, entry("tag:ada.example,2026:2")), ok);
  // The publisher by which Movim knows the author, the payload which it does not fetch, to the bare JID, once.
  await bob.receives(
    `<message type='headline' from='${ada.bare}' to='${bob.bare}'><event xmlns='${pubsub}#event'><items node='${microblog}'>
       <item id='tea-and-xml-2' publisher='${ada.bare}'><entry xmlns='http://www.w3.org/2005/Atom'/></item></items></event></message>`,
  );
  await bob.receivesNothing();
});

test("a follower is told what it needs to do where it may not (B8)", async (t) => {
  await using stage = await cast(t, { ada: {}, bob: {} });
  const { ada, bob } = stage.actors;
  const subscribing = `<iq type='set' to='${ada.bare}'><pubsub xmlns='${pubsub}'><subscribe node='${notes}' jid='${bob.bare}'/></pubsub></iq>`;
  await bob.asks(subscribing, refused("item-not-found", ""));
  await ada.asks(publishing(notes, "one"), ok);
  await bob.asks(subscribing, refused("not-authorized", "presence-subscription-required"));
  await ada.asks(
    `<iq type='set'><pubsub xmlns='${pubsub}#owner'><configure node='${notes}'>${options({ subscribe: "0", access_model: "open" }, "node_config")}</configure></pubsub></iq>`,
    ok,
  );
  await bob.asks(subscribing, refused("feature-not-implemented", "unsupported"));
});

test("what Movim tries out before it offers a blog works, and nobody hears of it (B0.10)", async (t) => {
  await using stage = await cast(t, { ada: {}, bob: {} }, { friends: [["ada", "bob"]] });
  const { ada, bob } = stage.actors;
  await shows(bob, wanting([microblog]));
  await stage.settle();
  bob.inbox.length = 0;
  ada.inbox.length = 0;
  await ada.asks(`<iq type='set'><pubsub xmlns='${pubsub}'><create node='test_node'/></pubsub></iq>`, ok);
  await ada.asks(
    `<iq type='set'><pubsub xmlns='${pubsub}#owner'><delete node='test_node'/></pubsub></iq>`,
    ok,
  );
  await ada.asks(publishing(microblog, "test_post", {}, "<entry xmlns='http://www.w3.org/2005/Atom'/>"), ok);
  await ada.asks(
    `<iq type='set'><pubsub xmlns='${pubsub}'><retract node='${microblog}' notify='true'><item id='test_post'/></retract></pubsub></iq>`,
    ok,
  );
  await bob.receivesNothing();
});

test("700 items are paged both ways (B14.9)", async (t) => {
  await using stage = await cast(t, { ada: {} });
  const { ada } = stage.actors;
  const all = Array.from({ length: 700 }, (_, i) => `item-${i}`);
  await stage.node.pubsub.publish({
    ...{ service: ada.bare, node: notes, publisher: parseJid(ada.full)! },
    items: all.map((id) => ({ id, payload: element(note) })),
    options: publishOptions({ max_items: "max" }),
  });
  const page = async (cursor: string): Promise<{ ids: string[]; set: Element }> => {
    const reply = await ada.asks(
      `<iq type='get' to='${ada.bare}'><pubsub xmlns='${pubsub}'><items node='${notes}'/><set xmlns='${rsm}'><max>50</max>${cursor}</set></pubsub></iq>`,
      ok,
    );
    const result = child(reply, "pubsub", pubsub)!;
    const ids = children(child(result, "items")!).map((item) => attr(item, "id")!);
    return { ids, set: child(result, "set", rsm)! };
  };
  const forwards: string[] = [];
  for (let cursor = ""; forwards.length < all.length;) {
    const { ids, set } = await page(cursor);
    assert.equal(childText(set, "count"), "700");
    assert.equal(attr(child(set, "first")!, "index"), String(forwards.length));
    forwards.push(...ids);
    cursor = `<after>${childText(set, "last")}</after>`;
  }
  assert.deepEqual(forwards, all.toReversed());
  const backwards: string[] = [];
  for (let cursor = "<before/>"; backwards.length < all.length;) {
    const { ids, set } = await page(cursor);
    backwards.unshift(...ids);
    cursor = `<before>${childText(set, "first")}</before>`;
  }
  assert.deepEqual(backwards, all.toReversed());
});

test("errors come whole: what was asked, the condition, and the pubsub condition", async (t) => {
  await using stage = await cast(t, { ada: {} });
  const { ada } = stage.actors;
  const reply = await ada.asks(
    `<iq type='set' id='pub1'><pubsub xmlns='${pubsub}'><publish><item/></publish></pubsub></iq>`,
  );
  const [asked, error] = children(reply);
  assert.deepEqual([asked?.name, error?.name, error && attr(error, "type")], ["pubsub", "error", "modify"]);
  assert.deepEqual(
    children(error!).map(({ name }) => name),
    ["bad-request", "nodeid-required"],
  );
});
