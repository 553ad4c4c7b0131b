/** XEP-0359: the server alone says by which id an archive of its own has a message. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { NS } from "../../src/xmpp/ns.ts";
import { attr, child, children } from "../../src/xmpp/xml.ts";
import { reads, stanzaIds } from "../support/archive.ts";
import { cast } from "../support/cast.ts";
import { world } from "../support/world.ts";

const by = (address: string, id = "forged"): string =>
  `<stanza-id xmlns='${NS.stanzaIds}' by='${address}' id='${id}'/>`;

test("nobody passes an id off as one of this server's", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: {} });
  const { romeo, juliet } = stage.actors;
  const room = "room@conference.elsewhere.example";
  const forged = [
    juliet.bare,
    romeo.bare,
    juliet.bare.toUpperCase(),
    juliet.full,
    stage.domain,
    stage.bare("nurse"),
    "no@address@",
  ];
  romeo.sends(
    `<message to='${juliet.bare}' type='chat'><body>x</body>${forged.map((one) => by(one)).join("")}${by(room, "its own")}
      <origin-id xmlns='${NS.stanzaIds}' id='mine'/></message>`,
  );
  const message = await juliet.receives("<message type='chat'/>");
  const [hers, his] = [await reads(juliet), await reads(romeo)];
  assert.deepEqual(stanzaIds(message), { [room]: "its own", [juliet.bare]: hers.ids[0] });
  // §3: at most one by each address, and what its author gave is kept.
  assert.equal(children(message, "stanza-id", NS.stanzaIds).length, 2);
  assert.equal(attr(child(message, "origin-id", NS.stanzaIds)!, "id"), "mine");
  assert.deepEqual(stanzaIds(his.messages[0]!), { [room]: "its own", [romeo.bare]: his.ids[0] });
});

test("a message that is not archived has none", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: {} });
  const { romeo, juliet } = stage.actors;
  romeo.sends(
    `<message to='${juliet.full}' type='chat'><body>x</body>${by(juliet.bare)}<no-store xmlns='urn:xmpp:hints'/></message>`,
  );
  assert.deepEqual(stanzaIds(await juliet.receives("<message type='chat'/>")), {});
});

test("an id of ours does not leave for another server, and one from there cannot be ours", async (t) => {
  await using verona = await world(t, { capulet: { ana: {} }, montague: { bob: {} } });
  const { ana, bob } = verona.actors;
  ana.sends(
    `<message to='${bob.bare}' type='chat' id='1'><body>x</body>${by(bob.bare)}${by(ana.bare)}</message>`,
  );
  const message = await bob.receives("<message id='1' type='chat'/>");
  const ids = (await reads(bob)).ids;
  assert.deepEqual(stanzaIds(message), { [bob.bare]: ids[0] });
  const own = await reads(ana);
  assert.deepEqual(stanzaIds(own.messages[0]!), { [bob.bare]: "forged", [ana.bare]: own.ids[0] });
});
