/**
 * RFC 4287 as it is really written: entries of all clients, read without refusing any. Contents are told apart by
 * their type and never by their position; `text/html`, a missing type and XHTML without its `<div/>` are known sights.
 */
import { innerHtml, type Link } from "./atom.ts";
import { parseDateTime } from "./datetime.ts";
import { NS } from "./ns.ts";
import { attr, child, children, childText, copy, namespaceOf, text, type Element } from "./xml.ts";

/** A text construct or a content (§3.1, §4.1.3): plain text, or markup, whichever way it was written down. */
export interface AtomText {
  readonly type: "text" | "html";
  readonly value: string;
}

export interface ParsedEntry {
  readonly id: string | undefined;
  readonly title: AtomText | undefined;
  readonly author: { readonly name: string | undefined; readonly uri: string | undefined } | undefined;
  readonly published: Date | undefined;
  readonly updated: Date | undefined;
  readonly summary: AtomText | undefined;
  readonly contents: readonly AtomText[];
  readonly categories: readonly string[];
  readonly links: readonly Link[];
  readonly language: string | undefined;
  /** Every other child element, copied. */
  readonly extensions: readonly Element[];
}

const named = new Set("id title author published updated summary content category link".split(" "));

/** `entry` is an `<entry/>` in the Atom namespace. */
export function parseEntry(entry: Element): ParsedEntry {
  const title = child(entry, "title");
  const author = child(entry, "author");
  const summary = child(entry, "summary");
  return {
    id: childText(entry, "id")?.trim(),
    title: title && parseText(title),
    author: author && { name: childText(author, "name")?.trim(), uri: childText(author, "uri")?.trim() },
    published: parseDateTime(childText(entry, "published")?.trim() ?? ""),
    updated: parseDateTime(childText(entry, "updated")?.trim() ?? ""),
    summary: summary && parseText(summary),
    contents: children(entry, "content").map(parseText),
    categories: children(entry, "category").flatMap((category) => attr(category, "term") ?? []),
    links: children(entry, "link").map((link) => ({ ...(link.attrs as Link) })),
    language: attr(entry, "xml:lang"),
    extensions: children(entry)
      .filter((element) => namespaceOf(element) !== NS.atom || !named.has(element.name))
      .map((element) => copy(element)),
  };
}

function parseText(element: Element): AtomText {
  const type = attr(element, "type")?.toLowerCase() ?? "text";
  if (type === "xhtml") {
    const body = child(element, "div", NS.xhtml) ?? element;
    return { type: "html", value: innerHtml(body) };
  }
  return { type: type === "html" || type.startsWith("text/html") ? "html" : "text", value: text(element) };
}
