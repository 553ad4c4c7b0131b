/** XEP-0115: Entity Capabilities: the presence by which clients show theirs. */
import { attr } from "../xmpp/xml.ts";
import { capabilitiesOf } from "./capabilities.ts";
import { defineModule } from "./context.ts";

export default defineModule({
  name: "caps",
  xeps: ["0115"],
  setup: (context) => {
    const capabilities = capabilitiesOf(context);
    const { domain } = context.config;
    return {
      events: {
        "presence.available": ({ session, stanza }) =>
          capabilities.heard(session.jid, session, session.account, stanza),
        "presence.unavailable": ({ session }) => capabilities.left(session),
        "session.closed": ({ session }) => capabilities.left(session),
        "session.saved": ({ session, state }) => {
          state["wants"] = capabilities.wantedBy(session);
        },
        "session.restored": ({ session, state }) =>
          capabilities.restored(session, state["wants"] as string[]),
        "presence.received": ({ account, from, stanza }) => {
          // Our own users' presence is known before it is sent around.
          if (from.domain === domain || from.isBare) return;
          const type = attr(stanza, "type");
          if (type === undefined) capabilities.heard(from, undefined, account, stanza);
          else if (type === "unavailable") capabilities.hidden(from, account);
        },
      },
    };
  },
});
