/** XEP-0124: BOSH, and XEP-0206: XMPP over it. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { attr, child, children, childText, type Element } from "../../src/xmpp/xml.ts";
import { BoshClient } from "../support/bosh.ts";
import { cast } from "../support/cast.ts";
import { until } from "../support/until.ts";

const httpBind = "http://jabber.org/protocol/httpbind";
const streams = "http://etherx.jabber.org/streams";

const stageFor = (t: TestContext) => cast(t, { juliet: {}, romeo: {} });
const message = (to: string, body: string): string =>
  `<message xmlns="jabber:client" to="${to}" type="chat"><body>${body}</body></message>`;
const bodies = (answer: Element): (string | undefined)[] =>
  children(answer, "message", "jabber:client").map((one) => childText(one, "body"));

function assertTerminated(answer: Element, condition: string | undefined): void {
  assert.equal(attr(answer, "type"), "terminate");
  assert.equal(attr(answer, "condition"), condition);
}

test("a session begins with what was agreed upon, and the features (0124 §7, 0206 §3)", async (t) => {
  await using stage = await stageFor(t);
  const client = new BoshClient(stage);
  const answer = await client.begins();
  assert.match(client.sid, /.{20}/);
  assert.equal(attr(answer, "wait"), "30");
  assert.equal(attr(answer, "hold"), "1");
  assert.equal(attr(answer, "requests"), "2");
  assert.equal(attr(answer, "ver"), "1.11");
  assert.equal(attr(answer, "from"), stage.domain);
  assert.equal(attr(answer, "xmpp:version"), "1.0");
  assert.equal(attr(answer, "xmpp:restartlogic"), "true");
  assert.ok(Number(attr(answer, "inactivity")) > 0);
  const features = child(answer, "features", streams);
  assert.ok(features && child(features, "mechanisms", "urn:ietf:params:xml:ns:xmpp-sasl"));
  assertTerminated(await client.says("", `type="terminate"`), undefined);
});

test("a client waits on a held request, and what comes is its answer", async (t) => {
  await using stage = await stageFor(t);
  const { romeo } = stage.actors;
  const client = new BoshClient(stage);
  const jid = await client.logsIn("juliet", "juliet's secret", "browser");
  assert.equal(jid, `juliet@${stage.domain}/browser`);
  const held = client.says();
  // The held one is answered at once where the client has something to say (0124 §8.1).
  const next = client.says(message(romeo.full, "Ay me!"));
  assert.equal(children(await held).length, 0);
  await romeo.receives(`<message from="${jid}" type="chat"><body>Ay me!</body></message>`);
  romeo.sends(`<message to="${jid}" type="chat"><body>O, speak again</body></message>`);
  assert.deepEqual(bodies(await next), ["O, speak again"]);
  assertTerminated(await client.says("", `type="terminate"`), undefined);
  await until(() => [...stage.node.sessions].every((one) => one.jid.full !== jid), "the session is over");
});

test("requests are handled in their order, however they come (0124 §14.1)", async (t) => {
  await using stage = await stageFor(t);
  const { romeo } = stage.actors;
  const client = new BoshClient(stage);
  await client.logsIn("juliet", "juliet's secret", "browser");
  const { rid } = client;
  const second = client.repeats(rid + 2, message(romeo.full, "two"));
  const first = client.repeats(rid + 1, message(romeo.full, "one"));
  await romeo.receives(`<message><body>one</body></message>`);
  await romeo.receives(`<message><body>two</body></message>`);
  await first;
  client.rid = rid + 2;
  await client.says("", `type="terminate"`);
  await second;
});

test("an answer that was lost is given again, and its request is not handled twice (0124 §14.2)", async (t) => {
  await using stage = await stageFor(t);
  const { romeo } = stage.actors;
  const client = new BoshClient(stage);
  const jid = await client.logsIn("juliet", "juliet's secret", "browser");
  const held = client.says(message(romeo.full, "once"));
  await romeo.receives(`<message><body>once</body></message>`);
  romeo.sends(`<message to="${jid}" type="chat"><body>the answer</body></message>`);
  assert.deepEqual(bodies(await held), ["the answer"]);
  const again = await client.repeats(client.rid, message(romeo.full, "once"));
  assert.deepEqual(bodies(again), ["the answer"]);
  await romeo.receivesNothing();
  await client.says("", `type="terminate"`);
});

test("what is wrong ends the session, with the reason (0124 §17.2)", async (t) => {
  await using stage = await stageFor(t);
  const stranger = new BoshClient(stage);
  await t.test("an unknown sid", async () => {
    stranger.sid = "nobody";
    assertTerminated(await stranger.says(), "item-not-found");
  });
  for (const [what, text] of [
    ["no XML", "hello"],
    ["no body", `<presence xmlns="jabber:client"/>`],
    ["no rid", `<body xmlns="${httpBind}" to="${stage.domain}"/>`],
    ["a rid that is none", `<body xmlns="${httpBind}" rid="-3" to="${stage.domain}"/>`],
    ["a document type", `<!DOCTYPE x [<!ENTITY a "b">]><body xmlns="${httpBind}" rid="1"/>`],
  ] as const) {
    await t.test(what, async () => assertTerminated(await stranger.asks(text), "bad-request"));
  }
  await t.test("another domain", async () => {
    const answer = await stranger.asks(
      `<body xmlns="${httpBind}" rid="1" to="elsewhere.test" wait="1" hold="1"/>`,
    );
    assertTerminated(answer, "remote-stream-error");
    const error = child(answer, "error", streams);
    assert.ok(error && child(error, "host-unknown", "urn:ietf:params:xml:ns:xmpp-streams"));
  });
  await t.test("a rid out of the window", async () => {
    const client = new BoshClient(stage);
    await client.begins();
    assertTerminated(await client.repeats(client.rid + 9), "item-not-found");
    assertTerminated(await client.says(), "item-not-found");
  });
  await t.test("a stanza before its time", async () => {
    const client = new BoshClient(stage);
    await client.begins();
    assertTerminated(await client.says(`<presence xmlns="jabber:client"/>`), "remote-stream-error");
  });
  await t.test("more than a request may hold", async () => {
    const response = await stranger.posts("x".repeat(600_000));
    assert.equal(response.status, 413);
  });
});

test("what waited behind a mistake ends with it, and the node goes on (0124 §14.1)", async (t) => {
  await using stage = await stageFor(t);
  const client = new BoshClient(stage);
  await client.begins();
  const { rid } = client;
  const second = client.repeats(rid + 2, `<presence xmlns="jabber:client"/>`);
  // Whoever asked before this was answered is heard.
  await fetch(`${stage.web}/livez`);
  assertTerminated(await client.repeats(rid + 1, `<presence xmlns="jabber:client"/>`), "remote-stream-error");
  assert.equal(attr(await second, "type"), "terminate");
  await new BoshClient(stage).begins();
});

test("pages of any origin may speak it, and none where others could read along", async (t) => {
  await using stage = await cast(t, {}, { config: { url: "http://pipit.test" } });
  const url = `${stage.web}/http-bind`;
  const preflight = await fetch(url, {
    method: "OPTIONS",
    headers: { Origin: "https://chat.example", "Access-Control-Request-Method": "POST" },
  });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers.get("access-control-allow-origin"), "*");
  assert.match(preflight.headers.get("access-control-allow-headers") ?? "", /content-type/i);
  const client = new BoshClient(stage);
  const answer = await client.posts(`<body xmlns="${httpBind}" rid="1" sid="x"/>`);
  assert.equal(answer.headers.get("access-control-allow-origin"), "*");
  assert.match(answer.headers.get("content-type") ?? "", /^text\/xml; charset=utf-8/);
  const far = await client.posts(`<body xmlns="${httpBind}" rid="1"/>`, { "X-Forwarded-For": "192.0.2.7" });
  assert.equal(far.status, 403);
});
