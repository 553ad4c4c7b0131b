/** At the most talkative level, through every door that passwords come in by, none is in the logs. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { spawnNode } from "../support/node.ts";

test("no password, nor anything made from it, is logged", async (t) => {
  const secret = "correct-horse-battery";
  const components = { echo: { secret: `${secret}-5` } };
  const services = [{ type: "turn", host: "turn.example.org", secret: `${secret}-6` }];
  const node = await spawnNode(t, {
    log: { level: "trace" },
    components,
    services,
    listen: { component: 0 },
  });
  await node.pipit(["account", "add", "ana@pipit.test", "--password", secret, "--admin"]);
  const ana = await node.login("ana", { password: secret });
  await ana.receivesNothing();
  const command = "node='http://jabber.org/protocol/admin#add-user'";
  const begun = await ana.asks(
    `<iq type='set' to='pipit.test'><command xmlns='http://jabber.org/protocol/commands' ${command}/></iq>`,
    "<iq type='result'/>",
  );
  const session = begun.getChild("command")!.attrs["sessionid"] as string;
  const fields = { accountjid: "bob@pipit.test", password: `${secret}-7`, "password-verify": `${secret}-7` };
  const filled = Object.entries(fields).map(
    ([name, value]) => `<field var='${name}'><value>${value}</value></field>`,
  );
  await ana.asks(
    `<iq type='set' to='pipit.test'><command xmlns='http://jabber.org/protocol/commands' ${command} sessionid='${session}'>
       <x xmlns='jabber:x:data' type='submit'>${filled.join("")}</x></command></iq>`,
    "<iq type='result'/>",
  );
  await ana.asks(
    "<iq type='get' to='pipit.test'><services xmlns='urn:xmpp:extdisco:2'/></iq>",
    "<iq type='result'/>",
  );
  await writeFile(
    join(node.folder, "moved.xml"),
    `<server-data xmlns='urn:xmpp:pie:0'><host jid='pipit.test'><user name='eve' password='${secret}-8'/></host></server-data>`,
  );
  assert.equal((await node.pipit(["import", "moved.xml"])).code, 0);
  await node.pipit(["account", "passwd", "ana@pipit.test", "--password", `${secret}-2`]);
  await node.pipit(["account", "add", "ana@pipit.test", "--password", `${secret}-3`]);
  await node.pipit(["account", "add", "admin@pipit.test", "--password", `${secret}-4`]);
  await node.stops("SIGTERM");
  assert.match(node.output, /"level":(10|20|30)/);
  for (const trace of [secret, Buffer.from(`\0ana\0${secret}`).toString("base64")]) {
    assert.equal(node.output.includes(trace), false);
  }
});
