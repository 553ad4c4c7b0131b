/** XEP-0004: Data Forms, with the form types of XEP-0068. Tables of results (`<reported/>`, `<item/>`) are not read. */
import { StanzaError } from "./errors.ts";
import { parseJid, type Jid } from "./jid.ts";
import { NS } from "./ns.ts";
import { attr, child, children, childText, text, xml, type Element } from "./xml.ts";

export interface Field {
  /** The `var`. */
  name: string;
  type?: string;
  label?: string;
  values: string[];
  options?: { label?: string; value: string }[];
  required?: boolean;
}

const formTypes = ["form", "submit", "cancel", "result"] as const;

export interface DataForm {
  type: (typeof formTypes)[number];
  title?: string;
  instructions?: string;
  /** The value of FORM_TYPE, which is not among the fields. */
  formType: string | undefined;
  fields: Map<string, Field>;
}

/** The form in `<x/>`. StanzaError `bad-request` without a known type, and where a field is there twice. */
export function parseForm(x: Element): DataForm {
  const type = formTypes.find((known) => known === x.attrs["type"]);
  if (!type) throw new StanzaError("bad-request", { text: "The form has no known type" });
  const form: DataForm = { type, formType: undefined, fields: new Map() };
  const title = childText(x, "title");
  const instructions = children(x, "instructions").map(text).join("\n");
  if (title) form.title = title;
  if (instructions) form.instructions = instructions;
  for (const element of children(x, "field")) {
    const field = parseField(element);
    if (!field) continue;
    if (form.fields.has(field.name)) {
      throw new StanzaError("bad-request", { text: `The field ${field.name} is there twice` });
    }
    form.fields.set(field.name, field);
  }
  const formType = form.fields.get("FORM_TYPE");
  // XEP-0068 §3: in a submitted form the type of the field does not matter.
  if (formType && (type === "submit" || formType.type === "hidden")) {
    form.formType = formType.values[0]?.trim();
    form.fields.delete("FORM_TYPE");
  }
  return form;
}

/** A field that carries data; `undefined` for words between the fields (type `fixed`). */
function parseField(element: Element): Field | undefined {
  const name = attr(element, "var");
  if (!name) return undefined;
  const field: Field = { name, values: children(element, "value").map(text) };
  const type = attr(element, "type");
  const label = attr(element, "label");
  const options = children(element, "option").map((option) => {
    const label = attr(option, "label");
    const value = childText(option, "value") ?? "";
    return label === undefined ? { value } : { label, value };
  });
  if (type) field.type = type;
  if (label) field.label = label;
  if (options.length > 0) field.options = options;
  if (child(element, "required")) field.required = true;
  return field;
}

/** The form as `<x/>`. */
export function formElement(form: DataForm): Element {
  const x = xml("x", { xmlns: NS.dataForm, type: form.type });
  if (form.title !== undefined) x.append(xml("title", {}, form.title));
  for (const line of lines(form.instructions)) x.append(xml("instructions", {}, line));
  if (form.formType !== undefined) {
    x.append(fieldElement({ name: "FORM_TYPE", type: "hidden", values: [form.formType] }));
  }
  for (const field of form.fields.values()) x.append(fieldElement(field));
  return x;
}

function fieldElement({ name, type, label, values, options, required }: Field): Element {
  const element = xml("field", { var: name, type, label });
  if (required) element.append(xml("required", {}));
  // §3.3: the lines of a text-multi are values of their own.
  for (const value of type === "text-multi" ? values.flatMap(lines) : values) {
    element.append(xml("value", {}, value));
  }
  for (const { label, value } of options ?? []) {
    element.append(xml("option", { label }, xml("value", {}, value)));
  }
  return element;
}

const lines = (value: string | undefined): string[] => (value === undefined ? [] : value.split(/\r\n|\r|\n/));

/** The first form inside an element, or the first of that type, if there is one. StanzaError as `parseForm`. */
export function formOf(parent: Element, formType?: string): DataForm | undefined {
  for (const x of children(parent, "x", NS.dataForm)) {
    const form = parseForm(x);
    if (formType === undefined || form.formType === formType) return form;
  }
  return undefined;
}

/** The one value of a field; `undefined` where the form does not have it, "" where it is empty. */
export function fieldValue(form: DataForm, name: string): string | undefined {
  const field = form.fields.get(name);
  return field && (field.values[0] ?? "");
}

/** The value of a boolean field (§3.3: an empty one is false). StanzaError `not-acceptable` for any other word. */
export function fieldBoolean(form: DataForm, name: string): boolean | undefined {
  const value = fieldValue(form, name)?.trim();
  if (value === undefined) return undefined;
  if (value === "1" || value === "true") return true;
  if (value === "0" || value === "false" || value === "") return false;
  throw new StanzaError("not-acceptable", { text: `The field ${name} is neither true nor false` });
}

/** The lines of a text-multi field as one text. */
export function fieldText(form: DataForm, name: string): string | undefined {
  return form.fields.get(name)?.values.join("\n");
}

/** The addresses of a jid-single or jid-multi field, each once (§3.3). StanzaError `not-acceptable` for what is none. */
export function fieldJids(form: DataForm, name: string): Jid[] | undefined {
  const field = form.fields.get(name);
  if (!field) return undefined;
  const jids = new Map<string, Jid>();
  for (const value of field.values) {
    if (value === "") continue;
    const jid = parseJid(value);
    if (!jid)
      throw new StanzaError("not-acceptable", { text: `The field ${name} holds an address that is none` });
    jids.set(jid.full, jid);
  }
  return [...jids.values()];
}
