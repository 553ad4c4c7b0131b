/** RFC 6121 §3: asking for, granting and cancelling presence subscriptions. */
import { isFrom, isTo } from "../domain/roster.ts";
import type { Passed } from "../domain/rosters.ts";
import type { Passage } from "../server/module.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { parseJid } from "../xmpp/jid.ts";
import { isSubscriptionType, type SubscriptionState, type SubscriptionType } from "../xmpp/subscription.ts";
import { attr, copy, xml, type Element } from "../xmpp/xml.ts";
import { defineModule, type ModuleContext } from "./context.ts";

type Parts = Pick<ModuleContext, "blocking" | "router" | "sessions">;

/** The current presence of all available resources, to a contact who sees it from now on (§3.1.5). */
async function showResources({ router, sessions }: Parts, account: string, contact: string): Promise<void> {
  const to = parseJid(contact);
  for (const { available } of sessions.availableOf(account)) {
    if (to && available) await router.multicast(available.stanza, [to]);
  }
}

/** Unavailable presence of the same, to a contact who sees it no more (§3.2.2, §3.3.3). */
async function hideResources(parts: Parts, account: string, contact: string): Promise<void> {
  const { blocking, router, sessions } = parts;
  const to = parseJid(contact);
  // XEP-0191 §3.3: who is blocked saw it then, and is not shown now who is there.
  if (!to || (await blocking.blocked(account, to))) return;
  for (const { jid } of sessions.availableOf(account)) {
    await router.route(xml("presence", { from: jid.full, to: contact, type: "unavailable" }));
  }
}

/** Ends what there was between an account and a contact who leaves its roster (§2.5.2). */
export async function endSubscriptions(
  parts: Parts,
  account: string,
  contact: string,
  { to, from }: Pick<SubscriptionState, "to" | "from">,
): Promise<void> {
  const send = (type: SubscriptionType) =>
    parts.router.route(xml("presence", { from: account, to: contact, type }));
  if (to !== "none") await send("unsubscribe");
  if (from === "granted") await hideResources(parts, account, contact);
  if (from !== "none") await send("unsubscribed");
}

export default defineModule({
  name: "subscriptions",
  setup: ({ blocking, rosters, router, sessions }) => {
    const parts = { blocking, router, sessions };

    /** From one of our users, always in the name of the account and to that of the contact (§3.1.2). */
    async function send({ stanza, account, to }: Passage, type: SubscriptionType): Promise<void> {
      if (attr(stanza, "to") === undefined || to.bare === account) {
        throw new StanzaError("bad-request", { text: "A subscription is asked of somebody" });
      }
      const contact = to.bare;
      const { before, state, passes } = await rosters.pass({ account, contact, direction: "out", type });
      // §3.2.2: as long as the contact still believes what comes from us.
      if (before.from === "granted" && state.from !== "granted") await hideResources(parts, account, contact);
      if (passes) await router.route(copy(stanza, { from: account, to: contact }));
      if (before.from !== "granted" && state.from === "granted") await showResources(parts, account, contact);
    }

    /** To one of our users. What they see of it is sent before the roster push that follows from it (§3.1.6). */
    async function receive({ stanza, account, from, to }: Passage, type: SubscriptionType): Promise<void> {
      // §8.5.3.2.2
      if (!to.isBare && type !== "subscribe" && !sessions.get(to)) return;
      const contact = from.bare;
      const request = copy(stanza, { from: contact, to: account });
      const then = ({ passes }: Passed): void => {
        if (passes) deliver(account, request, type);
      };
      const passed = await rosters.pass({ account, contact, direction: "in", type, request, then });
      if (passed.answered) {
        await router.route(xml("presence", { from: account, to: contact, type: "subscribed" }));
        await showResources(parts, account, contact);
      } else if (passed.before.from === "granted" && passed.state.from !== "granted") {
        await hideResources(parts, account, contact);
      }
    }

    function deliver(account: string, stanza: Element, type: SubscriptionType): void {
      for (const session of sessions.of(account)) {
        if (type === "subscribe" ? session.available : session.interested) session.send(stanza);
      }
    }

    return {
      presence: {
        deliver: (passage) => {
          const type = attr(passage.stanza, "type");
          if (!isSubscriptionType(type)) return;
          const done = passage.direction === "out" ? send(passage, type) : receive(passage, type);
          return done.then(() => true);
        },
      },
      events: {
        "account.removed": async ({ account }) => {
          const { items, requests } = await rosters.roster(account);
          for (const contact of new Set([...items.keys(), ...requests.keys()])) {
            const item = items.get(contact);
            const to = isTo(item) ? "granted" : item?.ask ? "pending" : "none";
            const from = isFrom(item) ? "granted" : requests.has(contact) ? "pending" : "none";
            await endSubscriptions(parts, account, contact, { to, from });
          }
          await rosters.clear(account);
        },
      },
    };
  },
});
