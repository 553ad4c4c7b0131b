/** The heads of the pages: what search engines, previews, feed readers and XMPP clients find there. */
import type { Head } from "../../views/model.ts";
import type { Post, PostPage } from "../domain/posts.ts";
import { headline, oneLine } from "../domain/post-text.ts";
import {
  avatarPath,
  blogUri,
  listingPath,
  localOf,
  pagePath,
  personPath,
  postPath,
  postUri,
  type Listing,
} from "./addresses.ts";
import { articleOf } from "./article.ts";
import { listingDescription, listingTitle } from "./feed.ts";
import { firstWords, plainText } from "./html.ts";
import { feedsOf } from "./present.ts";

export interface HeadPlace {
  readonly domain: string;
  readonly base: string;
  /** A picture for previews, as a path. */
  readonly image: string;
}

/** `cursor` is that of the page itself. */
export function listingHead(
  listing: Listing,
  cursor: string | undefined,
  { previous, next }: PostPage,
  place: HeadPlace,
): Head {
  const { domain, base } = place;
  const { author, tag } = listing;
  const path = listingPath(listing);
  const title = listingTitle(domain, listing);
  const description = listingDescription(domain, listing);
  const url = base + pagePath(path, cursor);
  const isProfile = author !== undefined && tag === undefined;
  return {
    title,
    description,
    canonical: url,
    feeds: feedsOf(title, listing),
    ...(author !== undefined && { xmpp: blogUri(author) }),
    ...(previous !== undefined && { previous: base + pagePath(path, previous) }),
    ...(next !== undefined && { next: base + pagePath(path, next) }),
    og: [
      ...openGraph({ title, description, url, type: isProfile ? "profile" : "website" }, place),
      ...(isProfile ? ([["profile:username", localOf(author)]] as const) : []),
    ],
    ...(isProfile && {
      json: {
        "@context": "https://schema.org",
        "@type": "ProfilePage",
        mainEntity: schemaPerson(author, base),
      },
    }),
  };
}

/** Characters of a description; previews show less. */
const descriptionMaximum = 200;

export function postHead(post: Post, place: HeadPlace): Head {
  const { base } = place;
  const article = articleOf(post);
  const plain = plainText(article.html);
  const title = `${headline(article.title ?? post.title)} · ${localOf(post.author)}`;
  const description = firstWords(oneLine(plain), descriptionMaximum);
  const url = base + postPath(post.author, post.id);
  const published = post.publishedAt.toISOString();
  const modified = post.updatedAt.toISOString();
  return {
    title,
    description,
    canonical: url,
    feeds: feedsOf(post.author, { author: post.author }),
    xmpp: postUri(post.author, post.id),
    og: [
      ...openGraph({ title: article.title ?? post.author, description, url, type: "article" }, place),
      ["article:published_time", published],
      ["article:modified_time", modified],
      ["article:author", base + personPath(post.author)],
      ...post.tags.map((tag) => ["article:tag", tag] as const),
    ],
    json: {
      "@context": "https://schema.org",
      "@type": "SocialMediaPosting",
      "@id": url,
      url,
      ...(article.title !== undefined && { headline: article.title }),
      articleBody: plain,
      datePublished: published,
      dateModified: modified,
      ...(post.language && { inLanguage: post.language }),
      ...(post.tags.length > 0 && { keywords: post.tags }),
      author: schemaPerson(post.author, base),
    },
  };
}

interface Preview {
  readonly title: string;
  readonly description: string;
  readonly url: string;
  readonly type: "article" | "profile" | "website";
}

const openGraph = ({ title, description, url, type }: Preview, { domain, base, image }: HeadPlace) =>
  [
    ["og:site_name", domain],
    ["og:type", type],
    ["og:title", title],
    ["og:description", description],
    ["og:url", url],
    ["og:image", base + image],
    ["og:image:alt", "A small bird, the mark of Pipit"],
  ] as const;

const schemaPerson = (jid: string, base: string) => ({
  "@type": "Person",
  name: localOf(jid),
  alternateName: jid,
  url: base + personPath(jid),
  image: base + avatarPath(jid),
});
