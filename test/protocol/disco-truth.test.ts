/**
 * What disco#info announces is what works, and all that works. The tables are written from the specifications: a
 * feature that is announced and stands in none of them, or stands in one and is not announced, fails.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { attr, child, children } from "../../src/xmpp/xml.ts";
import { cast } from "../support/cast.ts";
import { slotRequest } from "../support/upload.ts";

/** By its name: a request whose answer must be a result; or nothing, where there is nothing to ask for. */
type Features = Readonly<Record<string, string>>;

/** Tests of its own show that it works. */
const elsewhere = "";
const info = "http://jabber.org/protocol/disco#info";
const items = "http://jabber.org/protocol/disco#items";
const pubsub = "http://jabber.org/protocol/pubsub";

const get = (payload: string, to?: string): string =>
  `<iq type='get'${to === undefined ? "" : ` to='${to}'`}>${payload}</iq>`;
const set = (payload: string): string => `<iq type='set'>${payload}</iq>`;
const form = (type: string, field: string, value: string): string =>
  `<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>${type}</value></field>
     <field var='${field}'><value>${value}</value></field></x>`;

const everywhere = (to: string): Features => ({
  [info]: get(`<query xmlns='${info}'/>`, to),
  [items]: get(`<query xmlns='${items}'/>`, to),
  "jabber:iq:last": get("<query xmlns='jabber:iq:last'/>", to),
});

const machine = (to: string): Features => ({
  ...everywhere(to),
  "urn:xmpp:ping": get("<ping xmlns='urn:xmpp:ping'/>", to),
  "urn:xmpp:time": get("<time xmlns='urn:xmpp:time'/>", to),
  "jabber:iq:version": get("<query xmlns='jabber:iq:version'/>", to),
});

const archive: Features = {
  "urn:xmpp:mam:2": set("<query xmlns='urn:xmpp:mam:2'/>"),
  "urn:xmpp:mam:2#extended": get("<metadata xmlns='urn:xmpp:mam:2'/>"),
  "urn:xmpp:fulltext:0": set(
    `<query xmlns='urn:xmpp:mam:2'>${form("urn:xmpp:mam:2", "{urn:xmpp:fulltext:0}fulltext", "tea")}</query>`,
  ),
};

const ofDomain = (domain: string): Features => ({
  ...machine(domain),
  ...archive,
  "http://jabber.org/protocol/caps": elsewhere,
  "http://jabber.org/protocol/commands": get(
    `<query xmlns='${items}' node='http://jabber.org/protocol/commands'/>`,
    domain,
  ),
  "jabber:iq:private": get("<query xmlns='jabber:iq:private'><x xmlns='urn:example:x'/></query>"),
  "jabber:iq:register": get("<query xmlns='jabber:iq:register'/>", domain),
  "jabber:iq:roster": get("<query xmlns='jabber:iq:roster'/>"),
  msgoffline: elsewhere,
  "urn:xmpp:blocking": get("<blocklist xmlns='urn:xmpp:blocking'/>"),
  "urn:xmpp:cam:0": get("<list xmlns='urn:xmpp:cam:0'/>"),
  "urn:xmpp:carbons:2": set("<enable xmlns='urn:xmpp:carbons:2'/>"),
  "urn:xmpp:carbons:rules:0": elsewhere,
  "urn:xmpp:extdisco:2": get("<services xmlns='urn:xmpp:extdisco:2'/>", domain),
  "urn:xmpp:message-retract:1": elsewhere,
  "urn:xmpp:reporting:1": elsewhere,
  "urn:xmpp:sid:0": elsewhere,
  "vcard-temp": get("<vCard xmlns='vcard-temp'/>"),
});

const asked = (payload: string): string => `<pubsub xmlns='${pubsub}'>${payload}</pubsub>`;
const owned = (payload: string): string => `<pubsub xmlns='${pubsub}#owner'>${payload}</pubsub>`;
const item = (id: string): string => `<item id='${id}'><x xmlns='urn:example:x'/></item>`;
const configured = (field: string, value: string): string =>
  form(`${pubsub}#node_config`, `pubsub#${field}`, value);

/** XEP-0060 §10, in an order in which one thing leads to the next. */
const ofPubsub = (bare: string): Features => ({
  "create-nodes": set(asked("<create node='n'/>")),
  "instant-nodes": set(asked("<create/>")),
  "create-and-configure": set(
    asked(`<create node='m'/><configure>${configured("title", "Notes")}</configure>`),
  ),
  "retrieve-default": get(owned("<default/>")),
  "config-node": set(owned(`<configure node='n'>${configured("title", "Notes")}</configure>`)),
  "config-node-max": set(owned(`<configure node='n'>${configured("max_items", "max")}</configure>`)),
  publish: set(asked(`<publish node='n'>${item("1")}</publish>`)),
  "item-ids": get(asked("<items node='n'><item id='1'/></items>")),
  "multi-items": set(asked(`<publish node='n'>${item("2")}${item("3")}</publish>`)),
  "auto-create": set(asked(`<publish node='of its own'>${item("1")}</publish>`)),
  "publish-options": set(
    asked(
      `<publish node='n'>${item("1")}</publish><publish-options>${form(`${pubsub}#publish-options`, "pubsub#max_items", "max")}</publish-options>`,
    ),
  ),
  "retrieve-items": get(asked("<items node='n'/>")),
  rsm: get(asked("<items node='n'/><set xmlns='http://jabber.org/protocol/rsm'><max>1</max></set>")),
  "meta-data": get(`<query xmlns='${info}' node='n'/>`, bare),
  subscribe: set(asked(`<subscribe node='n' jid='${bare}'/>`)),
  "retrieve-subscriptions": get(asked("<subscriptions/>")),
  "subscription-options": get(asked(`<options node='n' jid='${bare}'/>`)),
  "retrieve-default-sub": get(asked("<default/>")),
  "manage-subscriptions": get(owned("<subscriptions node='n'/>")),
  "modify-affiliations": set(
    owned("<affiliations node='n'><affiliation jid='a@b.example' affiliation='member'/></affiliations>"),
  ),
  "retrieve-affiliations": get(asked("<affiliations/>")),
  "retract-items": set(asked("<retract node='n'><item id='1'/></retract>")),
  // Another name of the same (§7.2).
  "delete-items": set(asked("<retract node='n'><item id='2'/></retract>")),
  "purge-nodes": set(owned("<purge node='n'/>")),
  "delete-nodes": set(owned("<delete node='n'/>")),
  ...Object.fromEntries(
    [
      ...["authorize", "open", "presence", "roster", "whitelist"].map((model) => `access-${model}`),
      ...["member", "outcast", "publisher", "publish-only"].map((name) => `${name}-affiliation`),
      ...["auto-subscribe", "filtered-notifications", "last-published", "persistent-items"],
      ...["presence-notifications", "presence-subscribe", "pubsub-on-a-jid", "subscription-notifications"],
    ].map((feature) => [feature, elsewhere]),
  ),
});

const ofAccount = (bare: string): Features => ({
  ...everywhere(bare),
  ...archive,
  "urn:xmpp:mam:2#groupchat-field": elsewhere,
  [pubsub]: get(asked("<subscriptions/>")),
  ...Object.fromEntries(Object.entries(ofPubsub(bare)).map(([feature, iq]) => [`${pubsub}#${feature}`, iq])),
  "http://jabber.org/protocol/rsm": elsewhere,
  "tigase:push:priority:0": elsewhere,
  "urn:ietf:params:xml:ns:vcard-4.0": elsewhere,
  "urn:xmpp:bookmarks:1#compat": elsewhere,
  "urn:xmpp:bookmarks:1#compat-pep": elsewhere,
  "urn:xmpp:mds:server-assist:0": elsewhere,
  "urn:xmpp:message-retract:1#tombstone": elsewhere,
  "urn:xmpp:microblog:0": elsewhere,
  "urn:xmpp:pep-vcard-conversion:0": elsewhere,
  "urn:xmpp:pubsub-social-feed:1": elsewhere,
  "urn:xmpp:push:0": set("<enable xmlns='urn:xmpp:push:0' jid='push.example' node='n'/>"),
  "urn:xmpp:sid:0": elsewhere,
  "vcard-temp": get("<vCard xmlns='vcard-temp'/>", bare),
});

/** By its name at the domain. */
const ofServices = (domain: string): Record<string, Features> => ({
  [`timeline@${domain}`]: {
    ...machine(`timeline@${domain}`),
    "urn:xmpp:message-correct:0": elsewhere,
    "urn:xmpp:message-retract:1": elsewhere,
    "vcard-temp": get("<vCard xmlns='vcard-temp'/>", `timeline@${domain}`),
  },
  [`upload.${domain}`]: {
    ...machine(`upload.${domain}`),
    "urn:xmpp:http:upload:0": slotRequest(domain),
    ...Object.fromEntries(
      ["message", "profile", "ephemeral expire-before='2999-01-01T00:00:00Z'", "permanent"].map((purpose) => [
        `urn:xmpp:http:upload:purpose:0#${purpose.replace(/ .*/, "")}`,
        slotRequest(domain, { purpose }),
      ]),
    ),
  },
});

const without = (all: readonly string[], others: readonly string[]): string[] =>
  all.filter((one) => !others.includes(one));

test("what is announced is all that there is, and works", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  const places = {
    [stage.domain]: ofDomain(stage.domain),
    [juliet.bare]: ofAccount(juliet.bare),
    ...ofServices(stage.domain),
  };
  const services = [...stage.node.registry.services.keys()];
  assert.deepEqual(Object.keys(places).sort(), [stage.domain, juliet.bare, ...services].sort());
  for (const [address, features] of Object.entries(places)) {
    const reply = await juliet.asks(get(`<query xmlns='${info}'/>`, address));
    const announced = children(child(reply, "query", info)!, "feature").map((one) => attr(one, "var")!);
    const known = Object.keys(features);
    assert.deepEqual(without(announced, known), [], `${address} announces what no table here has`);
    assert.deepEqual(without(known, announced), [], `${address} does not announce what works`);
    for (const [feature, iq] of Object.entries(features)) {
      if (iq === elsewhere) continue;
      const answer = await juliet.asks(iq);
      assert.equal(attr(answer, "type"), "result", `${address} announces ${feature}: ${answer.toString()}`);
    }
  }
  // What a subscriber hears of all that.
  await stage.settle();
  juliet.inbox.length = 0;
});
