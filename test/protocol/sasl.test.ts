/** RFC 6120 §6, RFC 5802, 7677, 9266, 5929, XEP-0440: logging in. */
import assert from "node:assert";
import { constants } from "node:crypto";
import { describe, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { NS } from "../../src/xmpp/ns.ts";
import { children, text, type Element } from "../../src/xmpp/xml.ts";
import { domain, openPorts, password, type Ports } from "../support/c2s.ts";
import {
  auth,
  authenticate,
  bindingOf,
  bindingTypesOf,
  mechanismsOf,
  response,
  ScramClient,
  type Login,
} from "../support/sasl-client.ts";
import type { ClientStream } from "../support/stream.ts";

const failure = (condition: string): string => `<failure xmlns='${NS.sasl}'><${condition}/></failure>`;
const policyViolation = `<error xmlns='${NS.stream}'><policy-violation xmlns='${NS.streams}'/></error>`;
const plain = (username: string, secret: string, authzid = ""): string =>
  auth("PLAIN", `${authzid}\0${username}\0${secret}`);

/** A login, and what the server says to it in the end. */
async function tries(ports: Ports, login: Partial<Login>, maxVersion?: "TLSv1.2"): Promise<Element> {
  const { stream, features } = await ports.opens("direct", maxVersion ? { maxVersion } : {});
  return authenticate(stream, features, { username: "ana", password, ...login });
}

describe("a login with channel binding", () => {
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    for (const bindTo of ["tls-exporter", "tls-unique", "tls-server-end-point"] as const) {
      if (maxVersion === "TLSv1.3" && bindTo === "tls-unique") continue;
      test(`over ${maxVersion}, bound to ${bindTo}`, async (t) => {
        const ports = await openPorts(t);
        for (const hash of ["SHA-1", "SHA-256", "SHA-512"]) {
          const login = { mechanism: `SCRAM-${hash}-PLUS`, bindTo };
          const stream = await ports.admits(login, { maxVersion });
          assert.match(await stream.binds(), /^ana@pipit\.test\/.+/);
        }
      });
    }
  }

  test("works behind STARTTLS too", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.opens("none");
    await stream.secures();
    await stream.opens();
    const features = await stream.receives("<stream:features/>");
    const login = { username: "ana", password, mechanism: "SCRAM-SHA-256-PLUS" };
    assert.equal((await authenticate(stream, features, login)).name, "success");
  });

  test("binds to no exported key where TLS 1.2 has no extended master secret", async (t) => {
    const ports = await openPorts(t);
    const { stream, features } = await ports.opens("direct", {
      maxVersion: "TLSv1.2",
      // OpenSSL's SSL_OP_NO_EXTENDED_MASTER_SECRET, which Node has no name for.
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION | 1,
    });
    assert.deepEqual(bindingTypesOf(features), ["tls-server-end-point"]);
    const login = { username: "ana", password, mechanism: "SCRAM-SHA-1-PLUS" };
    assert.equal((await authenticate(stream, features, login)).name, "success");
  });

  test("binds to the server's first word where a session of TLS 1.2 is resumed", async (t) => {
    const ports = await openPorts(t);
    const handshake = { maxVersion: "TLSv1.2" } as const;
    const before = (await ports.opens("direct", handshake)).stream.socket as TLSSocket;
    const { stream, features } = await ports.opens("direct", { ...handshake, session: before.getSession()! });
    assert((stream.socket as TLSSocket).isSessionReused());
    const login = { username: "ana", password, bindTo: "tls-unique" } as const;
    assert.equal((await authenticate(stream, features, login)).name, "success");
  });

  test("has no tls-unique in TLS 1.3, where it is not unique", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.opens();
    stream.raw(auth("SCRAM-SHA-1-PLUS", "p=tls-unique,,n=ana,r=abc"));
    await stream.receives(failure("malformed-request"));
  });

  test("is refused with the data of another channel", async (t) => {
    const ports = await openPorts(t);
    const [one, other] = [await ports.opens(), await ports.opens()];
    const mechanism = "SCRAM-SHA-256-PLUS";
    const binding = bindingOf(other.stream.socket, "tls-exporter");
    const scram = new ScramClient({ username: "ana", password, mechanism, binding });
    one.stream.raw(auth(mechanism, scram.first()));
    const challenge = await one.stream.receives(`<challenge xmlns='${NS.sasl}'/>`);
    one.stream.raw(response(scram.final(Buffer.from(text(challenge), "base64").toString())));
    await one.stream.receives(failure("not-authorized"));
  });

  test("is refused without it where it was taken out of the offer", async (t) => {
    const ports = await openPorts(t);
    const outcome = await tries(ports, { mechanism: "SCRAM-SHA-256", flag: "y" });
    assert.equal(children(outcome)[0]?.name, "not-authorized");
    // A client that cannot bind says so, and is let in.
    assert.equal((await tries(ports, { mechanism: "SCRAM-SHA-256", flag: "n" })).name, "success");
  });
});

test("mechanisms are offered strongest first, with what they can bind to", async (t) => {
  const ports = await openPorts(t);
  const { features } = await ports.opens();
  const hashes = ["SHA-512", "SHA-256", "SHA-1"];
  const expected = [...hashes.map((h) => `SCRAM-${h}-PLUS`), ...hashes.map((h) => `SCRAM-${h}`), "PLAIN"];
  assert.deepEqual(mechanismsOf(features), expected);
  assert.deepEqual(bindingTypesOf(features), ["tls-exporter", "tls-server-end-point"]);
});

test("every mechanism lets in who knows the password, and nobody else", async (t) => {
  const ports = await openPorts(t);
  for (const mechanism of mechanismsOf((await ports.opens()).features)) {
    assert.equal((await tries(ports, { mechanism })).name, "success", mechanism);
    const outcome = await tries(ports, { mechanism, password: "a bottle & a bard" });
    assert.equal(children(outcome)[0]?.name, "not-authorized", mechanism);
  }
});

test("a name is prepared before it is looked up", async (t) => {
  const ports = await openPorts(t);
  const stream = await ports.admits({ username: "AN\u00adA" });
  assert.match(await stream.binds(), /^ana@/);
});

test("an unknown user is answered as one with a wrong password is", async (t) => {
  const ports = await openPorts(t);
  for (const mechanism of ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"]) {
    const shape = async (username: string): Promise<string> => {
      const { stream } = await ports.opens();
      const dialogue: string[] = [];
      const says = async (xml: string): Promise<string> => {
        stream.raw(xml);
        const answer = await stream.receivesNext();
        const told = Buffer.from(text(answer), "base64").toString();
        dialogue.push(answer.toString().replace(text(answer), ""), told.replace(/[^,=]/g, "?"));
        return told;
      };
      if (mechanism === "PLAIN") await says(plain(username, "wrong"));
      else {
        const scram = new ScramClient({ username, password: "wrong", mechanism, nonce: "0123456789abcdef" });
        await says(response(scram.final(await says(auth(mechanism, scram.first())))));
      }
      await stream.kill();
      return dialogue.join("\n");
    };
    // Names of one length, so that all else has to be of one length as well.
    assert.equal(await shape("eve"), await shape("bob"), mechanism);
  }
});

test("what SCRAM tells of an unknown user is always the same", async (t) => {
  const ports = await openPorts(t);
  const salts = new Set<string>();
  for (let n = 0; n < 2; n += 1) {
    const { stream } = await ports.opens();
    stream.raw(auth("SCRAM-SHA-1", "n,,n=nobody,r=abc"));
    const challenge = Buffer.from(text(await stream.receivesNext()), "base64").toString();
    salts.add(/s=([^,]+)/.exec(challenge)![1]!);
  }
  assert.equal(salts.size, 1);
});

describe("to be somebody else", () => {
  for (const mechanism of ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512-PLUS"]) {
    test(`is not to be had by ${mechanism}`, async (t) => {
      const ports = await openPorts(t);
      for (const authzid of [
        `bob@${domain}`,
        "bob",
        domain,
        "ana@capulet.test",
        `ana@${domain}/phone`,
        "@",
      ]) {
        const outcome = await tries(ports, { mechanism, authzid });
        assert.equal(children(outcome)[0]?.name, "invalid-authzid", authzid);
      }
      assert.equal((await tries(ports, { mechanism, authzid: `Ana@${domain}` })).name, "success");
    });
  }
});

describe("the exchange", () => {
  /** What the server answers to what it did not expect; the stream goes on. */
  async function answers(stream: ClientStream, xml: string, condition: string): Promise<void> {
    stream.raw(xml);
    const answer = await stream.receivesNext();
    assert.equal(answer.name, "failure");
    assert.equal(children(answer)[0]?.name, condition, xml);
  }
  const raw = (name: string, content: string, attrs = ""): string =>
    `<${name} xmlns='${NS.sasl}' ${attrs}>${content}</${name}>`;
  const scram = "mechanism='SCRAM-SHA-1'";

  test("takes no data that is not base64", async (t) => {
    const ports = await openPorts(t);
    for (const bad of ["AGFuYQ", "AG FuYQ==", "*", "AGFuYR==", "=="]) {
      const { stream } = await ports.opens();
      await answers(stream, raw("auth", bad, "mechanism='PLAIN'"), "incorrect-encoding");
    }
  });

  test("takes no messages that the mechanism does not know", async (t) => {
    const ports = await openPorts(t);
    const messages = [
      raw("auth", "=", "mechanism='PLAIN'"),
      raw("auth", "AAAA", scram),
      raw("auth", "=", scram),
    ];
    for (const message of messages) {
      await answers((await ports.opens()).stream, message, "malformed-request");
    }
  });

  test("takes no mechanism that was not offered", async (t) => {
    const ports = await openPorts(t, { requireTls: false });
    const { stream } = await ports.opens();
    await answers(stream, raw("auth", "", "mechanism='DIGEST-MD5'"), "invalid-mechanism");
    await answers(stream, raw("auth", ""), "invalid-mechanism");
    const clear = await ports.opens("none");
    await answers(clear.stream, auth("SCRAM-SHA-1-PLUS", "p=tls-exporter,,n=ana,r=abc"), "invalid-mechanism");
    await answers(clear.stream, plain("ana", password), "encryption-required");
  });

  test("does not begin before TLS where that is required", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.opens("none");
    await answers(stream, plain("ana", password), "encryption-required");
    await answers(stream, auth("SCRAM-SHA-1", "n,,n=ana,r=abc"), "encryption-required");
    await stream.secures();
    await stream.opens();
  });

  test("can be aborted and begun again", async (t) => {
    const ports = await openPorts(t);
    const { stream, features } = await ports.opens();
    stream.raw(auth("SCRAM-SHA-1", "n,,n=ana,r=abc"));
    await stream.receives(`<challenge xmlns='${NS.sasl}'/>`);
    await answers(stream, raw("abort", ""), "aborted");
    assert.equal((await authenticate(stream, features, { username: "ana", password })).name, "success");
  });

  test("has its order", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.opens();
    await answers(stream, response("n,,n=ana,r=abc"), "malformed-request");
    stream.raw(auth("SCRAM-SHA-1", "n,,n=ana,r=abc"));
    await stream.receives(`<challenge xmlns='${NS.sasl}'/>`);
    await answers(stream, plain("ana", password), "malformed-request");
    await answers(stream, raw("success", ""), "malformed-request");
  });

  test("may begin without an initial response", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.opens();
    stream.raw(auth("PLAIN"));
    const challenge = await stream.receivesNext(`<challenge xmlns='${NS.sasl}'/>`);
    assert.equal(text(challenge), "");
    stream.raw(response(`\0ana\0${password}`));
    await stream.receivesNext(`<success xmlns='${NS.sasl}'/>`);
  });

  test("takes a stanza, or a new header, for neither", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.opens();
    stream.raw(auth("SCRAM-SHA-1", "n,,n=ana,r=abc"));
    await stream.receives(`<challenge xmlns='${NS.sasl}'/>`);
    stream.raw("<presence/>");
    await stream.receives(`<error xmlns='${NS.stream}'><not-authorized xmlns='${NS.streams}'/></error>`);
    assert.deepEqual(await stream.closed(), { clean: true });
  });
});

describe("guessing", () => {
  test("ends the stream after five tries", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.opens();
    for (let n = 0; n < 5; n += 1) {
      stream.raw(plain(`somebody${n}`, "wrong"));
      await stream.receivesNext(failure("not-authorized"));
    }
    await stream.receives(policyViolation);
    assert.deepEqual(await stream.closed(), { clean: true });
  });

  test("is not what a client does that looks for a mechanism", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.opens();
    for (const hash of ["SHA-512", "SHA-256", "SHA-1"]) {
      for (const [suffix, flag] of [
        ["-PLUS", "p=tls-unique"],
        ["", "y"],
      ] as const) {
        stream.raw(auth(`SCRAM-${hash}${suffix}`, `${flag},,n=ana,r=abc`));
        assert.equal((await stream.receivesNext()).name, "failure");
      }
    }
    stream.raw(plain("ana", password));
    await stream.receivesNext(`<success xmlns='${NS.sasl}'/>`);
  });

  test("has an end where nothing is even tried", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.opens();
    for (let n = 0; n < 12; n += 1) {
      stream.raw(auth("NONE"));
      await stream.receivesNext(failure("invalid-mechanism"));
    }
    await stream.receives(policyViolation);
    assert.deepEqual(await stream.closed(), { clean: true });
  });

  test("at an account has it refuse the right password too, for a while", async (t) => {
    const ports = await openPorts(t);
    for (let n = 0; n < 7; n += 1) await tries(ports, { mechanism: "PLAIN", password: "wrong" });
    for (const mechanism of ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS"]) {
      const outcome = await tries(ports, { mechanism });
      assert.equal(children(outcome)[0]?.name, "temporary-auth-failure", mechanism);
    }
    assert.equal((await tries(ports, { username: "bob" })).name, "success");
  });

  test("at names that nobody has is slowed down in the same way", async (t) => {
    const ports = await openPorts(t);
    for (let n = 0; n < 7; n += 1) await tries(ports, { username: "nobody", mechanism: "PLAIN" });
    const outcome = await tries(ports, { username: "nobody" });
    assert.equal(children(outcome)[0]?.name, "temporary-auth-failure");
  });
});

test("what the server cannot check now may be tried again", async (t) => {
  const broken = () => Promise.reject(new Error("the disk is full"));
  const ports = await openPorts(t, { authenticator: { credentials: broken, admits: broken } });
  const { stream } = await ports.opens();
  for (const login of [plain("ana", password), auth("SCRAM-SHA-1", "n,,n=ana,r=abc")]) {
    stream.raw(login);
    await stream.receivesNext(failure("temporary-auth-failure"));
  }
  assert.match(ports.logged(), /the disk is full/);
});

test("the log tells who came and who failed, and no secrets", async (t) => {
  const ports = await openPorts(t);
  const { stream, full } = await ports.welcomes("ana", "phone");
  stream.sends(`<message to='${full}'><body>between us</body></message>`);
  await stream.receives("<message/>");
  await stream.ends();
  const outcome = await tries(ports, { mechanism: "PLAIN", password: "not my password" });
  assert.equal(outcome.name, "failure");
  const told = ports.log.map(({ msg, jid, local, address }) => [msg, jid ?? local, address]);
  assert.deepEqual(told, [
    ["logged in", full, "127.0.0.1"],
    ["logged out", full, "127.0.0.1"],
    ["login refused", "ana", "127.0.0.1"],
  ]);
  for (const secret of [password, "not my password", "between us"]) {
    assert(
      !ports.logged().includes(secret) && !ports.logged().includes(Buffer.from(secret).toString("base64")),
    );
  }
});
