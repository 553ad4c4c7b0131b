/** XEP-0114: Jabber Component Protocol, "accept". */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { listenComponents } from "../../src/server/component-listener.ts";
import { attr, child, children } from "../../src/xmpp/xml.ts";
import { cast } from "../support/cast.ts";
import { ComponentActor } from "../support/component.ts";
import { world } from "../support/world.ts";

const secret = "correct horse";
const plays = "plays.pipit.test";

async function play(t: TestContext) {
  const components = { plays: { secret }, "other.example": { secret: "another" } };
  const stage = await cast(
    t,
    { romeo: {}, juliet: {} },
    { config: { components }, friends: [["romeo", "juliet"]] },
  );
  const port = stage.node.ports.component!;
  const open: ComponentActor[] = [];
  t.after(() => Promise.all(open.map((one) => one.kill())));
  return {
    stage,
    connects: async (name = plays) => {
      const component = await ComponentActor.connects(port, name);
      open.push(component);
      return component;
    },
    joins: async (name = plays, proof = secret) => {
      const component = await ComponentActor.joins(port, name, proof);
      open.push(component);
      return component;
    },
  };
}

const streamError = (condition: string): string =>
  `<stream:error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`;
const bounce = (stanza: string, attrs: string, condition: string): string =>
  `<${stanza} ${attrs} type='error'><error type='wait'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></${stanza}>`;

test("a component proves its secret and is there", async (t) => {
  const { connects } = await play(t);
  const component = await connects();
  await component.handshakes(secret);
  assert.equal(component.header?.["from"], plays);
  assert.equal(component.header["version"], undefined);
  await component.receives("<handshake/>");
  assert.equal(component.inbox.length, 0);
});

test("who is none of the components, or cannot prove it, is sent away", async (t) => {
  const { stage, connects } = await play(t);
  const stranger = await connects("stranger.pipit.test");
  await stranger.opens({ xmlns: "jabber:component:accept" });
  await stranger.receives(streamError("host-unknown"));
  await stranger.closed();

  const nobody = await connects();
  await nobody.opens({ xmlns: "jabber:component:accept", to: undefined });
  await nobody.receives(streamError("improper-addressing"));

  const client = await connects();
  await client.opens({ xmlns: "jabber:client" });
  await client.receives(streamError("invalid-namespace"));

  const liar = await connects();
  await liar.handshakes("wrong");
  await liar.receives(streamError("not-authorized"));
  await liar.closed();

  const hasty = await connects();
  await hasty.opens({ xmlns: "jabber:component:accept" });
  hasty.sends(`<message from='${plays}' to='${stage.actors.romeo.bare}'><body>Hark</body></message>`);
  await hasty.receives(streamError("not-authorized"));
  await stage.actors.romeo.receivesNothing();
});

test("a second connection of a component is a conflict, and the first one stays", async (t) => {
  const { connects, joins } = await play(t);
  const first = await joins();
  const second = await connects();
  await second.handshakes(secret);
  await second.receives(streamError("conflict"));
  // It is asked whether it is still there.
  const ping = await first.receives("<iq type='get' from='pipit.test'><ping xmlns='urn:xmpp:ping'/></iq>");
  first.sends(`<iq type='result' id='${attr(ping, "id")}' from='${plays}' to='pipit.test'/>`);
  await joins("other.example", "another");
  await first.ends();
  await joins();
});

test("stanzas go both ways, as anybody at the component's domain", async (t) => {
  const { stage, joins } = await play(t);
  const { romeo } = stage.actors;
  const component = await joins();
  romeo.sends(`<message to='hamlet@${plays}/castle' type='chat'><body>Who's there?</body></message>`);
  await component.receives(
    `<message from='${romeo.full}' to='hamlet@${plays}/castle' type='chat'><body>Who's there?</body></message>`,
  );
  component.sends(
    `<message from='bernardo@${plays}/watch' to='${romeo.full}' type='chat'><body>Nay, answer me</body></message>`,
  );
  await romeo.receives(
    `<message from='bernardo@${plays}/watch' to='${romeo.full}' type='chat'><body>Nay, answer me</body></message>`,
  );
  const asked = romeo.asks(
    `<iq type='get' to='${plays}' id='q'><query xmlns='jabber:iq:version'/></iq>`,
    `<iq type='result' from='${plays}'><query xmlns='jabber:iq:version'><name>Echo</name></query></iq>`,
  );
  await component.receives(
    `<iq type='get' from='${romeo.full}' id='q'><query xmlns='jabber:iq:version'/></iq>`,
  );
  component.sends(
    `<iq type='result' from='${plays}' to='${romeo.full}' id='q'>
       <query xmlns='jabber:iq:version'><name>Echo</name></query></iq>`,
  );
  await asked;
  await component.asks(
    `<iq type='get' from='${plays}' to='pipit.test'><ping xmlns='urn:xmpp:ping'/></iq>`,
    `<iq type='result' from='pipit.test' to='${plays}'/>`,
  );
  await component.asks(
    `<iq type='get' from='hamlet@${plays}' to='nobody@pipit.test'><query xmlns='jabber:iq:version'/></iq>`,
    `<iq type='error' from='nobody@pipit.test' to='hamlet@${plays}'>
       <error><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
  );
  // Who leaves `from` out means itself.
  component.sends(`<message to='${romeo.bare}' type='chat'><body>Long live the king</body></message>`);
  await romeo.receives(`<message from='${plays}' type='chat'><body>Long live the king</body></message>`);
});

test("a component speaks as nobody else, and says whom to", async (t) => {
  const { stage, joins } = await play(t);
  const { romeo, juliet } = stage.actors;
  for (const from of [juliet.full, "pipit.test", "ham@let@x", "other.example"]) {
    const component = await joins();
    component.sends(`<message from='${from}' to='${romeo.bare}' type='chat'><body>Trust me</body></message>`);
    await component.receives(streamError("invalid-from"));
    await component.closed();
  }
  const component = await joins();
  await component.asks(
    `<iq type='get' from='${plays}'><ping xmlns='urn:xmpp:ping'/></iq>`,
    "<iq type='error'><error type='modify'><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
  );
  await romeo.receivesNothing();
});

test("what is sent while a component is away comes back", async (t) => {
  const { stage, joins } = await play(t);
  const { romeo } = stage.actors;
  const away = async () => {
    romeo.sends(`<message to='hamlet@${plays}' type='chat' id='m'><body>Are you there?</body></message>`);
    await romeo.receives(bounce("message", `id='m' from='hamlet@${plays}'`, "remote-server-timeout"));
    await romeo.asks(
      `<iq type='get' to='${plays}'><ping xmlns='urn:xmpp:ping'/></iq>`,
      bounce("iq", `from='${plays}'`, "remote-server-timeout"),
    );
  };
  await away();
  const component = await joins();
  romeo.sends(`<message to='hamlet@${plays}' type='chat'><body>And now?</body></message>`);
  await component.receives("<message><body>And now?</body></message>");
  await component.ends();
  await away();
});

test("the domain lists the components that are connected", async (t) => {
  const { stage, joins } = await play(t);
  const items = "http://jabber.org/protocol/disco#items";
  const listed = async (): Promise<boolean> => {
    const ask = `<iq type='get' to='pipit.test'><query xmlns='${items}'/></iq>`;
    const query = child(await stage.actors.romeo.asks(ask), "query", items)!;
    return children(query).some((item) => attr(item, "jid") === plays);
  };
  assert.equal(await listed(), false);
  const component = await joins();
  assert.equal(await listed(), true);
  await component.ends();
  assert.equal(await listed(), false);
});

test("contacts at a component come and go with it", async (t) => {
  const { stage, joins } = await play(t);
  const { romeo } = stage.actors;
  const hamlet = `hamlet@${plays}`;
  // RFC 6121 §2.2: who asks for the roster is told of its changes, and of subscriptions.
  await romeo.asks("<iq type='get'><query xmlns='jabber:iq:roster'/></iq>");
  const component = await joins();
  romeo.sends(`<presence to='${hamlet}' type='subscribe'/>`);
  await romeo.receives("<iq type='set'><query xmlns='jabber:iq:roster'/></iq>");
  await component.receives(`<presence from='${romeo.bare}' to='${hamlet}' type='subscribe'/>`);
  component.sends(`<presence from='${hamlet}' to='${romeo.bare}' type='subscribed'/>`);
  component.sends(`<presence from='${hamlet}/castle' to='${romeo.bare}'><show>away</show></presence>`);
  await romeo.receives(`<presence from='${hamlet}' type='subscribed'/>`);
  await romeo.receives("<iq type='set'><query xmlns='jabber:iq:roster'/></iq>");
  await romeo.receives(`<presence from='${hamlet}/castle'><show>away</show></presence>`);
  await component.kill();
  await romeo.receives(`<presence from='${hamlet}/castle' type='unavailable'/>`);
  const again = await joins();
  await again.receives(`<presence from='${romeo.bare}' to='${hamlet}' type='probe'/>`);
  again.sends(`<presence from='${hamlet}/castle' to='${romeo.bare}'/>`);
  await romeo.receives(`<presence from='${hamlet}/castle'/>`);
});

test("a component that reads nothing is cut off, and costs nobody else anything", async (t) => {
  const { stage, joins } = await play(t);
  const { romeo, juliet } = stage.actors;
  const component = await joins();
  component.socket.pause();
  const body = "x".repeat(200_000);
  const gone = () => stage.log.some(({ msg }) => msg === "a component has gone");
  for (let sent = 0; !gone(); sent += 1) {
    assert(sent < 400, "nothing bounds what waits for a component");
    romeo.sends(`<message to='${plays}' type='headline'><body>${body}</body></message>`);
    await romeo.pings();
  }
  // What waits for it was never its sender's loss alone: those after it came back.
  romeo.inbox.length = 0;
  romeo.sends(`<message to='${juliet.full}' type='chat'><body>Still here</body></message>`);
  await juliet.receives("<message type='chat'><body>Still here</body></message>");
});

test("the server says that it goes", async (t) => {
  const { stage, joins } = await play(t);
  const component = await joins();
  await stage.stops();
  await component.receives(streamError("system-shutdown"));
});

test("a component whose domain the node serves itself stops the start", async (t) => {
  await assert.rejects(
    cast(t, {}, { config: { components: { "pipit.test": { secret } } } }),
    /components: pipit\.test is served by the node itself/,
  );
});

test("a component is found by other servers, and finds them", async (t) => {
  const config = { components: { plays: { secret } }, listen: { component: 0 } };
  await using verona = await world(
    t,
    { capulet: { juliet: {} }, montague: { romeo: {} } },
    { houses: { capulet: { config } } },
  );
  const { romeo } = verona.actors;
  const { capulet } = verona.stages;
  const name = "plays.capulet.example";
  verona.dns.zone[`_xmpp-server._tcp.${name}`] = verona.dns.zone["_xmpp-server._tcp.capulet.example"]!;
  const component = await ComponentActor.joins(capulet.node.ports.component!, name, secret);
  romeo.sends(`<message to='hamlet@${name}' type='chat'><body>Who's there?</body></message>`);
  await component.receives(
    `<message from='${romeo.full}' to='hamlet@${name}' type='chat'><body>Who's there?</body></message>`,
  );
  component.sends(
    `<message from='hamlet@${name}/x' to='${romeo.full}' type='chat'><body>Nay</body></message>`,
  );
  await romeo.receives(`<message from='hamlet@${name}/x' type='chat'><body>Nay</body></message>`);
  const asked = romeo.asks(`<iq type='get' to='${name}' id='v'><query xmlns='jabber:iq:version'/></iq>`);
  const query = await component.receives(`<iq type='get' from='${romeo.full}' to='${name}'/>`);
  component.sends(`<iq type='result' id='${attr(query, "id")}' from='${name}' to='${romeo.full}'/>`);
  await asked;
  await component.asks(
    `<iq type='get' from='hamlet@${name}' to='montague.example'><ping xmlns='urn:xmpp:ping'/></iq>`,
    `<iq type='result' from='montague.example' to='hamlet@${name}'/>`,
  );
  await component.ends();
  romeo.sends(`<message to='hamlet@${name}' type='chat' id='m'><body>Gone?</body></message>`);
  await romeo.receives(bounce("message", `id='m' from='hamlet@${name}'`, "remote-server-timeout"));
});

test("a connection that is dead makes room for the next", async (t) => {
  const { stage } = await play(t);
  const { components, router, events, log } = stage.node;
  const timing = { answer: 100, sweep: 20 };
  const options = {
    domain: stage.domain,
    host: "127.0.0.1",
    port: 0,
    components,
    router,
    events,
    log,
    timing,
  };
  const port = await listenComponents(options);
  t.after(() => port.close());
  const dead = await ComponentActor.joins(port.port, plays, secret);
  const alive = await ComponentActor.joins(port.port, "other.example", "another");
  for (const [name, proof] of [
    [plays, secret],
    ["other.example", "another"],
  ] as const) {
    const second = await ComponentActor.connects(port.port, name);
    await second.handshakes(proof);
    await second.receives(streamError("conflict"));
  }
  const ping = await alive.receives("<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>");
  alive.sends(`<iq type='result' id='${attr(ping, "id")}' from='other.example' to='${stage.domain}'/>`);
  await dead.receives("<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>");
  await dead.receives(streamError("connection-timeout"));
  await dead.closed();
  assert.equal(alive.ended, false);
  const next = await ComponentActor.joins(port.port, plays, secret);
  await next.ends();
  await alive.ends();
});
