/** XEP-0292: the vCard4 in pubsub and the vcard-temp say the same. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { child } from "../../src/xmpp/xml.ts";
import { shows, wanting } from "../support/client-caps.ts";
import { cast, type Actor } from "../support/cast.ts";

const pubsub = "http://jabber.org/protocol/pubsub";
const node = "urn:xmpp:vcard4";
const ns = "urn:ietf:params:xml:ns:vcard-4.0";
const ok = "<iq type='result'/>";
const temp = (inside: string): string => `<vCard xmlns='vcard-temp'>${inside}</vCard>`;
const v4 = (inside: string): string => `<vcard xmlns='${ns}'>${inside}</vcard>`;
const publishing = (inside: string, access?: string, id = "current"): string =>
  `<iq type='set'><pubsub xmlns='${pubsub}'><publish node='${node}'><item id='${id}'>${v4(inside)}</item></publish>${
    access === undefined
      ? ""
      : `<publish-options><x xmlns='jabber:x:data' type='submit'><field var='pubsub#access_model'><value>${access}</value></field></x></publish-options>`
  }</pubsub></iq>`;
const setting = (inside: string): string => `<iq type='set'>${temp(inside)}</iq>`;
const reading = (of: Actor): string => `<iq type='get' to='${of.bare}'>${temp("")}</iq>`;
const fetching = (of: Actor): string =>
  `<iq type='get' to='${of.bare}'><pubsub xmlns='${pubsub}'><items node='${node}'/></pubsub></iq>`;
const items = (inside: string): string =>
  `<iq type='result'><pubsub xmlns='${pubsub}'><items node='${node}'><item id='current'>${v4(inside)}</item></items></pubsub></iq>`;
const error = (condition: string): string =>
  `<iq type='error'><error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`;

test("what is set in one is read in the other, and what one of them alone can say stays", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} });
  const { juliet, romeo } = stage.actors;
  await juliet.asks(
    `<iq type='get' to='${juliet.bare}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`,
    `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'><feature var='${ns}'/></query></iq>`,
  );
  await juliet.asks(setting("<FN>Juliet</FN><NICKNAME>Jule</NICKNAME><MAILER>Exodus</MAILER>"), ok);
  await romeo.asks(
    fetching(juliet),
    items("<fn><text>Juliet</text></fn><nickname><text>Jule</text></nickname>"),
  );
  const pronouns = "<pronouns><text>she/her</text></pronouns>";
  await juliet.asks(publishing(`<fn><text>Juliet Capulet</text></fn>${pronouns}`), ok);
  const reply = await romeo.asks(
    reading(juliet),
    `<iq type='result'>${temp("<FN>Juliet Capulet</FN><MAILER>Exodus</MAILER>")}</iq>`,
  );
  assert.equal(child(child(reply, "vCard", "vcard-temp")!, "NICKNAME"), undefined);
  await juliet.asks(setting("<FN>Jule</FN>"), ok);
  await romeo.asks(fetching(juliet), items(`<fn><text>Jule</text></fn>${pronouns}`));
});

test("who may read the one may read the other", async (t) => {
  await using stage = await cast(
    t,
    { juliet: {}, romeo: {}, tybalt: {} },
    { friends: [["juliet", "romeo"]] },
  );
  const { juliet, romeo, tybalt } = stage.actors;
  await juliet.asks(publishing("<fn><text>Juliet</text></fn>", "presence"), ok);
  await romeo.asks(reading(juliet), `<iq type='result'>${temp("<FN>Juliet</FN>")}</iq>`);
  await tybalt.asks(reading(juliet), error("service-unavailable"));
  // A client of the old kind changes what is said, not who may read it.
  await juliet.asks(setting("<FN>Jule</FN>"), ok);
  await romeo.asks(reading(juliet), `<iq type='result'>${temp("<FN>Jule</FN>")}</iq>`);
  await tybalt.asks(reading(juliet), error("service-unavailable"));
  await juliet.asks(reading(juliet), `<iq type='result'>${temp("<FN>Jule</FN>")}</iq>`);
});

test("contacts hear of a change by the old kind, and of none where nothing has changed", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} }, { friends: [["juliet", "romeo"]] });
  const { juliet, romeo } = stage.actors;
  await shows(romeo, wanting([node], romeo.full));
  await stage.settle();
  for (const actor of [juliet, romeo]) actor.inbox.length = 0;
  await juliet.asks(setting("<FN>Juliet</FN>"), ok);
  await romeo.receives(
    `<message type='headline' from='${juliet.bare}'><event xmlns='${pubsub}#event'><items node='${node}'>
       <item id='current'>${v4("<fn><text>Juliet</text></fn>")}</item></items></event></message>`,
  );
  await juliet.asks(setting("<FN>Juliet</FN><MAILER>Exodus</MAILER>"), ok);
  await romeo.receivesNothing();
});

test("an item of another id replaces the one before; with the last, the words go", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} });
  const { juliet, romeo } = stage.actors;
  await juliet.asks(publishing("<fn><text>One</text></fn>", "open", "a"), ok);
  await juliet.asks(publishing("<fn><text>Two</text></fn>", undefined, "b"), ok);
  await romeo.asks(reading(juliet), `<iq type='result'>${temp("<FN>Two</FN>")}</iq>`);
  await juliet.asks(
    `<iq type='set'><pubsub xmlns='${pubsub}'><retract node='${node}'><item id='b'/></retract></pubsub></iq>`,
    ok,
  );
  const reply = await romeo.asks(reading(juliet), ok);
  assert(!reply.toString().includes("Two"));
  await juliet.asks(
    `<iq type='set'><pubsub xmlns='${pubsub}'><publish node='${node}'><item><x xmlns='urn:example'/></item></publish></pubsub></iq>`,
    error("bad-request"),
  );
});
