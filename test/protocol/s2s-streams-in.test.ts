/** Streams that other servers open to us: RFC 6120 §4–6, XEP-0178 §3, XEP-0220. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it, type TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import { NS } from "../../src/xmpp/ns.ts";
import { dialbackKey } from "../../src/xmpp/dialback.ts";
import { attr, child, children } from "../../src/xmpp/xml.ts";
import { createAuthority, type Authority, type CertificateContent } from "../support/authority.ts";
import type { Peer, PeerStream } from "../support/peer.ts";
import {
  hasty,
  message,
  notary,
  ours,
  servers,
  theirs,
  type Servers,
  type StageOptions,
} from "../support/s2s.ts";

const db = (name: string, attrs: string, content = ""): string =>
  `<${name} xmlns='${NS.dialback}' ${attrs}>${content}</${name}>`;
const bidi = `<bidi xmlns='${NS.bidi}'/>`;
const yesterday = new Date(Date.now() - 3_600_000);

async function endsWith(stream: PeerStream, condition: string): Promise<void> {
  await stream.receives(`<stream:error><${condition} xmlns='${NS.streams}'/></stream:error>`);
  assert.deepEqual(await stream.closed(), { clean: true });
}

/** A connection, in the clear. */
async function dialled(
  t: TestContext,
  options: StageOptions = {},
  certificate: CertificateContent & { authority?: Authority } = {},
): Promise<{ all: Servers; stream: PeerStream }> {
  const all = await servers(t, options);
  const peer = await all.peer(certificate);
  return { all, stream: await peer.dials(all.s2s.port!) };
}

/** A connection under TLS, its header exchanged. */
async function met(
  t: TestContext,
  options: StageOptions = {},
  certificate: CertificateContent & { authority?: Authority } = {},
) {
  const { all, stream } = await dialled(t, options, certificate);
  await stream.meets();
  await stream.secures();
  return { all, stream, ...(await stream.meets()) };
}

/** A connection whose peer is known by its certificate. */
async function arrived(t: TestContext, options: StageOptions = {}, request = "") {
  const { all, stream } = await dialled(t, options);
  const features = await stream.arrives(request);
  return { all, stream, features };
}

describe("a server that connects", () => {
  it("has to use TLS", async (t) => {
    const { stream } = await dialled(t);
    const { features } = await stream.meets();
    assert.ok(child(child(features, "starttls", NS.tls)!, "required"));
    assert.equal(child(features, "mechanisms", NS.sasl), undefined);
    stream.raw(db("result", `from='${theirs}' to='${ours}'`, "abc"));
    await endsWith(stream, "policy-violation");
  });

  it("is told who we are, in the namespaces of servers", async (t) => {
    const { stream } = await dialled(t);
    const header = await stream.opens();
    assert.equal(header["xmlns"], NS.server);
    assert.equal(header["xmlns:db"], NS.dialback);
    assert.equal(header["from"], ours);
    assert.equal(header["to"], theirs);
    assert.equal(header["version"], "1.0");
    assert.match(header["id"]!, /^[\w-]{20}$/);
  });

  it("proves by its certificate who it is", async (t) => {
    const { all, stream, features } = await arrived(t);
    assert.ok(child(features, "sm", NS.streamManagement));
    assert.ok(child(child(features, "dialback", NS.dialbackFeature)!, "errors"));
    stream.raw(message("one"));
    assert.equal(attr(await all.stanzas.next(), "id"), "one");
  });

  for (const [kind, content] of Object.entries<CertificateContent>({
    "that is for servers only": { purposes: ["serverAuth"] },
    "with an SRVName": { names: [], srvNames: [`_xmpp-server.${theirs}`] },
    "with an XmppAddr": { names: [], xmppAddrs: [theirs] },
  })) {
    it(`is believed a certificate ${kind}`, async (t) => {
      const { all, stream } = await dialled(t, {}, content);
      await stream.arrives();
      stream.raw(message("one"));
      await all.stanzas.next();
    });
  }

  for (const [kind, content] of Object.entries<CertificateContent>({
    "that has expired": { notBefore: new Date(0), notAfter: yesterday },
    "for another name": { names: ["verona.example"] },
    "with its name as a common name only": { names: [], commonName: theirs },
  })) {
    it(`is not believed a certificate ${kind}`, async (t) => {
      const { stream, features } = await met(t, {}, content);
      assert.equal(child(features, "mechanisms", NS.sasl), undefined);
      stream.raw(`<auth xmlns='${NS.sasl}' mechanism='EXTERNAL'>=</auth>`);
      await stream.receives(`<failure xmlns='${NS.sasl}'><invalid-mechanism/></failure>`);
      stream.raw(db("result", `from='${theirs}' to='${ours}'`, "abc"));
      await stream.receives(
        `<result xmlns='${NS.dialback}' from='${ours}' to='${theirs}' type='error'><error xmlns='${NS.server}'><not-authorized xmlns='${NS.stanzas}'/></error></result>`,
      );
      stream.raw(message("one"));
      await endsWith(stream, "not-authorized");
    });
  }

  it("is not believed a certificate of an authority that nobody knows", async (t) => {
    const { features } = await met(t, {}, { authority: await createAuthority() });
    assert.equal(child(features, "mechanisms", NS.sasl), undefined);
  });

  it("is not offered EXTERNAL where its header does not say who it is", async (t) => {
    const { stream } = await dialled(t);
    await stream.meets();
    await stream.secures();
    const { features } = await stream.meets({ from: undefined });
    assert.equal(child(features, "mechanisms", NS.sasl), undefined);
  });

  it("may name itself, and nobody else, as it authenticates", async (t) => {
    const { stream } = await met(t);
    const auth = (who: string): void =>
      stream.raw(
        `<auth xmlns='${NS.sasl}' mechanism='EXTERNAL'>${Buffer.from(who).toString("base64")}</auth>`,
      );
    auth("verona.example");
    await stream.receives(`<failure xmlns='${NS.sasl}'><invalid-authzid/></failure>`);
    auth(theirs);
    await stream.receives(`<success xmlns='${NS.sasl}'/>`);
  });

  it("is asked for its response where it sends none", async (t) => {
    const { stream } = await met(t);
    stream.raw(`<auth xmlns='${NS.sasl}' mechanism='EXTERNAL'/>`);
    await stream.receives(`<challenge xmlns='${NS.sasl}'/>`);
    stream.raw(`<response xmlns='${NS.sasl}'/>`);
    await stream.receives(`<success xmlns='${NS.sasl}'/>`);
  });

  it("may not try again and again", async (t) => {
    const { stream } = await met(t);
    for (let n = 0; n < 3; n += 1) {
      stream.raw(`<auth xmlns='${NS.sasl}' mechanism='PLAIN'>AGEAYg==</auth>`);
      await stream.receives(`<failure xmlns='${NS.sasl}'><invalid-mechanism/></failure>`);
    }
    await endsWith(stream, "policy-violation");
  });

  for (const alpn of [["xmpp-server"], undefined]) {
    it(`may use TLS from the first byte, with ${alpn ? "ALPN" : "none"}`, async (t) => {
      const all = await servers(t);
      const peer = await all.peer();
      const stream = await peer.dials(all.s2s.directTlsPort!);
      const { ca } = await notary();
      const { cert, key } = peer.options.certificate;
      await stream.wraps(async (socket) => {
        const options = { socket, cert, key, ca, servername: ours };
        const secured = connectTls({ ...options, ...(alpn && { ALPNProtocols: alpn }) });
        await once(secured, "secureConnect");
        return secured;
      });
      await stream.proves();
      stream.raw(message("one"));
      await all.stanzas.next();
    });
  }

  it("may come by IPv6", async (t) => {
    const all = await servers(t, { host: "::1" });
    const peer = await all.peer();
    const stream = await peer.dials(all.s2s.port!, "::1");
    await stream.arrives();
    stream.raw(message("one"));
    await all.stanzas.next();
  });

  it("is turned away where it is denied, before anything else", async (t) => {
    const { all, stream } = await dialled(t);
    all.policy.set({ deny: [theirs] });
    await stream.opens();
    await endsWith(stream, "policy-violation");
  });

  it("is turned away where it comes to be denied", async (t) => {
    const { all, stream } = await arrived(t);
    all.policy.set({ deny: [theirs] });
    stream.raw(message("one"));
    await endsWith(stream, "policy-violation");
    assert.equal(all.stanzas.count, 0);
  });

  it("has to go where it does not say who it is", async (t) => {
    const { stream } = await dialled(t, { timing: { ...hasty, negotiation: 50 } });
    stream.expectsHeader();
    await endsWith(stream, "connection-timeout");
  });

  it("may be gone at any time", async (t) => {
    const all = await servers(t);
    const peer = await all.peer();
    const stages: ((stream: PeerStream) => Promise<unknown>)[] = [
      async () => undefined,
      (stream) => stream.meets(),
      async (stream) => {
        await stream.meets();
        stream.raw(`<starttls xmlns='${NS.tls}'/>`);
      },
      async (stream) => {
        await stream.meets();
        await stream.secures();
      },
      async (stream) => {
        await stream.meets();
        await stream.secures();
        await stream.meets();
        stream.raw(`${bidi}<auth xmlns='${NS.sasl}' mechanism='EXTERNAL'>=</auth>`);
      },
      (stream) => stream.arrives(bidi),
    ];
    for (const reach of stages) {
      const stream = await peer.dials(all.s2s.port!);
      await reach(stream);
      stream.resets();
    }
    const stream = await peer.dials(all.s2s.port!);
    await stream.arrives();
    await stream.ends();
  });
});

describe("the header of a server", () => {
  for (const [what, attrs, condition] of [
    ["of a client", { xmlns: NS.client }, "invalid-namespace"],
    ["of no content at all", { xmlns: undefined }, "invalid-namespace"],
    ["of a stream of something else", { "xmlns:stream": "urn:other" }, "invalid-namespace"],
    ["for nobody", { to: undefined }, "improper-addressing"],
    ["for a domain that is not ours", { to: "verona.example" }, "host-unknown"],
    ["for what is no domain", { to: "a b" }, "improper-addressing"],
    ["from what is no domain", { from: "a@b" }, "improper-addressing"],
    ["from ourselves", { from: ours }, "invalid-from"],
    ["from a part of ourselves", { from: `pubsub.${ours}` }, "invalid-from"],
    ["without a version", { version: undefined }, "unsupported-version"],
    ["larger than one may be", { "xml:lang": "x".repeat(20_000) }, "policy-violation"],
  ] as const) {
    it(`that is ${what} ends the stream`, async (t) => {
      const { stream } = await dialled(t);
      await stream.opens(attrs);
      await endsWith(stream, condition);
    });
  }

  it("may be for a part of our domain", async (t) => {
    const { stream } = await dialled(t);
    assert.equal((await stream.opens({ to: `conference.${ours}` }))["from"], `conference.${ours}`);
  });

  it("does not change who speaks once that is proven", async (t) => {
    const { stream } = await met(t);
    stream.raw(`<auth xmlns='${NS.sasl}' mechanism='EXTERNAL'>=</auth>`);
    await stream.receives(`<success xmlns='${NS.sasl}'/>`);
    await stream.opens({ from: "verona.example" });
    await endsWith(stream, "invalid-from");
  });
});

describe("a stanza of a server", () => {
  for (const [what, stanza, condition] of [
    ["in the name of another domain", message("one", "tybalt@verona.example"), "invalid-from"],
    ["in our own name", message("one", `juliet@${ours}/balcony`), "invalid-from"],
    ["from a part of its domain that is not proven", message("one", `x@pubsub.${theirs}`), "invalid-from"],
    ["from nobody", `<message to='juliet@${ours}'/>`, "improper-addressing"],
    ["for nobody", `<message from='romeo@${theirs}'/>`, "improper-addressing"],
    ["for somebody elsewhere", message("one", undefined, "x@verona.example"), "host-unknown"],
    ["that is none", "<note/>", "unsupported-stanza-type"],
    [
      "of a client's stream",
      `<message xmlns='${NS.client}' from='romeo@${theirs}' to='juliet@${ours}'/>`,
      "unsupported-stanza-type",
    ],
    [
      "larger than they may be",
      `<message from='romeo@${theirs}' to='juliet@${ours}'><body>${"x".repeat(270_000)}</body></message>`,
      "policy-violation",
    ],
  ] as const) {
    it(`${what} ends the stream`, async (t) => {
      const { all, stream } = await arrived(t);
      stream.raw(stanza);
      await endsWith(stream, condition);
      assert.equal(all.stanzas.count, 0);
    });
  }

  it("for an address that is none is left to be answered", async (t) => {
    const { all, stream } = await arrived(t);
    stream.raw(message("one", undefined, "@@"));
    assert.equal(attr(await all.stanzas.next(), "id"), "one");
  });

  it("may be written with another prefix, and reads the same", async (t) => {
    const { all, stream } = await arrived(t);
    stream.raw(
      `<s:message xmlns:s='${NS.server}' from='romeo@${theirs}' to='juliet@${ours}'><s:body>O</s:body></s:message>`,
    );
    assert.equal(
      (await all.stanzas.next()).toString(),
      `<message from="romeo@${theirs}" to="juliet@${ours}"><body>O</body></message>`,
    );
  });
});

describe("dialback", () => {
  const unknown = { names: ["verona.example"] };
  const claim = (remote: string, key: string): string => db("result", `from='${remote}' to='${ours}'`, key);
  const told = (remote: string, type: string, condition?: string): string =>
    `<result xmlns='${NS.dialback}' from='${ours}' to='${remote}' type='${type}'>${condition ? `<error xmlns='${NS.server}'><${condition} xmlns='${NS.stanzas}'/></error>` : ""}</result>`;

  /** Plays the authoritative server of a domain, once; what it was asked. */
  async function authority(all: Servers, domain: string, type: string, id?: string) {
    const peer = await all.peer(unknown, { domain });
    return { asked: vouches(peer, domain, type, id) };
  }

  async function vouches(peer: Peer, domain: string, type: string, id?: string) {
    const stream = await peer.accepts();
    await stream.encrypts();
    await stream.welcomes();
    const asked = await stream.receives(
      `<verify xmlns='${NS.dialback}' from='${ours}' to='${domain}' id='{any}'/>`,
    );
    stream.raw(db("verify", `from='${domain}' to='${ours}' id='${id ?? attr(asked, "id")}' type='${type}'`));
    return { key: asked.getText(), id: attr(asked, "id")! };
  }

  it("proves who speaks where certificates do not, if that is wanted", async (t) => {
    const { all, stream, id } = await met(t, { dialback: true }, unknown);
    const { asked } = await authority(all, theirs, "valid");
    stream.raw(claim(theirs, "the key"));
    assert.deepEqual(await asked, { key: "the key", id });
    await stream.receives(told(theirs, "valid"));
    stream.raw(message("one"));
    await all.stanzas.next();
  });

  it("ends the stream of somebody who is not who they say", async (t) => {
    const { all, stream } = await met(t, { dialback: true }, unknown);
    const { asked } = await authority(all, theirs, "invalid");
    stream.raw(claim(theirs, "forged"));
    await asked;
    await stream.receives(told(theirs, "invalid"));
    assert.deepEqual(await stream.closed(), { clean: true });
    assert.equal(all.logged("a server claimed to be another one").length, 1);
  });

  it("does not end what others share for one bad pair", async (t) => {
    const { all, stream } = await arrived(t, { dialback: true });
    const { asked } = await authority(all, "verona.example", "invalid");
    stream.raw(claim("verona.example", "forged"));
    await asked;
    await stream.receives(told("verona.example", "error", "forbidden"));
    stream.raw(claim("padua.example", "nobody there"));
    await stream.receives(told("padua.example", "error", "remote-server-not-found"));
    all.policy.set({ deny: ["mantua.example"] });
    stream.raw(claim("mantua.example", "denied"));
    await stream.receives(told("mantua.example", "error", "policy-violation"));
    stream.raw(db("result", `from='verona.example' to='padua.example'`, "for somebody else"));
    await stream.receives(
      `<result xmlns='${NS.dialback}' from='padua.example' to='verona.example' type='error'><error xmlns='${NS.server}'><item-not-found xmlns='${NS.stanzas}'/></error></result>`,
    );
    stream.raw(claim(ours, "our own"));
    await stream.receives(told(ours, "error", "forbidden"));
    stream.raw(message("one"));
    await all.stanzas.next();
    stream.raw(message("two", "tybalt@verona.example"));
    await endsWith(stream, "invalid-from");
  });

  it("needs no key for what the certificate names", async (t) => {
    const { all, stream } = await arrived(t);
    stream.raw(claim(`pubsub.${theirs}`, "any key"));
    await stream.receives(told(`pubsub.${theirs}`, "valid"));
    stream.raw(message("one", `pubsub.${theirs}`));
    await all.stanzas.next();
  });

  it("carries several domains on one stream", async (t) => {
    const { all, stream } = await met(t, { dialback: true }, unknown);
    for (const domain of [theirs, "padua.example"]) {
      const { asked } = await authority(all, domain, "valid");
      stream.raw(claim(domain, "key"));
      await asked;
      await stream.receives(told(domain, "valid"));
      stream.raw(message(domain, `x@${domain}`));
      assert.equal(attr(await all.stanzas.next(), "id"), domain);
    }
  });

  it("does not take an answer to a question that nobody asked", async (t) => {
    const { all, stream } = await met(t, { dialback: true }, unknown);
    stream.raw(db("result", `from='${theirs}' to='${ours}' type='valid'`));
    stream.raw(db("verify", `from='${theirs}' to='${ours}' id='1' type='valid'`));
    stream.raw(message("one"));
    await endsWith(stream, "not-authorized");
    assert.equal(all.stanzas.count, 0);
  });

  it("takes the answer about another stream for none", async (t) => {
    const { all, stream } = await met(t, { dialback: true, timing: { ...hasty, negotiation: 300 } }, unknown);
    const { asked } = await authority(all, theirs, "valid", "another");
    stream.raw(claim(theirs, "key"));
    await asked;
    await endsWith(stream, "connection-timeout");
    assert.equal(all.stanzas.count, 0);
  });

  it("vouches for the keys that we made, and for no others", async (t) => {
    const { stream } = await met(t);
    const key = dialbackKey({
      secret: "a glooming peace",
      receiving: theirs,
      originating: ours,
      streamId: "s1",
    });
    const ask = (id: string, to: string, text: string): void =>
      stream.raw(db("verify", `from='${theirs}' to='${to}' id='${id}'`, text));
    const answer = (id: string, type: string): string =>
      `<verify xmlns='${NS.dialback}' from='${ours}' to='${theirs}' id='${id}' type='${type}'/>`;
    ask("s1", ours, key);
    await stream.receives(answer("s1", "valid"));
    ask("s2", ours, key);
    await stream.receives(answer("s2", "invalid"));
    ask("s1", `pubsub.${ours}`, key);
    await stream.receives(`<verify xmlns='${NS.dialback}' from='pubsub.${ours}' id='s1' type='invalid'/>`);
    ask("s1", "verona.example", key);
    const refused = await stream.receives(
      `<verify xmlns='${NS.dialback}' from='verona.example' id='s1' type='error'/>`,
    );
    assert.ok(children(refused)[0]);
  });
});
