/** XEP-0049: Private XML Storage. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJid } from "../../src/xmpp/jid.ts";
import { privateXmlStore } from "../../src/store/private-xml.ts";
import { cast } from "../support/cast.ts";

const ok = "<iq type='result'/>";
const query = (inside: string): string => `<query xmlns='jabber:iq:private'>${inside}</query>`;
const get = (inside: string, to = ""): string => `<iq type='get' ${to}>${query(inside)}</iq>`;
const set = (inside: string, to = ""): string => `<iq type='set' ${to}>${query(inside)}</iq>`;
const result = (inside: string): string => `<iq type='result'>${query(inside)}</iq>`;
const error = (condition: string): string =>
  `<iq type='error'><error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`;
const prefs = (inside = ""): string => `<exodus xmlns='exodus:prefs'>${inside}</exodus>`;

test("what is stored comes back, by name and namespace, also after a restart", async (t) => {
  await using stage = await cast(t, { hamlet: {} });
  const { hamlet } = stage.actors;
  await hamlet.asks(
    `<iq type='get' to='${stage.domain}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`,
    `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'><feature var='jabber:iq:private'/></query></iq>`,
  );
  const none = await hamlet.asks(get(prefs()), result(prefs()));
  assert(!none.toString().includes("defaultnick"));
  await hamlet.asks(set(prefs("<defaultnick>Hamlet</defaultnick>")), ok);
  await hamlet.asks(
    set("<notes xmlns='storage:rosternotes'><note jid='a@b.example'>Nice</note></notes>"),
    ok,
  );
  await hamlet.asks(set(prefs("<defaultnick>Prince</defaultnick>"), `to='${hamlet.bare}'`), ok);
  await stage.restarts();
  const again = await stage.login("hamlet");
  await again.asks(get(prefs()), result(prefs("<defaultnick>Prince</defaultnick>")));
  await again.asks(
    get("<notes xmlns='storage:rosternotes'/>"),
    result("<notes xmlns='storage:rosternotes'><note jid='a@b.example'>Nice</note></notes>"),
  );
});

test("it is one's own, and not for everything", async (t) => {
  await using stage = await cast(t, { hamlet: {}, macbeth: {} });
  const { hamlet, macbeth } = stage.actors;
  for (const bare of [hamlet.bare, stage.bare("nobody")]) {
    await macbeth.asks(get(prefs(), `to='${bare}'`), error("forbidden"));
    await macbeth.asks(set(prefs(), `to='${bare}'`), error("forbidden"));
  }
  await hamlet.asks(get(""), error("bad-request"));
  await hamlet.asks(set(""), error("bad-request"));
  for (const reserved of ["vcard-temp", "jabber:iq:roster", "http://jabber.org/protocol/muc"])
    await hamlet.asks(set(`<x xmlns='${reserved}'/>`), error("not-acceptable"));
  await hamlet.asks(set(prefs("x".repeat(70_000))), error("not-acceptable"));
  await hamlet.asks(get(prefs()), result(prefs()));
  const many = Array.from({ length: 201 }, (_, i) => `<x xmlns='urn:example:${i}'/>`).join("");
  await hamlet.asks(set(many), error("resource-constraint"));
  assert.equal(await privateXmlStore(stage.node.store).count(hamlet.bare), 0);
});

test("it goes with its account", async (t) => {
  await using stage = await cast(t, { hamlet: {} });
  const { hamlet } = stage.actors;
  await hamlet.asks(set(prefs("<a/>")), ok);
  await hamlet.ends();
  await stage.node.accounts.remove(parseJid(hamlet.bare)!);
  await stage.settle();
  assert.equal(await privateXmlStore(stage.node.store).count(hamlet.bare), 0);
});
