/** XEP-0133 §4.30 and §4.31: the node starts anew, or stops. */
import type { Field } from "../xmpp/dataform.ts";
import { announce } from "./admin-notices.ts";
import { asks, textField, textIn, valueIn, type AdminCommand } from "./admin-forms.ts";
import type { ModuleContext } from "./context.ts";

export interface ServiceEvents {
  /** An administrator wants the node to end, or to start anew with its settings read again. */
  "service.stop": { restart: boolean };
}

/** Seconds, as the specification has them; and at once. */
const delays = [0, 30, 60, 90, 120, 180, 240, 300];

const delayField: Field = {
  name: "delay",
  type: "list-single",
  label: "Time delay",
  values: ["60"],
  options: delays.map((seconds) => ({ value: String(seconds), label: `${seconds} seconds` })),
};

/** The commands, and what ends a delay that is under way. */
export function serviceCommands(context: ModuleContext): { commands: AdminCommand[]; close: () => void } {
  let timer: NodeJS.Timeout | undefined;

  const command = (id: string, name: string, restart: boolean): AdminCommand =>
    asks(id, name, (from) => ({
      fields: [delayField, textField("announcement", "Announcement", "", false)],
      async submit(form) {
        const seconds = Number(valueIn(form, "delay") || delayField.values[0]);
        const text = textIn(form, "announcement").trim();
        if (text !== "") await announce(context, text);
        context.log.warn({ by: from.bare, seconds, restart }, "an administrator stops the node");
        const stop = (): void => context.events.emit("service.stop", { restart });
        const begin = (): void => {
          // The last word counts, where there are two.
          clearTimeout(timer);
          timer = setTimeout(stop, seconds * 1000);
        };
        return { afterwards: begin };
      },
    }));

  return {
    commands: [command("restart", "Restart Service", true), command("shutdown", "Shut Down Service", false)],
    close: () => clearTimeout(timer),
  };
}
