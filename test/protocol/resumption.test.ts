/** XEP-0198 §5: a connection is lost, and the session goes on where it was on another one. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { StreamError } from "../../src/xmpp/errors.ts";
import { parseJid } from "../../src/xmpp/jid.ts";
import { NS } from "../../src/xmpp/ns.ts";
import { attr } from "../../src/xmpp/xml.ts";
import { domain, openPorts, type Ports } from "../support/c2s.ts";
import {
  acknowledges,
  asksHandled,
  asksToResume,
  enablesResumption,
  failsToResume,
  resumes,
} from "../support/management.ts";
import { readElement } from "../support/reader.ts";
import type { ClientStream } from "../support/stream.ts";
import { until } from "../support/until.ts";

const patience = { timeout: 120_000 };
const sm = `xmlns='${NS.streamManagement}'`;
const ping = `<iq type='get' to='${domain}'><ping xmlns='${NS.ping}'/></iq>`;
const delay = `<delay xmlns='${NS.delay}' from='${domain}' stamp='{any}'/>`;

/** Ana, who can resume, and Bob, who writes to her: messages whose ids count on from 1. */
async function pair(t: TestContext, seconds?: number) {
  const ports = await openPorts(t, seconds === undefined ? {} : { seconds });
  const { stream: ana, full } = await ports.welcomes("ana", "phone");
  const { stream: bob } = await ports.welcomes("bob");
  const id = await enablesResumption(ana);
  let last = 0;
  const writes = async (count: number) => {
    for (let n = 0; n < count; n += 1)
      bob.raw(`<message to='${full}' id='${(last += 1)}'><body>hi</body></message>`);
    await bob.asks(ping);
  };
  return { ports, ana, bob, full, id, writes };
}

async function receivesMessages(stream: ClientStream, from: number, to: number, late = true): Promise<void> {
  for (let n = from; n <= to; n += 1)
    await stream.receivesNext(`<message id='${n}'>${late ? delay : ""}</message>`);
}

async function loses(ports: Ports, stream: ClientStream): Promise<void> {
  const before = ports.count("session.hibernated");
  await stream.kill();
  await until(() => ports.count("session.hibernated") > before, "the session rests");
}

describe("a session is resumed", patience, () => {
  test("with exactly what its client does not have, in order, and goes on", async (t) => {
    const { ports, ana, full, id, writes } = await pair(t);
    await writes(5);
    await receivesMessages(ana, 1, 5, false);
    ana.raw("<presence/>".repeat(3));
    assert.equal(await asksHandled(ana), 3);
    await loses(ports, ana);
    assert(ports.sessions.get(parseJid(full)!), "it looks as if it were there");
    await writes(2);

    const again = await ports.admits();
    assert.equal(await resumes(again, id, 3), 3);
    await receivesMessages(again, 4, 7);
    acknowledges(again, 7);
    await writes(1);
    await receivesMessages(again, 8, 8, false);
    again.raw("<presence/>");
    assert.equal(await asksHandled(again), 4);
    assert.deepEqual(again.inbox, []);
    assert.deepEqual(
      ports.told.filter((line) => line.endsWith(full)),
      [`session.bound ${full}`, `session.hibernated ${full}`, `session.resumed ${full}`],
    );
  });

  test("again and again by the same id", async (t) => {
    const { ports, ana, id, writes } = await pair(t);
    let stream = ana;
    for (let n = 1; n <= 5; n += 1) {
      await writes(1);
      await loses(ports, stream);
      stream = await ports.admits();
      await resumes(stream, id, n - 1);
      await receivesMessages(stream, n, n);
    }
  });

  test("while its old connection still seems to be there, which ends with a conflict", async (t) => {
    const { ports, ana, id, full, writes } = await pair(t);
    const again = await ports.admits();
    await resumes(again, id, 0);
    await ana.receives(`<error xmlns='${NS.stream}'><conflict xmlns='${NS.streams}'/></error>`);
    assert.deepEqual(await ana.closed(), { clean: true });
    await writes(1);
    await receivesMessages(again, 1, 1, false);
    assert.equal(ports.count("session.closed"), 0);
    assert.equal(ports.sessions.get(parseJid(full)!)?.remoteAddress, "127.0.0.1");
  });

  test("only once all that came on the old connection is handled", async (t) => {
    const { ports, ana, id } = await pair(t);
    let release = (): void => undefined;
    ports.held = new Promise((resolve) => (release = resolve));
    ana.raw(`<presence/><iq type='set' id='h' to='${domain}'><held xmlns='test:held'/></iq>`);
    await until(() => ports.isHeld, "the request is being handled");
    await ana.kill();
    const again = await ports.admits();
    asksToResume(again, id, 0);
    const { stream: other } = await ports.welcomes("bob");
    await other.asks(ping);
    assert.deepEqual(again.inbox, []);
    release();
    await again.receivesNext(`<resumed ${sm} h='2' previd='${id}'/>`);
    await again.receivesNext("<iq type='result' id='h'/>");
  });

  test("by a client that reads slowly and has much to read", async (t) => {
    const { ports, ana, id, bob, full } = await pair(t);
    await loses(ports, ana);
    const body = "x".repeat(100_000);
    for (let n = 1; n <= 35; n += 1)
      bob.raw(`<message to='${full}' id='${n}'><body>${body}</body></message>`);
    await bob.asks(ping);
    const again = await ports.admits();
    again.socket.pause();
    asksToResume(again, id, 0);
    await bob.asks(ping);
    again.socket.resume();
    await again.receives(`<resumed ${sm}/>`);
    for (let n = 1; n <= 35; n += 1) await again.receives(`<message id='${n}'/>`);
    assert.equal(again.inbox.filter(({ name }) => name !== "r").length, 0);
  });

  test("when the connection was ended without the stream", async (t) => {
    const { ports, ana, id } = await pair(t);
    ana.socket.end();
    await ana.closed();
    await until(() => ports.count("session.hibernated") === 1, "the session rests");
    await resumes(await ports.admits(), id, 0);
  });

  test("when its client fell silent", async (t) => {
    const ports = await openPorts(t, { timing: { idle: 20, answer: 20, sweep: 10 } });
    const { stream } = await ports.welcomes("ana");
    const id = await enablesResumption(stream);
    await stream.receives(`<error xmlns='${NS.stream}'><connection-timeout xmlns='${NS.streams}'/></error>`);
    await stream.closed();
    await resumes(await ports.admits(), id, 0);
  });
});

describe("a session is not resumed", patience, () => {
  /** It is refused, and a resource can be bound instead. */
  async function refused(stream: ClientStream, previd: string, h: number | string, condition: string) {
    asksToResume(stream, previd, h);
    const handled = await failsToResume(stream, condition);
    await stream.binds();
    await stream.asks(ping);
    return handled;
  }

  test("by an id that nobody knows", async (t) => {
    const ports = await openPorts(t);
    assert.equal(await refused(await ports.admits(), "nobody", 0, "item-not-found"), undefined);
  });

  test("by somebody else, who learns nothing of it", async (t) => {
    const { ports, ana, id } = await pair(t);
    const bob = await ports.admits({ username: "bob" });
    assert.equal(await refused(bob, id, 0, "item-not-found"), undefined);
    await ana.asks(ping);
    await loses(ports, ana);
    const again = await ports.admits({ username: "bob" });
    assert.equal(await refused(again, id, 0, "item-not-found"), undefined);
    await resumes(await ports.admits(), id, 1);
  });

  for (const [what, attrs] of [
    ["h", "previd='x'"],
    ["previd", "h='0'"],
    ["a number as h", "previd='x' h='all'"],
  ] as const) {
    test(`without ${what}`, async (t) => {
      const ports = await openPorts(t);
      const stream = await ports.admits();
      stream.raw(`<resume ${sm} ${attrs}/>`);
      await failsToResume(stream, "bad-request");
      await stream.binds();
    });
  }

  test("by who acknowledges more than was sent; it can be later", async (t) => {
    const { ports, ana, id, writes } = await pair(t);
    await writes(2);
    await loses(ports, ana);
    await writes(2);
    const liar = await ports.admits();
    asksToResume(liar, id, 3);
    const detail = `<handled-count-too-high ${sm} h='3' send-count='2'/>`;
    await liar.receives(
      `<error xmlns='${NS.stream}'><undefined-condition xmlns='${NS.streams}'/>${detail}</error>`,
    );
    await liar.closed();
    const again = await ports.admits();
    await resumes(again, id, 2);
    await receivesMessages(again, 3, 4);
  });

  test("by who has forgotten what they acknowledged", async (t) => {
    const { ports, ana, id, writes } = await pair(t);
    await writes(3);
    acknowledges(ana, 2);
    await ana.asks(ping);
    await loses(ports, ana);
    await refused(await ports.admits(), id, 1, "item-not-found");
  });

  test("on a stream that has a resource", async (t) => {
    const { ports, ana, id } = await pair(t);
    await loses(ports, ana);
    const { stream } = await ports.welcomes("ana", "tablet");
    asksToResume(stream, id, 0);
    await failsToResume(stream, "unexpected-request");
    await stream.asks(ping);
    await resumes(await ports.admits(), id, 0);
  });

  test("by two at once: the later one has it", async (t) => {
    const { ports, ana, id } = await pair(t);
    let release = (): void => undefined;
    ports.held = new Promise((resolve) => (release = resolve));
    ana.raw(`<iq type='set' id='h' to='${domain}'><held xmlns='test:held'/></iq>`);
    await until(() => ports.isHeld, "the request is being handled");
    await ana.kill();
    const [first, second] = [await ports.admits(), await ports.admits()];
    asksToResume(first, id, 0);
    const { stream: bob } = await ports.welcomes("bob");
    await bob.asks(ping);
    asksToResume(second, id, 0);
    await bob.asks(ping);
    release();
    await second.receives(`<resumed ${sm} h='1'/>`);
    await failsToResume(first, "item-not-found");
    await second.receives("<iq type='result' id='h'/>");
    await second.asks(ping);
  });

  test("that ends while it waits for what came on its old connection", async (t) => {
    const { ports, ana, full, id } = await pair(t);
    let release = (): void => undefined;
    ports.held = new Promise((resolve) => (release = resolve));
    ana.raw(`<iq type='set' id='h' to='${domain}'><held xmlns='test:held'/></iq>`);
    await until(() => ports.isHeld, "the request is being handled");
    await ana.kill();
    const again = await ports.admits();
    asksToResume(again, id, 0);
    const { stream: bob } = await ports.welcomes("bob");
    await bob.asks(ping);
    ports.sessions.get(parseJid(full)!)!.close(new StreamError("reset"));
    await failsToResume(again, "item-not-found");
    assert.equal(ports.count("session.closed"), 0);
    release();
    await until(() => ports.count("session.closed") === 1, "the session is over");
  });

  test("after the client ended the stream", async (t) => {
    const { ports, ana, full, id } = await pair(t);
    ana.raw("<presence/>");
    await ana.ends();
    assert.equal(ports.told.at(-1), `session.closed ${full}`);
    assert.equal(await refused(await ports.admits(), id, 0, "item-not-found"), "1");
  });

  test("after the client broke the rules", async (t) => {
    const { ports, ana, full, id } = await pair(t);
    ana.raw("<presence from='juliet@capulet.lit'/>");
    await ana.closed();
    assert.equal(ports.told.at(-1), `session.closed ${full}`);
    await refused(await ports.admits(), id, 0, "item-not-found");
  });

  test("after its time, and its client learns what was handled", async (t) => {
    const { ports, ana, full, id, writes } = await pair(t, 1);
    ana.raw("<presence/><presence/>");
    await ana.asks(ping);
    await loses(ports, ana);
    await writes(3);
    await until(() => ports.told.at(-1) === `session.closed ${full}`, "the session is over");
    assert.equal(await refused(await ports.admits(), id, 0, "item-not-found"), "3");
  });

  test("after somebody has taken its resource", async (t) => {
    const { ports, ana, full, id } = await pair(t);
    await loses(ports, ana);
    const { stream } = await ports.welcomes("ana", "phone");
    assert.deepEqual(ports.told.slice(-2), [`session.closed ${full}`, `session.bound ${full}`]);
    await refused(await ports.admits(), id, 0, "item-not-found");
    await stream.asks(ping);
  });

  test("after it was ended from inside, as with the password", async (t) => {
    const { ports, ana, full, id } = await pair(t);
    await loses(ports, ana);
    ports.sessions.get(parseJid(full)!)!.close(new StreamError("reset"));
    assert.equal(ports.told.at(-1), `session.closed ${full}`);
    await refused(await ports.admits(), id, 0, "item-not-found");
  });

  test("after more came for it than is kept", async (t) => {
    const { ports, ana, full, id, writes } = await pair(t);
    await loses(ports, ana);
    for (let n = 0; n < 41; n += 1) await writes(500);
    await until(() => ports.told.at(-1) === `session.closed ${full}`, "the session is over");
    await refused(await ports.admits(), id, 0, "item-not-found");
  });
});

describe("sessions that rest", patience, () => {
  test("are ten of an account, the newest", async (t) => {
    const ports = await openPorts(t);
    const ids: string[] = [];
    for (let n = 1; n <= 11; n += 1) {
      const { stream } = await ports.welcomes("ana", `r${n}`);
      ids.push(await enablesResumption(stream));
      await loses(ports, stream);
    }
    assert.equal(ports.sessions.count, 10);
    assert.equal(
      ports.told.filter((line) => line.startsWith("session.closed")).join(),
      `session.closed ana@${domain}/r1`,
    );
    const stream = await ports.admits();
    asksToResume(stream, ids[0]!, 0);
    await failsToResume(stream, "item-not-found");
    await resumes(stream, ids[1]!, 0);
  });

  test("give way to those that are there", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.welcomes("ana", "lost");
    await enablesResumption(stream);
    await loses(ports, stream);
    for (let n = 1; n <= 49; n += 1) await ports.welcomes("ana", `r${n}`);
    await ports.welcomes("ana", "one more");
    assert.equal(ports.sessions.count, 50);
    assert.equal(ports.sessions.get(parseJid(`ana@${domain}/lost`)!), undefined);
    const next = await ports.admits();
    await next.asks(
      `<iq type='set'><bind xmlns='${NS.bind}'/></iq>`,
      `<iq type='error'><error><resource-constraint xmlns='${NS.stanzas}'/></error></iq>`,
    );
  });

  test("keep the latest presence of each, and all of it goes out in order", async (t) => {
    const { ports, ana, bob, full, id, writes } = await pair(t);
    const shows = (from: string, show: string) =>
      ports.sessions.get(parseJid(full)!)!.send(readElement(`<presence from='${from}' id='${show}'/>`));
    await loses(ports, ana);
    for (const show of ["away", "dnd", "xa"]) shows("bob@b.test/x", show);
    shows("eve@e.test/y", "chat");
    shows("bob@b.test/x", "back");
    await writes(1);
    shows("eve@e.test/y", "last");
    await bob.asks(ping);
    const again = await ports.admits();
    await resumes(again, id, 0);
    for (const came of ["chat", "back"])
      await again.receivesNext(`<presence id='${came}'>${delay}</presence>`);
    await receivesMessages(again, 1, 1);
    await again.receivesNext(`<presence id='last'>${delay}</presence>`);
    assert.deepEqual(again.inbox.map(attrId), []);
  });
});

const attrId = (element: Parameters<typeof attr>[0]) => attr(element, "id");
