/** XEP-0133 §4.1–4.10 and §4.29: accounts, who may administrate, and how people use the node. */
import type { Notices } from "../domain/notices.ts";
import { formatDateTime } from "../xmpp/datetime.ts";
import { fieldJids } from "../xmpp/dataform.ts";
import { StanzaError, StreamError } from "../xmpp/errors.ts";
import type { Jid } from "../xmpp/jid.ts";
import {
  accountField,
  accountIn,
  accountsField,
  accountsIn,
  asks,
  passwordField,
  refuseSelf,
  result,
  valueIn,
  type AdminCommand,
} from "./admin-forms.ts";
import type { ModuleContext } from "./context.ts";

export function accountCommands(context: ModuleContext, notices: Notices): AdminCommand[] {
  const { config, accounts, rosters, sessions } = context;

  /** All of them exist, so that a mistyped one is found before anything is done. */
  async function existing(jids: readonly Jid[]): Promise<readonly Jid[]> {
    for (const jid of jids) {
      if (jid.domain !== config.domain || !(await accounts.exists(jid.local)))
        throw new StanzaError("item-not-found", { text: `There is no account ${jid.bare}` });
    }
    return jids;
  }

  const addUser = asks("add-user", "Add User", () => ({
    fields: [
      { ...accountField, label: "The address of the new account" },
      passwordField("password", "The password for this account"),
      passwordField("password-verify", "Retype password"),
    ],
    async submit(form) {
      const password = valueIn(form, "password");
      if (password !== valueIn(form, "password-verify"))
        throw new StanzaError("not-acceptable", { text: "That was not the same password twice" });
      await accounts.add(accountIn(form), password);
      return {};
    },
  }));

  /** What is done to one account after the other. */
  const toEach = (id: string, name: string, label: string, act: (jid: Jid) => unknown, self = true) =>
    asks(id, name, (from) => ({
      fields: [accountsField(label)],
      async submit(form) {
        const jids = await existing(accountsIn(form));
        const client = jids.find(({ isBare }) => !isBare);
        if (client) throw new StanzaError("not-acceptable", { text: `${client.full} is no account` });
        if (!self) refuseSelf(jids, from);
        for (const jid of jids) await act(jid);
        return {};
      },
    }));

  const changePassword = asks("change-user-password", "Change User Password", () => ({
    fields: [accountField, passwordField("password", "The new password for this account")],
    async submit(form) {
      await accounts.setPassword(accountIn(form), valueIn(form, "password"));
      return {};
    },
  }));

  const endSession = asks("end-user-session", "End User Session", (from) => ({
    fields: [accountsField("The accounts, or full addresses, whose sessions to end")],
    async submit(form) {
      const jids = await existing(accountsIn(form));
      const ends = (jid: Jid): boolean => jid.full === from.full || jid.full === from.bare;
      const close = (jid: Jid): void => {
        const chosen = jid.isBare ? [...sessions.of(jid.bare)] : [sessions.get(jid)];
        for (const session of chosen)
          session?.close(new StreamError("not-authorized", "An administrator ended the session"));
      };
      for (const jid of jids) if (!ends(jid)) close(jid);
      // The answer comes before the end of who asked.
      return { afterwards: () => jids.filter(ends).forEach(close) };
    },
  }));

  const lastLogin = asks("get-user-lastlogin", "Get User Last Login Time", () => ({
    fields: [accountsField("The accounts to look at")],
    async submit(form) {
      const found: [jid: string, at: string][] = [];
      const never: string[] = [];
      for (const { bare, local } of await existing(accountsIn(form))) {
        const at = await notices.lastLogin(local);
        if (at) found.push([bare, formatDateTime(at)]);
        else never.push(bare);
      }
      const payload = result(
        { name: "accountjids", type: "jid-multi", values: found.map(([jid]) => jid) },
        { name: "lastlogin", type: "text-multi", values: found.map(([, at]) => at) },
      );
      const notes = never.map((jid) => ({ type: "info" as const, text: `${jid}: no login is known` }));
      return { payload, notes };
    },
  }));

  const statistics = asks("user-stats", "Get User Statistics", () => ({
    fields: [accountField],
    async submit(form) {
      const [{ bare }] = (await existing([accountIn(form)])) as [Jid];
      const open = [...sessions.of(bare)];
      const addresses = new Set(open.map(({ remoteAddress }) => remoteAddress));
      const size = (await rosters.of(bare)).size;
      const payload = result(
        { name: "ipaddresses", type: "text-multi", label: "Addresses", values: [...addresses] },
        { name: "rostersize", label: "Contacts", values: [String(size)] },
        {
          name: "onlineresources",
          type: "text-multi",
          label: "Connected clients",
          values: open.map(({ jid }) => jid.resource),
        },
      );
      return { payload };
    },
  }));

  const editAdmins = asks("edit-admin", "Edit Admin List", async (from) => {
    const admins = (await accounts.list()).filter(({ admin }) => admin).map(({ jid }) => jid);
    return {
      fields: [{ name: "adminjids", type: "jid-multi", label: "The administrators", values: admins }],
      async submit(form) {
        const chosen = fieldJids(form, "adminjids") ?? [];
        if (!chosen.some(({ full }) => full === from.bare)) refuseSelf([from], from);
        await accounts.setAdmins(chosen);
        return {};
      },
    };
  });

  return [
    addUser,
    toEach("delete-user", "Delete User", "The accounts to delete", (jid) => accounts.remove(jid), false),
    toEach(
      "disable-user",
      "Disable User",
      "The accounts that nobody shall log in to",
      (jid) => accounts.setDisabled(jid, true),
      false,
    ),
    toEach("reenable-user", "Re-Enable User", "The accounts that can be used again", (jid) =>
      accounts.setDisabled(jid, false),
    ),
    endSession,
    changePassword,
    lastLogin,
    statistics,
    editAdmins,
  ];
}
