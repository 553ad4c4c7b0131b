/** XEP-0480: SASL Upgrade Tasks: a client hands in the verifier of a hash that the account has none of yet. */
import { randomBytes } from "node:crypto";
import { SaslError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { decodeBase64 } from "../xmpp/sasl/base64.ts";
import {
  defaultIterations,
  hashBytes,
  keysOf,
  type ScramCredentials,
  type ScramHash,
} from "../xmpp/sasl/scram.ts";
import { childText, xml, type Element } from "../xmpp/xml.ts";

/** What accounts can be upgraded to: not to what is weaker than what they have. */
const upgradable: readonly ScramHash[] = ["SHA-256", "SHA-512"];
/** NIST SP 800-132 §5.1 */
const saltBytes = 16;

/** The tasks for an account that has verifiers of these hashes alone. */
export const upgradesFrom = (hashes: readonly ScramHash[] | undefined): string[] =>
  hashes ? upgradable.filter((hash) => !hashes.includes(hash)).map((hash) => `UPGR-SCRAM-${hash}`) : [];

/** §2.1: what stands in the features. */
export const upgradeFeature = (name: string): Element => xml("upgrade", { xmlns: NS.saslUpgrade }, name);

/** §3: one upgrade, from the salt to the salted password. */
export class ScramUpgrade {
  readonly hash: ScramHash;
  readonly #salt = randomBytes(saltBytes);
  readonly #iterations = defaultIterations;

  constructor(task: string) {
    this.hash = task.slice("UPGR-SCRAM-".length) as ScramHash;
  }

  /** What the client needs to know. */
  question(): Element {
    const iterations = String(this.#iterations);
    return xml("salt", { xmlns: NS.scramUpgrade, iterations }, this.#salt.toString("base64"));
  }

  /** What the account gets, from the client's answer. */
  verifier(answer: Element): ScramCredentials {
    const salted = decodeBase64(childText(answer, "hash", NS.scramUpgrade)?.trim() ?? "");
    if (salted.length !== hashBytes[this.hash]) throw new SaslError("malformed-request");
    return { salt: this.#salt, iterations: this.#iterations, ...keysOf(salted, this.hash) };
  }
}
