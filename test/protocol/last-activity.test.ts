/** XEP-0012: Last Activity. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lastSeenStore } from "../../src/store/last-seen.ts";
import { attr, children } from "../../src/xmpp/xml.ts";
import { cast } from "../support/cast.ts";

const ask = (to: string) => `<iq type='get' to='${to}'><query xmlns='jabber:iq:last'/></iq>`;
const forbidden =
  "<iq type='error'><error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>";
const answer = (seconds: number | string, words = "") =>
  `<iq type='result'><query xmlns='jabber:iq:last' seconds='${seconds}'>${words}</query></iq>`;

test("the server tells since when it runs (§5)", async (t) => {
  await using stage = await cast(t, { romeo: {} });
  const reply = await stage.actors.romeo.asks(ask(stage.domain), answer("{any}"));
  assert.ok(Number(attr(children(reply)[0]!, "seconds")) < 3_600);
});

test("a subscriber learns who is there, and when who is not was (§3)", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: {} }, { friends: [["romeo", "juliet"]] });
  const { romeo, juliet } = stage.actors;
  await romeo.asks(ask(juliet.bare), answer(0));
  // Connected is enough.
  juliet.sends("<presence type='unavailable'><status>Heading home</status></presence>");
  await juliet.receives("<presence type='unavailable'/>");
  await romeo.receives("<presence type='unavailable'/>");
  await romeo.asks(ask(juliet.bare), answer(0));
  await juliet.ends();
  await romeo.asks(ask(juliet.bare), answer("{any}", "Heading home"));
  const at = new Date(Date.now() - 903_500);
  await lastSeenStore(stage.node.store).put(juliet.bare, { at, status: null });
  await romeo.asks(ask(juliet.bare), answer(903));
  // A clock that was set back makes nobody leave in the future.
  await lastSeenStore(stage.node.store).put(juliet.bare, { at: new Date(Date.now() + 60_000), status: null });
  await romeo.asks(ask(juliet.bare), answer(0));
});

test("people may ask about themselves", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  await juliet.asks(ask(juliet.bare), answer(0));
  await juliet.asks("<iq type='get'><query xmlns='jabber:iq:last'/></iq>", answer(0));
});

test("of who never was there, there is nothing to tell", async (t) => {
  await using stage = await cast(
    t,
    { romeo: {}, juliet: { presence: false } },
    { friends: [["romeo", "juliet"]] },
  );
  const { romeo, juliet } = stage.actors;
  await juliet.ends();
  await romeo.asks(
    ask(juliet.bare),
    "<iq type='error'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
  );
});

test("strangers learn nothing: not when, not whether, not of whom (§8)", async (t) => {
  await using stage = await cast(t, { paris: {}, juliet: {}, nurse: { presence: false } });
  const { paris, juliet, nurse } = stage.actors;
  await nurse.ends();
  for (const to of [
    ...[juliet.bare, nurse.bare, stage.bare("nobody")],
    ...[juliet.full, `${juliet.bare}/tomb`, nurse.full, `${stage.bare("nobody")}/phone`],
  ])
    await paris.asks(ask(to), forbidden);
  // Being greeted is not being subscribed.
  juliet.sends(`<presence to='${paris.bare}'/>`);
  await paris.receives(`<presence from='${juliet.full}'/>`);
  await paris.asks(ask(juliet.full), forbidden);
  await juliet.receivesNothing();
});

test("a resource answers subscribers for itself (§4)", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: {} }, { friends: [["romeo", "juliet"]] });
  const { romeo, juliet } = stage.actors;
  romeo.sends(`<iq type='get' id='last' to='${juliet.full}'><query xmlns='jabber:iq:last'/></iq>`);
  const asked = await juliet.receives(
    `<iq type='get' from='${romeo.full}'><query xmlns='jabber:iq:last'/></iq>`,
  );
  juliet.answers(asked, "<query xmlns='jabber:iq:last' seconds='123'/>");
  await romeo.receives("<iq type='result' id='last'><query xmlns='jabber:iq:last' seconds='123'/></iq>");
});
