/** HTML from people: an allow-list, then well-formed XHTML (XEP-0277 wants it in the Atom entry). */
import sanitizeHtml from "sanitize-html";
import { NS } from "../xmpp/ns.ts";
import { parseElement } from "../xmpp/parser.ts";
import { attr, Element, legalText } from "../xmpp/xml.ts";
import { bidiControls } from "./post-text.ts";

const schemes = ["http", "https", "mailto", "xmpp", "geo"];
/** Elements in elements: `limitsAfterAuthentication` of this server and of others must bear them inside a stanza. */
const nestingMaximum = 40;

const rules: sanitizeHtml.IOptions = {
  allowedTags: (
    "p br a em strong b i u s del ins code pre blockquote q ul ol li h1 h2 h3 h4 h5 h6 " +
    "figure figcaption img details summary ruby rt rp span"
  ).split(" "),
  allowedAttributes: { a: ["href", "rel"], img: ["src", "alt", "width", "height"], span: ["lang", "dir"] },
  allowedClasses: {
    a: ["h-card", "mention", "hashtag"],
    span: ["h-card", "mention", "hashtag", "invisible", "ellipsis"],
  },
  allowedSchemes: schemes,
  allowedSchemesByTag: { img: ["http", "https"] },
  allowProtocolRelative: false,
  nestingLimit: nestingMaximum,
  textFilter: (text) => text.normalize("NFC"),
  transformTags: {
    a: (tagName, { href, ...attribs }) => ({
      tagName,
      attribs: { ...attribs, ...(href && { href, rel: "nofollow noopener noreferrer ugc" }) },
    }),
    iframe: (_, { src = "" }) => ({ tagName: "a", attribs: { href: src }, text: src }),
    div: "p",
    section: "p",
    article: "p",
  },
};

/** The body of a post as a `<div/>` in the XHTML namespace; whatever is not on the list is gone, its text is not. */
export function cleanHtml(html: string): Element {
  // An escaped character may be one that XML cannot carry, so this comes last; NFC must not join text to a tag.
  const safe = legalText(sanitizeHtml(html, rules)).replace(bidiControls, "").trim();
  return parseElement(`<div xmlns="${NS.xhtml}">${safe}</div>`);
}

const blocks = new Set("p h1 h2 h3 h4 h5 h6 li pre blockquote figcaption summary".split(" "));

/** The words of an XHTML body, a line for each block, without what stands inside of `skipped` elements. */
export function plainHtml(body: Element, skipped: ReadonlySet<string> = new Set()): string {
  const wordsOf = (element: Element): string => {
    if (skipped.has(element.name)) return "";
    if (element.name === "br") return "\n";
    if (element.name === "img") return attr(element, "alt") ?? "";
    let words = "";
    for (const node of element.children) words += node instanceof Element ? wordsOf(node) : node;
    return blocks.has(element.name) ? words + "\n" : words;
  };
  return wordsOf(body)
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}
