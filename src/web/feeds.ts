/** The feeds over HTTP. */
import type { Context } from "hono";
import type { Config } from "../config.ts";
import type { Posts } from "../domain/posts.ts";
import { feedPath, type FeedFormat } from "./addresses.ts";
import type { Assets } from "./assets.ts";
import { atom } from "./atom.ts";
import { feedOf, type Feed } from "./feed.ts";
import { jsonFeed } from "./json-feed.ts";
import type { Listings } from "./listings.ts";
import type { Representations } from "./representations.ts";
import { rss } from "./rss.ts";

const forms: Readonly<Record<FeedFormat, { type: string; write: (feed: Feed) => string }>> = {
  atom: { type: "application/atom+xml; charset=utf-8", write: atom },
  rss: { type: "application/rss+xml; charset=utf-8", write: rss },
  json: { type: "application/feed+json; charset=utf-8", write: jsonFeed },
};

/** Posts on a page of a feed. */
const pageSize = 30;

/** Readers ask every few minutes at most, and may show what they have while they do. */
const cacheControl = "public, max-age=300, stale-while-revalidate=3600";

/** Readers that are web pages themselves may read feeds. */
const openHeaders = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Expose-Headers": "ETag",
  "Cross-Origin-Resource-Policy": "cross-origin",
};

export interface FeedsOptions {
  readonly config: Config;
  readonly posts: Posts;
  readonly listings: Listings;
  readonly representations: Representations;
  readonly assets: Assets;
}

export function feeds({ config, posts, listings, representations, assets }: FeedsOptions) {
  const { domain, url: base } = config;
  const icon = assets.path("icon-512.png");
  return {
    async show(c: Context, format: FeedFormat): Promise<Response> {
      const found = await listings.find(c);
      if (!found) return c.notFound();
      const { listing, changes, changedAt } = found;
      const cursor = c.req.query("before");
      const { type, write } = forms[format];
      return representations.answer(c, {
        type,
        key: [feedPath(listing, format), cursor],
        changes,
        changedAt,
        cacheControl,
        headers: openHeaders,
        async render() {
          const page = await posts.page({ ...listing, before: cursor, limit: pageSize });
          return write(feedOf({ domain, base, icon, listing, format, updated: changedAt, cursor, ...page }));
        },
      });
    },

    /** What a browser asks before it sends a reader's own validators along. */
    preflight: (c: Context): Response =>
      c.body(null, 204, {
        ...openHeaders,
        "Access-Control-Allow-Methods": "GET, HEAD",
        "Access-Control-Allow-Headers": "If-None-Match, If-Modified-Since",
        "Access-Control-Max-Age": "86400",
      }),
  };
}
