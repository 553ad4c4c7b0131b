/** XEP-0050: Ad-Hoc Commands, seen through commands that a module of one's own registers. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { attr, child, children } from "../../src/xmpp/xml.ts";
import { cast, type Actor } from "../support/cast.ts";

const ns = "http://jabber.org/protocol/commands";
const errors = new URL("../../src/xmpp/errors.js", import.meta.url);
const elements = new URL("../../src/xmpp/xml.js", import.meta.url);

/** The commands of the specification's examples: `list` answers at once, `config` has two stages and is Juliet's. */
const module = `
  import { StanzaError } from "${errors}"; import { xml } from "${elements}";
  const form = (...fields) => ({ type: "form", formType: undefined, fields: new Map(fields.map((f) => [f.name, f])) });
  const services = ["httpd", "jabberd"].map((value) => ({ value }));
  const state = (service) => ({
    form: form({ name: "state", type: "list-single", values: ["off"], options: [{ value: "on" }, { value: "off" }] }),
    notes: [{ type: "warn", text: service + " will stop" }],
    submit: (sent) => {
      if (service === "jabberd") throw new StanzaError("conflict");
      const text = service + " is " + sent.fields.get("state").values[0];
      return { notes: [{ type: "info", text }] };
    },
  });
  const choice = {
    form: form(
      { name: "service", label: "Service", type: "list-single", required: true, values: [], options: services },
      { name: "reason", type: "text-single", values: [] },
      { name: "who", type: "jid-single", values: [] },
      { name: "soon", type: "boolean", values: [] },
    ),
    goesOn: true,
    submit: (sent) => state(sent.fields.get("service").values[0]),
  };
  export default {
    name: "services",
    setup: () => ({
      commands: [
        { node: "list", name: "List", mayRun: () => true, run: () => ({ payload: xml("list", { xmlns: "test:list" }) }) },
        { node: "config", name: "Configure", mayRun: (from) => from.local === "juliet", run: () => choice },
      ],
    }),
  };
`;

async function play(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "pipit-commands-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "services.mjs");
  await writeFile(file, module);
  return cast(t, { juliet: {}, romeo: {} }, { config: { modules: [file] } });
}

const command = (attrs: string, inside = ""): string => `<command xmlns='${ns}' ${attrs}>${inside}</command>`;
const submit = (fields: Record<string, string>, type = "submit"): string =>
  `<x xmlns='jabber:x:data' type='${type}'>${Object.entries(fields)
    .map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`)
    .join("")}</x>`;

const runs = (actor: Actor, attrs: string, inside?: string, shape?: string) =>
  actor.asks(`<iq type='set' to='${actor.domain}'>${command(attrs, inside)}</iq>`, shape);
const answer = (attrs: string, inside = ""): string => `<iq type='result'>${command(attrs, inside)}</iq>`;
const refusal = (type: string, condition: string, specific?: string): string =>
  `<iq type='error'><error type='${type}'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>${
    specific ? `<${specific} xmlns='${ns}'/>` : ""
  }</error></iq>`;

/** Begins `config`; the id of the run. */
async function begins(actor: Actor): Promise<string> {
  const reply = await runs(actor, "node='config'", "", answer("node='config' status='executing'"));
  return attr(child(reply, "command", ns)!, "sessionid")!;
}

test("the domain announces commands, and each sees those that are theirs", async (t) => {
  await using stage = await play(t);
  const { juliet, romeo } = stage.actors;
  const to = `to='${stage.domain}'`;
  const info = "http://jabber.org/protocol/disco#info";
  const items = "http://jabber.org/protocol/disco#items";
  await juliet.asks(
    `<iq type='get' ${to}><query xmlns='${info}'/></iq>`,
    `<iq type='result'><query xmlns='${info}'><feature var='${ns}'/></query></iq>`,
  );
  await juliet.asks(
    `<iq type='get' ${to}><query xmlns='${info}' node='${ns}'/></iq>`,
    `<iq type='result'><query xmlns='${info}' node='${ns}'><identity category='automation' type='command-list'/></query></iq>`,
  );
  await juliet.asks(
    `<iq type='get' ${to}><query xmlns='${items}' node='${ns}'/></iq>`,
    `<iq type='result'><query xmlns='${items}' node='${ns}'>
       <item jid='${stage.domain}' node='list' name='List'/><item jid='${stage.domain}' node='config' name='Configure'/>
     </query></iq>`,
  );
  const his = await romeo.asks(`<iq type='get' ${to}><query xmlns='${items}' node='${ns}'/></iq>`);
  const nodes = children(child(his, "query", items)!).map((item) => attr(item, "node"));
  assert.deepEqual(
    ["list", "config"].map((node) => nodes.includes(node)),
    [true, false],
  );
  const about = `<iq type='get' ${to}><query xmlns='${info}' node='config'/></iq>`;
  await juliet.asks(
    about,
    `<iq type='result'><query xmlns='${info}' node='config'>
       <identity category='automation' type='command-node' name='Configure'/>
       <feature var='${ns}'/><feature var='jabber:x:data'/>
     </query></iq>`,
  );
  await romeo.asks(about, refusal("cancel", "forbidden"));
  // What is no command's is not among what stands at the domain itself.
  const all = await juliet.asks(`<iq type='get' ${to}><query xmlns='${items}'/></iq>`);
  assert.equal(
    children(child(all, "query", items)!).some((item) => attr(item, "node") !== undefined),
    false,
  );
});

test("a command without a question is done at once", async (t) => {
  await using stage = await play(t);
  const reply = await runs(
    stage.actors.romeo,
    "node='list' action='execute'",
    "",
    answer("node='list' status='completed' sessionid='{any}' xml:lang='en'", "<list xmlns='test:list'/>"),
  );
  assert.equal(child(child(reply, "command", ns)!, "actions"), undefined);
});

test("a command with stages goes on, back and to its end", async (t) => {
  await using stage = await play(t);
  const { juliet } = stage.actors;
  const first = `<actions execute='next'><next/></actions><x xmlns='jabber:x:data' type='form'><field var='service'/></x>`;
  const reply = await runs(juliet, "node='config'", "", answer("node='config' status='executing'", first));
  const run = `node='config' sessionid='${attr(child(reply, "command", ns)!, "sessionid")}'`;
  const second = answer(
    `${run} status='executing'`,
    `<actions execute='complete'><prev/><complete/></actions><note type='warn'>httpd will stop</note>
     <x xmlns='jabber:x:data' type='form'><field var='state'/></x>`,
  );
  await runs(juliet, run, submit({ service: "httpd" }), second);
  await runs(juliet, `${run} action='prev'`, "", answer(`${run} status='executing'`, first));
  await runs(juliet, `${run} action='next'`, submit({ service: "httpd" }), second);
  await runs(
    juliet,
    `${run} action='complete'`,
    submit({ state: "on" }),
    answer(`${run} status='completed'`, "<note type='info'>httpd is on</note>"),
  );
  await runs(juliet, run, submit({ state: "on" }), refusal("cancel", "not-allowed", "session-expired"));
});

test("a command is cancelled, whatever its stage asks", async (t) => {
  await using stage = await play(t);
  const { juliet } = stage.actors;
  const run = `node='config' sessionid='${await begins(juliet)}'`;
  await runs(juliet, `${run} action='cancel'`, "", answer(`${run} status='canceled'`));
  await runs(juliet, `${run} action='cancel'`, "", refusal("cancel", "not-allowed", "session-expired"));
});

test("actions that are none, or not of this stage, are refused", async (t) => {
  await using stage = await play(t);
  const { juliet } = stage.actors;
  const badAction = refusal("modify", "bad-request", "bad-action");
  await runs(juliet, "node='config' action='jump'", "", refusal("modify", "bad-request", "malformed-action"));
  for (const action of ["next", "prev", "complete", "cancel"])
    await runs(juliet, `node='config' action='${action}'`, "", badAction);
  const run = `node='config' sessionid='${await begins(juliet)}'`;
  await runs(juliet, `${run} action='prev'`, "", badAction);
  await runs(juliet, `${run} action='complete'`, submit({ service: "httpd" }), badAction);
  await runs(juliet, run, submit({ service: "httpd" }), answer(run));
  await runs(juliet, `${run} action='next'`, submit({ state: "on" }), badAction);
});

test("a form that does not fit is refused, and can be sent again", async (t) => {
  await using stage = await play(t);
  const { juliet } = stage.actors;
  const run = `node='config' sessionid='${await begins(juliet)}'`;
  const fitting = { service: "httpd" };
  const twice = "<field var='service'><value>httpd</value><value>jabberd</value></field>";
  for (const payload of [
    "",
    submit({}),
    submit({ service: "" }),
    submit({ service: "sshd" }),
    submit({ ...fitting, who: "a@b@c" }),
    submit({ ...fitting, soon: "perhaps" }),
    submit(fitting, "form"),
    `<x xmlns='jabber:x:data' type='submit'>${twice}</x>`,
  ]) {
    await runs(juliet, run, payload, refusal("modify", "bad-request", "bad-payload"));
  }
  // §3.5.1: a form of type "cancel" is one that was submitted. What was not asked for says nothing.
  await runs(juliet, run, submit({ service: "jabberd", extra: "x" }, "cancel"), answer(run));
  await runs(juliet, run, submit({ state: "on" }), refusal("cancel", "conflict"));
  await runs(juliet, `${run} action='prev'`, "", answer(run));
  await runs(juliet, run, submit(fitting), answer(run));
  await runs(juliet, run, submit({ state: "off" }), answer(`${run} status='completed'`));
});

test("commands are for who may run them, and a run is for who began it", async (t) => {
  await using stage = await play(t);
  const { juliet, romeo } = stage.actors;
  await runs(romeo, "node='config'", "", refusal("cancel", "forbidden"));
  await runs(romeo, "node='nothing'", "", refusal("cancel", "item-not-found"));
  await runs(romeo, "", "", refusal("modify", "bad-request"));
  const badSession = refusal("modify", "bad-request", "bad-sessionid");
  await runs(romeo, "node='list' sessionid='made.up'", "", badSession);
  const run = await begins(juliet);
  await runs(romeo, `node='config' sessionid='${run}'`, submit({}), refusal("cancel", "forbidden"));
  await runs(juliet, `node='list' sessionid='${run}'`, "", badSession);
  const tablet = await stage.login("juliet", { resource: "tablet", presence: false });
  await runs(tablet, `node='config' sessionid='${run}'`, submit({ service: "httpd" }), badSession);
});

test("a person has ten runs open at most, and the one left alone for longest ends", async (t) => {
  await using stage = await play(t);
  const { juliet } = stage.actors;
  const ids: string[] = [];
  for (let i = 0; i < 11; i += 1) ids.push(await begins(juliet));
  const goesOn = (id: string, shape: string) =>
    runs(juliet, `node='config' sessionid='${id}'`, submit({ service: "httpd" }), shape);
  await goesOn(ids[0]!, refusal("cancel", "not-allowed", "session-expired"));
  await goesOn(ids[1]!, "<iq type='result'/>");
  assert.equal(new Set(ids).size, 11);
});
