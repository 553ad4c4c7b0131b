/** @xmpp/client over WebSocket: two people and their devices, SASL2 and a token for coming back. */
import assert from "node:assert";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { NodeProcess } from "../support/node.ts";
import { ClientActor, type ActorEvent } from "./client-actor.ts";
import { story, type Entrance } from "./client-story.ts";
import { Gate } from "./gate.ts";
import { house, password } from "./house.ts";
import { Program } from "./software.ts";

const script = fileURLToPath(new URL("xmppjs-actor.js", import.meta.url));

function enters(node: NodeProcess, { name, resource, port = node.ports.http, quiet = false }: Entrance) {
  const { domain } = node;
  const service = `ws://127.0.0.1:${port}/xmpp-websocket`;
  const login = JSON.stringify({ service, domain, username: name, password, resource, quiet });
  // Node's own, which version 20 has to be asked for.
  const options = "WebSocket" in globalThis ? [] : ["--experimental-websocket", "--no-warnings"];
  return new ClientActor(`${name}@${domain}`, new Program(process.execPath, [...options, script, login]));
}

story("@xmpp/client", { skip: false, port: (node) => node.ports.http, enters });

test("@xmpp/client comes back with a token where it cannot resume (XEP-0388, 0386, 0484)", async (t) => {
  const node = await house(t, { c2s: { resume_seconds: 0 } });
  const gate = await Gate.open(t, node.ports.http);
  await using ana = enters(node, { name: "ana", resource: "train", port: gate.port });
  const first = await ana.hears("started");
  const sasl2 = (e: ActorEvent): boolean => e["xmlns"] === "urn:xmpp:sasl:2";
  await ana.hears("success", sasl2);
  assert.equal((await ana.hears("authenticates"))["mechanism"], "SCRAM-SHA-1");
  gate.breaks();
  await ana.hears("success", sasl2);
  const again = await ana.hears("started");
  assert.equal((await ana.hears("authenticates"))["mechanism"], "HT-SHA-256-NONE");
  // Its tag, and what the server makes of it for this installation (XEP-0386 §3.1).
  assert.equal(again["jid"], first["jid"]);
  assert.match(String(first["jid"]), /^ana@pipit\.test\/train/);
  assert.deepEqual(ana.heard("complaint"), []);
});
