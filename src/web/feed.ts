/** A feed before it takes a form: the same facts for Atom, RSS and JSON Feed, with absolute addresses throughout. */
import { createHash } from "node:crypto";
import type { Post, PostPage } from "../domain/posts.ts";
import { oneLine } from "../domain/post-text.ts";
import { legalText } from "../xmpp/xml.ts";
import {
  avatarPath,
  feedPath,
  blogUri,
  listingPath,
  localOf,
  pagePath,
  personPath,
  postPath,
  postUri,
  type FeedFormat,
  type Listing,
} from "./addresses.ts";
import { articleOf } from "./article.ts";
import { firstWords, plainText, rewrite } from "./html.ts";
import { tagHrefs } from "./tags.ts";

export interface FeedAuthor {
  readonly name: string;
  readonly jid: string;
  readonly url: string;
  readonly avatar: string;
}

export interface FeedEntry {
  /** The stored identifier, the same for ever. */
  readonly id: string;
  readonly url: string;
  /** The same post over XMPP. */
  readonly uri: string;
  readonly title: string;
  /** The title is a heading; that of a note is only the beginning of it. */
  readonly titled: boolean;
  readonly html: string;
  readonly plain: string;
  /** The first words. */
  readonly summary: string;
  readonly author: FeedAuthor;
  readonly tags: readonly string[];
  readonly language: string | undefined;
  readonly published: Date;
  readonly updated: Date;
}

export interface Feed {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly home: string;
  readonly self: string;
  readonly first: string;
  /** The pages with newer and with older posts (RFC 5005 §3). */
  readonly previous: string | undefined;
  readonly next: string | undefined;
  readonly icon: string;
  /** Set where all of it is one person's. */
  readonly author: FeedAuthor | undefined;
  readonly uri: string | undefined;
  readonly updated: Date;
  readonly entries: readonly FeedEntry[];
}

export interface FeedPage extends PostPage {
  readonly domain: string;
  /** The `url` setting. */
  readonly base: string;
  readonly icon: string;
  readonly listing: Listing;
  readonly format: FeedFormat;
  readonly updated: Date;
  readonly cursor: string | undefined;
}

export function feedOf(page: FeedPage): Feed {
  const { base, listing, format, cursor } = page;
  const path = feedPath(listing, format);
  return {
    id: feedId(page.domain, listing),
    title: listingTitle(page.domain, listing),
    description: listingDescription(page.domain, listing),
    home: base + listingPath(listing),
    self: base + pagePath(path, cursor),
    first: base + path,
    previous: page.previous === undefined ? undefined : base + pagePath(path, page.previous),
    next: page.next === undefined ? undefined : base + pagePath(path, page.next),
    icon: base + page.icon,
    author: listing.author === undefined ? undefined : feedAuthor(listing.author, base),
    uri: listing.author === undefined ? undefined : blogUri(listing.author),
    updated: page.updated,
    entries: page.posts.map((post) => feedEntry(post, base)),
  };
}

export function listingTitle(domain: string, { author, tag }: Listing): string {
  const whose = author ?? domain;
  return tag === undefined ? whose : `#${tag} · ${whose}`;
}

export function listingDescription(domain: string, { author, tag }: Listing): string {
  return `Posts by ${author ?? `the people of ${domain}`}${tag === undefined ? "" : ` tagged #${tag}`}`;
}

/** RFC 4287 §4.2.6: the same wherever the site moves. A UUID of version 8 (RFC 9562 §5.8), from what the feed is. */
function feedId(domain: string, { author = domain, tag = "" }: Listing): string {
  const bytes = createHash("sha256").update(`feed ${author}#${tag}`).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return `urn:uuid:${bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")}`;
}

/** Characters of a summary. */
const summaryMaximum = 300;

const feedAuthor = (jid: string, base: string): FeedAuthor => ({
  name: localOf(jid),
  jid,
  url: base + personPath(jid),
  avatar: base + avatarPath(jid),
});

function feedEntry(post: Post, base: string): FeedEntry {
  // The domain cleans what comes in; a feed must be well-formed even if something slipped through.
  const { title, html } = articleOf({ ...post, html: legalText(post.html) });
  const plain = plainText(html);
  return {
    id: legalText(post.atomId),
    url: base + postPath(post.author, post.id),
    uri: postUri(post.author, post.id),
    title: legalText(title ?? post.title),
    titled: title !== undefined,
    html: rewrite(html, { base, tagHref: tagHrefs(post, { author: post.author }, base) }),
    plain,
    summary: firstWords(oneLine(plain), summaryMaximum),
    author: feedAuthor(post.author, base),
    tags: post.tags.map(legalText),
    language: post.language === undefined ? undefined : legalText(post.language),
    published: post.publishedAt,
    updated: post.updatedAt,
  };
}
