/**
 * A client's stream from its first byte to its end: what is negotiated (RFC 6120 §5–7), then stanzas. What may be said
 * next is the phase's to say, by its features; a stream goes through the phases in order, and never back.
 */
import type { Events } from "../events.ts";
import type { Logger } from "../log.ts";
import { StanzaError, StreamError } from "../xmpp/errors.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { limitsBeforeAuthentication, type StreamHeader } from "../xmpp/parser.ts";
import { isStanza } from "../xmpp/stanza.ts";
import { children, namespaceOf, serialize, type Element } from "../xmpp/xml.ts";
import { authentication } from "./authentication.ts";
import { binding } from "./bind.ts";
import { BoundStream } from "./bound-stream.ts";
import type { BindExtension } from "./bind2.ts";
import type { ClientRegistry } from "./client-registry.ts";
import type { Carry, ClientTransport, Framing } from "./client-transport.ts";
import { Cork } from "./cork.ts";
import { clientStateFeature } from "./csi.ts";
import type { ServerEvents } from "./events.ts";
import { streamFeatures } from "./features.ts";
import { languageOf } from "./header.ts";
import type { Hibernation } from "./hibernation.ts";
import { registration, type Registrar } from "./registration.ts";
import type { Router } from "./router.ts";
import type { Authenticator } from "./sasl.ts";
import { Session } from "./session.ts";
import type { Sessions } from "./sessions.ts";
import { startTls } from "./starttls.ts";
import type { StreamHandler } from "./stream.ts";
import type { Authenticated, NegotiatedStream, StreamFeature } from "./stream-feature.ts";
import { acknowledgement, resumption } from "./stream-management.ts";
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
  /** How long it may be silent before it is asked for what it has not acknowledged (XEP-0198 §4). */
  readonly lull: number;
  /** How often all streams are looked at. */
  readonly sweep: number;
}

export const defaultTiming: Timing = {
  negotiation: 60_000,
  idle: 840_000,
  answer: 60_000,
  lull: 30_000,
  sweep: 5_000,
};

/** What all streams of the listeners share. */
export interface ClientContext {
  readonly domain: string;
  readonly tls: ServerTls;
  readonly requireTls: boolean;
  readonly authenticator: Authenticator;
  /** Without it clients get no tokens, and no resource twice. */
  readonly clients?: ClientRegistry | undefined;
  /** Without it nobody can make an account. */
  readonly registrar?: Registrar | undefined;
  readonly sessions: Sessions;
  readonly hibernation: Hibernation;
  readonly router: Router;
  readonly events: Events<ServerEvents>;
  readonly log: Logger;
  readonly features: readonly (() => Element)[];
  /** What modules do while a resource is bound (XEP-0386). */
  readonly bindExtensions: readonly BindExtension[];
  readonly throttle: LoginThrottle;
  readonly unbound: UnboundConnections;
  readonly timing: Timing;
  /** Told when a stream is over and its socket closed. */
  gone(stream: ClientStream): void;
}

/** Nobody is known yet, somebody is, or their client has its address. */
type Phase =
  | { readonly name: "negotiating"; readonly features: readonly StreamFeature[] }
  | {
      readonly name: "authenticated";
      readonly who: Authenticated;
      readonly features: readonly StreamFeature[];
    }
  | BoundStream;

type Done = void | Promise<void>;

export class ClientStream implements StreamHandler, NegotiatedStream {
  readonly context: ClientContext;
  readonly transport: ClientTransport;
  readonly address: string;
  readonly #framing: Framing;
  readonly #since: number;
  #phase: Phase;
  /** `xml:lang` of the client's header. */
  #language: string | undefined;
  #from: Jid | undefined;

  constructor(context: ClientContext, carry: Carry, framing: Framing, address: string) {
    this.context = context;
    this.address = address;
    this.#framing = framing;
    this.#since = performance.now();
    this.transport = carry(this);
    this.#phase = {
      name: "negotiating",
      features: [startTls(this), ...authentication(this), ...registration(this)],
    };
  }

  get isEncrypted(): boolean {
    return this.#framing.isEncrypted || this.transport.channel !== undefined;
  }

  get from(): Jid | undefined {
    return this.#from;
  }

  /** For reasons of the server's own: the session may be resumed. */
  close(error?: StreamError): void {
    this.transport.close(error, true);
  }

  destroy(): void {
    this.transport.destroy();
  }

  /** Looks whether this client is too slow, or still there (RFC 6120 §4.6). */
  sweep(now: number): void {
    const quiet = this.transport.quietFor(now);
    if (this.#phase.name === "bound") this.#phase.sweep(quiet, now);
    else if (now - this.#since >= this.context.timing.negotiation)
      this.close(new StreamError("connection-timeout"));
  }

  header(): string {
    return this.#framing.header(this.context.domain);
  }

  opened(header: StreamHeader): Done {
    const { domain } = this.context;
    this.transport.open(this.#framing.header(domain, header.attrs["from"]));
    this.#framing.check(header, domain);
    this.#language = languageOf(header);
    this.#from = this.#claimed(header);
    return this.announce();
  }

  /** XEP-0388 §2.1: nobody of another domain is here; §2.3: who it is of ours comes in handy. */
  #claimed({ attrs }: StreamHeader): Jid | undefined {
    const from = parseJid(attrs["from"] ?? "");
    if (from && from.domain !== this.context.domain) throw new StreamError("invalid-from");
    return from?.local ? from.toBare() : undefined;
  }

  announce(): Done {
    const phase = this.#phase;
    if (phase.name === "bound") return this.transport.send(streamFeatures(phase.advertise()));
    const offers = phase.features.map((feature) => feature.advertise());
    const say = (features: (readonly Element[])[]): void =>
      this.transport.send(streamFeatures(features.flat()));
    return areThere(offers) ? say(offers) : Promise.all(offers).then(say);
  }

  received(element: Element): Done {
    const phase = this.#phase;
    if (element.name === "error" && namespaceOf(element) === NS.stream) return this.transport.close();
    if (phase.name === "bound") return phase.received(element);
    const [payload] = isStanza(element) ? children(element) : [element];
    const xmlns = payload && namespaceOf(payload);
    const feature = phase.features.find((one) => one.xmlns === xmlns);
    const busy = phase.features.find(({ isBusy }) => isBusy);
    if (feature && feature === (busy ?? feature)) return feature.receive(element);
    // §7.1: nothing else is for a stream without a resource.
    throw new StreamError(isStanza(element) ? "not-authorized" : "unsupported-stanza-type");
  }

  trailer(): string {
    return this.#phase.name === "bound" ? this.#phase.session.request() : "";
  }

  drained(): void {
    if (this.#phase.name === "bound") this.#phase.session.drained();
  }

  lastWords(): string {
    const management = this.#phase.name === "bound" && this.#phase.session.management;
    return management ? serialize(acknowledgement(management)) : "";
  }

  detached(unfinished: boolean): void {
    if (this.#phase.name === "bound") this.context.hibernation.lost(this.#phase.session, unfinished);
  }

  finishing(): Promise<void> | undefined {
    return this.#phase.name === "bound" ? this.#phase.idle : undefined;
  }

  ended(): void {
    if (this.#phase.name !== "bound") return;
    const { session, idle } = this.#phase;
    if (!idle) return this.context.hibernation.settled(session);
    void idle.then(() => this.context.hibernation.settled(session));
  }

  gone(): void {
    if (this.#phase.name !== "bound") {
      this.context.unbound.leave(this.address);
      return this.context.gone(this);
    }
    const { idle } = this.#phase;
    if (!idle) return this.context.gone(this);
    void idle.then(() => this.context.gone(this));
  }

  secure(alpn?: readonly string[], lastWord?: Element): void {
    const { tls } = this.context;
    this.transport.secure((socket) => tls.wrap(socket, alpn), limitsBeforeAuthentication, lastWord);
  }

  authenticated(who: Authenticated): void {
    const features = [binding(this, who.account), resumption(this, who), clientStateFeature()];
    this.#phase = { name: "authenticated", who, features };
  }

  async bind(jid: Jid, reply: (session: Session) => Done): Promise<void> {
    const { sessions, hibernation, events, unbound, log, authenticator } = this.context;
    if (this.#phase.name !== "authenticated") return;
    const { mechanism, credential, since, client } = this.#phase.who;
    // From `Sessions` on, whoever removes the account or changes its password finds the session.
    if (!(await authenticator.admits(jid.local, since))) throw new StreamError("not-authorized");
    if (!this.transport.isOpen) return;
    const namesake = sessions.get(jid);
    const isFull = !namesake && [...sessions.of(jid.bare)].length >= maxResources;
    if (isFull && !hibernation.evict(jid.bare))
      throw new StanzaError("resource-constraint", { text: "Too many clients are connected" });
    // §7.7.2.2: the newer one wins; the older may be a dead connection of the same device.
    namesake?.close(new StreamError("conflict"));
    const cork = new Cork(this.transport);
    const session = new Session(jid, cork, this.address, sessions.taken);
    session.client = client;
    session.isEncrypted = this.isEncrypted;
    if (typeof credential === "object") session.appPassword = credential.appPassword;
    this.#phase = new BoundStream(this, session, this.#language);
    unbound.leave(this.address);
    sessions.add(session);
    const replied = reply(session);
    const tls = this.transport.channel?.socket.getProtocol() ?? "none";
    log.info({ jid: jid.full, address: this.address, via: this.#framing.name, mechanism, tls }, "logged in");
    events.emit("session.bound", { session });
    await replied;
    cork.draw(session);
  }

  resume(session: Session): void {
    const { hibernation, unbound, log } = this.context;
    // It may have been ended, by a change of the password say, since it was claimed.
    if (!hibernation.wake(session, this.transport, this.address))
      return this.transport.close(new StreamError("reset"));
    session.isEncrypted = this.isEncrypted;
    this.#phase = new BoundStream(this, session, this.#language);
    unbound.leave(this.address);
    log.info({ jid: session.jid.full, address: this.address, via: this.#framing.name }, "resumed");
  }
}

/** Most are, and a stream that has to wait is slower. */
const areThere = (
  offers: readonly ReturnType<StreamFeature["advertise"]>[],
): offers is (readonly Element[])[] => !offers.some((offer) => offer instanceof Promise);
