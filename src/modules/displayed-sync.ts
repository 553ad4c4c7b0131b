/**
 * XEP-0490: Message Displayed Synchronization. Where somebody has read to, its own clients learn through a node that
 * nobody else reads; with server assist, from the marker that goes to the other side.
 */
import { StanzaError } from "../xmpp/errors.ts";
import type { Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, type Element } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";

export default defineModule({
  name: "displayed-sync",
  xeps: ["0490"],
  features: { account: [NS.displayedAssist] },
  setup: ({ log, pubsub }) => {
    // §5: also where the first item comes without the options that clients shall send.
    pubsub.preset(NS.displayedSync, {
      accessModel: "whitelist",
      persistItems: true,
      maxItems: "max",
      sendLastPublishedItem: "never",
    });

    /** §3.4.3: on behalf of the client that has put the element into a message. */
    async function publish(publisher: Jid, item: { id: string; payload: Element }): Promise<void> {
      const service = publisher.bare;
      try {
        await pubsub.publish({ service, node: NS.displayedSync, publisher, items: [item] });
      } catch (error) {
        // What the marker says to the other side is another matter.
        if (!(error instanceof StanzaError)) throw error;
        log.info({ err: error, account: service }, "where a chat was read to could not be published");
      }
    }

    return {
      message: {
        filter: ({ direction, stanza, from }) => {
          if (direction === "in") return;
          const payload = child(stanza, "displayed", NS.displayedSync);
          if (!payload) return;
          stanza.remove(payload);
          const id = attr(stanza, "to");
          if (id !== undefined && child(payload, "stanza-id", NS.stanzaIds))
            return publish(from, { id, payload });
        },
      },
    };
  },
});
