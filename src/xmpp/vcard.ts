/** XEP-0054 and XEP-0292: what the two kinds of vCard have in common, read from one and written into the other. */
import { NS } from "./ns.ts";
import { child, children, childText, copy, namespaceOf, text, xml, type Element } from "./xml.ts";

/** A property that both kinds know: its name in vCard4, its parts, and what it is for (`home`, `work`, …). */
export interface Property {
  readonly name: string;
  readonly values: Readonly<Record<string, string>>;
  readonly types: readonly string[];
}

/** The names of one property, or of a part of it. */
interface Names {
  readonly temp: string;
  readonly v4: string;
}

interface Kind extends Names {
  /** vCard4's type of a simple value, and what stands before the value there. */
  readonly value?: "text" | "uri" | "date";
  readonly scheme?: string;
  /** In vcard-temp a simple value stands in a child of this name, or in the property itself. */
  readonly inside?: string;
  readonly parts?: readonly Names[];
  readonly types?: readonly string[];
}

const parts = (...names: (readonly [temp: string, v4: string])[]): Names[] =>
  names.map(([temp, v4]) => ({ temp, v4 }));

const places = ["home", "work", "pref"];

/** XEP-0292 §9. What is not here stays in the kind of vCard that has it; photos are avatars (XEP-0398). */
const kinds: readonly Kind[] = [
  { temp: "FN", v4: "fn", value: "text" },
  {
    temp: "N",
    v4: "n",
    parts: parts(
      ["FAMILY", "surname"],
      ["GIVEN", "given"],
      ["MIDDLE", "additional"],
      ["PREFIX", "prefix"],
      ["SUFFIX", "suffix"],
    ),
  },
  { temp: "NICKNAME", v4: "nickname", value: "text" },
  { temp: "BDAY", v4: "bday", value: "date" },
  { temp: "JABBERID", v4: "impp", value: "uri", scheme: "xmpp:" },
  { temp: "EMAIL", v4: "email", value: "text", inside: "USERID", types: places },
  {
    ...{ temp: "TEL", v4: "tel", value: "uri", scheme: "tel:", inside: "NUMBER" },
    types: [...places, "voice", "fax", "cell", "pager", "video"],
  },
  {
    temp: "ADR",
    v4: "adr",
    types: places,
    parts: parts(
      ["POBOX", "pobox"],
      ["EXTADD", "ext"],
      ["STREET", "street"],
      ["LOCALITY", "locality"],
      ["REGION", "region"],
      ["PCODE", "code"],
      ["CTRY", "country"],
    ),
  },
  { temp: "ORG", v4: "org", value: "text", inside: "ORGNAME" },
  { temp: "TITLE", v4: "title", value: "text" },
  { temp: "ROLE", v4: "role", value: "text" },
  { temp: "URL", v4: "url", value: "uri" },
  { temp: "DESC", v4: "note", value: "text" },
  { temp: "NOTE", v4: "note", value: "text" },
  { temp: "TZ", v4: "tz", value: "text" },
];

const tempKinds = new Map(kinds.map((kind) => [kind.temp, kind]));
/** Where two names of vcard-temp are one of vCard4, the first is written. */
const v4Kinds = new Map([...kinds].reverse().map((kind) => [kind.v4, kind]));

/** A property of a vcard-temp; `undefined` for what has no counterpart, and for what is empty. */
function readTemp(element: Element): Property | undefined {
  const kind = tempKinds.get(element.name);
  if (!kind) return undefined;
  const values = kind.parts
    ? partsOf(element, kind.parts, "temp")
    : { value: kind.inside ? (childText(element, kind.inside) ?? "") : text(element) };
  const types = (kind.types ?? []).filter((type) => child(element, type.toUpperCase()));
  return propertyOf(kind, values, types);
}

/** The same of a vCard4. */
function readV4(element: Element): Property | undefined {
  const kind = v4Kinds.get(element.name);
  if (!kind) return undefined;
  const parameters = child(element, "parameters");
  const said = parameters
    ? children(parameters, "type").flatMap((one) => children(one, "text").map(text))
    : [];
  if (parameters && child(parameters, "pref")) said.push("pref");
  const types = (kind.types ?? []).filter((type) => said.includes(type));
  if (kind.parts) return propertyOf(kind, partsOf(element, kind.parts, "v4"), types);
  const { scheme = "" } = kind;
  // RFC 6350 §6.4.1: a number may be text, too.
  const written = childText(element, kind.value!) ?? childText(element, "text") ?? "";
  const isOther = childText(element, kind.value!) !== undefined && !written.startsWith(scheme);
  if (isOther) return undefined;
  return propertyOf(
    kind,
    { value: written.startsWith(scheme) ? written.slice(scheme.length) : written },
    types,
  );
}

const partsOf = (element: Element, parts: readonly Names[], side: keyof Names): Record<string, string> =>
  Object.fromEntries(parts.map((part) => [part.v4, childText(element, part[side]) ?? ""]));

function propertyOf(kind: Kind, raw: Record<string, string>, types: string[]): Property | undefined {
  const entries = Object.entries(raw).map(([name, value]) => [name, value.trim()] as const);
  const values = Object.fromEntries(entries.filter(([, value]) => value !== ""));
  return Object.keys(values).length > 0 ? { name: kind.v4, values, types } : undefined;
}

const readerOf = (card: Element) => (namespaceOf(card) === NS.vcard4 ? readV4 : readTemp);

/** What a vCard of either kind says that the other kind can say too. */
export function propertiesOf(card: Element): Property[] {
  const read = readerOf(card);
  const order = kinds.map(({ v4 }) => v4);
  const found = children(card).flatMap((element) => read(element) ?? []);
  return found.sort((one, other) => order.indexOf(one.name) - order.indexOf(other.name));
}

/** Whether two vCards, of whatever kinds, say the same as far as both can. */
export const sayTheSame = (one: Element, other: Element): boolean =>
  JSON.stringify(propertiesOf(one)) === JSON.stringify(propertiesOf(other));

/** A vcard-temp that says what `from` does, and beside it what `previous` says that vCard4 cannot. */
export const toTemp = (from: Element, previous?: Element): Element =>
  converted(xml("vCard", { xmlns: NS.vcard }), from, previous, tempOf, (one) => !tempKinds.has(one.name));

/** And the other way round. */
export const toV4 = (from: Element, previous?: Element): Element =>
  converted(xml("vcard", { xmlns: NS.vcard4 }), from, previous, v4Of, (one) => !readV4(one));

function converted(
  card: Element,
  from: Element,
  previous: Element | undefined,
  say: (property: Property) => Element,
  isRest: (one: Element) => boolean,
): Element {
  const kept = wordsOf(previous);
  for (const property of propertiesOf(from)) card.append(kept(property) ?? say(property));
  for (const one of previous ? children(previous) : []) if (isRest(one)) card.append(copy(one));
  return card;
}

function tempOf({ name, values, types }: Property): Element {
  const kind = v4Kinds.get(name)!;
  const property = xml(kind.temp, {}, ...types.map((type) => xml(type.toUpperCase(), {})));
  for (const part of kind.parts ?? [])
    if (values[part.v4] !== undefined) property.append(xml(part.temp, {}, values[part.v4]!));
  const { value } = values;
  if (value !== undefined) property.append(kind.inside ? xml(kind.inside, {}, value) : value);
  return property;
}

function v4Of({ name, values, types }: Property): Element {
  const { parts: known = [], value: type = "text", scheme = "" } = v4Kinds.get(name)!;
  const property = xml(name, {});
  const named = types.filter((one) => one !== "pref").map((one) => xml("text", {}, one));
  const parameters = named.length > 0 ? [xml("type", {}, ...named)] : [];
  if (types.includes("pref")) parameters.push(xml("pref", {}, xml("integer", {}, "1")));
  if (parameters.length > 0) property.append(xml("parameters", {}, ...parameters));
  for (const part of known)
    if (values[part.v4] !== undefined) property.append(xml(part.v4, {}, values[part.v4]!));
  if (values["value"] !== undefined) property.append(xml(type, {}, scheme + values["value"]));
  return property;
}

/** How a vCard says a property, each once: a unit of an organisation, say, stays beside a name that stays. */
function wordsOf(card: Element | undefined): (property: Property) => Element | undefined {
  const said = new Map<string, Element[]>();
  for (const element of card ? children(card) : []) {
    const property = readerOf(card!)(element);
    if (!property) continue;
    const key = JSON.stringify(property);
    said.set(key, [...(said.get(key) ?? []), element]);
  }
  return (property) => {
    const found = said.get(JSON.stringify(property))?.shift();
    return found && copy(found);
  };
}
