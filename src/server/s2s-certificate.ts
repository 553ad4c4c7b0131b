/** Whom a server's certificate names, and whether it can be believed: RFC 6120 §13.7, RFC 9525, XEP-0178. */
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type { DetailedPeerCertificate, TLSSocket } from "node:tls";
import { domainToASCII } from "node:url";
import { prepareDomain } from "../xmpp/jid.ts";
import { chainFault, type TrustedRoots } from "./certificate-chain.ts";
import { subjectNames, type SubjectName } from "./x509.ts";

/** Whether one of a certificate's names is a domain, as a server's; the common name is none (RFC 9525 §2). */
export function identifies(names: readonly SubjectName[], domain: string): boolean {
  const wanted = domainToASCII(domain);
  if (wanted === "") return false;
  const isAddress = isIP(domain.replace(/^\[(.*)\]$/, "$1")) !== 0;
  return names.some(({ kind, value }) => {
    if (isAddress !== (kind === "ip")) return false;
    switch (kind) {
      case "dns":
        return matches(value, wanted);
      case "ip":
        return domainToASCII(value) === wanted;
      case "srv":
        return isForService(value, wanted);
      case "xmpp":
        return prepareDomain(value) === domain;
    }
  });
}

/** RFC 9525 §6.3: a wildcard is all of the left-most label, and stands for exactly one. */
function matches(presented: string, wanted: string): boolean {
  const pattern = presented.toLowerCase();
  if (!pattern.startsWith("*.")) return pattern === wanted;
  const dot = wanted.indexOf(".");
  return dot > 0 && wanted.slice(dot) === pattern.slice(1);
}

const service = "_xmpp-server.";

/** RFC 4985 §2: the service, and the domain that it is of. */
function isForService(presented: string, wanted: string): boolean {
  const name = presented.toLowerCase();
  return name.startsWith(service) && name.slice(service.length) === wanted;
}

/** What the certificate of the other end is worth, and whom it names. The certificate itself would take 7 KB a stream. */
export interface PeerTrust {
  /**
   * Why it is not valid, in words that go on from "the certificate"; `undefined` where its chain leads to a trusted root
   * and everything in it is in date. That it is for servers only is no fault.
   */
  readonly fault: string | undefined;
  readonly names: readonly SubjectName[];
}

/** Why the other end cannot be believed to be a domain's server (RFC 6120 §13.7.2); `undefined` where it can. */
export function faultFor({ fault, names }: PeerTrust, domain: string): string | undefined {
  if (fault !== undefined) return `its certificate ${fault}`;
  return identifies(names, domain) ? undefined : `its certificate is not for ${domain}`;
}

/** To be asked between the handshake and the end of the connection, at either of its ends. */
export function trustOf(socket: TLSSocket, roots: TrustedRoots): PeerTrust {
  const { _handle: handle } = socket as unknown as Verified;
  if (!handle) return { fault: "is gone with its connection", names: [] };
  const presented = presentedBy(socket);
  const [certificate] = presented;
  if (!certificate) return { fault: "was not presented", names: [] };
  return { fault: faultOf(handle.verifyError(), presented, roots), names: subjectNames(certificate) };
}

/** Node tells this to a `tls.Server` only; who makes a server's socket by hand has to ask where a `tls.Server` does. */
interface Verified {
  readonly _handle: { verifyError(): NodeJS.ErrnoException | null } | null;
}

const words: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "has expired, or one that it depends on has",
  CERT_NOT_YET_VALID: "is not valid yet, or one that it depends on is not",
  DEPTH_ZERO_SELF_SIGNED_CERT: "is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "was issued by an authority that is not trusted here",
  UNABLE_TO_GET_ISSUER_CERT: "was issued by an authority that is not trusted here",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "was issued by an authority that is not trusted here",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "was issued by an authority that is not trusted here",
};

function faultOf(
  error: NodeJS.ErrnoException | null,
  presented: readonly X509Certificate[],
  roots: TrustedRoots,
): string | undefined {
  if (!error) return undefined;
  if (error.code === "INVALID_PURPOSE") return chainFault(presented, roots, Date.now());
  return words[error.code ?? ""] ?? `is refused: ${error.message}`;
}

/**
 * The peer's certificate, and those that it presented to vouch for it, or that are trusted. Not by
 * `getPeerX509Certificate`, which in Node 20 takes them out of the connection: a second question finds none.
 */
function presentedBy(socket: TLSSocket): X509Certificate[] {
  const presented: X509Certificate[] = [];
  // What stands for none is an object without anything in it; a root is its own issuer.
  let last: Partial<DetailedPeerCertificate> | undefined = socket.getPeerCertificate(true);
  while (last?.raw) {
    presented.push(new X509Certificate(last.raw));
    const issuer: Partial<DetailedPeerCertificate> | undefined = last.issuerCertificate;
    last = issuer === last ? undefined : issuer;
  }
  return presented;
}
