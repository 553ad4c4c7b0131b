/** XEP-0191 §5: which addresses a block list covers. */
import type { Jid } from "../xmpp/jid.ts";

export class BlockList {
  readonly #entries: ReadonlySet<string>;

  /** Addresses in prepared form: with or without a resource, and domains. */
  constructor(entries: Iterable<string>) {
    this.#entries = new Set(entries);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** A full address, a bare one, a domain with a resource, or a domain and all within it. */
  has({ full, bare, domain, local, resource }: Jid): boolean {
    const entries = this.#entries;
    if (entries.has(full) || entries.has(bare) || entries.has(domain)) return true;
    return local !== "" && resource !== "" && entries.has(`${domain}/${resource}`);
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#entries.values();
  }
}
