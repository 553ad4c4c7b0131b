/** RFC 5929 §4, RFC 9266: what authentication can be bound to on a TLS connection. */
import { createHash, type X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { ChannelBindings } from "../xmpp/sasl/scram-exchange.ts";
import { derChildren, derValues, type DerValue } from "./der.ts";

/** The bindings of a connection that presented a certificate with this end-point hash, best first. */
export function channelBindings(socket: TLSSocket, endPoint: Buffer | undefined): ChannelBindings {
  const bindings = new Map<string, () => Buffer>();
  const isTls13 = socket.getProtocol() === "TLSv1.3";
  // RFC 9266 §4.2: without it, the keys of two connections of TLS 1.2 can be made equal (RFC 7627 §1).
  const isUnique = isTls13 || hasExtendedMasterSecret(socket.getSession());
  if (isUnique) {
    // RFC 9266 §2: an empty context, which TLS 1.2 tells from no context at all.
    bindings.set("tls-exporter", () =>
      socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0)),
    );
  }
  // RFC 5802 §6.1: what clients bind to that know no list of types; TLS 1.3 has nothing of the kind.
  if (isUnique && !isTls13) bindings.set("tls-unique", () => firstFinished(socket));
  if (endPoint) bindings.set("tls-server-end-point", () => endPoint);
  return bindings;
}

/** RFC 5929 §3.1: the first Finished message: the client's, or the server's where a session is resumed. */
function firstFinished(socket: TLSSocket): Buffer {
  const finished = socket.isSessionReused() ? socket.getFinished() : socket.getPeerFinished();
  if (!finished) throw new Error("no handshake has finished");
  return finished;
}

/** OpenSSL's SSL_SESSION holds its flags under this tag; the lowest bit says extended master secret (RFC 7627). */
const sessionFlagsTag = 0xad;

/** Node tells nothing about RFC 7627, but hands out the session as OpenSSL writes it. */
function hasExtendedMasterSecret(session: Buffer | undefined): boolean {
  const [sequence] = session ? derValues(session) : [];
  const flags = derChildren(sequence).find(({ tag }) => tag === sessionFlagsTag);
  const [number] = derChildren(flags);
  return ((number?.content.at(-1) ?? 0) & 1) === 1;
}

/** Signature algorithms by object identifier (the content octets in hex), with the hash that each uses. */
const signatureHashes: Readonly<Record<string, string>> = {
  // RFC 5929 §4.1: MD5 and SHA-1 are replaced by SHA-256.
  "2a864886f70d010104": "sha256", // md5WithRSAEncryption
  "2a864886f70d010105": "sha256", // sha1WithRSAEncryption
  "2a8648ce3d0401": "sha256", // ecdsa-with-SHA1
  "2a864886f70d01010b": "sha256",
  "2a864886f70d01010c": "sha384",
  "2a864886f70d01010d": "sha512",
  "2a8648ce3d040302": "sha256",
  "2a8648ce3d040303": "sha384",
  "2a8648ce3d040304": "sha512",
};
const rsaPss = "2a864886f70d01010a";
/** Hashes by object identifier, as RSASSA-PSS names them in its parameters (RFC 4055 §3.1). */
const hashes: Readonly<Record<string, string>> = {
  "608648016503040201": "sha256",
  "608648016503040202": "sha384",
  "608648016503040203": "sha512",
};

/**
 * `tls-server-end-point`: the certificate, hashed with the hash of its own signature. `undefined` where that has none
 * (Ed25519): RFC 5929 leaves the binding undefined then.
 */
export function endPointHash(certificate: X509Certificate): Buffer | undefined {
  const [outer] = derValues(certificate.raw);
  const [, algorithm] = derChildren(outer);
  const [identifier, parameters] = derChildren(algorithm);
  const name = identifier?.content.toString("hex") ?? "";
  const hash = name === rsaPss ? pssHash(parameters) : signatureHashes[name];
  return hash === undefined ? undefined : createHash(hash).update(certificate.raw).digest();
}

/** The hash under [0] of the parameters; SHA-1 where it is left out, so SHA-256. */
function pssHash(parameters: DerValue | undefined): string | undefined {
  const tagged = derChildren(parameters).find(({ tag }) => tag === 0xa0);
  if (!tagged) return "sha256";
  const [algorithm] = derChildren(tagged);
  const [identifier] = derChildren(algorithm);
  return hashes[identifier?.content.toString("hex") ?? ""];
}
