/** XEP-0060 §8.1–8.4: nodes come, change and go. */
import { pubsubPeopleStore } from "../store/pubsub-people.ts";
import { pubsubStore, type NodeRow } from "../store/pubsub.ts";
import type { Store } from "../store/store.ts";
import type { DataForm } from "../xmpp/dataform.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { newId } from "../xmpp/id.ts";
import type { Jid } from "../xmpp/jid.ts";
import { readError, whyNotRead } from "./access.ts";
import {
  accountDefaults,
  configFrom,
  serviceDefaults,
  storedConfig,
  withForm,
  type NodeConfig,
} from "./config.ts";
import { refusal } from "./errors.ts";
import type { PubSubNode } from "./events.ts";
import type { Engine, Projection } from "./pubsub.ts";
import { isAccount, type Standings } from "./standings.ts";

/** Bytes of a node's name or an item's id; a resourcepart has the same bound, and some clients put one in the other. */
const nameMaximum = 1_023;
/** Nodes of one account: a client needs some dozens, and a runaway one shall not fill the disk. */
const nodesOfAccount = 1_000;
/** Items removed in one step when a node shrinks. */
const evictionBatch = 1_000;

/** Throws `not-acceptable` where the text cannot name a node or an item. */
export function checkName(name: string, what: string): void {
  if (name === "" || Buffer.byteLength(name) > nameMaximum)
    throw new StanzaError("not-acceptable", { text: `${what} has 1 to ${nameMaximum} bytes` });
}

export class Nodes {
  readonly #engine: Engine;
  readonly #standings: Standings;
  readonly #projections = new Map<string, Projection>();
  readonly #defaults = new Map<string, Partial<NodeConfig>>();

  constructor(engine: Engine, standings: Standings) {
    this.#engine = engine;
    this.#standings = standings;
  }

  project(node: string, projection: Projection): void {
    if (this.#projections.has(node)) throw new Error(`Two projections of ${node}`);
    this.#projections.set(node, projection);
  }

  preset(node: string, defaults: Partial<NodeConfig>): void {
    if (this.#defaults.has(node)) throw new Error(`Two sets of defaults for ${node}`);
    this.#defaults.set(node, defaults);
  }

  /** A projection is of the nodes of accounts; a service may use the same name for something else. */
  projection({ service, node }: { service: string; node: string }): Projection | undefined {
    return isAccount(service) ? this.#projections.get(node) : undefined;
  }

  defaults(service: string, node?: string): NodeConfig {
    if (!isAccount(service)) return serviceDefaults;
    const own = node === undefined ? undefined : this.#defaults.get(node);
    return own ? { ...accountDefaults, ...own } : accountDefaults;
  }

  async find(service: string, node: string, store = this.#engine.store): Promise<PubSubNode | undefined> {
    const row = await pubsubStore(store).node(service, node);
    return row && this.#from(row);
  }

  /** `item-not-found` where there is no such node. */
  async get(service: string, node: string, store?: Store): Promise<PubSubNode> {
    const found = await this.find(service, node, store);
    if (!found) throw new StanzaError("item-not-found", { text: "There is no such node" });
    return found;
  }

  async list(service: string): Promise<PubSubNode[]> {
    return (await pubsubStore(this.#engine.store).nodes(service)).map((row) => this.#from(row));
  }

  /** Those of these nodes that exist at these services. */
  async among(services: readonly string[], nodes: readonly string[]): Promise<PubSubNode[]> {
    if (services.length === 0 || nodes.length === 0) return [];
    const rows = await pubsubStore(this.#engine.store).nodesAmong(services, nodes);
    return rows.map((row) => this.#from(row));
  }

  /** A node that is not there yet, as `requester` may make it. */
  draft(service: string, node: string, requester: Jid, form?: DataForm): PubSubNode {
    if (isAccount(service) && requester.bare !== service) throw new StanzaError("forbidden");
    checkName(node, "The name of a node");
    const defaults = this.defaults(service, node);
    const config = form ? withForm(defaults, form) : defaults;
    return { service, node, config, createdAt: this.#engine.now() };
  }

  /** Writes a drafted node, within a transaction; `conflict` where it exists by now. */
  async insert(tx: Store, draft: PubSubNode, creator: Jid): Promise<void> {
    const { service, node, config, createdAt } = draft;
    const repository = pubsubStore(tx);
    if (await repository.node(service, node)) throw new StanzaError("conflict");
    if (isAccount(service) && (await repository.nodeCount(service)) >= nodesOfAccount)
      throw refusal("max-nodes-exceeded");
    const stored = storedConfig(config, this.defaults(service, node));
    await repository.addNode({ service, node, config: stored, createdAt });
    if (!isAccount(service)) {
      await pubsubPeopleStore(tx).setAffiliation({ service, node, jid: creator.bare, affiliation: "owner" });
    }
  }

  /** §8.1; without a name, an instant node. */
  async create(
    service: string,
    node: string | undefined,
    requester: Jid,
    form?: DataForm,
  ): Promise<PubSubNode> {
    const draft = this.draft(service, node ?? newId(), requester, form);
    await this.#engine.store.transaction((tx) => this.insert(tx, draft, requester));
    return draft;
  }

  /** §8.2. A node that becomes smaller loses its oldest items. */
  async configure(service: string, node: string, requester: Jid, form: DataForm): Promise<void> {
    await this.owned(service, node, requester);
    const { before, after, lost } = await this.#engine.store.transaction(async (tx) => {
      const before = await this.get(service, node, tx);
      const config = withForm(before.config, form);
      const after: PubSubNode = { ...before, config };
      const repository = pubsubStore(tx);
      const stored = storedConfig(config, this.defaults(service, node));
      await repository.setConfig({ service, node, config: stored });
      const { itemExpire } = config;
      if (itemExpire !== before.config.itemExpire)
        await repository.setExpiry(service, node, itemExpire === "max" ? undefined : itemExpire * 1000);
      const lost = config.persistItems ? await this.shrink(tx, after) : await repository.purge(service, node);
      const projection = this.projection(after);
      if (lost.length > 0) await projection?.removed(tx, after, lost);
      await projection?.configured(tx, after);
      return { before, after, lost };
    });
    this.#engine.events.emit("pubsub.configured", { node: after, previous: before.config });
    if (lost.length > 0) {
      const notify = after.config.notifyRetract && after.config.publishNodeFull !== "discard-oldest";
      this.#engine.events.emit("pubsub.retracted", { node: after, ids: lost, notify });
    }
  }

  /** Takes the items out of the node that are too many for it; tells which. */
  async shrink(tx: Store, { service, node, config }: PubSubNode): Promise<string[]> {
    if (config.maxItems === "max") return [];
    const repository = pubsubStore(tx);
    const removed: string[] = [];
    for (;;) {
      const range = { skip: config.maxItems, limit: evictionBatch };
      const surplus = await repository.idPage(service, node, range, this.#engine.now());
      if (surplus.length === 0) return removed;
      removed.push(
        ...(await repository.removeItems(
          service,
          node,
          surplus.map(({ id }) => id),
        )),
      );
    }
  }

  /** §8.4. */
  async remove(service: string, node: string, requester: Jid, redirect?: string): Promise<void> {
    await this.#drop(await this.owned(service, node, requester), redirect);
  }

  /** All nodes of a service, when its account goes; and what that person had elsewhere. */
  async removeAll(service: string): Promise<void> {
    for (const node of await this.list(service)) await this.#drop(node, undefined);
    await pubsubPeopleStore(this.#engine.store).forget(service);
  }

  async #drop(found: PubSubNode, redirect: string | undefined): Promise<void> {
    const { service, node } = found;
    const subscriptions = await this.#engine.store.transaction(async (tx) => {
      const rows = await pubsubPeopleStore(tx).subscriptions(service, node);
      const ids = await pubsubStore(tx).purge(service, node);
      if (ids.length > 0) await this.projection(found)?.removed(tx, found, ids);
      await pubsubStore(tx).removeNode(service, node);
      return rows;
    });
    this.#engine.events.emit("pubsub.deleted", { node: found, redirect, subscriptions });
  }

  /** A node that the requester owns; `item-not-found` or `forbidden` otherwise. */
  async owned(service: string, node: string, requester: Jid): Promise<PubSubNode> {
    const found = await this.get(service, node);
    if ((await this.#standings.affiliation(found, requester.bare)) !== "owner")
      throw new StanzaError("forbidden");
    return found;
  }

  /** A node that the requester may read; the fitting error otherwise. */
  async readable(service: string, node: string, requester: Jid): Promise<PubSubNode> {
    const found = await this.get(service, node);
    const why = whyNotRead(found.config, await this.#standings.of(found, requester));
    if (why) throw readError(why);
    return found;
  }

  #from(row: NodeRow): PubSubNode {
    const { service, node, createdAt } = row;
    return { service, node, createdAt, config: configFrom(row.config, this.defaults(service, node)) };
  }
}
