/** RFC 5802 §5–7: the server's side of SCRAM, with channel binding (§6) where the mechanism is a -PLUS one. */
import { randomBytes } from "node:crypto";
import { SaslError } from "../errors.ts";
import { decodeBase64 } from "./base64.ts";
import {
  admit,
  decodeMessage,
  keysThat,
  localOf,
  type Exchange,
  type Lookup,
  type Step,
  type Verifier,
} from "./exchange.ts";
import { equalBytes, scramDigest, scramHmac, type ScramHash } from "./scram.ts";

/** The channel-binding data of a connection by type (`tls-exporter`, …); empty where nothing can be bound to. */
export type ChannelBindings = ReadonlyMap<string, () => Buffer>;

export interface ScramOptions {
  readonly hash: ScramHash;
  /** Whether it is a -PLUS mechanism. */
  readonly plus: boolean;
  readonly bindings: ChannelBindings;
  readonly lookup: Lookup;
  /** What was offered to the client, as `offer` writes it: it can tell then whether somebody has changed that. */
  readonly offered?: string;
  /** The server's part of the nonce; random unless a test says otherwise. */
  readonly nonce?: string;
}

/** Guessing 18 random bytes is hopeless, and they are base64 without padding. */
const nonceBytes = 18;

// RFC 5802 §7. In the first message: flag, binding type, authzid, client-first-message-bare and in it m=, n= and r=.
const clientFirst =
  /^((?:n|y|p=([A-Za-z0-9.-]+)),(?:a=([^,\0]+))?,)((m=[^,\0]*,)?n=([^,\0]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,[A-Za-z]=[^,\0]+)*)$/;
// In the last one: client-final-message-without-proof and in it c= and r=, then the proof.
const clientFinal =
  /^(c=([A-Za-z0-9+/=]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,[A-Za-z]=[^,\0]+)*),p=([A-Za-z0-9+/=]+)$/;

/** What the first message leaves for the last one. */
interface Pending {
  readonly local: string;
  readonly authzid: string | undefined;
  readonly verifier: Verifier;
  readonly nonce: string;
  /** What `c=` must be once decoded: the GS2 header and the channel-binding data. */
  readonly binding: Buffer;
  /** client-first-message-bare and server-first-message, as they begin AuthMessage. */
  readonly messages: string;
}

export class ScramExchange implements Exchange {
  readonly #options: ScramOptions;
  #pending: Pending | undefined;

  constructor(options: ScramOptions) {
    this.#options = options;
  }

  async respond(message: Buffer): Promise<Step> {
    const text = decodeMessage(message);
    return this.#pending ? this.#finish(text, this.#pending) : this.#begin(text);
  }

  async #begin(text: string): Promise<Step> {
    const found = clientFirst.exec(text);
    if (!found) throw new SaslError("malformed-request");
    const [, header = "", type, authzid, bare = "", extension, username = "", clientNonce = ""] = found;
    // §5.1: m= announces something that must be understood, and nothing such has ever been defined.
    if (extension !== undefined) throw new SaslError("malformed-request");
    const binding = Buffer.concat([Buffer.from(header), this.#bindingData(header, type)]);
    const local = localOf(decodeName(username));
    const verifier = await this.#options.lookup(local, this.#options.hash);
    const { credentials } = verifier;
    const nonce = clientNonce + (this.#options.nonce ?? randomBytes(nonceBytes).toString("base64"));
    const challenge =
      `r=${nonce},s=${credentials.salt.toString("base64")},i=${credentials.iterations}` + this.#offered();
    this.#pending = {
      local,
      authzid: authzid === undefined ? undefined : decodeName(authzid),
      verifier,
      nonce,
      binding,
      messages: `${bare},${challenge}`,
    };
    return { challenge: Buffer.from(challenge) };
  }

  /** XEP-0474 §6.1: the hash of the offer, which both sides' proofs cover. */
  #offered(): string {
    const { hash, offered } = this.#options;
    return offered === undefined ? "" : `,h=${scramDigest(hash, Buffer.from(offered)).toString("base64")}`;
  }

  /** §6: the data that a client binds to; the flag must fit the mechanism and what was offered. */
  #bindingData(header: string, type: string | undefined): Buffer {
    const { plus, bindings } = this.#options;
    if ((type !== undefined) !== plus) throw new SaslError("malformed-request");
    // The client could bind and thinks that the server cannot: somebody took the -PLUS mechanisms out of the offer.
    if (header.startsWith("y") && bindings.size > 0) throw new SaslError("not-authorized");
    if (type === undefined) return Buffer.alloc(0);
    const data = bindings.get(type);
    if (!data) throw new SaslError("malformed-request", "This channel-binding type is not supported");
    return data();
  }

  #finish(text: string, pending: Pending): Step {
    const found = clientFinal.exec(text);
    if (!found) throw new SaslError("malformed-request");
    const [, withoutProof = "", binding = "", nonce = "", proof = ""] = found;
    const { verifier, local, authzid } = pending;
    const { hash } = this.#options;
    const authMessage = `${pending.messages},${withoutProof}`;
    const bound = equalBytes(decodeBase64(binding), pending.binding);
    const fresh = equalBytes(Buffer.from(nonce), Buffer.from(pending.nonce));
    const proofBytes = decodeBase64(proof);
    const keys = keysThat((storedKey) => proves(proofBytes, hash, storedKey, authMessage), verifier);
    if (!bound || !fresh || !keys) throw new SaslError("not-authorized");
    admit(verifier);
    const signature = scramHmac(hash, keys.serverKey, authMessage);
    const final = Buffer.from(`v=${signature.toString("base64")}`);
    return { local, authzid, credential: keys.credential, final };
  }
}

/** §3: whoever made the proof knows the client key, whose hash is the stored key. */
function proves(proof: Buffer, hash: ScramHash, storedKey: Buffer, authMessage: string): boolean {
  const signature = scramHmac(hash, storedKey, authMessage);
  if (proof.length !== signature.length) return false;
  const clientKey = Buffer.from(proof.map((byte, at) => byte ^ signature[at]!));
  return equalBytes(scramDigest(hash, clientKey), storedKey);
}

/** §5.1: in names, a comma is =2C, an equals sign =3D, and nothing else begins with an equals sign. */
function decodeName(name: string): string {
  if (/=(?!2C|3D)/.test(name)) throw new SaslError("malformed-request");
  return name.replace(/=2C/g, ",").replace(/=3D/g, "=");
}
