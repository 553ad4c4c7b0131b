/** XEP-0077: accounts are made on a stream before anybody is known, and changed and ended by who they belong to. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { ConfigInput } from "../../src/config.ts";
import { parseJid } from "../../src/xmpp/jid.ts";
import { attr, child, children, type Element } from "../../src/xmpp/xml.ts";
import { BoshClient } from "../support/bosh.ts";
import { cast, type ClientStream, type Stage } from "../support/cast.ts";
import { authenticate } from "../support/sasl-client.ts";
import { WebSocketClient } from "../support/websocket.ts";

const ns = "jabber:iq:register";
const feature = "http://jabber.org/features/iq-register";
const stanzas = "urn:ietf:params:xml:ns:xmpp-stanzas";
const open: ConfigInput = { registration: { open: true } };

const get = `<iq type='get' id='r1'><query xmlns='${ns}'/></iq>`;
const fields = (username: string, password: string): string =>
  `<iq type='set' id='r2'><query xmlns='${ns}'><username>${username}</username><password>${password}</password></query></iq>`;
const form = (username: string, password: string): string =>
  `<iq type='set' id='r3'><query xmlns='${ns}'><x xmlns='jabber:x:data' type='submit'>
     <field var='FORM_TYPE'><value>${ns}</value></field>
     <field var='username'><value>${username}</value></field><field var='password'><value>${password}</value></field>
   </x></query></iq>`;
const refusal = (condition: string, attrs = ""): string =>
  `<iq type='error'><error ${attrs}><${condition} xmlns='${stanzas}'/></error></iq>`;

/** A stream on which nobody is known, and the names of what it offers. */
async function stranger(stage: Stage): Promise<{ stream: ClientStream; features: Element }> {
  const stream = await stage.connects();
  await stream.opens();
  return { stream, features: await stream.receives("<stream:features/>") };
}

const offered = (features: Element): string[] =>
  children(features)
    .filter(({ name }) => name === "register")
    .map((one) => attr(one, "xmlns")!);

const logsIn = async (stage: Stage, name: string, password: string): Promise<void> =>
  void (await stage.login(name, { password, resource: "new", presence: false }));

test("a stranger is asked for a name and a password, and can log in with them on the same stream", async (t) => {
  await using stage = await cast(t, {}, { config: open });
  const { stream, features } = await stranger(stage);
  assert.deepEqual(offered(features), [feature]);
  const reply = await stream.asks(get, `<iq type='result' id='r1'><query xmlns='${ns}'/></iq>`);
  // Old clients give up where there is anything else.
  assert.deepEqual(
    children(child(reply, "query", ns)!).map(({ name }) => name),
    ["instructions", "username", "password"],
  );
  await stream.asks(fields("bill", "Calliope"), `<iq type='result' id='r2'/>`);
  await stream.authenticates("bill", "Calliope");
  assert.match(await stream.binds(), /^bill@pipit\.test\//);
  assert.equal((await stage.node.accounts.find("bill"))?.admin, false);
});

test("a form is taken too, and names are prepared", async (t) => {
  await using stage = await cast(t, {}, { config: open });
  const { stream } = await stranger(stage);
  await stream.asks(form("Bill", "Calliope"), `<iq type='result' id='r3'/>`);
  await logsIn(stage, "bill", "Calliope");
});

test("addresses on the stanzas of who has none yet do no harm", async (t) => {
  await using stage = await cast(t, {}, { config: open });
  const { stream } = await stranger(stage);
  const addressed = fields("bill", "x").replace("<iq", "<iq from='bill@pipit.test' to='pipit.test'");
  await stream.asks(addressed, `<iq type='result' from='pipit.test' to='bill@pipit.test'/>`);
});

test("what cannot be an account is refused, in words old and new, without the password", async (t) => {
  await using stage = await cast(t, { juliet: { presence: false } }, { config: open });
  const { stream } = await stranger(stage);
  await stage.node.accounts.remove((await stage.node.accounts.add(jid("gone"), "x")) && jid("gone"));
  const refused = async (iq: string, condition: string, attrs: string): Promise<void> => {
    const reply = await stream.asks(iq, refusal(condition, attrs));
    assert.equal(child(reply, "query", ns), undefined);
  };
  await refused(fields("juliet", "m1cro$oft"), "conflict", "type='cancel' code='409'");
  await refused(fields("gone", "x"), "conflict", "type='cancel' code='409'");
  const modify = "type='modify' code='406'";
  await refused(fields("bill", ""), "not-acceptable", modify);
  await refused(fields("", "Calliope"), "not-acceptable", modify);
  await refused(form("bill", ""), "not-acceptable", modify);
  await refused(`<iq type='set' id='r4'><query xmlns='${ns}'/></iq>`, "not-acceptable", modify);
  await refused(fields("a b", "Calliope"), "not-acceptable", modify);
  await refused(fields("bill@pipit.test", "Calliope"), "not-acceptable", modify);
  await refused(fields("bill", "x".repeat(1_025)), "not-acceptable", modify);
  for (const name of ["admin", "Timeline", "abuse", "root"])
    await refused(fields(name, "Calliope"), "not-acceptable", modify);
  await refused(
    `<iq type='set' id='r5'><query xmlns='${ns}'><remove/></query></iq>`,
    "unexpected-request",
    "type='wait' code='400'",
  );
  await stream.asks(fields("bill", "Calliope"), `<iq type='result'/>`);
});

const jid = (name: string) => parseJid(`${name}@pipit.test`)!;

test("one stream makes one account", async (t) => {
  await using stage = await cast(t, {}, { config: open });
  const { stream } = await stranger(stage);
  await stream.asks(fields("bill", "Calliope"), `<iq type='result'/>`);
  await stream.asks(fields("ben", "Calliope"), refusal("not-acceptable"));
  await stream.asks(get, refusal("not-acceptable"));
});

test("nothing is offered or taken where registration is closed, which it is by itself", async (t) => {
  await using stage = await cast(t, {});
  const { stream, features } = await stranger(stage);
  assert.deepEqual(offered(features), []);
  await stream.asks(get, refusal("not-allowed", "type='cancel' code='405'"));
  await stream.asks(fields("bill", "Calliope"), refusal("not-allowed"));
  assert.equal(await stage.node.accounts.find("bill"), undefined);
});

test("passwords are not sent in the clear: nothing is offered before TLS", async (t) => {
  await using stage = await cast(t, {}, { config: { ...open, c2s: { require_tls: false } } });
  const stream = await stage.connects("none");
  await stream.opens();
  assert.deepEqual(offered(await stream.receives("<stream:features/>")), []);
  await stream.asks(get, refusal("not-authorized", "type='auth' code='401'"));
  await stream.asks(fields("bill", "Calliope"), refusal("not-authorized"));
  await stream.secures();
  await stream.opens();
  assert.deepEqual(offered(await stream.receives("<stream:features/>")), [feature]);
  await stream.asks(fields("bill", "Calliope"), `<iq type='result'/>`);
});

test("a password is not changed in the clear (§3.3)", async (t) => {
  await using stage = await cast(
    t,
    { juliet: { presence: false } },
    { config: { c2s: { require_tls: false } } },
  );
  const stream = await stage.connects("none");
  await stream.opens();
  const features = await stream.receives("<stream:features/>");
  const login = { mechanism: "SCRAM-SHA-256", username: "juliet", password: "juliet's secret" } as const;
  assert.equal((await authenticate(stream, features, login)).name, "success");
  await stream.opens();
  await stream.receives("<stream:features/>");
  await stream.asks(
    `<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`,
    `<iq type='result'/>`,
  );
  await stream.asks(fields("juliet", "second"), refusal("not-authorized"));
  await logsIn(stage, "juliet", "juliet's secret");
});

test("whatever else is no request of this kind ends the stream", async (t) => {
  await using stage = await cast(t, {}, { config: open });
  for (const wrong of [
    `<message><query xmlns='${ns}'/></message>`,
    `<query xmlns='${ns}'/>`,
    `<iq type='result' id='1'><query xmlns='${ns}'/></iq>`,
  ]) {
    const { stream } = await stranger(stage);
    stream.sends(wrong);
    await stream.receives(
      `<stream:error><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`,
    );
    await stream.closed();
  }
});

test("a network that makes a class of accounts at once has to wait then", { timeout: 60_000 }, async (t) => {
  await using stage = await cast(t, {}, { config: open });
  const { stream } = await stranger(stage);
  for (let tries = 0; tries < 61; tries += 1)
    await stream.asks(fields("admin", "x"), refusal("not-acceptable"));
  await stream.asks(fields("bill", "x"), refusal("not-acceptable", "type='wait'"));
  assert.equal(await stage.node.accounts.find("bill"), undefined);
});

test("a browser registers over a WebSocket, and over BOSH", async (t) => {
  await using stage = await cast(t, {}, { config: open });
  const client = await new WebSocketClient(stage).connected();
  client.opens();
  await client.next();
  assert.deepEqual(offered(await client.next()), [feature]);
  const wrapped = (iq: string): string => iq.replace("<iq", `<iq xmlns='jabber:client'`);
  client.sends(wrapped(get));
  assert.equal((await client.next()).attrs["type"], "result");
  client.sends(wrapped(fields("bill", "Calliope")));
  assert.equal((await client.next()).attrs["type"], "result");
  client.socket.close();
  await client.closed();
  const bosh = new BoshClient(stage);
  await bosh.begins();
  const answer = await bosh.says(wrapped(fields("ben", "Calliope")));
  assert.equal(child(answer, "iq", "jabber:client")?.attrs["type"], "result");
  await bosh.says("", `type="terminate"`);
  await logsIn(stage, "bill", "Calliope");
  await logsIn(stage, "ben", "Calliope");
});

test("who is logged in is told what is on file, and that it can be changed", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  const known = `<iq type='result'><query xmlns='${ns}'><registered/><username>juliet</username><password/></query></iq>`;
  await juliet.asks(get, known);
  await juliet.asks(get.replace("<iq", `<iq to='${stage.domain}'`), known);
  await juliet.asks(
    `<iq type='get' to='${stage.domain}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`,
    `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'><feature var='${ns}'/></query></iq>`,
  );
  await juliet.asks(get.replace("<iq", `<iq to='romeo@${stage.domain}'`), refusal("service-unavailable"));
});

test("a password is changed: who did it stays, all others have to log in with the new one", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const { juliet } = stage.actors;
  const tablet = await stage.login("juliet", { resource: "tablet", presence: false });
  await juliet.asks(fields("juliet", "second"), `<iq type='result' id='r2'/>`);
  await tablet.receives(`<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`);
  await tablet.closed();
  await juliet.asks(form("juliet@pipit.test", "third"), `<iq type='result'/>`);
  await logsIn(stage, "juliet", "third");
  const { stream } = await stranger(stage);
  stream.raw(
    `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${Buffer.from("\0juliet\0second").toString("base64")}</auth>`,
  );
  await stream.receives("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>");
});

test("a password is never changed to nothing, nor for somebody else, nor repeated in a refusal", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} });
  const { juliet } = stage.actors;
  for (const [iq, condition] of [
    [fields("juliet", ""), "bad-request"],
    [`<iq type='set' id='r6'><query xmlns='${ns}'><password>x</password></query></iq>`, "bad-request"],
    [fields("romeo", "x"), "forbidden"],
    [fields("juliet@other.test", "x"), "forbidden"],
    [fields("juliet", "x".repeat(1_025)), "not-acceptable"],
  ] as const) {
    const reply = await juliet.asks(iq, refusal(condition));
    assert.deepEqual(children(child(reply, "query", ns)!), []);
  }
  await logsIn(stage, "juliet", "juliet's secret");
  await logsIn(stage, "romeo", "romeo's secret");
});

test("an account ends: first comes the answer, then the end of its sessions, and its name stays taken", async (t) => {
  await using stage = await cast(
    t,
    { juliet: {}, romeo: {} },
    { friends: [["juliet", "romeo"]], config: open },
  );
  const { juliet, romeo } = stage.actors;
  const tablet = await stage.login("juliet", { resource: "tablet", presence: false });
  await romeo.asks(`<iq type='get'><query xmlns='jabber:iq:roster'/></iq>`);
  const removal = `<iq type='set' id='unreg1'><query xmlns='${ns}'><remove/></query></iq>`;
  await juliet.asks(
    removal.replace("<remove/>", "<remove/><username>juliet</username>"),
    refusal("bad-request"),
  );
  juliet.inbox.length = 0;
  juliet.sends(removal);
  await juliet.receivesNext(`<iq type='result' id='unreg1'/>`);
  const end = `<stream:error><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`;
  await juliet.receives(end);
  await tablet.receives(end);
  await juliet.closed();
  await romeo.receives(`<presence type='unsubscribe' from='${juliet.bare}'/>`);
  await romeo.receives(`<presence type='unsubscribed' from='${juliet.bare}'/>`);
  await stage.settle();
  romeo.inbox.length = 0;
  assert.equal(await stage.node.accounts.exists("juliet"), false);
  const { stream } = await stranger(stage);
  await stream.asks(fields("juliet", "x"), refusal("conflict"));
});

test("the last administrator stays", async (t: TestContext) => {
  await using stage = await cast(t, {
    ana: { admin: true, presence: false },
    ben: { admin: true, presence: false },
    eve: { admin: true, presence: false },
  });
  const { ana, ben } = stage.actors;
  const removal = `<iq type='set' id='u'><query xmlns='${ns}'><remove/></query></iq>`;
  await stage.node.accounts.setDisabled(jid("eve"), true);
  await stage.actors.eve.closed();
  stage.actors.eve.inbox.length = 0;
  await ben.asks(removal, `<iq type='result'/>`);
  await ben.closed();
  ben.inbox.length = 0;
  await ana.asks(removal, refusal("not-allowed"));
  assert.equal(await stage.node.accounts.exists("ana"), true);
});
