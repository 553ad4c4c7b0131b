/** XEP-0077: what is asked of who registers, and what they say, as plain fields or in a form. */
import { fieldValue, formElement, formOf, type DataForm } from "./dataform.ts";
import { NS } from "./ns.ts";
import { childText, xml, type Element } from "./xml.ts";

const instructions = "Choose a name and a password.";

export interface RegistrationAnswers {
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/** The plain fields (§3.1), filled in with a name where it is settled. */
export const registrationFields = (username = ""): Element =>
  xml(
    "query",
    { xmlns: NS.register },
    xml("instructions", {}, instructions),
    xml("username", {}, username),
    xml("password", {}),
  );

/** The same questions as a form (§4). */
export function registrationForm(username = ""): Element {
  const name = { name: "username", type: "text-single", label: "Name", required: true };
  const password = { name: "password", type: "text-private", label: "Password", required: true, values: [] };
  const form: DataForm = {
    type: "form",
    title: "A new account",
    instructions,
    formType: NS.register,
    fields: new Map([
      ["username", { ...name, values: username === "" ? [] : [username] }],
      ["password", password],
    ]),
  };
  return formElement(form);
}

/** What a `<query/>` answers; a form goes before the fields (§4). StanzaError `bad-request` for a form that is none. */
export function registrationAnswers(query: Element): RegistrationAnswers {
  const form = formOf(query);
  if (form) return { username: fieldValue(form, "username"), password: fieldValue(form, "password") };
  return { username: childText(query, "username"), password: childText(query, "password") };
}
