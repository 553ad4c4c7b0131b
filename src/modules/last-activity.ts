/** XEP-0012: Last Activity. Only who may see somebody's presence learns when they were there. */
import { get, type IqRequest } from "../server/module.ts";
import { lastSeenStore } from "../store/last-seen.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { namespaceOf, xml, type Element } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";

/** A time span in milliseconds as the answer, with the words of who left. */
function answer(span: number, status?: string | null): Element {
  const seconds = Math.max(0, Math.floor(span / 1000));
  return xml("query", { xmlns: NS.lastActivity, seconds: String(seconds) }, ...(status ? [status] : []));
}

export default defineModule({
  name: "last-activity",
  xeps: ["0012"],
  features: { server: [NS.lastActivity], account: [NS.lastActivity], service: [NS.lastActivity] },
  setup: ({ rosters, sessions, store }) => {
    const lastSeen = lastSeenStore(store);
    const startedAt = performance.now();
    const uptime = (): Element => answer(performance.now() - startedAt);

    async function ofAccount({ from, to: { bare } }: IqRequest): Promise<Element> {
      await refuseStrangers(bare, from.bare);
      if (sessions.has(bare)) return answer(0);
      const seen = await lastSeen.find(bare);
      if (!seen) throw new StanzaError("item-not-found", { text: "Nobody has been there yet" });
      return answer(Date.now() - seen.at.getTime(), seen.status);
    }

    async function refuseStrangers(account: string, asker: string): Promise<void> {
      if (!(await rosters.isSubscriber(account, asker))) throw new StanzaError("forbidden");
    }

    return {
      iq: [
        get(NS.lastActivity, "query", "server", uptime),
        get(NS.lastActivity, "query", "service", uptime),
        { ...get(NS.lastActivity, "query", "account", ofAccount), anyName: true },
      ],
      // §4: a resource answers for itself, but not to everybody.
      iqFilter: ({ type, payload, from, to }) => {
        if (type === "get" && namespaceOf(payload) === NS.lastActivity)
          return refuseStrangers(to.bare, from.bare);
      },
    };
  },
});
