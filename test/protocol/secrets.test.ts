/** At the most talkative level, through every door that passwords come in by, none is in the logs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { spawnNode } from "../support/node.ts";

test("no password, nor anything made from it, is logged", async (t) => {
  const node = await spawnNode(t, { log: { level: "trace" } });
  const secret = "correct-horse-battery";
  await node.pipit(["account", "add", "ana@pipit.test", "--password", secret]);
  const ana = await node.login("ana", { password: secret });
  await ana.receivesNothing();
  await node.pipit(["account", "passwd", "ana@pipit.test", "--password", `${secret}-2`]);
  await node.pipit(["account", "add", "ana@pipit.test", "--password", `${secret}-3`]);
  await node.pipit(["account", "add", "admin@pipit.test", "--password", `${secret}-4`]);
  await node.stops("SIGTERM");
  assert.match(node.output, /"level":(10|20|30)/);
  for (const trace of [secret, Buffer.from(`\0ana\0${secret}`).toString("base64")]) {
    assert.equal(node.output.includes(trace), false);
  }
});
