/**
 * RFC 6121 appendix A: the subscription state machine, pure. The nine states are the pairs of two halves that never
 * influence each other: `to` is our subscription to the contact's presence, `from` is theirs to ours. Each kind of
 * stanza moves one half. `pending` is «Pending Out» for `to` and «Pending In» for `from`.
 */
export type Half = "none" | "pending" | "granted";

export interface SubscriptionState {
  readonly to: Half;
  readonly from: Half;
  /** The user allowed the contact's subscription before it was asked for (§3.4). */
  readonly approved: boolean;
}

export type SubscriptionType = "subscribe" | "unsubscribe" | "subscribed" | "unsubscribed";
export type Direction = "out" | "in";

export interface Transition {
  readonly state: SubscriptionState;
  /** Outbound: the stanza is routed to the contact. Inbound: it is delivered to the user. */
  readonly passes: boolean;
  /** The user's server answers `subscribed` by itself, because the user has agreed already (§3.1.3). */
  readonly answered: boolean;
}

export function isSubscriptionType(type: string | undefined): type is SubscriptionType {
  return type === "subscribe" || type === "unsubscribe" || type === "subscribed" || type === "unsubscribed";
}

/** What a subscription stanza does to the state, seen from one of the two sides. */
export function transition(
  state: SubscriptionState,
  direction: Direction,
  type: SubscriptionType,
): Transition {
  const moved = (change: Partial<SubscriptionState>, passes = true, answered = false): Transition => ({
    state: { ...state, ...change },
    passes,
    answered,
  });
  const { to, from, approved } = state;
  if (direction === "out") {
    switch (type) {
      case "subscribe":
        return moved({ to: to === "none" ? "pending" : to });
      case "unsubscribe":
        return moved({ to: "none" });
      case "subscribed":
        if (from === "pending") return moved({ from: "granted" });
        return moved({ approved: approved || from === "none" }, false);
      case "unsubscribed":
        return moved({ from: "none", approved: false }, from !== "none");
    }
  }
  switch (type) {
    case "subscribe":
      if (from === "granted") return moved({}, false, true);
      if (from === "pending") return moved({}, false);
      // One approval answers one request: who leaves and comes back asks again.
      return approved ? moved({ from: "granted", approved: false }, false, true) : moved({ from: "pending" });
    case "unsubscribe":
      return moved({ from: "none" }, from !== "none");
    case "subscribed":
      return to === "pending" ? moved({ to: "granted" }) : moved({}, false);
    case "unsubscribed":
      return moved({ to: "none" }, to !== "none");
  }
}
