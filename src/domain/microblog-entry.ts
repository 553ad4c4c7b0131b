/**
 * XEP-0277 and XEP-0472: a post as Pipit writes it. Whatever a client published becomes this one form: a title and an
 * update time are always there, the body is sanitised XHTML beside its text, the publisher is the author, and links
 * to the web stand only where everybody may read. What else a client wrote is kept.
 */
import { refusal } from "../pubsub/errors.ts";
import { entryElement, innerHtml, type Content, type Link, type Person } from "../xmpp/atom.ts";
import { parseEntry, type AtomText, type ParsedEntry } from "../xmpp/atom-parser.ts";
import { NS } from "../xmpp/ns.ts";
import { itemUri, jidUri } from "../xmpp/uri.ts";
import { attr, children, childText, copy, namespaceOf, serialize, xml, type Element } from "../xmpp/xml.ts";
import { cleanHtml, plainHtml } from "./microblog-html.ts";
import { readMarkdown, tagOf, tagsIn, tagsMaximum } from "./microblog-markdown.ts";
import { acceptText, cleanText, fits, headline, isVisible, oneLine, statusMaximum } from "./post-text.ts";

/** Bytes of an entry; other servers refuse items from 250 kB on, and stanzas between servers from 256 kB. */
export const entryMaximum = 65_536;
/** Characters of an identifier, a name or a language that a client made; what is longer is left out. */
const nameMaximum = 1_024;

/** Where an entry stands. */
export interface LinkPlace {
  /** Bare JID of the account whose node it is. */
  readonly owner: string;
  readonly itemId: string;
  /** Everybody may read the node. */
  readonly open: boolean;
  /** Where the post is on the web. */
  readonly permalink: string;
}

/** What an entry cannot say of itself. */
export interface EntryPlace extends LinkPlace {
  /** Bare JID of who published it. */
  readonly publisher: string;
  readonly now: Date;
  /** The identifier of the post that is, or once was, in this place. */
  readonly knownId: string | undefined;
  /** The `tag:` URI of a post that has no identifier yet. */
  readonly newId: string;
  /** The dates of the post that this one replaces. */
  readonly previous: { readonly published: Date; readonly updated: Date } | undefined;
}

/** The entry in the form in which it is stored; `not-acceptable` where it is too large. `body` is that of `raw`. */
export function canonicalEntry(
  raw: ParsedEntry,
  { title, contents, tags }: Body,
  place: EntryPlace,
): Element {
  const published = place.previous?.published ?? clamp(raw.published ?? raw.updated, place.now);
  const kept = raw.links.filter(isKept);
  const entry = entryElement({
    id: place.knownId ?? (raw.id && isIri(raw.id) ? raw.id : place.newId),
    title,
    author: authorOf(raw, place),
    published,
    updated: updatedOf(raw, published, place),
    contents,
    categories: unique([...raw.categories.flatMap((term) => tagOf(cleanText(term)) ?? []), ...tags]),
    links: [...alternates(title, place), ...kept],
    language: raw.language && isLanguage(raw.language) ? raw.language : undefined,
    extensions: raw.extensions,
  });
  const size = Buffer.byteLength(serialize(entry));
  if (size > entryMaximum) {
    const kilobytes = (bytes: number) => `${Math.ceil(bytes / 1024)} KB`;
    throw refusal(
      "payload-too-big",
      `This post takes ${kilobytes(size)} with all its parts; ${kilobytes(entryMaximum)} is the limit`,
    );
  }
  return entry;
}

/** What an entry says. */
export interface Body {
  readonly title: string;
  readonly contents: readonly Content[];
  readonly tags: readonly string[];
}

/** Stands for the words of a post that has none, but shows something. */
const untitled = "Untitled";

/** `not-acceptable` where it says nothing, or too much. */
export function readBody(raw: ParsedEntry): Body {
  const title = raw.title ? cleanText(wordsOf(raw.title)) : "";
  const texts = raw.contents.length === 0 && raw.summary ? [raw.summary] : raw.contents;
  const source = texts.find(({ type, value }) => type === "text" && isVisible(value))?.value;
  for (const { type, value } of texts) {
    const body = type === "html" ? cleanHtml(value) : undefined;
    if (body && isShown(body)) return readMarkup(title, body, source);
  }
  if (source === undefined) {
    const isMedia = raw.links.some(({ rel }) => rel === "enclosure") && !isVisible(title);
    return isMedia ? { title: untitled, contents: [], tags: [] } : readText(title);
  }
  if (!isVisible(title) || oneLine(title) === oneLine(cleanText(source))) return readText(source);
  const text = acceptText(source);
  const { html, tags } = readMarkdown(text);
  return {
    title: oneLine(acceptText(title)),
    contents: both(cleanHtml(html), text),
    tags: [...tagsIn(title), ...tags],
  };
}

/** A text on its own: a short status is all title (XEP-0277 §2.3), anything else gets a headline and two contents. */
function readText(value: string): Body {
  const text = acceptText(value);
  const { html, plain, tags, unmarked } = readMarkdown(text);
  if (unmarked && fits(text, statusMaximum)) return { title: text, contents: [], tags };
  const title = isVisible(plain) ? headline(plain) : headline(text);
  return { title, contents: both(cleanHtml(html), text), tags };
}

/** Markup as a client made it, with the text it was made from, if the client says that. */
function readMarkup(written: string, body: Element, source: string | undefined): Body {
  const words = plainHtml(body);
  const said = source ?? words;
  const text = isVisible(said) ? acceptText(said) : "";
  const title = isVisible(written)
    ? oneLine(acceptText(written))
    : isVisible(words)
      ? headline(words)
      : untitled;
  const tags = source === undefined ? tagsIn(plainHtml(body, code)) : readMarkdown(text).tags;
  return { title, contents: both(body, text), tags: [...tagsIn(written), ...tags] };
}

const code = new Set(["code", "pre"]);

const both = (body: Element, text: string): Content[] =>
  text === ""
    ? [{ type: "xhtml", body }]
    : [
        { type: "xhtml", body },
        { type: "text", body: text },
      ];

const wordsOf = ({ type, value }: AtomText): string =>
  type === "html" ? plainHtml(cleanHtml(value)) : value;

const unique = (tags: readonly string[]): string[] => [...new Set(tags)].slice(0, tagsMaximum);

/** The publisher. Only a repost, which says so by a link to the original, names somebody else (XEP-0277 §2.6). */
function authorOf({ author, links }: ParsedEntry, { publisher }: EntryPlace): Person {
  const written = oneLine(cleanText(author?.name ?? ""));
  const name = written.length <= nameMaximum ? written : "";
  const uri = jidUri(publisher);
  if (links.some(({ rel }) => rel === "via") && author?.uri && isIri(author.uri)) {
    return { name: name || author.uri, uri: author.uri };
  }
  const isOwnName = name !== "" && (author?.uri === undefined || author.uri === uri);
  return { name: isOwnName ? name : publisher.slice(0, publisher.lastIndexOf("@")), uri };
}

/** A time that a client gives is believed unless it has not come yet or was before there were computers to say so. */
const clamp = (date: Date | undefined, now: Date): Date =>
  date === undefined || date > now ? now : date.getTime() < 0 ? new Date(0) : date;

function updatedOf(raw: ParsedEntry, published: Date, { previous, now }: EntryPlace): Date {
  const given = raw.updated && clamp(raw.updated, now);
  if (!previous) return given && given > published ? given : published;
  return given && given > previous.updated ? given : later(now, previous.updated);
}

/** `now`, or just after `than` where the clock was turned back: a later version bears a later time. */
const later = (now: Date, than: Date): Date => (now > than ? now : new Date(than.getTime() + 1));

/** What people see of a post. */
export interface ShownEntry {
  readonly atomId: string;
  readonly title: string;
  /** The title is a heading of its own, which the body does not repeat. */
  readonly titled: boolean;
  readonly text: string;
  readonly html: string;
  readonly tags: string[];
  readonly language: string | null;
  readonly publishedAt: Date;
  readonly updatedAt: Date;
}

/** Reads a canonical entry. */
export function showEntry(entry: Element): ShownEntry {
  const parsed = parseEntry(entry);
  const status = parsed.title?.value ?? "";
  const contentOf = (type: AtomText["type"]) =>
    parsed.contents.find((content) => content.type === type)?.value;
  const html = contentOf("html");
  const text = html === undefined ? status : (contentOf("text") ?? "");
  return {
    atomId: parsed.id ?? "",
    title: html === undefined ? headline(status) : status,
    titled: html !== undefined && !repeats(html, status),
    text,
    html: html ?? innerHtml(cleanHtml(readMarkdown(status).html)),
    tags: [...parsed.categories],
    language: parsed.language ?? null,
    publishedAt: parsed.published ?? new Date(0),
    updatedAt: parsed.updated ?? new Date(0),
  };
}

/** Whether the body begins with the words of the title. */
const repeats = (html: string, title: string): boolean =>
  oneLine(plainHtml(cleanHtml(html))).startsWith(title.replace(/…$/, ""));

/** A canonical entry after its node was opened or closed. */
export function relinkEntry(entry: Element, place: LinkPlace): Element {
  const twin = copy(entry);
  const title = childText(twin, "title") ?? "";
  const parts = children(twin).filter((part) => !(isAtom(part, "link") && attr(part, "rel") === "alternate"));
  const at = parts.findLastIndex((part) => isAtom(part, "updated", "content", "category")) + 1;
  twin.children = [];
  const links = alternates(title, place).map((link) => xml("link", { ...link }));
  for (const part of [...parts.slice(0, at), ...links, ...parts.slice(at)]) twin.append(part);
  return twin;
}

const isAtom = (part: Element, ...names: string[]): boolean =>
  names.includes(part.name) && namespaceOf(part) === NS.atom;

/** Where else the post is: on the web, which tells Movim that it is public, and as an item. */
function alternates(title: string, { open, permalink, owner, itemId }: LinkPlace): Link[] {
  if (!open) return [];
  return [
    { rel: "alternate", type: "text/html", title: headline(title), href: permalink },
    { rel: "alternate", href: itemUri(owner, NS.microblog, itemId) },
  ];
}

const ownRelations = new Set(["alternate", "self", "edit"]);
const schemes = /^(?:https?|xmpp|mailto|geo|cid|tag|urn):/i;

/** Links of a client, but for those that say where the post is (RFC 4287 §4.2.7.2: `alternate` where nothing is said). */
const isKept = ({ rel = "alternate", href = "" }: Link): boolean =>
  !ownRelations.has(rel) && schemes.test(href);

/** RFC 3987, as far as a comparison of strings needs it: a scheme, and no space. */
const isIri = (value: string): boolean =>
  value.length <= nameMaximum && /^[a-z][a-z0-9+.-]*:\S+$/i.test(value);

/** RFC 5646 in outline. */
const isLanguage = (value: string): boolean => /^[a-z]{2,8}(?:-[a-z0-9]{1,8}){0,8}$/i.test(value);

/** Whether there is anything to see in a body. */
const isShown = (body: Element): boolean => isVisible(plainHtml(body)) || hasPicture(body);

const hasPicture = (element: Element): boolean =>
  element.name === "img" || children(element).some(hasPicture);
