/** XEP-0227 §4.10: the nodes of an account, put back in pieces. */
import { parseAffiliation } from "../pubsub/affiliations.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { RestoredItem } from "../pubsub/restoration.ts";
import { defaultOptions, storedOptions, withOptions } from "../pubsub/subscription-options.ts";
import { formOf } from "../xmpp/dataform.ts";
import { newId } from "../xmpp/id.ts";
import { parseJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, children, type Element } from "../xmpp/xml.ts";

/** Items written at once. */
const batchSize = 100;

export class NodeImport {
  readonly #pubsub: PubSub;
  readonly #account: string;
  readonly #note: (text: string) => void;
  #batch: RestoredItem[] = [];
  /** That of the items in the batch. */
  #node = "";
  /** Nodes of which something came. */
  readonly #seen = new Set<string>();

  constructor(pubsub: PubSub, account: string, note: (text: string) => void) {
    this.#pubsub = pubsub;
    this.#account = account;
    this.#note = note;
  }

  has(node: string): boolean {
    return this.#seen.has(node);
  }

  /** §4.10.1; `false` where it is nothing of this. */
  async owned(element: Element): Promise<boolean> {
    const node = attr(element, "node");
    if (!node) return false;
    this.#seen.add(node);
    await this.flush();
    switch (element.name) {
      case "configure":
        await this.#configure(node, element);
        return true;
      case "affiliations":
        for (const one of children(element, "affiliation")) await this.#affiliate(node, one);
        return true;
      case "subscriptions":
        for (const one of children(element, "subscription")) await this.#subscribe(node, one);
        return true;
      default:
        return false;
    }
  }

  /** §4.10.2; `false` where it is no item. */
  async item(node: string, item: Element): Promise<boolean> {
    if (item.name !== "item") return false;
    const [payload] = children(item);
    await this.put(node, { id: attr(item, "id"), publisher: attr(item, "publisher"), payload });
    return true;
  }

  async put(node: string, item: RestoredItem): Promise<void> {
    if (node !== this.#node) await this.flush();
    this.#node = node;
    this.#seen.add(node);
    this.#batch.push(item);
    if (this.#batch.length >= batchSize) await this.flush();
  }

  async flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    if (batch.length === 0) return;
    const refused = await this.#pubsub.restoration.items(this.#account, this.#node, batch);
    for (const item of refused) this.#note(`${this.#node}: ${item} cannot be there`);
  }

  async #configure(node: string, element: Element): Promise<void> {
    const left = await this.#pubsub.restoration.configure(this.#account, node, formOf(element));
    if (left.length > 0) this.#note(`${node}: ${left.join(", ")} cannot be so here`);
  }

  async #affiliate(node: string, element: Element): Promise<void> {
    const jid = parseJid(attr(element, "jid") ?? "");
    const affiliation = parseAffiliation(attr(element, "affiliation") ?? "");
    // The account owns its nodes, whatever a list says.
    if (!jid || !affiliation || jid.bare === this.#account) return;
    await this.#pubsub.restoration.affiliate(this.#account, node, jid.bare, affiliation);
  }

  async #subscribe(node: string, element: Element): Promise<void> {
    const jid = parseJid(attr(element, "jid") ?? "");
    // Prosody 0.12 leaves the state out.
    const state = attr(element, "subscription") ?? "subscribed";
    if (!jid || (state !== "subscribed" && state !== "pending" && state !== "unconfigured")) return;
    const options = child(element, "options");
    const form = options && formOf(options, NS.pubsubSubscribeOptions);
    await this.#pubsub.restoration.subscribe({
      service: this.#account,
      node,
      jid: jid.full,
      subid: attr(element, "subid") ?? newId(),
      state,
      options: form ? storedOptions(withOptions(defaultOptions, form)) : {},
    });
  }
}
