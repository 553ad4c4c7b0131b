/** RFC 5802 §5 and RFC 7677 §3: the examples of the RFCs, and what SCRAM must refuse. */
import assert from "node:assert";
import { describe, test } from "node:test";
import { SaslError, type SaslCondition } from "../../src/xmpp/errors.ts";
import type { Lookup } from "../../src/xmpp/sasl/exchange.ts";
import { ScramExchange, type ScramOptions } from "../../src/xmpp/sasl/scram-exchange.ts";
import { deriveCredentials, type ScramHash } from "../../src/xmpp/sasl/scram.ts";
import { ScramClient } from "../support/sasl-client.ts";

const vectors: Record<string, Record<"salt" | "client" | "server" | "first" | "final" | "last", string>> = {
  "SHA-1": {
    salt: "QSXCR+Q6sek8bf92",
    client: "fyko+d2lbbFgONRv9qkxdawL",
    server: "3rfcNHYJY1ZVvWVs7j",
    first: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
    final: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    last: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
  },
  "SHA-256": {
    salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
    client: "rOprNGfwEbeRWgbNEkqO",
    server: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    first: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    final:
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    last: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
  },
};

for (const [hash, vector] of Object.entries(vectors) as [ScramHash, (typeof vectors)[string]][]) {
  test(`the SCRAM-${hash} example`, async () => {
    const credentials = await deriveCredentials("pencil", hash, Buffer.from(vector.salt, "base64"), 4096);
    const lookup: Lookup = async () => ({ credentials, hash, known: true });
    const nonce = vector.server;
    const exchange = new ScramExchange({ hash, plus: false, bindings: new Map(), lookup, nonce });
    assert.deepEqual(await exchange.respond(Buffer.from(`n,,n=user,r=${vector.client}`)), {
      challenge: Buffer.from(vector.first),
    });
    assert.deepEqual(await exchange.respond(Buffer.from(vector.final)), {
      local: "user",
      authzid: undefined,
      credential: "password",
      final: Buffer.from(vector.last),
    });
  });

  test(`the tests' own SCRAM-${hash} client makes the same proof`, () => {
    const client = new ScramClient({
      mechanism: `SCRAM-${hash}`,
      username: "user",
      password: "pencil",
      nonce: vector.client,
    });
    assert.equal(client.first(), `n,,n=user,r=${vector.client}`);
    assert.equal(client.final(vector.first), vector.final);
    assert(client.verifies(vector.last));
  });
}

test("what is no password has no verifier", async () => {
  for (const password of ["", "tab\there", "\u0007"]) {
    await assert.rejects(deriveCredentials(password, "SHA-1"), { condition: "not-acceptable" });
  }
});

const data = Buffer.from("the channel");
const bindings = new Map([["tls-exporter", () => data]]);

async function exchangeWith(options: Partial<ScramOptions>): Promise<ScramExchange> {
  const credentials = await deriveCredentials("pencil", "SHA-256", Buffer.from("salt"), 4096);
  const lookup: Lookup = async (local, hash) => ({ credentials, hash, known: local === "user" });
  return new ScramExchange({ hash: "SHA-256", plus: false, bindings: new Map(), lookup, ...options });
}

const fails = (work: Promise<unknown>, condition: SaslCondition) =>
  assert.rejects(work, (error) => error instanceof SaslError && error.condition === condition);

describe("a first message is refused", () => {
  const cases: [string, string, Partial<ScramOptions>, SaslCondition][] = [
    ["that is empty", "", {}, "malformed-request"],
    ["without a GS2 header", "n=user,r=abc", {}, "malformed-request"],
    ["with an unknown flag", "x,,n=user,r=abc", {}, "malformed-request"],
    ["without a nonce", "n,,n=user", {}, "malformed-request"],
    ["with an empty nonce", "n,,n=user,r=", {}, "malformed-request"],
    ["without a name", "n,,n=,r=abc", {}, "malformed-request"],
    ["with a mandatory extension", "n,,m=what,n=user,r=abc", {}, "malformed-request"],
    ["with a bad escape in the name", "n,,n=us=2Der,r=abc", {}, "malformed-request"],
    ["whose name can be nobody's", "n,,n=a@b,r=abc", {}, "not-authorized"],
    [
      "that binds without a -PLUS mechanism",
      "p=tls-exporter,,n=user,r=abc",
      { bindings },
      "malformed-request",
    ],
    ["that does not bind with one", "n,,n=user,r=abc", { bindings, plus: true }, "malformed-request"],
    [
      "that binds to what was not offered",
      "p=tls-unique,,n=user,r=abc",
      { bindings, plus: true },
      "malformed-request",
    ],
    // RFC 5802 §6: somebody took the -PLUS mechanisms out of what the server offered.
    ["whose sender was told that we cannot bind", "y,,n=user,r=abc", { bindings }, "not-authorized"],
  ];
  for (const [what, message, options, condition] of cases) {
    test(what, async () => fails((await exchangeWith(options)).respond(Buffer.from(message)), condition));
  }
  test("that is no UTF-8", async () => {
    const exchange = await exchangeWith({});
    await fails(exchange.respond(Buffer.from([0x6e, 0x2c, 0x2c, 0xff])), "malformed-request");
  });
});

describe("the last message", () => {
  async function finish(
    change: (final: string) => string,
    settings: { username?: string; password?: string; flag?: "n" | "y" } = {},
  ): Promise<void> {
    const client = new ScramClient({
      mechanism: "SCRAM-SHA-256",
      username: "user",
      password: "pencil",
      ...settings,
    });
    const exchange = await exchangeWith({});
    const step = await exchange.respond(Buffer.from(client.first()));
    assert("challenge" in step);
    await exchange.respond(Buffer.from(change(client.final(step.challenge.toString()))));
  }

  test("is taken as it should be", () => finish((final) => final));
  test("is taken from a client that could bind where the server cannot", () =>
    finish((final) => final, { flag: "y" }));
  test("is read with an extension that is not mandatory, which the proof must cover", () =>
    fails(
      finish((final) => final.replace(",p=", ",x=later,p=")),
      "not-authorized",
    ));
  test("is refused with a wrong password", () =>
    fails(
      finish((f) => f, { password: "pencils" }),
      "not-authorized",
    ));
  test("is refused for an unknown name", () =>
    fails(
      finish((f) => f, { username: "usher" }),
      "not-authorized",
    ));
  test("is refused with another nonce", () =>
    fails(
      finish((final) => final.replace(/,r=./, ",r=~")),
      "not-authorized",
    ));
  test("is refused with the client's nonce alone", () =>
    fails(
      finish((final) => final.replace(/r=[^,]{24}[^,]*/, (r) => r.slice(0, 26))),
      "not-authorized",
    ));
  test("is refused with another GS2 header", () =>
    fails(
      finish((final) => final.replace("c=biws", "c=eSws")),
      "not-authorized",
    ));
  test("is refused with a proof that is no base64", () =>
    fails(
      finish((final) => final.replace(/p=../, "p==.")),
      "malformed-request",
    ));
  test("is refused with a proof too short", () =>
    fails(
      finish((final) => final.replace(/p=.*/, "p=AAAA")),
      "not-authorized",
    ));
  test("is refused without a proof", () =>
    fails(
      finish((final) => final.replace(/,p=.*/, "")),
      "malformed-request",
    ));
});

test("a -PLUS login is bound to its channel", async () => {
  const login = async (own: Buffer) => {
    const exchange = await exchangeWith({ plus: true, bindings });
    const client = new ScramClient({
      mechanism: "SCRAM-SHA-256-PLUS",
      username: "user",
      password: "pencil",
      authzid: "user@a,b=c",
      binding: { type: "tls-exporter", data: own },
    });
    const step = await exchange.respond(Buffer.from(client.first()));
    assert("challenge" in step);
    const last = await exchange.respond(Buffer.from(client.final(step.challenge.toString())));
    assert("final" in last && last.final && client.verifies(last.final.toString()));
    return last;
  };
  assert.equal((await login(data)).authzid, "user@a,b=c");
  await fails(login(Buffer.from("another channel")), "not-authorized");
});
