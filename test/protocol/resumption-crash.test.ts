/** XEP-0198 §5 when the process dies: who rested goes on, who was connected begins anew, and nobody misses a message. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { NS } from "../../src/xmpp/ns.ts";
import { attr, child } from "../../src/xmpp/xml.ts";
import {
  acknowledges,
  asksHandled,
  asksToResume,
  enables,
  enablesResumption,
  failsToResume,
  resumes,
} from "../support/management.ts";
import { spawnNode, type NodeProcess } from "../support/node.ts";
import type { ClientStream } from "../support/stream.ts";
import { until } from "../support/until.ts";

/** Enough to die before, during and after the write of what came last. */
const rounds = 6;

async function returns(node: NodeProcess, name: string): Promise<ClientStream> {
  const stream = await node.connects();
  await stream.opens();
  await stream.receives("<stream:features/>");
  await stream.authenticates(name, "one");
  return stream;
}

test("after SIGKILL who rested can resume, and who was connected can not", async (t) => {
  const node = await spawnNode(t);
  for (const name of ["ana", "bob"])
    await node.pipit(["account", "add", `${name}@pipit.test`, "--password", "one"]);
  const bob = await node.login("bob", { password: "one", resource: "desk" });
  const ana = await node.login("ana", { password: "one", resource: "phone" });
  ana.sends("<presence/>");
  const anasId = await enablesResumption(ana);
  const bobsId = await enablesResumption(bob);
  bob.sends(`<message type='chat' to='${ana.bare}' id='0'><body>0</body></message>`);
  await ana.receives("<message id='0'/>");
  acknowledges(ana, 1);
  await asksHandled(ana);
  await ana.kill();
  await until(() => node.output.includes("may come back"), "the session rests");
  bob.sends(`<message type='chat' to='${ana.bare}' id='1'><body>1</body></message>`);
  await asksHandled(bob);
  await node.stops("SIGKILL");
  await node.starts();

  const bobAgain = await returns(node, "bob");
  asksToResume(bobAgain, bobsId, 0);
  assert.equal(await failsToResume(bobAgain, "item-not-found"), undefined);
  await bobAgain.binds("desk");
  const anaAgain = await returns(node, "ana");
  await resumes(anaAgain, anasId, 1);
  await anaAgain.receives("<message id='1'/>");
  assert.deepEqual(await moreOf(anaAgain), []);
});

test("what waited for an inactive client reaches it after SIGKILL", async (t) => {
  const node = await spawnNode(t);
  for (const name of ["ana", "bob"])
    await node.pipit(["account", "add", `${name}@pipit.test`, "--password", "one"]);
  const bob = await node.login("bob", { password: "one", resource: "desk" });
  const ana = await node.login("ana", { password: "one", resource: "phone" });
  await enables(bob);
  ana.sends("<presence/>");
  const id = await enablesResumption(ana);
  ana.raw(`<inactive xmlns='${NS.clientState}'/>`);
  await ana.pings();
  acknowledges(ana, 1);
  bob.sends(`<message to='${ana.bare}' id='r'><received xmlns='${NS.receipts}' id='0'/></message>`);
  assert.equal(await asksHandled(bob), 1);
  await ana.kill();
  await until(() => node.output.includes("may come back"), "the session rests");
  // It is on disk before what comes now.
  bob.sends(`<message type='chat' to='${bob.bare}' id='b'><body>b</body></message>`);
  assert.equal(await asksHandled(bob), 2);
  await node.stops("SIGKILL");
  await node.starts();

  const again = await returns(node, "ana");
  await resumes(again, id, 1);
  await again.receives("<message id='r'/>");
  await again.ends();
});

test("what was acknowledged to its sender reaches who rests, once, whenever the process dies", async (t) => {
  const node = await spawnNode(t);
  await node.pipit(["account", "add", "bob@pipit.test", "--password", "one"]);
  let last = 0;
  for (let round = 0; round < rounds; round += 1) {
    // Somebody else each time: what they took in the second before may come again to who logs in afresh.
    const name = `ana${round}`;
    await node.pipit(["account", "add", `${name}@pipit.test`, "--password", "one"]);
    const ana = await node.login(name, { password: "one", resource: "phone" });
    ana.sends("<presence/>");
    // Another client of Bob's: what he says goes there as a copy.
    const other = await node.login("bob", { password: "one", resource: "other" });
    await other.asks(`<iq type='set'><enable xmlns='${NS.carbons}'/></iq>`);
    const ids = { ana: await enablesResumption(ana), bob: await enablesResumption(other) };
    const bob = await node.login("bob", { password: "one", resource: "desk" });
    await enables(bob);
    await Promise.all([ana.kill(), other.kill()]);
    await until(() => node.output.split("may come back").length === 3, "both sessions rest");
    const first = last + 1;
    for (let n = 0; n <= round; n += 1) {
      last += 1;
      bob.sends(
        `<message type='chat' to='${ana.bare}' id='${last}'><body>${last}</body>` +
          `<origin-id xmlns='${NS.stanzaIds}' id='${last}'/></message>`,
      );
      assert.equal(await asksHandled(bob), n + 1);
    }
    await node.stops("SIGKILL");
    await node.starts();

    const anaAgain = await returns(node, name);
    await resumes(anaAgain, ids.ana, 0);
    for (let n = first; n <= last; n += 1) await anaAgain.receives(`<message id='${n}'/>`);
    assert.deepEqual(await moreOf(anaAgain), []);
    await anaAgain.ends();

    // Where a copy was not written in time, the session is not what its client believes.
    const otherAgain = await returns(node, "bob");
    asksToResume(otherAgain, ids.bob, 0);
    const answer = await otherAgain.receivesNext();
    if (answer.name === "resumed") {
      for (let n = first; n <= last; n += 1)
        await otherAgain.receives(
          `<message><sent xmlns='${NS.carbons}'><forwarded xmlns='${NS.forward}'>` +
            `<message xmlns='${NS.client}' id='${n}'/></forwarded></sent></message>`,
        );
    } else assert.equal(answer.name, "failed");
    await otherAgain.ends();
  }
});

/** Messages that are in the inbox once all that was on its way has come. */
async function moreOf(stream: ClientStream): Promise<(string | undefined)[]> {
  await stream.asks(`<iq type='get' to='pipit.test'><ping xmlns='${NS.ping}'/></iq>`);
  const more = stream.inbox.filter((one) => one.name === "message" && child(one, "body"));
  return more.map((one) => attr(one, "id"));
}
