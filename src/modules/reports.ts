/**
 * XEP-0377: reports of spam and abuse that come with a block. They are kept and logged, and whoever runs the node gets a
 * message; with the reporter's consent, so does whoever runs the domain it came from (XEP-0157).
 */
import { blockedStore } from "../store/blocked.ts";
import { formOf } from "../xmpp/dataform.ts";
import { newId } from "../xmpp/id.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { readUri } from "../xmpp/uri.ts";
import { attr, child, children, copy, serialize, text, xml, type Element } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";

/** Reports of one account in a day; more are a nuisance of their own, and only the block counts. */
const reportsOfDay = 50;
const day = 24 * 60 * 60 * 1000;
/** A report in UTF-16 units: some sentences, and the ids of the messages that are meant. */
const maxLength = 10_000;
/** Addresses of another domain that one report is sent to. */
const maxAddresses = 3;

const reasons: Readonly<Record<string, string>> = {
  "urn:xmpp:reporting:spam": "spam",
  "urn:xmpp:reporting:abuse": "abuse",
};

export default defineModule({
  name: "reports",
  xeps: ["0377"],
  features: { server: [NS.reporting] },
  setup: ({ accounts, config, log, router, store }) => {
    async function take(account: string, jid: Jid, report: Element): Promise<void> {
      const reason = attr(report, "reason") ?? "";
      const written = serialize(report);
      const reportedAt = new Date();
      const isTaken = await store.transaction(async (tx) => {
        const rows = blockedStore(tx);
        const lately = await rows.reportCount(account, new Date(reportedAt.getTime() - day));
        if (reason === "" || written.length > maxLength || lately >= reportsOfDay) return false;
        const row = { id: newId(), account, jid: jid.full, reason, report: written, reportedAt };
        await rows.addReport(row);
        return true;
      });
      log.warn({ account, jid: jid.full, reason, isTaken }, "somebody was reported");
      if (!isTaken) return;
      for (const admin of await accounts.list())
        if (admin.admin) await router.route(messageTo(admin.jid, `${account} reports`, jid, report));
      if (child(report, "report-origin") && !router.serves(jid.domain)) void forward(jid, report);
    }

    function messageTo(to: string, opening: string, jid: Jid, report: Element): Element {
      const reason = attr(report, "reason") ?? "";
      const words = children(report, "text").map((one) => text(one).trim());
      const body = [`${opening} ${jid.full} (${reasons[reason] ?? reason}).`, ...words].join("\n");
      const named = copy(report, { xmlns: NS.reporting });
      named.append(xml("jid", { xmlns: NS.jid }, jid.full));
      return xml("message", { from: config.domain, to, id: newId() }, xml("body", {}, body), named);
    }

    /** In a task of its own: another domain may take its time. It does not learn who reports. */
    async function forward(jid: Jid, report: Element): Promise<void> {
      try {
        const asking = xml("query", { xmlns: NS.discoInfo });
        const iq = xml("iq", { type: "get", from: config.domain, to: jid.domain }, asking);
        const query = child(await router.request(iq), "query", NS.discoInfo);
        for (const to of query ? abuseAddresses(query) : [])
          await router.route(messageTo(to.full, "Somebody here reports", jid, report));
      } catch (error) {
        log.info({ err: error, domain: jid.domain }, "a report could not be sent on");
      }
    }

    return {
      events: {
        "contact.reported": ({ account, jid, report }) => take(account, jid, report),
      },
    };
  },
});

/** XEP-0157: where a domain wants to hear of abuse, of the addresses that are XMPP's. */
function abuseAddresses(query: Element): Jid[] {
  const values = formOf(query, NS.serverInfo)?.fields.get("abuse-addresses")?.values ?? [];
  return values.flatMap((value) => parseJid(readUri(value)?.jid ?? "") ?? []).slice(0, maxAddresses);
}
