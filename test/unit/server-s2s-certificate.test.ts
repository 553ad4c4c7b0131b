/** RFC 6120 §13.7, RFC 9525 §6: whose certificate it is. */
import assert from "node:assert";
import { X509Certificate } from "node:crypto";
import { describe, test } from "node:test";
import { Extension } from "@peculiar/x509";
import { identifies } from "../../src/server/s2s-certificate.ts";
import { subjectNames } from "../../src/server/x509.ts";
import { createAuthority, der, type CertificateContent } from "../support/authority.ts";

const authority = await createAuthority();

describe("a certificate", () => {
  const cases: [CertificateContent, Record<string, boolean>][] = [
    [
      { names: ["montague.example"] },
      {
        "montague.example": true,
        "conference.montague.example": false,
        "ontague.example": false,
        "montague.example.evil.example": false,
        example: false,
      },
    ],
    [{ names: ["Montague.EXAMPLE"] }, { "montague.example": true }],
    [
      { names: ["*.montague.example"] },
      {
        "conference.montague.example": true,
        "montague.example": false,
        "a.b.montague.example": false,
        ".montague.example": false,
        "conferencemontague.example": false,
      },
    ],
    // RFC 9525 §6.3: only the whole left-most label.
    [
      { names: ["con*.montague.example", "a.*.example", "*", "**.example", "*."] },
      {
        "conference.montague.example": false,
        "a.montague.example": false,
        localhost: false,
        "b.example": false,
      },
    ],
    [{ names: ["xn--bcher-kva.example"] }, { "bücher.example": true, "bucher.example": false }],
    [{ names: ["*.xn--bcher-kva.example"] }, { "feeds.bücher.example": true, "bücher.example": false }],
    [
      { srvNames: ["_xmpp-server.montague.example"] },
      { "montague.example": true, "feeds.montague.example": false, "_xmpp-server.montague.example": false },
    ],
    [{ srvNames: ["_xmpp-client.montague.example"] }, { "montague.example": false }],
    [{ srvNames: ["_xmpp-server.*.example"] }, { "montague.example": false, a: false }],
    [{ xmppAddrs: ["bücher.example"] }, { "bücher.example": true }],
    [
      { xmppAddrs: ["romeo@montague.example", "capulet.example/x", "verona.example:80", "*.verona.example"] },
      {
        "montague.example": false,
        "capulet.example": false,
        "verona.example": false,
        "a.verona.example": false,
      },
    ],
    // RFC 9525 §2: no common name, whatever it looks like.
    [{ commonName: "montague.example" }, { "montague.example": false }],
    [{ commonName: "montague.example", names: ["capulet.example"] }, { "montague.example": false }],
    // Node CVE-2021-44532: one name that reads like two where names are written as text.
    [
      {
        names: [
          'a.example", DNS:"montague.example',
          "b.example, DNS:montague.example",
          "montague.example\0.c",
        ],
      },
      { "montague.example": false },
    ],
    [
      { addresses: ["192.0.2.1"], names: ["*.0.2.2", "192.0.2.3"] },
      { "192.0.2.1": true, "192.0.2.2": false, "192.0.2.3": false, "[2001:db8::1]": false },
    ],
    [
      { addresses: ["2001:db8:0:0:0:0:0:1"] },
      { "[2001:db8::1]": true, "[2001:db8::2]": false, "2001:db8::1": false, "192.0.2.1": false },
    ],
  ];
  for (const [content, expected] of cases) {
    test(`with ${JSON.stringify(content)}`, async () => {
      const { cert } = await authority.issue(content);
      const names = subjectNames(new X509Certificate(cert));
      const said = Object.keys(expected).map((domain) => [domain, identifies(names, domain)]);
      assert.deepEqual(Object.fromEntries(said), expected);
    });
  }

  test("whose names cannot be read has none", async () => {
    const broken = new Extension("2.5.29.17", false, der(0x30, Buffer.from([0x82, 0x7f, 0x61])));
    const { cert } = await authority.issue({ extensions: [broken] });
    assert.deepEqual(subjectNames(new X509Certificate(cert)), []);
  });
});
