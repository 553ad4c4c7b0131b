/**
 * RFC 6120, XEP-0178: a stream that another server opened to us. First TLS, then proof of who speaks, by certificate or
 * by dialback; what comes after is the exchange's.
 */
import type { Socket } from "node:net";
import { SaslError, StreamError } from "../xmpp/errors.ts";
import { prepareDomain } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { limitsAfterAuthentication, limitsBeforeAuthentication, type StreamHeader } from "../xmpp/parser.ts";
import { decodeBase64 } from "../xmpp/sasl/base64.ts";
import { attr, namespaceOf, text, xml, type Element } from "../xmpp/xml.ts";
import { startTlsFeature, streamFeatures } from "./features.ts";
import { checkPeerHeader, newStreamId, peerHeader } from "./header.ts";
import { faultFor } from "./s2s-certificate.ts";
import type { S2sContext } from "./s2s-context.ts";
import { Exchange } from "./s2s-exchange.ts";
import {
  bidiFeature,
  dialbackFeature,
  externalFeature,
  limitsElement,
  limitsIn,
  managementFeature,
} from "./s2s-features.ts";
import { PeerStream } from "./s2s-stream.ts";
import type { PeerChannel } from "./tls.ts";

/** RFC 6120 §6.4.5: a certificate does not get better by trying again. */
const maxTries = 3;

/** Who is on the stream, as its header says. */
interface Parties {
  readonly local: string;
  readonly remote: string | undefined;
}

type Phase =
  /** Nothing but STARTTLS. */
  | { readonly name: "plain" }
  /** Under TLS, before the header. */
  | { readonly name: "secured"; readonly channel: PeerChannel }
  /** The peer may prove who it is: by SASL, where `external`, or by dialback, and then this is how it stays. */
  | {
      readonly name: "proving";
      readonly exchange: Exchange;
      readonly parties: Parties;
      readonly external: boolean;
    }
  /** SASL has succeeded; a new header comes first. */
  | { readonly name: "authenticated"; readonly exchange: Exchange; readonly parties: Parties };

export class IncomingStream extends PeerStream {
  readonly #address: string;
  readonly #since = performance.now();
  protected phase: Phase = { name: "plain" };
  #stranger = true;
  #challenged = false;
  #tries = 0;

  constructor(context: S2sContext, socket: Socket, address: string, directTls: boolean) {
    super(context, socket);
    this.#address = address;
    if (directTls) this.#secure(["xmpp-server"]);
  }

  sweep(now: number): void {
    const quiet = this.stream.quietFor(now);
    if (!this.#stranger) this.exchange?.sweep(now, quiet);
    else if (now - this.#since >= this.context.timing.negotiation)
      this.close(new StreamError("connection-timeout"));
  }

  header(): string {
    return peerHeader({ from: this.context.domain, to: undefined, id: newStreamId() });
  }

  opened(header: StreamHeader): void {
    const { domain, isLocal } = this.context;
    const to = prepareDomain(header.attrs["to"] ?? "");
    const from = prepareDomain(header.attrs["from"] ?? "");
    const id = newStreamId();
    this.stream.open(peerHeader({ from: to !== undefined && isLocal(to) ? to : domain, to: from, id }));
    const parties = this.#checkParties(header, from, to);
    const phase = this.phase;
    if (phase.name === "plain") return this.#offer([startTlsFeature(true), bidiFeature()]);
    if (phase.name === "authenticated") {
      if (parties.remote !== undefined && parties.remote !== phase.parties.remote)
        throw new StreamError("invalid-from");
      phase.exchange.id = id;
      this.#offer([dialbackFeature(), managementFeature(), this.#limits()]);
      return phase.exchange.announce();
    }
    if (phase.name === "secured") this.#begin(phase.channel, parties, id);
  }

  received(element: Element, bytes: number): void | Promise<void> {
    const phase = this.phase;
    if (phase.name === "authenticated") return phase.exchange.received(element, bytes);
    const xmlns = namespaceOf(element);
    if (xmlns === NS.tls && element.name === "starttls") return this.#startTls();
    if (phase.name !== "proving") {
      if (xmlns === NS.stream && element.name === "error") return this.close();
      throw new StreamError("policy-violation", "TLS comes first");
    }
    const { exchange } = phase;
    if (this.#stranger) {
      if (xmlns === NS.sasl) return this.#authenticate(element, phase);
      if (xmlns === NS.bidi && element.name === "bidi") {
        exchange.bidi = true;
        exchange.limits = limitsIn(element);
        return;
      }
    }
    return exchange.received(element, bytes);
  }

  ended(): void {
    const { exchange } = this;
    if (exchange && !this.#stranger)
      this.context.log.info({ domains: [...exchange.speaks], address: this.#address }, "a server left");
  }

  override gone(): void {
    super.gone();
    if (this.#stranger) this.context.strangers.leave(this.#address);
  }

  #offer(features: readonly Element[]): void {
    this.stream.send(streamFeatures(features));
  }

  #limits(): Element {
    return limitsElement(2 * this.context.timing.idle);
  }

  #checkParties(header: StreamHeader, from: string | undefined, to: string | undefined): Parties {
    checkPeerHeader(header);
    const { isLocal, policy } = this.context;
    if (to === undefined) throw new StreamError("improper-addressing", "The header has no 'to' address");
    if (!isLocal(to)) throw new StreamError("host-unknown");
    if (from === undefined && header.attrs["from"] !== undefined)
      throw new StreamError("improper-addressing", "'from' is not a domain");
    if (from !== undefined && isLocal(from)) throw new StreamError("invalid-from");
    if (from !== undefined && !policy.permits(from)) {
      this.context.log.info({ domain: from, address: this.#address }, "a denied server was refused");
      throw new StreamError("policy-violation", `${from} may not speak here`);
    }
    return { local: to, remote: from };
  }

  #secure(alpn?: readonly string[], lastWord?: Element): void {
    const wrap = (socket: Socket): PeerChannel => {
      const channel = this.context.tls.wrapPeer(socket, alpn);
      this.phase = { name: "secured", channel };
      return channel;
    };
    this.stream.secure(wrap, limitsBeforeAuthentication, lastWord);
  }

  #startTls(): void {
    if (this.phase.name === "plain") return this.#secure(undefined, xml("proceed", { xmlns: NS.tls }));
    // §5.4.2.2: there is TLS already; the failure ends the stream.
    this.stream.send(xml("failure", { xmlns: NS.tls }));
    this.close();
  }

  #begin(channel: PeerChannel, parties: Parties, id: string): void {
    const trust = channel.trust();
    const { remote } = parties;
    const believed = (domain: string): void => this.#known(domain, channel);
    const exchange = new Exchange(this.context, this.stream, { initiated: false, trust, believed });
    exchange.id = id;
    // XEP-0178 §3: not before the certificate is known to be of who is said to speak.
    const why = remote === undefined ? "it does not say who it is" : faultFor(trust, remote);
    const external = why === undefined;
    this.phase = { name: "proving", exchange, parties, external };
    if (!external)
      this.context.log.debug({ domain: remote, address: this.#address, why }, "no proof by certificate");
    this.#offer([
      ...(external ? [externalFeature()] : []),
      dialbackFeature(),
      bidiFeature(),
      // After dialback no features come again.
      ...(this.context.dialback ? [managementFeature()] : []),
      this.#limits(),
    ]);
  }

  #known(domain: string, channel: PeerChannel): void {
    const { strangers, log } = this.context;
    const { phase } = this;
    const byHeader = phase.name === "authenticated" && domain === phase.parties.remote;
    const proof = byHeader ? "EXTERNAL" : "dialback";
    const tls = channel.socket.getProtocol();
    log.info({ domain, address: this.#address, proof, tls, bidi: this.exchange?.bidi }, "a server came");
    if (!this.#stranger) return;
    this.#stranger = false;
    strangers.leave(this.#address);
  }

  #authenticate(element: Element, phase: Phase & { name: "proving" }): void {
    try {
      const authzid = this.#authzidIn(element, phase.external);
      if (authzid === undefined) return this.stream.send(xml("challenge", { xmlns: NS.sasl }));
      // §6.3.8: nobody speaks for another than the one whose certificate was checked.
      if (authzid !== "" && prepareDomain(authzid) !== phase.parties.remote)
        throw new SaslError("invalid-authzid");
    } catch (error) {
      if (!(error instanceof SaslError)) throw error;
      this.#challenged = false;
      this.#tries += 1;
      this.stream.send(error.toElement());
      if (this.#tries >= maxTries) throw new StreamError("policy-violation", "Too many failed attempts");
      return;
    }
    const { exchange, parties } = phase;
    this.phase = { name: "authenticated", exchange, parties };
    if (!exchange.believe(parties.remote!, parties.local))
      throw new StreamError("resource-constraint", "Too many streams from this domain");
    this.stream.send(xml("success", { xmlns: NS.sasl }));
    this.stream.restart(limitsAfterAuthentication);
  }

  /** Whom the peer wants to be, "" where that goes without saying; `undefined` where it has to be asked (§6.4.3). */
  #authzidIn(element: Element, external: boolean): string | undefined {
    if (element.name === "abort") throw new SaslError("aborted");
    const data = text(element).trim();
    if (element.name === "auth" && !this.#challenged) {
      if (!external || attr(element, "mechanism") !== "EXTERNAL") throw new SaslError("invalid-mechanism");
      if (data === "") {
        this.#challenged = true;
        return undefined;
      }
    } else if (element.name !== "response" || !this.#challenged) throw new SaslError("malformed-request");
    return data === "=" ? "" : decodeBase64(data).toString();
  }
}
