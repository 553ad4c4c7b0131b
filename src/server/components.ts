/** XEP-0114: the domains whose stanzas other programs handle, whether these are connected or away, and the way to them. */
import { StanzaError } from "../xmpp/errors.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { attr, serialize, type Element } from "../xmpp/xml.ts";
import type { Remote } from "./router.ts";

type Done = void | Promise<void>;

/** The connection of a component. */
export interface ComponentLink {
  write(xml: string): void;
  /** Has it closed soon, unless the component still answers. */
  ask(): void;
}

export class Components implements Remote {
  readonly #secrets: ReadonlyMap<string, string>;
  readonly #beyond: Remote | undefined;
  readonly #links = new Map<string, ComponentLink>();

  /** The secrets by domain, and the way to domains that are not ours at all. */
  constructor(secrets: ReadonlyMap<string, string>, beyond: Remote | undefined) {
    this.#secrets = secrets;
    this.#beyond = beyond;
  }

  /** Whether a domain is that of a component, connected or not. */
  has(domain: string): boolean {
    return this.#secrets.has(domain);
  }

  /** Whether a stanza is for a component. */
  isFor(stanza: Element): boolean {
    const to = parseJid(attr(stanza, "to") ?? "");
    return to !== undefined && this.has(to.domain);
  }

  secretOf(domain: string): string | undefined {
    return this.#secrets.get(domain);
  }

  /** The domains of those that are connected, in the order in which they came. */
  get connected(): Iterable<string> {
    return this.#links.keys();
  }

  /** `false` where the component is connected already. That may be a connection that is dead: it is looked after. */
  enter(domain: string, link: ComponentLink): boolean {
    const other = this.#links.get(domain);
    other?.ask();
    if (!other) this.#links.set(domain, link);
    return !other;
  }

  leave(domain: string): void {
    this.#links.delete(domain);
  }

  send(stanza: Element, from: Jid, to: Jid, text?: string): Done {
    if (!this.has(to.domain)) {
      if (!this.#beyond) throw new StanzaError("remote-server-not-found");
      return this.#beyond.send(stanza, from, to, text);
    }
    const link = this.#links.get(to.domain);
    // RFC 6120 §8.3.3.16: it is known, and cannot be reached now.
    if (!link) throw new StanzaError("remote-server-timeout", { text: `${to.domain} is away at present` });
    link.write(text ?? serialize(stanza));
  }
}
