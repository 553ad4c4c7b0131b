/** The setting `tls.ca`: roots beside Node's own, or one plain line of what is wrong with the file. */
import assert from "node:assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { loadCertificate } from "../../src/certificate.ts";
import { completeConfig } from "../../src/config.ts";
import { createAuthority } from "../support/authority.ts";

const folder = mkdtempSync(join(tmpdir(), "pipit-certificate-"));
after(() => rmSync(folder, { recursive: true }));
const authority = await createAuthority();

const load = (ca: string) => loadCertificate(completeConfig({ data: folder, tls: { ca } }, folder));

test("the roots of the file", async () => {
  writeFileSync(join(folder, "roots.pem"), authority.ca);
  assert.equal((await load("roots.pem")).ca, authority.ca);
});

test("none where none is set", async () => {
  assert.equal((await loadCertificate(completeConfig({ data: folder }, folder))).ca, undefined);
});

const faults: [string, string | undefined, RegExp][] = [
  ["a file that is not there", undefined, /^tls\.ca: .*bad\.pem cannot be read \(ENOENT\)$/],
  ["a file without certificates", "hello", /^tls\.ca: there is no certificate .*bad\.pem\)$/],
  [
    "a certificate that is damaged",
    authority.ca.replace("MII", "MMM"),
    /^tls\.ca: .*cannot be read .*bad\.pem\)$/,
  ],
];
for (const [what, text, message] of faults) {
  test(what, async () => {
    if (text !== undefined) writeFileSync(join(folder, "bad.pem"), text);
    await assert.rejects(load("bad.pem"), { message });
  });
}
