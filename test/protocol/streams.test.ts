/** RFC 6120 §4, §5, §7: streams from their first byte to their last. */
import assert from "node:assert";
import { once } from "node:events";
import { connect as connectPlain } from "node:net";
import { describe, test, type TestContext } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { NS } from "../../src/xmpp/ns.ts";
import { attr, child, children, xml } from "../../src/xmpp/xml.ts";
import { domain, openPorts, password } from "../support/c2s.ts";
import { certificateFor } from "../support/certificate.ts";
import { auth, authenticate } from "../support/sasl-client.ts";
import { streamHeader, type ClientStream } from "../support/stream.ts";

/** A safety net for what waits for an event that does not come. */
const patience = { timeout: 120_000 };

/** The stream error that was sent, then the end of the stream and of the connection. */
async function fails(stream: ClientStream, condition: string): Promise<void> {
  await stream.receives(`<error xmlns='${NS.stream}'><${condition} xmlns='${NS.streams}'/></error>`);
  assert.deepEqual(await stream.closed(), { clean: true });
}

/** Bytes on a new connection in the clear, whose answer begins with a header. */
async function hears(t: TestContext, bytes: string | Uint8Array): Promise<ClientStream> {
  const ports = await openPorts(t);
  const stream = await ports.connects("none");
  stream.expectsHeader();
  stream.raw(bytes);
  await stream.receivesHeader();
  return stream;
}

describe("the server's header", patience, () => {
  test("has a fresh id, the domain, the version and a language", async (t) => {
    const ports = await openPorts(t);
    const ids = new Set<string>();
    for (const tls of ["none", "direct", "direct"] as const) {
      const stream = await ports.connects(tls);
      const header = await stream.opens({ from: `Ana@${domain}` });
      assert.equal(header["from"], domain);
      assert.equal(header["to"], `Ana@${domain}`);
      assert.equal(header["version"], "1.0");
      assert.equal(header["xml:lang"], "en");
      assert.match(header["id"]!, /^[\w-]{16,}$/);
      ids.add(header["id"]!);
      await stream.kill();
    }
    const { stream } = await ports.opens("none");
    const before = stream.header!["id"]!;
    await stream.secures();
    ids.add(before).add((await stream.opens())["id"]!);
    assert.equal(ids.size, 5);
  });

  test("does not repeat an address that is none", async (t) => {
    const ports = await openPorts(t);
    const header = await (await ports.connects("none")).opens({ from: "&lt;@&lt;" });
    assert.equal(header["to"], undefined);
  });
});

describe("a header is refused", patience, () => {
  const cases: [string, Record<string, string | undefined>, string][] = [
    ["without an address", { to: undefined }, "improper-addressing"],
    ["with an empty address", { to: "" }, "improper-addressing"],
    ["with an address that is none", { to: "two words" }, "improper-addressing"],
    ["for another host", { to: "capulet.test" }, "host-unknown"],
    ["for a part of the domain", { to: `conference.${domain}` }, "host-unknown"],
    ["without a version", { to: domain, version: undefined }, "unsupported-version"],
    ["of version 0.9", { to: domain, version: "0.9" }, "unsupported-version"],
    ["of a version that is none", { to: domain, version: "one" }, "unsupported-version"],
    ["with the namespace of servers", { to: domain, xmlns: NS.server }, "invalid-namespace"],
    ["with an unknown content namespace", { to: domain, xmlns: "test:what" }, "invalid-namespace"],
    ["with an unknown stream namespace", { to: domain, "xmlns:stream": "test:what" }, "invalid-namespace"],
  ];
  for (const [what, attrs, condition] of cases) {
    test(what, async (t) => fails(await hears(t, streamHeader(attrs)), condition));
  }
  test("whose root is no stream", async (t) => {
    const root = `<stream:flow xmlns='${NS.client}' xmlns:stream='${NS.stream}' to='${domain}' version='1.0'>`;
    await fails(await hears(t, root), "bad-format");
  });
  test("that is a web request", async (t) =>
    fails(await hears(t, "GET / HTTP/1.1\r\n\r\n"), "not-well-formed"));
  test("that does not end", async (t) => {
    const endless = `<stream:stream ${"x".repeat(20_000)}`;
    const stream = await hears(t, endless);
    await stream.receives(`<error xmlns='${NS.stream}'/>`);
    assert.deepEqual(await stream.closed(), { clean: true });
  });
});

test("a header may use any prefix, name the domain in capitals and claim a later version", async (t) => {
  const ports = await openPorts(t);
  const stream = await ports.connects("none");
  stream.expectsHeader();
  stream.raw(
    `<s:stream xmlns='${NS.client}' xmlns:s='${NS.stream}' to='${domain.toUpperCase()}.' version='1.7'>`,
  );
  assert.equal((await stream.receivesHeader())["version"], "1.0");
  await stream.receives("<stream:features/>");
});

describe("bytes that are no XMPP end the stream", patience, () => {
  const cases: [string, string | Uint8Array, string][] = [
    ["bad XML", "<message></iq>", "not-well-formed"],
    ["a comment", "<!-- psst -->", "restricted-xml"],
    ["a processing instruction", "<?php ?>", "restricted-xml"],
    ["an undefined entity", "<message>&nbsp;</message>", "restricted-xml"],
    ["bytes that are no UTF-8", new Uint8Array([0x3c, 0x61, 0x3e, 0xc3, 0x28]), "unsupported-encoding"],
    ["too large an element", `<message>${"x".repeat(10_000)}</message>`, "policy-violation"],
    ["text between stanzas", "hello?", "not-well-formed"],
  ];
  for (const [what, bytes, condition] of cases) {
    test(what, async (t) => {
      const ports = await openPorts(t);
      const { stream } = await ports.opens("none");
      stream.raw(bytes);
      const error = await stream.receives(`<error xmlns='${NS.stream}'/>`);
      // Where the RFC lets the parser choose between two conditions, either will do.
      const told = children(error).map(({ name }) => name);
      const either = { "restricted-xml": "not-well-formed", "not-well-formed": "bad-format" };
      assert(
        told.includes(condition) || told.includes(either[condition as keyof typeof either]),
        told.join(),
      );
      assert.deepEqual(await stream.closed(), { clean: true });
    });
  }
});

describe("the end of a stream", patience, () => {
  test("is answered", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.opens();
    stream.raw("</stream:stream>");
    assert.deepEqual(await stream.closed(), { clean: true });
  });

  test("comes after the answers to what was sent before it", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.welcomes();
    stream.raw(
      `<iq type='set' id='1' to='${domain}'><slow xmlns='test:slow'/></iq>` +
        `<iq type='get' id='2' to='${domain}'><ping xmlns='${NS.ping}'/></iq></stream:stream>`,
    );
    await stream.receivesNext("<iq id='1' type='result'/>");
    await stream.receivesNext("<iq id='2' type='result'/>");
    assert.deepEqual(await stream.closed(), { clean: true });
  });

  test("may be the end of the connection, and loses nothing that was sent before", async (t) => {
    const ports = await openPorts(t);
    const bob = await ports.welcomes("bob", "den");
    const ana = await ports.welcomes("ana", "phone");
    const last = "<message to='bob@pipit.test/den' type='chat'><body>Bye!</body></message>";
    const slow = `<iq type='set' id='1' to='${domain}'><slow xmlns='test:slow'/></iq>`;
    ana.stream.socket.end(slow + last);
    await bob.stream.receives("<message from='ana@pipit.test/phone'><body>Bye!</body></message>");
    await ana.stream.closed();
  });

  test("is told of when the server goes", async (t) => {
    const ports = await openPorts(t);
    const [{ stream: open }, { stream: bound }] = [
      await ports.opens("none"),
      await ports.welcomes("ana", "a"),
    ];
    const ended = ports.c2s.close();
    for (const stream of [open, bound]) await fails(stream, "system-shutdown");
    await ended;
    assert.deepEqual(ports.told, ["session.bound ana@pipit.test/a", "session.closed ana@pipit.test/a"]);
    assert.equal(ports.sessions.count, 0);
  });

  test("does not wait for ever for clients who do not go", async (t) => {
    const ports = await openPorts(t);
    const { port } = ports.c2s;
    const stubborn = connectPlain({ host: "127.0.0.1", port: port!, allowHalfOpen: true });
    stubborn.resume();
    await once(stubborn, "connect");
    const closed = once(stubborn, "close");
    stubborn.write(streamHeader({ to: domain }));
    stubborn.on("error", () => undefined);
    await ports.c2s.close();
    stubborn.destroy();
    await closed;
  });
});

describe("STARTTLS", patience, () => {
  test("is required, and says so", async (t) => {
    const ports = await openPorts(t);
    const { features } = await ports.opens("none");
    assert.deepEqual(
      children(features).map(({ name }) => name),
      ["starttls"],
    );
    assert(child(child(features, "starttls", NS.tls)!, "required"));
  });

  test("is offered beside SCRAM where it is not required, and PLAIN is not", async (t) => {
    const ports = await openPorts(t, { requireTls: false });
    const { stream, features } = await ports.opens("none");
    assert(!child(child(features, "starttls", NS.tls)!, "required"));
    const mechanisms = children(child(features, "mechanisms", NS.sasl)!).map((one) => one.getText());
    assert.deepEqual(mechanisms, ["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1"]);
    assert.equal((await authenticate(stream, features, { username: "ana", password })).name, "success");
    await stream.opens();
    assert(!child(await stream.receives("<stream:features/>"), "starttls", NS.tls));
    await stream.binds();
  });

  test("discards what came with it in the clear", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.opens("none");
    const { socket } = stream;
    const injected =
      `<starttls xmlns='${NS.tls}'/>` +
      auth("PLAIN", `\0ana\0${password}`) +
      `${streamHeader({ to: domain })}<message to='bob@${domain}'><body>as you</body></message>`;
    // Held back until the whole of it is one segment.
    socket.cork();
    stream.raw(injected);
    socket.uncork();
    await stream.receives(`<proceed xmlns='${NS.tls}'/>`);
    socket.removeAllListeners();
    const secured = connectTls({ socket, servername: domain, ca: ports.certificate.cert });
    await once(secured, "secureConnect");
    let received = "";
    secured.on("data", (chunk: Buffer) => (received += chunk.toString()));
    secured.write(streamHeader({ to: domain }));
    while (!received.includes("</stream:features>")) await once(secured, "data");
    assert.match(received, /^<\?xml version=.1\.0.\?><stream:stream /);
    assert(!received.includes("success") && !received.includes("error"), received);
    secured.destroy();
  });

  test("is refused under TLS, and ends the stream", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.opens("direct");
    stream.raw(`<starttls xmlns='${NS.tls}'/>`);
    await stream.receives(`<failure xmlns='${NS.tls}'/>`);
    assert.deepEqual(await stream.closed(), { clean: true });
  });

  test("is over where no handshake follows", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.opens("none");
    stream.raw(`<starttls xmlns='${NS.tls}'/>`);
    await stream.receives(`<proceed xmlns='${NS.tls}'/>`);
    stream.raw("This is no handshake, whatever it is.\r\n");
    await stream.closed();
  });
});

describe("TLS", patience, () => {
  const handshake = async (port: number, options: object): Promise<TLSSocket> => {
    const { cert } = await certificateFor(domain);
    const socket = connectTls({ host: "127.0.0.1", port, servername: domain, ca: cert, ...options });
    await once(socket, "secureConnect");
    return socket;
  };

  test("is served with ALPN xmpp-client, and without ALPN", async (t) => {
    const ports = await openPorts(t);
    const port = ports.c2s.directTlsPort!;
    const named = await handshake(port, { ALPNProtocols: ["xmpp-client"] });
    assert.equal(named.alpnProtocol, "xmpp-client");
    const silent = await handshake(port, {});
    assert.equal(silent.alpnProtocol, false);
    await assert.rejects(
      handshake(port, { ALPNProtocols: ["h2", "xmpp-server"] }),
      /no application protocol/i,
    );
    for (const socket of [named, silent]) socket.destroy();
  });

  test("is 1.2 at least, does not ask for a certificate and has forward secrecy", async (t) => {
    const ports = await openPorts(t);
    const port = ports.c2s.directTlsPort!;
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" };
    await assert.rejects(handshake(port, old), /protocol version|unsupported protocol/i);
    const twelve = await handshake(port, { maxVersion: "TLSv1.2" });
    assert.match(twelve.getCipher().name, /^ECDHE-/);
    const static12 = { maxVersion: "TLSv1.2", ciphers: "AES128-GCM-SHA256:AES256-SHA" };
    await assert.rejects(handshake(port, static12), /handshake failure/i);
    twelve.destroy();
  });

  test("uses a new certificate at once, and old connections stay", async (t) => {
    const ports = await openPorts(t);
    const old = await ports.opens("direct");
    const renewed = await certificateFor("renewed.test");
    ports.tls.reload(renewed);
    const fresh = await ports.opens("direct", { ca: renewed.cert, servername: "renewed.test" });
    // Each binds to the certificate that it was given.
    for (const { stream, features } of [old, fresh]) {
      const login = { username: "ana", password, bindTo: "tls-server-end-point" } as const;
      assert.equal((await authenticate(stream, features, login)).name, "success");
    }
  });

  test("keeps the certificate that it has where the new one is none", async (t) => {
    const ports = await openPorts(t);
    const { key } = await certificateFor("renewed.test");
    assert.throws(() => ports.tls.reload({ cert: "no certificate", key }));
    assert.throws(() => ports.tls.reload({ cert: ports.certificate.cert, key }));
    await ports.opens("direct");
  });

  test("ends with the first record that is broken", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.opens("none");
    const tcp = stream.socket;
    await stream.secures();
    await stream.opens();
    await stream.receives("<stream:features/>");
    await stream.authenticates("ana", password);
    await stream.binds("phone");
    const closed = new Promise<void>((resolve) => ports.events.on("session.closed", () => resolve()));
    // It does not hear the server complain, so it is not the one who ends it.
    stream.socket.pause();
    tcp.write(Buffer.from([0x17, 0x03, 0x03, 0x00, 0x05, 1, 2, 3, 4, 5]));
    await closed;
  });

  test("is not negotiated again", async (t) => {
    const ports = await openPorts(t);
    const socket = await handshake(ports.c2s.directTlsPort!, { maxVersion: "TLSv1.2" });
    const [error] = (await Promise.all([once(socket, "error"), socket.renegotiate({}, () => undefined)])) as [
      [Error],
      unknown,
    ];
    assert.match(error[0].message, /no renegotiation/i);
  });
});

describe("before a resource is bound", patience, () => {
  const message = "<message to='bob@pipit.test'><body>?</body></message>";

  test("a stanza before authentication ends the stream", async (t) => {
    const ports = await openPorts(t);
    for (const tls of ["none", "direct"] as const) {
      const { stream } = await ports.opens(tls);
      stream.raw(message);
      await fails(stream, "not-authorized");
    }
  });

  test("something unknown ends the stream", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.opens();
    stream.raw("<compress xmlns='http://jabber.org/protocol/compress'/>");
    await fails(stream, "unsupported-stanza-type");
  });

  test("a stanza after authentication ends the stream", async (t) => {
    const ports = await openPorts(t);
    for (const stanza of [message, "<presence/>", `<iq type='get' id='1'><ping xmlns='${NS.ping}'/></iq>`]) {
      const stream = await ports.admits();
      stream.raw(stanza);
      await fails(stream, "not-authorized");
    }
  });

  test("nothing of a namespace that is not ours is a stanza", async (t) => {
    const ports = await openPorts(t);
    const stream = await ports.admits();
    stream.raw(`<iq type='set' id='1' xmlns='${NS.server}'><bind xmlns='${NS.bind}'/></iq>`);
    await fails(stream, "unsupported-stanza-type");
  });
});

describe("binding", patience, () => {
  const bind = (resource: string) =>
    `<iq type='set'><bind xmlns='${NS.bind}'><resource>${resource}</resource></bind></iq>`;

  test("is offered with the session, roster versions, pre-approval and what modules add", async (t) => {
    const ports = await openPorts(t, { features: [() => xml("extra", { xmlns: "test:extra" })] });
    const { stream } = await ports.opens();
    await stream.authenticates("ana", password).then((features) => {
      assert(child(features, "bind", NS.bind));
      assert(child(child(features, "session", NS.session)!, "optional"));
      assert(child(features, "ver", NS.rosterVersioning));
      assert(child(features, "sub", NS.preApproval));
      assert(child(features, "extra", "test:extra"));
      assert(!child(features, "mechanisms", NS.sasl) && !child(features, "starttls", NS.tls));
    });
  });

  test("gives the resource that was asked for, or one of the server's", async (t) => {
    const ports = await openPorts(t);
    const own = new Set<string>();
    for (const resource of [undefined, "", undefined]) {
      own.add(await (await ports.admits()).binds(resource));
    }
    assert.equal(own.size, 3);
    for (const full of own) assert.match(full, /^ana@pipit\.test\/\S{8,}$/);
    assert.equal(await (await ports.admits()).binds("bal&amp;cony"), "ana@pipit.test/bal&cony");
    assert.equal(ports.sessions.count, 4);
  });

  test("refuses what is no resource, and may be tried again", async (t) => {
    const ports = await openPorts(t);
    const stream = await ports.admits();
    for (const bad of ["x".repeat(1024), "a&#xAD;b&#x200E;c"]) {
      await stream.asks(
        bind(bad),
        `<iq type='error'><error type='modify'><bad-request xmlns='${NS.stanzas}'/></error></iq>`,
      );
    }
    assert.equal(await stream.binds("phone"), "ana@pipit.test/phone");
  });

  test("happens once", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.welcomes();
    await stream.asks(
      bind("other"),
      `<iq type='error'><error type='cancel'><not-allowed xmlns='${NS.stanzas}'/></error></iq>`,
    );
    assert.equal(ports.sessions.count, 1);
  });

  test("may be followed by the session of old clients", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.welcomes();
    await stream.asks(`<iq type='set'><session xmlns='${NS.session}'/></iq>`, "<iq type='result'/>");
  });

  test("ends an older stream with the same resource, whose end is not the newer one's", async (t) => {
    const ports = await openPorts(t);
    const old = await ports.welcomes("ana", "phone");
    const fresh = await ports.welcomes("ana", "phone");
    await fails(old.stream, "conflict");
    assert.deepEqual(ports.told, [
      "session.bound ana@pipit.test/phone",
      "session.closed ana@pipit.test/phone",
      "session.bound ana@pipit.test/phone",
    ]);
    const bob = await ports.welcomes("bob");
    bob.stream.sends("<message to='ana@pipit.test/phone'><body>Still there?</body></message>");
    await fresh.stream.receives("<message><body>Still there?</body></message>");
    assert.equal(ports.sessions.count, 2);
  });

  test("is limited for each account, and a newer stream may still take over", async (t) => {
    const ports = await openPorts(t);
    for (let n = 0; n < 50; n += 1) await ports.welcomes("ana", `device${n}`);
    const stream = await ports.admits();
    await stream.asks(
      bind("one-more"),
      `<iq type='error'><error type='wait'><resource-constraint xmlns='${NS.stanzas}'/></error></iq>`,
    );
    await stream.binds("device7");
    await ports.welcomes("bob");
    assert.equal(ports.sessions.count, 51);
  });

  test("is not for an account that was removed since", async (t) => {
    const ports = await openPorts(t);
    const stream = await ports.admits();
    ports.accounts.delete("ana");
    stream.raw(bind("phone"));
    await fails(stream, "not-authorized");
    assert.equal(ports.sessions.count, 0);
  });
});

describe("a stanza", patience, () => {
  test("may say who it is from, and nobody else", async (t) => {
    const ports = await openPorts(t);
    const bob = await ports.welcomes("bob", "den");
    const ana = await ports.welcomes("ana", "phone");
    for (const from of ["ana@pipit.test", "ana@pipit.test/phone", "ANA@pipit.test"]) {
      ana.stream.sends(`<message from='${from}' to='${bob.full}'><body>${from}</body></message>`);
      await bob.stream.receives(`<message from='ana@pipit.test/phone'><body>${from}</body></message>`);
    }
    for (const from of ["bob@pipit.test", "ana@pipit.test/laptop", domain, "", "@"]) {
      const { stream } = await ports.welcomes("ana");
      stream.sends(`<message from='${from}' to='${bob.full}'><body>forged</body></message>`);
      await fails(stream, "invalid-from");
    }
    assert.equal(bob.stream.inbox.length, 0);
  });

  test("is a stanza: anything else ends the stream", async (t) => {
    const ports = await openPorts(t);
    for (const other of ["<note/>", "<enable xmlns='test:other'/>", `<message xmlns='${NS.server}'/>`]) {
      const { stream } = await ports.welcomes();
      stream.sends(other);
      await fails(stream, "unsupported-stanza-type");
    }
  });

  test("does not overtake one that takes time", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.welcomes();
    const slow = (id: number) => `<iq type='set' id='${id}' to='${domain}'><slow xmlns='test:slow'/></iq>`;
    const ping = (id: number) => `<iq type='get' id='${id}' to='${domain}'><ping xmlns='${NS.ping}'/></iq>`;
    let sent = "";
    for (let id = 0; id < 200; id += 2) sent += slow(id) + ping(id + 1);
    stream.raw(sent);
    for (let id = 0; id < 200; id += 1) await stream.receivesNext(`<iq id='${id}' type='result'/>`);
  });

  test("that comes later waits for it too", async (t) => {
    const ports = await openPorts(t);
    const [{ stream }, bob] = [await ports.welcomes("ana"), await ports.welcomes("bob")];
    let release = () => {};
    ports.held = new Promise((resolve) => (release = resolve));
    stream.raw(`<iq type='set' id='1' to='${domain}'><held xmlns='test:held'/></iq>`);
    const ping = `<iq type='get' to='${domain}'><ping xmlns='${NS.ping}'/></iq>`;
    await bob.stream.asks(ping);
    stream.raw(ping.replace("<iq", "<iq id='2'"));
    await bob.stream.asks(ping);
    await bob.stream.asks(ping);
    assert.equal(stream.inbox.length, 0);
    release();
    await stream.receivesNext("<iq id='1' type='result'/>");
    await stream.receivesNext("<iq id='2' type='result'/>");
  });

  test("is as large as 256 KiB after authentication, and no larger", async (t) => {
    const ports = await openPorts(t);
    const bob = await ports.welcomes("bob", "den");
    const ana = await ports.welcomes("ana");
    const body = "x".repeat(250_000);
    ana.stream.sends(`<message to='${bob.full}'><body>${body}</body></message>`);
    await bob.stream.receives(`<message><body>${body}</body></message>`);
    ana.stream.sends(`<message to='${bob.full}'><body>${body}</body><body>${body}</body></message>`);
    await fails(ana.stream, "policy-violation");
  });

  test("carries the language of its stream where people read it", async (t) => {
    const ports = await openPorts(t);
    const bob = await ports.welcomes("bob", "den");
    const stream = await ports.connects();
    await stream.opens();
    await stream.receives("<stream:features/>");
    stream.raw(auth("PLAIN", `\0ana\0${password}`));
    await stream.receives(`<success xmlns='${NS.sasl}'/>`);
    await stream.opens({ "xml:lang": "cs-CZ" });
    await stream.receives("<stream:features/>");
    await stream.binds();
    const sent: [string, string, string | undefined][] = [
      ["", "<body>Ahoj</body>", "cs-CZ"],
      ["xml:lang='de'", "<body>Hallo</body>", "de"],
      ["", "<active xmlns='http://jabber.org/protocol/chatstates'/>", undefined],
    ];
    for (const [attrs, content, language] of sent) {
      stream.sends(`<message to='${bob.full}' ${attrs}>${content}</message>`);
      assert.equal(attr(await bob.stream.receivesNext(), "xml:lang"), language);
    }
  });
});

describe("a client", patience, () => {
  test("that does not read is given up, and who writes to it is not", async (t) => {
    const ports = await openPorts(t);
    const ana = await ports.welcomes("ana", "phone");
    const bob = await ports.welcomes("bob");
    const closed = new Promise<void>((resolve) => {
      ports.events.on("session.closed", ({ session }) => {
        if (session.jid.full === ana.full) resolve();
      });
    });
    ana.stream.socket.pause();
    const body = "x".repeat(200_000);
    const write = async () => {
      while (ports.sessions.count === 2) {
        bob.stream.sends(`<message to='${ana.full}'><body>${body}</body></message>`);
        await bob.stream.asks(`<iq type='get' to='${domain}'><ping xmlns='${NS.ping}'/></iq>`);
      }
    };
    await Promise.all([closed, write()]);
    assert.equal(ports.sessions.count, 1);
    // Now it reads: what was on its way, and why there is no more.
    ana.stream.socket.resume();
    await ana.stream.receives(
      `<error xmlns='${NS.stream}'><policy-violation xmlns='${NS.streams}'/></error>`,
    );
    ana.stream.inbox.length = 0;
  });

  test("that asks faster than it reads has to wait, and gets all its answers", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.welcomes("ana");
    const bob = await ports.welcomes("bob");
    const count = 60;
    const ask = (id: number) => `<iq type='get' id='${id}' to='${domain}'><large xmlns='test:large'/></iq>`;
    stream.socket.pause();
    stream.raw(Array.from({ length: count }, (_, id) => ask(id)).join(""));
    // Time enough for a server that goes on to queue more than it may.
    for (let n = 0; n < count; n += 1) {
      await bob.stream.asks(`<iq type='get' to='${domain}'><ping xmlns='${NS.ping}'/></iq>`);
    }
    stream.socket.resume();
    for (let id = 0; id < count; id += 1) assert.equal(attr(await stream.receivesNext(), "id"), `${id}`);
    assert.equal(ports.sessions.count, 2);
  });

  test("that is silent is asked whether it is there, and any byte is an answer", async (t) => {
    const ports = await openPorts(t, { timing: { idle: 20, answer: 60_000, sweep: 5 } });
    const { stream, full } = await ports.welcomes();
    const ping = `<iq type='get' from='${domain}' to='${full}'><ping xmlns='${NS.ping}'/></iq>`;
    await stream.receives(ping);
    stream.raw(" ");
    // Asked again, so it was heard.
    await stream.receives(ping);
  });

  test("that does not answer is gone", async (t) => {
    const ports = await openPorts(t, { timing: { idle: 20, answer: 20, sweep: 5 } });
    const { stream } = await ports.welcomes();
    await stream.receives(`<iq type='get'><ping xmlns='${NS.ping}'/></iq>`);
    await fails(stream, "connection-timeout");
    assert.equal(ports.sessions.count, 0);
  });

  test("that does not log in has to go", async (t) => {
    const ports = await openPorts(t, { timing: { negotiation: 50, sweep: 5 } });
    const silent = await ports.connects("direct");
    silent.expectsHeader();
    await silent.receivesHeader();
    await fails(silent, "connection-timeout");
    const half = connectPlain({ host: "127.0.0.1", port: ports.c2s.directTlsPort! });
    await once(half, "close");
  });

  test("waits where its network has too many connections that never log in", async (t) => {
    const ports = await openPorts(t);
    const idle = await Promise.all(Array.from({ length: 256 }, () => ports.connects("none")));
    await (await ports.connects("none")).closed();
    await idle[0]!.kill();
    // The server hears of it in its own time, and lets the next one in.
    const isLetIn = async () => {
      const stream = await ports.connects("none");
      const header = await stream.opens().catch(() => undefined);
      return header !== undefined;
    };
    while (!(await isLetIn()));
  });

  test("that sends a stream error is let go", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.welcomes();
    stream.raw(`<stream:error><conflict xmlns='${NS.streams}'/></stream:error>`);
    assert.deepEqual(await stream.closed(), { clean: true });
  });
});
