/** XEP-0060 §6.1–6.3, §8.6 and §8.8: subscriptions come, wait, change and go. */
import { pubsubPeopleStore, type SubscriptionRow } from "../store/pubsub-people.ts";
import type { DataForm } from "../xmpp/dataform.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { newId } from "../xmpp/id.ts";
import type { Jid } from "../xmpp/jid.ts";
import { readError, whyNotRead } from "./access.ts";
import { refusal, unsupported } from "./errors.ts";
import type { PubSubNode, Subscription } from "./events.ts";
import type { Nodes } from "./nodes.ts";
import type { Engine } from "./pubsub.ts";
import type { Standings } from "./standings.ts";
import {
  defaultOptions,
  optionsFrom,
  storedOptions,
  withOptions,
  type SubscriptionOptions,
} from "./subscription-options.ts";

/** Subscriptions of one person to one node: the bare JID and some resources. */
const subscriptionsOfPerson = 20;

/** Which subscription is meant: the address that subscribed, and its `subid` where the request names one. */
export interface SubscriptionKey {
  readonly service: string;
  readonly node: string;
  readonly jid: Jid;
  readonly subid?: string | undefined;
}

export class Subscriptions {
  readonly #engine: Engine;
  readonly #nodes: Nodes;
  readonly #standings: Standings;

  constructor(engine: Engine, nodes: Nodes, standings: Standings) {
    this.#engine = engine;
    this.#nodes = nodes;
    this.#standings = standings;
  }

  /** §6.1. Who is subscribed already hears how things stand. */
  async subscribe(key: SubscriptionKey, requester: Jid, form?: DataForm): Promise<Subscription> {
    const { service, jid } = key;
    if (jid.bare !== requester.bare) throw refusal("invalid-jid");
    const node = await this.#nodes.get(service, key.node);
    const standing = await this.#standings.of(node, requester);
    const why = whyNotRead(node.config, standing);
    if (why === "forbidden") throw readError(why);
    if (!node.config.subscribe) throw unsupported("subscribe");
    const mustWait = why === "not-subscribed";
    if (why && !mustWait) throw readError(why);

    let isNew = false;
    const subscription = await this.#engine.store.transaction(async (tx) => {
      const people = pubsubPeopleStore(tx);
      const others = await people.subscriptionsOf(service, jid.bare, key.node);
      const existing = others.find((one) => one.jid === jid.full);
      if (existing?.state === "pending") throw refusal("pending-subscription");
      if (!existing && others.length >= subscriptionsOfPerson) throw refusal("too-many-subscriptions");
      isNew = !existing;
      const asked = existing ? optionsFrom(existing.options) : defaultOptions;
      const options = form ? withOptions(asked, form) : asked;
      const row: SubscriptionRow = {
        service,
        node: key.node,
        jid: jid.full,
        subid: existing?.subid ?? newId(),
        state: existing?.state ?? (mustWait ? "pending" : "subscribed"),
        options: storedOptions({ ...options, temporary: options.temporary || node.config.tempsub }),
        createdAt: existing?.createdAt ?? this.#engine.now(),
      };
      await people.putSubscription(row);
      return row;
    });
    if (isNew) this.#tell(node, subscription, "none", subscription.state, requester.bare);
    return subscription;
  }

  /** §6.2. */
  async unsubscribe(key: SubscriptionKey, requester: Jid): Promise<Subscription> {
    if (key.jid.bare !== requester.bare) throw new StanzaError("forbidden");
    const node = await this.#nodes.get(key.service, key.node);
    const subscription = await this.#find(key);
    await this.#remove(node, subscription, requester.bare);
    return subscription;
  }

  /** §6.3. */
  async options(key: SubscriptionKey, requester: Jid): Promise<SubscriptionOptions> {
    return optionsFrom((await this.#own(key, requester)).options);
  }

  async setOptions(key: SubscriptionKey, requester: Jid, form: DataForm): Promise<void> {
    const subscription = await this.#own(key, requester);
    const options = withOptions(optionsFrom(subscription.options), form);
    await this.#engine.store.transaction((tx) =>
      pubsubPeopleStore(tx).putSubscription({ ...subscription, options: storedOptions(options) }),
    );
  }

  /** §5.6: all that somebody has at this service, or at one node. */
  of(service: string, bare: string, node?: string): Promise<Subscription[]> {
    return pubsubPeopleStore(this.#engine.store).subscriptionsOf(service, bare, node);
  }

  /** Of a node, in every state. */
  at({ service, node }: PubSubNode): Promise<Subscription[]> {
    return pubsubPeopleStore(this.#engine.store).subscriptions(service, node);
  }

  count({ service, node }: PubSubNode): Promise<number> {
    return pubsubPeopleStore(this.#engine.store).subscriberCount(service, node);
  }

  /** Requests that wait for an owner of this service's nodes. */
  pending(service: string): Promise<Subscription[]> {
    return pubsubPeopleStore(this.#engine.store).pending(service);
  }

  /** §8.6: an owner's answer to a request. One that is answered or withdrawn already changes nothing. */
  async decide(key: SubscriptionKey, owner: Jid, allowed: boolean): Promise<void> {
    const node = await this.#nodes.owned(key.service, key.node, owner);
    const waiting = (await this.#candidates(key)).find(
      ({ state, subid }) => state === "pending" && (key.subid === undefined || subid === key.subid),
    );
    if (!waiting) return;
    if (allowed) await this.#put(node, waiting, "subscribed", owner.bare);
    else await this.#remove(node, waiting, owner.bare);
  }

  /** §8.8.2: an owner adds and removes subscriptions; none where one of the changes is impossible. */
  async set(
    service: string,
    name: string,
    owner: Jid,
    changes: readonly { jid: Jid; subid?: string | undefined; state: string }[],
  ): Promise<void> {
    const node = await this.#nodes.owned(service, name, owner);
    for (const { state } of changes) {
      if (state !== "subscribed" && state !== "none")
        throw new StanzaError("not-acceptable", { text: "A subscription is made `subscribed` or `none`" });
    }
    for (const { jid, subid, state } of changes) {
      const [existing] = await this.#candidates({ service, node: name, jid, subid });
      if (state === "none") {
        if (existing) await this.#remove(node, existing, owner.bare);
        continue;
      }
      if (existing?.state === "subscribed") continue;
      const fresh = { service, node: name, jid: jid.full, subid: newId(), options: {} };
      const createdAt = this.#engine.now();
      await this.#put(node, existing ?? { ...fresh, createdAt, state: "none" }, "subscribed", owner.bare);
    }
  }

  /** Ends what an outcast had (§4.1). */
  async expel(node: PubSubNode, bare: string, by: string): Promise<void> {
    const people = pubsubPeopleStore(this.#engine.store);
    for (const row of await people.subscriptionsOf(node.service, bare, node.node))
      await this.#remove(node, row, by);
  }

  /** §12.4: ends the temporary subscriptions of a resource that left, and of its bare JID where it was the last. */
  async left(jid: Jid, isLast: boolean): Promise<void> {
    const people = pubsubPeopleStore(this.#engine.store);
    for (const row of await people.subscriptionsWith(isLast ? [jid.full, jid.bare] : [jid.full])) {
      if (!optionsFrom(row.options).temporary) continue;
      const node = await this.#nodes.find(row.service, row.node);
      if (node) await this.#remove(node, row, jid.bare);
    }
  }

  async #own(key: SubscriptionKey, requester: Jid): Promise<SubscriptionRow> {
    await this.#nodes.get(key.service, key.node);
    if (key.jid.bare !== requester.bare) throw new StanzaError("forbidden");
    return this.#find(key);
  }

  /** The subscription that is meant, or the error that says why there is none (§6.2.3). */
  async #find(key: SubscriptionKey): Promise<SubscriptionRow> {
    const candidates = await this.#candidates({ ...key, subid: undefined });
    const [first] = candidates;
    if (!first) throw refusal("not-subscribed");
    if (key.subid === undefined) return first;
    const named = candidates.find(({ subid }) => subid === key.subid);
    if (!named) throw refusal("invalid-subid");
    return named;
  }

  async #candidates({ service, node, jid, subid }: SubscriptionKey): Promise<SubscriptionRow[]> {
    const rows = await pubsubPeopleStore(this.#engine.store).subscriptionsOf(service, jid.bare, node);
    return rows.filter((row) => row.jid === jid.full && (subid === undefined || row.subid === subid));
  }

  async #put(
    node: PubSubNode,
    from: Omit<SubscriptionRow, "state"> & { state: Subscription["state"] | "none" },
    state: Subscription["state"],
    by: string,
  ): Promise<void> {
    const row: SubscriptionRow = { ...from, state };
    await this.#engine.store.transaction((tx) => pubsubPeopleStore(tx).putSubscription(row));
    this.#tell(node, row, from.state, state, by);
  }

  async #remove(node: PubSubNode, row: SubscriptionRow, by: string): Promise<void> {
    await this.#engine.store.transaction((tx) => pubsubPeopleStore(tx).removeSubscription(row));
    this.#tell(node, row, row.state, "none", by);
  }

  #tell(
    node: PubSubNode,
    { jid, subid }: Pick<Subscription, "jid" | "subid">,
    previous: Subscription["state"] | "none",
    state: Subscription["state"] | "none",
    by: string,
  ): void {
    this.#engine.events.emit("pubsub.subscription", { node, jid, subid, state, previous, by });
  }
}
