/** XEP-0283: Moved. A contact asks from a new address, and says which one it had. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { attr, child, children } from "../../src/xmpp/xml.ts";
import { cast, type Actor, type Stage } from "../support/cast.ts";
import { ComponentActor } from "../support/component.ts";
import { world } from "../support/world.ts";

const ns = "urn:xmpp:moved:1";
const pubsub = "http://jabber.org/protocol/pubsub";
const ok = "<iq type='result'/>";

const states = (old: Actor, now: string): Promise<unknown> =>
  old.asks(
    `<iq type='set'><pubsub xmlns='${pubsub}'><publish node='${ns}'><item id='current'>
       <moved xmlns='${ns}'><new-jid>${now}</new-jid></moved></item></publish></pubsub></iq>`,
    ok,
  );
const asking = (to: Actor, old: string): string =>
  `<presence type='subscribe' to='${to.bare}'><moved xmlns='${ns}'><old-jid>${old}</old-jid></moved></presence>`;
const request = (from: Actor, old: string): string =>
  `<presence type='subscribe' from='${from.bare}'><moved xmlns='${ns}'><old-jid>${old}</old-jid></moved></presence>`;

/** The roster, as `contact: subscription [ask] (name)`. */
async function roster(actor: Actor): Promise<string[]> {
  const reply = await actor.asks("<iq type='get'><query xmlns='jabber:iq:roster'/></iq>", ok);
  return children(child(reply, "query", "jabber:iq:roster")!)
    .map((item) => {
      const ask = attr(item, "ask") ? " asked" : "";
      return `${attr(item, "jid")!.split("@")[0]}: ${attr(item, "subscription")}${ask}${attr(item, "name") ? ` (${attr(item, "name")})` : ""}`;
    })
    .sort();
}

async function forgets(settling: { settle(): Promise<void> }, ...actors: Actor[]): Promise<void> {
  await settling.settle();
  for (const actor of actors) actor.inbox.length = 0;
}

const people = { juliet: {}, capulet: {}, romeo: {} };
const friends = { friends: [["juliet", "romeo"]] } as const;

describe("a verified move", () => {
  test("is followed by the server: the new address gets what the old one had, and the old one loses it", async (t) => {
    await using stage = await cast(t, people, friends);
    const { juliet, capulet, romeo } = stage.actors;
    await romeo.asks(
      `<iq type='set'><query xmlns='jabber:iq:roster'><item jid='${juliet.bare}' name='Jule'><group>Love</group></item></query></iq>`,
      ok,
    );
    await states(juliet, capulet.bare);
    await roster(capulet);
    capulet.sends(asking(romeo, juliet.bare));
    await capulet.receives(`<presence type='subscribed' from='${romeo.bare}'/>`);
    await capulet.receives(`<presence from='${romeo.full}'/>`);
    await capulet.receives(`<presence type='subscribe' from='${romeo.bare}'/>`);
    await juliet.receives(`<presence type='unavailable' from='${romeo.full}'/>`);
    await stage.settle();
    // What the server has answered is no request for the user's clients.
    assert(!romeo.inbox.some((one) => attr(one, "type") === "subscribe"));
    assert.deepEqual(await roster(romeo), ["capulet: from asked (Jule)", "juliet: to (Jule)"]);
    await forgets(stage, juliet, capulet, romeo);
  });

  test("is followed between servers, where the statement is on a third", async (t) => {
    await using verona = await world(t, {
      capulet: { juliet: {} },
      escalus: { jule: {} },
      montague: { romeo: {} },
    });
    const { juliet, jule, romeo } = verona.actors;
    juliet.sends(`<presence type='subscribe' to='${romeo.bare}'/>`);
    await romeo.receives(`<presence type='subscribe' from='${juliet.bare}'/>`);
    romeo.sends(`<presence type='subscribed' to='${juliet.bare}'/>`);
    await juliet.receives(`<presence from='${romeo.full}'/>`);
    // The statement is for contacts, and romeo is none of hers as yet.
    juliet.sends(`<presence type='subscribed' to='${romeo.bare}'/>`);
    romeo.sends(`<presence type='subscribe' to='${juliet.bare}'/>`);
    await romeo.receives(`<presence from='${juliet.full}'/>`);
    await states(juliet, jule.bare);
    await roster(jule);
    jule.sends(asking(romeo, juliet.bare));
    await jule.receives(`<presence type='subscribed' from='${romeo.bare}'/>`);
    await jule.receives(`<presence type='subscribe' from='${romeo.bare}'/>`);
    await juliet.receives(`<presence type='unavailable' from='${romeo.full}'/>`);
    await verona.settle();
    assert.deepEqual(await roster(romeo), ["jule: from asked", "juliet: to"]);
    await forgets(verona, juliet, jule, romeo);
  });
});

describe("a request like any other, with what it says (§4.4)", () => {
  const isOrdinary = async (stage: Stage, now: Actor, romeo: Actor, old: string): Promise<void> => {
    now.sends(asking(romeo, old));
    await romeo.receives(request(now, old));
    assert(!(await roster(romeo)).some((item) => item.startsWith("capulet")));
    await now.receivesNothing();
    await stage.settle();
  };

  test("where there is no statement, or one of another address", async (t) => {
    await using stage = await cast(t, people, friends);
    const { juliet, capulet, romeo } = stage.actors;
    await isOrdinary(stage, capulet, romeo, juliet.bare);
    romeo.sends(`<presence type='unsubscribed' to='${capulet.bare}'/>`);
    await stage.settle();
    await states(juliet, stage.bare("tybalt"));
    await isOrdinary(stage, capulet, romeo, juliet.bare);
    await forgets(stage, capulet);
  });

  test("where the old address was no contact who saw the presence, or is blocked", async (t) => {
    await using stage = await cast(t, people);
    const { juliet, capulet, romeo } = stage.actors;
    await states(juliet, capulet.bare);
    await isOrdinary(stage, capulet, romeo, juliet.bare);
    romeo.sends(`<presence type='unsubscribed' to='${capulet.bare}'/>`);
    await stage.settle();
    juliet.sends(`<presence type='subscribe' to='${romeo.bare}'/>`);
    await romeo.receives(`<presence type='subscribe' from='${juliet.bare}'/>`);
    romeo.sends(`<presence type='subscribed' to='${juliet.bare}'/>`);
    await romeo.asks(
      `<iq type='set'><block xmlns='urn:xmpp:blocking'><item jid='${juliet.bare}'/></block></iq>`,
      ok,
    );
    await forgets(stage, juliet, capulet, romeo);
    await isOrdinary(stage, capulet, romeo, juliet.bare);
  });

  test("and where the contact or the request was turned away while the old address thought about it", async (t) => {
    const config = { components: { plays: { secret: "s" } } };
    await using stage = await cast(t, { capulet: {}, tybalt: {}, romeo: {} }, { config });
    const { capulet, tybalt, romeo } = stage.actors;
    const old = "juliet@plays.pipit.test";
    const component = await ComponentActor.joins(stage.node.ports.component!, "plays.pipit.test", "s");
    t.after(() => component.kill());
    const turnedAway = async (now: Actor, how: () => Promise<unknown>): Promise<void> => {
      component.sends(`<presence type='subscribe' from='${old}' to='${romeo.bare}'/>`);
      await romeo.receives(`<presence type='subscribe' from='${old}'/>`);
      romeo.sends(`<presence type='subscribed' to='${old}'/>`);
      await component.receives(`<presence type='subscribed' to='${old}'/>`);
      now.sends(asking(romeo, old));
      const asked = await component.receives(`<iq type='get' to='${old}'><pubsub xmlns='${pubsub}'/></iq>`);
      await how();
      component.sends(
        `<iq type='result' id='${attr(asked, "id")}' from='${old}' to='${romeo.bare}'><pubsub xmlns='${pubsub}'>
           <items node='${ns}'><item id='current'><moved xmlns='${ns}'><new-jid>${now.bare}</new-jid></moved></item>
           </items></pubsub></iq>`,
      );
      await component.asks(`<iq type='get' to='pipit.test'><ping xmlns='urn:xmpp:ping'/></iq>`, ok);
      await stage.settle();
    };
    await turnedAway(capulet, async () => {
      romeo.sends(`<presence type='unsubscribed' to='${old}'/>`);
      await component.receives(`<presence type='unsubscribed' to='${old}'/>`);
    });
    await romeo.receives(request(capulet, old));
    await capulet.receivesNothing();
    await turnedAway(tybalt, () =>
      romeo.asks(
        `<iq type='set'><block xmlns='urn:xmpp:blocking'><item jid='${tybalt.bare}'/></block></iq>`,
        ok,
      ),
    );
    assert.deepEqual(await roster(romeo), ["juliet: from"]);
    await forgets(stage, capulet, tybalt, romeo);
    component.inbox.length = 0;
  });

  test("and an address moves once", async (t) => {
    await using stage = await cast(t, { ...people, tybalt: {} }, friends);
    const { juliet, capulet, romeo, tybalt } = stage.actors;
    await states(juliet, capulet.bare);
    await roster(capulet);
    capulet.sends(asking(romeo, juliet.bare));
    await capulet.receives(`<presence type='subscribed' from='${romeo.bare}'/>`);
    await stage.settle();
    await states(juliet, tybalt.bare);
    await forgets(stage, juliet, capulet, romeo);
    tybalt.sends(asking(romeo, juliet.bare));
    await romeo.receives(request(tybalt, juliet.bare));
    await tybalt.receivesNothing();
  });
});
