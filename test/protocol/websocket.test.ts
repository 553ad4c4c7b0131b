/** RFC 7395: XMPP over WebSocket. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { WebSocket } from "ws";
import { attr, child, children, childText, namespaceOf } from "../../src/xmpp/xml.ts";
import { cast } from "../support/cast.ts";
import { WebSocketClient } from "../support/websocket.ts";

const framing = "urn:ietf:params:xml:ns:xmpp-framing";
const streams = "http://etherx.jabber.org/streams";
const sasl = "urn:ietf:params:xml:ns:xmpp-sasl";

/** The connection below a WebSocket: what is written to it while it is corked comes at once. */
const underlying = (socket: WebSocket): Socket => (socket as unknown as { _socket: Socket })._socket;

const stageFor = (t: TestContext) => cast(t, { juliet: {}, romeo: {} });

test("the header is <open/>, and what follows stands alone (§3.3.3, §3.4)", async (t) => {
  await using stage = await stageFor(t);
  const client = await new WebSocketClient(stage).connected();
  assert.equal(client.socket.protocol, "xmpp");
  client.opens();
  const open = await client.next();
  assert.equal(namespaceOf(open), framing);
  assert.equal(open.name, "open");
  assert.equal(attr(open, "from"), stage.domain);
  assert.equal(attr(open, "version"), "1.0");
  assert.match(attr(open, "id") ?? "", /.{12}/);
  const features = await client.next();
  assert.equal(namespaceOf(features), streams);
  assert.equal(features.name, "features");
  // §3.9: TLS is below the WebSocket or nowhere.
  assert.equal(child(features, "starttls", "urn:ietf:params:xml:ns:xmpp-tls"), undefined);
  const mechanisms = child(features, "mechanisms", sasl);
  assert.ok(mechanisms);
  // Nothing here can bind to a channel that somebody else has in hand.
  const names = children(mechanisms).map((one) => one.getText());
  assert.ok(names.includes("SCRAM-SHA-256") && !names.some((name) => name.endsWith("-PLUS")), names.join());
  client.sends(`<close xmlns="${framing}"/>`);
  const close = await client.next();
  assert.equal(`${namespaceOf(close)} ${close.name}`, `${framing} close`);
  assert.equal(await client.closed(), 1000);
});

test("who is on a WebSocket and who is on TCP write to each other", async (t) => {
  await using stage = await stageFor(t);
  const { romeo } = stage.actors;
  const client = await new WebSocketClient(stage).connected();
  const jid = await client.logsIn("juliet", "juliet's secret", "browser");
  assert.equal(jid, `juliet@${stage.domain}/browser`);
  client.sends(
    `<message xmlns="jabber:client" to="${romeo.full}" type="chat"><body>Ay me! ☂</body></message>`,
  );
  await romeo.receives(`<message from="${jid}" type="chat"><body>Ay me! ☂</body></message>`);
  romeo.sends(`<message to="${jid}" type="chat"><body>O, speak again</body></message>`);
  const message = await client.next();
  assert.equal(namespaceOf(message), "jabber:client");
  assert.equal(attr(message, "from"), romeo.full);
  assert.equal(childText(message, "body"), "O, speak again");
  client.sends(`<close xmlns="${framing}"/>`);
  await client.closed();
});

const begun = `<open xmlns="${framing}" to="pipit.test" version="1.0"/>`;
const refused: readonly (readonly [string, readonly (string | Buffer)[], string])[] = [
  ["another domain", [`<open xmlns="${framing}" to="elsewhere.test" version="1.0"/>`], "host-unknown"],
  ["no domain", [`<open xmlns="${framing}" version="1.0"/>`], "improper-addressing"],
  [
    "a header of TCP",
    [`<stream:stream xmlns="jabber:client" xmlns:stream="${streams}"/>`],
    "invalid-namespace",
  ],
  ["no header first", [`<auth xmlns="${sasl}" mechanism="PLAIN"/>`], "invalid-namespace"],
  ["white space first (§3.3.3)", [begun, ` <presence xmlns="jabber:client"/>`], "bad-format"],
  ["a declaration first", [`<?xml version="1.0"?>${begun}`], "not-well-formed"],
  ["two elements at once", [begun, `<a xmlns="b"/><a xmlns="b"/>`], "not-well-formed"],
  ["half an element", [begun, `<a xmlns="b">`], "not-well-formed"],
  ["a stanza of no namespace", [begun, `<presence/>`], "invalid-namespace"],
  ["a stanza before its time", [begun, `<presence xmlns="jabber:client"/>`], "not-authorized"],
  ["a comment", [begun, `<a xmlns="b"><!-- c --></a>`], "restricted-xml"],
  ["bytes", [begun, Buffer.from(`<presence xmlns="jabber:client"/>`)], "bad-format"],
  ["more than strangers may say", [begun, `<a xmlns="b">${"c".repeat(20_000)}</a>`], "policy-violation"],
];

test("what is no message of RFC 7395 ends the stream, with the reason", async (t) => {
  await using stage = await stageFor(t);
  for (const [what, frames, condition] of refused) {
    await t.test(what, async () => {
      const client = await new WebSocketClient(stage).connected();
      for (const frame of frames) client.socket.send(frame);
      let error = await client.next();
      while (error.name !== "error") error = await client.next();
      assert.equal(namespaceOf(error), streams);
      assert.ok(child(error, condition, "urn:ietf:params:xml:ns:xmpp-streams"), error.toString());
      // §3.5: the end is told too, and then the WebSocket is closed once the client has said its own.
      assert.equal((await client.next()).name, "close");
      client.sends(`<close xmlns="${framing}"/>`);
      assert.equal(await client.closed(), 1000);
    });
  }
});

test("what comes in one segment is handled in its order, as on TCP", async (t) => {
  await using stage = await stageFor(t);
  const client = await new WebSocketClient(stage).connected();
  await client.authenticates("juliet", "juliet's secret");
  const socket = underlying(client.socket);
  socket.cork();
  const bind = `<bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"><resource>browser</resource></bind>`;
  client.sends(`<iq xmlns="jabber:client" type="set" id="bind">${bind}</iq>`);
  client.sends(`<iq xmlns="jabber:client" type="get" id="ping"><ping xmlns="urn:xmpp:ping"/></iq>`);
  socket.uncork();
  for (const id of ["bind", "ping"]) {
    const answer = await client.next();
    assert.equal(`${attr(answer, "type")} ${attr(answer, "id")}`, `result ${id}`);
  }
  client.sends(`<close xmlns="${framing}"/>`);
  await client.closed();
});

test("who is turned away for there are too many of them does no harm by bad manners", async (t) => {
  await using stage = await stageFor(t);
  const crowd = Array.from({ length: 256 }, () => new WebSocketClient(stage).connected());
  const strangers = await Promise.all(crowd);
  const { port } = new URL(stage.web);
  const socket = connect(Number(port), "127.0.0.1");
  const key = Buffer.alloc(16).toString("base64");
  const handshake = [
    "GET /xmpp-websocket HTTP/1.1",
    "Host: localhost",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${key}`,
    "Sec-WebSocket-Protocol: xmpp",
  ].join("\r\n");
  // A frame that is not masked, of a kind that there is not, is against RFC 6455 §5.1 and §5.2.
  socket.end(Buffer.concat([Buffer.from(`${handshake}\r\n\r\n`), Buffer.from([0x8f, 0x00])]));
  socket.resume();
  await once(socket, "close");
  const alive = await fetch(`${stage.web}/livez`);
  assert.equal(await alive.text(), "alive\n");
  for (const { socket } of strangers) socket.terminate();
});

test("a handshake without the subprotocol is refused (§3.1), and so is one elsewhere", async (t) => {
  await using stage = await stageFor(t);
  const base = stage.web.replace("http", "ws");
  for (const [url, protocols, status] of [
    [`${base}/xmpp-websocket`, [], 400],
    [`${base}/xmpp-websocket`, ["chat"], 400],
    [`${base}/elsewhere`, ["xmpp"], 404],
  ] as const) {
    const socket = new WebSocket(url, [...protocols]);
    const [, response] = (await once(socket, "unexpected-response")) as [unknown, { statusCode: number }];
    assert.equal(response.statusCode, status);
  }
});

test("a connection that breaks where its handshake was refused breaks nothing else", async (t) => {
  await using stage = await stageFor(t);
  for (const path of ["/xmpp-websocket", "/elsewhere"]) {
    const socket = connect(Number(new URL(stage.web).port), "127.0.0.1");
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
    );
    await once(socket, "data");
    socket.resetAndDestroy();
    await once(socket, "close");
  }
  const alive = await fetch(`${stage.web}/livez`);
  assert.equal(await alive.text(), "alive\n");
});

test("whoever offers another protocol gets what they asked for without it (RFC 9110 §7.8)", async (t) => {
  await using stage = await stageFor(t);
  const ask = async (method: string): Promise<string> => {
    const socket = connect(Number(new URL(stage.web).port), "127.0.0.1");
    const headers =
      "Host: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA";
    socket.write(`${method} /livez HTTP/1.1\r\n${headers}\r\nContent-Length: 0\r\n\r\n`);
    let answer = "";
    socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
    await once(socket, "close");
    return answer;
  };
  assert.match(await ask("GET"), /^HTTP\/1\.1 200 [^]*\r\n\r\n[^]*alive\n/);
  assert.match(await ask("POST"), /^HTTP\/1\.1 400 /);
});

test("where others could read along, nobody may speak here", async (t) => {
  await using stage = await cast(t, {}, { config: { url: "http://pipit.test" } });
  // A proxy says that the client is far away.
  const socket = new WebSocket(`${stage.web.replace("http", "ws")}/xmpp-websocket`, ["xmpp"], {
    headers: { "X-Forwarded-For": "192.0.2.7" },
  });
  const [, response] = (await once(socket, "unexpected-response")) as [unknown, { statusCode: number }];
  assert.equal(response.statusCode, 403);
});

test("a proxy on this machine is believed that a client does not encrypt", async (t) => {
  await using stage = await cast(t, {}, { config: { url: "https://pipit.test" } });
  const socket = new WebSocket(`${stage.web.replace("http", "ws")}/xmpp-websocket`, ["xmpp"], {
    headers: { "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "http" },
  });
  const [, response] = (await once(socket, "unexpected-response")) as [unknown, { statusCode: number }];
  assert.equal(response.statusCode, 403);
});

test("behind a proxy each client has its own limits", async (t) => {
  await using stage = await cast(t, { juliet: {} }, { config: { url: "https://pipit.test" } });
  const headers = { "X-Forwarded-For": "198.51.100.9, 192.0.2.7", "X-Forwarded-Proto": "https" };
  const client = await new WebSocketClient(stage, headers).connected();
  const jid = await client.logsIn("juliet", "juliet's secret", "browser");
  const [session] = [...stage.node.sessions].filter((one) => one.jid.full === jid);
  assert.equal(session?.remoteAddress, "192.0.2.7");
  client.socket.terminate();
});
