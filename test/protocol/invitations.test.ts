/** XEP-0401, XEP-0445 and XEP-0379: people invite others to be contacts, and to have an account here. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { eq } from "drizzle-orm";
import type { ConfigInput } from "../../src/config.ts";
import type { Invitation } from "../../src/domain/invitations.ts";
import { parseJid } from "../../src/xmpp/jid.ts";
import { attr, child, children, childText, type Element } from "../../src/xmpp/xml.ts";
import { cast, type Actor, type ClientStream, type Stage } from "../support/cast.ts";
import { world } from "../support/world.ts";

const commands = "http://jabber.org/protocol/commands";
const items = "http://jabber.org/protocol/disco#items";
const register = "jabber:iq:register";
const pars = "urn:xmpp:pars:0";
const invite = "urn:xmpp:invite#invite";
const createAccount = "urn:xmpp:invite#create-account";
const list = "pipit:invitations#list";
const revoke = "pipit:invitations#revoke";
const day = 86_400_000;

const refusal = (condition: string): string =>
  `<iq type='error'><error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`;

const play = (t: TestContext, config: ConfigInput = {}) =>
  cast(t, { ana: { admin: true }, romeo: {} }, { config });

const jid = (stage: Stage, name: string) => parseJid(stage.bare(name))!;

const runs = (actor: Actor, attrs: string, inside = "", shape?: string): Promise<Element> =>
  actor.asks(
    `<iq type='set' to='${actor.domain}'><command xmlns='${commands}' ${attrs}>${inside}</command></iq>`,
    shape,
  );

function fieldsOf(reply: Element): Map<string, string> {
  const x = child(child(reply, "command", commands)!, "x", "jabber:x:data")!;
  return new Map(children(x, "field").map((one) => [attr(one, "var")!, childText(one, "value") ?? ""]));
}

const submit = (fields: Record<string, string | string[]>): string =>
  `<x xmlns='jabber:x:data' type='submit'>${Object.entries(fields)
    .map(
      ([name, value]) =>
        `<field var='${name}'>${[value]
          .flat()
          .map((one) => `<value>${one}</value>`)
          .join("")}</field>`,
    )
    .join("")}</x>`;

/** Runs a command of one form; its fields at the end. */
async function answers(
  actor: Actor,
  node: string,
  fields: Record<string, string | string[]>,
  shape?: string,
): Promise<Element> {
  const begun = child(await runs(actor, `node='${node}'`), "command", commands)!;
  return runs(actor, `node='${node}' sessionid='${attr(begun, "sessionid")}'`, submit(fields), shape);
}

async function stranger(stage: Stage): Promise<{ stream: ClientStream; offered: (string | undefined)[] }> {
  const stream = await stage.connects();
  await stream.opens();
  const features = children(await stream.receives("<stream:features/>"));
  return {
    stream,
    offered: features.filter(({ name }) => name === "register").map((one) => attr(one, "xmlns")),
  };
}

const preauth = (token: string): string =>
  `<iq type='set' id='pa1'><preauth xmlns='${pars}' token='${token}'/></iq>`;
const registers = (username: string, password = "secret"): string =>
  `<iq type='set'><query xmlns='${register}'><username>${username}</username><password>${password}</password></query></iq>`;
const done = `<iq type='result'/>`;

/** Makes an invitation as the command would. */
const invites = (stage: Stage, name: string, more: object = {}): Promise<Invitation> =>
  stage.node.invitations.create({ inviter: jid(stage, name), kind: "account", befriends: true, ...more });

/** Lets time pass for one invitation. */
const expires = (stage: Stage, { token }: Invitation): Promise<void> =>
  stage.node.store.transaction(async ({ db, t: { invitations } }) => {
    db.update(invitations)
      .set({ expiresAt: new Date(Date.now() - 1) })
      .where(eq(invitations.token, token))
      .run();
  });

const rosterOf = async (actor: Actor): Promise<(string | undefined)[][]> => {
  const reply = await actor.asks(`<iq type='get'><query xmlns='jabber:iq:roster'/></iq>`);
  return children(child(reply, "query", "jabber:iq:roster")!).map((one) => [
    attr(one, "jid"),
    attr(one, "subscription"),
  ]);
};

test("everybody finds the commands that are theirs", async (t) => {
  await using stage = await play(t);
  const { ana, romeo } = stage.actors;
  const nodes = async (actor: Actor): Promise<(string | undefined)[]> => {
    const reply = await actor.asks(
      `<iq type='get' to='${stage.domain}'><query xmlns='${items}' node='${commands}'/></iq>`,
    );
    return children(child(reply, "query", items)!).map((one) => attr(one, "node"));
  };
  const hers = await nodes(ana);
  const his = await nodes(romeo);
  for (const node of [invite, list, revoke]) assert(hers.includes(node) && his.includes(node), node);
  assert.equal(hers.includes(createAccount), true);
  assert.equal(his.includes(createAccount), false);
  await runs(romeo, `node='${createAccount}'`, "", refusal("forbidden"));
});

test("a user's invitation is there at once: a link for apps, a page, and when it ends", async (t) => {
  await using stage = await play(t);
  const { ana, romeo } = stage.actors;
  const reply = await runs(
    romeo,
    `node='${invite}' action='execute'`,
    "",
    `<iq type='result'><command xmlns='${commands}' node='${invite}' status='completed'>
       <x xmlns='jabber:x:data' type='result'>
         <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:invite#invitation</value></field>
         <field var='uri' type='text-single'/><field var='landing-url'/><field var='expire'/>
       </x></command></iq>`,
  );
  const fields = fieldsOf(reply);
  const [, token] = /^xmpp:romeo@pipit\.test\?roster;preauth=([a-z0-9]{25})$/.exec(fields.get("uri")!) ?? [];
  assert(token, "an account is not his to give");
  assert.equal(fields.get("landing-url"), `https://pipit.test/invite/${token}`);
  const left = Date.parse(fields.get("expire")!) - Date.now();
  assert(left > 6.9 * day && left <= 7 * day);
  const hers = fieldsOf(await runs(ana, `node='${invite}'`));
  assert.match(hers.get("uri")!, /^xmpp:ana@pipit\.test\?roster;preauth=[a-z0-9]{25};ibr=y$/);
});

test("an account is given by an invitation: its name is kept, and who invited is a contact", async (t) => {
  await using stage = await play(t, { registration: { open: true } });
  const { ana } = stage.actors;
  assert.deepEqual(await rosterOf(ana), []);
  const made = fieldsOf(
    await answers(ana, createAccount, { username: "Juliet", "roster-subscription": "true" }),
  );
  const [, token = ""] =
    /^xmpp:juliet@pipit\.test\?register;preauth=([a-z0-9]{25})$/.exec(made.get("uri")!) ?? [];
  assert(token);

  const other = await stranger(stage);
  await other.stream.asks(registers("juliet"), refusal("conflict"));
  await assert.rejects(stage.node.accounts.add(jid(stage, "juliet"), "x"), { condition: "conflict" });
  await answers(ana, createAccount, { username: "juliet" }, refusal("conflict"));

  const { stream, offered } = await stranger(stage);
  assert.deepEqual(offered, [
    "urn:xmpp:ibr-token:0",
    "urn:xmpp:invite",
    "http://jabber.org/features/iq-register",
  ]);
  await stream.asks(preauth(token), `<iq type='result' id='pa1'/>`);
  await stream.asks(
    `<iq type='get'><query xmlns='${register}'/></iq>`,
    `<iq type='result'><query xmlns='${register}'><username>juliet</username><password/>
       <x xmlns='jabber:x:data' type='form'><field var='username'><value>juliet</value></field><field var='password'/></x>
     </query></iq>`,
  );
  await stream.asks(registers("bill"), refusal("not-acceptable"));
  await stream.asks(registers("juliet", ""), refusal("not-acceptable"));
  await stream.asks(registers("juliet"), done);
  const push = await ana.receives(
    `<iq type='set'><query xmlns='jabber:iq:roster'><item jid='juliet@pipit.test' subscription='both'/></query></iq>`,
  );
  ana.answers(push);

  const juliet = await stage.login("juliet", { password: "secret", presence: false });
  assert.deepEqual(await rosterOf(juliet), [[ana.bare, "both"]]);
  juliet.sends("<presence/>");
  await ana.receives(`<presence from='${juliet.full}'/>`);
  await juliet.receives(`<presence from='${juliet.full}'/>`);
  await juliet.receives(`<presence from='${ana.full}'/>`);

  const late = await stranger(stage);
  await late.stream.asks(preauth(token), refusal("item-not-found"));
});

test("a token lets in where registration is closed, and is announced only while there is one", async (t) => {
  await using stage = await play(t);
  assert.deepEqual((await stranger(stage)).offered, []);
  const { token } = await invites(stage, "ana");
  const { stream, offered } = await stranger(stage);
  assert.equal(offered.length, 3);
  await stream.asks(registers("juliet"), refusal("not-allowed"));
  await stream.asks(preauth("x".repeat(25)), refusal("item-not-found"));
  await stream.asks(registers("juliet"), refusal("not-allowed"));
  await stream.asks(preauth(token), done);
  await stream.asks(registers("juliet"), done);
  assert.deepEqual((await stranger(stage)).offered, []);
});

test("a token is spent by the account that it makes, and by nothing else", async (t) => {
  await using stage = await play(t);
  const { token } = await invites(stage, "ana");
  const [one, two] = [await stranger(stage), await stranger(stage)];
  await one.stream.asks(preauth(token), done);
  await one.stream.asks(registers("romeo"), refusal("conflict"));
  await one.stream.kill();
  await two.stream.asks(preauth(token), done);
  const three = await stranger(stage);
  await three.stream.asks(preauth(token), done);
  await two.stream.asks(registers("juliet"), done);
  await three.stream.asks(registers("ben"), refusal("not-allowed"));
  assert.equal(await stage.node.accounts.exists("ben"), false);
  assert.equal((await stage.node.rosters.of(stage.bare("ana"))).has(stage.bare("ben")), false);
});

test("whether it has expired is asked when the token is shown, and not again (0445 §4)", async (t) => {
  await using stage = await play(t);
  const invitation = await invites(stage, "ana", { username: "juliet" });
  const { stream } = await stranger(stage);
  await stream.asks(preauth(invitation.token), done);
  await expires(stage, invitation);
  const late = await stranger(stage);
  await late.stream.asks(preauth(invitation.token), refusal("item-not-found"));
  await stream.asks(registers("juliet"), done);
});

test("a name that was kept is free again when the invitation is over", async (t) => {
  await using stage = await play(t, { registration: { open: true } });
  await expires(stage, await invites(stage, "ana", { username: "juliet" }));
  const { stream } = await stranger(stage);
  await stream.asks(registers("juliet"), done);
});

test("names that cannot be had cannot be kept", async (t) => {
  await using stage = await play(t);
  const { ana } = stage.actors;
  await answers(ana, createAccount, { username: "romeo" }, refusal("conflict"));
  await answers(ana, createAccount, { username: "abuse" }, refusal("not-acceptable"));
  await answers(ana, createAccount, { username: "a b" }, refusal("not-acceptable"));
  const made = fieldsOf(await answers(ana, createAccount, { "roster-subscription": "0" }));
  const [, token = ""] = /^xmpp:pipit\.test\?register;preauth=(\w+)$/.exec(made.get("uri")!) ?? [];
  const { stream } = await stranger(stage);
  await stream.asks(preauth(token), done);
  await stream.asks(registers("juliet"), done);
  assert.equal((await stage.node.rosters.of(ana.bare)).size, 0, "she did not ask for a contact");
});

test("who may give accounts is asked when they are taken, too", async (t) => {
  await using stage = await play(t, { registration: { invitations: "everybody" } });
  const { romeo } = stage.actors;
  assert.match(fieldsOf(await runs(romeo, `node='${invite}'`)).get("uri")!, /;ibr=y$/);
  const [one, two] = [await invites(stage, "romeo"), await invites(stage, "romeo")];
  const { stream } = await stranger(stage);
  await stage.node.accounts.setDisabled(jid(stage, "romeo"), true);
  await romeo.closed();
  romeo.inbox.length = 0;
  await stream.asks(preauth(one.token), refusal("item-not-found"));
  await stage.node.accounts.setDisabled(jid(stage, "romeo"), false);
  await stream.asks(preauth(one.token), done);
  await stage.node.accounts.remove(jid(stage, "romeo"));
  await stream.asks(registers("juliet"), refusal("not-allowed"));
  await stream.asks(preauth(two.token), refusal("item-not-found"));
});

test("nobody gives accounts where that is the setting, and contacts are invited all the same", async (t) => {
  await using stage = await play(t, { registration: { invitations: false } });
  const { ana } = stage.actors;
  await runs(ana, `node='${createAccount}'`, "", refusal("forbidden"));
  assert.match(
    fieldsOf(await runs(ana, `node='${invite}'`)).get("uri")!,
    /^xmpp:ana@pipit\.test\?roster;preauth=\w+$/,
  );
  await assert.rejects(stage.node.invitations.create({ kind: "account" }), { condition: "not-allowed" });
  assert.deepEqual((await stranger(stage)).offered, []);
});

test("a person invites twenty in a week", async (t) => {
  await using stage = await play(t);
  const { romeo } = stage.actors;
  for (let made = 0; made < 20; made += 1) await runs(romeo, `node='${invite}'`, "", done);
  await runs(romeo, `node='${invite}'`, "", refusal("resource-constraint"));
});

test("people see and revoke what they gave, and administrators all of it", async (t) => {
  await using stage = await play(t);
  const { ana, romeo } = stage.actors;
  const nothing =
    `<iq type='result'><command><note type='info'>No invitations are open</note></command></iq>`.replace(
      "<command>",
      `<command xmlns='${commands}'>`,
    );
  await runs(romeo, `node='${list}'`, "", nothing);
  await runs(romeo, `node='${revoke}'`, "", nothing);
  const hers = await invites(stage, "ana", { username: "juliet" });
  const his = await stage.node.invitations.create({ inviter: jid(stage, "romeo"), kind: "contact" });
  const tokens = async (actor: Actor) => [...fieldsOf(await runs(actor, `node='${list}'`)).keys()].sort();
  assert.deepEqual(await tokens(romeo), [his.token]);
  assert.deepEqual(await tokens(ana), [hers.token, his.token].sort());
  const badPayload = `<iq type='error'><error><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><bad-payload xmlns='${commands}'/></error></iq>`;
  await answers(romeo, revoke, { tokens: hers.token }, badPayload);
  await answers(ana, revoke, { tokens: [hers.token, his.token] }, done);
  assert.deepEqual(await stage.node.invitations.list(), []);
  const { stream } = await stranger(stage);
  await stream.asks(preauth(hers.token), refusal("item-not-found"));
});

test("a request that brings the token is granted both ways, unasked, between two servers", async (t) => {
  await using verona = await world(t, { capulet: { juliet: {}, tybalt: {} }, montague: { romeo: {} } });
  const { juliet, romeo, tybalt } = verona.actors;
  const { montague } = verona.stages;
  await rosterOf(romeo);
  const { token } = await montague.node.invitations.create({
    inviter: parseJid(romeo.bare)!,
    kind: "contact",
  });
  const asks = (actor: Actor, word: string): void =>
    actor.sends(
      `<presence to='${romeo.bare}' type='subscribe'><preauth xmlns='${pars}' token='${word}'/></presence>`,
    );
  await rosterOf(juliet);
  // §3.4: she allows his request before it comes.
  juliet.sends(`<presence to='${romeo.bare}' type='subscribed'/>`);
  asks(juliet, token);
  await juliet.receives(`<presence type='subscribed' from='${romeo.bare}'/>`);
  await juliet.receives(`<presence from='${romeo.full}'/>`);
  const pushes = (actor: Actor, who: string) =>
    actor.receives(
      `<iq type='set'><query xmlns='jabber:iq:roster'><item jid='${who}' subscription='both'/></query></iq>`,
    );
  await pushes(juliet, romeo.bare);
  await pushes(romeo, juliet.bare);
  await romeo.receives(`<presence type='subscribed' from='${juliet.bare}'/>`);
  await romeo.receives(`<presence from='${juliet.full}'/>`);
  await verona.settle();
  assert.equal(
    romeo.inbox.some((one) => attr(one, "type") === "subscribe"),
    false,
    "he is not asked",
  );
  const drain = (actor: Actor): void => void (actor.inbox.length = 0);
  drain(juliet);
  drain(romeo);

  await rosterOf(tybalt);
  // It was for one. And a word of which his client may know passes as any request.
  for (const word of [token, "of-his-client"]) {
    asks(tybalt, word);
    const request = await romeo.receives(`<presence type='subscribe' from='${tybalt.bare}'/>`);
    assert.equal(attr(child(request, "preauth", pars)!, "token"), word);
    romeo.sends(`<presence type='unsubscribed' to='${tybalt.bare}'/>`);
    await tybalt.receives(`<presence type='unsubscribed' from='${romeo.bare}'/>`);
    await verona.settle();
    drain(tybalt);
  }
});
