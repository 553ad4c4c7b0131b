/**
 * RFC 5280 §6, for one case: OpenSSL asks of who connects to us that the certificate be for clients, which public
 * authorities no longer issue, and says `INVALID_PURPOSE` in place of whatever else is wrong with the chain. This
 * looks again, with the purpose of a server. Where it knows less than OpenSSL does, it refuses.
 */
import { X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";
import { extensionIds, extensionsOf, isSignedWeakly, maySignHandshakes, pathLength } from "./x509.ts";

/** Real chains have two or three certificates. */
const maxLength = 8;

/** The authorities that are trusted: Node's own, and the operator's. */
export class TrustedRoots {
  /** What a TLS context is given; `undefined` leaves it with Node's own. */
  readonly pem: string[] | undefined;
  readonly #extra: readonly X509Certificate[];
  #bySubject: Map<string, X509Certificate[]> | undefined;

  /** Throws where the extra roots (PEM) are none. */
  constructor(extra?: string) {
    const blocks = extra?.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
    if (extra !== undefined && blocks.length === 0) throw new Error("there is no certificate in the file");
    this.#extra = blocks.map((block) => new X509Certificate(block));
    this.pem = extra === undefined ? undefined : [...rootCertificates, ...blocks];
  }

  has(certificate: X509Certificate): boolean {
    return this.#named(certificate.subject).some((root) => root.raw.equals(certificate.raw));
  }

  issuerOf(certificate: X509Certificate): X509Certificate | undefined {
    return this.#named(certificate.issuer).find((root) => hasIssued(root, certificate));
  }

  #named(subject: string): readonly X509Certificate[] {
    this.#bySubject ??= bySubject([
      ...rootCertificates.map((pem) => new X509Certificate(pem)),
      ...this.#extra,
    ]);
    return this.#bySubject.get(subject) ?? [];
  }
}

function bySubject(certificates: readonly X509Certificate[]): Map<string, X509Certificate[]> {
  const groups = new Map<string, X509Certificate[]>();
  for (const certificate of certificates) {
    const group = groups.get(certificate.subject);
    if (group) group.push(certificate);
    else groups.set(certificate.subject, [certificate]);
  }
  return groups;
}

const hasIssued = (issuer: X509Certificate, certificate: X509Certificate): boolean =>
  certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);

/**
 * Why the first certificate of what a peer presented is not to be trusted as a server's at this time (milliseconds);
 * `undefined` where it is. Names are not looked at.
 */
export function chainFault(
  presented: readonly X509Certificate[],
  roots: TrustedRoots,
  now: number,
): string | undefined {
  try {
    const chain = chainOf(presented, roots);
    if (!chain) return "was issued by an authority that is not trusted here";
    // What a root is signed with proves nothing, and need not.
    if (chain.slice(0, -1).some(isSignedWeakly)) return "is signed with an algorithm that is broken";
    return chain.map((certificate, depth) => certificateFault(certificate, depth, now)).find(Boolean);
  } catch {
    // OpenSSL has read them all; what we cannot read is not what we know how to judge.
    return "cannot be read";
  }
}

/** From the first one up to a trusted root; `undefined` where none is reached. */
function chainOf(presented: readonly X509Certificate[], roots: TrustedRoots): X509Certificate[] | undefined {
  const chain = presented.slice(0, 1);
  const left = new Set(presented.slice(1));
  for (let last = chain[0]; last && chain.length < maxLength; last = chain.at(-1)) {
    if (roots.has(last)) return chain;
    const subject = last;
    const root = roots.issuerOf(subject);
    if (root) return [...chain, root];
    const issuer = [...left].find((other) => hasIssued(other, subject));
    if (!issuer) return undefined;
    left.delete(issuer);
    chain.push(issuer);
  }
  return undefined;
}

const serverAuth = "1.3.6.1.5.5.7.3.1";
const anyPurpose = "2.5.29.37.0";
/** What this knows how to honour, and what OpenSSL passes over as well unless policies are asked for. */
const known = new Set<string>([
  extensionIds.basicConstraints,
  extensionIds.keyUsage,
  extensionIds.extKeyUsage,
  extensionIds.subjectAltName,
  extensionIds.certificatePolicies,
  extensionIds.policyMappings,
  extensionIds.policyConstraints,
  extensionIds.inhibitAnyPolicy,
]);

/** What is wrong with a certificate that has `depth` certificates below it in its chain. */
function certificateFault(certificate: X509Certificate, depth: number, now: number): string | undefined {
  const authority = depth > 0 ? "was issued by an authority whose certificate " : "";
  if (Date.parse(certificate.validTo) < now) return `${authority}has expired`;
  if (Date.parse(certificate.validFrom) > now) return `${authority}is not valid yet`;
  // Extended key usage; its meaning for authorities is OpenSSL's, and everybody's.
  const purposes = certificate.keyUsage as string[] | undefined;
  if (purposes && !purposes.includes(serverAuth) && !purposes.includes(anyPurpose)) {
    return `${authority}is not for servers`;
  }
  const extensions = extensionsOf(certificate);
  if (extensions.some(({ id, critical }) => critical && !known.has(id))) {
    return `${authority}has a critical extension that is not known here`;
  }
  if (depth === 0) return maySignHandshakes(extensions) ? undefined : "has a key that is not for TLS";
  if (extensions.some(({ id }) => id === extensionIds.nameConstraints)) {
    return `${authority}is limited to certain names, which is not known here for certificates for servers only`;
  }
  if (!certificate.ca || depth - 1 > pathLength(extensions)) return `${authority}may not issue it`;
  return undefined;
}
