/** XEP-0060's own error conditions, each with the stanza error that its section asks for. */
import { StanzaError, type ErrorType, type StanzaCondition } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { xml } from "../xmpp/xml.ts";

/** One row: the stanza error condition, and its type where it is not the condition's usual one. */
const conditions = {
  "closed-node": ["not-allowed"],
  "invalid-jid": ["bad-request"],
  "invalid-options": ["bad-request"],
  "invalid-payload": ["bad-request"],
  "invalid-subid": ["not-acceptable"],
  "item-forbidden": ["bad-request"],
  "item-required": ["bad-request"],
  "jid-required": ["bad-request"],
  "max-items-exceeded": ["not-allowed"],
  "max-nodes-exceeded": ["policy-violation", "wait"],
  "node-full": ["conflict"],
  "nodeid-required": ["bad-request"],
  "not-in-roster-group": ["not-authorized"],
  "not-subscribed": ["unexpected-request", "cancel"],
  "payload-too-big": ["not-acceptable"],
  "payload-required": ["bad-request"],
  "pending-subscription": ["not-authorized"],
  "precondition-not-met": ["conflict"],
  "presence-subscription-required": ["not-authorized"],
  "too-many-subscriptions": ["policy-violation", "wait"],
  "unsupported-access-model": ["not-acceptable"],
} as const satisfies Record<string, readonly [StanzaCondition] | readonly [StanzaCondition, ErrorType]>;

export type PubSubCondition = keyof typeof conditions;

/** An error with its child in `pubsub#errors`; `condition` where a section asks for another one than the table's. */
export function refusal(app: PubSubCondition, text?: string, condition?: StanzaCondition): StanzaError {
  const [usual, type] = conditions[app];
  return new StanzaError(condition ?? usual, {
    app: xml(app, { xmlns: NS.pubsubErrors }),
    ...(type && !condition ? { type } : {}),
    ...(text === undefined ? {} : { text }),
  });
}

/** What this node or service does not do: `feature` is a name of §10 without its prefix. */
export function unsupported(feature: string): StanzaError {
  return new StanzaError("feature-not-implemented", {
    app: xml("unsupported", { xmlns: NS.pubsubErrors, feature }),
  });
}
