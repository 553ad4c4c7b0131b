/** Markdown: what a post's text means, as HTML, as plain words and as tags. HTML inside it is text. */
import MarkdownIt, { type Token } from "markdown-it";

/** Tags of a post; more is spam, and each one is a page and three feeds. */
export const tagsMaximum = 32;
/** Characters of a tag. */
export const tagLengthMaximum = 64;
/** Quotes in quotes: deeper than people write, and far below the depth that an XML parser refuses. */
const nestingMaximum = 30;

const markdown = new MarkdownIt({
  html: false,
  linkify: true,
  breaks: true,
  xhtmlOut: true,
  maxNesting: nestingMaximum,
});
// What the sanitiser would take out again stays as it was typed.
markdown.disable(["table", "hr"]);
markdown.normalizeLinkText = (url) => url;
// An address is a link where it says so: "readme.md" and "ana@example.org" are words.
const xmppAddress = /[^\s<>()"'@]+@?[^\s<>()"'@]*[^\s<>()"'@.,;:!?]/y;
markdown.linkify.set({ fuzzyLink: false, fuzzyEmail: false }).add("ftp:", null).add("//", null);
markdown.linkify.add("xmpp:", {
  validate(text, at) {
    xmppAddress.lastIndex = at;
    return xmppAddress.exec(text)?.[0].length ?? 0;
  },
});

export interface MarkdownText {
  readonly html: string;
  /** The words without the marks, a line for each block. */
  readonly plain: string;
  readonly tags: string[];
  /** The text is one paragraph of one line in which nothing is marked up; links that stand for themselves are none. */
  readonly unmarked: boolean;
}

export function readMarkdown(text: string): MarkdownText {
  const environment = {};
  const tokens = markdown.parse(text, environment);
  const plain = plainOf(tokens);
  return {
    html: markdown.renderer.render(tokens, markdown.options, environment).trim(),
    plain,
    tags: tagsOf(tokens),
    unmarked:
      tokens.length === 3 && tokens[0]?.type === "paragraph_open" && plain === text && !text.includes("\n"),
  };
}

function plainOf(tokens: readonly Token[]): string {
  let plain = "";
  for (const token of tokens) {
    if (token.type === "inline") plain += plainOf(token.children ?? []) + "\n";
    else if (token.type === "fence" || token.type === "code_block") plain += token.content;
    else if (token.type === "softbreak" || token.type === "hardbreak") plain += "\n";
    else if (token.type === "text" || token.type === "code_inline" || token.type === "image")
      plain += token.content;
  }
  return plain.trimEnd();
}

// A word of letters, digits and underscores with a letter in it, not in the middle of another word or an address.
const tagPattern = /(?<![^\s\p{Ps}\p{Pi}\p{Pd}"'*,;:.!…])#([\p{L}\p{M}\p{N}_]*\p{L}[\p{L}\p{M}\p{N}_]*)/gu;

/** The `#words` in what is neither code nor an address, in order, each once. */
function tagsOf(tokens: readonly Token[]): string[] {
  const found = new Set<string>();
  for (const token of tokens) {
    if (token.type !== "inline") continue;
    let inAddress = false;
    for (const { type, markup, content } of token.children ?? []) {
      if (type === "link_open") inAddress = markup === "linkify" || markup === "autolink";
      else if (type === "link_close") inAddress = false;
      else if (type === "text" && !inAddress) collectTags(content, found);
    }
  }
  return [...found];
}

/** The `#words` of a plain text. */
export function tagsIn(text: string): string[] {
  const found = new Set<string>();
  collectTags(text, found);
  return [...found];
}

function collectTags(text: string, found: Set<string>): void {
  for (const [, word = ""] of text.matchAll(tagPattern)) {
    if (found.size >= tagsMaximum) return;
    const tag = tagOf(word);
    if (tag !== undefined) found.add(tag);
  }
}

/** A word or phrase in the form in which tags are compared; `undefined` where it is none. */
export function tagOf(term: string): string | undefined {
  const tag = term.trim().replace(/^#/, "").normalize("NFC").toLowerCase();
  return tag.length <= tagLengthMaximum && /[\p{L}\p{N}]/u.test(tag) && !/[\n\t/]/.test(tag)
    ? tag
    : undefined;
}
