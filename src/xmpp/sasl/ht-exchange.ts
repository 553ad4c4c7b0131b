/**
 * draft-schmaus-kitten-sasl-ht: HT-SHA-256-*, a token instead of a password, proven in one message each way. These are
 * the mechanisms of FAST (XEP-0484); the letters behind the hash say what a token's proof is bound to.
 */
import { SaslError } from "../errors.ts";
import { admit, decodeMessage, localOf, type Exchange, type Lookup, type Step } from "./exchange.ts";
import type { ChannelBindings } from "./scram-exchange.ts";
import { equalBytes, scramHmac } from "./scram.ts";

/**
 * Finds the token of a name that fits, and takes it for used; `undefined` where none does. Throws
 * `credentials-expired` where it did once.
 */
export type Redeem = (local: string, fits: (token: string) => boolean) => Promise<string | undefined>;

const hash = "SHA-256";
const none = `HT-${hash}-NONE`;
/** By the type of channel binding. */
const bound: Readonly<Record<string, string>> = {
  "tls-exporter": `HT-${hash}-EXPR`,
  "tls-unique": `HT-${hash}-UNIQ`,
  "tls-server-end-point": `HT-${hash}-ENDP`,
};

/** The mechanisms that a connection can do, the strongest first. */
export const tokenMechanisms = (bindings: ChannelBindings): string[] => [
  ...[...bindings.keys()].flatMap((type) => bound[type] ?? []),
  none,
];

/** What the proofs of a mechanism cover; `undefined` where there is none such on this connection. */
function bindingData(mechanism: string, bindings: ChannelBindings): Buffer | undefined {
  if (mechanism === none) return Buffer.alloc(0);
  for (const [type, data] of bindings) if (bound[type] === mechanism) return data();
  return undefined;
}

export class HtExchange implements Exchange {
  readonly #binding: Buffer;
  readonly #lookup: Lookup;
  readonly #redeem: Redeem;

  private constructor(binding: Buffer, lookup: Lookup, redeem: Redeem) {
    this.#binding = binding;
    this.#lookup = lookup;
    this.#redeem = redeem;
  }

  /** `undefined` where the mechanism is unknown or not offered on this connection. */
  static begin(
    mechanism: string,
    bindings: ChannelBindings,
    lookup: Lookup,
    redeem: Redeem,
  ): HtExchange | undefined {
    const binding = bindingData(mechanism, bindings);
    return binding && new HtExchange(binding, lookup, redeem);
  }

  async respond(message: Buffer): Promise<Step> {
    const end = message.indexOf(0);
    if (end < 1 || end === message.length - 1) throw new SaslError("malformed-request");
    const local = localOf(decodeMessage(message.subarray(0, end)));
    const proof = message.subarray(end + 1);
    const verifier = await this.#lookup(local, hash, "orOther");
    const token = await this.#redeem(local, (one) => equalBytes(this.#hashed(one, "Initiator"), proof));
    if (token === undefined) throw new SaslError("not-authorized");
    admit(verifier);
    return { local, authzid: undefined, credential: "token", final: this.#hashed(token, "Responder") };
  }

  #hashed(token: string, who: "Initiator" | "Responder"): Buffer {
    return scramHmac(hash, Buffer.from(token), Buffer.concat([Buffer.from(who), this.#binding]));
  }
}
