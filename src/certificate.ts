/** The certificate of the node: the operator's files, or a self-signed pair made once in the data directory. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { domainToASCII } from "node:url";
import { generate, type SubjectAltNameEntry } from "selfsigned";
import type { Config } from "./config.ts";
import { TrustedRoots } from "./server/certificate-chain.ts";

/** The parts of the domain that this process answers for; a certificate names them all. */
const parts = ["conference", "pubsub", "comments", "upload", "feeds"];
/** Clients ask once whether to trust the pair and then pin it, so it should outlive the first machine. */
const selfSignedYears = 10;

export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
  /** The extra trusted roots. */
  readonly ca: string | undefined;
  /** The certificate's file. */
  readonly file: string;
  readonly selfSigned: boolean;
}

/** Reads the pair, making a self-signed one where none is set; throws an `Error` in plain words. */
export async function loadCertificate({ domain, data, tls }: Config): Promise<CertificatePair> {
  const ca = tls.ca === undefined ? undefined : readRoots(tls.ca);
  if (tls.cert !== undefined && tls.key !== undefined) {
    const pair = { cert: read("tls.cert", tls.cert), key: read("tls.key", tls.key) };
    const fault = faultOf(pair);
    if (fault) throw new Error(`tls: ${fault} (${tls.cert}, ${tls.key})`);
    return { ...pair, ca, file: tls.cert, selfSigned: false };
  }
  const file = join(data, "self-signed.pem");
  const keyFile = join(data, "self-signed.key");
  if (existsSync(file) && existsSync(keyFile)) {
    const pair = { cert: readFileSync(file, "utf8"), key: readFileSync(keyFile, "utf8") };
    if (!faultOf(pair) && isFor(domain, pair.cert)) return { ...pair, ca, file, selfSigned: true };
  }
  const pair = await selfSigned(domain);
  writeFileSync(keyFile, pair.key, { mode: 0o600 });
  writeFileSync(file, pair.cert, { mode: 0o600 });
  return { ...pair, ca, file, selfSigned: true };
}

async function selfSigned(domain: string): Promise<{ cert: string; key: string }> {
  const notBeforeDate = new Date();
  const notAfterDate = new Date(notBeforeDate);
  notAfterDate.setFullYear(notAfterDate.getFullYear() + selfSignedYears);
  const host = hostOf(domain);
  const altNames: SubjectAltNameEntry[] = isIP(host)
    ? [{ type: 7, ip: host }]
    : [host, ...parts.map((part) => `${part}.${host}`)].map((value) => ({ type: 2, value }));
  const pem = await generate([{ name: "commonName", value: host }], {
    keyType: "ec",
    algorithm: "sha256",
    notBeforeDate,
    notAfterDate,
    extensions: [
      { name: "basicConstraints", cA: false },
      { name: "keyUsage", digitalSignature: true },
      { name: "extKeyUsage", serverAuth: true, clientAuth: true },
      { name: "subjectAltName", altNames },
    ],
  });
  return { cert: pem.cert, key: pem.private };
}

function read(setting: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new Error(`${setting}: ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** Certificates of authorities, one after the other; what stands between them is left to them. */
function readRoots(file: string): string {
  const ca = read("tls.ca", file);
  try {
    new TrustedRoots(ca);
  } catch {
    throw new Error(`tls.ca: there is no certificate in the file, or one that cannot be read (${file})`);
  }
  return ca;
}

/** Why a pair cannot be used, if it cannot. */
function faultOf({ cert, key }: { cert: string; key: string }): string | undefined {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(cert);
  } catch {
    return "there is no certificate in the file";
  }
  try {
    if (!certificate.checkPrivateKey(createPrivateKey(key))) return "the key belongs to another certificate";
  } catch {
    return "there is no private key without a passphrase in the file";
  }
  return undefined;
}

/** Whether the certificate is still good for a domain; the setting may have changed since it was made. */
function isFor(domain: string, cert: string): boolean {
  const certificate = new X509Certificate(cert);
  const host = hostOf(domain);
  const named = isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host);
  return named !== undefined && Date.parse(certificate.validTo) > Date.now();
}

/** The domain as certificates write it: A-labels, an IPv6 address without its brackets. */
const hostOf = (domain: string): string => domainToASCII(domain).replace(/^\[|\]$/g, "");
