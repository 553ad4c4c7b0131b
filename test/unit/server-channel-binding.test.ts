/** RFC 5929 §4.1: the hash of an end point is that of its certificate's signature. */
import assert from "node:assert";
import { createHash, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { generate } from "selfsigned";
import { endPointHash } from "../../src/server/channel-binding.ts";
import { derValues } from "../../src/server/der.ts";

for (const keyType of ["ec", "rsa"] as const) {
  for (const algorithm of ["sha256", "sha384", "sha512"] as const) {
    test(`a certificate signed with ${keyType} and ${algorithm}`, async () => {
      const { cert } = await generate([{ name: "commonName", value: "pipit.test" }], {
        keyType,
        algorithm,
        keySize: 2048,
      });
      const certificate = new X509Certificate(cert);
      const expected = createHash(algorithm).update(certificate.raw).digest();
      assert.deepEqual(endPointHash(certificate), expected);
    });
  }
}

/** The outline of a certificate: something signed, an algorithm, a signature. */
function outline(algorithm: string): X509Certificate {
  const sequence = (...parts: Buffer[]) => {
    const content = Buffer.concat(parts);
    return Buffer.concat([Buffer.from([0x30, content.length]), content]);
  };
  const identifier = Buffer.from(algorithm, "hex");
  const oid = Buffer.concat([Buffer.from([0x06, identifier.length]), identifier]);
  const raw = sequence(sequence(), sequence(oid), Buffer.from([0x03, 0x01, 0x00]));
  return { raw } as X509Certificate;
}

test("SHA-256 stands in for MD5 and SHA-1", () => {
  for (const algorithm of ["2a864886f70d010104", "2a864886f70d010105", "2a8648ce3d0401"]) {
    const certificate = outline(algorithm);
    const expected = createHash("sha256").update(certificate.raw).digest();
    assert.deepEqual(endPointHash(certificate), expected);
  }
});

test("a signature without a hash leaves nothing to bind to", () => {
  assert.equal(endPointHash(outline("2b6570")), undefined);
});

test("DER that ends too early is no endless loop", () => {
  for (const bad of ["30", "3005aa", "3082ff", "30ff00"]) {
    assert.throws(() => [...derValues(Buffer.from(bad, "hex"))], RangeError, bad);
  }
});
