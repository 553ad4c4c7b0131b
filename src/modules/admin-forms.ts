/** XEP-0133 §7.2: the fields of administration, and the forms made of them. */
import type { CommandForm, CommandStage } from "../server/command.ts";
import {
  fieldJids,
  fieldText,
  fieldValue,
  formElement,
  type DataForm,
  type Field,
} from "../xmpp/dataform.ts";
import { StanzaError } from "../xmpp/errors.ts";
import type { Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import type { Element } from "../xmpp/xml.ts";

/** A command of XEP-0133; `id` is what stands behind the `#` of its node. */
export interface AdminCommand {
  readonly id: string;
  readonly name: string;
  run(from: Jid): CommandStage | Promise<CommandStage>;
}

interface Question extends Pick<CommandForm, "submit"> {
  readonly fields: readonly Field[];
}

/** A command that asks one form. */
export const asks = (
  id: string,
  name: string,
  ask: (from: Jid) => Question | Promise<Question>,
): AdminCommand => ({
  id,
  name,
  async run(from) {
    const { fields, submit } = await ask(from);
    return { form: { ...formOf("form", fields), title: name }, submit };
  },
});

function formOf(type: DataForm["type"], fields: readonly Field[]): DataForm {
  return { type, formType: NS.admin, fields: new Map(fields.map((field) => [field.name, field])) };
}

/** What a command tells at its end. */
export const result = (...fields: Field[]): Element => formElement(formOf("result", fields));

export const accountField: Field = {
  name: "accountjid",
  type: "jid-single",
  label: "The address of the account",
  required: true,
  values: [],
};

export const accountsField = (label: string): Field => ({
  name: "accountjids",
  type: "jid-multi",
  label,
  required: true,
  values: [],
});

export const passwordField = (name: string, label: string): Field => ({
  name,
  type: "text-private",
  label,
  required: true,
  values: [],
});

export const textField = (name: string, label: string, text = "", required = true): Field => ({
  name,
  type: "text-multi",
  label,
  required,
  values: text === "" ? [] : [text],
});

/** The one account of a form that was checked. */
export const accountIn = (form: DataForm): Jid => fieldJids(form, "accountjid")![0]!;
export const accountsIn = (form: DataForm): Jid[] => fieldJids(form, "accountjids")!;
export const valueIn = (form: DataForm, name: string): string => fieldValue(form, name) ?? "";
export const textIn = (form: DataForm, name: string): string => fieldText(form, name) ?? "";

/** Who runs a command cannot take away what they run it with; so there is always an administrator left. */
export function refuseSelf(jids: readonly Jid[], from: Jid): void {
  if (jids.some(({ bare }) => bare === from.bare))
    throw new StanzaError("not-allowed", { text: "Another administrator has to do this to you" });
}
