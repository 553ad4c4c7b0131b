/** XEP-0114: a component's stream, from its header by way of the handshake to stanzas. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Events } from "../events.ts";
import type { Logger } from "../log.ts";
import { SaslError, StanzaError, StreamError } from "../xmpp/errors.ts";
import { parseJid, prepareDomain } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { limitsAfterAuthentication, type StreamHeader } from "../xmpp/parser.ts";
import { errorReply, isStanza } from "../xmpp/stanza.ts";
import { attr, escapeAttribute, namespaceOf, text, xml, type Element } from "../xmpp/xml.ts";
import type { Timing } from "./client-stream.ts";
import type { ComponentLink, Components } from "./components.ts";
import type { ServerEvents } from "./events.ts";
import { newStreamId } from "./header.ts";
import type { Router } from "./router.ts";
import type { StreamHandler, XmppStream } from "./stream.ts";
import type { LoginThrottle, UnboundConnections } from "./throttle.ts";

export interface ComponentContext {
  readonly domain: string;
  readonly components: Components;
  readonly router: Router;
  readonly events: Events<ServerEvents>;
  readonly log: Logger;
  readonly timing: Timing;
  readonly throttle: LoginThrottle;
  readonly unbound: UnboundConnections;
  /** Told when a stream is over and its socket closed. */
  gone(stream: ComponentStream): void;
}

type Done = void | Promise<void>;

export class ComponentStream implements StreamHandler, ComponentLink {
  readonly #context: ComponentContext;
  readonly #stream: XmppStream;
  readonly #address: string;
  readonly #since = performance.now();
  readonly #id = newStreamId();
  /** What it says that it is, once it did. */
  #domain: string | undefined;
  #ready = false;
  /** When it was asked whether it is still there. */
  #askedAt: number | undefined;

  constructor(context: ComponentContext, carry: (handler: StreamHandler) => XmppStream, address: string) {
    this.#context = context;
    this.#address = address;
    this.#stream = carry(this);
  }

  write(text: string): void {
    this.#stream.write(text);
  }

  /** XEP-0199; whatever comes back is an answer. */
  ask(): void {
    if (this.#askedAt !== undefined) return;
    this.#askedAt = performance.now();
    // What came before the question is no answer to it.
    this.#stream.quietFor(this.#askedAt);
    const attrs = { type: "get", id: "idle", from: this.#context.domain, to: this.#domain };
    this.#stream.send(xml("iq", attrs, xml("ping", { xmlns: NS.ping })));
  }

  close(error?: StreamError): void {
    this.#stream.close(error);
  }

  destroy(): void {
    this.#stream.destroy();
  }

  /** Looks whether the component is too slow, or still there (RFC 6120 §4.6). */
  sweep(now: number): void {
    const { negotiation, idle, answer } = this.#context.timing;
    const quiet = this.#stream.quietFor(now);
    if (!this.#ready) {
      if (now - this.#since >= negotiation) this.close(new StreamError("connection-timeout"));
    } else if (this.#askedAt !== undefined && quiet < now - this.#askedAt) {
      this.#askedAt = undefined;
    } else if (this.#askedAt !== undefined && now - this.#askedAt >= answer) {
      this.close(new StreamError("connection-timeout"));
    } else if (quiet >= idle) {
      this.ask();
    }
  }

  header(): string {
    const from = this.#domain ?? this.#context.domain;
    return (
      `<?xml version="1.0"?><stream:stream xmlns="${NS.component}" xmlns:stream="${NS.stream}"` +
      ` id="${this.#id}" from="${escapeAttribute(from)}">`
    );
  }

  opened({ name, xmlns, contentXmlns, attrs }: StreamHeader): void {
    const domain = prepareDomain(attrs["to"] ?? "");
    const isKnown = domain !== undefined && this.#context.components.has(domain);
    if (isKnown) this.#domain = domain;
    this.#stream.open(this.header());
    if (xmlns !== NS.stream || contentXmlns !== NS.component) throw new StreamError("invalid-namespace");
    if (name !== "stream") throw new StreamError("bad-format");
    if (domain === undefined) throw new StreamError("improper-addressing");
    if (!isKnown) throw new StreamError("host-unknown");
  }

  received(element: Element): Done {
    const domain = this.#domain!;
    if (!this.#ready) return this.#enter(element, domain);
    if (element.name === "error" && namespaceOf(element) === NS.stream) return this.close();
    if (!isStanza(element)) throw new StreamError("unsupported-stanza-type");
    // Who leaves it out means itself; whoever writes as somebody else is not what it says it is.
    const from = parseJid((element.attrs["from"] as string | undefined) ?? domain);
    if (from?.domain !== domain) throw new StreamError("invalid-from");
    element.attrs["from"] = from.full;
    if (attr(element, "to") === undefined) return this.#refuse(element);
    return this.#context.router.route(element);
  }

  detached(): void {
    if (this.#ready) this.#context.components.leave(this.#domain!);
  }

  ended(): void {
    if (!this.#ready) return;
    this.#context.log.info({ domain: this.#domain, address: this.#address }, "a component has gone");
    this.#context.events.emit("domain.lost", { domain: this.#domain! });
  }

  gone(): void {
    if (!this.#ready) this.#context.unbound.leave(this.#address);
    this.#context.gone(this);
  }

  #enter(element: Element, domain: string): void {
    const { components, events, log, throttle, unbound } = this.#context;
    if (element.name !== "handshake" || namespaceOf(element) !== undefined)
      throw new StreamError("not-authorized", "The handshake comes first");
    this.#prove(text(element).trim(), domain);
    if (!components.enter(domain, this)) throw new StreamError("conflict", "It is connected already");
    throttle.succeeded(this.#address, domain);
    unbound.leave(this.#address);
    this.#ready = true;
    this.#stream.limits = limitsAfterAuthentication;
    this.#stream.send(xml("handshake", {}));
    log.info({ domain, address: this.#address }, "a component is connected");
    events.emit("domain.connected", { domain, again: true });
  }

  #prove(digest: string, domain: string): void {
    const { components, log, throttle } = this.#context;
    try {
      throttle.check(this.#address, domain);
    } catch (error) {
      throw error instanceof SaslError ? new StreamError("policy-violation", error.text) : error;
    }
    const secret = components.secretOf(domain)!;
    const expected = createHash("sha1").update(`${this.#id}${secret}`).digest("hex");
    if (digest.length === expected.length && timingSafeEqual(Buffer.from(digest), Buffer.from(expected)))
      return;
    throttle.failed(this.#address, domain);
    log.warn({ domain, address: this.#address }, "a component has a wrong secret");
    throw new StreamError("not-authorized");
  }

  #refuse(stanza: Element): void {
    const type = attr(stanza, "type");
    if (type === "error" || type === "result") return;
    const text = "A component's stanzas say whom they are to";
    this.#stream.send(errorReply(stanza, new StanzaError("bad-request", { text })));
  }
}
