/** The tests' child process: the program starts, is told things, stops, is killed, and finds its data again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { spawnNode } from "../support/node.ts";

const vcard = "<vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard>";

test("what was acknowledged is there after SIGKILL", async (t) => {
  const node = await spawnNode(t);
  const added = await node.pipit(["account", "add", "juliet@pipit.test", "--password", "ok"]);
  assert.equal(added.code, 0, added.stderr);
  const juliet = await node.login("juliet", { password: "ok", tls: "starttls" });
  await juliet.asks(`<iq type='set'>${vcard}</iq>`, "<iq type='result'/>");
  assert.equal(await node.stops("SIGKILL"), null);
  await juliet.closed();
  await node.starts();
  const again = await node.login("juliet", { password: "ok" });
  await again.asks("<iq type='get'><vCard xmlns='vcard-temp'/></iq>", `<iq type='result'>${vcard}</iq>`);
  await again.receivesNothing();
  assert.equal(await node.stops("SIGTERM"), 0);
});

test("a node that cannot start says why", async (t) => {
  await assert.rejects(spawnNode(t, { modules: ["missing.mjs"] }), /missing\.mjs cannot be loaded/);
});
