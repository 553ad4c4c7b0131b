/** Posts and people as the pages show them. */
import type { Feeds, Person, PostView, Tag } from "../../views/model.ts";
import type { Post } from "../domain/posts.ts";
import {
  avatarPath,
  chatUri,
  feedPath,
  listingPath,
  localOf,
  personPath,
  postPath,
  subscribeUri,
  type Listing,
} from "./addresses.ts";
import { articleOf } from "./article.ts";
import { excerpt, rewrite } from "./html.ts";
import { moment } from "./moments.ts";
import { tagHrefs } from "./tags.ts";

export function feedsOf(title: string, listing: Listing): Feeds {
  return {
    title,
    atom: feedPath(listing, "atom"),
    rss: feedPath(listing, "rss"),
    json: feedPath(listing, "json"),
  };
}

export function personView(jid: string): Person {
  return {
    name: localOf(jid),
    address: jid,
    href: personPath(jid),
    avatar: avatarPath(jid),
    feeds: feedsOf(jid, { author: jid }),
    chat: chatUri(jid),
    subscribe: subscribeUri(jid),
  };
}

export interface PostPlace {
  /** The `url` setting. */
  readonly base: string;
  /** The list whose tag pages the tags lead to. */
  readonly scope: Listing;
  /** Among others, long posts are cut short; alone, they are whole. */
  readonly whole: boolean;
  readonly now: Date;
}

export function postView(post: Post, { base, scope, whole, now }: PostPlace): PostView {
  const { title, html: body } = articleOf(post);
  const begin = whole ? undefined : excerpt(body);
  const linked = new Set<string>();
  const hrefOf = tagHrefs(post, scope);
  const html = rewrite(begin ?? body, {
    base,
    // Below the page's heading, and below the post's own where it has one.
    headings: (whole ? 1 : 2) + (title === undefined ? 0 : 1),
    tagHref(word) {
      const href = hrefOf(word);
      if (href !== undefined) linked.add(href);
      return href;
    },
  });
  const edited = post.updatedAt.getTime() - post.publishedAt.getTime() >= editTolerance;
  return {
    href: postPath(post.author, post.id),
    author: personView(post.author),
    title,
    html,
    excerpt: begin !== undefined,
    language: post.language,
    tags: post.tags
      .map((name): Tag => ({ name, href: listingPath({ ...scope, tag: name }) }))
      .filter(({ href }) => !linked.has(href)),
    published: moment(post.publishedAt, now),
    edited: edited ? moment(post.updatedAt, now) : undefined,
  };
}

/** Milliseconds in which a correction is part of the writing. */
const editTolerance = 60_000;
