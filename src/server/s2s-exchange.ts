/**
 * The stanzas of one stream between servers: who may speak on it, to whom, and what belongs to all that is sent.
 * Streams of both directions come to this once TLS is up; with XEP-0288 there is no difference any more.
 */
import { StreamError } from "../xmpp/errors.ts";
import { parseJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { limitsAfterAuthentication, type ParserEvent } from "../xmpp/parser.ts";
import { isStanza } from "../xmpp/stanza.ts";
import { attr, namespaceOf, xml, type Element } from "../xmpp/xml.ts";
import { InOrder } from "./in-order.ts";
import { throughOf, Underway } from "./message-flow.ts";
import type { PeerTrust } from "./s2s-certificate.ts";
import type { OpenLink, S2sContext } from "./s2s-context.ts";
import { Delivery, type Pair } from "./s2s-delivery.ts";
import { Dialback, pairOf, type DialbackStream } from "./s2s-dialback.ts";
import { streamCondition, type PeerLimits } from "./s2s-features.ts";
import type { Outcome } from "./s2s-link.ts";
import type { XmppStream } from "./stream.ts";

type Done = void | Promise<void>;

export interface ExchangeOptions {
  /** Whether we began the stream. */
  readonly initiated: boolean;
  readonly trust: PeerTrust;
  /** Told for each domain that the peer turns out to speak for. */
  believed?(remote: string): void;
}

export class Exchange implements OpenLink, DialbackStream {
  id = "";
  /** XEP-0288: stanzas go in both directions. */
  bidi = false;
  /** Whether the peer takes more domains on this stream, and a bad one does not end it (XEP-0220 §2.6). */
  multiplexes = false;
  /** What the peer bears. */
  limits: PeerLimits | undefined;
  readonly trust: PeerTrust;
  readonly speaks = new Set<string>();
  readonly #context: S2sContext;
  readonly #stream: XmppStream;
  readonly #initiated: boolean;
  readonly #believed: ((remote: string) => void) | undefined;
  readonly #dialback: Dialback;
  readonly #delivery: Delivery;
  /** Whom each domain of who began the stream may send to; with bidi, the other way round as well. */
  readonly #pairs = new Map<string, Pair>();
  /** Those of them that the peer does not know to be believed yet. */
  #unannounced: Pair[] = [];
  /** Stanzas went since the last look, in either direction. */
  #active = true;
  #activeAt = 0;
  #ended: (() => void)[] = [];
  readonly #messages = new InOrder((error) => {
    this.#context.log.error({ err: error }, "a message could not be handled");
    this.close(new StreamError("internal-server-error"));
  });
  #leaving = false;

  constructor(context: S2sContext, stream: XmppStream, options: ExchangeOptions) {
    this.#context = context;
    this.#stream = stream;
    this.#initiated = options.initiated;
    this.#believed = options.believed?.bind(options);
    this.trust = options.trust;
    this.#dialback = new Dialback(context, this);
    const pair = (): Pair | undefined => (this.#sends ? this.#pairs.values().next().value : undefined);
    this.#delivery = new Delivery(context, stream, pair);
  }

  get isOpen(): boolean {
    return this.#stream.isOpen;
  }

  get hears(): boolean {
    return !this.#initiated || this.bidi;
  }

  /** Whether we may send stanzas on it. */
  get #sends(): boolean {
    return this.#initiated || this.bidi;
  }

  get maxStanzaBytes(): number | undefined {
    return this.limits?.maxBytes;
  }

  get waiting(): number {
    return this.#delivery.waiting;
  }

  carries(local: string, remote: string): boolean {
    return this.isOpen && this.#sends && this.#pairs.has(pairOf(local, remote));
  }

  extendsTo(remote: string): boolean {
    if (!this.isOpen || !this.multiplexes) return false;
    for (const pair of this.#pairs.values()) if (pair.remote === remote) return true;
    return false;
  }

  onEnd(listener: () => void): void {
    this.#ended.push(listener);
  }

  send(text: string, settled: (outcome: Outcome) => void): void {
    if (!this.isOpen) return settled("lost");
    if (this.maxStanzaBytes !== undefined && Buffer.byteLength(text) > this.maxStanzaBytes)
      return settled("refused");
    this.#active = true;
    this.#delivery.send(text, settled);
  }

  say(element: Element): void {
    this.#stream.send(element);
  }

  /** Ends the stream; in order, where nothing is wrong with the peer. */
  close(error?: StreamError): void {
    if (error) this.#stream.close(error);
    else this.leave();
  }

  /** Resolves once no message is under way; `undefined` where none is. What comes meanwhile waits behind them. */
  get idle(): Promise<void> | undefined {
    return this.#messages.idle;
  }

  /** Ends it in order: what was begun is acknowledged yet, and what comes now is the peer's to send again. */
  leave(error?: StreamError): void {
    const { idle } = this;
    if (!idle) return this.#stream.close(error);
    this.#leaving = true;
    void idle.then(() => this.#stream.close(error));
  }

  /** What comes in once TLS is up, but for SASL and features. */
  received(element: Element, bytes: number): Done {
    if (this.#leaving) return;
    if (isStanza(element)) return this.#stanza(element, bytes);
    const xmlns = namespaceOf(element);
    if (xmlns === NS.dialback) return this.#dialback.received(element);
    if (xmlns === NS.streamManagement) return this.#manage(element);
    if (xmlns !== NS.stream || element.name !== "error") throw new StreamError("unsupported-stanza-type");
    const { condition, text } = streamCondition(element);
    const domains = this.#domains();
    // Strangers do not fill the log.
    const level = domains.length > 0 ? "info" : "debug";
    this.#context.log[level]({ domains, condition, text }, "a server ended its stream");
    this.close();
  }

  believe(remote: string, local: string): boolean {
    if (!this.speaks.has(remote)) {
      if (!this.#context.flows.enter(remote, this.#initiated)) return false;
      this.speaks.add(remote);
      this.#believed?.(remote);
    }
    this.#stream.limits = limitsAfterAuthentication;
    if (this.#initiated || this.#pairs.has(pairOf(local, remote))) return true;
    this.#pairs.set(pairOf(local, remote), { local, remote });
    this.#unannounced.push({ local, remote });
    // XEP-0288 §2.2: who asks for bidi knows dialback errors.
    this.multiplexes = this.bidi;
    return true;
  }

  announce(): void {
    const { links, seen } = this.#context;
    if (this.bidi && this.#unannounced.length > 0) links.add(this);
    for (const { local, remote } of this.#unannounced.splice(0)) seen?.(local, remote);
  }

  /** The peer believes that we speak for a domain of ours. */
  believed(local: string, remote: string): void {
    this.#pairs.set(pairOf(local, remote), { local, remote });
    this.#context.links.add(this);
  }

  prove(local: string, remote: string): Promise<boolean> {
    return new Promise((resolve) => {
      const late = setTimeout(() => resolve(false), this.#context.timing.negotiation).unref();
      this.claim(local, remote, (verdict) => {
        clearTimeout(late);
        if (verdict === "valid") this.believed(local, remote);
        resolve(verdict === "valid");
      });
    });
  }

  /** Claims a domain; what the peer says to that, before anything that comes after it is looked at. */
  claim(local: string, remote: string, answered: (verdict: string) => void): void {
    this.#dialback.claim(local, remote, answered);
  }

  /** Whether the peer acknowledges what it has (XEP-0198). */
  get isManaged(): boolean {
    return this.#delivery.isManaged;
  }

  /** Both sides count stanzas from here (XEP-0198 §3). */
  manage(): void {
    this.#delivery.manage();
  }

  /** Looks whether the peer is there, and whether the stream is of any use; `quiet`: for how long nothing came. */
  sweep(now: number, quiet: number): void {
    const { timing } = this.#context;
    if (this.#active) {
      this.#active = false;
      this.#activeAt = now;
    }
    const denied = this.#domains().find((domain) => !this.#context.policy.permits(domain));
    if (denied !== undefined) {
      return this.close(new StreamError("policy-violation", `${denied} may not be spoken with any more`));
    }
    if (!this.#delivery.sweep(now)) return;
    if (now - this.#activeAt >= this.#patience && this.waiting === 0) this.close();
    else if (quiet >= timing.quiet) this.#delivery.probe();
  }

  /** How long it may be without stanzas, in milliseconds. */
  get #patience(): number {
    const { idle, sweep } = this.#context.timing;
    // XEP-0478 §3.1: it ends before the peer would end it, and both beginning and end of a silence are seen a look later.
    const peers = (this.limits?.idleSeconds ?? Infinity) * 1_000 - 2 * sweep;
    return Math.min(this.#initiated ? idle : 2 * idle, peers);
  }

  lastWords(): string {
    return this.#delivery.acknowledgement();
  }

  /** What the peer says after our end. */
  farewell(event: ParserEvent): void {
    if (event.kind === "close") this.#delivery.over();
    else if (event.kind === "element" && namespaceOf(event.element) === NS.streamManagement)
      this.#delivery.late(event.element);
  }

  /** Nothing can be sent any more. */
  detached(): void {
    this.#context.links.delete(this);
    this.#delivery.detached();
    this.#dialback.end();
  }

  /** The connection is closed, too. */
  gone(): void {
    for (const domain of this.speaks) this.#context.flows.leave(domain);
    this.speaks.clear();
    this.#delivery.gone();
    for (const listener of this.#ended.splice(0)) listener();
  }

  #stanza(stanza: Element, bytes: number): Done {
    const from = parseJid(attr(stanza, "from") ?? "");
    if (!from) throw new StreamError("improper-addressing", "A stanza without a sender");
    const { domain } = from;
    const { policy, flows, isLocal } = this.#context;
    if (!policy.permits(domain)) throw new StreamError("policy-violation", `${domain} may not speak here`);
    if (!this.speaks.has(domain))
      throw new StreamError(this.speaks.size === 0 ? "not-authorized" : "invalid-from");
    const written = attr(stanza, "to");
    if (written === undefined) throw new StreamError("improper-addressing", "A stanza for nobody");
    // What is no address at all is answered as such, and no reason to end what others share.
    const to = parseJid(written);
    if (to && !isLocal(to.domain)) throw new StreamError("host-unknown", `${to.domain} is not served here`);
    this.#active = true;
    const wait = flows.spend(domain, bytes);
    const take = (): Done => (this.#isPong(stanza, from.full, written) ? this.#count() : this.#take(stanza));
    const { idle } = this;
    // Whatever is no message waits for all that are under way.
    const isNext = stanza.name === "message" && !this.#messages.isFull;
    const done = idle && !isNext ? idle.then(take) : take();
    return done || wait > 0 ? this.#settle(done, wait) : undefined;
  }

  #take(stanza: Element): Done {
    const done = this.#context.receive(stanza, this);
    // What came before both sides began to count is not counted later either.
    const { isManaged } = this;
    const count = (): void => {
      if (isManaged) this.#count();
    };
    if (!done) return this.#messages.behind(count);
    this.#messages.follow(throughOf(done)!, count);
    if (!(done instanceof Underway)) return this.idle;
  }

  #count(): void {
    this.#delivery.handled();
  }

  async #settle(done: Done, wait: number): Promise<void> {
    await done;
    // Meanwhile nothing is read; the peer's queue grows, and not ours.
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait).unref());
  }

  #isPong(stanza: Element, from: string, to: string): boolean {
    const type = attr(stanza, "type");
    if (stanza.name !== "iq" || (type !== "result" && type !== "error")) return false;
    const { pings } = this.#context;
    const id = attr(stanza, "id") ?? "";
    return pings.get(id)?.(from, to) === true && pings.delete(id);
  }

  #manage(element: Element): void {
    const { idle } = this;
    // Asked now, it would have to be asked again.
    if (element.name === "r" && idle) return void idle.then(() => this.#delivery.received(element));
    if (element.name !== "enable") return this.#delivery.received(element);
    // XEP-0198 §3: once, by who began the stream, and not before stanzas may be sent.
    if (this.#initiated || this.#delivery.isManaged || this.speaks.size === 0) {
      const why = xml("unexpected-request", { xmlns: NS.stanzas });
      return this.say(xml("failed", { xmlns: NS.streamManagement }, why));
    }
    this.say(xml("enabled", { xmlns: NS.streamManagement }));
    this.manage();
  }

  #domains(): string[] {
    return [...new Set([...this.speaks, ...[...this.#pairs.values()].map(({ remote }) => remote)])];
  }
}
