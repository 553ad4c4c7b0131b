/** XEP-0227 §4.10: nodes of an account as they were elsewhere. It is silent: nobody is told of old news. */
import { pubsubPeopleStore, type SubscriptionRow } from "../store/pubsub-people.ts";
import { pubsubStore } from "../store/pubsub.ts";
import type { Affiliation } from "../store/schema.ts";
import type { DataForm } from "../xmpp/dataform.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { newId } from "../xmpp/id.ts";
import { parseJid } from "../xmpp/jid.ts";
import type { Element } from "../xmpp/xml.ts";
import { storedConfig, withForm, type NodeConfig } from "./config.ts";
import type { Item, PubSubNode } from "./events.ts";
import { positionAfter, rowOf, standalone } from "./item.ts";
import { checkName, type Nodes } from "./nodes.ts";
import type { Engine } from "./pubsub.ts";

export interface RestoredItem {
  readonly id: string | undefined;
  /** Bare address; the account itself where it is left out. */
  readonly publisher: string | undefined;
  readonly payload: Element | undefined;
}

export class Restoration {
  readonly #engine: Engine;
  readonly #nodes: Nodes;

  constructor(engine: Engine, nodes: Nodes) {
    this.#engine = engine;
    this.#nodes = nodes;
  }

  /** Gives a node its configuration, and makes it where it is not there. Returns the fields that cannot be so here. */
  async configure(account: string, name: string, form?: DataForm): Promise<string[]> {
    const node = await this.#ensure(account, name);
    const { config, left } = lenient(node.config, form);
    const after: PubSubNode = { ...node, config };
    await this.#engine.store.transaction(async (tx) => {
      const stored = storedConfig(config, this.#nodes.defaults(account, name));
      await pubsubStore(tx).setConfig({ service: account, node: name, config: stored });
      await this.#nodes.projection(after)?.configured(tx, after);
    });
    return left;
  }

  /** Puts items behind those of the node, in their order. Returns the ids of those that cannot be there, and why. */
  async items(account: string, name: string, items: readonly RestoredItem[]): Promise<string[]> {
    const node = await this.#ensure(account, name);
    const refused: string[] = [];
    const accepted: Item[] = [];
    for (const item of items) {
      try {
        accepted.push(await this.#prepare(node, item));
      } catch (error) {
        if (!(error instanceof StanzaError)) throw error;
        refused.push(`${item.id ?? "an item"} (${error.message})`);
      }
    }
    await this.#engine.store.transaction(async (tx) => {
      const repository = pubsubStore(tx);
      const { itemExpire } = node.config;
      let position = await repository.lastPosition(account, name);
      for (const item of accepted) {
        position = positionAfter(position, item.publishedAt);
        const expiresAt =
          itemExpire === "max" ? null : new Date(item.publishedAt.getTime() + itemExpire * 1000);
        await repository.putItem(rowOf(item, position, expiresAt));
        await this.#nodes.projection(node)?.stored(tx, node, item);
      }
    });
    return refused;
  }

  async affiliate(account: string, name: string, jid: string, affiliation: Affiliation): Promise<void> {
    await this.#ensure(account, name);
    const people = pubsubPeopleStore(this.#engine.store);
    await people.setAffiliation({ service: account, node: name, jid, affiliation });
  }

  async subscribe(row: Omit<SubscriptionRow, "createdAt">): Promise<void> {
    await this.#ensure(row.service, row.node);
    const createdAt = this.#engine.now();
    await pubsubPeopleStore(this.#engine.store).putSubscription({ ...row, createdAt });
  }

  async #ensure(account: string, name: string): Promise<PubSubNode> {
    const found = await this.#nodes.find(account, name);
    if (found) return found;
    const owner = parseJid(account)!;
    const draft = this.#nodes.draft(account, name, owner);
    await this.#engine.store.transaction((tx) => this.#nodes.insert(tx, draft, owner));
    return draft;
  }

  async #prepare(node: PubSubNode, { id, publisher, payload }: RestoredItem): Promise<Item> {
    if (id !== undefined) checkName(id, "The id of an item");
    const by = parseJid(publisher ?? node.service) ?? parseJid(node.service)!;
    const whole = payload && standalone(payload);
    const projection = this.#nodes.projection(node);
    const prepared = projection
      ? await projection.prepare({ node, id, payload: whole, publisher: by, previous: undefined })
      : { id: id ?? newId(), payload: whole };
    return {
      service: node.service,
      node: node.node,
      id: prepared.id,
      publisher: by.bare,
      payload: prepared.payload && standalone(prepared.payload),
      publishedAt: this.#engine.now(),
    };
  }
}

/** The configuration with what is possible of a form. Who may read it is never guessed: then it is its owner alone. */
function lenient(config: NodeConfig, form: DataForm | undefined): { config: NodeConfig; left: string[] } {
  const left: string[] = [];
  for (const field of form?.fields.values() ?? []) {
    // A field without a value says nothing: it is the default there, and so here.
    if (field.values.length === 0) continue;
    try {
      config = withForm(config, { ...form!, fields: new Map([[field.name, field]]) });
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error;
      left.push(field.name);
      if (field.name === "pubsub#access_model") config = { ...config, accessModel: "whitelist" };
    }
  }
  return { config, left };
}
