import assert from "node:assert/strict";
import { test } from "node:test";
import {
  transition,
  type Direction,
  type Half,
  type SubscriptionState,
  type SubscriptionType,
} from "../../src/xmpp/subscription.ts";

/** The nine states of RFC 6121 §A.1, by the names they have there. */
const states: Record<string, { to: Half; from: Half }> = {
  None: { to: "none", from: "none" },
  "None + Pending Out": { to: "pending", from: "none" },
  "None + Pending In": { to: "none", from: "pending" },
  "None + Pending Out+In": { to: "pending", from: "pending" },
  To: { to: "granted", from: "none" },
  "To + Pending In": { to: "granted", from: "pending" },
  From: { to: "none", from: "granted" },
  "From + Pending Out": { to: "pending", from: "granted" },
  Both: { to: "granted", from: "granted" },
};

/** A row of a table: the state, whether the stanza is routed or delivered, and the new state where it changes. */
type Row = readonly [state: string, passes: "MUST" | "MUST NOT", becomes: string];
const unchanged = "no state change";

/** RFC 6121 §A.2.1–4 (outbound: ROUTE?) and §A.3.1–4 (inbound: DELIVER?), cell by cell. */
const tables: Record<Direction, Record<SubscriptionType, readonly Row[]>> = {
  out: {
    subscribe: [
      ["None", "MUST", "None + Pending Out"],
      ["None + Pending Out", "MUST", unchanged],
      ["None + Pending In", "MUST", "None + Pending Out+In"],
      ["None + Pending Out+In", "MUST", unchanged],
      ["To", "MUST", unchanged],
      ["To + Pending In", "MUST", unchanged],
      ["From", "MUST", "From + Pending Out"],
      ["From + Pending Out", "MUST", unchanged],
      ["Both", "MUST", unchanged],
    ],
    unsubscribe: [
      ["None", "MUST", unchanged],
      ["None + Pending Out", "MUST", "None"],
      ["None + Pending In", "MUST", unchanged],
      ["None + Pending Out+In", "MUST", "None + Pending In"],
      ["To", "MUST", "None"],
      ["To + Pending In", "MUST", "None + Pending In"],
      ["From", "MUST", unchanged],
      ["From + Pending Out", "MUST", "From"],
      ["Both", "MUST", "From"],
    ],
    subscribed: [
      ["None", "MUST NOT", unchanged],
      ["None + Pending Out", "MUST NOT", unchanged],
      ["None + Pending In", "MUST", "From"],
      ["None + Pending Out+In", "MUST", "From + Pending Out"],
      ["To", "MUST NOT", unchanged],
      ["To + Pending In", "MUST", "Both"],
      ["From", "MUST NOT", unchanged],
      ["From + Pending Out", "MUST NOT", unchanged],
      ["Both", "MUST NOT", unchanged],
    ],
    unsubscribed: [
      ["None", "MUST NOT", unchanged],
      ["None + Pending Out", "MUST NOT", unchanged],
      ["None + Pending In", "MUST", "None"],
      ["None + Pending Out+In", "MUST", "None + Pending Out"],
      ["To", "MUST NOT", unchanged],
      ["To + Pending In", "MUST", "To"],
      ["From", "MUST", "None"],
      ["From + Pending Out", "MUST", "None + Pending Out"],
      ["Both", "MUST", "To"],
    ],
  },
  in: {
    subscribe: [
      ["None", "MUST", "None + Pending In"],
      ["None + Pending Out", "MUST", "None + Pending Out+In"],
      ["None + Pending In", "MUST NOT", unchanged],
      ["None + Pending Out+In", "MUST NOT", unchanged],
      ["To", "MUST", "To + Pending In"],
      ["To + Pending In", "MUST NOT", unchanged],
      ["From", "MUST NOT", unchanged],
      ["From + Pending Out", "MUST NOT", unchanged],
      ["Both", "MUST NOT", unchanged],
    ],
    unsubscribe: [
      ["None", "MUST NOT", unchanged],
      ["None + Pending Out", "MUST NOT", unchanged],
      ["None + Pending In", "MUST", "None"],
      ["None + Pending Out+In", "MUST", "None + Pending Out"],
      ["To", "MUST NOT", unchanged],
      ["To + Pending In", "MUST", "To"],
      ["From", "MUST", "None"],
      ["From + Pending Out", "MUST", "None + Pending Out"],
      ["Both", "MUST", "To"],
    ],
    subscribed: [
      ["None", "MUST NOT", unchanged],
      ["None + Pending Out", "MUST", "To"],
      ["None + Pending In", "MUST NOT", unchanged],
      ["None + Pending Out+In", "MUST", "To + Pending In"],
      ["To", "MUST NOT", unchanged],
      ["To + Pending In", "MUST NOT", unchanged],
      ["From", "MUST NOT", unchanged],
      ["From + Pending Out", "MUST", "Both"],
      ["Both", "MUST NOT", unchanged],
    ],
    unsubscribed: [
      ["None", "MUST NOT", unchanged],
      ["None + Pending Out", "MUST", "None"],
      ["None + Pending In", "MUST NOT", unchanged],
      ["None + Pending Out+In", "MUST", "None + Pending In"],
      ["To", "MUST", "None"],
      ["To + Pending In", "MUST", "None + Pending In"],
      ["From", "MUST NOT", unchanged],
      ["From + Pending Out", "MUST", "From"],
      ["Both", "MUST", "From"],
    ],
  },
};

const named = (name: string, approved = false): SubscriptionState => ({ ...states[name]!, approved });
const direction = { out: "outbound", in: "inbound" };

for (const way of ["out", "in"] as const) {
  for (const [type, rows] of Object.entries(tables[way]) as [SubscriptionType, readonly Row[]][]) {
    for (const [before, passes, after] of rows) {
      test(`${direction[way]} ${type} in "${before}"`, () => {
        const { state, ...done } = transition(named(before), way, type);
        assert.equal(done.passes, passes === "MUST");
        // §3.4: `subscribed` before anybody asked is remembered; all else leaves the approval alone.
        const approved = way === "out" && type === "subscribed" && states[before]!.from === "none";
        assert.deepEqual(state, named(after === unchanged ? before : after, approved));
        // §3.1.3: who is subscribed already is told so by the server.
        assert.equal(
          done.answered,
          way === "in" && type === "subscribe" && states[before]!.from === "granted",
        );
      });
    }
  }
}

const withoutFrom = ["None", "None + Pending Out", "To"];

for (const [before, after] of [
  ["None", "From"],
  ["None + Pending Out", "From + Pending Out"],
  ["To", "Both"],
] as const) {
  test(`a request that was approved beforehand is granted in "${before}" (§3.4)`, () => {
    const done = transition(named(before, true), "in", "subscribe");
    assert.deepEqual(done, { state: named(after), passes: false, answered: true });
  });
}

test("an approval is kept until it is used or taken back", () => {
  for (const before of withoutFrom) {
    const approved = named(before, true);
    assert.deepEqual(transition(approved, "out", "subscribed").state, approved);
    assert.deepEqual(transition(approved, "out", "unsubscribed"), {
      state: named(before),
      passes: false,
      answered: false,
    });
    for (const type of ["unsubscribe", "subscribed", "unsubscribed"] as const)
      assert.equal(transition(approved, "in", type).state.approved, true, type);
  }
});

test("all tables have all nine states", () => {
  for (const rows of [...Object.values(tables.out), ...Object.values(tables.in)])
    assert.deepEqual(
      rows.map(([state]) => state),
      Object.keys(states),
    );
});
