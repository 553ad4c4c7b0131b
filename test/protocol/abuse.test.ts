/** What strangers and ill-willed users try besides what `hostile.test.ts` has: to be many, and to be somebody else. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectPlain, type Socket } from "node:net";
import { test } from "node:test";
import { NS } from "../../src/xmpp/ns.ts";
import { attr, child } from "../../src/xmpp/xml.ts";
import { cast } from "../support/cast.ts";
import { enablesResumption, resumes } from "../support/management.ts";
import { probe, spawnNode, type NodeProcess } from "../support/node.ts";
import { authenticate2, bind2, identityIn } from "../support/sasl2-client.ts";
import { ClientStream, connect } from "../support/stream.ts";
import { until } from "../support/until.ts";

/** `npm run bench -- strangers` brings ten thousand. */
const silent = 800;
const greeted = 200;
/** A network may have 256 without a resource (server/throttle.ts). */
const perNetwork = 200;
/** What one may cost in memory that the engine knows of, in bytes; what OpenSSL takes, the bench measures. */
const mostHeld = 16 * 1_024;
/** What one may leave behind, in bytes. */
const mostLeft = 1_024;
// Only Linux has all of 127.0.0.0/8 without being told.
const skip = process.platform !== "linux" && "strangers need many loopback addresses";

test("a thousand who never log in cost little, keep nobody out and leave nothing", { skip }, async (t) => {
  const node = await spawnNode(t, {}, { options: probe });
  const password = "a secret of some length";
  await node.pipit(["account", "add", `romeo@${node.domain}`, "--password", password]);
  const romeo = await node.login("romeo", { password });
  // Caches are filled, and what is hot is compiled.
  await dismissed(node, await crowd(node));
  const before = (await node.holds()).bytes;
  const sockets = await crowd(node);
  await until(
    async () => (await node.holds()).connections === 1 + silent + greeted,
    "all of them are taken in",
  );
  const held = ((await node.holds()).bytes - before) / (silent + greeted);
  await romeo.pings();
  const another = await node.login("romeo", { password, resource: "tablet" });
  await another.ends();
  await dismissed(node, sockets);
  const left = ((await node.holds()).bytes - before) / (silent + greeted);
  t.diagnostic(`${Math.round(held)} bytes each while they were there, ${Math.round(left)} afterwards`);
  assert(held < mostHeld, `each of them costs ${held} bytes`);
  assert(left < mostLeft, `each of them leaves ${left} bytes`);
  await romeo.ends();
});

/** Most say nothing; the others come as far as the features, under TLS. */
async function crowd({ ports, domain, certificate: ca }: NodeProcess): Promise<Socket[]> {
  const addressOf = (i: number): string => `127.2.0.${1 + Math.floor(i / perNetwork)}`;
  const all = Array.from({ length: silent + greeted }, async (_, i) => {
    const localAddress = addressOf(i);
    if (i < silent) {
      const socket = connectPlain({ host: "127.0.0.1", port: ports.c2s, localAddress });
      await once(socket, "connect");
      return socket;
    }
    const options = { domain, port: ports.c2sTls, tls: "direct", ca, localAddress } as const;
    const stream = new ClientStream(await connect(options), options);
    await stream.opens();
    await stream.receives("<stream:features/>");
    return stream.socket;
  });
  return Promise.all(all);
}

/** They go, and the node knows. */
async function dismissed(node: NodeProcess, sockets: readonly Socket[]): Promise<void> {
  for (const socket of sockets) socket.destroy();
  await until(async () => (await node.holds()).connections === 1, "none of them is left");
}

test("nobody resumes somebody else's session with the request that logs them in (XEP-0198 §5)", async (t) => {
  await using stage = await cast(t, { romeo: { presence: false }, juliet: {} });
  const { romeo } = stage.actors;
  const id = await enablesResumption(romeo);
  await romeo.kill();
  const thief = await stage.connects();
  await thief.opens();
  const outcome = await authenticate2(thief, await thief.receives("<stream:features/>"), {
    username: "juliet",
    password: "juliet's secret",
    inside: `<resume xmlns='${NS.streamManagement}' previd='${id}' h='0'/>${bind2("<tag>thief</tag>")}`,
  });
  assert.match(identityIn(outcome), new RegExp(`^${stage.bare("juliet")}/thief`));
  assert.equal(child(outcome, "resumed", NS.streamManagement), undefined);
  const failed = child(outcome, "failed", NS.streamManagement)!;
  assert(child(failed, "item-not-found", NS.stanzas), "as for an id that nobody knows");
  assert.equal(attr(failed, "h"), undefined, "nor does it say what was handled");
  await thief.receivesNext("<stream:features/>");
  await thief.kill();
  // Its owner still can.
  const own = await stage.connects();
  await own.opens();
  await own.receives("<stream:features/>");
  await own.authenticates("romeo", "romeo's secret");
  await resumes(own, id, 0);
  await own.kill();
});
