/** Who may read and who may publish: the one place that decides, for iq requests, events, disco and the web alike. */
import type { Affiliation, SubscriptionState } from "../store/schema.ts";
import { StanzaError } from "../xmpp/errors.ts";
import type { NodeConfig } from "./config.ts";
import { refusal } from "./errors.ts";

/** What somebody is to a node. */
export interface Standing {
  readonly affiliation: Affiliation;
  readonly subscription: SubscriptionState | "none";
  /** Whether they may see an owner's presence: subscription `from` or `both`, or the owner itself. */
  readonly contact: boolean;
  /** The groups of the owner's roster that they are in. */
  readonly groups: readonly string[];
  /** Whether the account to which the node belongs has blocked them (XEP-0191). */
  readonly blocked: boolean;
}

/** Somebody about whom nothing is known, such as a visitor of the web pages. */
export const nobody: Standing = {
  affiliation: "none",
  subscription: "none",
  contact: false,
  groups: [],
  blocked: false,
};

export type Refused =
  "forbidden" | "presence-subscription-required" | "not-in-roster-group" | "not-subscribed" | "closed-node";

/** XEP-0060 §4.1 and §4.5: why somebody may not read the node; `undefined` where they may. */
export function whyNotRead(config: NodeConfig, standing: Standing): Refused | undefined {
  if (standing.blocked) return "forbidden";
  switch (standing.affiliation) {
    case "owner":
    case "publisher":
    case "member":
      return undefined;
    case "publish-only":
    case "outcast":
      return "forbidden";
    case "none":
  }
  switch (config.accessModel) {
    case "open":
      return undefined;
    case "presence":
      return standing.contact ? undefined : "presence-subscription-required";
    case "roster":
      return standing.groups.some((group) => config.rosterGroupsAllowed.includes(group))
        ? undefined
        : "not-in-roster-group";
    case "authorize":
      return standing.subscription === "subscribed" ? undefined : "not-subscribed";
    case "whitelist":
      return "closed-node";
  }
}

/** §4.1 and `publish_model`. */
export function mayPublish(config: NodeConfig, { affiliation, subscription, blocked }: Standing): boolean {
  if (blocked) return false;
  switch (affiliation) {
    case "owner":
    case "publisher":
    case "publish-only":
      return true;
    case "outcast":
      return false;
    case "member":
    case "none":
      return (
        config.publishModel === "open" ||
        (config.publishModel === "subscribers" && subscription === "subscribed")
      );
  }
}

/** The error for it (§6.1.3, §6.5.9). */
export function readError(why: Refused): StanzaError {
  if (why === "forbidden") return new StanzaError("forbidden");
  return why === "not-subscribed" ? refusal("not-subscribed", undefined, "not-authorized") : refusal(why);
}
