/** RFC 6120 §6: SASL on a client's stream, until somebody is authenticated or has failed too often. */
import type { Logger } from "../log.ts";
import { SaslError } from "../xmpp/errors.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { decodeBase64 } from "../xmpp/sasl/base64.ts";
import type { Exchange, Lookup, Step } from "../xmpp/sasl/exchange.ts";
import { beginExchange, offeredMechanisms, type MechanismContext } from "../xmpp/sasl/mechanisms.ts";
import type { ChannelBindings } from "../xmpp/sasl/scram-exchange.ts";
import { attr, text, xml, type Element } from "../xmpp/xml.ts";
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
  /** Whether there is such an account, and it may be used. */
  admits(local: string): Promise<boolean>;
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
}

/** What to answer; with it, who is authenticated (a bare JID) and how, or that the stream has had its tries. */
export interface SaslAnswer {
  readonly element: Element;
  readonly authenticated?: { readonly account: Jid; readonly mechanism: string };
  readonly exhausted?: true;
}

export class SaslNegotiation {
  readonly #options: SaslOptions;
  readonly #context: MechanismContext;
  #mechanism = "";
  #exchange: Exchange | undefined;
  /** Whose credentials the exchange has asked for. */
  #claimed: string | undefined;
  #failures = 0;
  #refusals = 0;

  constructor(options: SaslOptions) {
    this.#options = options;
    const { authenticator, encrypted, bindings } = options;
    const lookup: Lookup = (local, hash, orOther) => {
      this.#claimed = local;
      this.#checkThrottle();
      return authenticator.credentials(local, hash, orOther);
    };
    this.#context = { encrypted, bindings, lookup };
  }

  /** What is offered. */
  get mechanisms(): string[] {
    return this.#options.allowed ? offeredMechanisms(this.#context) : [];
  }

  get bindings(): ChannelBindings {
    return this.#options.bindings;
  }

  /** Answers `<auth/>`, `<response/>` and `<abort/>`. */
  async receive(element: Element): Promise<SaslAnswer> {
    try {
      return this.#answer(await this.#step(element));
    } catch (error) {
      if (error instanceof SaslError) return this.#refuse(error);
      this.#options.log.error({ err: error }, "a login could not be checked");
      return this.#refuse(new SaslError("temporary-auth-failure"));
    }
  }

  async #step(element: Element): Promise<Step> {
    if (element.name === "auth") return this.#begin(element);
    const exchange = this.#exchange;
    if (element.name === "abort") throw new SaslError("aborted");
    if (element.name !== "response" || !exchange) throw new SaslError("malformed-request");
    this.#checkThrottle();
    return exchange.respond(decode(text(element)));
  }

  #begin(element: Element): Promise<Step> | Step {
    const { allowed, encrypted } = this.#options;
    if (!allowed) throw new SaslError("encryption-required");
    if (this.#exchange) throw new SaslError("malformed-request");
    const mechanism = attr(element, "mechanism") ?? "";
    if (mechanism === "PLAIN" && !encrypted) throw new SaslError("encryption-required");
    const exchange = beginExchange(mechanism, this.#context);
    if (!exchange) throw new SaslError("invalid-mechanism");
    this.#exchange = exchange;
    this.#mechanism = mechanism;
    const initial = text(element);
    // §6.4.2: no initial response; every mechanism here lets the client speak first, so it is asked to.
    return initial === "" ? { challenge: Buffer.alloc(0) } : exchange.respond(decode(initial));
  }

  #answer(step: Step): SaslAnswer {
    if ("challenge" in step) {
      return { element: xml("challenge", { xmlns: NS.sasl }, step.challenge.toString("base64")) };
    }
    const { domain, throttle, address } = this.#options;
    const account = parseJid(`${step.local}@${domain}`);
    if (!account) throw new SaslError("not-authorized");
    // §6.3.8: somebody else's name is for nobody but themselves.
    if (step.authzid !== undefined && parseJid(step.authzid)?.full !== account.full)
      throw new SaslError("invalid-authzid");
    throttle.succeeded(address, step.local);
    const data = step.final ? [step.final.toString("base64")] : [];
    const element = xml("success", { xmlns: NS.sasl }, ...data);
    return { element, authenticated: { account, mechanism: this.#mechanism } };
  }

  #refuse(error: SaslError): SaslAnswer {
    const { throttle, log, address } = this.#options;
    const local = this.#claimed;
    if (local !== undefined && error.condition === "not-authorized") throttle.failed(address, local);
    log.info({ address, local, mechanism: this.#mechanism, condition: error.condition }, "login refused");
    if (local !== undefined) this.#failures += 1;
    this.#refusals += 1;
    this.#exchange = this.#claimed = undefined;
    this.#mechanism = "";
    const element = error.toElement();
    const exhausted = this.#failures >= maxTries || this.#refusals >= maxRefusals;
    return exhausted ? { element, exhausted } : { element };
  }

  #checkThrottle(): void {
    if (this.#claimed !== undefined) this.#options.throttle.check(this.#options.address, this.#claimed);
  }
}

/** §6.4.2, §6.4.3: a single equals sign stands for data of no length. */
const decode = (data: string): Buffer => (data === "=" ? Buffer.alloc(0) : decodeBase64(data));
