/** RFC 5280 §4: what Node does not tell about a certificate, or only as text that somebody else has a part in. */
import type { X509Certificate } from "node:crypto";
import { derChildren, derValues } from "./der.ts";

/** Object identifiers of extensions (RFC 5280 §4.2.1): the content octets in hex. */
export const extensionIds = {
  keyUsage: "551d0f",
  subjectAltName: "551d11",
  basicConstraints: "551d13",
  nameConstraints: "551d1e",
  certificatePolicies: "551d20",
  policyMappings: "551d21",
  policyConstraints: "551d24",
  extKeyUsage: "551d25",
  inhibitAnyPolicy: "551d36",
} as const;

export interface Extension {
  readonly id: string;
  readonly critical: boolean;
  /** DER. */
  readonly value: Buffer;
}

/** Throws `RangeError` where the certificate is no DER. */
export function extensionsOf({ raw }: X509Certificate): Extension[] {
  const [certificate] = derValues(raw);
  const [signed] = derChildren(certificate);
  const tagged = derChildren(signed).find(({ tag }) => tag === 0xa3);
  const [list] = derChildren(tagged);
  return derChildren(list).map((extension) => {
    const parts = derChildren(extension);
    return {
      id: parts[0]?.content.toString("hex") ?? "",
      critical: parts.some(({ tag, content }) => tag === 0x01 && content[0] !== 0),
      value: parts.at(-1)?.content ?? Buffer.alloc(0),
    };
  });
}

/** Signature algorithms by object identifier that can be forged: MD5 and SHA-1. */
const weakSignatures = new Set([
  "2a864886f70d010104", // md5WithRSAEncryption
  "2a864886f70d010105", // sha1WithRSAEncryption
  "2a8648ce380403", // dsa-with-sha1
  "2a8648ce3d0401", // ecdsa-with-SHA1
]);

export function isSignedWeakly({ raw }: X509Certificate): boolean {
  const [certificate] = derValues(raw);
  const [, algorithm] = derChildren(certificate);
  return weakSignatures.has(derChildren(algorithm)[0]?.content.toString("hex") ?? "");
}

/** How many authorities may stand below one, as it says itself (RFC 5280 §4.2.1.9). */
export function pathLength(extensions: readonly Extension[]): number {
  const constraints = extensions.find(({ id }) => id === extensionIds.basicConstraints);
  const [sequence] = constraints ? derValues(constraints.value) : [];
  const limit = derChildren(sequence).find(({ tag }) => tag === 0x02);
  return limit ? Number.parseInt(limit.content.toString("hex"), 16) : Infinity;
}

/** Whether the key may prove who is there in a handshake (RFC 5280 §4.2.1.3, RFC 8446 §4.4.2.2). */
export function maySignHandshakes(extensions: readonly Extension[]): boolean {
  const usage = extensions.find(({ id }) => id === extensionIds.keyUsage);
  const [bits] = usage ? derValues(usage.value) : [];
  // The first octet of a bit string counts the unused bits at its end; digitalSignature is the first bit after it.
  return !bits || ((bits.content[1] ?? 0) & 0x80) !== 0;
}

export interface SubjectName {
  /** dNSName, iPAddress, SRVName (RFC 4985), XmppAddr (RFC 6120 §13.7.1.4). */
  readonly kind: "dns" | "ip" | "srv" | "xmpp";
  /** As it stands there; an address as the host of a URL is written. */
  readonly value: string;
}

/** Other names by object identifier: the content octets in hex. */
const otherNames: Readonly<Record<string, "srv" | "xmpp">> = {
  "2b06010505070807": "srv",
  "2b06010505070805": "xmpp",
};

/** The names in `subjectAltName` that can be those of a server; none where it cannot be read. */
export function subjectNames(certificate: X509Certificate): SubjectName[] {
  try {
    const extension = extensionsOf(certificate).find(({ id }) => id === extensionIds.subjectAltName);
    const [names] = extension ? derValues(extension.value) : [];
    return derChildren(names).flatMap((name): SubjectName[] => {
      switch (name.tag) {
        case 0x82:
          return [{ kind: "dns", value: name.content.toString("latin1") }];
        case 0x87:
          return [{ kind: "ip", value: addressOf(name.content) }];
        case 0xa0: {
          const [type, tagged] = derChildren(name);
          const [value] = derChildren(tagged);
          const kind = otherNames[type?.content.toString("hex") ?? ""];
          return kind && value ? [{ kind, value: value.content.toString() }] : [];
        }
        default:
          return [];
      }
    });
  } catch (error) {
    if (error instanceof RangeError) return [];
    throw error;
  }
}

/** RFC 5280 §4.2.1.6: four octets, or sixteen. */
function addressOf(octets: Buffer): string {
  if (octets.length === 4) return octets.join(".");
  return `[${(octets.toString("hex").match(/.{4}/g) ?? []).join(":")}]`;
}
