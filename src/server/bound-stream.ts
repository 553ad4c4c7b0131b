/**
 * A client's stream once it has a resource: its stanzas one after the other (RFC 6120 §8, §10.1), and what is said
 * beside them. Messages whose order is fixed may be under way together; whatever else comes waits for all before it.
 */
import { StanzaError, StreamError } from "../xmpp/errors.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { errorReply, isStanza, resultReply } from "../xmpp/stanza.ts";
import { attr, child, namespaceOf, xml, type Element } from "../xmpp/xml.ts";
import { requestOf } from "./bind.ts";
import { clientState } from "./csi.ts";
import { sessionFeatures } from "./features.ts";
import { InOrder } from "./in-order.ts";
import { throughOf, Underway } from "./message-flow.ts";
import type { Session } from "./session.ts";
import type { BoundFeature, NegotiatedStream } from "./stream-feature.ts";
import { streamManagement } from "./stream-management.ts";

/** What is said on every bound stream beside stanzas. */
const features: readonly BoundFeature[] = [streamManagement, clientState];

type Done = void | Promise<void>;

export class BoundStream {
  readonly name = "bound";
  readonly session: Session;
  readonly #stream: NegotiatedStream;
  /** `xml:lang` of the client's header. */
  readonly #language: string | undefined;
  readonly #messages = new InOrder((error) => {
    this.#stream.context.log.error({ err: error }, "a message could not be handled");
    this.#stream.transport.close(new StreamError("internal-server-error"));
  });
  #pinged = false;

  constructor(stream: NegotiatedStream, session: Session, language: string | undefined) {
    this.#stream = stream;
    this.session = session;
    this.#language = language;
  }

  /** Resolves once nothing is under way; `undefined` where nothing is. */
  get idle(): Promise<void> | undefined {
    return this.#messages.idle;
  }

  /** What can be negotiated yet. */
  advertise(): Element[] {
    const ofModules = this.#stream.context.features.map((feature) => feature());
    const own = features.flatMap((feature) => feature.advertise(this.session));
    return [...sessionFeatures(), ...ofModules, ...own];
  }

  received(element: Element): Done {
    if (!isStanza(element)) return this.#beside(element);
    const from = attr(element, "from");
    if (from !== undefined && !isOwn(from, this.session.jid)) throw new StreamError("invalid-from");
    if (element.name === "message" && !this.#messages.isFull) return this.#begin(element);
    const wait = this.idle;
    return wait ? wait.then(() => this.#handle(element)) : this.#handle(element);
  }

  /** Looks whether the client is still there (RFC 6120 §4.6); `quiet` and `now` in milliseconds. */
  sweep(quiet: number, now: number): void {
    const { idle, answer, lull } = this.#stream.context.timing;
    const { management } = this.session;
    const owed = management?.owedFor(now) ?? 0;
    if (management ? Math.min(owed, quiet) >= answer : quiet >= idle + answer)
      return this.#stream.transport.close(new StreamError("connection-timeout"), true);
    if (management) {
      if (!owed && quiet >= (management.queue.length > 0 ? lull : idle)) this.session.ask();
    } else if (quiet < idle) this.#pinged = false;
    else if (!this.#pinged) {
      this.#pinged = true;
      this.#ping();
    }
  }

  /** A message, which may be under way for a while. */
  #begin(message: Element): Done {
    this.#declareLanguage(message);
    const done = this.#stream.context.router.begin(this.session, message);
    const count = (): void => this.#count();
    if (!done) return this.#messages.behind(count);
    this.#messages.follow(throughOf(done)!, count);
    if (!(done instanceof Underway)) return this.idle;
  }

  #handle(stanza: Element): Done {
    const done = this.#stanza(stanza);
    return done ? done.then(() => this.#count()) : this.#count();
  }

  #stanza(stanza: Element): Done {
    const { session } = this;
    if (stanza.name === "iq") {
      if (requestOf(stanza, "session", NS.session)) return session.send(resultReply(stanza));
      if (requestOf(stanza, "bind", NS.bind))
        return session.send(errorReply(stanza, new StanzaError("not-allowed", { text: "It is bound" })));
    } else this.#declareLanguage(stanza);
    return this.#stream.context.router.receive(session, stanza);
  }

  #count(): void {
    this.session.management?.count();
  }

  #beside(element: Element): Done {
    const xmlns = namespaceOf(element);
    const feature = features.find((one) => one.xmlns === xmlns);
    if (!feature) throw new StreamError("unsupported-stanza-type");
    const receive = (): Done => feature.receive(element, this.session, this.#stream);
    const wait = this.idle;
    // What the client has of ours is nothing to what we have of it.
    if (!wait || (feature === streamManagement && element.name === "a")) return receive();
    if (feature === streamManagement && element.name === "r" && !this.#messages.isFull)
      return this.#messages.behind(() => void receive());
    return wait.then(receive);
  }

  /** §8.1.5: what people wrote keeps the language of the stream when it leaves it. */
  #declareLanguage(stanza: Element): void {
    if (this.#language === undefined || attr(stanza, "xml:lang") !== undefined) return;
    if (child(stanza, "body") || child(stanza, "subject") || child(stanza, "status"))
      stanza.attrs["xml:lang"] = this.#language;
  }

  /** XEP-0199; whatever comes back is an answer. */
  #ping(): void {
    const attrs = { type: "get", id: "idle", from: this.#stream.context.domain, to: this.session.jid.full };
    this.session.send(xml("iq", attrs, xml("ping", { xmlns: NS.ping })));
  }
}

/** §8.1.2.1: a client is its full JID, or its account. */
function isOwn(from: string, own: Jid): boolean {
  if (from === own.full || from === own.bare) return true;
  const jid = parseJid(from)?.full;
  return jid === own.full || jid === own.bare;
}
