/** RFC 4616: PLAIN, verified against the SCRAM-SHA-256 verifier. Only to be offered inside TLS. */
import { SaslError } from "../errors.ts";
import { decodeMessage, localOf, type Exchange, type Lookup, type Step } from "./exchange.ts";
import { saslprep } from "./saslprep.ts";
import { verifyPassword } from "./scram.ts";

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
    const { credentials, known } = await this.#lookup(local, "SHA-256");
    const right = await verifyPassword(password, "SHA-256", credentials);
    if (!right || !known) throw new SaslError("not-authorized");
    return { local, authzid: authzid || undefined };
  }
}
