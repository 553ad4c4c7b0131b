/**
 * RFC 4287: Atom. One builder for what goes into pubsub items (XEP-0277, XEP-0472: an XHTML and a text content) and
 * for what goes onto the web (exactly one content, §4.1.2). Texts given to it are legal XML already.
 */
import { formatDateTime } from "./datetime.ts";
import { NS } from "./ns.ts";
import { escapeAttribute, escapeText, xml, Element } from "./xml.ts";

export interface Person {
  readonly name: string;
  readonly uri: string | undefined;
}

/** The attributes of a link (§4.2.7): `rel`, `href`, `type`, `title`, `length`, … */
export type Link = Readonly<Record<string, string>>;

/** One body; `xhtml` is a `<div/>` in the XHTML namespace (§3.1.1.3). */
export type Content =
  | { readonly type: "xhtml"; readonly body: Element }
  | { readonly type: "html" | "text"; readonly body: string };

export interface Generator {
  readonly name: string;
  readonly uri?: string;
  readonly version?: string;
}

export interface Entry {
  /** An IRI, the same for ever. */
  readonly id: string;
  readonly title: string;
  readonly author: Person | undefined;
  readonly published: Date;
  readonly updated: Date;
  readonly contents: readonly Content[];
  readonly categories: readonly string[];
  readonly links: readonly Link[];
  readonly language?: string | undefined;
  /** What else there is, as it came: other namespaces, and elements of Atom that are not named here. */
  readonly extensions?: readonly Element[];
}

export interface Feed {
  readonly id: string;
  readonly title: string;
  readonly subtitle?: string | undefined;
  readonly updated: Date;
  readonly author: Person | undefined;
  readonly links: readonly Link[];
  readonly generator?: Generator | undefined;
  readonly language?: string | undefined;
  readonly entries: readonly Entry[];
}

export function entryElement(entry: Entry): Element {
  return xml(
    "entry",
    { xmlns: NS.atom, "xml:lang": entry.language },
    leaf("id", entry.id),
    leaf("title", entry.title, { type: "text" }),
    ...optional(entry.author, personElement),
    leaf("published", formatDateTime(entry.published)),
    leaf("updated", formatDateTime(entry.updated)),
    ...entry.contents.map(({ type, body }) => xml("content", { type }, body)),
    ...entry.categories.map((term) => xml("category", { term })),
    ...entry.links.map(linkElement),
    ...(entry.extensions ?? []),
  );
}

export function feedElement(feed: Feed): Element {
  const entries = feed.entries.map(entryElement);
  for (const entry of entries) delete entry.attrs["xmlns"];
  return xml(
    "feed",
    { xmlns: NS.atom, "xml:lang": feed.language },
    leaf("id", feed.id),
    leaf("title", feed.title, { type: "text" }),
    ...optional(feed.subtitle, (subtitle) => leaf("subtitle", subtitle, { type: "text" })),
    leaf("updated", formatDateTime(feed.updated)),
    ...optional(feed.author, personElement),
    ...feed.links.map(linkElement),
    ...optional(feed.generator, generatorElement),
    ...entries,
  );
}

export const generatorElement = ({ name, uri, version }: Generator): Element =>
  leaf("generator", name, { uri, version });

const linkElement = (link: Link): Element => xml("link", { ...link });

const personElement = ({ name, uri }: Person): Element =>
  xml("author", {}, leaf("name", name), ...optional(uri, (uri) => leaf("uri", uri)));

const leaf = (name: string, value: string, attrs: Record<string, string | undefined> = {}): Element =>
  xml(name, attrs, value);

const optional = <Value>(value: Value | undefined, build: (value: Value) => Element): Element[] =>
  value === undefined ? [] : [build(value)];

const voidElements = new Set(["area", "br", "col", "hr", "img", "wbr"]);

/** What is inside an XHTML body, as HTML: only void elements close themselves. */
export function innerHtml(body: Element): string {
  let html = "";
  for (const node of body.children)
    html += node instanceof Element ? elementHtml(node) : escapeText(String(node));
  return html;
}

function elementHtml(element: Element): string {
  let tag = element.name;
  for (const [name, value] of Object.entries(element.attrs as Record<string, string | undefined>)) {
    if (value !== undefined && name !== "xmlns") tag += ` ${name}="${escapeAttribute(value)}"`;
  }
  return voidElements.has(element.name) ? `<${tag}>` : `<${tag}>${innerHtml(element)}</${element.name}>`;
}
