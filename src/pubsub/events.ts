/** What the pubsub engine tells, after the commit. `service` is the bare address of a PEP account or a service. */
import type { SubscriptionState } from "../store/schema.ts";
import type { Element } from "../xmpp/xml.ts";
import type { NodeConfig } from "./config.ts";

export interface PubSubNode {
  readonly service: string;
  readonly node: string;
  readonly config: NodeConfig;
  readonly createdAt: Date;
}

export interface Item {
  readonly service: string;
  readonly node: string;
  readonly id: string;
  /** Bare JID of who published it. */
  readonly publisher: string;
  /** Shared by all who read the item: copy it before changing it. */
  readonly payload: Element | undefined;
  readonly publishedAt: Date;
}

export interface Subscription {
  readonly service: string;
  readonly node: string;
  /** As it subscribed: bare or full. */
  readonly jid: string;
  readonly subid: string;
  readonly state: SubscriptionState;
  readonly options: Readonly<Record<string, string | string[]>>;
}

export interface PubSubEvents {
  "pubsub.published": { node: PubSubNode; items: readonly Item[] };
  /** `notify` is what the request or the node's `notify_retract` asks for. */
  "pubsub.retracted": { node: PubSubNode; ids: readonly string[]; notify: boolean };
  "pubsub.purged": { node: PubSubNode };
  /** The subscriptions are those that went with the node. */
  "pubsub.deleted": {
    node: PubSubNode;
    redirect: string | undefined;
    subscriptions: readonly Subscription[];
  };
  "pubsub.configured": { node: PubSubNode; previous: NodeConfig };
  /** A subscription began, changed or ended (`none`); `by` is the bare JID of who did it. */
  "pubsub.subscription": {
    node: PubSubNode;
    jid: string;
    subid: string;
    state: SubscriptionState | "none";
    previous: SubscriptionState | "none";
    by: string;
  };
}
