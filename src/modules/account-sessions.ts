/** Sessions end with the account, and with the password they were opened by. */
import { hibernatedStore } from "../store/hibernated.ts";
import { StreamError } from "../xmpp/errors.ts";
import { defineModule } from "./context.ts";

export default defineModule({
  name: "account-sessions",
  setup: ({ sessions, store }) => {
    const hibernated = hibernatedStore(store);

    /** `but` is the full address of one that stays. */
    function end(account: string, error: StreamError, but?: string): Promise<void> {
      for (const session of [...sessions.of(account)]) if (session.jid.full !== but) session.close(error);
      // Those that rest on disk, where the command line does this while no node runs.
      return hibernated.clear(account);
    }

    return {
      events: {
        "account.removed": ({ account }) =>
          end(account, new StreamError("not-authorized", "The account was removed")),
        "account.disabled": ({ account }) =>
          end(account, new StreamError("not-authorized", "The account is disabled")),
        "account.password": ({ account, by }) =>
          end(account, new StreamError("reset", "The password was changed"), by),
      },
    };
  },
});
