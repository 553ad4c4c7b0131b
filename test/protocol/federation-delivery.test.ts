/** The way of a message between two servers, as the founding notes of the project tell it, step by step. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { federationLines } from "../../src/federation-report.ts";
import { until } from "../support/until.ts";
import { world } from "../support/world.ts";

const body = "<body>Wherefore art thou Romeo?</body>";
const written = (to: string): string => `<message to='${to}' type='chat' id='scene-2'>${body}</message>`;

const notAllowed = (from: string): string =>
  `<message from='${from}' type='error' id='scene-2'>${body}` +
  `<error type='cancel'><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`;

const stage = (t: Parameters<typeof world>[0]) =>
  world(t, { capulet: { juliet: {} }, montague: { romeo: {} } });

test("Romeo is there: he gets it", async (t) => {
  await using verona = await stage(t);
  const { juliet, romeo } = verona.actors;
  juliet.sends(written(romeo.bare));
  await romeo.receives(
    `<message from='${juliet.full}' to='${romeo.bare}' type='chat' id='scene-2'>${body}</message>`,
  );
  await juliet.receivesNothing();
});

test("montague is denied at capulet: Juliet is told, and nothing leaves", async (t) => {
  await using verona = await stage(t);
  const { juliet, romeo } = verona.actors;
  const { capulet, montague } = verona.stages;
  capulet.node.policy.set({ deny: [montague.domain] });
  juliet.sends(written(romeo.bare));
  await juliet.receives(notAllowed(romeo.bare));
  await capulet.settle();
  assert.deepEqual(verona.dns.asked, [], "nobody was even looked up");
  assert.deepEqual(await capulet.node.federation.status(), []);
});

test("capulet is denied at montague: the stream is refused with policy-violation, and Juliet is told", async (t) => {
  await using verona = await stage(t);
  const { juliet, romeo } = verona.actors;
  const { capulet, montague } = verona.stages;
  montague.node.policy.set({ deny: [capulet.domain] });
  juliet.sends(written(romeo.bare));
  await juliet.receives(notAllowed(romeo.bare));
  const said = () => capulet.log.filter(({ msg }) => msg.includes("cannot be reached"));
  await until(() => said().length > 0, "the log says why");
  const [line, ...more] = federationLines(await capulet.node.federation.status());
  assert.deepEqual(more, []);
  assert.equal(line!.state, "failing");
  assert.match(line!.problem!, /does not let us in \(policy-violation/);
  assert.equal(said().length, 1);
  assert(montague.log.some(({ msg }) => msg === "a denied server was refused"));
});

test("Romeo is offline: the message waits for him, and says when it was written", async (t) => {
  await using verona = await stage(t);
  const { juliet, romeo } = verona.actors;
  const { montague } = verona.stages;
  await romeo.ends();
  juliet.sends(written(romeo.bare));
  await verona.settle();
  const back = await montague.login("romeo", { presence: false });
  await back.receivesNothing();
  back.sends("<presence/>");
  await back.receives(
    `<message from='${juliet.full}' type='chat' id='scene-2'>${body}` +
      `<delay xmlns='urn:xmpp:delay' from='${montague.domain}' stamp='{any}'/></message>`,
  );
  await back.receives(`<presence from='${back.full}'/>`);
  await back.receivesNothing();
  await juliet.receivesNothing();
});

test("the rules change while both run: what is denied ends at once, and what is allowed begins at once", async (t) => {
  await using verona = await stage(t);
  const { juliet, romeo } = verona.actors;
  const { capulet, montague } = verona.stages;
  juliet.sends(written(romeo.bare));
  await romeo.receives(`<message from='${juliet.full}'/>`);
  montague.node.policy.set({ deny: [capulet.domain] });
  juliet.sends(written(romeo.bare));
  await juliet.receives(notAllowed(romeo.bare));
  montague.node.policy.set({ allow: [capulet.domain], deny: [] });
  // What montague said of itself a moment ago is forgotten when it calls.
  romeo.sends(`<message to='${juliet.bare}' type='chat'><body>I take thee at thy word</body></message>`);
  await juliet.receives(`<message from='${romeo.full}'><body>I take thee at thy word</body></message>`);
  juliet.sends(written(romeo.bare));
  await romeo.receives(`<message from='${juliet.full}'/>`);
  await verona.settle();
});
