/** RFC 5280 §6: which certificates of other servers are believed, at either end of a connection. */
import assert from "node:assert";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { describe, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { Extension, KeyUsageFlags } from "@peculiar/x509";
import { chainFault, TrustedRoots } from "../../src/server/certificate-chain.ts";
import type { PeerTrust } from "../../src/server/s2s-certificate.ts";
import { ServerTls } from "../../src/server/tls.ts";
import { subjectNames } from "../../src/server/x509.ts";
import {
  createAuthority,
  der,
  type Authority,
  type AuthorityContent,
  type CertificateContent,
} from "../support/authority.ts";
import { certificateFor, type Certificate } from "../support/certificate.ts";
import { connection, handshake } from "../support/peers.ts";

const authority = await createAuthority();

const day = 86_400_000;
const at = (offset: number) => new Date(Date.now() + offset);
const names = ["montague.example"];
const expired = { notBefore: at(-2 * day), notAfter: at(-day) };
const early = { notBefore: at(day), notAfter: at(2 * day) };
const constraint = (name: string, critical: boolean) =>
  new Extension("2.5.29.30", critical, der(0x30, der(0xa0, der(0x30, der(0x82, Buffer.from(name))))));
const unknown = new Extension("1.2.3.4", true, der(0x05));
const stranger = await createAuthority();
const impostor = await createAuthority({ name: authority.name });
const withoutRest = ({ cert, key }: Certificate) => ({
  cert: cert.replace(/(?<=-----END CERTIFICATE-----\n)[^]*/, ""),
  key,
});

type Issue = (content: CertificateContent) => Promise<Certificate>;
const below =
  (above: Authority, content?: AuthorityContent): Issue =>
  async (server) =>
    (await above.subordinate(content)).issue({ names, ...server });
const serverOnly = { purposes: ["serverAuth"] } as const;
const both = { purposes: ["serverAuth", "clientAuth"] } as const;

const good: Record<string, Issue> = {
  "of the trusted authority": (content) => authority.issue({ names, ...content }),
  "for another name, which is asked elsewhere": (content) =>
    authority.issue({ names: ["a.example"], ...content }),
  "without any purpose": () => authority.issue({ names, purposes: undefined }),
  "of an authority below the trusted one": below(authority),
  "of an authority that is for servers only": below(authority, serverOnly),
  "with the root beside it": async (content) => {
    const { cert, key } = await below(authority)(content);
    return { cert: cert + authority.ca, key };
  },
};
// Node ends a connection to itself over a signature that is none; whether before it is asked is left to chance.
const forged = /not trusted here$|certificate signature failure$|^is gone with its connection$/;
const untrusted = /^was issued by an authority that is not trusted here$/;
const bad: Record<string, [Issue, RegExp]> = {
  "that has expired": [(content) => authority.issue({ names, ...expired, ...content }), /^has expired/],
  "that is not valid yet": [
    (content) => authority.issue({ names, ...early, ...content }),
    /^is not valid yet/,
  ],
  "of an unknown authority": [(content) => stranger.issue({ names, ...content }), untrusted],
  "of an authority with the name of the trusted one": [
    (content) => impostor.issue({ names, ...content }),
    forged,
  ],
  "of an authority with the name of the trusted one, that shows itself": [
    async (content) => {
      const { cert, key } = await impostor.issue({ names, ...content });
      return { cert: cert + impostor.ca, key };
    },
    forged,
  ],
  "of an authority below an unknown one": [below(stranger), untrusted],
  "of an unknown authority, and expired": [
    (content) => stranger.issue({ names, ...expired, ...content }),
    /^has expired|not trusted here$/,
  ],
  "of an unknown authority, with the trusted root beside it": [
    async (content) => {
      const { cert, key } = await stranger.issue({ names, ...content });
      return { cert: cert + authority.ca, key };
    },
    untrusted,
  ],
  "without the authority in between": [
    async (content) => withoutRest(await below(authority)(content)),
    untrusted,
  ],
  "of an authority that has expired": [below(authority, expired), /expired/],
  "of an authority that is not valid yet": [below(authority, early), /not valid yet/],
  "of somebody who is no authority": [below(authority, { isAuthority: false }), /may not issue it$/],
  "of an authority that is for mail only": [
    below(authority, { purposes: ["emailProtection"] }),
    /^was issued by an authority whose certificate is not for servers$/,
  ],
  "of an authority below one that may have none below it": [
    async (content) => below(await authority.subordinate({ pathLength: 0 }))(content),
    /may not issue it$|path length constraint exceeded/,
  ],
  "of an authority for other names": [
    below(authority, { extensions: [constraint("verona.example", true)] }),
    /critical extension|permitted subtree violation/,
  ],
  "of an authority that says less loudly that it is for other names": [
    below(authority, { extensions: [constraint("verona.example", false)] }),
    /limited to certain names|permitted subtree violation/,
  ],
  "with a critical extension that nobody knows": [
    (content) => authority.issue({ names, extensions: [unknown], ...content }),
    /critical extension/,
  ],
  "of an authority with a critical extension that nobody knows": [
    below(authority, { extensions: [unknown] }),
    /critical extension/,
  ],
};

const capulet = new ServerTls({
  ...(await authority.issue({ names: ["capulet.example"] })),
  ca: authority.ca,
});
const roots = new TrustedRoots(authority.ca);
const presented = ({ cert }: Certificate) =>
  (cert.match(/-----BEGIN[^]+?-----END CERTIFICATE-----/g) ?? []).map((pem) => new X509Certificate(pem));

/** What Capulet thinks of a certificate: of one that connects, and of one that is connected to. */
async function judged(certificate: Certificate): Promise<PeerTrust[]> {
  const peer = new ServerTls(certificate);
  const { incoming } = await handshake(peer, capulet);
  const { outgoing } = await handshake(capulet, peer);
  return [incoming.trust(), outgoing.trust()];
}

describe("a certificate that is believed, for servers only or for clients too:", () => {
  for (const [what, issue] of Object.entries(good)) {
    test(what, async () => {
      for (const purposes of [serverOnly, both]) {
        const certificate = await issue(purposes);
        const own = subjectNames(presented(certificate)[0]!);
        for (const trust of await judged(certificate)) {
          assert.deepEqual(trust, { fault: undefined, names: own });
        }
        assert.equal(chainFault(presented(certificate), roots, Date.now()), undefined);
      }
    });
  }
});

describe("a certificate that is not believed, for servers only or for clients too:", () => {
  for (const [what, [issue, fault]] of Object.entries(bad)) {
    test(what, async () => {
      for (const purposes of [serverOnly, both]) {
        const certificate = await issue(purposes);
        for (const trust of await judged(certificate)) assert.match(trust.fault ?? "", fault);
        assert.match(chainFault(presented(certificate), roots, Date.now()) ?? "", fault);
      }
    });
  }

  test("for clients only, where a server shows it", async () => {
    const certificate = await authority.issue({ names, purposes: ["clientAuth"] });
    const [, outgoing] = await judged(certificate);
    assert.equal(outgoing?.fault, "is not for servers");
  });

  test("self-signed", async () => {
    const certificate = await certificateFor("montague.example");
    for (const { fault } of await judged(certificate)) assert.equal(fault, "is self-signed");
  });

  // OpenSSL would not even show this one, and may not the next.
  test("of an authority that is signed with SHA-1", async () => {
    const certificate = await below(authority, { hash: "SHA-1" })(serverOnly);
    assert.match(chainFault(presented(certificate), roots, Date.now()) ?? "", /algorithm that is broken/);
  });

  test("with a key that is not for signatures", async () => {
    const keyUsage = KeyUsageFlags.keyEncipherment;
    const certificate = await authority.issue({ names, keyUsage, ...serverOnly });
    assert.equal(chainFault(presented(certificate), roots, Date.now()), "has a key that is not for TLS");
  });

  test("none", async () => {
    const [near, far] = await connection();
    const { socket, trust } = capulet.wrapPeer(far);
    connectTls({ socket: near, rejectUnauthorized: false });
    await once(socket, "secure");
    assert.deepEqual(trust(), { fault: "was not presented", names: [] });
  });
});

test("asked twice, the same is said; once the connection is over, nothing is believed any more", async () => {
  const montague = new ServerTls(await below(authority)(serverOnly));
  const { incoming } = await handshake(montague, capulet);
  assert.equal(incoming.trust().fault, undefined);
  assert.deepEqual(incoming.trust(), incoming.trust());
  incoming.socket.destroy();
  await once(incoming.socket, "close");
  assert.deepEqual(incoming.trust(), { fault: "is gone with its connection", names: [] });
});
