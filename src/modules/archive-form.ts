/** XEP-0313 §4.1: the form of a query. */
import { fieldBoolean, fieldValue, formElement, formOf, type DataForm } from "../xmpp/dataform.ts";
import { parseDateTime } from "../xmpp/datetime.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, children, xml, type Element } from "../xmpp/xml.ts";

/** Of one query: as many as a page holds. */
export const maxIds = 250;
/** What is looked for is words, not a novel. */
const maxSearchLength = 1_023;

const fulltext = `{${NS.fullText}}fulltext`;

const fields = {
  with: "jid-single",
  start: "text-single",
  end: "text-single",
  "before-id": "text-single",
  "after-id": "text-single",
  ids: "list-multi",
  "include-groupchat": "boolean",
  [fulltext]: "text-single",
} as const satisfies Record<string, string>;

export interface Wanted {
  readonly with: Jid | undefined;
  readonly start: Date | undefined;
  readonly end: Date | undefined;
  readonly beforeId: string | undefined;
  readonly afterId: string | undefined;
  readonly ids: readonly string[] | undefined;
  readonly words: string | undefined;
}

/** The fields that may be asked for (§4.1.6). */
export function queryForm(): Element {
  const form: DataForm = { type: "form", formType: NS.archive, fields: new Map() };
  for (const [name, type] of Object.entries(fields)) form.fields.set(name, { name, type, values: [] });
  const element = formElement(form);
  // Any id may be given, and none is listed.
  for (const field of children(element, "field"))
    if (attr(field, "var") === "ids") {
      field.append(xml("validate", { xmlns: NS.validate, datatype: "xs:string" }, xml("open", {})));
    }
  return element;
}

/**
 * What a query asks for. StanzaError `feature-not-implemented` for a field that is none of these, `bad-request` for a
 * value that cannot be read.
 */
export function wantedIn(query: Element): Wanted {
  const form: DataForm = formOf(query) ?? { type: "submit", formType: NS.archive, fields: new Map() };
  if (form.type !== "submit" || form.formType !== NS.archive) {
    throw new StanzaError("bad-request", { text: `The form is not one of ${NS.archive}` });
  }
  for (const name of form.fields.keys()) {
    if (!(name in fields)) throw new StanzaError("feature-not-implemented", { text: `No field ${name}` });
  }
  // There are none: rooms keep their own.
  fieldBoolean(form, "include-groupchat");
  const ids = form.fields.get("ids")?.values;
  if (ids && ids.length > maxIds) {
    throw new StanzaError("not-acceptable", { text: `A query has at most ${maxIds} ids` });
  }
  const words = fieldValue(form, fulltext)?.trim().slice(0, maxSearchLength);
  return {
    with: jidIn(form, "with"),
    start: dateIn(form, "start"),
    end: dateIn(form, "end"),
    beforeId: fieldValue(form, "before-id") || undefined,
    afterId: fieldValue(form, "after-id") || undefined,
    ids: ids && [...new Set(ids)],
    words: words || undefined,
  };
}

function jidIn(form: DataForm, name: string): Jid | undefined {
  const value = fieldValue(form, name);
  if (!value) return undefined;
  const jid = parseJid(value);
  if (!jid) throw new StanzaError("jid-malformed");
  return jid;
}

function dateIn(form: DataForm, name: string): Date | undefined {
  const value = fieldValue(form, name);
  if (!value) return undefined;
  const date = parseDateTime(value);
  if (!date) throw new StanzaError("bad-request", { text: `The field ${name} is no DateTime of XEP-0082` });
  return date;
}
