/**
 * A client's stream from its first byte to its end: TLS, SASL, binding (RFC 6120 §5–7), then stanzas. What is allowed
 * next is the phase's to say; a stream goes through them in order, and never back.
 */
import type { Socket } from "node:net";
import type { Events } from "../events.ts";
import type { Logger } from "../log.ts";
import { StanzaError, StreamError } from "../xmpp/errors.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { limitsAfterAuthentication, limitsBeforeAuthentication, type StreamHeader } from "../xmpp/parser.ts";
import { errorReply, isStanza, resultReply, toStanzaError } from "../xmpp/stanza.ts";
import { attr, child, namespaceOf, xml, type Element } from "../xmpp/xml.ts";
import { bindResult, requestOf, resourceOf } from "./bind.ts";
import type { ServerEvents } from "./events.ts";
import { boundFeatures, saslFeatures, startTlsFeature, streamFeatures } from "./features.ts";
import { checkClientHeader, languageOf, serverHeader } from "./header.ts";
import type { Router } from "./router.ts";
import { SaslNegotiation, type Authenticator } from "./sasl.ts";
import { Session } from "./session.ts";
import type { Sessions } from "./sessions.ts";
import { XmppStream, type StreamHandler } from "./stream.ts";
import type { LoginThrottle, UnboundConnections } from "./throttle.ts";
import type { ServerTls } from "./tls.ts";

/** Nobody has more devices; what has, has a client that never logs out. */
const maxResources = 50;

/** In milliseconds. */
export interface Timing {
  /** From the connection to the bound resource: time to type a password over a bad line. */
  readonly negotiation: number;
  /** How long a client may be silent before it is asked: just under the 15 minutes of usual NAT tables. */
  readonly idle: number;
  /** How long it may take to answer. */
  readonly answer: number;
  /** How often all streams are looked at. */
  readonly sweep: number;
}

export const defaultTiming: Timing = { negotiation: 60_000, idle: 840_000, answer: 60_000, sweep: 5_000 };

/** What all streams of the listeners share. */
export interface ClientContext {
  readonly domain: string;
  readonly tls: ServerTls;
  readonly requireTls: boolean;
  readonly authenticator: Authenticator;
  readonly sessions: Sessions;
  readonly router: Router;
  readonly events: Events<ServerEvents>;
  readonly log: Logger;
  readonly features: readonly (() => Element)[];
  readonly throttle: LoginThrottle;
  readonly unbound: UnboundConnections;
  readonly timing: Timing;
  /** Told when a stream is over and its socket closed. */
  gone(stream: ClientStream): void;
}

type Phase =
  | { readonly name: "plain" | "secured"; readonly sasl: SaslNegotiation | undefined }
  | { readonly name: "authenticated"; readonly account: Jid; readonly mechanism: string }
  | { readonly name: "bound"; readonly session: Session };

type Done = void | Promise<void>;

export class ClientStream implements StreamHandler {
  readonly #context: ClientContext;
  readonly #stream: XmppStream;
  readonly #address: string;
  readonly #since: number;
  #phase: Phase = { name: "plain", sasl: undefined };
  /** `xml:lang` of the client's header. */
  #language: string | undefined;
  #pinged = false;

  constructor(context: ClientContext, socket: Socket, address: string, directTls: boolean) {
    this.#context = context;
    this.#address = address;
    this.#since = performance.now();
    this.#stream = new XmppStream(socket, limitsBeforeAuthentication, this, context.log);
    if (directTls) this.#secure(["xmpp-client"]);
  }

  close(error?: StreamError): void {
    this.#stream.close(error);
  }

  destroy(): void {
    this.#stream.destroy();
  }

  /** Looks whether this client is too slow, or still there (RFC 6120 §4.6). */
  sweep(now: number): void {
    const { negotiation, idle, answer } = this.#context.timing;
    const quiet = this.#stream.quietFor(now);
    if (this.#phase.name !== "bound") {
      if (now - this.#since >= negotiation) this.close(new StreamError("connection-timeout"));
      return;
    }
    if (quiet < idle) this.#pinged = false;
    else if (quiet >= idle + answer) this.close(new StreamError("connection-timeout"));
    else if (!this.#pinged) {
      this.#pinged = true;
      this.#ping(this.#phase.session);
    }
  }

  header(): string {
    return serverHeader(this.#context.domain);
  }

  opened(header: StreamHeader): void {
    const { domain, features, requireTls } = this.#context;
    this.#stream.open(serverHeader(domain, header.attrs["from"]));
    checkClientHeader(header, domain);
    this.#language = languageOf(header);
    const phase = this.#phase;
    if (phase.name === "authenticated" || phase.name === "bound") {
      return this.#offer([...boundFeatures(), ...features.map((feature) => feature())]);
    }
    const sasl = this.#beginSasl();
    this.#phase = { name: phase.name, sasl };
    this.#offer([
      ...(phase.name === "plain" ? [startTlsFeature(requireTls)] : []),
      ...saslFeatures(sasl.mechanisms, sasl.bindings),
    ]);
  }

  received(element: Element): Done {
    const phase = this.#phase;
    if (phase.name === "bound") return this.#stanza(element, phase.session);
    const xmlns = namespaceOf(element);
    if (xmlns === NS.stream && element.name === "error") return this.close();
    if (phase.name === "authenticated") return this.#bind(element, phase);
    if (xmlns === NS.tls && element.name === "starttls") return this.#startTls(phase.name);
    if (xmlns === NS.sasl && phase.sasl) return this.#authenticate(element, phase.sasl);
    throw new StreamError(isStanza(element) ? "not-authorized" : "unsupported-stanza-type");
  }

  detached(): void {
    if (this.#phase.name === "bound") this.#context.sessions.remove(this.#phase.session);
  }

  ended(): void {
    if (this.#phase.name !== "bound") return;
    const { session } = this.#phase;
    this.#context.events.emit("session.closed", { session });
    this.#context.log.info({ jid: session.jid.full, address: this.#address }, "logged out");
  }

  gone(): void {
    if (this.#phase.name !== "bound") this.#context.unbound.leave(this.#address);
    this.#context.gone(this);
  }

  #offer(features: readonly Element[]): void {
    this.#stream.send(streamFeatures(features));
  }

  #secure(alpn?: readonly string[], lastWord?: Element): void {
    const { tls } = this.#context;
    this.#phase = { name: "secured", sasl: undefined };
    this.#stream.secure((socket) => tls.wrap(socket, alpn), limitsBeforeAuthentication, lastWord);
  }

  #startTls(phase: "plain" | "secured"): void {
    if (phase === "plain") return this.#secure(undefined, xml("proceed", { xmlns: NS.tls }));
    // §5.4.2.2: there is TLS already; the failure ends the stream.
    this.#stream.send(xml("failure", { xmlns: NS.tls }));
    this.close();
  }

  #beginSasl(): SaslNegotiation {
    const { domain, authenticator, throttle, log, requireTls } = this.#context;
    const channel = this.#stream.channel;
    return new SaslNegotiation({
      domain,
      authenticator,
      throttle,
      log,
      address: this.#address,
      allowed: channel !== undefined || !requireTls,
      encrypted: channel !== undefined,
      bindings: channel?.bindings() ?? new Map(),
    });
  }

  async #authenticate(element: Element, sasl: SaslNegotiation): Promise<void> {
    const { element: answer, authenticated, exhausted } = await sasl.receive(element);
    this.#stream.send(answer);
    if (exhausted) throw new StreamError("policy-violation", "Too many failed logins");
    if (!authenticated) return;
    this.#phase = { name: "authenticated", ...authenticated };
    this.#stream.restart(limitsAfterAuthentication);
  }

  async #bind(element: Element, { account, mechanism }: Phase & { name: "authenticated" }): Promise<void> {
    if (!isStanza(element)) throw new StreamError("unsupported-stanza-type");
    const request = requestOf(element, "bind", NS.bind);
    // §7.1: nothing else is for a stream without a resource.
    if (!request) throw new StreamError("not-authorized", "Bind a resource first");
    try {
      const jid = account.withResource(resourceOf(request));
      if (!(await this.#stillKnown(account))) throw new StreamError("not-authorized");
      if (this.#stream.isOpen) this.#enter(jid, element, mechanism);
    } catch (error) {
      if (error instanceof StreamError) throw error;
      this.#stream.send(errorReply(element, toStanzaError(error)));
    }
  }

  /** Whether the account was not removed since it authenticated; from `Sessions` on, whoever removes it finds it. */
  async #stillKnown(account: Jid): Promise<boolean> {
    const { known } = await this.#context.authenticator.credentials(account.local, "SHA-256");
    return known;
  }

  #enter(jid: Jid, request: Element, mechanism: string): void {
    const { sessions, events, unbound, log } = this.#context;
    const namesake = sessions.get(jid);
    if (!namesake && [...sessions.of(jid.bare)].length >= maxResources)
      throw new StanzaError("resource-constraint", { text: "Too many clients are connected" });
    // §7.7.2.2: the newer one wins; the older may be a dead connection of the same device.
    namesake?.close(new StreamError("conflict"));
    const session = new Session(jid, this.#stream, this.#address);
    this.#phase = { name: "bound", session };
    unbound.leave(this.#address);
    sessions.add(session);
    this.#stream.send(resultReply(request, bindResult(jid.full)));
    const tls = this.#stream.channel?.socket.getProtocol() ?? "none";
    log.info({ jid: jid.full, address: this.#address, mechanism, tls }, "logged in");
    events.emit("session.bound", { session });
  }

  #stanza(stanza: Element, session: Session): Done {
    if (!isStanza(stanza)) {
      if (stanza.name === "error" && namespaceOf(stanza) === NS.stream) return this.close();
      throw new StreamError("unsupported-stanza-type");
    }
    const from = attr(stanza, "from");
    if (from !== undefined && !isOwn(from, session.jid)) throw new StreamError("invalid-from");
    if (stanza.name === "iq") {
      if (requestOf(stanza, "session", NS.session)) return session.send(resultReply(stanza));
      if (requestOf(stanza, "bind", NS.bind)) {
        return session.send(errorReply(stanza, new StanzaError("not-allowed", { text: "It is bound" })));
      }
    } else if (this.#language !== undefined) this.#declareLanguage(stanza, this.#language);
    return this.#context.router.receive(session, stanza);
  }

  /** §8.1.5: what people wrote keeps the language of the stream when it leaves it. */
  #declareLanguage(stanza: Element, language: string): void {
    if (attr(stanza, "xml:lang") !== undefined) return;
    if (child(stanza, "body") || child(stanza, "subject") || child(stanza, "status"))
      stanza.attrs["xml:lang"] = language;
  }

  /** XEP-0199; whatever comes back is an answer. */
  #ping(session: Session): void {
    const attrs = { type: "get", id: "idle", from: this.#context.domain, to: session.jid.full };
    session.send(xml("iq", attrs, xml("ping", { xmlns: NS.ping })));
  }
}

/** §8.1.2.1: a client is its full JID, or its account. */
function isOwn(from: string, own: Jid): boolean {
  if (from === own.full || from === own.bare) return true;
  const jid = parseJid(from)?.full;
  return jid === own.full || jid === own.bare;
}
