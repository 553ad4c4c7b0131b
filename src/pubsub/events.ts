/** What the pubsub engine tells, after the commit. `service` is the bare address of a PEP account or a service. */
import type { Element } from "../xmpp/xml.ts";
import type { SubscriptionState } from "../store/schema.ts";
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
  readonly payload: Element | undefined;
  readonly publishedAt: Date;
}

export interface PubSubEvents {
  "pubsub.published": { node: PubSubNode; items: readonly Item[] };
  /** `notify` is what the request or the node's `notify_retract` asks for. */
  "pubsub.retracted": { node: PubSubNode; ids: readonly string[]; notify: boolean };
  "pubsub.purged": { node: PubSubNode };
  "pubsub.deleted": { node: PubSubNode; redirect: string | undefined };
  "pubsub.configured": { node: PubSubNode };
  /** A subscription began, changed or ended (`none`). */
  "pubsub.subscription": { node: PubSubNode; jid: string; subid: string; state: SubscriptionState | "none" };
}
