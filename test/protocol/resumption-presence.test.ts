/** XEP-0198 §5: what others see of a session that rests, what it misses, and what becomes of that when it is over. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { parseJid } from "../../src/xmpp/jid.ts";
import { NS } from "../../src/xmpp/ns.ts";
import { attr } from "../../src/xmpp/xml.ts";
import { cast, type Actor, type ClientStream, type Stage } from "../support/cast.ts";
import {
  acknowledges,
  enablesResumption,
  failsToResume,
  asksToResume,
  resumes,
} from "../support/management.ts";
import { until } from "../support/until.ts";

const presence = `<presence from='{any}'/>`;

/** Loses the connection of an actor; the session rests once this resolves. */
async function loses(stage: Stage, actor: Actor): Promise<void> {
  let rests = false;
  stage.node.events.on(
    "session.hibernated",
    ({ session }) => void (rests ||= session.jid.full === actor.full),
  );
  await actor.kill();
  await until(() => rests, `${actor.full} rests`);
}

/** Waits until what is said in `act` has ended the session of that actor, and whoever heard of it is through. */
async function ends(stage: Stage, actor: Actor, act: () => unknown): Promise<void> {
  let isOver = false;
  stage.node.events.on("session.closed", ({ session }) => void (isOver ||= session.jid.full === actor.full));
  await act();
  await until(() => isOver, `${actor.full} is over`);
  await stage.settle();
}

/** A new connection of somebody, authenticated. */
async function returns(stage: Stage, name: string): Promise<ClientStream> {
  const stream = await stage.connects();
  await stream.opens();
  await stream.receives("<stream:features/>");
  await stream.authenticates(name, `${name}'s secret`);
  return stream;
}

/** Romeo and Juliet, friends; Juliet can resume. */
async function play(t: TestContext, seconds = 600) {
  const stage = await cast(
    t,
    { romeo: {}, juliet: {} },
    { friends: [["romeo", "juliet"]], config: { c2s: { resume_seconds: seconds } } },
  );
  const { romeo, juliet } = stage.actors;
  return { stage, romeo, juliet, id: await enablesResumption(juliet) };
}

test("nobody notices that a session rests, or that it is resumed", async (t) => {
  const { stage, romeo, juliet, id } = await play(t);
  await loses(stage, juliet);
  await romeo.receivesNothing();
  romeo.sends(`<presence type='probe' to='${juliet.full}'/>`);
  const again = await returns(stage, "juliet");
  await resumes(again, id, 0);
  await romeo.receives(`<presence from='${juliet.full}'/>`);
  await romeo.receivesNothing();
});

test("what comes meanwhile is there when the client is back, and only the latest of presence", async (t) => {
  const { stage, romeo, juliet, id } = await play(t);
  await juliet.asks(`<iq type='get'><query xmlns='${NS.roster}'/></iq>`);
  await loses(stage, juliet);
  romeo.sends("<presence><show>away</show></presence>");
  romeo.sends("<presence><show>dnd</show></presence>");
  await romeo.pings();
  romeo.inbox.length = 0;
  romeo.sends(`<message type='chat' to='${juliet.bare}' id='m1'><body>soft!</body></message>`);
  romeo.sends(`<iq type='get' to='${juliet.full}' id='q'><query xmlns='test:q'/></iq>`);
  await romeo.pings();
  await stage.node.rosters.set(juliet.bare, { jid: "nurse@capulet.test", name: "Nurse", groups: [] });
  await romeo.pings();
  const again = await returns(stage, "juliet");
  await resumes(again, id, 1);
  await again.receivesNext(`<presence from='${romeo.full}'><show>dnd</show></presence>`);
  await again.receivesNext(
    `<message id='m1'><body>soft!</body><delay xmlns='${NS.delay}' stamp='{any}'/></message>`,
  );
  const request = await again.receivesNext(`<iq type='get' id='q' from='${romeo.full}'/>`);
  await again.receivesNext(
    `<iq type='set'><query xmlns='${NS.roster}'><item jid='nurse@capulet.test'/></query></iq>`,
  );
  await again.receives(`<r xmlns='${NS.streamManagement}'/>`);
  again.answers(request);
  await romeo.receives("<iq type='result' id='q'/>");
});

test("when its time is over, all who saw it or were greeted by it learn that it is gone, once", async (t) => {
  const { stage, romeo, juliet } = await play(t, 1);
  const stranger = await stage.login("romeo", { resource: "other", presence: false });
  juliet.sends(`<presence to='${stranger.full}'/>`);
  await stranger.receives(`<presence from='${juliet.full}'/>`);
  await ends(stage, juliet, () => loses(stage, juliet));
  await romeo.receivesNext(`<presence type='unavailable' from='${juliet.full}'/>`);
  await romeo.receivesNothing();
});

test("what it did not get is dealt with as for somebody who is away, in order", async (t) => {
  const { stage, romeo, juliet } = await play(t);
  await loses(stage, juliet);
  romeo.sends("<presence><show>away</show></presence>");
  for (const n of [1, 2, 3])
    romeo.sends(
      `<message type='chat' to='${n === 2 ? juliet.full : juliet.bare}' id='${n}'><body>${n}</body></message>`,
    );
  romeo.sends(`<iq type='get' to='${juliet.full}' id='get'><query xmlns='test:q'/></iq>`);
  romeo.sends(`<iq type='result' to='${juliet.full}' id='result'/>`);
  romeo.sends(`<message type='chat' to='${juliet.full}' id='s'><active xmlns='${NS.chatStates}'/></message>`);
  await romeo.pings();
  romeo.inbox.length = 0;
  const session = stage.node.sessions.get(parseJid(juliet.full)!)!;
  await ends(stage, juliet, () => session.close());
  await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`);
  await romeo.receives(
    `<iq type='error' id='get' from='${juliet.full}'><error><service-unavailable xmlns='${NS.stanzas}'/></error></iq>`,
  );
  await romeo.receivesNothing();

  const later = await stage.login("juliet", { presence: false });
  later.sends("<presence/>");
  await stage.settle();
  const messages = later.inbox.filter(({ name }) => name === "message");
  assert.deepEqual(
    messages.map((one) => attr(one, "id")),
    ["1", "2", "3"],
  );
  later.inbox.length = romeo.inbox.length = 0;
});

test("what another client of the account has taken does not come again", async (t) => {
  const { stage, romeo, juliet } = await play(t);
  const tablet = await stage.login("juliet", { resource: "tablet" });
  await loses(stage, juliet);
  romeo.sends(`<message type='chat' to='${juliet.bare}' id='both'><body>both</body></message>`);
  await tablet.receives("<message id='both'/>");
  romeo.sends(`<message type='chat' to='${juliet.full}' id='one'><body>one</body></message>`);
  await romeo.pings();
  await ends(stage, juliet, () => stage.node.sessions.get(parseJid(juliet.full)!)!.close());
  await romeo.receives(`<presence type='unavailable'/>`);
  await tablet.receives(`<presence type='unavailable'/>`);
  // It was for the other one alone, which will not have it.
  await tablet.receives("<message id='one'/>");
  await tablet.receivesNothing();
  const later = await stage.login("juliet", { presence: false });
  later.sends("<presence/>");
  await later.receives(presence.replace("{any}", later.full));
  await stage.settle();
  assert.deepEqual(
    later.inbox.filter(({ name }) => name === "message"),
    [],
  );
  later.inbox.length = romeo.inbox.length = tablet.inbox.length = 0;
});

test("messages that were acknowledged do not come again, those that were not do", async (t) => {
  const { stage, romeo, juliet } = await play(t);
  for (const n of [1, 2, 3])
    romeo.sends(`<message type='chat' to='${juliet.bare}' id='${n}'><body>${n}</body></message>`);
  for (const n of [1, 2, 3]) await juliet.receives(`<message id='${n}'/>`);
  acknowledges(juliet, 2);
  await ends(stage, juliet, () => juliet.ends());
  await juliet.receives(`<a xmlns='${NS.streamManagement}' h='0'/>`);
  juliet.inbox.length = 0;
  await romeo.receives(`<presence type='unavailable'/>`);
  const later = await stage.login("juliet", { presence: false });
  later.sends("<presence/>");
  await later.receives("<message id='3'/>");
  await stage.settle();
  assert.deepEqual(
    later.inbox.filter(({ name }) => name === "message"),
    [],
  );
  later.inbox.length = romeo.inbox.length = 0;
});

for (const [what, act] of [
  [
    "its password is changed",
    (stage: Stage) => stage.node.accounts.setPassword(parseJid("juliet@pipit.test")!, "new"),
  ],
  ["the account is removed", (stage: Stage) => stage.node.accounts.remove(parseJid("juliet@pipit.test")!)],
] as const) {
  test(`a session that rests ends when ${what}`, async (t) => {
    const { stage, romeo, juliet } = await play(t);
    await loses(stage, juliet);
    await ends(stage, juliet, () => act(stage));
    await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`);
    romeo.inbox.length = 0;
    assert.deepEqual(await stage.node.store.db.select().from(stage.node.store.t.hibernatedSessions), []);
  });
}

test("sessions outlive a restart: those that rested, and those that were connected", async (t) => {
  const { stage, romeo, juliet, id } = await play(t);
  const romeosId = await enablesResumption(romeo);
  await juliet.asks(`<iq type='get'><query xmlns='${NS.roster}'/></iq>`);
  juliet.sends(`<presence to='stranger@pipit.test'/><presence to='mercutio@verona.test/x'/>`);
  await juliet.pings();
  juliet.inbox.length = 0;
  await loses(stage, juliet);
  romeo.sends(`<message type='chat' to='${juliet.bare}' id='before'><body>before</body></message>`);
  await romeo.pings();
  romeo.inbox.length = 0;
  await stage.restarts();
  assert.equal(stage.node.sessions.count, 2);

  const romeoAgain = await returns(stage, "romeo");
  assert((await resumes(romeoAgain, romeosId, 0)) > 0);
  await romeoAgain.receives(`<presence from='${juliet.full}'/>`);
  romeoAgain.inbox.length = 0;
  romeoAgain.sends(`<message type='chat' to='${juliet.bare}' id='after'><body>after</body></message>`);
  romeoAgain.sends("<presence><show>away</show></presence>");
  await romeoAgain.asks(`<iq type='get' to='pipit.test'><ping xmlns='${NS.ping}'/></iq>`);
  await stage.node.rosters.set(juliet.bare, { jid: "nurse@capulet.test", name: undefined, groups: [] });

  const again = await returns(stage, "juliet");
  await resumes(again, id, 0);
  const came = async () => await again.receivesNext();
  const order: (string | undefined)[] = [];
  for (let one = await came(); ; one = await came()) {
    if (one.name === "message") order.push(attr(one, "id"));
    if (one.name === "presence" && one.getChildText("show") === "away" && order.length === 2) break;
  }
  assert.deepEqual(order, ["before", "after"]);
  await stage.settle();
  again.inbox.length = romeoAgain.inbox.length = 0;
  assert.deepEqual(await stage.node.store.db.select().from(stage.node.store.t.hibernatedSessions), []);
});

test("after a restart a session that nobody resumes is gone for all, as it would have been before", async (t) => {
  const { stage, romeo, juliet, id } = await play(t, 2);
  const romeosId = await enablesResumption(romeo);
  juliet.sends(`<presence to='${romeo.full}'/>`);
  await juliet.pings();
  juliet.inbox.length = romeo.inbox.length = 0;
  await stage.restarts();
  const again = await returns(stage, "romeo");
  await resumes(again, romeosId, 0);
  await again.receives(`<presence type='unavailable' from='${juliet.full}'/>`);
  await stage.settle();
  const late = await returns(stage, "juliet");
  asksToResume(late, id, 0);
  await failsToResume(late, "item-not-found");
  again.inbox.length = 0;
});
