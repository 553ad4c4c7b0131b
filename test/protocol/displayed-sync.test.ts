/** XEP-0490: what one client has shown, the others know; with server assist by the marker alone. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { child, children, attr } from "../../src/xmpp/xml.ts";
import { shows, wanting } from "../support/client-caps.ts";
import { cast, type Actor } from "../support/cast.ts";

const ns = "urn:xmpp:mds:displayed:0";
const pubsub = "http://jabber.org/protocol/pubsub";
const ok = "<iq type='result'/>";

const displayed = (by: string, id: string): string =>
  `<displayed xmlns='${ns}'><stanza-id xmlns='urn:xmpp:sid:0' by='${by}' id='${id}'/></displayed>`;
const marker = "<displayed xmlns='urn:xmpp:chat-markers:0' id='the-msg-1'/>";
const reading = (of: Actor): string =>
  `<iq type='get' to='${of.bare}'><pubsub xmlns='${pubsub}'><items node='${ns}'/></pubsub></iq>`;
const event = (of: Actor, to: Actor, inside: string): string =>
  `<message type='headline' from='${of.bare}' to='${to.full}'><event xmlns='${pubsub}#event'><items node='${ns}'>${inside}</items></event></message>`;
const publishing = (id: string, inside: string): string =>
  `<iq type='set'><pubsub xmlns='${pubsub}'><publish node='${ns}'><item id='${id}'>${inside}</item></publish>
     <publish-options><x xmlns='jabber:x:data' type='submit'>
       <field var='FORM_TYPE' type='hidden'><value>${pubsub}#publish-options</value></field>
       <field var='pubsub#persist_items'><value>true</value></field>
       <field var='pubsub#max_items'><value>max</value></field>
       <field var='pubsub#send_last_published_item'><value>never</value></field>
       <field var='pubsub#access_model'><value>whitelist</value></field></x></publish-options></pubsub></iq>`;

test("from the marker to the other side, the server publishes for one's own clients (§3.4)", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} }, { friends: [["juliet", "romeo"]] });
  const { juliet, romeo } = stage.actors;
  await juliet.asks(
    `<iq type='get' to='${juliet.bare}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`,
    `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'><feature var='urn:xmpp:mds:server-assist:0'/></query></iq>`,
  );
  const balcony = await stage.login("juliet", { resource: "balcony", presence: false });
  for (const actor of [balcony, romeo]) await shows(actor, wanting([ns], actor.full));
  await stage.settle();
  for (const actor of [juliet, romeo, balcony]) actor.inbox.length = 0;

  juliet.sends(
    `<message to='${romeo.bare}' type='chat'>${marker}${displayed(juliet.bare, "0423e3a9")}</message>`,
  );
  const message = await romeo.receives(`<message from='${juliet.full}'>${marker}</message>`);
  assert.equal(child(message, "displayed", ns), undefined, "where it is read to is nobody else's to know");
  await balcony.receives(
    event(juliet, balcony, `<item id='${romeo.bare}'>${displayed(juliet.bare, "0423e3a9")}</item>`),
  );
  for (const actor of [juliet, romeo, balcony]) await actor.receivesNothing();

  // Nobody else reads it, though no options came with it; and a client's own options fit.
  await romeo.asks(
    reading(juliet),
    `<iq type='error'><error><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
  );
  await juliet.asks(publishing(romeo.bare, displayed(juliet.bare, "28482")), ok);
  await balcony.receives(
    event(juliet, balcony, `<item id='${romeo.bare}'>${displayed(juliet.bare, "28482")}</item>`),
  );
  juliet.sends(
    `<message to='play@conference.example' type='chat'>${marker}${displayed("play@conference.example", "7")}</message>`,
  );
  await balcony.receives(event(juliet, balcony, "<item id='play@conference.example'/>"));
  await juliet.receives("<message type='error' from='play@conference.example'><error/></message>");
  const reply = await juliet.asks(reading(juliet), ok);
  const items = children(child(child(reply, "pubsub", pubsub)!, "items")!);
  assert.deepEqual(
    items.map((item) => attr(item, "id")).sort(),
    ["play@conference.example", romeo.bare].sort(),
  );
});

test("what comes from others is not published, and what cannot be does not keep the message", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} });
  const { juliet, romeo } = stage.actors;
  juliet.sends(`<message to='${romeo.bare}' type='chat'>${marker}<displayed xmlns='${ns}'/></message>`);
  await romeo.receives(`<message from='${juliet.full}'>${marker}</message>`);
  await juliet.asks(
    reading(juliet),
    "<iq type='error'><error><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
  );
  await romeo.asks(
    reading(romeo),
    "<iq type='error'><error><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
  );
});
