/** XEP-0227: Portable Import/Export Format for XMPP-IM Servers. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { exportAccounts } from "../../src/domain/export.ts";
import { importAccounts, type ImportReport } from "../../src/domain/import.ts";
import { parseJid } from "../../src/xmpp/jid.ts";
import { attr, child, children, xml } from "../../src/xmpp/xml.ts";
import { cast, type Actor, type Stage } from "../support/cast.ts";
import { spawnNode } from "../support/node.ts";

const pubsub = "http://jabber.org/protocol/pubsub";

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "pipit-portable-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function exported(stage: Stage, local?: string): Promise<string> {
  let whole = "";
  for await (const part of exportAccounts(stage.node, local)) whole += part;
  return whole;
}

async function imported(
  t: TestContext,
  stage: Stage,
  content: string,
  admins = false,
): Promise<ImportReport> {
  const file = join(await folderFor(t), "accounts.xml");
  await writeFile(file, content);
  return importAccounts(stage.node, file, { admins });
}

const pie = (inside: string, host = "pipit.test"): string =>
  `<?xml version='1.0' encoding='UTF-8'?><server-data xmlns='urn:xmpp:pie:0'><host jid='${host}'>${inside}</host></server-data>`;

const sets = (actor: Actor, payload: string, to = "") =>
  actor.asks(`<iq type='set' ${to && `to='${to}'`}>${payload}</iq>`, "<iq type='result'/>");
const gets = (actor: Actor, payload: string, shape: string) =>
  actor.asks(`<iq type='get'>${payload}</iq>`, `<iq type='result'>${shape}</iq>`);
const publish = (node: string, id: string, payload: string): string =>
  `<pubsub xmlns='${pubsub}'><publish node='${node}'><item id='${id}'>${payload}</item></publish></pubsub>`;

/** Lives a while, so that there is something of every kind. */
async function lives(stage: Stage<"juliet" | "romeo">): Promise<void> {
  const { juliet, romeo } = stage.actors;
  await sets(
    juliet,
    `<query xmlns='jabber:iq:roster'><item jid='${romeo.bare}' name='Romeo &amp; co.'><group>Friends</group></item></query>`,
  );
  await sets(juliet, "<query xmlns='jabber:iq:roster'><item jid='nurse@capulet.lit'/></query>");
  await stage.node.rosters.pass({
    ...{ account: juliet.bare, contact: "paris@verona.lit", direction: "in", type: "subscribe" },
    request: xml(
      "presence",
      { from: "paris@verona.lit", to: juliet.bare, type: "subscribe" },
      xml("status", {}, "Wilt thou?"),
    ),
  });
  await sets(juliet, "<vCard xmlns='vcard-temp'><FN>Juliet Capulet</FN><NICKNAME>Jule</NICKNAME></vCard>");
  await sets(
    juliet,
    "<query xmlns='jabber:iq:private'><exodus xmlns='exodus:prefs'><defaultnick>Jule</defaultnick></exodus></query>",
  );
  await sets(
    juliet,
    "<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'><conference jid='room@muc.lit' name='Room'/></storage></query>",
  );
  await sets(juliet, "<block xmlns='urn:xmpp:blocking'><item jid='tybalt@capulet.lit'/></block>");
  await sets(
    juliet,
    `<prefs xmlns='urn:xmpp:mam:2' default='roster'><always/><never><jid>nurse@capulet.lit</jid></never></prefs>`,
  );
  await sets(juliet, publish("test:moods", "one", "<mood xmlns='test:mood' b='1' a='2'>happy</mood>"));
  await sets(
    juliet,
    `<pubsub xmlns='${pubsub}#owner'><configure node='test:moods'><x xmlns='jabber:x:data' type='submit'>
       <field var='FORM_TYPE'><value>${pubsub}#node_config</value></field>
       <field var='pubsub#access_model'><value>whitelist</value></field>
       <field var='pubsub#max_items'><value>7</value></field></x></configure></pubsub>`,
  );
  await sets(juliet, publish("test:moods", "two", "<mood b='1' xmlns='test:mood'>amorous</mood>"));
  await sets(
    juliet,
    `<pubsub xmlns='${pubsub}#owner'><affiliations node='test:moods'>
       <affiliation jid='${romeo.bare}' affiliation='member'/></affiliations></pubsub>`,
  );
  await sets(
    romeo,
    `<pubsub xmlns='${pubsub}'><subscribe node='test:moods' jid='${romeo.bare}'/></pubsub>`,
    juliet.bare,
  );
  await stage.node.posts.create({
    author: parseJid(juliet.bare)!,
    text: "# Balcony\n\nWhat's in a *name*? #roses",
  });
  await stage.node.follows.follow(parseJid(romeo.bare)!, parseJid(juliet.bare)!);
  juliet.sends(`<message to='${romeo.bare}' type='chat' id='m1'><body>Wherefore art thou?</body></message>`);
  romeo.sends(
    `<message to='${juliet.bare}' type='chat' id='m2'><body>I take thee at thy word</body></message>`,
  );
  await stage.settle();
  await romeo.ends();
  juliet.sends(
    `<message to='${romeo.bare}' type='chat' id='m3'><body>Parting is such sweet sorrow</body></message>`,
  );
  juliet.sends(`<message to='${romeo.bare}' type='chat' id='m4'><body>Good night</body></message>`);
  await stage.settle();
  await stage.node.waiting.flush();
  juliet.inbox.length = romeo.inbox.length = 0;
}

test("a whole host comes back as it was, and a second export says the same", async (t) => {
  await using first = await cast(
    t,
    { juliet: { admin: true }, romeo: {} },
    { friends: [["juliet", "romeo"]] },
  );
  await lives(first);
  const before = await exported(first);

  await using second = await cast(t, {});
  const report = await imported(t, second, before, true);
  assert.deepEqual(report, { imported: ["juliet@pipit.test", "romeo@pipit.test"], left: [], notes: [] });
  assert.equal(await exported(second), before);

  const juliet = await second.login("juliet", { presence: false });
  const items =
    "<item jid='romeo@pipit.test' name='Romeo &amp; co.' subscription='both'><group>Friends</group></item>";
  await gets(
    juliet,
    "<query xmlns='jabber:iq:roster'/>",
    `<query xmlns='jabber:iq:roster'>${items}<item jid='nurse@capulet.lit' subscription='none'/></query>`,
  );
  await gets(
    juliet,
    "<vCard xmlns='vcard-temp'/>",
    "<vCard xmlns='vcard-temp'><FN>Juliet Capulet</FN></vCard>",
  );
  await gets(
    juliet,
    "<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query>",
    "<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'><conference jid='room@muc.lit'/></storage></query>",
  );
  await gets(
    juliet,
    "<blocklist xmlns='urn:xmpp:blocking'/>",
    "<blocklist xmlns='urn:xmpp:blocking'><item jid='tybalt@capulet.lit'/></blocklist>",
  );
  const moods = await gets(
    juliet,
    `<pubsub xmlns='${pubsub}'><items node='test:moods'/></pubsub>`,
    `<pubsub xmlns='${pubsub}'><items node='test:moods'/></pubsub>`,
  );
  const found = children(child(child(moods, "pubsub", pubsub)!, "items")!).map((item) => attr(item, "id"));
  assert.deepEqual(new Set(found), new Set(["one", "two"]));
  assert.equal((await second.node.accounts.find("juliet"))?.admin, true);
  // The post is on the web again, and old.
  const page = await (await fetch(`${second.web}/@juliet`)).text();
  assert.match(page, /Balcony/);
  // The pending request is shown at the first presence.
  juliet.sends("<presence/>");
  await juliet.receives("<presence from='paris@verona.lit' type='subscribe'/>");

  // What waited for Romeo is the first that he gets, once.
  const romeo = await second.login("romeo", { presence: false });
  romeo.sends("<presence/>");
  await romeo.receives("<message id='m3'><delay xmlns='urn:xmpp:delay'/></message>");
  await romeo.receives("<message id='m4'><delay xmlns='urn:xmpp:delay'/></message>");
  await second.settle();
  assert.equal(romeo.inbox.filter(({ name }) => name === "message").length, 0);
  const ids = await archiveIds(romeo);
  assert.deepEqual(ids, ["m1", "m2", "m3", "m4"]);
  romeo.sends(`<message to='${juliet.bare}' type='chat' id='m5'><body>Good morrow</body></message>`);
  await juliet.receives("<message id='m5'/>");
  assert.deepEqual(await archiveIds(romeo), ["m1", "m2", "m3", "m4", "m5"]);
  romeo.inbox.length = juliet.inbox.length = 0;
  first.actors.juliet.inbox.length = 0;
});

/** The ids of what is in somebody's archive, in order. */
async function archiveIds(actor: Actor): Promise<(string | undefined)[]> {
  await actor.asks("<iq type='set'><query xmlns='urn:xmpp:mam:2'/></iq>", "<iq type='result'/>");
  const results = actor.inbox.filter((one) => child(one, "result", "urn:xmpp:mam:2"));
  for (const one of results) actor.inbox.splice(actor.inbox.indexOf(one), 1);
  return results.map((one) => {
    const forwarded = child(child(one, "result", "urn:xmpp:mam:2")!, "forwarded", "urn:xmpp:forward:0")!;
    return attr(child(forwarded, "message", "jabber:client")!, "id");
  });
}

test("one account alone, and an unknown one", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} });
  const alone = await exported(stage, "juliet");
  assert.match(alone, /<user name="juliet">/);
  assert.doesNotMatch(alone, /<user name="romeo">/);
  await assert.rejects(exported(stage, "nobody"), /There is no account nobody@pipit\.test/);
});

test("a disabled account stays so, and nobody becomes an administrator unasked", async (t) => {
  await using first = await cast(t, { juliet: { admin: true }, tybalt: {} });
  await first.node.accounts.setDisabled(parseJid(first.bare("tybalt"))!, true);
  await first.settle();
  first.actors.tybalt.inbox.length = 0;
  await using second = await cast(t, {});
  const report = await imported(t, second, await exported(first));
  assert.deepEqual(report.notes, [
    { jid: "juliet@pipit.test", text: "was an administrator, and is none here (--admins)" },
  ]);
  assert.equal((await second.node.accounts.find("juliet"))?.admin, false);
  assert.equal((await second.node.accounts.find("tybalt"))?.disabled, true);
});

test("the examples of the specification", async (t) => {
  await using stage = await cast(t, {});
  const report = await imported(
    t,
    stage,
    pie(`
      <user name='juliet' password='R0m30'>
        <query xmlns='jabber:iq:roster'>
          <item jid='romeo@montague.net' name='Romeo' subscription='both'><group>Friends</group></item>
        </query>
        <offline-messages>
          <message xmlns='jabber:client' from='romeo@montague.net/orchard' to='juliet@pipit.test/balcony' type='chat'>
            <body>Neither, fair saint, if either thee dislike.</body>
            <delay xmlns='urn:xmpp:delay' from='pipit.test' stamp='1469-07-21T00:32:29Z'>Offline Storage</delay>
          </message>
        </offline-messages>
        <query xmlns="jabber:iq:private"><exodus xmlns="exodus:prefs"><defaultnick>Hamlet</defaultnick></exodus></query>
        <vCard xmlns='vcard-temp'><FN>Juliet Capulet</FN></vCard>
        <query xmlns='jabber:iq:privacy'>
          <default name='public'/>
          <list name='public'>
            <item type='jid' value='tybalt@example.com' action='deny' order='1'/><item action='allow' order='2'/>
          </list>
          <list name='private'><item action='deny' order='15'/></list>
        </query>
        <presence xmlns='jabber:client' type='subscribe' id='xk3h1v69' from='mercutio@montague.net'>
          <nick xmlns="http://jabber.org/protocol/nick">Mercutio</nick>
        </presence>
        <pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>
          <configure node='http://jabber.org/protocol/nick'>
            <x xmlns='jabber:x:data' type='form'>
              <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#node_config</value></field>
              <field var='pubsub#access_model'><value>open</value></field>
              <field var='their#own'><value>x</value></field>
            </x>
          </configure>
          <configure node='test:odd'>
            <x xmlns='jabber:x:data' type='form'><field var='pubsub#access_model'><value>everybody-i-like</value></field></x>
          </configure>
        </pubsub>
        <pubsub xmlns='http://jabber.org/protocol/pubsub'>
          <items node='http://jabber.org/protocol/nick'>
            <item id='current'><nick xmlns='http://jabber.org/protocol/nick'>Jule</nick></item>
          </items>
        </pubsub>
        <archive xmlns='urn:xmpp:pie:0#mam'>
          <result xmlns='urn:xmpp:mam:2' id='28482-98726-73623'>
            <forwarded xmlns='urn:xmpp:forward:0'>
              <delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/>
              <message xmlns='jabber:client' to='juliet@pipit.test/balcony' from='romeo@montague.net/orchard' type='chat' id='a1'>
                <body>Call me but love, and I'll be new baptized</body>
              </message>
            </forwarded>
          </result>
          <result xmlns='urn:xmpp:mam:2' id='5d398-28273-f7382'>
            <forwarded xmlns='urn:xmpp:forward:0'>
              <delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/>
              <message xmlns='jabber:client' to='romeo@montague.net/orchard' from='juliet@pipit.test/balcony' type='chat' id='a2'>
                <body>What man art thou</body>
              </message>
            </forwarded>
          </result>
        </archive>
        <surprise xmlns='their:own'/>
      </user>`),
  );
  const notes = report.notes.map(({ text }) => text);
  assert.deepEqual(report.imported, ["juliet@pipit.test"]);
  assert.deepEqual(notes, [
    "privacy lists are not known here; 1 addresses of the default one are blocked",
    "test:odd: pubsub#access_model cannot be so here",
    `<surprise xmlns="their:own"> is not known here`,
  ]);
  // Who may read what is never guessed.
  assert.equal(
    (await stage.node.pubsub.find("juliet@pipit.test", "test:odd"))?.config.accessModel,
    "whitelist",
  );
  const juliet = await stage.login("juliet", { password: "R0m30", presence: false });
  await gets(
    juliet,
    `<pubsub xmlns='${pubsub}'><items node='http://jabber.org/protocol/nick'/></pubsub>`,
    `<pubsub xmlns='${pubsub}'><items node='http://jabber.org/protocol/nick'>
       <item id='current'><nick xmlns='http://jabber.org/protocol/nick'>Jule</nick></item></items></pubsub>`,
  );
  await gets(
    juliet,
    "<blocklist xmlns='urn:xmpp:blocking'/>",
    "<blocklist xmlns='urn:xmpp:blocking'><item jid='tybalt@example.com'/></blocklist>",
  );
  juliet.sends("<presence/>");
  await juliet.receives("<presence from='mercutio@montague.net' type='subscribe'/>");
  await juliet.receives(
    "<message><body>Neither, fair saint, if either thee dislike.</body><delay xmlns='urn:xmpp:delay' stamp='1469-07-21T00:32:29Z'/></message>",
  );
  await stage.settle();
  juliet.inbox.length = 0;
  assert.deepEqual(await archiveIds(juliet), ["a1", "a2"]);
});

test("who is there already is left alone, and so is who is of another host", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const report = await imported(
    t,
    stage,
    `<server-data xmlns='urn:xmpp:pie:0'>
       <host jid='montague.net'><user name='romeo' password='x'/></host>
       <host jid='pipit.test'>
         <user name='juliet' password='stolen'/><user name='timeline' password='x'/>
         <user name='a b' password='x'/><user name='nurse'/>
       </host>
     </server-data>`,
  );
  assert.deepEqual(report.imported, ["nurse@pipit.test"]);
  assert.deepEqual(
    report.left.map(({ jid }) => jid),
    ["montague.net", "juliet@pipit.test", "timeline@pipit.test", "a b@pipit.test"],
  );
  assert.deepEqual(
    report.notes.map(({ jid }) => jid),
    ["nurse@pipit.test"],
  );
  await stage.login("juliet", { resource: "tablet", presence: false });
});

test("a file that breaks off leaves nothing that can be used, and can be imported again whole", async (t) => {
  await using stage = await cast(t, {});
  const user =
    "<user name='juliet' password='R0m30'><query xmlns='jabber:iq:roster'><item jid='romeo@montague.net'/></query>";
  const whole = pie(`${user}<vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard></user>`);
  await assert.rejects(
    imported(t, stage, whole.slice(0, whole.indexOf("<vCard"))),
    /accounts\.xml: .*\(accounts imported before that: none\)/,
  );
  assert.equal((await stage.node.accounts.find("juliet"))?.disabled, true);
  assert.deepEqual((await imported(t, stage, whole)).imported, ["juliet@pipit.test"]);
  const juliet = await stage.login("juliet", { password: "R0m30", presence: false });
  await gets(
    juliet,
    "<query xmlns='jabber:iq:roster'/>",
    "<query xmlns='jabber:iq:roster'><item jid='romeo@montague.net'/></query>",
  );
  for (const [bad, why] of [
    ["<iq/>", /no file of exported accounts/],
    ["no XML", /accounts\.xml/],
    ["<!DOCTYPE x [<!ENTITY a 'b'>]><server-data xmlns='urn:xmpp:pie:0'/>", /document type/],
  ] as const) {
    await assert.rejects(imported(t, stage, bad), why);
  }
});

const archived = (id: string, stamp = "2010-07-10T23:08:25Z"): string =>
  `<result xmlns='urn:xmpp:mam:2' id='${id}'><forwarded xmlns='urn:xmpp:forward:0'>
     <delay xmlns='urn:xmpp:delay' stamp='${stamp}'/>
     <message xmlns='jabber:client' to='juliet@pipit.test' from='romeo@montague.net/orchard' type='chat'>
       <body>${id}</body></message></forwarded></result>`;
const waits = (id: string): string =>
  `<message xmlns='jabber:client' to='juliet@pipit.test' from='romeo@montague.net/orchard' type='chat'>
     <body>${id}</body><delay xmlns='urn:xmpp:delay' stamp='2010-07-11T23:08:25Z'/></message>`;

test("what a broken file left of messages does not come twice, and what came since stays", async (t) => {
  await using stage = await cast(t, { nurse: {} });
  const { nurse } = stage.actors;
  const many = Array.from({ length: 600 }, (_, n) => archived(`a${n}`)).join("");
  const whole = pie(
    `<user name='juliet' password='x'><archive xmlns='urn:xmpp:pie:0#mam'>${many}</archive>
       <offline-messages>${Array.from({ length: 600 }, (_, n) => waits(`w${n}`)).join("")}</offline-messages>
       <prefs xmlns='urn:xmpp:mam:2' default='never'/></user>`,
  );
  await assert.rejects(imported(t, stage, whole.slice(0, whole.indexOf("<prefs"))));
  nurse.sends("<message to='juliet@pipit.test' type='chat'><body>Anon</body></message>");
  await stage.settle();
  assert.deepEqual((await imported(t, stage, whole)).imported, ["juliet@pipit.test"]);
  nurse.sends("<message to='juliet@pipit.test' type='chat'><body>Madam</body></message>");
  await stage.settle();
  const text = await exported(stage, "juliet");
  const [inArchive = "", waiting = ""] = text.split("<offline-messages>");
  const count = (where: string, what: RegExp): number => [...where.matchAll(what)].length;
  assert.equal(count(inArchive, /<body>a\d+</g), 600);
  assert.equal(count(waiting, /<body>w\d+</g), 600);
  assert.equal(count(inArchive, /<body>Anon</g), 1);
  assert.equal(count(waiting, /<body>Anon</g), 1);
  assert.equal(count(inArchive, /<body>Madam</g), 0, "nothing is archived any more");
});

test("who looked at an account before it was whole sees its picture behind that", async (t) => {
  await using stage = await cast(t, { nurse: {} });
  const { nurse } = stage.actors;
  const png = Buffer.from("89504e470d0a1a0a00", "hex");
  const id = createHash("sha1").update(png).digest("hex");
  const items = (node: string, payload: string): string =>
    `<items node='urn:xmpp:avatar:${node}'><item id='${id}'>${payload}</item></items>`;
  const whole = pie(
    `<user name='juliet' password='x'><pubsub xmlns='${pubsub}'>
       ${items("data", `<data xmlns='urn:xmpp:avatar:data'>${png.toString("base64")}</data>`)}
       ${items("metadata", `<metadata xmlns='urn:xmpp:avatar:metadata'><info id='${id}' bytes='9' type='image/png'/></metadata>`)}
     </pubsub></user>`,
  );
  const asking = "<iq type='get' to='juliet@pipit.test'><vCard xmlns='vcard-temp'/></iq>";
  await assert.rejects(imported(t, stage, whole.slice(0, whole.indexOf("<pubsub"))));
  await nurse.asks(asking, "<iq type='error'/>");
  await imported(t, stage, whole);
  const juliet = await stage.login("juliet", { password: "x", presence: false });
  juliet.sends("<presence/>");
  await juliet.receives(`<presence><x xmlns='vcard-temp:x:update'><photo>${id}</photo></x></presence>`);
  await stage.settle();
  juliet.inbox.length = 0;
});

test("an account that is disabled and has no password is whole, and nothing is imported on top of it", async (t) => {
  await using stage = await cast(t, {});
  const whole = pie(
    "<user name='juliet'><account xmlns='urn:x-pipit:pie:0' disabled='true' created='2020-01-01T00:00:00Z'/></user>",
  );
  assert.deepEqual((await imported(t, stage, whole)).imported, ["juliet@pipit.test"]);
  assert.deepEqual(
    (await imported(t, stage, whole)).left.map(({ jid }) => jid),
    ["juliet@pipit.test"],
  );
});

test("an account with something that cannot be so here does not keep others out", async (t) => {
  await using stage = await cast(t, {});
  const keys = (rounds: string): string =>
    `<scram-credentials xmlns='urn:xmpp:pie:0#scram' mechanism='SCRAM-SHA-1'><iter-count>${rounds}</iter-count>
       <salt>QSXCR+Q6sek8bf92</salt><server-key>D+CSWLOshSulAsxiupA+qs2/fTE=</server-key>
       <stored-key>6dlGYMOdZcOPutkcNY8U2g7vK9Y=</stored-key></scram-credentials>`;
  const photo = (inside: string): string =>
    `<vCard xmlns='vcard-temp'><FN>Nurse</FN><PHOTO>${inside}</PHOTO></vCard>`;
  const report = await imported(
    t,
    stage,
    pie(
      `<user name='juliet' password=''/><user name='romeo' password='${"x".repeat(2000)}'>${keys("4096")}</user>
       <user name='nurse' password='x'>${photo("<TYPE>JPEG</TYPE><BINVAL>AAAA</BINVAL>")}</user>
       <user name='peter' password='x'>${photo("<TYPE/><BINVAL>AAAA</BINVAL>")}</user>
       <user name='tybalt'>${keys("2147483647")}</user>
       <user name='paris' password='x'/>`,
    ),
  );
  const all = ["juliet", "romeo", "nurse", "peter", "tybalt", "paris"];
  assert.deepEqual(
    report.imported,
    all.map((name) => `${name}@pipit.test`),
  );
  assert.deepEqual(
    [...new Set(report.notes.map(({ jid }) => jid))],
    ["juliet@pipit.test", "romeo@pipit.test", "tybalt@pipit.test"],
  );
  assert.match(await exported(stage, "romeo"), /<iter-count>4096</);
  assert.doesNotMatch(await exported(stage, "tybalt"), /<iter-count>/);
  const nurse = await stage.login("nurse", { password: "x", presence: false });
  await gets(nurse, "<vCard xmlns='vcard-temp'/>", photo("<BINVAL>AAAA</BINVAL>"));
});

test("files that a file includes are read with it, where they lie beside it", async (t) => {
  await using stage = await cast(t, {});
  const folder = await folderFor(t);
  const xi = "xmlns:xi='http://www.w3.org/2001/XInclude'";
  await mkdir(join(folder, "pipit.test"));
  const write = (name: string, content: string) => writeFile(join(folder, name), content);
  await write(
    "main.xml",
    `<server-data xmlns='urn:xmpp:pie:0' ${xi}><xi:include href='pipit.test.xml'/></server-data>`,
  );
  await write(
    "pipit.test.xml",
    `<host xmlns='urn:xmpp:pie:0' ${xi} jid='pipit.test'><xi:include href='pipit.test/juliet.xml'/></host>`,
  );
  const deep = "<x xmlns='their:own'><xi:include href='../secret'/></x>";
  await write(
    "pipit.test/juliet.xml",
    `<user xmlns='urn:xmpp:pie:0' ${xi} name='juliet' password='R0m30'>
       <xi:include href='roster.xml'/><query xmlns='jabber:iq:private'>${deep}</query></user>`,
  );
  await write(
    "pipit.test/roster.xml",
    "<query xmlns='jabber:iq:roster'><item jid='romeo@montague.net' name='Romeo'/></query>",
  );
  const run = (name: string) => importAccounts(stage.node, join(folder, name), { admins: false });
  assert.deepEqual(await run("main.xml"), { imported: ["juliet@pipit.test"], left: [], notes: [] });
  assert.equal((await stage.node.rosters.of("juliet@pipit.test")).get("romeo@montague.net")?.name, "Romeo");
  for (const [include, why] of [
    ["href='../other.xml'", /leaves the folder/],
    ["href='/etc/passwd'", /not of a relative path/],
    ["href='http://example.org/x.xml'", /not of a relative path/],
    ["href='pipit.test.xml' parse='text'", /of another kind/],
    ["href='missing.xml'", /missing\.xml/],
  ] as const) {
    await write(
      "loop.xml",
      `<server-data xmlns='urn:xmpp:pie:0' ${xi}><xi:include ${include}/></server-data>`,
    );
    await assert.rejects(run("loop.xml"), why);
  }
  await write("loop.xml", `<xi:include ${xi} href='loop.xml'/>`);
  await write(
    "start.xml",
    `<server-data xmlns='urn:xmpp:pie:0' ${xi}><xi:include href='loop.xml'/></server-data>`,
  );
  await assert.rejects(run("start.xml"), /too deep/);
});

test("ten thousand messages are exported and imported without holding them", async (t) => {
  await using stage = await cast(t, {});
  const message = (n: number): string =>
    `<result xmlns='urn:xmpp:mam:2' id='${n}'><forwarded xmlns='urn:xmpp:forward:0'>
       <delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/>
       <message xmlns='jabber:client' to='juliet@pipit.test' from='romeo@montague.net/orchard' type='chat' id='m${n}'>
         <body>${n}</body></message></forwarded></result>`;
  const many = Array.from({ length: 10_000 }, (_, n) => message(n)).join("");
  const whole = pie(
    `<user name='juliet' password='x'><archive xmlns='urn:xmpp:pie:0#mam'>${many}</archive></user>`,
  );
  await imported(t, stage, whole);
  let chunks = 0;
  let longest = 0;
  let count = 0;
  for await (const part of exportAccounts(stage.node)) {
    chunks += 1;
    longest = Math.max(longest, part.length);
    count += part.split("<result ").length - 1;
  }
  assert.equal(count, 10_000);
  assert(chunks > 40 && longest < 200_000, `${chunks} chunks, the longest of ${longest} characters`);
});

test("on the command line: with a node and without one, to a file and to standard output", async (t) => {
  const node = await spawnNode(t);
  const add = (name: string) => node.pipit(["account", "add", `${name}@pipit.test`, "--password", "x"]);
  await add("juliet");
  await add("romeo");
  const file = join(node.folder, "accounts.xml");
  const toFile = await node.pipit(["export", "--output", "accounts.xml"]);
  assert.equal(toFile.code, 0, toFile.stderr);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  const whole = await readFile(file, "utf8");
  const running = await node.pipit(["export"]);
  assert.deepEqual([running.code, running.stdout], [0, whole]);
  const one = await node.pipit(["export", "juliet@pipit.test"]);
  assert.match(one.stdout, /juliet/);
  assert.doesNotMatch(one.stdout, /romeo/);
  const again = await node.pipit(["import", "accounts.xml"]);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /juliet@pipit\.test is left out: juliet@pipit\.test exists already/);
  await node.stops();
  const stopped = await node.pipit(["export"]);
  assert.deepEqual([stopped.code, stopped.stdout], [0, whole]);
  await rm(join(node.folder, "data"), { recursive: true });
  const into = await node.pipit(["import", "accounts.xml", "--json"]);
  assert.equal(into.code, 0, into.stderr);
  assert.deepEqual((JSON.parse(into.stdout) as ImportReport).imported, [
    "juliet@pipit.test",
    "romeo@pipit.test",
  ]);
  await node.starts();
  await node.login("juliet", { password: "x" });
  assert.equal((await node.pipit(["export"])).stdout, whole);
});
