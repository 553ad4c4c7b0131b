/**
 * A stream that we open to another server: TLS and the proof that it is the right one, then the proof that we are
 * (RFC 6120 §5, §6, XEP-0178 §3, XEP-0220 §2.1), then stream management. What comes after is the exchange's.
 */
import type { Socket } from "node:net";
import { StreamError, type StanzaCondition } from "../xmpp/errors.ts";
import { prepareDomain } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { limitsAfterAuthentication, limitsBeforeAuthentication, type StreamHeader } from "../xmpp/parser.ts";
import { attr, namespaceOf, xml, type Element } from "../xmpp/xml.ts";
import { checkPeerHeader, peerHeader } from "./header.ts";
import { faultFor, type PeerTrust } from "./s2s-certificate.ts";
import type { S2sContext } from "./s2s-context.ts";
import { dialbackElement, verdictOf, type Claim, type Verdict } from "./s2s-dialback.ts";
import { inWords, placeOf } from "./s2s-dial.ts";
import type { S2sTarget } from "./s2s-discovery.ts";
import { Exchange } from "./s2s-exchange.ts";
import { bidiRequest, featuresIn, streamCondition, type PeerFeatures } from "./s2s-features.ts";
import { S2sError } from "./s2s-link.ts";
import { PeerStream } from "./s2s-stream.ts";
import type { PeerChannel } from "./tls.ts";

/** A server could not be used; another one of the same domain perhaps can. */
export class ConnectionFault extends S2sError {}

/** What the stream is for. */
export type Purpose =
  | { readonly name: "link"; resolve(link: Exchange): void }
  | { readonly name: "verify"; readonly claim: Claim; resolve(verdict: Verdict): void };

export interface Attempt {
  readonly context: S2sContext;
  readonly local: string;
  readonly remote: string;
  readonly target: S2sTarget;
  /** When the search for the domain began. */
  readonly since: number;
  readonly purpose: Purpose;
  /** Told an `S2sError`, where nothing was resolved. */
  reject(error: S2sError): void;
}

type Phase =
  /** Not under TLS; features are awaited, then leave to go on. */
  | { readonly name: "plain" | "starttls" }
  | { readonly name: "handshake"; readonly channel: PeerChannel }
  /** Our header is sent, the peer's is awaited. */
  | { readonly name: "secured"; readonly trust: PeerTrust }
  | { readonly name: "features" | "authenticated" | "enabling" | "open"; readonly exchange: Exchange }
  /** Our proof is on its way. */
  | { readonly name: "external"; readonly exchange: Exchange; readonly features: PeerFeatures }
  | { readonly name: "dialback"; readonly exchange: Exchange }
  | { readonly name: "verify"; readonly exchange: Exchange; readonly claim: Claim };

/** Where it was, in words that go on from "while" in a log. */
const stages: Record<Phase["name"], string> = {
  plain: "it was asked for TLS",
  starttls: "it was asked for TLS",
  handshake: "TLS was negotiated",
  secured: "a stream was opened",
  features: "a stream was opened",
  external: "it checked our certificate",
  dialback: "it checked our dialback key",
  authenticated: "a stream was opened",
  verify: "it was asked about a dialback key",
  enabling: "stream management was negotiated",
  open: "stanzas were exchanged",
};

export class OutgoingStream extends PeerStream {
  readonly #attempt: Attempt;
  protected phase: Phase = { name: "plain" };
  /** Whether the attempt has had its answer. */
  #settled = false;

  constructor(attempt: Attempt, socket: Socket) {
    super(attempt.context, socket);
    this.#attempt = attempt;
    if (attempt.target.directTls) this.#secure(["xmpp-server"]);
    else this.stream.open(this.header());
  }

  sweep(now: number): void {
    const quiet = this.stream.quietFor(now);
    if (this.phase.name === "open") return this.phase.exchange.sweep(now, quiet);
    const { negotiation } = this.context.timing;
    if (this.stream.isOpen && now - this.#attempt.since >= negotiation)
      this.#giveUp(`it did not answer in time while ${stages[this.phase.name]}`);
  }

  header(): string {
    return peerHeader({ from: this.#attempt.local, to: this.#attempt.remote });
  }

  secured(): void {
    if (this.phase.name !== "handshake") return;
    const trust = this.phase.channel.trust();
    const fault = this.context.dialback ? undefined : faultFor(trust, this.#attempt.remote);
    if (fault !== undefined) return this.#giveUp(fault);
    this.phase = { name: "secured", trust };
    this.stream.open(this.header());
  }

  opened(header: StreamHeader): void {
    checkPeerHeader(header);
    const phase = this.phase;
    const id = header.attrs["id"] ?? "";
    if (phase.name === "authenticated") phase.exchange.id = id;
    if (phase.name !== "secured") return;
    const exchange = new Exchange(this.context, this.stream, { initiated: true, trust: phase.trust });
    exchange.id = id;
    this.phase = { name: "features", exchange };
  }

  received(element: Element, bytes: number): void | Promise<void> {
    const phase = this.phase;
    if (phase.name === "open") return phase.exchange.received(element, bytes);
    const xmlns = namespaceOf(element);
    const { name } = element;
    if (xmlns === NS.stream && name === "error") return this.#refused(element);
    const features = xmlns === NS.stream && name === "features" ? featuresIn(element) : undefined;
    if (phase.name === "plain" && features) return this.#askForTls(features);
    if (phase.name === "starttls" && xmlns === NS.tls) {
      return name === "proceed" ? this.#secure() : this.#giveUp("it refuses TLS");
    }
    if (!("exchange" in phase)) throw new StreamError("unsupported-stanza-type");
    const { exchange } = phase;
    if (features?.limits) exchange.limits = features.limits;
    if (phase.name === "features" && features) return this.#prove(exchange, features);
    if (phase.name === "authenticated" && features) return this.#proven(exchange, features);
    if (phase.name === "external" && xmlns === NS.sasl) return this.#checked(name, phase);
    if (phase.name === "verify" && xmlns === NS.dialback && isAnswerTo(element, phase.claim))
      return this.#verified(verdictOf(element, attr(element, "type")!));
    if (phase.name === "enabling" && xmlns === NS.streamManagement && name !== "r") {
      if (name === "enabled") exchange.manage();
      return this.#finish(exchange);
    }
    return exchange.received(element, bytes);
  }

  ended(): void {
    const what = `${howEnded(this.stream.fault)} while ${stages[this.phase.name]}`;
    this.#settle(this.#fault("remote-server-timeout", what, true));
    if (this.phase.name === "open")
      this.context.log.info({ domain: this.#attempt.remote }, "a stream to a server ended");
  }

  #askForTls({ startTls }: PeerFeatures): void {
    if (!startTls) return this.#giveUp("it offers no TLS");
    this.phase = { name: "starttls" };
    this.stream.send(xml("starttls", { xmlns: NS.tls }));
  }

  #secure(alpn?: readonly string[]): void {
    const wrap = (socket: Socket): PeerChannel => {
      const channel = this.context.tls.connectPeer(socket, this.#attempt.remote, alpn);
      this.phase = { name: "handshake", channel };
      return channel;
    };
    this.stream.secure(wrap, limitsBeforeAuthentication);
  }

  #prove(exchange: Exchange, features: PeerFeatures): void {
    const { purpose, local, remote } = this.#attempt;
    exchange.multiplexes = features.dialbackErrors;
    if (purpose.name === "verify") {
      const { claim } = purpose;
      this.phase = { name: "verify", exchange, claim };
      const attrs = { from: local, to: remote, id: claim.streamId };
      return this.stream.send(dialbackElement("verify", attrs, claim.key));
    }
    if (features.bidi) {
      exchange.bidi = true;
      this.stream.send(bidiRequest(2 * this.context.timing.idle));
    }
    if (!features.external) return this.#claim(exchange, features);
    this.phase = { name: "external", exchange, features };
    // XEP-0178 §3: old servers want to be told whom the certificate is to be checked for.
    const authzid = Buffer.from(local).toString("base64");
    this.stream.send(xml("auth", { xmlns: NS.sasl, mechanism: "EXTERNAL" }, authzid));
  }

  #checked(answer: string, { exchange, features }: Phase & { name: "external" }): void {
    // XEP-0178 §3: what a certificate does not show, dialback may.
    if (answer === "failure") return this.#claim(exchange, features);
    if (answer !== "success") return this.stream.send(xml("response", { xmlns: NS.sasl }, "="));
    this.phase = { name: "authenticated", exchange };
    this.stream.restart(limitsAfterAuthentication);
    this.stream.open(this.header());
  }

  #claim(exchange: Exchange, features: PeerFeatures): void {
    const { local, remote } = this.#attempt;
    this.phase = { name: "dialback", exchange };
    exchange.claim(local, remote, (verdict) => {
      if (!this.stream.isOpen) return;
      if (verdict === "valid") return this.#proven(exchange, features);
      const condition = verdict === "invalid" ? "internal-server-error" : "remote-server-timeout";
      const wants = features.external ? "" : "; perhaps it does not trust our certificate";
      this.#fail(condition, `it does not believe that we are ${local} (${verdict})${wants}`);
    });
  }

  /** The peer believes us; with bidi it may speak at once. */
  #proven(exchange: Exchange, features: PeerFeatures): void {
    const { local, remote } = this.#attempt;
    if (exchange.bidi) exchange.believe(remote, local);
    this.stream.limits = limitsAfterAuthentication;
    exchange.multiplexes ||= features.dialbackErrors;
    if (!features.management) return this.#finish(exchange);
    this.phase = { name: "enabling", exchange };
    this.stream.send(xml("enable", { xmlns: NS.streamManagement }));
  }

  #finish(exchange: Exchange): void {
    const { local, remote, purpose, target } = this.#attempt;
    this.phase = { name: "open", exchange };
    exchange.believed(local, remote);
    const { bidi, isManaged: acks } = exchange;
    this.context.log.info({ domain: remote, server: target.name, bidi, acks }, "connected to a server");
    this.#settled = true;
    if (purpose.name === "link") purpose.resolve(exchange);
  }

  #verified(verdict: string): void {
    const { purpose } = this.#attempt;
    this.#settled = true;
    // §2.4.2: what goes wrong at this step is told so.
    if (purpose.name === "verify")
      purpose.resolve(verdict === "valid" || verdict === "invalid" ? verdict : "remote-server-not-found");
    this.close();
  }

  /** A stream error (RFC 6120 §4.9.3). */
  #refused(error: Element): void {
    const { condition, text } = streamCondition(error);
    const told = text === undefined ? condition : `${condition}, "${text}"`;
    switch (condition) {
      case "host-unknown":
      case "host-gone":
        return this.#fail("remote-server-not-found", `it does not serve ${this.#attempt.remote} (${told})`);
      case "policy-violation":
      case "not-authorized":
        return this.#fail("not-allowed", `it does not let us in (${told})`);
      default:
        // §4.9.3.19 obliges nobody to follow `see-other-host`: between servers SRV records say the same, from who owns
        // the domain, while this could be said by anybody who is in between until TLS is up.
        return this.#giveUp(`it ended the stream (${told})`);
    }
  }

  #fault(condition: StanzaCondition, what: string, elsewhere: boolean): S2sError {
    const reason = `${placeOf(this.#attempt.target)}: ${what}`;
    return elsewhere ? new ConnectionFault(condition, reason) : new S2sError(condition, reason);
  }

  /** This domain cannot be reached now. */
  #fail(condition: StanzaCondition, what: string): void {
    this.#settle(this.#fault(condition, what, false));
    this.close();
  }

  /** This server cannot be used. */
  #giveUp(what: string): void {
    this.#settle(this.#fault("remote-server-timeout", what, true));
    this.close();
  }

  #settle(error: S2sError): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#attempt.reject(error);
  }
}

function howEnded(fault: Error | undefined): string {
  if (!fault) return "it ended the connection";
  return fault instanceof StreamError ? `it could not be understood (${fault.message})` : inWords(fault);
}

/** XEP-0220 §3.1: only what was asked here, word for word. */
function isAnswerTo(element: Element, { local, remote, streamId }: Claim): boolean {
  return (
    element.name === "verify" &&
    attr(element, "type") !== undefined &&
    attr(element, "id") === streamId &&
    prepareDomain(attr(element, "from") ?? "") === remote &&
    prepareDomain(attr(element, "to") ?? "") === local
  );
}
