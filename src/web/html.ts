/**
 * Rewriting of the bodies of posts for pages and feeds. The domain cleaned and wrote them (`microblog-html.ts`), so
 * tags are lower-case, properly nested, and every `<` and `>` belongs to one.
 */
import { previewWidths } from "../domain/upload-files.ts";
import { escapeAttribute, escapeText } from "../xmpp/xml.ts";

const token = /<(\/?)([a-z][a-z0-9]*)([^>]*)>|([^<]+)/g;
const voidElements = new Set(["br", "hr", "img", "wbr"]);
const blockElements = new Set(
  "p li pre blockquote figcaption summary h1 h2 h3 h4 h5 h6 ul ol figure details".split(" "),
);
/** Each begins a line of its own. */
const isLine = (name: string): boolean =>
  name === "br" || (blockElements.has(name) && name !== "ul" && name !== "ol");

interface Token {
  readonly kind: "open" | "close" | "text";
  readonly name: string;
  /** As it stands in the document. */
  readonly source: string;
}

function* tokens(html: string): Generator<Token> {
  for (const [source, slash, name = ""] of html.matchAll(token)) {
    yield { kind: name === "" ? "text" : slash ? "close" : "open", name, source };
  }
}

const heading = /^h[1-6]$/;

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

const decode = (source: string): string =>
  source.replace(/&(?:#(\d+)|([a-z]+));/g, (whole, code: string | undefined, name = "") =>
    code === undefined ? (entities[name] ?? whole) : String.fromCodePoint(Number(code)),
  );

/** The words alone, a line for each block. */
export function plainText(html: string): string {
  let plain = "";
  for (const { kind, name, source } of tokens(html)) {
    if (kind === "text") plain += decode(source);
    else if (isLine(name) && !plain.endsWith("\n")) plain += "\n";
  }
  return plain.trim();
}

/** Below this weight a post is shown whole: the end of it is nearer than a click. */
const wholeMaximum = 1_400;
/** Where a long post may be left off after a block, and where it must be, within a paragraph if need be. */
const excerptMinimum = 450;
const excerptMaximum = 1_000;
/** A line counts at least as much as this many characters, so that long lists are long. */
const lineWeight = 40;

/** The beginning of a long post, or `undefined` where it is short enough to be shown whole. */
export function excerpt(html: string): string | undefined {
  let whole = 0;
  for (const part of tokens(html)) whole += weightOf(part);
  if (whole <= wholeMaximum) return undefined;

  let out = "";
  let weight = 0;
  const open: string[] = [];
  for (const part of tokens(html)) {
    const room = Math.max(excerptMaximum - weight, lineWeight);
    if (part.kind === "text" && part.source.length > room) {
      out += escapeText(firstWords(decode(part.source), room));
      break;
    }
    out += part.source;
    weight += weightOf(part);
    if (part.kind === "open" && !voidElements.has(part.name)) open.push(part.name);
    if (part.kind === "close") open.pop();
    const isPause = part.kind === "close" || part.name === "br";
    const isGood = open.length === 0 && weight >= excerptMinimum && !heading.test(part.name);
    if (isPause && (isGood || weight >= excerptMaximum)) {
      if (open.length > 0 && !blockElements.has(part.name)) out += "…";
      break;
    }
  }
  for (const name of open.reverse()) out += `</${name}>`;
  return out;
}

function weightOf({ kind, name, source }: Token): number {
  if (kind === "text") return source.length;
  return kind === "open" && isLine(name) ? lineWeight : 0;
}

const words = new Intl.Segmenter("und", { granularity: "word" });

/** The first words, `maximum` UTF-16 units at most; with an ellipsis where there are more. */
export function firstWords(text: string, maximum: number): string {
  if (text.length <= maximum) return text;
  let start = "";
  for (const { segment } of words.segment(text.slice(0, maximum + 1))) {
    if (start.length + segment.length > maximum) break;
    start += segment;
  }
  // One endless word is cut where it is, but not in the middle of a character.
  return `${start.trimEnd() || text.slice(0, maximum).replace(/[\ud800-\udbff]$/, "")}…`;
}

export interface Rewriting {
  /** Relative addresses start here. */
  readonly base: string;
  /** Where a `#word` leads, if it is one of the post's tags. */
  tagHref(word: string): string | undefined;
  /**
   * On a page headings start at this level, below those of the page, and pictures from elsewhere are links: each
   * would tell its host who reads. Feeds have neither rule.
   */
  readonly headings?: number;
}

const untouched = new Set(["a", "code", "pre"]);
const address = / (href|src)="([^"]*)"/g;
const hasScheme = /^[a-z][a-z0-9+.-]*:/i;

/** The body with absolute addresses and linked `#tags`; on a page also with what fits there. */
export function rewrite(html: string, how: Rewriting): string {
  const adapt =
    how.headings === undefined ? (tag: Token) => tag.source : adapter(html, how.headings, how.base);
  let out = "";
  /** How many elements are open in which nothing is linked. */
  let literal = 0;
  for (const part of tokens(html)) {
    if (part.kind === "text") {
      out += literal > 0 ? part.source : linkTags(part.source, how);
      continue;
    }
    if (untouched.has(part.name)) literal += part.kind === "open" ? 1 : -1;
    out += adapt({ ...part, source: resolved(part.source, how.base) }, literal > 0);
  }
  return out;
}

function resolved(tag: string, base: string): string {
  return tag.replace(address, (whole, name: string, value: string) => {
    const href = decode(value);
    if (hasScheme.test(href) || !URL.canParse(href, base)) return whole;
    return ` ${name}="${escapeAttribute(new URL(href, base).href)}"`;
  });
}

function adapter(html: string, headings: number, base: string) {
  const levels = [...html.matchAll(/<h([1-6])>/g)].map(([, digit]) => Number(digit));
  const shift = headings - Math.min(...levels);
  return ({ kind, name, source }: Token, literal: boolean): string => {
    if (heading.test(name))
      return source.replace(/\d/, (digit) => String(Math.min(6, Number(digit) + shift)));
    // The marks of a list stand on the side on which its words begin.
    if (kind === "open" && (name === "ul" || name === "ol")) return source.replace(/>$/, ' dir="auto">');
    // What scrolls sideways must be reachable by the keyboard.
    if (kind === "open" && name === "pre") return source.replace(/>$/, ' tabindex="0">');
    return name === "img" ? picture(source, base, literal) : source;
  };
}

function picture(tag: string, base: string, inLink: boolean): string {
  const source = /(?<= src=")[^"]*/.exec(tag)?.[0];
  // Our uploads in a size for pages; the link alone is the whole file, and tells where it was taken.
  if (source?.startsWith(`${base}/upload/`) && !source.includes("?"))
    return tag.replace(source, () => `${source}?w=${previewWidths.at(-1)}`);
  if (source?.startsWith(`${base}/`)) return tag;
  const words = `[${/(?<= alt=")[^"]+/.exec(tag)?.[0] ?? "Picture"}]`;
  return inLink || source === undefined
    ? words
    : `<a href="${source}" rel="noopener noreferrer">${words}</a>`;
}

const tagWord = /(?<![\p{L}\p{M}\p{N}_&/#])#[\p{L}\p{M}\p{N}_]+/gu;

function linkTags(source: string, how: Rewriting): string {
  return source.replace(tagWord, (word) => {
    const href = how.tagHref(word);
    return href === undefined
      ? word
      : `<a class="p-category" rel="tag" href="${escapeAttribute(href)}">${word}</a>`;
  });
}
