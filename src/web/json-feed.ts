/** A feed as JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/). */
import type { Feed, FeedAuthor, FeedEntry } from "./feed.ts";

export function jsonFeed(feed: Feed): string {
  return JSON.stringify({
    version: "https://jsonfeed.org/version/1.1",
    title: feed.title,
    description: feed.description,
    home_page_url: feed.home,
    feed_url: feed.self,
    next_url: feed.next,
    icon: feed.icon,
    authors: feed.author && [author(feed.author)],
    _xmpp: feed.uri && { uri: feed.uri },
    items: feed.entries.map(item),
  });
}

const author = ({ name, url, avatar }: FeedAuthor) => ({ name, url, avatar });

/** What is `undefined` is left out. A note has no title. */
function item(post: FeedEntry) {
  return {
    id: post.id,
    url: post.url,
    title: post.titled ? post.title : undefined,
    content_html: post.html,
    content_text: post.plain,
    date_published: post.published.toISOString(),
    date_modified: post.updated.toISOString(),
    authors: [author(post.author)],
    tags: post.tags,
    language: post.language,
    _xmpp: { uri: post.uri },
  };
}
