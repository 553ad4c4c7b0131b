/** XEP-0163 §4.3: whom a node of an account notifies. Decided for all of them at once, without waiting for any. */
import type { Subscription, PubSubNode } from "../pubsub/events.ts";
import { optionsFrom } from "../pubsub/subscription-options.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { capabilitiesOf, type Resource } from "./capabilities.ts";
import type { ModuleContext } from "./context.ts";

export interface Recipients {
  readonly jids: readonly Jid[];
  /** Those who asked for a `<body/>` in what they receive. */
  readonly withBody: readonly Jid[];
}

export function recipientsOf(context: ModuleContext) {
  const { blocking, pubsub, rosters, sessions } = context;
  const capabilities = capabilitiesOf(context);

  const isKnown = (jid: Jid): boolean => capabilities.of(jid.bare).some((one) => one.jid.full === jid.full);
  const isAvailable = (jid: Jid): boolean => {
    if (!jid.isBare) return sessions.get(jid)?.available !== undefined || isKnown(jid);
    return sessions.availableOf(jid.bare).length > 0 || capabilities.of(jid.bare).length > 0;
  };

  /** Who hears what happens at the node: subscribers, and resources of contacts and of the owner that want to. */
  return async function recipients(node: PubSubNode, given?: readonly Subscription[]): Promise<Recipients> {
    const { service, config } = node;
    const subscriptions = given ?? (await pubsub.subscriptions.at(node));
    const roster = await rosters.of(service);
    const may = await pubsub.standings.audience(node, roster);
    const isBlocked = await blocking.checker(service);
    const jids: Jid[] = [];
    const withBody: Jid[] = [];
    const reached = new Set<string>();
    for (const { jid: address, state, options } of subscriptions) {
      if (state !== "subscribed" && !given) continue;
      const jid = parseJid(address);
      // What became of a node that is gone is told to all whom it ever would have told.
      if (!jid || !(given || may(jid.bare)) || isBlocked?.(jid)) continue;
      const { deliver, includeBody } = optionsFrom(options);
      reached.add(jid.full);
      if (!deliver || (config.presenceBasedDelivery && !isAvailable(jid))) continue;
      (includeBody ? withBody : jids).push(jid);
    }
    const addInterested = (bare: string): void => {
      for (const resource of capabilities.of(bare)) {
        if (!resource.wants.has(node.node) || reached.has(resource.jid.full)) continue;
        if (isBlocked?.(resource.jid)) continue;
        if (reached.has(bare) && isReachedByBare(resource)) continue;
        if (resource.session || resource.heardBy.has(service)) jids.push(resource.jid);
      }
    };
    addInterested(service);
    for (const [bare, { subscription }] of roster) {
      if ((subscription === "from" || subscription === "both") && may(bare)) addInterested(bare);
    }
    return { jids, withBody };
  };
}

/** RFC 6121 §8.5.2.1.1: what is sent to a bare JID reaches resources whose priority is not negative. */
const isReachedByBare = ({ session }: Resource): boolean => (session?.available?.priority ?? 0) >= 0;
