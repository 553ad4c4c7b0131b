/** XEP-0115 §5: verification strings. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { capsHash, isCapsAlgorithm } from "../../src/xmpp/caps.ts";
import { parseElement } from "../../src/xmpp/parser.ts";
import type { Element } from "../../src/xmpp/xml.ts";

const info = (...parts: string[]): Element =>
  parseElement(`<query xmlns='http://jabber.org/protocol/disco#info'>${parts.join("")}</query>`);
const features = ["caps", "disco#info", "disco#items", "muc"].map(
  (name) => `<feature var='http://jabber.org/protocol/${name}'/>`,
);
const form = (type: string, fields = "", attrs = "type='hidden'"): string =>
  `<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' ${attrs}>${type}</field>${fields}</x>`;
const value = (...values: string[]): string => values.map((one) => `<value>${one}</value>`).join("");

const exodus = info("<identity category='client' type='pc' name='Exodus 0.9.1'/>", ...features);

test("the simple example (§5.2), in whatever order", () => {
  assert.equal(capsHash(exodus, "sha-1"), "QgayPKawpkPSDYmwT/WM94uAlu0=");
  const shuffled = info(
    ...features.toReversed(),
    "<identity name='Exodus 0.9.1' type='pc' category='client'/>",
  );
  assert.equal(capsHash(shuffled, "sha-1"), "QgayPKawpkPSDYmwT/WM94uAlu0=");
});

const psi = [
  "<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>",
  "<identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>",
  ...features,
];
const software = `<field var='ip_version'>${value("ipv6", "ipv4")}</field><field var='software_version'>${value("0.11")}</field><field var='os'>${value("Mac")}</field><field var='os_version'>${value("10.5.1")}</field><field var='software'>${value("Psi")}</field>`;

test("the complex example (§5.3)", () => {
  const form1 = form(value("urn:xmpp:dataforms:softwareinfo"), software);
  assert.equal(capsHash(info(...psi, form1), "sha-1"), "q07IKJEyjvHSyhy//CH0CxmKi8w=");
  assert.equal(capsHash(info(form1, ...psi.toReversed()), "sha-1"), "q07IKJEyjvHSyhy//CH0CxmKi8w=");
});

test("other hash functions", () => {
  // printf 'client/pc//Exodus 0.9.1<http://jabber.org/protocol/caps<…<' | openssl dgst -sha256 -binary | base64
  assert.equal(capsHash(exodus, "sha-256"), "Wr6IGEKhx6b9627gBmi/cCmpxXBc/GYq5zWuYfWGWoc=");
  assert.equal(Buffer.from(capsHash(exodus, "sha-512") ?? "", "base64").length, 64);
  for (const hash of ["sha-1", "sha-256", "sha-512", "sha3-256"]) assert.equal(isCapsAlgorithm(hash), true);
  for (const hash of ["md5", "SHA-1", "", "constructor", "__proto__"])
    assert.equal(isCapsAlgorithm(hash), false);
});

test("forms without a hidden FORM_TYPE do not count (§5.4)", () => {
  const plain = capsHash(info(...psi), "sha-1");
  assert.equal(capsHash(info(...psi, form(value("t"), software, "")), "sha-1"), plain);
  assert.equal(
    capsHash(info(...psi, `<x xmlns='jabber:x:data' type='result'>${software}</x>`), "sha-1"),
    plain,
  );
  assert.notEqual(capsHash(info(...psi, form(value("t"))), "sha-1"), plain);
  assert.equal(
    capsHash(info(...psi, form(value("t", "t"))), "sha-1"),
    capsHash(info(...psi, form(value("t"))), "sha-1"),
  );
});

test("sorted by octets, not by UTF-16 units", () => {
  const one = "<feature var='\uffee'/>";
  const two = "<feature var='😀'/>";
  // printf '\xef\xbf\xae<\xf0\x9f\x98\x80<' | openssl dgst -sha1 -binary | base64
  assert.equal(capsHash(info(two, one), "sha-1"), "dSX/grY6fOoRgz5tKJZjhrNicro=");
});

test("ill-formed information has no hash (§5.4)", () => {
  const identity = psi[0]!;
  const ill = [
    [identity, identity],
    [features[0]!, features[0]!],
    [form(value("t")), form(value("t"))],
    [form(value("t", "u"))],
    // What would have the same hash as other information.
    ["<feature var='a&lt;b'/>"],
    ["<identity category='client' type='pc' name='a&lt;b'/>"],
    ["<identity category='client/pc' type='' name='a'/>"],
    [form(value("t"), `<field var='a'>${value("b&lt;c")}</field>`)],
  ];
  for (const parts of ill) assert.equal(capsHash(info(...parts), "sha-1"), undefined, parts.join(""));
});
