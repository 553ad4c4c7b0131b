/** HTML from people: an allow-list, then well-formed XHTML (XEP-0277 wants it in the Atom entry). */
import sanitizeHtml from "sanitize-html";
import { refusal } from "../pubsub/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { parseElement } from "../xmpp/parser.ts";
import { attr, Element, legalText, xml } from "../xmpp/xml.ts";
import { bidiControls, composed } from "./post-text.ts";

/** Elements in elements: parsers, ours included, refuse a stanza at some depth, and an entry stands deep in one. */
const nestingMaximum = 40;

/** Tags: more do not fit into an entry, and the HTML parser takes the square of the number of open elements. */
const tagsMaximum = 20_000;

const words = (list: string): string[] => list.split(" ");

/** A relative address would be read as one on whatever site shows the post, so there is always a scheme. */
const linkScheme = /^(?:https?|mailto|xmpp|geo):/i;
const imageScheme = /^https?:/i;

/** What is not allowed but sets its text apart, as paragraphs do. */
const paragraphs = words("div section article header footer main aside address caption td th dt dd");

const rules: sanitizeHtml.IOptions = {
  allowedTags: [
    ...words("p br a em strong b i u s del ins code pre blockquote q ul ol li h1 h2 h3 h4 h5 h6"),
    ...words("figure figcaption img details summary ruby rt rp span"),
  ],
  allowedAttributes: { a: ["href", "rel"], img: ["src", "alt", "width", "height"], span: ["lang", "dir"] },
  allowedClasses: {
    a: ["h-card", "mention", "hashtag"],
    span: ["h-card", "mention", "hashtag", "invisible", "ellipsis"],
  },
  // Checked again by the library, which also sees through white space and control characters in a scheme.
  allowedSchemes: words("http https mailto xmpp geo"),
  nestingLimit: nestingMaximum,
  exclusiveFilter: ({ tag, attribs }) => tag === "img" && !imageScheme.test(attribs["src"] ?? ""),
  transformTags: {
    a: (tagName, { href = "", ...attribs }) => ({ tagName, attribs: { ...attribs, ...linkTo(href) } }),
    iframe: (_, { src = "" }) => ({ tagName: "a", attribs: linkTo(src), text: src }),
    ...Object.fromEntries(paragraphs.map((name) => [name, "p"])),
  },
};

const linkTo = (href: string): sanitizeHtml.Attributes =>
  linkScheme.test(href.trim()) ? { href, rel: "nofollow noopener noreferrer ugc" } : {};

/**
 * The body of a post as a `<div/>` in the XHTML namespace; whatever is not on the list is gone, its text is not.
 * `not-acceptable` where there is too much of it.
 */
export function cleanHtml(html: string): Element {
  if (html.split("<", tagsMaximum + 2).length > tagsMaximum + 1)
    throw refusal("payload-too-big", `A post has at most ${tagsMaximum.toLocaleString("en")} tags`);
  const safe = sanitizeHtml(html, rules).trim();
  // A character reference may stand for what XML cannot carry, so this comes after.
  const body = parseElement(`<div xmlns="${NS.xhtml}">${legalText(safe)}</div>`);
  tidy(body);
  return body;
}

const blocks = new Set(
  words("p h1 h2 h3 h4 h5 h6 ul ol li pre blockquote figure figcaption details summary"),
);

/** Normalises texts, which must not be done while they stand next to tags, and undoes paragraphs around blocks. */
function tidy(element: Element): void {
  const nodes = element.children;
  element.children = [];
  for (const node of nodes) {
    if (!(node instanceof Element)) element.append(composed(String(node).replace(bidiControls, "")));
    else {
      tidy(node);
      for (const part of node.name === "p" && node.children.some(isBlock) ? paragraphsOf(node) : [node]) {
        element.append(part);
      }
    }
  }
}

const isBlock = (node: unknown): boolean => node instanceof Element && blocks.has(node.name);

/** The blocks in a paragraph that may not hold any, and its own words between them as paragraphs. */
function paragraphsOf(paragraph: Element): Element[] {
  const parts: Element[] = [];
  let own: Element | undefined;
  for (const node of paragraph.children) {
    if (node instanceof Element && isBlock(node)) {
      parts.push(node);
      own = undefined;
    } else if (own) own.append(node);
    else if (node instanceof Element || String(node).trim() !== "") parts.push((own = xml("p", {}, node)));
  }
  return parts;
}

/** The words of an XHTML body, a line for each block, without what stands inside of `skipped` elements. */
export function plainHtml(body: Element, skipped: ReadonlySet<string> = new Set()): string {
  const wordsOf = (element: Element): string => {
    if (skipped.has(element.name)) return "";
    if (element.name === "br") return "\n";
    if (element.name === "img") return attr(element, "alt") ?? "";
    let text = "";
    for (const node of element.children) text += node instanceof Element ? wordsOf(node) : String(node);
    return blocks.has(element.name) ? `\n${text}\n` : text;
  };
  return wordsOf(body)
    .replace(/[ \t]*\n[ \t]*/g, "\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}
