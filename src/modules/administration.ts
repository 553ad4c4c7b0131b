/** XEP-0133: Service Administration, for accounts that are administrators. Passwords and rosters are nobody's to read. */
import { Notices } from "../domain/notices.ts";
import type { Jid } from "../xmpp/jid.ts";
import { parseJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { accountCommands } from "./admin-accounts.ts";
import { noticeCommands, tellNews } from "./admin-notices.ts";
import { peopleCommands } from "./admin-people.ts";
import { serviceCommands } from "./admin-service.ts";
import { defineModule } from "./context.ts";

export default defineModule({
  name: "administration",
  xeps: ["0133"],
  setup: (context) => {
    const { config, accounts, sessions, store } = context;
    const notices = new Notices(store);
    const service = serviceCommands(context);

    /** Not by an app password, which is for one's chats. */
    async function mayRun(from: Jid): Promise<boolean> {
      if (from.domain !== config.domain || sessions.get(from)?.appPassword !== undefined) return false;
      return (await accounts.find(from.local))?.admin === true;
    }

    const commands = [
      ...accountCommands(context, notices),
      ...peopleCommands(context),
      ...noticeCommands(context, notices),
      ...service.commands,
    ];
    return {
      commands: commands.map(({ id, ...rest }) => ({ ...rest, node: `${NS.admin}#${id}`, mayRun })),
      close: service.close,
      events: {
        "session.bound": ({ session }) => notices.loggedIn(session.jid.local),
        "presence.available": async ({ session, initial }) => {
          if (initial) await tellNews(context, notices, session.account);
        },
        "account.removed": ({ account }) => notices.clear(parseJid(account)!.local),
      },
    };
  },
});
