/**
 * XEP-0359: Unique and Stable Stanza IDs. Nobody but this server says by what id its archives know a message, or that it
 * held one back (XEP-0203).
 */
import type { Passage } from "../server/module.ts";
import { parseJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, Element } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";

export default defineModule({
  name: "stanza-ids",
  xeps: ["0359"],
  features: { server: [NS.stanzaIds], account: [NS.stanzaIds] },
  setup: ({ config, router }) => ({
    message: {
      // §3, XEP-0203 §7: whoever sets one in the name of an address takes those away that claim to be from there.
      filter: ({ stanza, direction, account, session, from }: Passage) => {
        // Both sides of a message from here have been looked at on its way out.
        if (direction === "in" && session) return;
        const isFromOutside = session !== undefined || !router.serves(from.domain);
        const isForged = (node: unknown): boolean => {
          if (!(node instanceof Element)) return false;
          const xmlns = attr(node, "xmlns");
          if (node.name === "delay" && xmlns === NS.delay)
            return isFromOutside && parseJid(attr(node, "from") ?? "")?.full === config.domain;
          if (node.name !== "stanza-id" || xmlns !== NS.stanzaIds) return false;
          const by = parseJid(attr(node, "by") ?? "");
          return !by || by.bare === account || (isFromOutside && router.serves(by.domain));
        };
        if (stanza.children.some(isForged)) {
          stanza.children = stanza.children.filter((node) => !isForged(node));
        }
      },
    },
  }),
});
