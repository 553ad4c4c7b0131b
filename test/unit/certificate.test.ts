/** The certificate: a pair made once, or the operator's, and what is said of one that cannot be used. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createSecureContext } from "node:tls";
import { loadCertificate } from "../../src/certificate.ts";
import { completeConfig, type ConfigInput } from "../../src/config.ts";

function configIn(t: TestContext, input: ConfigInput = {}) {
  const folder = mkdtempSync(join(tmpdir(), "pipit-certificate-"));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "data"));
  return (more: ConfigInput = {}) => completeConfig({ ...input, ...more }, folder);
}

test("a self-signed pair names the domain and its parts, and is for servers", async (t) => {
  const config = configIn(t, { domain: "bücher.example" });
  const { cert, key, selfSigned } = await loadCertificate(config());
  createSecureContext({ cert, key });
  const certificate = new X509Certificate(cert);
  assert.equal(selfSigned, true);
  for (const part of ["", "conference.", "pubsub.", "comments.", "upload.", "feeds."]) {
    assert.notEqual(certificate.checkHost(`${part}xn--bcher-kva.example`), undefined, part);
  }
  assert.equal(certificate.checkHost("other.example"), undefined);
  assert.equal(certificate.ca, false);
  assert(certificate.verify(certificate.publicKey));
  assert(Date.parse(certificate.validTo) > Date.now() + 9 * 365 * 86_400_000);
});

test("its key is readable by nobody else", async (t) => {
  const config = configIn(t);
  await loadCertificate(config());
  assert.equal(statSync(join(config().data, "self-signed.key")).mode & 0o777, 0o600);
});

for (const domain of ["localhost", "bücher.example", "192.0.2.1", "[2001:db8::1]"]) {
  test(`the pair of ${domain} stays the same, as clients have pinned it`, async (t) => {
    const config = configIn(t, { domain });
    const first = await loadCertificate(config());
    assert.deepEqual(await loadCertificate(config()), first);
  });
}

test("another domain gets another pair", async (t) => {
  const config = configIn(t, { domain: "localhost" });
  const first = await loadCertificate(config());
  const second = await loadCertificate(config({ domain: "example.org" }));
  assert.notEqual(second.cert, first.cert);
  assert.notEqual(new X509Certificate(second.cert).checkHost("example.org"), undefined);
});

test("half a pair, or a broken one, is made anew", async (t) => {
  const config = configIn(t);
  const first = await loadCertificate(config());
  rmSync(join(config().data, "self-signed.key"));
  const second = await loadCertificate(config());
  assert.notEqual(second.cert, first.cert);
  writeFileSync(join(config().data, "self-signed.pem"), first.cert);
  const third = await loadCertificate(config());
  createSecureContext(third);
  assert.notEqual(third.cert, first.cert);
});

test("the operator's pair is taken as it is, and one that is none is refused in plain words", async (t) => {
  const config = configIn(t);
  const own = await loadCertificate(config());
  const other = await loadCertificate(config({ domain: "example.org" }));
  const { data } = config();
  const write = (name: string, text: string) => writeFileSync(join(data, name), text);
  const at = (cert: string, key: string) =>
    loadCertificate(config({ tls: { cert: join(data, cert), key: join(data, key) } }));
  write("own.pem", own.cert);
  write("own.key", own.key);
  write("other.key", other.key);
  write("text", "text");
  assert.deepEqual(await at("own.pem", "own.key"), {
    cert: own.cert,
    key: own.key,
    file: join(data, "own.pem"),
    selfSigned: false,
    ca: undefined,
  });
  await assert.rejects(at("own.pem", "other.key"), /the key belongs to another certificate/);
  await assert.rejects(at("text", "own.key"), /there is no certificate in the file/);
  await assert.rejects(at("own.pem", "text"), /there is no private key/);
  await assert.rejects(at("none", "own.key"), /tls\.cert: .*none cannot be read \(ENOENT\)/);
});
