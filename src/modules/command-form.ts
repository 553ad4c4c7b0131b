/** XEP-0050 §3.5.1, XEP-0004 §3: whether a submitted form is what its command asked for. */
import { formOf, parseForm, type DataForm, type Field } from "../xmpp/dataform.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { parseJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { child, copy, xml, type Element } from "../xmpp/xml.ts";

/** A refusal with one of the conditions of XEP-0050 §4.4. */
export const commandError = (
  condition: "bad-request" | "not-allowed",
  specific: string,
  text: string,
): StanzaError => new StanzaError(condition, { text, app: xml(specific, { xmlns: NS.commands }) });

const badPayload = (text: string): StanzaError => commandError("bad-request", "bad-payload", text);

/** The form inside `<command/>` as an answer to `asked`; `bad-payload` where it is none. */
export function submittedForm(command: Element, asked: DataForm): DataForm {
  const form = readForm(command);
  if (form?.type !== "submit") throw badPayload("The form is missing");
  for (const field of asked.fields.values()) check(field, form.fields.get(field.name)?.values ?? []);
  return form;
}

function readForm(command: Element): DataForm | undefined {
  const x = child(command, "x", NS.dataForm);
  try {
    // §3.5.1: "cancel" is the matter of the action; as a type of form it means "submit".
    if (x?.attrs["type"] === "cancel") return parseForm(copy(x, { type: "submit" }));
    return formOf(command);
  } catch (error) {
    if (error instanceof StanzaError) throw badPayload(error.message);
    throw error;
  }
}

function check({ name, type = "text-single", label = name, required, options }: Field, sent: string[]): void {
  const values = sent.filter((value) => value.trim() !== "");
  if (values.length === 0) {
    if (required) throw badPayload(`"${label}" has to be filled in`);
    return;
  }
  const fits = (value: string): boolean => {
    if (type.startsWith("jid-")) return parseJid(value) !== undefined;
    if (type === "boolean") return /^\s*(?:0|1|true|false)\s*$/.test(value);
    return !type.startsWith("list-") || !options || options.some((option) => option.value === value);
  };
  const wrong = values.find((value) => !fits(value));
  if (wrong !== undefined) throw badPayload(`"${label}" cannot be ${wrong}`);
  if (values.length > 1 && !type.endsWith("-multi")) throw badPayload(`"${label}" has one value`);
}
