/**
 * XEP-0163: every account is a pubsub service. This binds the engine to accounts: their iq requests, what disco says
 * of their nodes, and the notifications, which go out in the order of what they tell.
 */
import { accountFeatures, itemItems, nodeInfo, nodeItems, pubsubFeatures } from "../pubsub/discovery.ts";
import {
  authorizationMessage,
  configuredMessage,
  deletedMessage,
  purgedMessage,
  retractedMessages,
} from "../pubsub/notifications.ts";
import { answerOwner } from "../pubsub/owner-requests.ts";
import { answer } from "../pubsub/requests.ts";
import { get, set, type IqRequest, type Passage } from "../server/module.ts";
import { fieldBoolean, fieldValue, parseForm } from "../xmpp/dataform.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { parseJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, children, childText, type Element } from "../xmpp/xml.ts";
import { defineModule, type ModuleContext } from "./context.ts";
import { createNotifier } from "./pep-notifier.ts";

/** How long an expired item may stay in the store before its retraction is told, in milliseconds. */
const sweepInterval = 30_000;

export default defineModule({
  name: "pep",
  xeps: ["0060 1.30", "0163", "0172", "0222", "0223"],
  identities: { account: [{ category: "pubsub", type: "pep" }] },
  features: { account: [...pubsubFeatures, ...accountFeatures] },
  setup: (context) => {
    const { pubsub, sessions, router, log } = context;
    const notifier = createNotifier(context);
    const { inOrder } = notifier;

    const ask = (iq: IqRequest) => answer(pubsub, { ...iq, service: iq.to.bare });
    const askAsOwner = (iq: IqRequest) => answerOwner(pubsub, { ...iq, service: iq.to.bare });

    const sweeper = setInterval(() => {
      pubsub.items
        .sweep()
        .catch((error: unknown) => log.error({ err: error }, "expired items could not be removed"));
    }, sweepInterval);
    sweeper.unref();

    return {
      iq: [
        get(NS.pubsub, "pubsub", "account", ask),
        set(NS.pubsub, "pubsub", "account", ask),
        get(NS.pubsubOwner, "pubsub", "account", askAsOwner),
        set(NS.pubsubOwner, "pubsub", "account", askAsOwner),
      ],
      close: () => clearInterval(sweeper),
      message: { filter: (passage) => takeDecision(context, passage) },
      disco: {
        account: {
          info: ({ from, to, node }) =>
            node === undefined ? undefined : nodeInfo(pubsub, to.bare, node, from),
          items: ({ from, to, node, query }) =>
            node === undefined
              ? nodeItems(pubsub, to.bare, from)
              : itemItems(pubsub, to.bare, node, from, query),
        },
      },
      events: {
        "pubsub.published": ({ node, items }) => inOrder(node, () => notifier.published(node, items)),
        "pubsub.retracted": ({ node, ids, notify }) => {
          if (notify) return inOrder(node, () => notifier.all(node, retractedMessages(node, ids)));
        },
        "pubsub.purged": ({ node }) => inOrder(node, () => notifier.all(node, [purgedMessage(node)])),
        "pubsub.deleted": ({ node, redirect, subscriptions }) => {
          if (!node.config.notifyDelete) return;
          return inOrder(node, () => notifier.all(node, [deletedMessage(node, redirect)], subscriptions));
        },
        "pubsub.configured": ({ node, previous }) =>
          inOrder(node, async () => {
            if (node.config.notifyConfig) await notifier.all(node, [configuredMessage(node)]);
            await notifier.opened(node, { ...node, config: previous });
          }),
        "pubsub.subscription": (change) => inOrder(change.node, () => notifier.subscription(change)),
        "caps.interest": ({ resource, added, account }) => notifier.welcome(resource, added, account),
        "roster.changed": ({ account, item, previous }) => notifier.approved(account, item, previous),
        "blocking.ended": async ({ account, contacts }) => {
          for (const contact of contacts) await notifier.approved(account, contact, undefined);
        },
        "presence.available": async ({ session, initial }) => {
          if (!initial) return;
          for (const waiting of await pubsub.subscriptions.pending(session.account))
            await router.multicast(authorizationMessage(waiting, waiting), [session.jid]);
        },
        "presence.unavailable": async ({ session: { jid, account } }) => {
          const isLast = sessions.availableOf(account).length === 0;
          await pubsub.subscriptions.left(jid, isLast);
          if (!isLast) return;
          const nodes = await pubsub.nodes.list(account);
          await pubsub.items.purgeOf(
            account,
            nodes.filter(({ config }) => config.purgeOffline),
          );
        },
        "account.removed": ({ account }) => pubsub.nodes.removeAll(account),
      },
    };
  },
});

/** XEP-0060 §8.6: an owner's answer to a subscription request comes as a message to the account. */
function takeDecision({ pubsub }: ModuleContext, { stanza, direction, from, to }: Passage) {
  if (direction === "out" || !to.isBare) return false;
  const x = children(stanza, "x", NS.dataForm).find(isDecision);
  if (!x) return false;
  const form = parseForm(x);
  if (form.type === "cancel") return true;
  const node = fieldValue(form, "pubsub#node");
  const jid = parseJid(fieldValue(form, "pubsub#subscriber_jid") ?? "");
  if (!node || !jid) throw new StanzaError("bad-request");
  const subid = fieldValue(form, "pubsub#subid") || undefined;
  const allowed = fieldBoolean(form, "pubsub#allow") ?? false;
  return pubsub.subscriptions.decide({ service: to.bare, node, jid, subid }, from, allowed).then(() => true);
}

/** Whether a form in a message is such an answer; all other forms are not for us to read. */
function isDecision(x: Element): boolean {
  const type = attr(x, "type");
  if (type !== "submit" && type !== "cancel") return false;
  const formType = children(x, "field").find((field) => attr(field, "var") === "FORM_TYPE");
  return formType !== undefined && childText(formType, "value") === NS.pubsubSubscribeAuthorization;
}
