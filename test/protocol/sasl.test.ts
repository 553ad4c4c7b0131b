/** RFC 6120 §6, RFC 5802, 7677, 9266, 5929, XEP-0440: logging in. */
import assert from "node:assert";
import { test } from "node:test";
import { openPorts } from "../support/c2s.ts";
import { mechanismsOf } from "../support/sasl-client.ts";

for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
  for (const bindTo of ["tls-exporter", "tls-server-end-point"] as const) {
    for (const hash of ["SHA-1", "SHA-256", "SHA-512"]) {
      test(`SCRAM-${hash}-PLUS over ${maxVersion}, bound to ${bindTo}`, async (t) => {
        const ports = await openPorts(t);
        const stream = await ports.admits({ mechanism: `SCRAM-${hash}-PLUS`, bindTo }, { maxVersion });
        assert.match(await stream.binds(), /^ana@pipit\.test\/.+/);
      });
    }
  }
}

test("nothing but STARTTLS is offered in the clear", async (t) => {
  const ports = await openPorts(t);
  const { stream, features } = await ports.opens("none");
  assert.deepEqual(mechanismsOf(features), []);
  await stream.secures();
  await stream.opens();
});
