/** Design §3, rules 4 and 5: one predicate decides who may read, whichever way they come; and no author is trusted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { attr, child, children } from "../../src/xmpp/xml.ts";
import { cast, type Actor, type Stage } from "../support/cast.ts";

const node = "urn:xmpp:microblog:0";
const pubsub = "http://jabber.org/protocol/pubsub";
const words = "A rose by any other name";

const form = (type: string, accessModel: string): string =>
  `<x xmlns='jabber:x:data' type='submit'>
     <field var='FORM_TYPE' type='hidden'><value>${pubsub}#${type}</value></field>
     <field var='pubsub#access_model'><value>${accessModel}</value></field></x>`;

const publishing = (id: string, title: string, accessModel: string, more = ""): string =>
  `<iq type='set'><pubsub xmlns='${pubsub}'>
     <publish node='${node}'><item id='${id}'><entry xmlns='http://www.w3.org/2005/Atom'>
       <title>${title}</title><published>2026-08-10T09:00:00Z</published><updated>2026-08-10T09:00:00Z</updated>
       ${more}</entry></item></publish>
     <publish-options>${form("publish-options", accessModel)}</publish-options></pubsub></iq>`;

const configuring = (accessModel: string): string =>
  `<iq type='set'><pubsub xmlns='${pubsub}#owner'>
     <configure node='${node}'>${form("node_config", accessModel)}</configure></pubsub></iq>`;

/** Every way to a post of juliet's, and whether it is found there. */
async function waysIn(stage: Stage, id: string, readers: Record<string, Actor>): Promise<string[]> {
  const owner = stage.bare("juliet");
  const found: string[] = [];
  const look = async (way: string, read: () => Promise<string>): Promise<void> => {
    if ((await read()).includes(words)) found.push(way);
  };
  for (const [name, actor] of Object.entries(readers)) {
    await look(`${name}: items`, async () => {
      const asking = `<iq type='get' to='${owner}'><pubsub xmlns='${pubsub}'><items node='${node}'/></pubsub></iq>`;
      return (await actor.asks(asking)).toString();
    });
    await look(`${name}: item`, async () => {
      const items = `<items node='${node}'><item id='${id}'/></items>`;
      return (
        await actor.asks(`<iq type='get' to='${owner}'><pubsub xmlns='${pubsub}'>${items}</pubsub></iq>`)
      ).toString();
    });
    await look(`${name}: disco`, async () => {
      const xmlns = "http://jabber.org/protocol/disco#items";
      const reply = await actor.asks(`<iq type='get' to='${owner}'><query xmlns='${xmlns}'/></iq>`);
      const query = child(reply, "query", xmlns);
      const nodes = query ? children(query).map((item) => attr(item, "node")) : [];
      return nodes.includes(node) ? words : "";
    });
  }
  const paths = ["/", "/@juliet", `/@juliet/${id}`, "/feed.atom", "/feed.rss", "/feed.json"];
  paths.push(
    "/@juliet/feed.atom",
    "/@juliet/feed.rss",
    "/@juliet/feed.json",
    "/tag/verona",
    "/@juliet/tag/verona",
  );
  for (const path of paths) {
    await look(`web: ${path}`, async () => (await fetch(stage.web + path)).text());
  }
  return found;
}

test("a post is where its reader may read it, and nowhere else", async (t) => {
  await using stage = await cast(
    t,
    { juliet: {}, romeo: {}, tybalt: {} },
    { friends: [["juliet", "romeo"]] },
  );
  const { juliet, romeo, tybalt } = stage.actors;
  const readers = { juliet, romeo, tybalt };
  const tag = "<category term='verona'/>";
  await juliet.asks(publishing("rose", words, "presence", tag), "<iq type='result'/>");
  const everywhere = (names: string[]): string[] =>
    names.flatMap((name) => [`${name}: items`, `${name}: item`, `${name}: disco`]);
  assert.deepEqual(await waysIn(stage, "rose", readers), everywhere(["juliet", "romeo"]), "presence");

  await juliet.asks(configuring("open"), "<iq type='result'/>");
  const open = await waysIn(stage, "rose", readers);
  assert.deepEqual(open.slice(0, 9), everywhere(["juliet", "romeo", "tybalt"]), "open");
  assert.equal(open.length, 9 + 11, `open, on the web: ${open.slice(9).join(" ")}`);

  await juliet.asks(configuring("whitelist"), "<iq type='result'/>");
  assert.deepEqual(await waysIn(stage, "rose", readers), everywhere(["juliet"]), "whitelist");
  assert.equal((await fetch(`${stage.web}/@juliet/rose`)).status, 404);
});

test("an author is who published, whatever the entry says", async (t) => {
  await using stage = await cast(t, { juliet: {}, tybalt: {} });
  const { juliet, tybalt } = stage.actors;
  const forged = `<author><name>Juliet</name><uri>xmpp:${juliet.bare}</uri></author>`;
  await tybalt.asks(publishing("forged", words, "open", forged), "<iq type='result'/>");
  const reply = await juliet.asks(
    `<iq type='get' to='${tybalt.bare}'><pubsub xmlns='${pubsub}'><items node='${node}'/></pubsub></iq>`,
    `<iq type='result'><pubsub xmlns='${pubsub}'><items node='${node}'>
       <item id='forged' publisher='${tybalt.bare}'><entry xmlns='http://www.w3.org/2005/Atom'>
         <author><uri>xmpp:${tybalt.bare}</uri></author></entry></item></items></pubsub></iq>`,
  );
  assert(!reply.toString().includes(juliet.bare + "<"));
  assert.equal((await fetch(`${stage.web}/@juliet/forged`)).status, 404);
  const page = await (await fetch(`${stage.web}/@tybalt/forged`)).text();
  assert(page.includes(words) && !page.includes("@juliet"));
  // Nobody publishes at somebody else's account.
  const elsewhere = publishing("elsewhere", words, "open").replace("<iq ", `<iq to='${juliet.bare}' `);
  await tybalt.asks(
    elsewhere,
    "<iq type='error'><error><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
  );
});
