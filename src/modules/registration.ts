/** XEP-0077: what accounts do to themselves once they are logged in: another password, and their end. */
import { get, set, type IqRequest, type Target } from "../server/module.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { registrationAnswers, type RegistrationAnswers } from "../xmpp/registration.ts";
import { child, children, xml, type Element } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";

const places: readonly Target[] = ["self", "server"];

export default defineModule({
  name: "registration",
  xeps: ["0077"],
  features: { server: [NS.register] },
  setup: ({ accounts, config, log }) => {
    /** Whose account it is; other domains have none here. */
    function ownerOf({ from }: IqRequest): Jid {
      if (from.domain === config.domain && from.local !== "") return from.toBare();
      throw new StanzaError("registration-required", { text: "You have no account here" });
    }

    /** §3.1: what is on file. */
    function show(iq: IqRequest): Element {
      const { local } = ownerOf(iq);
      return xml(
        "query",
        { xmlns: NS.register },
        xml("registered", {}),
        xml("username", {}, local),
        xml("password", {}),
      );
    }

    async function change(iq: IqRequest): Promise<void> {
      const owner = ownerOf(iq);
      const { payload, session } = iq;
      if (session?.appPassword !== undefined)
        throw new StanzaError("forbidden", { text: "Log in with the password of the account for this" });
      if (child(payload, "remove")) return leave(iq, owner);
      const answers = registrationAnswers(payload);
      // §3.3: a refusal does not repeat the password.
      payload.children.length = 0;
      if (session?.isEncrypted === false)
        throw new StanzaError("not-authorized", { text: "Encrypt the connection first" });
      const password = newPassword(answers, owner);
      await accounts.setPassword(owner, password, session?.jid.full);
      log.info({ jid: owner.bare }, "changed the password");
    }

    /** §3.2 */
    async function leave(iq: IqRequest, owner: Jid): Promise<void> {
      if (children(iq.payload).length > 1)
        throw new StanzaError("bad-request", { text: "Nothing stands beside <remove/>" });
      const clear = await accounts.leave(owner);
      log.info({ jid: owner.bare }, "removed the account");
      // Sessions end with it, and this one is told first that it worked.
      iq.afterwards = () => {
        clear().catch((err: unknown) =>
          log.error({ err, jid: owner.bare }, "an account left something behind"),
        );
      };
    }

    return {
      iq: places.flatMap((place) => [
        get(NS.register, "query", place, show),
        set(NS.register, "query", place, change),
      ]),
    };
  },
});

function newPassword({ username, password }: RegistrationAnswers, owner: Jid): string {
  if (!username || !password)
    throw new StanzaError("bad-request", {
      text: "A password is changed with the name and the new password",
    });
  // §3.3 has a name in one example and an address in the other.
  const named = parseJid(username.includes("@") ? username : `${username}@${owner.domain}`);
  if (named?.full === owner.full) return password;
  throw new StanzaError("forbidden", { text: "Only your own password is yours to change" });
}
