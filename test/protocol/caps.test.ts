/** XEP-0115: what the server learns of clients, and what it believes. The proof is who hears of a publish (XEP-0163). */
import { test } from "node:test";
import { wanting, shows, questionTo, type ClientCaps } from "../support/client-caps.ts";
import { cast, type Actor } from "../support/cast.ts";

const friends = [
  ["juliet", "romeo"],
  ["juliet", "nurse"],
] as const;
const tune = "http://jabber.org/protocol/tune";
const mood = "http://jabber.org/protocol/mood";
const info = "http://jabber.org/protocol/disco#info";

const publishing = (node: string, id = "current"): string =>
  `<iq type='set'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='${node}'>
     <item id='${id}'><note xmlns='urn:example:note'/></item></publish></pubsub></iq>`;
const event = (from: Actor, node: string, id = "current"): string =>
  `<message type='headline' from='${from.bare}'><event xmlns='http://jabber.org/protocol/pubsub#event'>
     <items node='${node}'><item id='${id}'/></items></event></message>`;
const ok = "<iq type='result'/>";

/** Whose presence comes in along the way is the roster's business, not this file's. */
const ignoresPresence = (...actors: Actor[]): void => {
  for (const actor of actors) {
    const kept = actor.inbox.filter(({ name }) => name !== "presence");
    actor.inbox.splice(0, actor.inbox.length, ...kept);
  }
};

test("a hash is asked for once, whoever shows it", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {}, nurse: {} }, { friends });
  const { juliet, romeo, nurse } = stage.actors;
  const caps = wanting([tune]);
  await shows(romeo, caps);
  await stage.settle();
  nurse.sends(`<presence>${caps.c}</presence>`);
  await stage.settle();
  ignoresPresence(juliet, romeo, nurse);
  await nurse.receivesNothing();
  await juliet.asks(publishing(tune), ok);
  for (const actor of [romeo, nurse]) await actor.receives(event(juliet, tune));
});

test("who shows a hash while it is being asked for is not asked", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {}, nurse: {} }, { friends });
  const { juliet, romeo, nurse } = stage.actors;
  const caps = wanting([tune]);
  romeo.sends(`<presence>${caps.c}</presence>`);
  const question = await romeo.receives(questionTo(romeo));
  nurse.sends(`<presence>${caps.c}</presence>`);
  await stage.settle();
  romeo.answers(question, caps.query);
  await stage.settle();
  ignoresPresence(juliet, romeo, nurse);
  await juliet.asks(publishing(tune), ok);
  for (const actor of [romeo, nurse]) await actor.receives(event(juliet, tune));
});

test("a client that keeps its capabilities is not asked again, with or without showing them", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  const caps = wanting([tune]);
  await shows(juliet, caps);
  juliet.sends(`<presence><show>away</show>${caps.c}</presence><presence><show>dnd</show></presence>`);
  await stage.settle();
  ignoresPresence(juliet);
  await juliet.asks(publishing(tune), ok);
  await juliet.receives(event(juliet, tune));
  await juliet.receivesNothing();
});

test("new capabilities replace the old ones", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  await shows(juliet, wanting([tune]));
  await shows(juliet, wanting([mood]));
  await stage.settle();
  ignoresPresence(juliet);
  await juliet.asks(publishing(tune), ok);
  await juliet.asks(publishing(mood), ok);
  await juliet.receives(event(juliet, mood));
  await juliet.receivesNothing();
});

const lies: [string, (honest: ClientCaps) => string][] = [
  ["features that the hash does not cover", () => wanting([mood]).query],
  ["a feature twice", ({ query }) => query.replace("</query>", `<feature var='${info}'/></query>`)],
  [
    "an identity twice",
    ({ query }) => query.replace("<feature", "<identity category='client' type='pc' name='Test'/><feature"),
  ],
];
for (const [what, lie] of lies) {
  test(`an answer with ${what} counts for nobody else (§5.4)`, async (t) => {
    await using stage = await cast(t, { tybalt: {}, romeo: {}, nurse: {} });
    const { tybalt, romeo, nurse } = stage.actors;
    const caps = wanting([tune]);
    tybalt.sends(`<presence>${caps.c}</presence>`);
    tybalt.answers(await tybalt.receives(questionTo(tybalt)), lie(caps));
    await stage.settle();
    await shows(romeo, caps);
    await stage.settle();
    nurse.sends(`<presence>${caps.c}</presence>`);
    await stage.settle();
    ignoresPresence(tybalt, romeo, nurse);
    for (const actor of [romeo, nurse]) {
      await actor.asks(publishing(tune), ok);
      await actor.asks(publishing(mood), ok);
      await actor.receives(event(actor, tune));
      await actor.receivesNothing();
    }
  });
}

test("an answer that does not fit counts for its sender", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  juliet.sends(`<presence>${wanting([tune]).c}</presence>`);
  juliet.answers(await juliet.receives(questionTo(juliet)), wanting([mood]).query);
  await stage.settle();
  ignoresPresence(juliet);
  await juliet.asks(publishing(tune), ok);
  await juliet.asks(publishing(mood), ok);
  await juliet.receives(event(juliet, mood));
  await juliet.receivesNothing();
});

test("where the first who is asked lies, the next one is asked", async (t) => {
  await using stage = await cast(t, { tybalt: {}, romeo: {} });
  const { tybalt, romeo } = stage.actors;
  const caps = wanting([tune]);
  tybalt.sends(`<presence>${caps.c}</presence>`);
  const question = await tybalt.receives(questionTo(tybalt));
  romeo.sends(`<presence>${caps.c}</presence>`);
  await stage.settle();
  tybalt.sends(`<iq type='error' id='${question.attrs["id"]}' to='${tybalt.bare}'>
    <error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`);
  romeo.answers(await romeo.receives(questionTo(romeo)), caps.query);
  await stage.settle();
  ignoresPresence(tybalt, romeo);
  await romeo.asks(publishing(tune), ok);
  await romeo.receives(event(romeo, tune));
  await tybalt.asks(publishing(tune), ok);
  await tybalt.receives(event(tybalt, tune));
});

test("legacy capabilities, and hashes that cannot be verified, are asked for at each resource", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} }, { friends: [["juliet", "romeo"]] });
  const { juliet, romeo } = stage.actors;
  const forms = [
    ["", "{none}"],
    ["hash='md5'", "http://psi-im.org/caps#0.9"],
  ] as const;
  for (const [hash, node] of forms) {
    for (const actor of [juliet, romeo]) {
      actor.sends(
        `<presence><c xmlns='http://jabber.org/protocol/caps' ${hash} node='http://psi-im.org/caps' ver='0.9' ext='ca'/></presence>`,
      );
      const question = await actor.receives(questionTo(actor, node));
      actor.answers(question, wanting(actor === juliet ? [mood] : [tune]).query);
      await stage.settle();
    }
    ignoresPresence(juliet, romeo);
    await juliet.asks(publishing(tune), ok);
    await juliet.asks(publishing(mood), ok);
    await juliet.receives(event(juliet, mood));
    await romeo.receives(event(juliet, tune));
    await stage.settle();
  }
});

test("an answer that comes after the client has left changes nothing", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  const caps = wanting([tune]);
  await juliet.asks(publishing(tune), ok);
  juliet.sends(`<presence>${caps.c}</presence>`);
  const question = await juliet.receives(questionTo(juliet));
  juliet.sends("<presence type='unavailable'/>");
  juliet.answers(question, caps.query);
  await stage.settle();
  ignoresPresence(juliet);
  await juliet.asks(publishing(tune), ok);
  await juliet.receivesNothing();
});

test("a client that leaves and comes back is known by its hash", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  const caps = wanting([tune]);
  await shows(juliet, caps);
  juliet.sends(`<presence type='unavailable'/><presence>${caps.c}</presence>`);
  await stage.settle();
  ignoresPresence(juliet);
  await juliet.asks(publishing(tune), ok);
  await juliet.receives(event(juliet, tune));
  await juliet.receivesNothing();
});
