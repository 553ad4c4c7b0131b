/** A certificate authority of the test process: made at run time, so that no key is ever in the repository. */
import { webcrypto } from "node:crypto";
import {
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { Certificate } from "./certificate.ts";

cryptoProvider.set(webcrypto);

const keyType = { name: "ECDSA", namedCurve: "P-256" };
const day = 86_400_000;

/** What is in a certificate; everything has a sensible value where it is left out. */
export interface CertificateContent {
  /** dNSNames. */
  readonly names?: readonly string[];
  /** SRVNames (RFC 4985), such as `_xmpp-server.montague.example`. */
  readonly srvNames?: readonly string[];
  /** XmppAddrs (RFC 6120 §13.7.1.4). */
  readonly xmppAddrs?: readonly string[];
  /** IPv4, or IPv6 with all eight groups. */
  readonly addresses?: readonly string[];
  readonly commonName?: string;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** Extended key usage; none says nothing of purposes at all. */
  readonly purposes?: readonly (keyof typeof ExtendedKeyUsage)[] | undefined;
  /** What its key is for (RFC 5280 §4.2.1.3); signatures where it is left out. */
  readonly keyUsage?: KeyUsageFlags;
  /** What the authority signs it with. */
  readonly hash?: "SHA-256" | "SHA-1";
  /** Further extensions. */
  readonly extensions?: readonly Extension[];
}

export interface AuthorityContent extends CertificateContent {
  /** Whether it says that it may issue certificates. */
  readonly isAuthority?: boolean;
  readonly pathLength?: number;
  /** Its whole name, such as another's. */
  readonly name?: string;
}

export interface Authority {
  /** Its whole name. */
  readonly name: string;
  /** The root, in PEM: what those who trust it are given. */
  readonly ca: string;
  /** A server's certificate with all that is needed up to the root, and its key. */
  issue(content: CertificateContent): Promise<Certificate>;
  /** An authority below this one. */
  subordinate(content?: AuthorityContent): Promise<Authority>;
}

interface Issuer {
  readonly name: string;
  readonly keys: webcrypto.CryptoKeyPair;
  /** What is presented with what it issues. */
  readonly chain: string;
}

/** A root that nobody knows yet. */
export async function createAuthority(content: AuthorityContent = {}): Promise<Authority> {
  const { name, keys } = await newcomer(content.commonName ?? "Authority of Verona", content.name);
  const certificate = await certify(
    { name, keys, chain: "" },
    name,
    keys,
    authorityExtensions(content),
    content,
  );
  return authority({ name, keys, chain: "" }, certificate);
}

function authority(issuer: Issuer, ca: string): Authority {
  return {
    name: issuer.name,
    ca,
    async issue(content) {
      const { name, keys } = await newcomer(content.commonName ?? "somebody");
      const cert = await certify(issuer, name, keys, serverExtensions(content), content);
      const key = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
      const lines = key.replace(/.{64}(?=.)/g, "$&\n");
      return {
        cert: cert + issuer.chain,
        key: `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`,
      };
    },
    async subordinate(content = {}) {
      const { name, keys } = await newcomer(content.commonName ?? "Notary of Mantua", content.name);
      const cert = await certify(issuer, name, keys, authorityExtensions(content), content);
      return authority({ name, keys, chain: cert + issuer.chain }, ca);
    },
  };
}

let made = 0;

/** Two of the same name are still two, even for those who look at nothing but names. */
async function newcomer(commonName: string, name?: string) {
  made += 1;
  const keys = await webcrypto.subtle.generateKey(keyType, true, ["sign", "verify"]);
  return { name: name ?? `CN=${commonName}, OU=${process.pid}-${made}`, keys };
}

async function certify(
  issuer: Issuer,
  subject: string,
  keys: webcrypto.CryptoKeyPair,
  extensions: Extension[],
  content: CertificateContent,
): Promise<string> {
  const certificate = await X509CertificateGenerator.create({
    subject,
    issuer: issuer.name,
    notBefore: content.notBefore ?? new Date(Date.now() - day),
    notAfter: content.notAfter ?? new Date(Date.now() + day),
    signingAlgorithm: { name: "ECDSA", hash: content.hash ?? "SHA-256" },
    publicKey: keys.publicKey,
    signingKey: issuer.keys.privateKey,
    extensions,
  });
  return `${certificate.toString("pem")}\n`;
}

function purposes({ purposes: names }: CertificateContent): Extension[] {
  return names ? [new ExtendedKeyUsageExtension(names.map((name) => ExtendedKeyUsage[name]))] : [];
}

function authorityExtensions(content: AuthorityContent): Extension[] {
  const { isAuthority = true, pathLength, extensions = [] } = content;
  return [
    new BasicConstraintsExtension(isAuthority, pathLength, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ...purposes(content),
    ...extensions,
  ];
}

function serverExtensions(content: CertificateContent): Extension[] {
  const names = alternativeNames(content);
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(content.keyUsage ?? KeyUsageFlags.digitalSignature, true),
    ...purposes({ purposes: ["serverAuth", "clientAuth"], ...content }),
    // The library writes no other names, so this one is written here.
    ...(names.length > 0 ? [new Extension("2.5.29.17", false, der(0x30, ...names))] : []),
    ...(content.extensions ?? []),
  ];
}

function alternativeNames({ names, srvNames, xmppAddrs, addresses }: CertificateContent): Buffer[] {
  const otherName = (id: string, tag: number, value: string) =>
    der(0xa0, der(0x06, Buffer.from(id, "hex")), der(0xa0, der(tag, Buffer.from(value))));
  return [
    ...(names ?? []).map((name) => der(0x82, Buffer.from(name, "latin1"))),
    ...(srvNames ?? []).map((name) => otherName("2b06010505070807", 0x16, name)),
    ...(xmppAddrs ?? []).map((address) => otherName("2b06010505070805", 0x0c, address)),
    ...(addresses ?? []).map((address) => der(0x87, octetsOf(address))),
  ];
}

/** A value in DER (X.690); short enough for lengths of at most two octets. */
export function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const octets =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...octets]), content]);
}

function octetsOf(address: string): Buffer {
  if (address.includes(".")) return Buffer.from(address.split(".").map(Number));
  return Buffer.from(
    address.replace(/[^:]+:?/g, (group) => group.replace(":", "").padStart(4, "0")),
    "hex",
  );
}
