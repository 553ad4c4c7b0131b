/** RFC 6121 §3 and §4 between two servers: subscriptions, probes, directed presence, and what is left when one is gone. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { parseJid } from "../../src/xmpp/jid.ts";
import { attr, serialize } from "../../src/xmpp/xml.ts";
import { cast, type Actor } from "../support/cast.ts";
import { readElement } from "../support/reader.ts";
import { world } from "../support/world.ts";

const houses = { capulet: { juliet: {}, nurse: {} }, montague: { romeo: {} } } as const;

/** Each sees the other. */
async function befriend(one: Actor, other: Actor): Promise<void> {
  for (const [asker, asked] of [
    [one, other],
    [other, one],
  ] as const) {
    asker.sends(`<presence type='subscribe' to='${asked.bare}'/>`);
    await asked.receives(`<presence type='subscribe' from='${asker.bare}'/>`);
    asked.sends(`<presence type='subscribed' to='${asker.bare}'/>`);
    await asker.receives(`<presence from='${asked.full}'/>`);
  }
}

const gone = (actor: Actor): string => `<presence type='unavailable' from='${actor.full}'/>`;

describe("across two servers", () => {
  test("a subscription is asked, granted and ended", async (t) => {
    await using verona = await world(t, houses);
    const { juliet, romeo, nurse } = verona.actors;
    await juliet.asks("<iq type='get'><query xmlns='jabber:iq:roster'/></iq>", "<iq type='result'/>");
    const push = (subscription: string) =>
      juliet.receives(
        `<iq type='set'><query xmlns='jabber:iq:roster'><item jid='${romeo.bare}' subscription='${subscription}'/></query></iq>`,
      );
    juliet.sends(`<presence type='subscribe' to='${romeo.full}'><status>It is the east</status></presence>`);
    await push("none");
    const asked = await romeo.receives(
      `<presence type='subscribe' from='${juliet.bare}' to='${romeo.bare}'><status>It is the east</status></presence>`,
    );
    assert(asked);
    romeo.sends(`<presence type='subscribed' to='${juliet.bare}'/>`);
    await push("to");
    await juliet.receives(`<presence type='subscribed' from='${romeo.bare}'/>`);
    await juliet.receives(`<presence from='${romeo.full}' to='${juliet.bare}'/>`);
    romeo.sends("<presence><show>away</show></presence>");
    await juliet.receives(`<presence from='${romeo.full}'><show>away</show></presence>`);
    await romeo.receives(`<presence from='${romeo.full}'/>`);
    juliet.sends(`<presence type='unsubscribe' to='${romeo.bare}'/>`);
    await push("none");
    await juliet.receives(gone(romeo));
    await romeo.receivesNothing();
    await nurse.receivesNothing();
    await juliet.receivesNothing();
  });

  test("who logs in sees those who are there, and is seen; who leaves is seen to leave", async (t) => {
    await using verona = await world(t, houses);
    const { juliet, romeo } = verona.actors;
    await befriend(juliet, romeo);
    await romeo.ends();
    await juliet.receives(gone(romeo));
    const back = await verona.stages.montague.login("romeo", { presence: false });
    back.sends("<presence/>");
    await back.receives(`<presence from='${back.full}'/>`);
    await back.receives(`<presence from='${juliet.full}'/>`);
    await juliet.receives(`<presence from='${back.full}'/>`);
    await back.receivesNothing();
    // A broken connection is no better than a farewell.
    await back.kill();
    await juliet.receives(gone(back));
    await juliet.receivesNothing();
  });

  test("presence is directed at strangers, and they learn that it ends", async (t) => {
    await using verona = await world(t, houses);
    const { juliet, romeo } = verona.actors;
    juliet.sends(`<presence to='${romeo.full}'><status>psst</status></presence>`);
    await romeo.receives(`<presence from='${juliet.full}'><status>psst</status></presence>`);
    await juliet.ends();
    await romeo.receives(gone(juliet));
    await romeo.receivesNothing();
  });

  test("a stranger who probes learns nothing", async (t) => {
    await using verona = await world(t, houses);
    const { juliet, romeo } = verona.actors;
    for (const name of ["romeo", "nobody"]) {
      juliet.sends(`<presence type='probe' to='${name}@montague.example'/>`);
      await juliet.receivesNothing();
    }
    await romeo.receivesNothing();
  });
});

/** A node whose way to other domains is written down instead of gone. */
async function alone(t: TestContext) {
  const stage = await cast(t, { juliet: {}, nurse: {} }, { config: { listen: { s2s: 0 } } });
  const { federation, router, events } = stage.node;
  const sent: string[] = [];
  const keep: typeof federation.send = (stanza, _from, _to, text = serialize(stanza)) => {
    sent.push(text);
  };
  t.mock.method(federation, "send", keep);
  const comes = (xml: string) => router.receiveRemote(readElement(xml));
  const befriends = async (account: string, contact: string): Promise<void> => {
    const { rosters } = stage.node;
    await rosters.pass({ account, contact, direction: "out", type: "subscribe" });
    await rosters.pass({ account, contact, direction: "in", type: "subscribed" });
  };
  const takes = () => sent.splice(0);
  return { stage, events, comes, takes, befriends };
}

describe("a domain that is lost", () => {
  const domain = "montague.example";

  test("takes those away who were seen there, once, and nobody else", async (t) => {
    const { stage, events, comes, takes } = await alone(t);
    const { juliet, nurse } = stage.actors;
    await comes(`<presence from='romeo@${domain}/orchard' to='${juliet.bare}'/>`);
    await comes(`<presence from='romeo@${domain}/orchard' to='${nurse.bare}'/>`);
    await comes(`<presence from='paris@verona.example/a' to='${juliet.bare}'/>`);
    await comes(`<presence from='tybalt@${domain}/a' to='${juliet.bare}'/>`);
    await comes(`<presence from='tybalt@${domain}/a' to='${juliet.bare}' type='unavailable'/>`);
    await stage.settle();
    for (const { inbox } of [juliet, nurse]) inbox.length = 0;
    takes();
    events.emit("domain.lost", { domain });
    events.emit("domain.lost", { domain });
    for (const actor of [juliet, nurse]) {
      await actor.receives(
        `<presence type='unavailable' from='romeo@${domain}/orchard' to='${actor.bare}'/>`,
      );
      await actor.receivesNothing();
    }
    assert.deepEqual(takes(), []);
  });

  test("is asked again when it is back: each contact once, for each account that is there", async (t) => {
    const { stage, events, takes, befriends } = await alone(t);
    const { juliet, nurse } = stage.actors;
    const contacts = Array.from({ length: 1_000 }, (_, at) => `contact-${at}@${domain}`);
    for (const contact of contacts) await befriends(juliet.bare, contact);
    await befriends(nurse.bare, contacts[0]!);
    await befriends(juliet.bare, "paris@verona.example");
    await nurse.ends();
    const desk = await stage.login("juliet", { resource: "desk" });
    await desk.pings();
    const probes = takes().filter((text) => attr(readElement(text), "type") === "probe");
    assert.equal(probes.length, 1_001);
    events.emit("domain.lost", { domain });
    events.emit("domain.connected", { domain, again: false });
    await stage.settle();
    assert.deepEqual(takes(), []);
    events.emit("domain.connected", { domain, again: true });
    await stage.settle();
    const again = takes().map((text) => readElement(text));
    assert.deepEqual(
      again.map((one) => [attr(one, "type"), attr(one, "from"), attr(one, "to")]),
      contacts.map((contact) => ["probe", juliet.bare, contact]),
    );
    for (const { inbox } of [juliet, desk]) inbox.length = 0;
  });

  test("its clients' capabilities are asked for by the account that sees them", async (t) => {
    const { stage, comes, takes } = await alone(t);
    const { juliet } = stage.actors;
    await comes(
      `<presence from='romeo@${domain}/orchard' to='${juliet.bare}'>
        <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/></presence>`,
    );
    await juliet.receives("<presence/>");
    const [ask, ...more] = takes().map((text) => readElement(text));
    assert.deepEqual(more, []);
    assert.deepEqual([attr(ask!, "from"), attr(ask!, "to")], [juliet.bare, `romeo@${domain}/orchard`]);
    assert(parseJid(attr(ask!, "from")!)!.isBare);
  });
});
