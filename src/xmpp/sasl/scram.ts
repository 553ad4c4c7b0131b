/** RFC 5802 §3, RFC 7677: SCRAM verifiers: what is kept of a password. */
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { StanzaError } from "../errors.ts";
import { saslprep } from "./saslprep.ts";

export type ScramHash = "SHA-1" | "SHA-256" | "SHA-512";

export interface ScramCredentials {
  salt: Buffer;
  iterations: number;
  storedKey: Buffer;
  serverKey: Buffer;
}

const digests = { "SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512" } as const;
/** The length of a hash, and of a salted password. */
export const hashBytes = { "SHA-1": 20, "SHA-256": 32, "SHA-512": 64 } as const;

/** NIST SP 800-132 §5.1 asks for 16 bytes of salt. */
const saltBytes = 16;
/** RFC 7677 §4 asks for 4,096 rounds or more; a slow phone does this many in some 50 ms at each login. */
export const defaultIterations = 10_000;

const pbkdf2Async = promisify(pbkdf2);

export const scramHmac = (hash: ScramHash, key: Buffer, text: string | Buffer): Buffer =>
  createHmac(digests[hash], key).update(text).digest();

export const scramDigest = (hash: ScramHash, bytes: Buffer): Buffer =>
  createHash(digests[hash]).update(bytes).digest();

/** Whether two byte strings are equal, in a time that tells nothing about where they differ. */
export const equalBytes = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b);

/** The salted password (RFC 5802 §3), computed off the event loop. Throws `not-acceptable` for what is no password. */
export function saltPassword(
  password: string,
  hash: ScramHash,
  salt: Buffer,
  iterations: number,
): Promise<Buffer> {
  const prepared = saslprep(password);
  if (prepared === undefined) {
    throw new StanzaError("not-acceptable", {
      text: "A password has 1 to 1,024 characters, none of them a control character",
    });
  }
  return pbkdf2Async(prepared, salt, iterations, hashBytes[hash], digests[hash]);
}

/** The verifier of a password. Throws `not-acceptable` for what is no password. */
export async function deriveCredentials(
  password: string,
  hash: ScramHash,
  salt: Buffer = randomBytes(saltBytes),
  iterations = defaultIterations,
): Promise<ScramCredentials> {
  const salted = await saltPassword(password, hash, salt, iterations);
  return { salt, iterations, ...keysOf(salted, hash) };
}

/** The keys of a salted password (RFC 5802 §3). */
export function keysOf(salted: Buffer, hash: ScramHash): Pick<ScramCredentials, "storedKey" | "serverKey"> {
  return {
    storedKey: scramDigest(hash, scramHmac(hash, salted, "Client Key")),
    serverKey: scramHmac(hash, salted, "Server Key"),
  };
}
