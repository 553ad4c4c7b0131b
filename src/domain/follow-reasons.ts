/** Why somebody cannot be followed, in words for people. */
import { StanzaError, type StanzaCondition } from "../xmpp/errors.ts";
import type { Jid } from "../xmpp/jid.ts";

/** Throws where it makes no sense to ask. */
export function followable(account: Jid, target: Jid): void {
  if (target.bare === account.bare) throw new StanzaError("not-acceptable", { text: "That is you" });
  if (target.local === "") {
    throw new StanzaError("jid-malformed", {
      text: `"${target.bare}" is not an address such as ana@example.org`,
    });
  }
}

const outOfReach = new Set<StanzaCondition>([
  "remote-server-not-found",
  "remote-server-timeout",
  "internal-server-error",
  "resource-constraint",
  "recipient-unavailable",
]);

/** It may be different the next time: nobody has refused anything. */
export const isOutOfReach = ({ condition }: StanzaError): boolean => outOfReach.has(condition);

/** XEP-0060 §6.1.3: what the condition of the engine says, and else that of the stanza. */
const reasons: Readonly<Record<string, string>> = {
  "presence-subscription-required": "only their contacts may; add them as a contact first",
  "not-in-roster-group": "only some of their contacts may",
  "closed-node": "only those whom they chose may",
  "not-authorized": "they do not allow it",
  forbidden: "they do not allow it",
  "not-allowed": "that server does not allow it",
  unsupported: "their server does not support it",
  "feature-not-implemented": "their server does not support it",
  "item-not-found": "they have published nothing there yet",
  "service-unavailable": "there is no such address, or no blog there",
  "remote-server-not-found": "their server cannot be found",
  "remote-server-timeout": "their server does not answer",
};

export function reasonOf({ app, condition, text }: StanzaError): string {
  return (app && reasons[app.name]) ?? reasons[condition] ?? text ?? condition;
}
