/**
 * A feed as RSS 2.0, by the `feed` package. What it writes is well-formed only for harmless texts, so each value
 * gets here the form that survives its way through the package and its writer (`xml-js`):
 * - text: the writer takes `&amp;` for an ampersand that was escaped before, and would lose it from texts that say it;
 * - CDATA: only the first `]]>` of a text is split, so none may be left in it;
 * - attributes: nothing but quotes is escaped;
 * - titles go as text, for the package would put them into CDATA, and authors as `dc:creator`, for theirs are e-mails;
 * - the namespace of `dc:creator` is declared only beside a content, so there is always one.
 */
import { Feed as Writer } from "feed";
import { escapeAttribute, escapeText } from "../xmpp/xml.ts";
import type { Feed, FeedEntry } from "./feed.ts";

export function rss(feed: Feed): string {
  const writer = new Writer({
    title: textValue(feed.title),
    description: textValue(feed.description),
    link: feed.home,
    // Declares the namespace; the links themselves follow below, all together.
    feed: feed.self,
    image: textValue(feed.icon),
    updated: feed.updated,
    generator: "Pipit",
  });
  writer.addExtension({
    name: "atom:link",
    objects: [
      link("self", feed.self),
      link("first", feed.first),
      ...(feed.previous ? [link("previous", feed.previous)] : []),
      ...(feed.next ? [link("next", feed.next)] : []),
    ] as unknown as Record<string, unknown>,
  });
  for (const entry of feed.entries) {
    writer.addItem({
      title: "",
      link: entry.url,
      guid: textValue(entry.id),
      date: entry.updated,
      published: entry.published,
      description: cdataValue(escapeText(entry.summary)),
      content: cdataValue(entry.html) || " ",
      category: entry.tags.map((tag) => ({ name: textValue(tag) })),
      extensions: extensions(entry),
    });
  }
  return `${writer.rss2()}\n`;
}

/** A note has no title; its description says enough (RSS 2.0 wants either). */
const extensions = (entry: FeedEntry) => [
  ...(entry.titled ? [{ name: "title", objects: { _text: textValue(entry.title) } }] : []),
  { name: "dc:creator", objects: { _text: textValue(entry.author.name) } },
];

const link = (rel: string, href: string) => ({
  _attributes: { rel, type: "application/rss+xml", href: escapeAttribute(href) },
});

const textValue = (text: string): string => text.replaceAll("&amp;", "&amp;amp;");

/** HTML means the same with the bracket as a reference. */
const cdataValue = (html: string): string => html.replaceAll("]]>", "]]&gt;");
