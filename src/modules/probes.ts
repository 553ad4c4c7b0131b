/** RFC 6121 §4.3: what an account answers to who asks for its presence. */
import type { Passage } from "../server/module.ts";
import { lastSeenStore } from "../store/last-seen.ts";
import { delayElement } from "../xmpp/delay.ts";
import { attr, xml, type Element } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";

export default defineModule({
  name: "probes",
  setup: ({ rosters, router, sessions, store }) => {
    const lastSeen = lastSeenStore(store);

    /** §4.3.2 */
    async function answer({ account, from, to }: Passage): Promise<void> {
      if (!(await rosters.maySee(account, from.bare))) {
        return router.route(xml("presence", { from: account, to: from.bare, type: "unsubscribed" }));
      }
      let shown = false;
      for (const { available, jid } of sessions.availableOf(account)) {
        if (!available || (!to.isBare && jid.resource !== to.resource)) continue;
        shown = true;
        await router.multicast(available.stanza, [from]);
      }
      if (!shown) await router.route(await absence(account, from.full, to.full));
    }

    /** Since when nobody has been there, and what the last one said. */
    async function absence(account: string, to: string, from: string): Promise<Element> {
      const presence = xml("presence", { from, to, type: "unavailable" });
      const seen = await lastSeen.find(account);
      if (!seen) return presence;
      if (seen.status) presence.append(xml("status", {}, seen.status));
      presence.append(delayElement(account, seen.at));
      return presence;
    }

    return {
      presence: {
        deliver: (passage) => {
          if (passage.direction === "in" && attr(passage.stanza, "type") === "probe")
            return answer(passage).then(() => true);
        },
      },
    };
  },
});
