/** Streams that we open to other servers: RFC 6120 §4–6, §13.7, XEP-0178 §3, XEP-0220 §2.1, XEP-0368. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { S2sLink } from "../../src/server/s2s-link.ts";
import { S2sError } from "../../src/server/s2s-link.ts";
import { dialbackKey } from "../../src/xmpp/dialback.ts";
import { NS } from "../../src/xmpp/ns.ts";
import { attr } from "../../src/xmpp/xml.ts";
import { createAuthority, type Authority, type CertificateContent } from "../support/authority.ts";
import type { Peer, PeerStream } from "../support/peer.ts";
import {
  hasty,
  message,
  ours,
  sends,
  servers,
  theirs,
  type Servers,
  type StageOptions,
} from "../support/s2s.ts";

const external = `<mechanisms xmlns='${NS.sasl}'><mechanism>EXTERNAL</mechanism></mechanisms>`;
const errors = `<dialback xmlns='${NS.dialbackFeature}'><errors/></dialback>`;
const management = `<sm xmlns='${NS.streamManagement}'/>`;
const db = (name: string, attrs: string, content = ""): string =>
  `<db:${name} ${attrs}>${content}</db:${name}>`;
const letter = message("one", `juliet@${ours}/balcony`, `romeo@${theirs}`);

/** What became of an attempt. */
type Attempt = Promise<S2sLink | S2sError>;

const attempt = (all: Servers, local = ours): Attempt =>
  all.connects(local).catch((error: unknown) => {
    if (error instanceof S2sError) return error;
    throw error;
  });

interface Play {
  readonly all: Servers;
  readonly peer: Peer;
  readonly result: Attempt;
  readonly stream: PeerStream;
}

/** We dial, and the peer has said nothing yet. */
async function dialling(
  t: TestContext,
  options: StageOptions = {},
  certificate: CertificateContent & { authority?: Authority } = {},
  place: { host?: string; directTls?: boolean } = {},
): Promise<Play> {
  const all = await servers(t, options);
  const peer = await all.peer(certificate, place);
  const result = attempt(all);
  return { all, peer, result, stream: await peer.accepts() };
}

async function fails(result: Attempt, condition: string, reason: RegExp): Promise<void> {
  const error = await result;
  assert.ok(error instanceof S2sError, "there should be no link");
  assert.equal(error.condition, condition);
  assert.match(error.reason, reason);
  assert.doesNotMatch(error.reason, /\n/);
}

async function linked(result: Attempt): Promise<S2sLink> {
  const link = await result;
  if (link instanceof S2sError) throw link;
  return link;
}

/** The peer's part of SASL EXTERNAL, and the new stream after it. */
async function believes(stream: PeerStream, before = "", after = management): Promise<void> {
  await stream.encrypts();
  await stream.welcomes(before + external);
  const auth = await stream.receives(`<auth xmlns='${NS.sasl}' mechanism='EXTERNAL'/>`);
  assert.equal(Buffer.from(auth.getText(), "base64").toString(), ours);
  stream.raw(`<success xmlns='${NS.sasl}'/>`);
  await stream.welcomes(after);
}

async function counts(stream: PeerStream): Promise<void> {
  await stream.receives(`<enable xmlns='${NS.streamManagement}'/>`);
  stream.raw(`<enabled xmlns='${NS.streamManagement}'/>`);
}

describe("a server that is dialled", () => {
  it("is told who we are, under TLS only", async (t) => {
    const { stream } = await dialling(t);
    const header = await stream.welcomes(`<starttls xmlns='${NS.tls}'/>`);
    assert.equal(header["from"], ours);
    assert.equal(header["to"], theirs);
    assert.equal(header["xmlns"], NS.server);
    assert.equal(header["xmlns:db"], NS.dialback);
    assert.equal(header["id"], undefined);
    await stream.receivesNext(`<starttls xmlns='${NS.tls}'/>`);
  });

  it("gets what is sent once it believes our certificate", async (t) => {
    const { result, stream } = await dialling(t);
    await believes(stream);
    await counts(stream);
    const link = await linked(result);
    assert.ok(link.carries(ours, theirs));
    assert.ok(!link.carries(`pubsub.${ours}`, theirs));
    const sent = sends(link, letter);
    await stream.receivesNext("<message id='one'/>");
    await stream.receivesNext(`<r xmlns='${NS.streamManagement}'/>`);
    stream.raw(`<a xmlns='${NS.streamManagement}' h='1'/>`);
    assert.equal(await sent, "done");
  });

  it("may have TLS from the first byte", async (t) => {
    const { result, stream } = await dialling(t, {}, {}, { directTls: true });
    await stream.shakes(["xmpp-server"]);
    assert.equal((stream.socket as { alpnProtocol?: unknown }).alpnProtocol, "xmpp-server");
    await stream.welcomes(external);
    await stream.receives(`<auth xmlns='${NS.sasl}' mechanism='EXTERNAL'/>`);
    stream.raw(`<success xmlns='${NS.sasl}'/>`);
    await stream.welcomes();
    await linked(result);
  });

  it("may have an IPv6 address", async (t) => {
    const { result, stream } = await dialling(t, {}, {}, { host: "::1" });
    await believes(stream, "", "");
    await linked(result);
  });

  it("is believed a certificate that is for servers only", async (t) => {
    const { result, stream } = await dialling(t, {}, { purposes: ["serverAuth"] });
    await believes(stream, "", "");
    await linked(result);
  });

  for (const [what, content, reason] of [
    ["that has expired", { notBefore: new Date(0), notAfter: new Date(Date.now() - 60_000) }, /expired/],
    ["for another name", { names: ["verona.example"] }, /not for montague\.example/],
    ["with its name as a common name only", { names: [], commonName: theirs }, /not for montague\.example/],
  ] as const) {
    it(`is left where it has a certificate ${what}`, async (t) => {
      const { result, stream } = await dialling(t, {}, content);
      await stream.encrypts();
      await fails(result, "remote-server-timeout", reason);
    });
  }

  it("is left where nobody knows who issued its certificate", async (t) => {
    const { result, stream } = await dialling(t, {}, { authority: await createAuthority() });
    await stream.encrypts();
    await fails(result, "remote-server-timeout", /not trusted/);
  });

  it("is left where it has no TLS", async (t) => {
    const { result, stream } = await dialling(t);
    await stream.welcomes(errors);
    await fails(result, "remote-server-timeout", /no TLS/);
  });

  it("is not spoken with where it is denied", async (t) => {
    const all = await servers(t);
    all.policy.set({ deny: [theirs] });
    await fails(attempt(all), "not-allowed", /denied/);
  });

  for (const [condition, told, reason] of [
    ["policy-violation", "not-allowed", /policy-violation, "go away"/],
    ["host-unknown", "remote-server-not-found", /does not serve montague\.example/],
    ["system-shutdown", "remote-server-timeout", /system-shutdown/],
  ] as const) {
    it(`says ${condition}, and that is what we say`, async (t) => {
      const { result, stream } = await dialling(t);
      await stream.greets();
      stream.raw(
        `<stream:error><${condition} xmlns='${NS.streams}'/><text xmlns='${NS.streams}'>go away</text></stream:error></stream:stream>`,
      );
      await fails(result, told, reason);
    });
  }

  for (const [stage, reach] of Object.entries<(stream: PeerStream) => Promise<unknown>>({
    "before its header": async () => undefined,
    "after its header": (stream) => stream.greets(),
    "before the handshake": async (stream) => {
      await stream.welcomes(`<starttls xmlns='${NS.tls}'/>`);
      await stream.receives(`<starttls xmlns='${NS.tls}'/>`);
      stream.raw(`<proceed xmlns='${NS.tls}'/>`);
    },
    "after the handshake": (stream) => stream.encrypts(),
    "as it checks our certificate": async (stream) => {
      await stream.encrypts();
      await stream.welcomes(external);
      await stream.receives(`<auth xmlns='${NS.sasl}'/>`);
    },
    "after success": async (stream) => {
      await stream.encrypts();
      await stream.welcomes(external);
      await stream.receives(`<auth xmlns='${NS.sasl}'/>`);
      stream.raw(`<success xmlns='${NS.sasl}'/>`);
    },
    "as stream management is negotiated": (stream) => believes(stream),
  })) {
    it(`may break the connection ${stage}`, async (t) => {
      const { result, stream } = await dialling(t);
      await reach(stream);
      stream.resets();
      const error = await result;
      assert.ok(error instanceof S2sError);
      assert.equal(error.condition, "remote-server-timeout");
      assert.match(
        error.reason,
        /^xmpp\.montague\.example \(127\.0\.0\.1\) port \d+: (?:the connection was reset|it ended the connection)/,
      );
    });
  }

  it("that takes connections and says nothing is not waited for", async (t) => {
    const timing = { ...hasty, negotiation: 100 };
    const { result } = await dialling(t, { timing });
    await fails(result, "remote-server-timeout", /did not answer in time/);
  });

  it("may be the second one that is tried", async (t) => {
    const all = await servers(t);
    const broken = await all.peer();
    const works = await all.peer();
    all.dns.set(theirs, { kind: "targets", targets: [broken.target(), works.target()] });
    const result = attempt(all);
    (await broken.accepts()).resets();
    await believes(await works.accepts(), "", "");
    await linked(result);
  });

  for (const [discovery, condition, reason] of [
    [{ kind: "not-found" }, "remote-server-not-found", /DNS knows no server/],
    [{ kind: "not-offered" }, "remote-server-not-found", /no XMPP server/],
    [{ kind: "failed", reason: "SERVFAIL" }, "remote-server-timeout", /SERVFAIL/],
  ] as const) {
    it(`is looked for, and DNS says ${discovery.kind}`, async (t) => {
      const all = await servers(t);
      all.dns.set(theirs, discovery);
      await fails(attempt(all), condition, reason);
    });
  }

  it("is there in DNS, and nobody listens", async (t) => {
    const all = await servers(t);
    const peer = await all.peer();
    await peer.close();
    await fails(attempt(all), "remote-server-timeout", /127\.0\.0\.1/);
  });
});

describe("our own dialback", () => {
  const asked = `<result xmlns='${NS.dialback}' from='${ours}' to='${theirs}'/>`;
  const answer = (type: string, content = ""): string =>
    db("result", `from='${theirs}' to='${ours}' type='${type}'`, content);

  it("is used where the peer does not offer EXTERNAL", async (t) => {
    const { result, stream } = await dialling(t);
    await stream.encrypts();
    await stream.welcomes(errors, { id: "s1" });
    const key = dialbackKey({
      secret: "a glooming peace",
      receiving: theirs,
      originating: ours,
      streamId: "s1",
    });
    assert.equal((await stream.receivesNext(asked)).getText(), key);
    stream.raw(answer("valid"));
    assert.ok((await linked(result)).carries(ours, theirs));
  });

  it("is used where the peer does not believe our certificate after all", async (t) => {
    const { result, stream } = await dialling(t);
    await stream.encrypts();
    await stream.welcomes(external + errors);
    await stream.receives(`<auth xmlns='${NS.sasl}' mechanism='EXTERNAL'/>`);
    stream.raw(`<failure xmlns='${NS.sasl}'><not-authorized/></failure>`);
    await stream.receives(asked);
    stream.raw(answer("valid"));
    await linked(result);
  });

  it("may be refused", async (t) => {
    const { result, stream } = await dialling(t);
    await stream.encrypts();
    await stream.welcomes(errors);
    await stream.receives(asked);
    stream.raw(answer("error", `<error type='auth'><not-authorized xmlns='${NS.stanzas}'/></error>`));
    await fails(
      result,
      "remote-server-timeout",
      /does not believe that we are capulet\.example \(not-authorized\)/,
    );
  });

  it("may be invalid", async (t) => {
    const { result, stream } = await dialling(t);
    await stream.encrypts();
    await stream.welcomes(errors);
    await stream.receives(asked);
    stream.raw(`${answer("invalid")}</stream:stream>`);
    await fails(result, "internal-server-error", /invalid/);
  });

  it("is not decided by an answer about others", async (t) => {
    const { result, stream } = await dialling(t, { timing: { ...hasty, negotiation: 300 } });
    await stream.encrypts();
    await stream.welcomes(errors);
    await stream.receives(asked);
    stream.raw(db("result", `from='verona.example' to='${ours}' type='valid'`));
    stream.raw(db("result", `from='${theirs}' to='pubsub.${ours}' type='valid'`));
    await fails(result, "remote-server-timeout", /in time while it checked our dialback key/);
  });

  it("is believed of a peer without a certificate only if that is wanted", async (t) => {
    const { result, stream } = await dialling(t, { dialback: true }, { names: [] });
    await stream.encrypts();
    await stream.welcomes(errors);
    await stream.receives(asked);
    stream.raw(answer("valid"));
    await linked(result);
  });

  it("adds a domain of ours to a stream that there is", async (t) => {
    const { all, result, stream } = await dialling(t);
    await believes(stream, "", errors);
    const link = await linked(result);
    const second = attempt(all, `pubsub.${ours}`);
    const claim = await stream.receives(
      `<result xmlns='${NS.dialback}' from='pubsub.${ours}' to='${theirs}'/>`,
    );
    assert.notEqual(claim.getText(), "");
    stream.raw(db("result", `from='${theirs}' to='pubsub.${ours}' type='valid'`));
    assert.equal(await second, link);
    assert.ok(link.carries(`pubsub.${ours}`, theirs));
  });

  it("goes to a stream of its own where the peer wants that", async (t) => {
    const { all, peer, result, stream } = await dialling(t);
    await believes(stream, "", errors);
    const link = await linked(result);
    const second = attempt(all, `pubsub.${ours}`);
    await stream.receives(`<result xmlns='${NS.dialback}' from='pubsub.${ours}' to='${theirs}'/>`);
    stream.raw(
      db(
        "result",
        `from='${theirs}' to='pubsub.${ours}' type='error'`,
        `<error type='cancel'><not-authorized xmlns='${NS.stanzas}'/></error>`,
      ),
    );
    const other = await peer.accepts();
    await other.encrypts();
    assert.equal((await other.welcomes(external))["from"], `pubsub.${ours}`);
    await other.receives(`<auth xmlns='${NS.sasl}' mechanism='EXTERNAL'/>`);
    other.raw(`<success xmlns='${NS.sasl}'/>`);
    await other.welcomes();
    assert.notEqual(await second, link);
    assert.ok(link.carries(ours, theirs));
  });

  it("gives no peer a voice on a stream of ours", async (t) => {
    const { all, result, stream } = await dialling(t);
    await believes(stream, "", errors);
    await linked(result);
    stream.raw(db("result", `from='${theirs}' to='${ours}'`, "any key"));
    await stream.receives(`<stream:error><unsupported-stanza-type xmlns='${NS.streams}'/></stream:error>`);
    assert.equal(all.stanzas.count, 0);
  });

  it("asks a peer nothing but what it was asked to", async (t) => {
    const { all, result, stream } = await dialling(t);
    await believes(stream, "", errors);
    const link = await linked(result);
    stream.raw(message("one"));
    await stream.receives(`<stream:error><not-authorized xmlns='${NS.streams}'/></stream:error>`);
    assert.equal(all.stanzas.count, 0);
    assert.ok(!link.carries(ours, theirs));
  });
});

describe("the id of a stream", () => {
  it("is the latest one that the peer gave", async (t) => {
    const { all, result, stream } = await dialling(t);
    await stream.encrypts();
    await stream.welcomes(external, { id: "first" });
    await stream.receives(`<auth xmlns='${NS.sasl}'/>`);
    stream.raw(`<success xmlns='${NS.sasl}'/>`);
    await stream.welcomes(errors, { id: "second" });
    await linked(result);
    void attempt(all, `pubsub.${ours}`);
    const claim = await stream.receives(`<result xmlns='${NS.dialback}' from='pubsub.${ours}'/>`);
    const scope = { secret: "a glooming peace", receiving: theirs, originating: `pubsub.${ours}` };
    assert.equal(claim.getText(), dialbackKey({ ...scope, streamId: "second" }));
    assert.equal(attr(claim, "to"), theirs);
  });
});
