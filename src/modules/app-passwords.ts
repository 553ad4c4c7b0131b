/** Passwords for single clients (`domain/app-passwords.ts`), made and taken back by chat (XEP-0050). */
import type { Command, CommandStage } from "../server/command.ts";
import { fieldValue, formElement, type DataForm, type Field } from "../xmpp/dataform.ts";
import type { Jid } from "../xmpp/jid.ts";
import { defineModule } from "./context.ts";

const form = (type: "form" | "result", title: string, ...fields: Field[]): DataForm => ({
  ...{ type, title, formType: undefined },
  fields: new Map(fields.map((field) => [field.name, field])),
});

export default defineModule({
  name: "app-passwords",
  setup: ({ config, appPasswords, sessions }) => {
    /** Who came in by an app password gets no others. */
    const mayRun = (from: Jid): boolean => {
      const session = from.domain === config.domain ? sessions.get(from) : undefined;
      return session !== undefined && session.appPassword === undefined;
    };

    const add: Command = {
      node: "pipit:app-passwords#add",
      name: "Make a Password for an App",
      mayRun,
      run: (from) => ({
        form: form("form", "A password for an app", {
          ...{ name: "name", type: "text-single", required: true, values: [] },
          label: "What it is for, such as: Pidgin on the old laptop",
        }),
        async submit(submitted): Promise<CommandStage> {
          const { name, password } = await appPasswords.add(
            from.toBare(),
            fieldValue(submitted, "name") ?? "",
          );
          const shown = { name: "password", type: "text-single", label: name, values: [password] };
          return {
            payload: formElement(form("result", "The password, which is not shown again", shown)),
            notes: [{ type: "info", text: `Log in as ${from.bare} with the password ${password}` }],
          };
        },
      }),
    };

    const remove: Command = {
      node: "pipit:app-passwords#remove",
      name: "Take Back a Password of an App",
      mayRun,
      async run(from) {
        const all = await appPasswords.list(from.bare);
        if (all.length === 0) return { notes: [{ type: "info", text: "You have no app passwords" }] };
        return {
          form: form("form", "Passwords of apps", {
            ...{ name: "app-password", type: "list-single", required: true, values: [] },
            label: "The one that shall open nothing any more",
            options: all.map(({ id, name }) => ({ label: name, value: id })),
          }),
          async submit(submitted): Promise<CommandStage> {
            const { name } = await appPasswords.remove(
              from.bare,
              fieldValue(submitted, "app-password") ?? "",
            );
            return { notes: [{ type: "info", text: `The app password "${name}" opens nothing any more` }] };
          },
        };
      },
    };

    return { commands: [add, remove] };
  },
});
