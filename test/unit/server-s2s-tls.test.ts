/** RFC 7590, XEP-0368: TLS between servers, at both ends. */
import assert from "node:assert";
import { once } from "node:events";
import { describe, test } from "node:test";
import { connect, type SecureVersion, type TLSSocket } from "node:tls";
import { ServerTls, type PeerChannel } from "../../src/server/tls.ts";
import { createAuthority } from "../support/authority.ts";
import { connection, handshake } from "../support/peers.ts";

const authority = await createAuthority();
const { ca } = authority;
const montague = new ServerTls({ ...(await authority.issue({ names: ["montague.example"] })), ca });
const issued = await authority.issue({ names: ["capulet.example"] });
const capulet = new ServerTls({ ...issued, ca });

const firstName = (channel: PeerChannel | undefined) => channel?.trust().names[0]?.value ?? "";
const serverName = ({ socket }: { socket: TLSSocket }) =>
  (socket as unknown as { servername: string | false }).servername;

test("both show who they are", async () => {
  const { incoming, outgoing } = await handshake(montague, capulet);
  assert.match(firstName(incoming), /montague/);
  assert.match(firstName(outgoing), /capulet/);
  incoming.socket.write("to who connected");
  outgoing.socket.write("to whom was connected");
  assert.equal(String((await once(outgoing.socket, "data"))[0]), "to who connected");
  assert.equal(String((await once(incoming.socket, "data"))[0]), "to whom was connected");
});

describe("the name that is asked for", () => {
  // RFC 6066 §3: A-labels, and no addresses.
  const names: [string, string | false][] = [
    ["capulet.example", "capulet.example"],
    ["bücher.example", "xn--bcher-kva.example"],
    ["127.0.0.1", false],
    ["[::1]", false],
  ];
  for (const [domain, expected] of names) {
    test(`for ${domain}`, async () => {
      const { incoming } = await handshake(montague, capulet, { domain });
      assert.equal(serverName(incoming) || false, expected);
    });
  }
});

describe("ALPN (XEP-0368 §3)", () => {
  const takes = ["xmpp-server"];
  test("says what is spoken", async () => {
    const { incoming, outgoing } = await handshake(montague, capulet, { offers: ["xmpp-server"], takes });
    assert.equal(incoming.socket.alpnProtocol, "xmpp-server");
    assert.equal(outgoing.socket.alpnProtocol, "xmpp-server");
  });

  test("need not be used by who connects", async () => {
    const { incoming } = await handshake(montague, capulet, { takes });
    assert.equal(incoming.socket.alpnProtocol, false);
  });

  test("need not be known to who is connected to", async () => {
    const { outgoing } = await handshake(montague, capulet, { offers: ["xmpp-server"] });
    assert.equal(outgoing.socket.alpnProtocol, false);
  });

  test("keeps others out", async () => {
    const offers = ["xmpp-client"];
    await assert.rejects(handshake(montague, capulet, { offers, takes }), /no application protocol/);
  });
});

describe("the version", () => {
  const versions: [SecureVersion, RegExp | undefined][] = [
    ["TLSv1.3", undefined],
    ["TLSv1.2", undefined],
    ["TLSv1.1", /protocol version|unsupported protocol|internal error|no protocols available/],
  ];
  for (const [version, fault] of versions) {
    test(version, async () => {
      const [near, far] = await connection();
      const outgoing = connect({
        socket: near,
        rejectUnauthorized: false,
        minVersion: version,
        maxVersion: version,
        ciphers: "DEFAULT@SECLEVEL=0",
      });
      const { socket } = capulet.wrapPeer(far);
      const done = Promise.all([once(outgoing, "secure"), once(socket, "secure")]);
      if (fault) await assert.rejects(done, fault);
      else assert.equal((await done) && outgoing.getProtocol(), version);
    });
  }
});

test("what was read again is used by the next connection, in both directions", async () => {
  const [certificate, other] = [
    await authority.issue({ names: ["feeds.capulet.example"] }),
    await createAuthority(),
  ];
  const server = new ServerTls({ ...issued, ca });
  const before = await handshake(montague, server);
  assert.equal(before.incoming.trust().fault, undefined);
  server.reload({ ...certificate, ca: other.ca });
  const after = [await handshake(montague, server), await handshake(server, montague)];
  assert.match(firstName(after[0]?.outgoing), /feeds/);
  assert.match(firstName(after[1]?.incoming), /feeds/);
  // Whom it trusts, too; what is there already stays as it is.
  assert.match(after[0]?.incoming.trust().fault ?? "", /not trusted here$/);
  assert.match(after[1]?.outgoing.trust().fault ?? "", /not trusted here$/);
  assert.equal(before.incoming.trust().fault, undefined);
});

test("what cannot be used changes nothing", async () => {
  const server = new ServerTls({ ...issued, ca });
  const { key } = await authority.issue({ names: ["capulet.example"] });
  for (const bad of [
    { ...issued, key },
    { ...issued, ca: "nothing" },
    { ...issued, ca: ca.replace("M", "") },
  ]) {
    assert.throws(() => server.reload(bad));
  }
  const { outgoing, incoming } = await handshake(montague, server);
  assert.equal(firstName(outgoing), "capulet.example");
  assert.equal(incoming.trust().fault, undefined);
});

test("several roots, with words between them", async () => {
  const other = await createAuthority();
  const server = new ServerTls({ ...issued, ca: `The families\n${other.ca}\nof Verona\n${ca}` });
  assert.equal((await handshake(montague, server)).incoming.trust().fault, undefined);
});

test("who comes back with a session shows the certificate again", async () => {
  const below = await authority.subordinate();
  const certificate = await below.issue({ names: ["montague.example"], purposes: ["serverAuth"] });
  const visit = async (version: SecureVersion, session?: Buffer) => {
    const [near, far] = await connection();
    const client = connect({
      ...certificate,
      socket: near,
      rejectUnauthorized: false,
      maxVersion: version,
      ...(session && { session }),
    });
    let ticket: Buffer | undefined;
    client.on("session", (session: Buffer) => (ticket = session));
    const { socket, trust } = capulet.wrapPeer(far);
    await Promise.all([once(client, "secure"), once(socket, "secure")]);
    socket.write("a word");
    await once(client, "data");
    return { trust: trust(), session: ticket ?? client.getSession() };
  };
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    const first = await visit(version);
    const second = await visit(version, first.session);
    assert.deepEqual([first.trust.fault, second.trust.fault], [undefined, undefined], version);
  }
});
