/** XEP-0198 §3, §4, §6: a client enables stream management; both sides count, ask and acknowledge. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseJid } from "../../src/xmpp/jid.ts";
import { NS } from "../../src/xmpp/ns.ts";
import { attr, child } from "../../src/xmpp/xml.ts";
import { domain, openPorts, type Ports } from "../support/c2s.ts";
import {
  acknowledges,
  asksHandled,
  enables,
  enablesResumption,
  failsToResume,
} from "../support/management.ts";
import type { ClientStream } from "../support/stream.ts";

const patience = { timeout: 120_000 };
const sm = `xmlns='${NS.streamManagement}'`;
const ping = `<iq type='get' id='p' to='${domain}'><ping xmlns='${NS.ping}'/></iq>`;

/** Ana, bound, and Bob who writes to her; `writes` returns once the server has handled it. */
async function pair(ports: Ports) {
  const { stream: ana, full } = await ports.welcomes("ana");
  const { stream: bob } = await ports.welcomes("bob");
  const writes = async (count: number, kind = "message") => {
    for (let n = 1; n <= count; n += 1) bob.raw(`<${kind} to='${full}' id='${n}'/>`);
    await bob.asks(ping.replace("id='p' ", ""));
  };
  return { ana, bob, full, writes };
}

async function fails(stream: ClientStream, condition: string, inside = ""): Promise<void> {
  await stream.receives(`<error xmlns='${NS.stream}'><${condition} xmlns='${NS.streams}'/>${inside}</error>`);
  assert.deepEqual(await stream.closed(), { clean: true });
}

describe("it is enabled", patience, () => {
  test("where it is announced: once a client is authenticated", async (t) => {
    const ports = await openPorts(t);
    const { features } = await ports.opens();
    assert(!child(features, "sm", NS.streamManagement));
    const { stream } = await ports.opens();
    await stream.authenticates("ana", "a bottle & a bird").then((announced) => {
      assert(announced.toString().includes(`<sm xmlns="${NS.streamManagement}"/>`), announced.toString());
      assert(announced.toString().includes(`<csi xmlns="${NS.clientState}"/>`), announced.toString());
    });
  });

  test("without resumption, unless it is asked for", async (t) => {
    const ports = await openPorts(t);
    for (const asked of ["", "resume='false'", "resume='0'"]) {
      const { stream } = await ports.welcomes();
      const enabled = await enables(stream, asked);
      assert.deepEqual([attr(enabled, "id"), attr(enabled, "resume")], [undefined, undefined]);
    }
  });

  test("with resumption, for as long as both want", async (t) => {
    const ports = await openPorts(t);
    const ids = new Set<string | undefined>();
    for (const [asked, max] of [
      ["resume='true'", "600"],
      ["resume='1' max='30'", "30"],
      ["resume='true' max='100000'", "600"],
      ["resume='true' max='soon'", "600"],
    ] as const) {
      const { stream } = await ports.welcomes();
      const enabled = await enables(stream, asked);
      assert.equal(attr(enabled, "resume"), "true");
      assert.equal(attr(enabled, "max"), max, asked);
      assert.equal(attr(enabled, "location"), undefined);
      assert.match(attr(enabled, "id")!, /^[\w-]{20,}$/);
      ids.add(attr(enabled, "id"));
    }
    assert.equal(ids.size, 4);
  });

  test("telling where to come back to, or that nobody may", async (t) => {
    const near = await openPorts(t, { location: "[2001:db8::1]:5222" });
    const { stream } = await near.welcomes();
    assert.equal(attr(await enables(stream, "resume='true'"), "location"), "[2001:db8::1]:5222");
    const off = await openPorts(t, { seconds: 0 });
    const { stream: other } = await off.welcomes();
    assert.equal(attr(await enables(other, "resume='true'"), "resume"), undefined);
  });

  test("not before a resource is bound; that can still be done then", async (t) => {
    const ports = await openPorts(t);
    const stream = await ports.admits();
    stream.raw(`<enable ${sm} resume='true'/>`);
    await failsToResume(stream, "unexpected-request");
    await stream.binds();
    await enables(stream);
  });

  test("not before authentication", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.opens();
    stream.raw(`<enable ${sm}/>`);
    await fails(stream, "unsupported-stanza-type");
  });

  test("once: a second time ends the stream", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.welcomes();
    await enables(stream);
    stream.raw(`<enable ${sm}/>`);
    await failsToResume(stream, "unexpected-request");
    await fails(stream, "policy-violation");
  });
});

describe("what the client sent", patience, () => {
  test("is counted from there on, and only stanzas", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.welcomes();
    await stream.asks(ping);
    await enables(stream);
    assert.equal(await asksHandled(stream), 0);
    stream.raw(` ${ping}\n<presence/><message to='bob@${domain}'/><r ${sm}/><a ${sm} h='0'/>`);
    await stream.receives("<iq type='result'/>");
    await stream.receives(`<a ${sm} h='3'/>`);
    assert.equal(await asksHandled(stream), 3);
  });

  test("is acknowledged when it is handled, not when it is received", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.welcomes();
    await enables(stream);
    let release = (): void => undefined;
    ports.held = new Promise((resolve) => (release = resolve));
    stream.raw(`<iq type='set' id='h' to='${domain}'><held xmlns='test:held'/></iq><r ${sm}/>`);
    const { stream: bob } = await ports.welcomes("bob");
    await bob.asks(ping);
    assert.deepEqual(stream.inbox, []);
    release();
    await stream.receivesNext("<iq type='result' id='h'/>");
    await stream.receivesNext(`<a ${sm} h='1'/>`);
  });

  test("is acknowledged a last time when the client ends the stream", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.welcomes();
    await enables(stream);
    stream.raw(`<presence/><presence/></stream:stream>`);
    await stream.receives(`<a ${sm} h='2'/>`);
    assert.deepEqual(await stream.closed(), { clean: true });
  });

  test("ten thousand requests are ten thousand answers", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.welcomes();
    await enables(stream);
    stream.raw(`<presence/><r ${sm}/>`.repeat(10_000));
    for (let h = 1; h <= 10_000; h += 1) await stream.receivesNext(`<a ${sm} h='${h}'/>`);
    await stream.asks(ping);
  });
});

describe("what the server sent", patience, () => {
  test("is asked about in tens, once for all that goes out together", async (t) => {
    const ports = await openPorts(t);
    const { ana, writes } = await pair(ports);
    await enables(ana);
    await writes(9);
    await ana.asks(ping);
    // The answer to the ping was the tenth.
    await ana.receives(`<r ${sm}/>`);
    assert.equal(ana.inbox.splice(0).length, 9);
    acknowledges(ana, 10);
    await writes(25);
    for (let n = 1; n <= 25; n += 1) await ana.receivesNext(`<message id='${n}'/>`);
    await ana.receivesNext(`<r ${sm}/>`);
    // Not asked again before it has answered.
    await writes(25);
    await ana.asks(ping);
    assert.equal(ana.inbox.splice(0).length, 25);
    acknowledges(ana, 35);
    await ana.receivesNext(`<r ${sm}/>`);
    acknowledges(ana, 61);
    await ana.asks(ping);
    assert.deepEqual(ana.inbox, []);
  });

  test("is asked about in a lull", async (t) => {
    const ports = await openPorts(t, { timing: { lull: 30, sweep: 10 } });
    const { ana, writes } = await pair(ports);
    await enables(ana);
    await writes(1);
    await ana.receivesNext("<message/>");
    await ana.receivesNext(`<r ${sm}/>`);
  });

  test("is asked about instead of a ping; who does not answer is gone", async (t) => {
    const ports = await openPorts(t, { timing: { idle: 30, answer: 30, sweep: 10 } });
    const { stream, full } = await ports.welcomes();
    await enables(stream);
    await stream.receivesNext(`<r ${sm}/>`);
    acknowledges(stream, 0);
    await stream.receivesNext(`<r ${sm}/>`);
    await fails(stream, "connection-timeout");
    assert.deepEqual(ports.told, [`session.bound ${full}`, `session.closed ${full}`]);
  });

  test("cannot be acknowledged before it is sent", async (t) => {
    const ports = await openPorts(t);
    const { ana, writes } = await pair(ports);
    await enables(ana);
    await writes(8);
    acknowledges(ana, 10);
    const detail = `<handled-count-too-high ${sm} h='10' send-count='8'/>`;
    ana.inbox.length = 0;
    await fails(ana, "undefined-condition", detail);
  });

  test("stays acknowledged", async (t) => {
    const ports = await openPorts(t);
    const { ana, writes } = await pair(ports);
    await enables(ana);
    await writes(3);
    acknowledges(ana, 3);
    acknowledges(ana, 1);
    await ana.asks(ping);
    acknowledges(ana, 4);
    await ana.asks(ping);
  });

  for (const h of ["", "-1", "1.5", "many", "4294967296", "0x1"]) {
    test(`is not acknowledged by "${h}"`, async (t) => {
      const ports = await openPorts(t);
      const { stream } = await ports.welcomes();
      await enables(stream);
      acknowledges(stream, h);
      await fails(stream, "bad-format");
    });
  }

  test("is nobody's to ask about without stream management", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.welcomes();
    for (const nonza of ["r", "a h='0'", "resume h='0' previd='x'", "other"]) {
      stream.raw(`<${nonza} ${sm}/>`);
      if (nonza === "a h='0'") continue;
      await failsToResume(stream, "unexpected-request");
    }
    await stream.asks(ping);
  });

  test("is asked about before it is too much, also where it is answers alone", async (t) => {
    const ports = await openPorts(t);
    const { stream, full } = await ports.welcomes();
    await enables(stream);
    const { management } = ports.sessions.get(parseJid(full)!)!;
    let handled = 0;
    /** Always waits for so many answers, and answers all that it is asked; how much was not acknowledged at most. */
    const gets = async (total: number, atOnce: number): Promise<number> => {
      let most = 0;
      let asked = atOnce;
      stream.raw(ping.repeat(atOnce));
      for (let answers = 0; answers < total;) {
        const { name } = await stream.receivesNext();
        most = Math.max(most, management!.queue.length);
        if (name === "r") acknowledges(stream, handled);
        else if (name !== "iq") assert.fail(`${name} came`);
        else {
          handled += 1;
          answers += 1;
          if (asked < total) stream.raw(ping);
          asked += 1;
        }
      }
      return most;
    };
    const most = await gets(1_000, 20);
    assert(most <= 60, `${most} were not acknowledged`);
    // What it says of the first answers stands behind all that it asks for.
    await gets(10_000, 10_000);
    stream.inbox.length = 0;
  });

  test("ends the stream of a client that never acknowledges anything, in the end", async (t) => {
    const ports = await openPorts(t);
    const { ana, full, writes } = await pair(ports);
    await enablesResumption(ana);
    for (let n = 0; n < 40; n += 1) await writes(500);
    await ana.asks(ping).catch(() => undefined);
    await fails(ana, "policy-violation");
    assert.equal(ports.told.at(-1), `session.closed ${full}`);
  });
});
