/** XEP-0054: vcard-temp. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { vcardStore } from "../../src/store/vcards.ts";
import { parseJid } from "../../src/xmpp/jid.ts";
import { child, children } from "../../src/xmpp/xml.ts";
import { cast } from "../support/cast.ts";

const empty = "<vCard xmlns='vcard-temp'/>";
const card = (name: string): string =>
  `<vCard xmlns='vcard-temp'><FN>${name}</FN><PHOTO><TYPE>image/png</TYPE><BINVAL>iVBORw0K</BINVAL></PHOTO></vCard>`;
const error = (condition: string): string =>
  `<iq type='error'><error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`;

test("who has no vCard gets an empty one", async (t) => {
  await using stage = await cast(t, { juliet: { presence: false } });
  const reply = await stage.actors.juliet.asks(
    `<iq type='get'>${empty}</iq>`,
    `<iq type='result'>${empty}</iq>`,
  );
  assert.deepEqual(children(child(reply, "vCard", "vcard-temp")!), []);
});

test("one's vCard is stored, replaced as a whole, and survives the node", async (t) => {
  await using stage = await cast(t, { juliet: { presence: false } });
  const { juliet } = stage.actors;
  await juliet.asks(`<iq type='set'>${card("Juliet")}</iq>`, "<iq type='result'/>");
  await juliet.asks(`<iq type='get'>${empty}</iq>`, `<iq type='result'>${card("Juliet")}</iq>`);
  await juliet.asks(
    `<iq type='set' to='${juliet.bare}'><vCard xmlns='vcard-temp'><FN>J &amp; R</FN></vCard></iq>`,
  );
  await stage.restarts();
  const again = await stage.login("juliet", { presence: false });
  const reply = await again.asks(
    `<iq type='get' to='${juliet.bare}'>${empty}</iq>`,
    `<iq type='result'><vCard xmlns='vcard-temp'><FN>J &amp; R</FN></vCard></iq>`,
  );
  assert.equal(children(child(reply, "vCard", "vcard-temp")!).length, 1);
});

test("everybody may read a vCard, and nobody but its owner write it", async (t) => {
  await using stage = await cast(t, { juliet: { presence: false }, romeo: {} });
  const { juliet, romeo } = stage.actors;
  await juliet.asks(`<iq type='set'>${card("Juliet")}</iq>`, "<iq type='result'/>");
  const read = `<iq type='get' to='${juliet.bare}'>${empty}</iq>`;
  await romeo.asks(read, `<iq type='result' from='${juliet.bare}'>${card("Juliet")}</iq>`);
  await romeo.asks(`<iq type='set' to='${juliet.bare}'>${card("Romeo's")}</iq>`, error("forbidden"));
  await romeo.asks(read, `<iq type='result'>${card("Juliet")}</iq>`);
});

test("an account without a vCard looks like no account", async (t) => {
  await using stage = await cast(t, { juliet: { presence: false }, romeo: {} });
  const { juliet, romeo } = stage.actors;
  for (const bare of [juliet.bare, stage.bare("nobody")]) {
    await romeo.asks(`<iq type='get' to='${bare}'>${empty}</iq>`, error("service-unavailable"));
    await romeo.asks(`<iq type='set' to='${bare}'>${card("Romeo's")}</iq>`, error("forbidden"));
  }
});

test("a vCard that is too large is refused, and the old one stays", async (t) => {
  await using stage = await cast(t, { juliet: { presence: false } });
  const { juliet } = stage.actors;
  await juliet.asks(`<iq type='set'>${card("Juliet")}</iq>`, "<iq type='result'/>");
  const photo = `<PHOTO><BINVAL>${"A".repeat(200_000)}</BINVAL></PHOTO>`;
  await juliet.asks(
    `<iq type='set'><vCard xmlns='vcard-temp'>${photo}</vCard></iq>`,
    error("not-acceptable"),
  );
  await juliet.asks(`<iq type='get'>${empty}</iq>`, `<iq type='result'>${card("Juliet")}</iq>`);
});

test("a vCard goes with its account", async (t) => {
  await using stage = await cast(t, { juliet: { presence: false }, romeo: {} });
  const { juliet, romeo } = stage.actors;
  await juliet.asks(`<iq type='set'>${card("Juliet")}</iq>`, "<iq type='result'/>");
  await juliet.ends();
  await stage.node.accounts.remove(parseJid(juliet.bare)!);
  await stage.settle();
  assert.equal(await vcardStore(stage.node.store).find(juliet.bare), undefined);
  await romeo.asks(`<iq type='get' to='${juliet.bare}'>${empty}</iq>`, error("service-unavailable"));
});
