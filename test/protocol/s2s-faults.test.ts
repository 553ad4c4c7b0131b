/** What goes wrong between servers, stage by stage and in both directions: it ends in time, is told, and leaves nothing. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, it, test, type TestContext } from "node:test";
import { createResolver } from "../../src/server/s2s-discovery.ts";
import { S2sError, type Outcome, type S2sLink } from "../../src/server/s2s-link.ts";
import { NS } from "../../src/xmpp/ns.ts";
import { attr, child, childText } from "../../src/xmpp/xml.ts";
import { serveDns, type Zone } from "../support/dns.ts";
import { Peer, type PeerStream } from "../support/peer.ts";
import { hasty, message, ours, sends, servers, theirs, type Servers } from "../support/s2s.ts";
import { until } from "../support/until.ts";
import { commonAuthority, world } from "../support/world.ts";

const external = `<mechanisms xmlns='${NS.sasl}'><mechanism>EXTERNAL</mechanism></mechanisms>`;
const features = `<sm xmlns='${NS.streamManagement}'/><dialback xmlns='${NS.dialbackFeature}'><errors/></dialback>`;
const bidi = `<bidi xmlns='${NS.bidi}'/>`;
const letter = (id: string): string => message(id, `juliet@${ours}/balcony`, `romeo@${theirs}`);

type Reach = (stream: PeerStream) => Promise<unknown>;

/** Counts what comes in and what goes, of a counter with both. */
function balance(counter: { enter(...args: never[]): boolean; leave(...args: never[]): void }): () => number {
  let inside = 0;
  const { enter, leave } = counter;
  counter.enter = (...args) => {
    const entered = enter.apply(counter, args);
    if (entered) inside += 1;
    return entered;
  };
  counter.leave = (...args) => {
    inside -= 1;
    leave.apply(counter, args);
  };
  return () => inside;
}

/** Our side, and what it still holds of peers. */
async function watched(t: TestContext, options: Parameters<typeof servers>[1] = {}) {
  const all = await servers(t, options);
  const { strangers, flows, links, pings, verifications } = all.context;
  const counts = [balance(strangers), balance(flows)];
  const holds = (): number =>
    links.size + pings.size + verifications.size + counts.reduce((sum, count) => sum + count(), 0);
  return { all, letsGo: () => until(() => holds() === 0, "nothing is held any more") };
}

/** From now on a time is over as soon as it is looked at: no test depends on how fast it came so far. */
const runsOut = ({ context }: Servers, ...times: ("negotiation" | "quiet" | "answer")[]): void => {
  for (const time of times) Object.assign(context.timing, { [time]: 0 });
};

/** How a peer fails. */
const faults: Readonly<Record<string, (stream: PeerStream, all: Servers) => void>> = {
  "resets the connection": (stream) => stream.resets(),
  "closes the connection": (stream) => void stream.socket.end(),
  "says nothing more": (_, all) => runsOut(all, "negotiation"),
};

const saysStartTls: Reach = async (stream) => {
  await stream.meets();
  stream.raw(`<starttls xmlns='${NS.tls}'/>`);
  await stream.receives(`<proceed xmlns='${NS.tls}'/>`);
};
const secured: Reach = async (stream) => {
  await stream.meets();
  await stream.secures();
};
const met: Reach = async (stream) => {
  await secured(stream);
  await stream.meets();
};
const proves: Reach = async (stream) => {
  await met(stream);
  stream.raw(`${bidi}<auth xmlns='${NS.sasl}' mechanism='EXTERNAL'>=</auth>`);
  await stream.receives(`<success xmlns='${NS.sasl}'/>`);
};

/** How far somebody who dials us comes. */
const incoming: Readonly<Record<string, Reach>> = {
  "before its header": async (stream) => stream.expectsHeader(),
  "in its header": async (stream) => {
    stream.expectsHeader();
    stream.raw("<?xml version='1.0'?><stream:stream ");
  },
  "after its header": (stream) => stream.meets(),
  "before the handshake": saysStartTls,
  "in the handshake": async (stream) => {
    await saysStartTls(stream);
    // The beginning of a record that holds a ClientHello (RFC 8446 §5.1).
    stream.raw(Buffer.from([22, 3, 1, 2, 0, 1]));
  },
  "after the handshake": async (stream) => {
    await secured(stream);
    stream.expectsHeader();
  },
  "before its proof": met,
  "when it was asked for its response": async (stream) => {
    await met(stream);
    stream.raw(`<auth xmlns='${NS.sasl}' mechanism='EXTERNAL'/>`);
    await stream.receives(`<challenge xmlns='${NS.sasl}'/>`);
  },
  "while its dialback key is looked into": async (stream) => {
    await met(stream);
    stream.raw(`<db:result from='nobody.example' to='${ours}'>key</db:result>`);
  },
};

/** The same once it is proven: it may be silent then, and is no stranger any more. */
const incomingProven: Readonly<Record<string, Reach>> = {
  "after success": proves,
  "when all is negotiated": (stream) => stream.arrives(bidi),
  "while stanzas are counted": async (stream) => {
    await stream.arrives(bidi);
    stream.raw(`<enable xmlns='${NS.streamManagement}'/>${message("one")}`);
    await stream.receives(`<enabled xmlns='${NS.streamManagement}'/>`);
  },
};

describe("a server that dials us", () => {
  for (const [fault, fails] of Object.entries(faults)) {
    const silent = fault === "says nothing more";
    for (const [stage, reach] of Object.entries({ ...incoming, ...(silent ? {} : incomingProven) })) {
      it(`${fault} ${stage}`, async (t) => {
        const { all, letsGo } = await watched(t, { timing: hasty, dialback: true });
        const peer = await all.peer({ names: [theirs, `*.${theirs}`] });
        const stream = await peer.dials(all.s2s.port!);
        await reach(stream);
        fails(stream, all);
        await letsGo();
        if (silent) await stream.closed();
        Object.assign(all.context.timing, { negotiation: 30_000 });
        // Who comes later is served.
        await (await peer.dials(all.s2s.port!)).arrives();
      });
    }
  }

  it("sends a byte now and then, and has no more time than others", async (t) => {
    const { all, letsGo } = await watched(t, { timing: { ...hasty, negotiation: 100 } });
    const stream = await (await all.peer()).dials(all.s2s.port!);
    stream.expectsHeader();
    stream.raw("<?xml version='1.0'?>");
    while (!stream.gone) {
      stream.raw(" ");
      await sleep(2);
    }
    await stream.receives(`<stream:error><connection-timeout xmlns='${NS.streams}'/></stream:error>`);
    await letsGo();
  });

  it("asks and asks, and reads no answer: it is not read any more, and has to go", async (t) => {
    const { all, letsGo } = await watched(t, { timing: hasty });
    const stream = await (await all.peer()).dials(all.s2s.port!);
    await stream.arrives();
    stream.raw(`<enable xmlns='${NS.streamManagement}'/>`);
    await stream.receives(`<enabled xmlns='${NS.streamManagement}'/>`);
    stream.stalls();
    const asks = `<r xmlns='${NS.streamManagement}'/>`.repeat(1_000);
    let sent = 0;
    while (!stream.gone && stream.socket.writableLength < 1_000_000 && sent < 2_000) {
      stream.raw(asks);
      sent += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert(sent < 2_000, "not everything was read");
    runsOut(all, "quiet", "answer");
    await until(() => all.logged("a server left").length > 0, "it has to go");
    stream.resets();
    await letsGo();
  });
});

/** An attempt of ours to reach a peer that does not get far. */
const attempt = async (all: Servers): Promise<S2sLink | S2sError> =>
  all.connects().catch((error: unknown) => {
    if (error instanceof S2sError) return error;
    throw error;
  });

const offersExternal: Reach = async (stream) => {
  await stream.encrypts();
  await stream.welcomes(external);
  await stream.receives(`<auth xmlns='${NS.sasl}'/>`);
};
const succeeds: Reach = async (stream) => {
  await offersExternal(stream);
  stream.raw(`<success xmlns='${NS.sasl}'/>`);
};

/** How far we come with somebody whom we dial. */
const outgoing: Readonly<Record<string, Reach>> = {
  "before its header": async () => undefined,
  "after its header": (stream) => stream.greets(),
  "when TLS is asked for": async (stream) => {
    await stream.welcomes(`<starttls xmlns='${NS.tls}'/>`);
    await stream.receives(`<starttls xmlns='${NS.tls}'/>`);
  },
  "before the handshake": async (stream) => {
    await stream.welcomes(`<starttls xmlns='${NS.tls}'/>`);
    await stream.receives(`<starttls xmlns='${NS.tls}'/>`);
    stream.raw(`<proceed xmlns='${NS.tls}'/>`);
  },
  "after the handshake": (stream) => stream.encrypts(),
  "after its header under TLS": async (stream) => {
    await stream.encrypts();
    await stream.greets();
  },
  "as it checks our certificate": offersExternal,
  "after success": succeeds,
  "as it checks our dialback key": async (stream) => {
    await stream.encrypts();
    await stream.welcomes(features);
    await stream.receives(`<result xmlns='${NS.dialback}'/>`);
  },
  "as stream management is negotiated": async (stream) => {
    await succeeds(stream);
    await stream.welcomes(features);
    await stream.receives(`<enable xmlns='${NS.streamManagement}'/>`);
  },
};

describe("a server that we dial", () => {
  for (const [fault, fails] of Object.entries(faults)) {
    for (const [stage, reach] of Object.entries(outgoing)) {
      it(`${fault} ${stage}`, async (t) => {
        const { all, letsGo } = await watched(t, { timing: hasty });
        const peer = await all.peer();
        const result = attempt(all);
        const stream = await peer.accepts();
        await reach(stream);
        fails(stream, all);
        const error = await result;
        assert.ok(error instanceof S2sError, "there should be no link");
        assert.equal(error.condition, "remote-server-timeout");
        assert.match(
          error.reason,
          /^xmpp\.montague\.example \(127\.0\.0\.1\) port \d+: (?:the connection was reset|it ended the connection|it did not answer in time)[^\n]*$/,
        );
        await letsGo();
      });
    }
  }

  it("reads a byte now and then: what it was sent is lost in time, and others get theirs meanwhile", async (t) => {
    const { all, letsGo } = await watched(t, { timing: hasty });
    const linked = async (domain: string): Promise<[PeerStream, S2sLink]> => {
      const peer = await all.peer({}, { domain });
      const connecting = all.connects(ours, domain);
      const stream = await peer.accepts();
      await succeeds(stream);
      await stream.welcomes(`<sm xmlns='${NS.streamManagement}'/>`);
      await stream.receives(`<enable xmlns='${NS.streamManagement}'/>`);
      stream.raw(`<enabled xmlns='${NS.streamManagement}'/>`);
      return [stream, await connecting];
    };
    const [slowly, link] = await linked(theirs);
    slowly.stalls();
    slowly.socket.removeAllListeners("data");
    const reading = setInterval(() => slowly.socket.read(1), 5);
    t.after(() => clearInterval(reading));
    const outcomes = Array.from({ length: 100 }, (_, n): Promise<Outcome> =>
      sends(link, letter(`${n}`.padEnd(50_000, "x"))),
    );
    const [quick, other] = await linked("verona.example");
    const sent = sends(other, message("one", `juliet@${ours}`, "prince@verona.example"));
    await quick.receives("<message id='one'/>");
    quick.raw(`<a xmlns='${NS.streamManagement}' h='1'/>`);
    assert.equal(await sent, "done");
    runsOut(all, "answer");
    await until(() => !link.carries(ours, theirs), "the slow one is given up");
    slowly.resets();
    assert.deepEqual([...new Set(await Promise.all(outcomes))], ["lost"]);
    other.close();
    quick.raw("</stream:stream>");
    await letsGo();
  });

  it("answers a question about a key in another name, and is not believed", async (t) => {
    const all = await servers(t, { dialback: true });
    const peer = await all.peer({ names: ["verona.example"] });
    const claimant = await peer.dials(all.s2s.port!);
    await met(claimant);
    claimant.raw(`<db:result from='${theirs}' to='${ours}'>forged</db:result>`);
    const authority = await peer.accepts();
    await authority.encrypts();
    await authority.welcomes();
    const id = attr(await authority.receives(`<verify xmlns='${NS.dialback}' to='${theirs}'/>`), "id")!;
    for (const pair of [`from='verona.example' to='${ours}'`, `from='${theirs}' to='pubsub.${ours}'`])
      authority.raw(`<db:verify ${pair} id='${id}' type='valid'/>`);
    claimant.raw(message("one"));
    await claimant.receives(`<stream:error><not-authorized xmlns='${NS.streams}'/></stream:error>`);
    assert.equal(all.stanzas.count, 0);
  });
});

describe("DNS", () => {
  const plain = `_xmpp-server._tcp.${theirs}`;
  const direct = `_xmpps-server._tcp.${theirs}`;
  const here = { A: ["127.0.0.1"] };

  const cases: Readonly<Record<string, { zone: Zone; condition: string; reason: RegExp }>> = {
    "that fails (SERVFAIL)": {
      zone: { [theirs]: here, [plain]: { fails: "SERVFAIL" }, [direct]: { fails: "SERVFAIL" } },
      condition: "remote-server-timeout",
      reason: /DNS could not be asked about montague\.example: .*the DNS server failed/,
    },
    "that is silent": {
      zone: { [theirs]: here, [plain]: { fails: "silence" }, [direct]: { fails: "silence" } },
      condition: "remote-server-timeout",
      reason: /the DNS server did not answer/,
    },
    "that refuses": {
      zone: { [theirs]: here, [plain]: { fails: "REFUSED" }, [direct]: { fails: "REFUSED" } },
      condition: "remote-server-timeout",
      reason: /the DNS server refused to answer/,
    },
    "that knows no such domain (NXDOMAIN)": {
      zone: {},
      condition: "remote-server-not-found",
      reason: /DNS knows no server for montague\.example/,
    },
    "that names a server without an address": {
      zone: { [theirs]: here, [plain]: { SRV: ["0 0 5269 gone.example"] } },
      condition: "remote-server-not-found",
      reason: /DNS knows no server/,
    },
    "that names a server on which nothing listens": {
      // RFC 6335: port 1 is tcpmux, which nobody has.
      zone: { [plain]: { SRV: ["0 0 1 xmpp.montague.example"] }, "xmpp.montague.example": here },
      condition: "remote-server-timeout",
      reason: /xmpp\.montague\.example \(127\.0\.0\.1\) port 1: nothing listens there/,
    },
    "that says there is no server (.)": {
      zone: { [theirs]: here, [plain]: { SRV: ["0 0 0 ."] }, [direct]: { SRV: ["0 0 0 ."] } },
      condition: "remote-server-not-found",
      reason: /says in DNS that it has no XMPP server/,
    },
  };

  for (const [what, { zone, condition, reason }] of Object.entries(cases)) {
    it(what, async (t) => {
      await using dns = await serveDns(zone);
      const { all, letsGo } = await watched(t, {
        resolver: createResolver({ servers: [dns.address], limit: 400 }),
      });
      const error = await attempt(all);
      assert.ok(error instanceof S2sError);
      assert.equal(error.condition, condition);
      assert.match(error.reason, reason);
      await letsGo();
    });
  }
});

test("a stanza over the peer's limit (XEP-0478) comes back to who wrote it, and the next one goes", async (t) => {
  await using verona = await world(t, { capulet: { juliet: {} } });
  const { juliet } = verona.actors;
  const { issue, ca } = await commonAuthority();
  const peer = await Peer.at("127.0.0.40", {
    domain: theirs,
    certificate: await issue({ names: [theirs] }),
    ca,
    to: ours,
  });
  t.after(() => peer.close());
  const { host, port } = peer.target();
  verona.dns.zone[`_xmpp-server._tcp.${theirs}`] = { SRV: [`0 0 ${port} xmpp.${theirs}`] };
  verona.dns.zone[`xmpp.${theirs}`] = { A: [host] };
  const says = (id: string, body: string): void =>
    juliet.sends(`<message to='romeo@${theirs}' type='chat' id='${id}'><body>${body}</body></message>`);
  says("small", "Good night");
  says("large", "good night ".repeat(1_000));
  const stream = await peer.accepts();
  await succeeds(stream);
  await stream.welcomes(
    `<limits xmlns='${NS.streamLimits}'><max-bytes>10000</max-bytes></limits><sm xmlns='${NS.streamManagement}'/>`,
  );
  await stream.receives(`<enable xmlns='${NS.streamManagement}'/>`);
  stream.raw(`<enabled xmlns='${NS.streamManagement}'/>`);
  await stream.receives("<message id='small'/>");
  const returned = await juliet.receives(`<message type='error' from='romeo@${theirs}' id='large'/>`);
  const error = child(returned, "error")!;
  assert.ok(child(error, "policy-violation", NS.stanzas));
  assert.match(childText(error, "text", NS.stanzas)!, /no stanza larger than 10000 bytes/);
  says("last", "A thousand times");
  await stream.receives("<message id='last'/>");
  stream.raw(`<a xmlns='${NS.streamManagement}' h='2'/>`);
  await until(
    async () => (await verona.stages.capulet.node.federation.status()).every(({ queued }) => queued === 0),
    "nothing waits",
  );
  assert.deepEqual(
    stream.inbox.filter(({ name }) => name === "message"),
    [],
  );
});
