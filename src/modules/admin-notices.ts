/** XEP-0133 §4.23–4.28: announcements, the message of the day, and the welcome to who is new. */
import type { NoticeName, Notices } from "../domain/notices.ts";
import { parseJid } from "../xmpp/jid.ts";
import { newId } from "../xmpp/id.ts";
import { legalText, xml } from "../xmpp/xml.ts";
import { asks, textField, textIn, type AdminCommand } from "./admin-forms.ts";
import type { ModuleContext } from "./context.ts";

/** A message of the node's own to everybody who is connected. It is for those who are there, so nothing keeps it. */
export async function announce({ config, router, sessions }: ModuleContext, text: string): Promise<void> {
  const attrs = { from: config.domain, type: "headline", id: newId() };
  const message = xml("message", attrs, xml("body", {}, legalText(text)));
  await router.multicast(
    message,
    [...sessions].map(({ jid }) => jid),
  );
}

/** Tells somebody who has come what they were not told yet. */
export async function tellNews(context: ModuleContext, notices: Notices, account: string): Promise<void> {
  const { config, router } = context;
  for (const text of await notices.due(parseJid(account)!.local)) {
    const attrs = { from: config.domain, to: account, id: newId() };
    await router.route(xml("message", attrs, xml("body", {}, text)));
  }
}

export function noticeCommands(context: ModuleContext, notices: Notices): AdminCommand[] {
  const online = (): Set<string> => {
    const available = [...context.sessions].filter(({ available }) => available);
    return new Set(available.map(({ account }) => account));
  };

  /** Asks for a text, which begins as it is now. */
  const writes = (
    id: string,
    name: string,
    field: NoticeName,
    save: (text: string) => Promise<void>,
  ): AdminCommand =>
    asks(id, name, async () => ({
      fields: [textField(field, name, id === "set-motd" ? "" : await notices.find(field))],
      async submit(form) {
        await save(textIn(form, field));
        return {};
      },
    }));

  const deletes = (id: string, name: string, notice: NoticeName): AdminCommand => ({
    id,
    name,
    async run() {
      await notices.remove(notice);
      return {};
    },
  });

  return [
    asks("announce", "Send Announcement to Online Users", () => ({
      fields: [textField("announcement", "Announcement")],
      async submit(form) {
        await announce(context, textIn(form, "announcement"));
        return {};
      },
    })),
    writes("set-motd", "Set Message of the Day", "motd", async (text) => {
      await notices.set("motd", text);
      for (const account of online()) await tellNews(context, notices, account);
    }),
    writes("edit-motd", "Edit Message of the Day", "motd", (text) => notices.edit("motd", text)),
    deletes("delete-motd", "Delete Message of the Day", "motd"),
    writes("set-welcome", "Set Welcome Message", "welcome", (text) => notices.set("welcome", text)),
    deletes("delete-welcome", "Delete Welcome Message", "welcome"),
  ];
}
