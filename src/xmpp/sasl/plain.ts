/** RFC 4616: PLAIN, verified against a SCRAM verifier. Only to be offered inside TLS. */
import { SaslError } from "../errors.ts";
import {
  admit,
  decodeMessage,
  keysThat,
  localOf,
  type Exchange,
  type Lookup,
  type Step,
} from "./exchange.ts";
import { saslprep } from "./saslprep.ts";
import { deriveCredentials, equalBytes } from "./scram.ts";

// §2: [authzid] NUL authcid NUL passwd, none of them longer than 255 octets by recommendation.
const grammar = /^([^\0]*)\0([^\0]+)\0([^\0]+)$/;

export class PlainExchange implements Exchange {
  readonly #lookup: Lookup;

  constructor(lookup: Lookup) {
    this.#lookup = lookup;
  }

  async respond(message: Buffer): Promise<Step> {
    const [, authzid = "", username, password] = grammar.exec(decodeMessage(message)) ?? [];
    if (username === undefined || password === undefined) throw new SaslError("malformed-request");
    const local = localOf(username);
    if (saslprep(password) === undefined) throw new SaslError("not-authorized");
    const verifier = await this.#lookup(local, "SHA-256", "orOther");
    const { hash, credentials } = verifier;
    const derived = await deriveCredentials(password, hash, credentials.salt, credentials.iterations);
    const keys = keysThat((storedKey) => equalBytes(storedKey, derived.storedKey), verifier);
    if (!keys) throw new SaslError("not-authorized");
    admit(verifier);
    return { local, authzid: authzid || undefined, credential: keys.credential };
  }
}
