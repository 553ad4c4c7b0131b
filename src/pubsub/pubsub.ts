/** XEP-0060: the engine. It knows neither sockets nor routing; one stands behind accounts (PEP) and services alike. */
import type { Events } from "../events.ts";
import type { Store } from "../store/store.ts";
import type { Jid } from "../xmpp/jid.ts";
import type { Element } from "../xmpp/xml.ts";
import { Affiliations } from "./affiliations.ts";
import type { NodeConfig } from "./config.ts";
import type { Item, PubSubEvents, PubSubNode } from "./events.ts";
import { Items, type PublishRequest, type RetractRequest } from "./items.ts";
import { Nodes } from "./nodes.ts";
import { Restoration } from "./restoration.ts";
import { Standings } from "./standings.ts";
import { Subscriptions } from "./subscriptions.ts";

/** What an owner's roster says of somebody. */
export interface Contact {
  readonly subscription: "none" | "to" | "from" | "both" | "remove";
  readonly groups: readonly string[];
}

type Blocked = ((jid: Jid) => boolean) | undefined;

/** The rosters, as far as access models ask for them. */
export interface Contacts {
  /** Whether `jid` may see the owner's presence: subscription `from` or `both`, or the owner itself. */
  isSubscriber(owner: string, jid: string): Promise<boolean>;
  groupsOf(owner: string, jid: string): Promise<readonly string[]>;
  /** Tells whether the owner has blocked somebody (XEP-0191); `undefined` where nobody is blocked. */
  blocked(owner: string): Blocked | Promise<Blocked>;
}

/** An item as it shall be stored. */
export interface Prepared {
  readonly id: string;
  readonly payload: Element | undefined;
  /** `false`: answer success, and store and tell nothing (a client that probes what it may do). */
  readonly store?: boolean;
}

/** A second shape of a node's items, kept in the same transaction (posts of `urn:xmpp:microblog:0`). */
export interface Projection {
  /** Before anything is stored: the item as it shall be stored, or `StanzaError`. `previous` is what it replaces. */
  prepare(request: {
    node: PubSubNode;
    id: string | undefined;
    payload: Element | undefined;
    publisher: Jid;
    previous: Item | undefined;
  }): Promise<Prepared>;
  stored(tx: Store, node: PubSubNode, item: Item): Promise<void>;
  /** Retracted, purged, evicted, expired, or gone with the node. */
  removed(tx: Store, node: PubSubNode, ids: readonly string[]): Promise<void>;
  /** The configuration has changed: `access_model`, say. */
  configured(tx: Store, node: PubSubNode): Promise<void>;
}

/** What the parts of the engine work with. */
export interface Engine {
  readonly store: Store;
  readonly events: Events<PubSubEvents>;
  readonly contacts: Contacts;
  now(): Date;
}

export class PubSub {
  readonly nodes: Nodes;
  readonly items: Items;
  readonly subscriptions: Subscriptions;
  readonly affiliations: Affiliations;
  readonly standings: Standings;
  readonly restoration: Restoration;

  constructor(options: { store: Store; events: Events<PubSubEvents>; contacts: Contacts; now?: () => Date }) {
    const engine: Engine = { now: () => new Date(), ...options };
    this.standings = new Standings(engine);
    this.nodes = new Nodes(engine, this.standings);
    this.items = new Items(engine, this.nodes, this.standings);
    this.restoration = new Restoration(engine, this.nodes);
    this.subscriptions = new Subscriptions(engine, this.nodes, this.standings);
    this.affiliations = new Affiliations(engine, this.nodes, this.standings, this.subscriptions);
  }

  /** Keeps a projection of the accounts' nodes of that name, which are made with `defaults` instead of PEP's. */
  project(node: string, projection: Projection, defaults: Partial<NodeConfig> = {}): void {
    this.nodes.project(node, projection);
    this.nodes.preset(node, defaults);
  }

  /** The accounts' nodes of that name are made with `defaults` instead of PEP's. */
  preset(node: string, defaults: Partial<NodeConfig>): void {
    this.nodes.preset(node, defaults);
  }

  publish(request: PublishRequest): Promise<Item[]> {
    return this.items.publish(request);
  }

  retract(request: RetractRequest): Promise<void> {
    return this.items.retract(request);
  }

  find(service: string, node: string): Promise<PubSubNode | undefined> {
    return this.nodes.find(service, node);
  }

  item(service: string, node: string, id: string): Promise<Item | undefined> {
    return this.items.find(service, node, id);
  }

  /** The one predicate; no viewer is the anonymous web, which reads open nodes. */
  mayRead(node: PubSubNode, viewer: Jid | undefined): Promise<boolean> {
    return this.standings.mayRead(node, viewer);
  }
}
