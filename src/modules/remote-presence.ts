/**
 * RFC 6121 §4.6.3 between servers: whom one's clients see as available elsewhere, so that all of them are shown gone
 * when their server can no longer be reached, and asked for again when it is back.
 */
import { isTo } from "../domain/roster.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { attr, xml } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";

/** Resources that one account sees; a roster of the largest size, and rooms. Who comes after that is not looked after. */
const seenMaximum = 10_000;

export default defineModule({
  name: "remote-presence",
  setup: ({ blocking, config, rosters, router, sessions }) => {
    /** By account, then by full JID. */
    const seen = new Map<string, Map<string, Jid>>();

    function see(account: string, from: Jid): void {
      let resources = seen.get(account);
      if (!resources) seen.set(account, (resources = new Map()));
      if (resources.size < seenMaximum) resources.set(from.full, from);
    }

    /** As if each had said it; nobody is left of whom it could be said again. */
    async function hide(domain: string): Promise<void> {
      for (const [account, resources] of seen) {
        for (const [full, from] of resources) {
          if (from.domain !== domain) continue;
          resources.delete(full);
          await router.receiveRemote(xml("presence", { from: full, to: account, type: "unavailable" }));
        }
      }
    }

    /** One probe for each contact there of each account that is available. */
    async function probe(domain: string): Promise<void> {
      const asked = new Set<string>();
      for (const { account, available } of sessions) {
        if (!available || asked.has(account)) continue;
        asked.add(account);
        const isBlocked = await blocking.checker(account);
        const contacts = [...(rosters.cached(account)?.values() ?? [])]
          .filter(isTo)
          .flatMap(({ jid }) => parseJid(jid) ?? [])
          .filter((jid) => jid.domain === domain && !isBlocked?.(jid));
        if (contacts.length > 0)
          await router.multicast(xml("presence", { from: account, type: "probe" }), contacts);
      }
    }

    return {
      events: {
        "presence.received": ({ account, from, stanza }) => {
          if (from.isBare || from.domain === config.domain || !sessions.has(account)) return;
          if (attr(stanza, "type") === undefined) see(account, from);
          else seen.get(account)?.delete(from.full);
        },
        "session.closed": ({ session: { account } }) => {
          if (!sessions.has(account)) seen.delete(account);
        },
        "domain.lost": ({ domain }) => hide(domain),
        "domain.connected": ({ domain, again }) => (again ? probe(domain) : undefined),
      },
    };
  },
});
