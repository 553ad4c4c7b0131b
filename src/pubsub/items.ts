/** XEP-0060 §6.5, §7 and §8.5: items are published, read, retracted, purged, and expire. */
import { isDeepStrictEqual } from "node:util";
import { pubsubStore } from "../store/pubsub.ts";
import type { DataForm } from "../xmpp/dataform.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { newId } from "../xmpp/id.ts";
import type { Jid } from "../xmpp/jid.ts";
import type { RsmRequest } from "../xmpp/rsm.ts";
import { serialize, type Element } from "../xmpp/xml.ts";
import { mayPublish, whyNotRead, type Standing } from "./access.ts";
import { unmet } from "./config.ts";
import { refusal, unsupported } from "./errors.ts";
import type { Item, PubSubNode } from "./events.ts";
import { itemFrom, positionAfter, rowOf, standalone } from "./item.ts";
import { checkName, type Nodes } from "./nodes.ts";
import { idPage, itemPage, itemsById, type Page } from "./paging.ts";
import type { Engine, Prepared } from "./pubsub.ts";
import type { Standings } from "./standings.ts";

/** Items swept in one transaction. */
const sweepBatch = 500;
/** Items of a projection that were accepted without being stored, remembered for their retraction. */
const probesRemembered = 1_000;

export interface PublishRequest {
  readonly service: string;
  readonly node: string;
  readonly publisher: Jid;
  readonly items: readonly { readonly id?: string | undefined; readonly payload?: Element | undefined }[];
  readonly options?: DataForm | undefined;
}

export interface RetractRequest {
  readonly service: string;
  readonly node: string;
  readonly ids: readonly string[];
  readonly requester: Jid;
  readonly notify?: boolean | undefined;
}

export class Items {
  readonly #engine: Engine;
  readonly #nodes: Nodes;
  readonly #standings: Standings;
  readonly #probes = new Set<string>();

  constructor(engine: Engine, nodes: Nodes, standings: Standings) {
    this.#engine = engine;
    this.#nodes = nodes;
    this.#standings = standings;
  }

  /** §7.1. All of the items or none of them; resolves with them as they were stored, durably. */
  async publish(request: PublishRequest): Promise<Item[]> {
    const { service, publisher } = request;
    const found = await this.#nodes.find(service, request.node);
    const node = found ?? this.#nodes.draft(service, request.node, publisher, request.options);
    const standing = await this.#standings.of(node, publisher);
    if (found) this.#checkPublisher(found, standing, request.options);
    const prepared = await this.#prepare(node, standing, request);
    const items = prepared.filter(({ store }) => store).map(({ item }) => item);
    const answer = prepared.map(({ item }) => item);
    if (items.length === 0 && prepared.length > 0) return answer;

    const written = await this.#engine.store.transaction(async (tx) => {
      // Somebody made, configured or deleted the node meanwhile: what was checked above is no longer true.
      const current = await this.#nodes.find(service, node.node, tx);
      if (!isDeepStrictEqual(current?.config, found?.config)) return undefined;
      if (!found) await this.#nodes.insert(tx, node, publisher);
      if (!node.config.persistItems) return { evicted: [] };

      const repository = pubsubStore(tx);
      const projection = this.#nodes.projection(node);
      const { itemExpire } = node.config;
      let position = await repository.lastPosition(service, node.node);
      for (const item of items) {
        position = positionAfter(position, item.publishedAt);
        const expiresAt =
          itemExpire === "max" ? null : new Date(item.publishedAt.getTime() + itemExpire * 1000);
        await repository.putItem(rowOf(item, position, expiresAt));
        await projection?.stored(tx, node, item);
      }
      const evicted = await this.#nodes.shrink(tx, node);
      if (evicted.length > 0) {
        if (node.config.publishNodeFull === "reject") throw refusal("node-full");
        await projection?.removed(tx, node, evicted);
      }
      return { evicted };
    });
    if (!written) return this.publish(request);

    if (written.evicted.length > 0) {
      // Where there is room for one, every item replaces the last: to retract that would say that nothing holds now.
      const { notifyRetract, publishNodeFull, maxItems } = node.config;
      const notify = notifyRetract && publishNodeFull === "retract-oldest" && maxItems !== 1;
      this.#engine.events.emit("pubsub.retracted", { node, ids: written.evicted, notify });
    }
    // Who is told that it is published can rely on everybody else hearing of it: what is for other servers is on disk.
    await this.#engine.events.settle("pubsub.published", { node, items });
    return answer;
  }

  #checkPublisher({ config }: PubSubNode, standing: Standing, options: DataForm | undefined): void {
    if (!mayPublish(config, standing)) throw new StanzaError("forbidden");
    const differing = options ? unmet(config, options) : [];
    if (differing.length > 0) throw refusal("precondition-not-met", `Differs: ${differing.join(", ")}`);
  }

  /** §4.3 and §7.1.3: the items as they will be stored, or the error that refuses them all. */
  async #prepare(
    node: PubSubNode,
    standing: Standing,
    { publisher, items }: PublishRequest,
  ): Promise<{ item: Item; store: boolean }[]> {
    const { config } = node;
    if (items.length === 0 && (config.persistItems || config.deliverPayloads)) throw refusal("item-required");
    if (items.length > 0 && !config.persistItems && !config.deliverPayloads) throw refusal("item-forbidden");
    if (config.maxItems !== "max" && items.length > config.maxItems) throw refusal("max-items-exceeded");
    const publishedAt = this.#engine.now();
    const projection = this.#nodes.projection(node);
    const prepared: { item: Item; store: boolean }[] = [];
    for (const { id, payload } of items) {
      if (id !== undefined) checkName(id, "The id of an item");
      if (!payload && config.deliverPayloads) throw refusal("payload-required");
      const whole = payload && standalone(payload);
      if (whole && Buffer.byteLength(serialize(whole)) > config.maxPayloadSize)
        throw refusal("payload-too-big");
      const previous = id === undefined ? undefined : await this.find(node.service, node.node, id);
      // Where many may publish, an id belongs to who used it first.
      if (previous && previous.publisher !== publisher.bare && !isEditor(standing))
        throw new StanzaError("forbidden", { text: "The item of somebody else has that id" });
      const result: Prepared = projection
        ? await projection.prepare({ node, id, payload: whole, publisher, previous })
        : { id: id ?? newId(), payload: whole };
      const item: Item = {
        service: node.service,
        node: node.node,
        id: result.id,
        publisher: publisher.bare,
        payload: result.payload && standalone(result.payload),
        publishedAt,
      };
      const store = result.store !== false;
      if (!store) this.#rememberProbe(item);
      prepared.push({ item, store });
    }
    return prepared;
  }

  #rememberProbe(item: Item): void {
    for (const oldest of this.#probes) {
      if (this.#probes.size < probesRemembered) break;
      this.#probes.delete(oldest);
    }
    this.#probes.add(probeKey(item.service, item.node, item.id));
  }

  /** §7.2. Owners retract any item, others their own. */
  async retract({ service, node: name, ids, requester, notify }: RetractRequest): Promise<void> {
    const probes = ids.map((id) => probeKey(service, name, id));
    if (ids.length > 0 && probes.every((probe) => this.#probes.delete(probe))) return;
    const node = await this.#nodes.get(service, name);
    const standing = await this.#standings.of(node, requester);
    if (ids.length === 0) throw refusal("item-required");
    if (!node.config.persistItems) throw unsupported("persistent-items");
    const wanted = [...new Set(ids)];
    const rows = await pubsubStore(this.#engine.store).items(service, name, wanted, this.#engine.now());
    if (standing.affiliation !== "owner") {
      const isForeign = rows.some(({ publisher }) => publisher !== requester.bare);
      if (isForeign || standing.affiliation === "outcast" || whyNotRead(node.config, standing))
        throw new StanzaError("forbidden");
    }
    const removed = await this.#engine.store.transaction(async (tx) => {
      const removed = await pubsubStore(tx).removeItems(service, name, wanted);
      if (removed.length < wanted.length) throw new StanzaError("item-not-found");
      await this.#nodes.projection(node)?.removed(tx, node, removed);
      return removed;
    });
    const isTold = notify === true || node.config.notifyRetract;
    await this.#engine.events.settle("pubsub.retracted", { node, ids: removed, notify: isTold });
  }

  /** §8.5: removes all items; subscribers hear of it once. */
  async purge(service: string, name: string, requester: Jid): Promise<void> {
    const node = await this.#nodes.owned(service, name, requester);
    if (!node.config.persistItems) throw unsupported("persistent-items");
    await this.#purge(node);
  }

  /** `purge_offline`: what somebody published at these nodes goes when they do. */
  async purgeOf(publisher: string, nodes: readonly PubSubNode[]): Promise<void> {
    for (const node of nodes) await this.#purge(node, publisher);
  }

  async #purge(node: PubSubNode, publisher?: string): Promise<void> {
    const ids = await this.#engine.store.transaction(async (tx) => {
      const ids = await pubsubStore(tx).purge(node.service, node.node, publisher);
      if (ids.length > 0) await this.#nodes.projection(node)?.removed(tx, node, ids);
      return ids;
    });
    if (publisher === undefined) this.#engine.events.emit("pubsub.purged", { node });
    else if (ids.length > 0)
      this.#engine.events.emit("pubsub.retracted", { node, ids, notify: node.config.notifyRetract });
  }

  /** Removes what has expired and tells it; call it now and then. Readers do not see these items in any case. */
  async sweep(): Promise<void> {
    for (;;) {
      const expired = await pubsubStore(this.#engine.store).expired(this.#engine.now(), sweepBatch);
      const byNode = new Map<string, typeof expired>();
      for (const row of expired) {
        const key = JSON.stringify([row.service, row.node]);
        byNode.set(key, [...(byNode.get(key) ?? []), row]);
      }
      for (const rows of byNode.values()) await this.#sweepNode(rows);
      if (expired.length < sweepBatch) return;
    }
  }

  async #sweepNode(rows: readonly { service: string; node: string; id: string }[]): Promise<void> {
    const { service, node: name } = rows[0]!;
    const node = await this.#nodes.get(service, name);
    const wanted = rows.map(({ id }) => id);
    const ids = await this.#engine.store.transaction(async (tx) => {
      const ids = await pubsubStore(tx).removeItems(service, name, wanted);
      if (ids.length > 0) await this.#nodes.projection(node)?.removed(tx, node, ids);
      return ids;
    });
    if (ids.length > 0)
      this.#engine.events.emit("pubsub.retracted", { node, ids, notify: node.config.notifyRetract });
  }

  async find(service: string, node: string, id: string): Promise<Item | undefined> {
    const [row] = await pubsubStore(this.#engine.store).items(service, node, [id], this.#engine.now());
    return row && itemFrom(row);
  }

  /** Those of the items that there are, in the order asked for, as many as one answer bears (§6.5.8). */
  some(node: PubSubNode, ids: readonly string[]): Promise<Item[]> {
    return itemsById(this.#engine, node, ids);
  }

  async last({ service, node }: PubSubNode): Promise<Item | undefined> {
    const now = this.#engine.now();
    const [row] = await pubsubStore(this.#engine.store).page(service, node, { limit: 1 }, now);
    return row && itemFrom(row);
  }

  /** The newest item of each of these nodes, where there is one. */
  async lastOf(nodes: readonly PubSubNode[]): Promise<Map<PubSubNode, Item>> {
    if (nodes.length === 0) return new Map();
    const services = [...new Set(nodes.map(({ service }) => service))];
    const names = [...new Set(nodes.map(({ node }) => node))];
    const repository = pubsubStore(this.#engine.store);
    const rows = await repository.lastItems(services, names, this.#engine.now());
    const found = new Map(rows.map((row) => [JSON.stringify([row.service, row.node]), row]));
    return new Map(
      nodes.flatMap((node) => {
        const row = found.get(JSON.stringify([node.service, node.node]));
        return row ? [[node, itemFrom(row)] as const] : [];
      }),
    );
  }

  /** Items newest first (§6.5.7); `item-not-found` where the cursor names no item. */
  page(node: PubSubNode, rsm: RsmRequest): Promise<Page<Item>> {
    return itemPage(this.#engine, node, rsm);
  }

  /** Their ids alone (§5.5). */
  idPage(node: PubSubNode, rsm: RsmRequest): Promise<Page<{ id: string }>> {
    return idPage(this.#engine, node, rsm);
  }
}

const probeKey = (...parts: string[]): string => JSON.stringify(parts);

/** Whether they may write over the items of others (§4.1). */
const isEditor = ({ affiliation }: Standing): boolean =>
  affiliation === "owner" || affiliation === "publisher";
