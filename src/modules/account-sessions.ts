/** Sessions end with the account, and with the password they were opened by. */
import { StreamError } from "../xmpp/errors.ts";
import { defineModule } from "./context.ts";

export default defineModule({
  name: "account-sessions",
  setup: ({ sessions }) => {
    const end = (account: string, error: StreamError): void => {
      for (const session of [...sessions.of(account)]) session.close(error);
    };
    return {
      events: {
        "account.removed": ({ account }) =>
          end(account, new StreamError("not-authorized", "The account was removed")),
        "account.password": ({ account }) =>
          end(account, new StreamError("reset", "The password was changed")),
      },
    };
  },
});
