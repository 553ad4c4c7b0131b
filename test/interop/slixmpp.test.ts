/** slixmpp: two people chat, post, correct, retract, follow each other's PEP, and send files. */
import assert from "node:assert";
import { readFile, writeFile } from "node:fs/promises";
import { test, type TestContext } from "node:test";
import { join } from "node:path";
import type { NodeProcess } from "../support/node.ts";
import { assertPublished, fetched, folderFor, house, password } from "./house.ts";
import { freePorts } from "./peers/daemon.ts";
import { befriend, type ActorEvent } from "./client-actor.ts";
import { story } from "./client-story.ts";
import { SlixmppActor, type SlixmppOptions } from "./slixmpp.ts";
import { missingPython } from "./software.ts";

const skip = missingPython("slixmpp");
const microblog = "urn:xmpp:microblog:0";

function person(node: NodeProcess, name: string, options: Partial<SlixmppOptions> = {}): SlixmppActor {
  const security = options.security ?? "starttls";
  return new SlixmppActor({
    jid: `${name}@${node.domain}`,
    password,
    security,
    port: security === "direct" ? node.ports.c2sTls : node.ports.c2s,
    ca: join(node.folder, "cert.pem"),
    ...options,
  });
}

story("slixmpp", {
  skip,
  port: (node) => node.ports.c2s,
  enters: (node, { name, ...options }) => person(node, name, options),
  lacks: {
    resending:
      "slixmpp 1.8.3 forgets what is not acknowledged when it asks to resume (plugins/xep_0198, _handle_outgoing)",
  },
});

const entry = (title: string): string =>
  `<entry xmlns='http://www.w3.org/2005/Atom'><title>${title}</title><updated>2026-11-20T09:00:00Z</updated></entry>`;

for (const mechanism of ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN", undefined]) {
  test(`logs in with ${mechanism ?? "its own choice of mechanism"}`, { skip }, async (t: TestContext) => {
    const node = await house(t);
    for (const security of ["starttls", "direct"] as const) {
      await using ana = person(node, "ana", { security, ...(mechanism && { mechanism }) });
      const started = await ana.hears("started");
      if (mechanism) assert.equal(started["mechanism"], mechanism);
      await ana.does("ping", { to: node.domain });
    }
  });
}

test("a wrong password is refused", { skip }, async (t: TestContext) => {
  const node = await house(t);
  await using stranger = person(node, "ana", { password: "wrong", mechanism: "SCRAM-SHA-256" });
  await stranger.hears("failed-auth");
});

test("two people exchange presence and messages", { skip }, async (t: TestContext) => {
  const node = await house(t);
  await using ana = person(node, "ana");
  await using ben = person(node, "ben", { security: "direct" });
  await ana.hears("started");
  await ben.hears("started");
  await befriend(ana, ben);
  await ana.does("message", { to: ben.jid, id: "m1", body: "Gruezi & <guten> Tag 🐦" });
  const heard = await ben.hears("message", (e) => e["id"] === "m1");
  assert.equal(heard["body"], "Gruezi & <guten> Tag 🐦");
  await ben.does("message", { to: String(heard["sender"]), id: "m2", body: "Ciao" });
  assert.equal((await ana.hears("message", (e) => e["id"] === "m2"))["body"], "Ciao");
  await ben.does("disconnect");
  await ana.hears("presence", (e) => e["type"] === "unavailable");
});

test("gets what can wait only when it looks again (XEP-0352)", { skip }, async (t: TestContext) => {
  const node = await house(t);
  await using ana = person(node, "ana");
  await using ben = person(node, "ben");
  await ana.hears("started");
  await ben.hears("started");
  await befriend(ana, ben);
  const isStatus = (text: string) => (e: ActorEvent) => String(e["xml"]).includes(text);
  const asks = (actor: SlixmppActor) => actor.does("ping", { to: node.domain });

  await ana.does("state", { state: "inactive" });
  await asks(ana);
  for (const status of ["cooking", "at table"]) await ben.does("presence", { status });
  await asks(ben);
  assert(!ana.hasHeard("presence", isStatus("at table")));
  await ana.does("state", { state: "active" });
  await ana.hears("presence", isStatus("at table"));
  assert(!ana.hasHeard("presence", isStatus("cooking")), "only the last presence of each is kept");
});

test("posts through timeline@, corrects and retracts", { skip }, async (t: TestContext) => {
  const node = await house(t);
  await using ana = person(node, "ana");
  await ana.hears("started");
  const timeline = `timeline@${node.domain}`;
  const answered = () => ana.hears("message", (e) => e["sender"] === timeline);

  await ana.does("message", { to: timeline, id: "p1", body: "Tea and XML #tea" });
  const permalink = /https?:\S+/.exec(String((await answered())["body"]))?.[0];
  assert(permalink, "the answer holds the permalink");
  await assertPublished(node, "Tea and XML");

  await ana.does("message", { to: timeline, id: "p2", body: "Coffee and XML #tea", replaces: "p1" });
  await answered();
  await assertPublished(node, "Coffee and XML");
  await assertPublished(node, "Tea and XML", false);

  await ana.does("retract-message", { to: timeline, id: "p1" });
  await answered();
  await assertPublished(node, "Coffee and XML", false);
  assert.equal((await fetched(node, new URL(permalink).pathname)).status, 410);

  await ana.does("message", { to: timeline, id: "h", body: "help" });
  assert.match(String((await answered())["body"]), /correct/i);
});

test("publishes, lists and retracts PEP items; a contact hears of it by +notify", { skip }, async (t) => {
  const node = await house(t);
  await using ana = person(node, "ana");
  await using ben = person(node, "ben", { interests: [microblog] });
  await ana.hears("started");
  await ben.hears("started");
  await befriend(ana, ben);

  await ana.does("publish", { node: microblog, id: "first-abcdef", payload: entry("From slixmpp") });
  const event = await ben.hears("pubsub", (e) => e["node"] === microblog);
  assert.equal(event["sender"], ana.jid);
  assert.match(String(event["xml"]), /From slixmpp/);
  assert.match(String(event["xml"]), new RegExp(`publisher="${ana.jid}"`));
  await assertPublished(node, "From slixmpp");

  await ana.does("publish", { node: microblog, id: "second-abcdef", payload: entry("Once more") });
  await ben.hears("pubsub");
  const items = String((await ben.does("items", { to: ana.jid, node: microblog }))["xml"]);
  assert(items.indexOf("second-abcdef") < items.indexOf("first-abcdef"), "newest first");

  await ana.does("retract", { node: microblog, id: "first-abcdef" });
  const retracted = await ben.hears("pubsub", (e) => String(e["xml"]).includes("retract"));
  assert.match(String(retracted["xml"]), /first-abcdef/);
  await assertPublished(node, "From slixmpp", false);
  await assertPublished(node, "Once more");

  const disco = String((await ben.does("disco", { to: ana.jid }))["xml"]);
  assert.match(disco, /category="pubsub" type="pep"|type="pep" category="pubsub"/);
});

test("a stranger follows by subscribing to the node", { skip }, async (t: TestContext) => {
  const node = await house(t);
  await using ana = person(node, "ana");
  await using ben = person(node, "ben");
  await ana.hears("started");
  await ben.hears("started");
  await ana.does("publish", { node: microblog, id: "first-abcdef", payload: entry("Before") });
  await ben.does("subscribe", { to: ana.jid, node: microblog });
  await ana.does("publish", { node: microblog, id: "second-abcdef", payload: entry("After") });
  assert.match(String((await ben.hears("pubsub"))["xml"]), /After/);
  await ben.does("unsubscribe", { to: ana.jid, node: microblog });
  await assert.rejects(
    ben.does("publish", { to: ana.jid, node: microblog, id: "x", payload: entry("Mine") }),
    /forbidden/,
  );
});

test(
  "uploads a file, and another client downloads it",
  { skip: skip || missingPython("aiohttp") },
  async (t) => {
    const [port = 0] = await freePorts("127.0.0.1", 1);
    const node = await house(t, { url: `http://127.0.0.1:${port}`, listen: { http: port } });
    const folder = await folderFor(t);
    const [sent, got] = [join(folder, "très cool (1).jpg"), join(folder, "got")];
    const body = Buffer.alloc(3_000_000, "0123456789");
    await writeFile(sent, body);
    await using ana = person(node, "ana");
    await using ben = person(node, "ben");
    await ana.hears("started");
    await ben.hears("started");
    const { link } = await ana.does("upload", { file: sent });
    await ana.does("message", { to: ben.jid, id: "m1", body: link });
    const heard = await ben.hears("message", (e) => e["id"] === "m1");
    const { status, type } = await ben.does("download", { link: heard["body"], file: got });
    assert.deepEqual([status, type], [200, "image/jpeg"]);
    assert((await readFile(got)).equals(body));
  },
);
