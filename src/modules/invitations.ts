/**
 * XEP-0401: people invite others by chat, to be contacts or to have an account here, and see and revoke what they gave.
 * XEP-0379: a subscription request that brings the token of such an invitation is granted, both ways.
 */
import { stateOf, type Invitation } from "../domain/invitations.ts";
import type { CommandForm, CommandResult } from "../server/command.ts";
import type { Passage } from "../server/module.ts";
import { fieldBoolean, fieldValue, formElement, type DataForm, type Field } from "../xmpp/dataform.ts";
import { formatDateTime } from "../xmpp/datetime.ts";
import type { Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, copy, xml } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";

const invitationForm = `${NS.invite}#invitation`;
/** Of commands that no specification has. */
const own = "pipit:invitations";

export default defineModule({
  name: "invitations",
  xeps: ["0401", "0445", "0379"],
  setup: ({ accounts, config, invitations, rosters, router }) => {
    const isPerson = ({ local, domain }: Jid): boolean | Promise<boolean> =>
      domain === config.domain && accounts.admits(local);

    const mayGiveAccounts = ({ local, domain }: Jid): boolean | Promise<boolean> =>
      domain === config.domain && invitations.mayGiveAccounts(local);

    /** §4.1: the result of either command. */
    function invited(invitation: Invitation): CommandResult {
      const fields = [
        field("uri", invitations.uriOf(invitation)),
        ...(config.listen.http === false ? [] : [field("landing-url", invitations.linkOf(invitation))]),
        field("expire", formatDateTime(invitation.expiresAt)),
      ];
      return { payload: formElement(formOf("result", fields, invitationForm)) };
    }

    const invite = async (from: Jid): Promise<CommandResult> =>
      invited(await invitations.create({ inviter: from.toBare(), kind: "contact" }));

    /** §4.4 */
    const createAccount = (from: Jid): CommandForm => ({
      form: {
        ...formOf("form", [
          { ...field("username", ""), label: "The name of the account, where it is settled" },
          { name: "roster-subscription", type: "boolean", label: "Become contacts", values: ["1"] },
        ]),
        title: "Invite to make an account",
      },
      async submit(form) {
        const username = fieldValue(form, "username");
        const befriends = fieldBoolean(form, "roster-subscription") ?? true;
        return invited(
          await invitations.create({ inviter: from.toBare(), kind: "account", username, befriends }),
        );
      },
    });

    /** Those that somebody may see: their own, and all for an administrator. */
    async function seenBy({ bare, local }: Jid): Promise<{ whose: string | undefined; open: Invitation[] }> {
      const whose = (await accounts.find(local))?.admin ? undefined : bare;
      const all = await invitations.list(whose);
      return { whose, open: all.filter((one) => stateOf(one) === "open") };
    }

    async function list(from: Jid): Promise<CommandResult> {
      const { open } = await seenBy(from);
      const fields = open.map((one) => ({
        ...field(one.token, invitations.linkOf(one)),
        label: described(one),
      }));
      if (fields.length === 0) return { notes: [{ type: "info", text: "No invitations are open" }] };
      return { payload: formElement({ ...formOf("result", fields), title: "Open invitations" }) };
    }

    async function revoke(from: Jid): Promise<CommandForm | CommandResult> {
      const { whose, open } = await seenBy(from);
      if (open.length === 0) return { notes: [{ type: "info", text: "No invitations are open" }] };
      const options = open.map((one) => ({ value: one.token, label: described(one) }));
      const label = "The invitations to take back";
      const tokens: Field = {
        name: "tokens",
        type: "list-multi",
        label,
        required: true,
        values: [],
        options,
      };
      return {
        form: { ...formOf("form", [tokens]), title: "Revoke invitations" },
        async submit(form) {
          for (const token of form.fields.get("tokens")!.values) await invitations.revoke(token, whose);
          return {};
        },
      };
    }

    /** What the contact's request is answered with is up to the user, who has answered by inviting (XEP-0379 §3.5). */
    async function accept({ stanza, account, from }: Passage, token: string): Promise<boolean> {
      if (!(await invitations.accept(token, account, from))) return false;
      const contact = from.bare;
      await rosters.pass({ account, contact, direction: "out", type: "subscribed" });
      // Without the token, which is spent.
      const request = copy(stanza, { from: contact, to: account });
      const spent = child(request, "preauth", NS.preAuthentication);
      request.children = request.children.filter((node) => node !== spent);
      await router.route(request);
      const type = "subscribe";
      const { before } = await rosters.pass({ account, contact, direction: "out", type });
      if (before.to !== "granted") await router.route(xml("presence", { from: account, to: contact, type }));
      return true;
    }

    return {
      commands: [
        { node: `${NS.invite}#invite`, name: "Invite user", mayRun: isPerson, run: invite },
        {
          node: `${NS.invite}#create-account`,
          name: "Create account",
          mayRun: mayGiveAccounts,
          run: createAccount,
        },
        { node: `${own}#list`, name: "List invitations", mayRun: isPerson, run: list },
        { node: `${own}#revoke`, name: "Revoke invitations", mayRun: isPerson, run: revoke },
      ],
      presence: {
        deliver: (passage) => {
          const { stanza, direction } = passage;
          if (direction === "out" || attr(stanza, "type") !== "subscribe") return;
          const preauth = child(stanza, "preauth", NS.preAuthentication);
          // §4.1: a token that is not known here may be one of the user's own client.
          if (preauth) return accept(passage, attr(preauth, "token") ?? "");
        },
      },
      events: { "account.removed": ({ account }) => invitations.clear(account) },
    };
  },
});

const field = (name: string, value: string): Field => ({
  name,
  type: "text-single",
  values: value === "" ? [] : [value],
});

const formOf = (type: DataForm["type"], fields: readonly Field[], formType?: string): DataForm => ({
  type,
  formType,
  fields: new Map(fields.map((one) => [one.name, one])),
});

/** One invitation, in a line. */
function described({ kind, username, inviter, expiresAt }: Invitation): string {
  const what = kind === "contact" ? "Contact" : username === null ? "Account" : `Account "${username}"`;
  return `${what}, until ${formatDateTime(expiresAt)}, from ${inviter ?? "the operator"}`;
}
