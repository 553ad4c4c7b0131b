/** RFC 6120 §6: SASL on a client's stream, until somebody is authenticated or has failed too often. */
import type { Logger } from "../log.ts";
import { SaslError, StreamError } from "../xmpp/errors.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { decodeBase64 } from "../xmpp/sasl/base64.ts";
import type { Exchange, Lookup, Step } from "../xmpp/sasl/exchange.ts";
import { HtExchange, tokenMechanisms, type Redeem } from "../xmpp/sasl/ht-exchange.ts";
import { beginExchange, offeredMechanisms, type MechanismContext } from "../xmpp/sasl/mechanisms.ts";
import type { ChannelBindings } from "../xmpp/sasl/scram-exchange.ts";
import type { ScramCredentials, ScramHash } from "../xmpp/sasl/scram.ts";
import type { Authenticated } from "./stream-feature.ts";
import type { LoginThrottle } from "./throttle.ts";

/** §6.4.5: at least two tries with a name, and no more than five. */
const maxTries = 5;
/**
 * Refusals of every kind. One that looked at nobody's credentials is no guess: clients that bind to what TLS 1.3 has
 * not (slixmpp 1.8, `tls-unique`) go through all mechanisms before they find the one they can use.
 */
const maxRefusals = 12;

/** Where passwords are checked against. */
export interface Authenticator {
  /** SCRAM credentials of a name; an unknown name gets stable made-up ones, `known: false`. */
  credentials: Lookup;
  /**
   * Whether there is such an account, and it may be used by who has proven to be its owner at `since`, in the time of
   * `performance.now`: what was taken back since then has proven nothing.
   */
  admits(local: string, since: number): Promise<boolean>;
  /** The hashes that an account has verifiers of; `undefined` where it is all, or there is no such account. */
  hashes?(local: string): Promise<readonly ScramHash[] | undefined>;
  /** Adds a verifier to those of who has proven to be the owner, where there is none of its hash yet. */
  upgrade?(local: string, hash: ScramHash, verifier: ScramCredentials, since: number): Promise<void>;
}

export interface SaslOptions {
  readonly domain: string;
  readonly authenticator: Authenticator;
  readonly throttle: LoginThrottle;
  readonly log: Logger;
  readonly address: string;
  /** Whether SASL is offered at all: not before TLS where that is required (§5.3.4). */
  readonly allowed: boolean;
  readonly encrypted: boolean;
  readonly bindings: ChannelBindings;
  /** What the account has verifiers of that the client has said it comes for; `undefined`: of all. */
  readonly hashes?: readonly ScramHash[] | undefined;
}

/** What a client begins with. */
export interface Attempt {
  readonly mechanism: string;
  /** In base64; `undefined` where there is none. */
  readonly initial: string | undefined;
  /** The client has said whose account it is (XEP-0388 §2.3), and cannot prove to be somebody else. */
  readonly from?: Jid | undefined;
  /** It has a token, and no password; the mechanism is one of those then. */
  readonly redeem?: Redeem | undefined;
}

/** What there is to say; how, each of both profiles of SASL knows for itself. */
export type SaslAnswer =
  | { readonly kind: "challenge"; readonly data: Buffer }
  | { readonly kind: "success"; readonly who: Authenticated; readonly data: Buffer | undefined }
  /** `isExhausted`: the stream has had its tries. */
  | { readonly kind: "failure"; readonly error: SaslError; readonly isExhausted: boolean };

/** What is negotiated under either profile of SASL: one offer, and one count of failures. */
export interface SaslOffer {
  readonly negotiation: SaslNegotiation;
  /** What the account has verifiers of, where it is not all. */
  readonly hashes: readonly ScramHash[] | undefined;
}

/** What a stream ends with that has had its tries. */
export const tooMany = (): StreamError => new StreamError("policy-violation", "Too many failed logins");

export class SaslNegotiation {
  readonly #options: SaslOptions;
  readonly #context: MechanismContext;
  #mechanism = "";
  #exchange: Exchange | undefined;
  #from: Jid | undefined;
  /** Whose credentials the exchange has asked for. */
  #claimed: string | undefined;
  /** When it did. */
  #since = 0;
  #failures = 0;
  #refusals = 0;

  constructor(options: SaslOptions) {
    this.#options = options;
    const { authenticator, encrypted, bindings, hashes } = options;
    const lookup: Lookup = (local, hash, orOther) => {
      if (this.#from && this.#from.local !== local) throw new SaslError("invalid-authzid");
      this.#claimed = local;
      this.#since = performance.now();
      this.#checkThrottle();
      return authenticator.credentials(local, hash, orOther);
    };
    this.#context = { encrypted, bindings, lookup, hashes };
  }

  /** What is offered. */
  get mechanisms(): string[] {
    return this.#options.allowed ? offeredMechanisms(this.#context) : [];
  }

  /** Those that take tokens. */
  get tokenMechanisms(): string[] {
    return this.#options.encrypted ? tokenMechanisms(this.bindings) : [];
  }

  get bindings(): ChannelBindings {
    return this.#options.bindings;
  }

  begin(attempt: Attempt): Promise<SaslAnswer> {
    return this.#answer(() => this.#begin(attempt));
  }

  /** The client's answer to a challenge, in base64. */
  respond(data: string): Promise<SaslAnswer> {
    return this.#answer(() => {
      if (!this.#exchange) throw new SaslError("malformed-request");
      this.#checkThrottle();
      return this.#exchange.respond(decodeBase64(data));
    });
  }

  /** For what is wrong beside the exchange, which is over then. */
  refuse(error: SaslError): Promise<SaslAnswer> {
    return this.#answer(() => {
      throw error;
    });
  }

  async #answer(step: () => Promise<Step> | Step): Promise<SaslAnswer> {
    try {
      return this.#outcome(await step());
    } catch (error) {
      if (error instanceof SaslError) return this.#fail(error);
      this.#options.log.error({ err: error }, "a login could not be checked");
      return this.#fail(new SaslError("temporary-auth-failure"));
    }
  }

  #begin({ mechanism, initial, from, redeem }: Attempt): Promise<Step> | Step {
    const { allowed, encrypted, bindings } = this.#options;
    if (!allowed) throw new SaslError("encryption-required");
    if (this.#exchange) throw new SaslError("malformed-request");
    if (mechanism === "PLAIN" && !encrypted) throw new SaslError("encryption-required");
    const exchange = redeem
      ? HtExchange.begin(mechanism, bindings, this.#context.lookup, redeem)
      : beginExchange(mechanism, this.#context);
    if (!exchange) throw new SaslError("invalid-mechanism");
    this.#exchange = exchange;
    this.#mechanism = mechanism;
    this.#from = from;
    // §6.4.2: every mechanism here lets the client speak first, so it is asked to where it did not.
    return initial === undefined ? { challenge: Buffer.alloc(0) } : exchange.respond(decodeBase64(initial));
  }

  #outcome(step: Step): SaslAnswer {
    if ("challenge" in step) return { kind: "challenge", data: step.challenge };
    const { domain, throttle, address } = this.#options;
    const { local, authzid, credential, final } = step;
    const account = parseJid(`${local}@${domain}`);
    if (!account) throw new SaslError("not-authorized");
    // §6.3.8: somebody else's name is for nobody but themselves.
    if (authzid !== undefined && parseJid(authzid)?.full !== account.full)
      throw new SaslError("invalid-authzid");
    throttle.succeeded(address, local);
    const who = { account, mechanism: this.#mechanism, credential, since: this.#since };
    return { kind: "success", who, data: final };
  }

  #fail(error: SaslError): SaslAnswer {
    const { throttle, log, address } = this.#options;
    const local = this.#claimed;
    if (local !== undefined && error.condition === "not-authorized") throttle.failed(address, local);
    log.info({ address, local, mechanism: this.#mechanism, condition: error.condition }, "login refused");
    if (local !== undefined) this.#failures += 1;
    this.#refusals += 1;
    this.#exchange = this.#claimed = this.#from = undefined;
    this.#mechanism = "";
    const isExhausted = this.#failures >= maxTries || this.#refusals >= maxRefusals;
    return { kind: "failure", error, isExhausted };
  }

  #checkThrottle(): void {
    if (this.#claimed !== undefined) this.#options.throttle.check(this.#options.address, this.#claimed);
  }
}
