/** XEP-0030: Service Discovery, with XEP-0128, XEP-0157 and the server's side of XEP-0115. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { attr, child, children, childText, type Element } from "../../src/xmpp/xml.ts";
import { cast } from "../support/cast.ts";

const info = "http://jabber.org/protocol/disco#info";
const items = "http://jabber.org/protocol/disco#items";
const pubsub = "http://jabber.org/protocol/pubsub";

const asking = (xmlns: string, to: string, node?: string): string =>
  `<iq type='get' to='${to}'><query xmlns='${xmlns}'${node === undefined ? "" : ` node='${node}'`}/></iq>`;
const error = (condition: string): string =>
  `<iq type='error'><error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`;
const query = (reply: Element, xmlns: string): Element => child(reply, "query", xmlns)!;

/** Makes a node at the actor's account that everybody, or only contacts, may read. */
const publishing = (node: string, accessModel: string): string =>
  `<iq type='set'><pubsub xmlns='${pubsub}'>
     <publish node='${node}'><item id='1'><note xmlns='urn:example:note'/></item></publish>
     <publish-options><x xmlns='jabber:x:data' type='submit'>
       <field var='FORM_TYPE' type='hidden'><value>${pubsub}#publish-options</value></field>
       <field var='pubsub#access_model'><value>${accessModel}</value></field>
     </x></publish-options></pubsub></iq>`;

test("the domain says what it is and what it can do", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  await stage.actors.juliet.asks(
    asking(info, stage.domain),
    `<iq type='result' from='${stage.domain}'><query xmlns='${info}'>
       <identity category='server' type='im' name='Pipit'/>
       <feature var='${info}'/><feature var='${items}'/>
       <feature var='urn:xmpp:ping'/><feature var='jabber:iq:version'/><feature var='urn:xmpp:time'/>
       <feature var='vcard-temp'/>
     </query></iq>`,
  );
});

test("no feature or identity is told twice", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  for (const address of [stage.domain, juliet.bare]) {
    const reply = query(await juliet.asks(asking(info, address)), info);
    const features = children(reply, "feature").map((feature) => attr(feature, "var"));
    assert.deepEqual(features, [...new Set(features)]);
    const identities = children(reply, "identity").map(({ attrs }) => JSON.stringify(attrs));
    assert.deepEqual(identities, [...new Set(identities)]);
  }
});

test("the domain's items are its services, each of which describes itself", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  const reply = await juliet.asks(asking(items, stage.domain), "<iq type='result'/>");
  const addresses = children(query(reply, items), "item").map((item) => attr(item, "jid")!);
  assert.deepEqual(addresses.sort(), [...stage.node.registry.services.keys()].sort());
  for (const address of addresses) {
    await juliet.asks(
      asking(info, address),
      `<iq type='result' from='${address}'><query xmlns='${info}'>
         <identity category='{any}' type='{any}'/><feature var='${info}'/></query></iq>`,
    );
    await juliet.asks(asking(items, address), `<iq type='result'><query xmlns='${items}'/></iq>`);
  }
});

test("a node that is nobody's is not found", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  for (const address of [stage.domain, juliet.bare]) {
    await juliet.asks(asking(info, address, "urn:example:nothing"), error("item-not-found"));
    await juliet.asks(asking(items, address, "urn:example:nothing"), error("item-not-found"));
  }
});

test("an account describes itself to its owner and to who sees its presence", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} }, { friends: [["juliet", "romeo"]] });
  const { juliet, romeo } = stage.actors;
  for (const actor of [juliet, romeo]) {
    const reply = await actor.asks(
      asking(info, juliet.bare),
      `<iq type='result' from='${juliet.bare}'><query xmlns='${info}'>
         <identity category='account' type='registered'/><identity category='pubsub' type='pep'/>
         <feature var='${info}'/></query></iq>`,
    );
    // XEP-0030 §3.1: what it is first of all.
    assert.equal(attr(child(query(reply, info), "identity")!, "category"), "account");
  }
});

test("contacts see the available resources, the owner the connected ones, strangers none", async (t) => {
  await using stage = await cast(
    t,
    { juliet: {}, romeo: {}, tybalt: {} },
    { friends: [["juliet", "romeo"]] },
  );
  const { juliet, romeo, tybalt } = stage.actors;
  const hidden = await stage.login("juliet", { resource: "hidden", presence: false });
  const seenBy = async (actor: typeof juliet): Promise<(string | undefined)[]> => {
    const reply = await actor.asks(asking(items, juliet.bare), "<iq type='result'/>");
    return children(query(reply, items))
      .map((item) => attr(item, "jid"))
      .sort();
  };
  assert.deepEqual(await seenBy(juliet), [hidden.full, juliet.full].sort());
  assert.deepEqual(await seenBy(romeo), [juliet.full]);
  assert.deepEqual(await seenBy(tybalt), []);
});

test("to strangers, an account with nothing to show is no account (§8)", async (t) => {
  await using stage = await cast(t, { juliet: {}, tybalt: {} });
  const { juliet, tybalt } = stage.actors;
  await juliet.asks(publishing("urn:example:private", "presence"), "<iq type='result'/>");
  for (const bare of [juliet.bare, stage.bare("nobody")]) {
    for (const node of [undefined, "urn:example:private", "urn:example:nothing"]) {
      await tybalt.asks(asking(info, bare, node), error("service-unavailable"));
      const reply = await tybalt.asks(asking(items, bare, node), "<iq type='result'/>");
      assert.deepEqual(children(query(reply, items)), []);
    }
  }
});

test("what everybody may read can be discovered by everybody, and nothing else", async (t) => {
  await using stage = await cast(t, { juliet: {}, tybalt: {} });
  const { juliet, tybalt } = stage.actors;
  await juliet.asks(publishing("urn:example:private", "presence"), "<iq type='result'/>");
  await juliet.asks(publishing("urn:example:public", "open"), "<iq type='result'/>");
  await tybalt.asks(
    asking(info, juliet.bare),
    `<iq type='result'><query xmlns='${info}'><identity category='pubsub' type='pep'/></query></iq>`,
  );
  await tybalt.asks(
    asking(info, juliet.bare, "urn:example:public"),
    `<iq type='result'><query xmlns='${info}' node='urn:example:public'>
       <identity category='pubsub' type='leaf'/></query></iq>`,
  );
  const reply = await tybalt.asks(asking(items, juliet.bare), "<iq type='result'/>");
  const nodes = children(query(reply, items)).map((item) => attr(item, "node"));
  assert.deepEqual(nodes, ["urn:example:public"]);
  await tybalt.asks(asking(info, juliet.bare, "urn:example:private"), error("service-unavailable"));
});

test("contact addresses stand in the domain's form (XEP-0157)", async (t) => {
  const config = { contact: { abuse: ["mailto:abuse@pipit.test", "xmpp:ana@pipit.test"], sales: [] } };
  await using stage = await cast(t, { juliet: {} }, { config });
  const reply = await stage.actors.juliet.asks(
    asking(info, stage.domain),
    `<iq type='result'><query xmlns='${info}'><x xmlns='jabber:x:data' type='result'>
       <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/network/serverinfo</value></field>
       <field var='abuse-addresses'>
         <value>mailto:abuse@pipit.test</value><value>xmpp:ana@pipit.test</value></field>
     </x></query></iq>`,
  );
  const form = child(query(reply, info), "x", "jabber:x:data")!;
  assert.equal(children(form, "field").length, 2, "an empty list is no address");
});

test("without contact addresses there is no form", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const reply = await stage.actors.juliet.asks(asking(info, stage.domain));
  assert.equal(child(query(reply, info), "x", "jabber:x:data"), undefined);
});

test("the stream features tell the capabilities that disco#info confirms (XEP-0115)", async (t) => {
  const config = { contact: { admin: ["xmpp:ana@pipit.test", "mailto:ana@pipit.test"] } };
  await using stage = await cast(t, { juliet: { password: "ok" } }, { config });
  const stream = await stage.connects();
  await stream.opens();
  await stream.receives("<stream:features/>");
  const features = await stream.authenticates("juliet", "ok");
  const caps = child(features, "c", "http://jabber.org/protocol/caps")!;
  assert.equal(attr(caps, "hash"), "sha-1");
  const ver = attr(caps, "ver")!;
  const { juliet } = stage.actors;
  const reply = await juliet.asks(asking(info, stage.domain));
  assert.equal(ver, verificationString(query(reply, info)));
  const node = `${attr(caps, "node")}#${ver}`;
  const again = await juliet.asks(
    asking(info, stage.domain, node),
    `<iq type='result'><query xmlns='${info}' node='${node}'/></iq>`,
  );
  assert.equal(verificationString(query(again, info)), ver);
  await stream.kill();
});

/** XEP-0115 §5.1, as the specification says it. */
function verificationString(info: Element): string {
  const bytewise = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
  const identities = children(info, "identity").map(
    (one) =>
      `${attr(one, "category")}/${attr(one, "type")}/${attr(one, "xml:lang") ?? ""}/${attr(one, "name") ?? ""}`,
  );
  const features = children(info, "feature").map((feature) => attr(feature, "var")!);
  const forms = children(info, "x", "jabber:x:data").map((form) => {
    const fields = children(form, "field");
    const formType = fields.find((field) => attr(field, "var") === "FORM_TYPE")!;
    const others = fields
      .filter((field) => field !== formType)
      .sort((a, b) => bytewise(attr(a, "var")!, attr(b, "var")!))
      .flatMap((field) => [
        attr(field, "var")!,
        ...children(field, "value")
          .map((value) => value.getText())
          .sort(bytewise),
      ]);
    return [childText(formType, "value")!, ...others];
  });
  forms.sort(([a], [b]) => bytewise(a!, b!));
  const all = [...identities.sort(bytewise), ...features.sort(bytewise), ...forms.flat()];
  return createHash("sha1")
    .update(all.map((part) => `${part}<`).join(""))
    .digest("base64");
}
