/** XEP-0133: Service Administration, in the order of its use cases. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJid } from "../../src/xmpp/jid.ts";
import { attr, child, children, text, type Element } from "../../src/xmpp/xml.ts";
import { cast, type Actor, type Stage } from "../support/cast.ts";
import { spawnNode } from "../support/node.ts";
import { until } from "../support/until.ts";

const commands = "http://jabber.org/protocol/commands";
const admin = "http://jabber.org/protocol/admin";

type Fields = Readonly<Record<string, string | readonly string[]>>;

const submitted = (fields: Fields): string => {
  const written = Object.entries({ FORM_TYPE: admin, ...fields }).map(
    ([name, values]) =>
      `<field var='${name}'>${[values]
        .flat()
        .map((value) => `<value>${value}</value>`)
        .join("")}</field>`,
  );
  return `<x xmlns='jabber:x:data' type='submit'>${written.join("")}</x>`;
};

const refusal = (condition: string): string =>
  `<iq type='error'><error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`;

const run = (actor: Actor, id: string, attrs = "", inside = "", shape?: string) =>
  actor.asks(
    `<iq type='set' to='${actor.domain}' xml:lang='en'>
       <command xmlns='${commands}' node='${admin}#${id}' ${attrs}>${inside}</command></iq>`,
    shape,
  );

/** Executes a command up to its form; the names of its fields. */
async function form(actor: Actor, id: string): Promise<{ session: string; fields: Map<string, Element> }> {
  const reply = await run(
    actor,
    id,
    "action='execute'",
    "",
    `<iq type='result'><command xmlns='${commands}' node='${admin}#${id}' status='executing'>
       <x xmlns='jabber:x:data' type='form'><title>{any}</title>
         <field var='FORM_TYPE' type='hidden'><value>${admin}</value></field></x></command></iq>`,
  );
  const command = child(reply, "command", commands)!;
  const fields = children(child(command, "x", "jabber:x:data")!, "field");
  return {
    session: attr(command, "sessionid")!,
    fields: new Map(fields.map((field) => [attr(field, "var")!, field])),
  };
}

/** Runs a command with one form to its end; what it told, by field. */
async function does(actor: Actor, id: string, fields: Fields): Promise<Map<string, string[]>> {
  const { session } = await form(actor, id);
  return told(await submits(actor, id, session, fields, completed(id)));
}

const submits = (actor: Actor, id: string, session: string, fields: Fields, shape: string) =>
  run(actor, id, `sessionid='${session}'`, submitted(fields), shape);

const completed = (id: string): string =>
  `<iq type='result'><command xmlns='${commands}' node='${admin}#${id}' status='completed'/></iq>`;

async function isRefused(actor: Actor, id: string, fields: Fields, condition: string): Promise<void> {
  const { session } = await form(actor, id);
  await submits(actor, id, session, fields, refusal(condition));
}

function told(reply: Element): Map<string, string[]> {
  const x = child(child(reply, "command", commands)!, "x", "jabber:x:data");
  const fields = x ? children(x, "field") : [];
  return new Map(fields.map((field) => [attr(field, "var")!, children(field, "value").map(text)]));
}

/** A number or list that is told at once. */
const asksFor = async (actor: Actor, id: string): Promise<Map<string, string[]>> =>
  told(await run(actor, id, "", "", completed(id)));

const streamError = (condition: string): string =>
  `<stream:error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`;

const exists = async (stage: Stage, name: string): Promise<boolean> => stage.node.accounts.exists(name);

test("only administrators find the commands, and only they run them", async (t) => {
  await using stage = await cast(t, { bard: { admin: true }, juliet: {} });
  const { bard, juliet } = stage.actors;
  const items = "http://jabber.org/protocol/disco#items";
  const listed = async (actor: Actor): Promise<string[]> => {
    const reply = await actor.asks(
      `<iq type='get' to='${stage.domain}'><query xmlns='${items}' node='${commands}'/></iq>`,
    );
    const nodes = children(child(reply, "query", items)!).map((item) => attr(item, "node")!);
    return nodes.filter((node) => node.startsWith(admin)).map((node) => node.slice(admin.length + 1));
  };
  // Of the specification's 31 one is retracted; rosters, and black- and whitelists are not here.
  const here = await listed(bard);
  assert.equal(here.length, 27);
  for (const left of ["get-user-password", "get-user-roster", "edit-blacklist", "edit-whitelist"])
    assert(!here.includes(left), left);
  assert.deepEqual(await listed(juliet), []);
  await run(juliet, "add-user", "", "", refusal("forbidden"));
  await run(juliet, "get-registered-users-num", "", "", refusal("forbidden"));
  // Whoever is one no longer cannot go on with what they began.
  const { session } = await form(bard, "delete-user");
  await stage.node.accounts.setAdmins([parseJid(juliet.bare)!]);
  await submits(bard, "delete-user", session, { accountjids: juliet.bare }, refusal("forbidden"));
});

test("4.1 add user", async (t) => {
  await using stage = await cast(t, { bard: { admin: true } });
  const { bard } = stage.actors;
  const password = { password: "R0m30", "password-verify": "R0m30" };
  const juliet = stage.bare("juliet");
  assert.deepEqual(
    [...(await form(bard, "add-user")).fields.keys()],
    ["FORM_TYPE", "accountjid", "password", "password-verify"],
  );
  await does(bard, "add-user", { accountjid: juliet, ...password });
  const actor = await stage.login("juliet", { password: "R0m30", presence: false });
  assert.equal(actor.bare, juliet);
  await isRefused(bard, "add-user", { accountjid: juliet, ...password }, "conflict");
  const other = { accountjid: stage.bare("romeo") };
  await isRefused(bard, "add-user", { ...other, ...password, "password-verify": "x" }, "not-acceptable");
  await isRefused(bard, "add-user", { accountjid: "romeo@elsewhere.lit", ...password }, "not-acceptable");
  await isRefused(bard, "add-user", { accountjid: stage.bare("root"), ...password }, "not-acceptable");
  assert.equal(await exists(stage, "romeo"), false);
});

test("4.2 delete user: sessions end, and all of it goes", async (t) => {
  await using stage = await cast(t, { bard: { admin: true }, juliet: {}, romeo: {} });
  const { bard, juliet, romeo } = stage.actors;
  const missing = [juliet.bare, stage.bare("nobody")];
  await isRefused(bard, "delete-user", { accountjids: missing }, "item-not-found");
  await isRefused(bard, "delete-user", { accountjids: [juliet.bare, romeo.full] }, "not-acceptable");
  assert.equal(await exists(stage, "juliet"), true);
  await does(bard, "delete-user", { accountjids: [juliet.bare, romeo.bare] });
  await juliet.receives(streamError("not-authorized"));
  await romeo.receives(streamError("not-authorized"));
  assert.equal(await exists(stage, "juliet"), false);
  await isRefused(bard, "delete-user", { accountjids: bard.bare }, "not-allowed");
});

test("4.3 and 4.4 disable and re-enable user: nobody logs in, and nothing is lost", async (t) => {
  await using stage = await cast(t, { bard: { admin: true }, juliet: {} }, { friends: [["bard", "juliet"]] });
  const { bard, juliet } = stage.actors;
  await does(bard, "disable-user", { accountjids: juliet.bare });
  await juliet.receives(streamError("not-authorized"));
  await bard.receives(`<presence from='${juliet.full}' type='unavailable'/>`);
  const stream = await stage.connects();
  await stream.opens();
  await stream.receives("<stream:features/>");
  const message = Buffer.from("\0juliet\0juliet's secret").toString("base64");
  stream.raw(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${message}</auth>`);
  await stream.receives("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><account-disabled/></failure>");
  assert.deepEqual((await does(bard, "get-disabled-users-list", {})).get("disableduserjids"), [juliet.bare]);
  assert.deepEqual((await asksFor(bard, "get-disabled-users-num")).get("disabledusersnum"), ["1"]);
  // What is written to her waits.
  bard.sends(`<message to='${juliet.bare}' type='chat'><body>Come back</body></message>`);
  await does(bard, "reenable-user", { accountjids: juliet.bare });
  const again = await stage.login("juliet", { presence: false });
  assert.equal((await stage.node.rosters.of(juliet.bare)).size, 1);
  again.sends("<presence/>");
  await again.receives("<message><body>Come back</body></message>");
  await stage.settle();
  bard.inbox.length = again.inbox.length = 0;
  await isRefused(bard, "disable-user", { accountjids: bard.bare }, "not-allowed");
});

test("4.5 end user session: all of them, or one", async (t) => {
  await using stage = await cast(t, { bard: { admin: true }, juliet: {} });
  const { bard, juliet } = stage.actors;
  const tablet = await stage.login("juliet", { resource: "tablet", presence: false });
  await does(bard, "end-user-session", { accountjids: juliet.full });
  await juliet.receives(streamError("not-authorized"));
  await tablet.pings();
  const phone = await stage.login("juliet", { presence: false });
  await does(bard, "end-user-session", { accountjids: juliet.bare });
  await phone.receives(streamError("not-authorized"));
  await tablet.receives(streamError("not-authorized"));
  // One's own is ended behind the answer.
  await does(bard, "end-user-session", { accountjids: bard.bare });
  await bard.receives(streamError("not-authorized"));
});

test("4.7 change user password", async (t) => {
  await using stage = await cast(t, { bard: { admin: true }, juliet: {} });
  const { bard, juliet } = stage.actors;
  await does(bard, "change-user-password", { accountjid: juliet.bare, password: "V3r0n4" });
  await juliet.receives(streamError("reset"));
  await stage.login("juliet", { password: "V3r0n4", presence: false });
  const nobody = { accountjid: stage.bare("nobody"), password: "x" };
  await isRefused(bard, "change-user-password", nobody, "item-not-found");
});

test("4.9 and 4.10 last login and statistics", async (t) => {
  await using stage = await cast(t, { bard: { admin: true }, juliet: {} }, { friends: [["bard", "juliet"]] });
  const { bard, juliet } = stage.actors;
  await stage.node.accounts.add(parseJid(stage.bare("romeo"))!, "x");
  const before = Date.now();
  const { session } = await form(bard, "get-user-lastlogin");
  const both = { accountjids: [juliet.bare, stage.bare("romeo")] };
  const reply = await submits(
    bard,
    "get-user-lastlogin",
    session,
    both,
    `<iq type='result'><command xmlns='${commands}' status='completed'>
       <note type='info'>${stage.bare("romeo")}: no login is known</note></command></iq>`,
  );
  assert.deepEqual(told(reply).get("accountjids"), [juliet.bare]);
  const [at = ""] = told(reply).get("lastlogin")!;
  assert(Math.abs(Date.parse(at) - before) < 60_000, at);
  const tablet = await stage.login("juliet", { resource: "tablet", presence: false });
  const statistics = await does(bard, "user-stats", { accountjid: juliet.bare });
  assert.deepEqual(statistics.get("ipaddresses"), ["127.0.0.1"]);
  assert.deepEqual(statistics.get("rostersize"), ["1"]);
  assert.deepEqual(statistics.get("onlineresources"), ["phone", "tablet"]);
  await tablet.ends();
});

test("4.13 to 4.22 numbers and lists of users", async (t) => {
  await using stage = await cast(t, {
    bard: { admin: true },
    juliet: {},
    romeo: {},
    tybalt: { presence: false },
  });
  const { bard, juliet, romeo, tybalt } = stage.actors;
  await stage.node.accounts.add(parseJid(stage.bare("mercutio"))!, "x");
  romeo.sends("<presence><show>xa</show></presence>");
  await romeo.receives("<presence><show>xa</show></presence>");
  const everybody = ["bard", "juliet", "mercutio", "romeo", "tybalt"].map((name) => stage.bare(name));
  const expected = {
    registered: everybody,
    disabled: [],
    online: everybody.filter((jid) => !jid.startsWith("mercutio")),
    active: [bard.bare, juliet.bare],
    idle: [romeo.bare, tybalt.bare],
  };
  for (const [kind, jids] of Object.entries(expected)) {
    const number = await asksFor(bard, `get-${kind}-users-num`);
    assert.deepEqual(number.get(`${kind}usersnum`), [String(jids.length)], kind);
    const id = kind === "active" || kind === "idle" ? `get-${kind}-users` : `get-${kind}-users-list`;
    assert.deepEqual((await does(bard, id, { max_items: "25" })).get(`${kind}userjids`), jids, kind);
  }
  const all = await does(bard, "get-registered-users-list", { max_items: "none" });
  assert.equal(all.get("registereduserjids")?.length, 5);
  const { session } = await form(bard, "get-online-users-list");
  await submits(bard, "get-online-users-list", session, { max_items: "7" }, refusal("bad-request"));
});

test("a list that is too long is cut, and says so", async (t) => {
  await using stage = await cast(t, { bard: { admin: true } });
  const { bard } = stage.actors;
  for (let i = 0; i < 26; i += 1) await stage.node.accounts.add(parseJid(stage.bare(`a${i}`))!, "x");
  const { session } = await form(bard, "get-registered-users-list");
  const reply = await submits(
    bard,
    "get-registered-users-list",
    session,
    { max_items: "25" },
    `<iq type='result'><command xmlns='${commands}'><note type='info'>2 more are not shown</note></command></iq>`,
  );
  assert.equal(told(reply).get("registereduserjids")?.length, 25);
});

test("4.23 an announcement reaches who is connected, and waits for nobody", async (t) => {
  await using stage = await cast(t, { bard: { admin: true }, juliet: {}, romeo: { presence: false } });
  const { bard, juliet, romeo } = stage.actors;
  await stage.node.accounts.add(parseJid(stage.bare("mercutio"))!, "x");
  await does(bard, "announce", { announcement: ["Attention!", "Tea &amp; cake at five."] });
  for (const one of [bard, juliet, romeo]) {
    await one.receives(
      `<message from='${stage.domain}' type='headline'><body>Attention!\nTea &amp; cake at five.</body></message>`,
    );
  }
  const mercutio = await stage.login("mercutio", { password: "x" });
  await mercutio.receivesNothing();
});

test("4.24 to 4.26 everybody reads the message of the day once", async (t) => {
  await using stage = await cast(t, { bard: { admin: true }, juliet: {} });
  const { bard, juliet } = stage.actors;
  const motd = (words: string): string => `<message from='${stage.domain}'><body>${words}</body></message>`;
  await stage.node.accounts.add(parseJid(stage.bare("romeo"))!, "x");
  await run(bard, "delete-motd", "", "", refusal("item-not-found"));
  await isRefused(bard, "edit-motd", { motd: "None yet" }, "item-not-found");
  await does(bard, "set-motd", { motd: ["The Globe Theatre", "opens again"] });
  for (const one of [bard, juliet]) await one.receives(motd("The Globe Theatre\nopens again"));
  const tablet = await stage.login("juliet", { resource: "tablet" });
  await tablet.receivesNothing();

  const { fields } = await form(bard, "edit-motd");
  const now = children(fields.get("motd")!, "value").map(text);
  assert.deepEqual(now, ["The Globe Theatre", "opens again"]);
  await does(bard, "edit-motd", { motd: "The Globe opens again" });
  const romeo = await stage.login("romeo", { password: "x", presence: false });
  romeo.sends("<presence/>");
  await romeo.receives(motd("The Globe opens again"));
  await romeo.receives("<presence/>");
  await romeo.receivesNothing();
  await juliet.ends();
  await tablet.ends();
  const again = await stage.login("juliet");
  await again.receivesNothing();

  await run(bard, "delete-motd", "", "", completed("delete-motd"));
  await stage.node.accounts.add(parseJid(stage.bare("tybalt"))!, "x");
  const tybalt = await stage.login("tybalt", { password: "x" });
  await tybalt.receivesNothing();
  bard.inbox.length = 0;
});

test("4.27 and 4.28 who is new is welcomed once, and that is in their archive of messages", async (t) => {
  await using stage = await cast(t, { bard: { admin: true }, juliet: {} });
  const { bard, juliet } = stage.actors;
  await does(bard, "set-welcome", { welcome: ["Welcome to Shakespeare.lit", "Have a seat"] });
  const { fields } = await form(bard, "set-welcome");
  assert.equal(children(fields.get("welcome")!, "value").length, 2);
  // She has been here before there was a welcome.
  const tablet = await stage.login("juliet", { resource: "tablet" });
  await tablet.receivesNothing();
  await juliet.receivesNothing();

  await stage.node.accounts.add(parseJid(stage.bare("romeo"))!, "x");
  const romeo = await stage.login("romeo", { password: "x", presence: false });
  romeo.sends("<presence/>");
  await romeo.receives(
    `<message from='${stage.domain}'><body>Welcome to Shakespeare.lit\nHave a seat</body></message>`,
  );
  await romeo.receives("<presence/>");
  await romeo.ends();
  const again = await stage.login("romeo", { password: "x" });
  await again.receivesNothing();
  await run(bard, "delete-welcome", "", "", completed("delete-welcome"));
  await run(bard, "delete-welcome", "", "", refusal("item-not-found"));
});

test("4.29 edit admin list", async (t) => {
  await using stage = await cast(t, { bard: { admin: true }, juliet: {} });
  const { bard, juliet } = stage.actors;
  const { fields } = await form(bard, "edit-admin");
  assert.deepEqual(children(fields.get("adminjids")!, "value").map(text), [bard.bare]);
  await isRefused(bard, "edit-admin", { adminjids: juliet.bare }, "not-allowed");
  await isRefused(bard, "edit-admin", { adminjids: [] }, "not-allowed");
  const nobody = { adminjids: [bard.bare, stage.bare("nobody")] };
  await isRefused(bard, "edit-admin", nobody, "item-not-found");
  await does(bard, "edit-admin", { adminjids: [bard.bare, juliet.bare] });
  await does(juliet, "edit-admin", { adminjids: [juliet.bare] });
  await run(bard, "edit-admin", "", "", refusal("forbidden"));
});

test("4.30 and 4.31 the node starts anew, and shuts down", async (t) => {
  const node = await spawnNode(t);
  await node.pipit(["account", "add", "bard@pipit.test", "--password", "x", "--admin"]);
  const first = await node.login("bard", { password: "x" });
  await does(first, "restart", { delay: "0", announcement: "Back in a moment" });
  await first.receives("<message type='headline'><body>Back in a moment</body></message>");
  await first.receives(streamError("system-shutdown"));
  await node.startsAnew();
  const second = await node.login("bard", { password: "x" });
  await does(second, "shutdown", { delay: "0" });
  await second.receives(streamError("system-shutdown"));
  assert.equal(await node.ends(), 0);
});

test("a shutdown waits for its time, and the last word counts", async (t) => {
  await using stage = await cast(t, { bard: { admin: true } });
  const { bard } = stage.actors;
  const told: boolean[] = [];
  stage.node.events.on("service.stop", ({ restart }) => void told.push(restart));
  await does(bard, "shutdown", { delay: "60" });
  await bard.pings();
  assert.deepEqual(told, []);
  await does(bard, "restart", { delay: "0" });
  await until(() => told.length > 0, "the node is told to start anew");
  assert.deepEqual(told, [true]);
});
