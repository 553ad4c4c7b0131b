/** RFC 6121 §3: managing presence subscriptions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJid } from "../../src/xmpp/jid.ts";
import { attr, children } from "../../src/xmpp/xml.ts";
import { cast, type Actor } from "../support/cast.ts";
import { readElement } from "../support/reader.ts";

const interest = (actor: Actor) =>
  actor.asks("<iq type='get'><query xmlns='jabber:iq:roster'/></iq>", "<iq type='result'/>");
const push = (item: string) =>
  `<iq type='set'><query xmlns='jabber:iq:roster' ver='{any}'>${item}</query></iq>`;
const presence = (type: string, to: Actor | string, inside = "") =>
  `<presence type='${type}' to='${typeof to === "string" ? to : to.bare}'>${inside}</presence>`;

const silent = { presence: false } as const;

/** What a client sees of its roster: `both`, or `none ask`, say; nothing where the contact is not in it. */
async function stateOf(actor: Actor, contact: string): Promise<string | undefined> {
  const reply = await interest(actor);
  const item = children(children(reply)[0]!).find((one) => attr(one, "jid") === contact);
  if (!item) return undefined;
  return [attr(item, "subscription"), attr(item, "ask") && "ask", attr(item, "approved") && "approved"]
    .filter(Boolean)
    .join(" ");
}

test("a subscription from the request to its end, both ways (§3.1–§3.3)", async (t) => {
  await using stage = await cast(t, { romeo: { resource: "orchard" }, juliet: { resource: "balcony" } });
  const { romeo, juliet } = stage.actors;
  await interest(romeo);
  await interest(juliet);

  // §3.1.2: in the name of the account, to the account, whatever the client wrote.
  romeo.sends(`<presence type='subscribe' to='${juliet.full}' from='${romeo.full}' id='xk3h1v69'/>`);
  await romeo.receivesNext(push(`<item jid='${juliet.bare}' subscription='none' ask='subscribe'/>`));
  await juliet.receivesNext(
    `<presence type='subscribe' from='${romeo.bare}' to='${juliet.bare}' id='xk3h1v69'/>`,
  );
  assert.equal(await stateOf(juliet, romeo.bare), undefined, "§3.1.3: who asks is not in the roster yet");

  // §3.1.5, §3.1.6: approval, push, then the presence of every resource.
  juliet.sends(`<presence type='subscribed' to='${romeo.full}' id='h4v1c4kj'/>`);
  await juliet.receivesNext(push(`<item jid='${romeo.bare}' subscription='from' ask='{none}'/>`));
  await romeo.receivesNext(
    `<presence type='subscribed' from='${juliet.bare}' to='${romeo.bare}' id='h4v1c4kj'/>`,
  );
  await romeo.receivesNext(push(`<item jid='${juliet.bare}' subscription='to' ask='{none}'/>`));
  await romeo.receivesNext(`<presence from='${juliet.full}' to='${romeo.bare}'/>`);

  // The other direction makes it mutual.
  juliet.sends(presence("subscribe", romeo));
  await juliet.receivesNext(push(`<item jid='${romeo.bare}' subscription='from' ask='subscribe'/>`));
  await romeo.receivesNext(`<presence type='subscribe' from='${juliet.bare}'/>`);
  romeo.sends(presence("subscribed", juliet));
  await romeo.receivesNext(push(`<item jid='${juliet.bare}' subscription='both'/>`));
  await juliet.receivesNext(`<presence type='subscribed' from='${romeo.bare}'/>`);
  await juliet.receivesNext(push(`<item jid='${romeo.bare}' subscription='both'/>`));
  await juliet.receivesNext(`<presence from='${romeo.full}'/>`);

  // §3.3: Romeo unsubscribes.
  romeo.sends(presence("unsubscribe", juliet));
  await romeo.receivesNext(push(`<item jid='${juliet.bare}' subscription='from'/>`));
  await juliet.receivesNext(`<presence type='unsubscribe' from='${romeo.bare}'/>`);
  await juliet.receivesNext(push(`<item jid='${romeo.bare}' subscription='to'/>`));
  await romeo.receivesNext(`<presence type='unavailable' from='${juliet.full}'/>`);

  // §3.2: Romeo cancels Juliet's subscription; she is told that he is gone while she is still subscribed.
  romeo.sends(presence("unsubscribed", juliet));
  await romeo.receivesNext(push(`<item jid='${juliet.bare}' subscription='none'/>`));
  await juliet.receivesNext(`<presence type='unavailable' from='${romeo.full}'/>`);
  await juliet.receivesNext(`<presence type='unsubscribed' from='${romeo.bare}'/>`);
  await juliet.receivesNext(push(`<item jid='${romeo.bare}' subscription='none'/>`));

  await romeo.receivesNothing();
  await juliet.receivesNothing();
});

test("a request is kept whole and comes at every login, until it is answered (§3.1.3)", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: silent });
  const { romeo, juliet } = stage.actors;
  const inside = "<status>It is the east</status><nick xmlns='http://jabber.org/protocol/nick'>Romeo</nick>";
  const request = `<presence type='subscribe' from='${romeo.bare}' to='${juliet.bare}'>${inside}</presence>`;
  romeo.sends(presence("subscribe", juliet, inside));
  // Sent twice, it is one request still.
  romeo.sends(presence("subscribe", juliet));
  await juliet.receivesNothing();
  juliet.sends("<presence/>");
  await juliet.receives(`<presence from='${juliet.full}'/>`);
  await juliet.receives(request);
  await juliet.ends();

  const again = await stage.login("juliet", { resource: "again", presence: false });
  again.sends("<presence/>");
  await again.receives(`<presence from='${again.full}'/>`);
  await again.receives(request);
  // An update is no login.
  again.sends("<presence><show>away</show></presence>");
  await again.receives("<presence><show>away</show></presence>");
  await again.receivesNothing();
  again.sends(presence("unsubscribed", romeo));
  const third = await stage.login("juliet", { resource: "third", presence: false });
  third.sends("<presence/>");
  await third.receives(`<presence from='${third.full}'/>`);
  await third.receives(`<presence from='${again.full}'><show>away</show></presence>`);
  await again.receives(`<presence from='${third.full}'/>`);
  await third.receivesNothing();
  await romeo.receivesNothing();
});

test("a refusal is told to who asked (§3.1.4)", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: {} });
  const { romeo, juliet } = stage.actors;
  await interest(romeo);
  romeo.sends(presence("subscribe", juliet));
  await romeo.receives(push(`<item jid='${juliet.bare}' ask='subscribe'/>`));
  await juliet.receives("<presence type='subscribe'/>");
  juliet.sends(presence("unsubscribed", romeo));
  await romeo.receivesNext(`<presence type='unsubscribed' from='${juliet.bare}'/>`);
  await romeo.receivesNext(push(`<item jid='${juliet.bare}' subscription='none' ask='{none}'/>`));
  assert.equal(await stateOf(juliet, romeo.bare), undefined);
});

test("a login asks nothing of who has not answered yet", async (t) => {
  await using stage = await cast(t, { romeo: silent, juliet: {} });
  const { romeo, juliet } = stage.actors;
  await interest(romeo);
  romeo.sends(presence("subscribe", juliet));
  await romeo.receives(push(`<item jid='${juliet.bare}' ask='subscribe'/>`));
  await juliet.receives("<presence type='subscribe'/>");
  romeo.sends("<presence/>");
  await romeo.receives(`<presence from='${romeo.full}'/>`);
  // A probe would have been answered with a refusal (§4.3.2).
  await romeo.receivesNothing();
  assert.equal(await stateOf(romeo, juliet.bare), "none ask");
});

test("a request that is withdrawn is not asked any more", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: silent });
  const { romeo, juliet } = stage.actors;
  romeo.sends(presence("subscribe", juliet));
  romeo.sends(presence("unsubscribe", juliet));
  await romeo.pings();
  juliet.sends("<presence/>");
  await juliet.receives(`<presence from='${juliet.full}'/>`);
  await juliet.receivesNothing();
});

test("a request to who is not there, or to nobody, is not answered", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: {} });
  const { romeo, juliet } = stage.actors;
  await interest(romeo);
  await juliet.ends();
  for (const bare of [juliet.bare, stage.bare("nobody")]) {
    romeo.sends(presence("subscribe", bare));
    await romeo.receives(push(`<item jid='${bare}' subscription='none' ask='subscribe'/>`));
  }
  await romeo.receivesNothing();
});

test("only somebody else can be asked", async (t) => {
  await using stage = await cast(t, { romeo: {} });
  const { romeo } = stage.actors;
  const refused =
    "<presence type='error'><error type='modify'><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>";
  for (const type of ["subscribe", "subscribed", "unsubscribe", "unsubscribed"]) {
    romeo.sends(`<presence type='${type}'/>`);
    await romeo.receives(refused);
    romeo.sends(presence(type, romeo));
    await romeo.receives(refused);
  }
  romeo.sends(presence("subscribe", "not@@anybody"));
  await romeo.receives(
    "<presence type='error'><error type='modify'><jid-malformed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>",
  );
  assert.equal(await stateOf(romeo, romeo.bare), undefined);
});

test("who is subscribed already is told so by the server (§3.1.3)", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: { resource: "balcony" } });
  const { romeo, juliet } = stage.actors;
  romeo.sends(presence("subscribe", juliet));
  await juliet.receives("<presence type='subscribe'/>");
  juliet.sends(presence("subscribed", romeo));
  await romeo.receives(`<presence from='${juliet.full}'/>`);
  // Romeo's server loses what it knew.
  await romeo.ends();
  await stage.node.rosters.clear(romeo.bare);
  const again = await stage.login("romeo", { resource: "again" });
  await interest(again);
  again.sends(presence("subscribe", juliet));
  await again.receivesNext(push(`<item jid='${juliet.bare}' ask='subscribe'/>`));
  await again.receivesNext(`<presence type='subscribed' from='${juliet.bare}' to='${romeo.bare}'/>`);
  await again.receivesNext(push(`<item jid='${juliet.bare}' subscription='to' ask='{none}'/>`));
  await again.receivesNext(`<presence from='${juliet.full}'/>`);
  await juliet.receivesNothing();
});

test("a subscription can be approved before it is asked for (§3.4)", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: { resource: "balcony" } });
  const { romeo, juliet } = stage.actors;
  await interest(juliet);
  await interest(romeo);
  juliet.sends(presence("subscribed", romeo));
  await juliet.receivesNext(push(`<item jid='${romeo.bare}' subscription='none' approved='true'/>`));
  await romeo.receivesNothing();
  assert.equal(await stateOf(juliet, romeo.bare), "none approved");

  romeo.sends(presence("subscribe", juliet));
  await romeo.receivesNext(push(`<item jid='${juliet.bare}' ask='subscribe'/>`));
  await romeo.receivesNext(`<presence type='subscribed' from='${juliet.bare}'/>`);
  await romeo.receivesNext(push(`<item jid='${juliet.bare}' subscription='to'/>`));
  await romeo.receivesNext(`<presence from='${juliet.full}'/>`);
  await juliet.receivesNext(push(`<item jid='${romeo.bare}' subscription='from' approved='{none}'/>`));
  await juliet.receivesNothing();
});

test("an approval beforehand can be taken back, and works for who is offline", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: {} });
  const { romeo, juliet } = stage.actors;
  await interest(juliet);
  const nurse = stage.bare("nurse");
  for (const contact of [romeo.bare, nurse]) {
    juliet.sends(presence("subscribed", contact));
    await juliet.receivesNext(push(`<item jid='${contact}' approved='true'/>`));
  }
  juliet.sends(presence("unsubscribed", nurse));
  await juliet.receivesNext(push(`<item jid='${nurse}' approved='{none}'/>`));
  await juliet.ends();
  romeo.sends(presence("subscribe", juliet));
  await romeo.pings();
  assert.equal(await stateOf(romeo, juliet.bare), "to");
  const again = await stage.login("juliet", { presence: false });
  assert.equal(await stateOf(again, romeo.bare), "from");
  assert.equal(await stateOf(again, nurse), "none");
  await romeo.receivesNothing();
});

test("approvals and refusals that nobody asked for reach nobody (§A.3)", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: {} });
  const { romeo, juliet } = stage.actors;
  await interest(juliet);
  for (const type of ["subscribed", "unsubscribed", "unsubscribe"]) romeo.sends(presence(type, juliet));
  await romeo.pings();
  await juliet.receivesNothing();
  assert.equal(await stateOf(juliet, romeo.bare), undefined);
});

test("from elsewhere, what is for a resource that is not there changes nothing (§8.5.3.2.2)", async (t) => {
  await using stage = await cast(t, { romeo: {} });
  const { romeo } = stage.actors;
  const { rosters, router } = stage.node;
  const far = "juliet@capulet.example";
  const come = (type: string, to: string) =>
    router.route(readElement(`<presence type='${type}' from='${far}/balcony' to='${to}'/>`));
  await interest(romeo);
  await rosters.pass({ account: romeo.bare, contact: far, direction: "out", type: "subscribe" });
  await romeo.receives(push(`<item jid='${far}' ask='subscribe'/>`));
  await come("subscribed", `${romeo.bare}/tomb`);
  await romeo.receivesNothing();
  await come("subscribed", romeo.full);
  await romeo.receivesNext(`<presence type='subscribed' from='${far}' to='${romeo.bare}'/>`);
  await romeo.receivesNext(push(`<item jid='${far}' subscription='to'/>`));
  for (const type of ["unsubscribe", "unsubscribed"]) await come(type, `${romeo.bare}/tomb`);
  // A request is the account's, wherever it is sent.
  await come("subscribe", `${romeo.bare}/tomb`);
  await romeo.receivesNext(`<presence type='subscribe' from='${far}' to='${romeo.bare}'/>`);
  await romeo.receivesNothing();
});

test("answers are for interested resources, requests for available ones", async (t) => {
  await using stage = await cast(t, { romeo: { resource: "available" }, juliet: { resource: "available" } });
  const { romeo, juliet } = stage.actors;
  const romeos = await stage.login("romeo", { resource: "interested", presence: false });
  const juliets = await stage.login("juliet", { resource: "interested", presence: false });
  await interest(romeos);
  await interest(juliets);
  romeo.sends(presence("subscribe", juliet));
  await romeos.receives(push(`<item jid='${juliet.bare}' ask='subscribe'/>`));
  await juliet.receives("<presence type='subscribe'/>");
  juliets.sends(presence("subscribed", romeo));
  await juliets.receives(push(`<item jid='${romeo.bare}' subscription='from'/>`));
  await romeos.receives("<presence type='subscribed'/>");
  await romeos.receives(push(`<item jid='${juliet.bare}' subscription='to'/>`));
  await romeo.receives(`<presence from='${juliet.full}'/>`);
  for (const actor of [romeo, romeos, juliet, juliets]) await actor.receivesNothing();
});

test("both may ask at once", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: {} });
  const { romeo, juliet } = stage.actors;
  for (const [one, other] of [
    [romeo, juliet],
    [juliet, romeo],
  ] as const)
    one.sends(presence("subscribe", other));
  for (const actor of [romeo, juliet]) await actor.receives("<presence type='subscribe'/>");
  for (const [one, other] of [
    [romeo, juliet],
    [juliet, romeo],
  ] as const)
    one.sends(presence("subscribed", other));
  for (const [one, other] of [
    [romeo, juliet],
    [juliet, romeo],
  ] as const)
    await one.receives(`<presence from='${other.full}'/>`);
  assert.equal(await stateOf(romeo, juliet.bare), "both");
  assert.equal(await stateOf(juliet, romeo.bare), "both");
});

test("an account that is removed leaves nobody's roster pointing at it", async (t) => {
  await using stage = await cast(
    t,
    { romeo: {}, juliet: {}, nurse: {}, paris: {} },
    { friends: [["romeo", "juliet"]] },
  );
  const { romeo, juliet, nurse, paris } = stage.actors;
  for (const actor of [juliet, nurse, paris]) await interest(actor);
  romeo.sends(presence("subscribe", nurse));
  await nurse.receives("<presence type='subscribe'/>");
  paris.sends(presence("subscribe", romeo));
  await paris.receives(push(`<item jid='${romeo.bare}' ask='subscribe'/>`));
  await romeo.receives("<presence type='subscribe'/>");

  await stage.node.accounts.remove(parseJid(romeo.bare)!);
  await romeo.receives("<stream:error/>");
  await romeo.closed();
  await juliet.receives(`<presence type='unsubscribe' from='${romeo.bare}'/>`);
  await juliet.receives(push(`<item jid='${romeo.bare}' subscription='to'/>`));
  await juliet.receives(`<presence type='unavailable' from='${romeo.full}'/>`);
  await juliet.receives(`<presence type='unsubscribed' from='${romeo.bare}'/>`);
  await juliet.receives(push(`<item jid='${romeo.bare}' subscription='none'/>`));
  await nurse.receives(`<presence type='unsubscribe' from='${romeo.bare}'/>`);
  await paris.receives(`<presence type='unsubscribed' from='${romeo.bare}'/>`);
  await paris.receives(push(`<item jid='${romeo.bare}' ask='{none}'/>`));
  assert.equal((await stage.node.rosters.of(romeo.bare)).size, 0);
});
