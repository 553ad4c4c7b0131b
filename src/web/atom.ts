/** A feed as Atom (RFC 4287), by the builder that makes pubsub items; one content an entry. */
import { feedElement, type Entry } from "../xmpp/atom.ts";
import { jidUri } from "../xmpp/uri.ts";
import { serialize } from "../xmpp/xml.ts";
import type { Feed, FeedAuthor, FeedEntry } from "./feed.ts";

export function atom(feed: Feed): string {
  const element = feedElement({
    id: feed.id,
    title: feed.title,
    subtitle: feed.description,
    updated: feed.updated,
    author: feed.author && person(feed.author),
    links: [
      { rel: "self", type: "application/atom+xml", href: feed.self },
      { rel: "alternate", type: "text/html", href: feed.home },
      ...(feed.uri ? [overXmpp(feed.uri)] : []),
      { rel: "first", href: feed.first },
      ...(feed.previous ? [{ rel: "previous", href: feed.previous }] : []),
      ...(feed.next ? [{ rel: "next", href: feed.next }] : []),
    ],
    generator: { name: "Pipit" },
    entries: feed.entries.map(entry),
  });
  return `<?xml version="1.0" encoding="utf-8"?>\n${serialize(element)}\n`;
}

/** Not an alternate, of which readers take the first or (newsboat) the last for the page, whatever type it has. */
const overXmpp = (href: string) => ({ rel: "related", type: "application/atom+xml", href });

const person = ({ name, jid }: FeedAuthor) => ({ name, uri: jidUri(jid) });

function entry(post: FeedEntry): Entry {
  return {
    id: post.id,
    title: post.title,
    author: person(post.author),
    published: post.published,
    updated: post.updated,
    contents: [{ type: "html", body: post.html }],
    categories: post.tags,
    links: [{ rel: "alternate", type: "text/html", href: post.url }, overXmpp(post.uri)],
    language: post.language,
  };
}
