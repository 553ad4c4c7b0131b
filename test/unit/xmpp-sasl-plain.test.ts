/** RFC 4616, 4013, 4648: PLAIN, prepared strings and strict base64. */
import assert from "node:assert";
import { test } from "node:test";
import { SaslError } from "../../src/xmpp/errors.ts";
import { decodeBase64 } from "../../src/xmpp/sasl/base64.ts";
import { PlainExchange } from "../../src/xmpp/sasl/plain.ts";
import { saslprep } from "../../src/xmpp/sasl/saslprep.ts";
import { deriveCredentials } from "../../src/xmpp/sasl/scram.ts";

const credentials = await deriveCredentials("tanstaaftanstaaf", "SHA-256", Buffer.from("salt"), 4096);

const plain = (message: string | Buffer) =>
  new PlainExchange(async (local, hash) => ({ credentials, hash, known: local === "tim" })).respond(
    Buffer.from(message),
  );

test("PLAIN knows who it is, whatever the case of the name", async () => {
  assert.deepEqual(await plain("\0tim\0tanstaaftanstaaf"), {
    local: "tim",
    authzid: undefined,
    credential: "password",
  });
  assert.deepEqual(await plain("Ursel\0TIM\0tanstaaftanstaaf"), {
    local: "tim",
    authzid: "Ursel",
    credential: "password",
  });
});

test("PLAIN takes the verifier of another hash where there is no other", async () => {
  const old = await deriveCredentials("secret", "SHA-1", Buffer.from("salt"), 4096);
  const exchange = new PlainExchange(async (_local, hash, orOther) =>
    orOther ? { credentials: old, hash: "SHA-1", known: true } : { credentials, hash, known: false },
  );
  assert.deepEqual(await exchange.respond(Buffer.from("\0tim\0secret")), {
    local: "tim",
    authzid: undefined,
    credential: "password",
  });
});

test("PLAIN tells the owner of a disabled account, and nobody else, that it is", async () => {
  const tries = (password: string) =>
    new PlainExchange(async (_local, hash) => ({ credentials, hash, known: true, disabled: true })).respond(
      Buffer.from(`\0tim\0${password}`),
    );
  const refusal = (condition: string) => (error: unknown) =>
    error instanceof SaslError && error.condition === condition;
  await assert.rejects(tries("tanstaaftanstaaf"), refusal("account-disabled"));
  await assert.rejects(tries("wrong"), refusal("not-authorized"));
});

test("PLAIN refuses a wrong password, an unknown name and a name that nobody can have", async () => {
  for (const message of ["\0tim\0tanstaaf", "\0tom\0tanstaaftanstaaf", "\0t@m\0x", "\0tim\0\u0007"]) {
    await assert.rejects(plain(message), { condition: "not-authorized" });
  }
});

test("PLAIN refuses what has not its shape", async () => {
  const bad = [
    "",
    "tim",
    "\0tim",
    "\0tim\0",
    "\0\0secret",
    "\0tim\0sec\0ret",
    Buffer.from([0, 0xff, 0, 0x41]),
  ];
  for (const message of bad) await assert.rejects(plain(message), { condition: "malformed-request" });
});

test("strings are prepared as in the examples of RFC 4013 §3", () => {
  assert.equal(saslprep("I\u00adX"), "IX");
  assert.equal(saslprep("user"), "user");
  assert.equal(saslprep("USER"), "USER");
  assert.equal(saslprep("\u00aa"), "a");
  assert.equal(saslprep("\u2168"), "IX");
  assert.equal(saslprep("\u0007"), undefined);
});

test("what is prohibited is refused, and what only looks odd is not", () => {
  for (const bad of [
    "",
    "x".repeat(1_025),
    "\u00ad",
    "a\u0000",
    "a\u007f",
    "\ue000",
    "\ufffe",
    "\ud800",
    "\u202e",
    "\ufffd",
  ]) {
    assert.equal(saslprep(bad), undefined, JSON.stringify(bad));
  }
  assert.equal(saslprep("Ärger im Büro"), "Ärger im Büro".normalize("NFKC"));
  assert.equal(saslprep("a\u3000b"), "a b");
  assert.equal(saslprep("🦊 सत्य"), "🦊 सत्य");
});

test("base64 is canonical or refused", () => {
  assert.deepEqual(decodeBase64("AGFuYQ=="), Buffer.from("\0ana"));
  assert.deepEqual(decodeBase64(""), Buffer.alloc(0));
  for (const bad of [
    "AGFuYQ",
    "AGFuYQ=",
    "AGFu\nYQ==",
    " AGFu",
    "AGFuYR==",
    "A",
    "_-_-",
    "AGFu=YQ=",
    "äöü",
    "====",
  ]) {
    assert.throws(() => decodeBase64(bad), { condition: "incorrect-encoding" }, bad);
  }
});
