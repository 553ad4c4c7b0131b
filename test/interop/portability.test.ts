/** XEP-0227: people move in from Debian's Prosody and ejabberd, with what these servers themselves export. */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { importAccounts } from "../../src/domain/import.ts";
import { reportText } from "../../src/transfer.ts";
import { Actor } from "../support/actor.ts";
import { cast, type Stage } from "../support/cast.ts";
import { connect, type StreamOptions } from "../support/stream.ts";
import { until } from "../support/until.ts";
import { libraries } from "./ejabberd.ts";
import { folderFor } from "./house.ts";
import { Daemon, fillIn, freePorts } from "./peers/daemon.ts";
import { missing, Program } from "./software.ts";

const domain = "pipit.test";
const password = "R0m30";
const pubsub = "http://jabber.org/protocol/pubsub";
const nick = "http://jabber.org/protocol/nick";

/** A client in the clear, on a server that is not ours. */
async function login(port: number, name: string): Promise<Actor> {
  const options: StreamOptions = { domain, port, tls: "none", ca: "" };
  const actor: Actor = new Actor(await connect(options), options, `${name}@${domain}`, () => actor.pings());
  await actor.opens();
  await actor.receives("<stream:features/>");
  await actor.authenticates(name, password);
  actor.full = await actor.binds("old");
  return actor;
}

const sets = (actor: Actor, payload: string) =>
  actor.asks(`<iq type='set'>${payload}</iq>`, "<iq type='result'/>");

/** Juliet lives there for a while, and writes to Romeo, who is away. */
async function lives(port: number): Promise<void> {
  const juliet = await login(port, "juliet");
  await sets(
    juliet,
    `<query xmlns='jabber:iq:roster'><item jid='romeo@${domain}' name='Romeo'><group>Friends</group></item></query>`,
  );
  juliet.sends(`<presence/><presence type='subscribe' to='romeo@${domain}'/>`);
  await sets(juliet, "<vCard xmlns='vcard-temp'><FN>Juliet Capulet</FN></vCard>");
  await sets(
    juliet,
    "<query xmlns='jabber:iq:private'><exodus xmlns='exodus:prefs'><defaultnick>Jule</defaultnick></exodus></query>",
  );
  await sets(
    juliet,
    `<pubsub xmlns='${pubsub}'><publish node='${nick}'><item id='current'><nick xmlns='${nick}'>Jule</nick></item></publish></pubsub>`,
  );
  juliet.sends(
    `<message to='romeo@${domain}' type='chat' id='m1'><body>Wherefore art thou?</body></message>`,
  );
  await juliet.pings();
  await juliet.ends();
}

/** What every server exports of that, as it is found on ours. */
async function hasMovedIn(stage: Stage): Promise<{ juliet: Actor; romeo: Actor }> {
  const juliet = await stage.login("juliet", { password, presence: false });
  await juliet.asks(
    "<iq type='get'><query xmlns='jabber:iq:roster'/></iq>",
    `<iq type='result'><query xmlns='jabber:iq:roster'>
       <item jid='romeo@${domain}' name='Romeo' subscription='none' ask='subscribe'><group>Friends</group></item></query></iq>`,
  );
  await juliet.asks(
    "<iq type='get'><vCard xmlns='vcard-temp'/></iq>",
    "<iq type='result'><vCard xmlns='vcard-temp'><FN>Juliet Capulet</FN></vCard></iq>",
  );
  await juliet.asks(
    "<iq type='get'><query xmlns='jabber:iq:private'><exodus xmlns='exodus:prefs'/></query></iq>",
    "<iq type='result'><query xmlns='jabber:iq:private'><exodus xmlns='exodus:prefs'><defaultnick>Jule</defaultnick></exodus></query></iq>",
  );
  const romeo = await stage.login("romeo", { password, presence: false });
  romeo.sends("<presence/>");
  await romeo.receives(`<presence type='subscribe' from='juliet@${domain}'/>`);
  await romeo.receives(`<presence from='${romeo.full}'/>`);
  return { juliet, romeo };
}

async function imports(t: TestContext, ...files: string[]): Promise<Stage> {
  const stage = await cast(t, {});
  for (const file of files) {
    const report = await importAccounts(stage.node, file, { admins: false });
    t.diagnostic(reportText(report));
    assert(report.imported.length > 0);
    assert.deepEqual(report.left, []);
  }
  assert.equal((await stage.node.accounts.list()).length, 2);
  return stage;
}

/** What ejabberd exports once somebody has lived there; the main file. */
async function fromEjabberd(t: TestContext, format: "plain" | "scram"): Promise<string> {
  const folder = await folderFor(t);
  const [c2s = 0] = await freePorts("127.0.0.1", 1);
  const out = join(folder, "out");
  await mkdir(out);
  const config = await fillIn("ejabberd-alone.yml", folder, { domain, format, c2s });
  const register = (name: string): string =>
    `ok = ejabberd_auth:try_register(<<"${name}">>, <<"${domain}">>, <<"${password}">>)`;
  const go = join(folder, "go");
  const exports = `ejabberd_piefxis:export_host("${out}", <<"${domain}">>), io:format("exported~n")`;
  // It has no other ear: once the file is there, it exports.
  const waits = `(fun W() -> case filelib:is_file("${go}") of true -> ${exports}; _ -> timer:sleep(50), W() end end)()`;
  const daemon = await Daemon.start(t, {
    folder,
    command: [
      ...(["erl", "-mnesia", "dir", `"${join(folder, "mnesia")}"`, "-s", "ejabberd", "-eval"] as const),
      `${register("juliet")}, ${register("romeo")}, io:format("people are there~n"), spawn(fun() -> ${waits} end).`,
    ],
    env: {
      ERL_LIBS: (await libraries()).join(":"),
      EJABBERD_CONFIG_PATH: config,
      EJABBERD_LOG_PATH: join(folder, "ejabberd.log"),
      ERL_CRASH_DUMP: join(folder, "erl_crash.dump"),
    },
    ready: /people are there/,
  });
  await lives(c2s);
  await writeFile(go, "");
  await until(() => daemon.count(/^.*exported/gm) > 0, "ejabberd exports");
  const main = (await readdir(out)).find((name) => /^\d+-\d+\.xml$/.test(name));
  assert(main, "ejabberd wrote no file");
  return join(out, main);
}

for (const format of ["plain", "scram"] as const) {
  test(`from ejabberd, with ${format} passwords`, { skip: missing("ejabberdctl") }, async (t) => {
    const stage = await imports(t, await fromEjabberd(t, format));
    const { romeo } = await hasMovedIn(stage);
    await romeo.receives(
      `<message from='juliet@${domain}/old' id='m1'><body>Wherefore art thou?</body></message>`,
    );
    await romeo.receivesNothing();
  });
}

/** What prosody-migrator makes of an account once somebody has lived there: a file for each. */
async function fromProsody(t: TestContext, authentication: string): Promise<string[]> {
  const folder = await folderFor(t);
  const [c2s = 0] = await freePorts("127.0.0.1", 1);
  const accounts = join(folder, "data", domain.replaceAll(".", "%2e"), "accounts");
  const out = join(folder, "out");
  for (const path of [accounts, out]) await mkdir(path, { recursive: true });
  const names = ["juliet", "romeo"];
  for (const name of names) {
    await writeFile(join(accounts, `${name}.dat`), `return { ["password"] = "${password}" };\n`);
  }
  const config = await fillIn("prosody-alone.cfg.lua", folder, { folder, domain, authentication, c2s });
  await Daemon.start(t, {
    folder,
    command: ["prosody", "-F", "--config", config],
    ready: /Activated service 'c2s' on .+/,
  });
  await lives(c2s);
  // Debian's program knows one directory for what it makes, and one user to be; neither is this test's.
  const migrator = (await readFile("/usr/bin/prosody-migrator", "utf8"))
    .replace(/^CFG_DATADIR=.*$/m, `CFG_DATADIR='${out}';`)
    .replace("startup.switch_user();", "");
  const program = join(folder, "migrator.lua");
  await writeFile(program, migrator);
  const settings = await fillIn("migrator.cfg.lua", folder, { folder, domain });
  const [lua = "lua"] = /lua[\d.]*$/.exec(migrator.split("\n", 1)[0]!) ?? [];
  await using run = new Program(lua, [program, `--config=${settings}`, "from", "to"]);
  await run.succeeds();
  return names.map((name) => join(out, `${name}@${domain}.xml`));
}

for (const authentication of ["internal_plain", "internal_hashed"]) {
  test(`from Prosody, with ${authentication}`, { skip: missing("prosody") }, async (t) => {
    const stage = await imports(t, ...(await fromProsody(t, authentication)));
    const { juliet, romeo } = await hasMovedIn(stage);
    await juliet.asks(
      `<iq type='get'><pubsub xmlns='${pubsub}'><items node='${nick}'/></pubsub></iq>`,
      `<iq type='result'><pubsub xmlns='${pubsub}'><items node='${nick}'>
         <item id='current'><nick xmlns='${nick}'>Jule</nick></item></items></pubsub></iq>`,
    );
    await romeo.asks("<iq type='set'><query xmlns='urn:xmpp:mam:2'/></iq>", "<iq type='result'/>");
    await romeo.receives(
      `<message><result xmlns='urn:xmpp:mam:2'><forwarded xmlns='urn:xmpp:forward:0'>
         <message xmlns='jabber:client' id='m1'><body>Wherefore art thou?</body></message></forwarded></result></message>`,
    );
    await romeo.receivesNothing();
  });
}
