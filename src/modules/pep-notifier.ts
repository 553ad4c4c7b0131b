/** XEP-0163 §4.3: what the nodes of accounts tell, and when. Each message is built once for all who receive it. */
import type { RosterChange } from "../domain/events.ts";
import type { Item, PubSubEvents, PubSubNode, Subscription } from "../pubsub/events.ts";
import {
  authorizationMessage,
  lastItemMessage,
  publishedMessage,
  subscriptionMessage,
  withBody,
} from "../pubsub/notifications.ts";
import { isAccount } from "../pubsub/standings.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import type { Element } from "../xmpp/xml.ts";
import { capabilitiesOf, type Resource } from "./capabilities.ts";
import type { ModuleContext } from "./context.ts";
import { recipientsOf, type Recipients } from "./pep-recipients.ts";

export function createNotifier(context: ModuleContext) {
  const { config, pubsub, rosters, router } = context;
  const capabilities = capabilitiesOf(context);
  const recipients = recipientsOf(context);
  const queues = new Map<string, Promise<void>>();

  /** One after the other at each account, so that nobody hears of an item after its retraction. */
  function inOrder({ service }: PubSubNode, work: () => Promise<void>): Promise<void> | void {
    if (!isAccount(service)) return;
    const done = (queues.get(service) ?? Promise.resolve()).then(work);
    const over = done
      .catch(() => undefined)
      .then(() => {
        if (queues.get(service) === over) queues.delete(service);
      });
    queues.set(service, over);
    return done;
  }

  async function send(message: Element, to: Recipients, item?: Item): Promise<void> {
    if (to.jids.length > 0) await router.multicast(message, to.jids);
    if (to.withBody.length > 0) await router.multicast(withBody(message, item), to.withBody);
  }

  /** The same to all whom the node notifies; `given` are its subscriptions where it has none any more. */
  async function all(
    node: PubSubNode,
    messages: readonly Element[],
    given?: readonly Subscription[],
  ): Promise<void> {
    if (!node.config.deliverNotifications) return;
    const to = await recipients(node, given);
    for (const message of messages) await send(message, to);
  }

  async function published(node: PubSubNode, items: readonly Item[]): Promise<void> {
    if (!node.config.deliverNotifications) return;
    const to = await recipients(node);
    for (const item of items) await send(publishedMessage(node, item), to, item);
    if (items.length === 0) await send(publishedMessage(node, undefined), to);
  }

  const sendsLastOnPresence = ({ config }: PubSubNode): boolean =>
    config.deliverNotifications && config.sendLastPublishedItem === "on_sub_and_presence";

  async function sendLast(node: PubSubNode, to: readonly Jid[]): Promise<void> {
    const item = to.length > 0 ? await pubsub.items.last(node) : undefined;
    if (item) await router.multicast(lastItemMessage(node, item), to);
  }

  /** §4.3.4: a resource has come that wants these nodes: what they hold, once. */
  async function welcome(
    { jid, session }: Resource,
    wanted: readonly string[],
    account: string | undefined,
  ): Promise<void> {
    const services = session ? await servicesOf(jid) : account === undefined ? [] : [account];
    const nodes = (await pubsub.nodes.among(services, wanted)).filter(sendsLastOnPresence);
    const readable = await pubsub.standings.readable(nodes, jid);
    for (const [node, item] of await pubsub.items.lastOf(readable))
      await router.multicast(lastItemMessage(node, item), [jid]);
  }

  /** The accounts here whose presence somebody of ours sees, their own one first. */
  async function servicesOf(jid: Jid): Promise<string[]> {
    const services = [jid.bare];
    for (const [contact, { subscription }] of await rosters.of(jid.bare)) {
      const isSeen = subscription === "to" || subscription === "both";
      if (isSeen && contact.endsWith(`@${config.domain}`)) services.push(contact);
    }
    return services;
  }

  /** XEP-0060 §12.2: a roster item has changed; who gains access to a node by that hears what it holds. */
  async function approved(
    account: string,
    item: RosterChange,
    previous: RosterChange | undefined,
  ): Promise<void> {
    if (!isContact(item)) return;
    const resources = capabilities
      .of(item.jid)
      .filter(({ session, heardBy }) => session || heardBy.has(account));
    const wanted = new Set(resources.flatMap(({ wants }) => [...wants]));
    for (const node of await pubsub.nodes.among([account], [...wanted])) {
      if (!sendsLastOnPresence(node) || !(await mayHear(node, item)) || (await mayHear(node, previous)))
        continue;
      const to = resources.filter(({ wants }) => wants.has(node.node)).map(({ jid }) => jid);
      await sendLast(node, to);
    }
  }

  async function mayHear(node: PubSubNode, item: RosterChange | undefined): Promise<boolean> {
    if (!item || !isContact(item)) return false;
    const may = await pubsub.standings.audience(node, new Map([[item.jid, item]]));
    return may(item.jid);
  }

  /** The same where the node's access model has changed. */
  async function opened(node: PubSubNode, before: PubSubNode): Promise<void> {
    const { accessModel, rosterGroupsAllowed } = node.config;
    const isSame =
      accessModel === before.config.accessModel &&
      rosterGroupsAllowed.join("\n") === before.config.rosterGroupsAllowed.join("\n");
    if (isSame || !sendsLastOnPresence(node)) return;
    const mightBefore = await pubsub.standings.audience(before, await rosters.of(node.service));
    const { jids } = await recipients(node);
    await sendLast(
      node,
      jids.filter(({ bare }) => !mightBefore(bare)),
    );
  }

  /** §6.1.7, §8.6, §12.13: what a subscriber and the owners hear when a subscription changes. */
  async function subscription(change: PubSubEvents["pubsub.subscription"]): Promise<void> {
    const { node, state, by } = change;
    const jid = parseJid(change.jid);
    if (!jid) return;
    const owners = (await pubsub.standings.owners(node)).flatMap((owner) => parseJid(owner) ?? []);
    if (state === "pending") return router.multicast(authorizationMessage(node, change), owners);
    if (by !== jid.bare) await router.multicast(subscriptionMessage(node, change), [jid]);
    if (node.config.notifySub) {
      await router.multicast(
        subscriptionMessage(node, change),
        owners.filter(({ bare }) => bare !== by),
      );
    }
    if (state === "subscribed" && node.config.sendLastPublishedItem !== "never") await sendLast(node, [jid]);
  }

  return { inOrder, all, published, welcome, approved, opened, subscription };
}

const isContact = ({ subscription }: RosterChange): boolean =>
  subscription === "from" || subscription === "both";
