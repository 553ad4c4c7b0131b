/** The frame of every page: head, skip link, banner, main, footer. */
import type { Child } from "hono/jsx";
import { raw } from "hono/html";
import type { Head, Site } from "./model.ts";

interface LayoutProps {
  readonly site: Site;
  readonly head: Head;
  readonly children: Child;
}

export const Layout = ({ site, head, children }: LayoutProps) => (
  <>
    {raw("<!doctype html>")}
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{head.title}</title>
        <meta name="description" content={head.description} />
        <meta name="color-scheme" content="light dark" />
        <meta name="generator" content="Pipit" />
        <link rel="stylesheet" href={site.asset["site.css"]} />
        <link rel="stylesheet" href={site.asset["posts.css"]} />
        {head.stylesheet && <link rel="stylesheet" href={site.asset[head.stylesheet]} />}
        <link rel="icon" type="image/svg+xml" href={site.asset["bird.svg"]} />
        <link rel="apple-touch-icon" href={site.asset["icon-180.png"]} />
        {head.canonical && <link rel="canonical" href={head.canonical} />}
        {head.feeds && <FeedLinks feeds={head.feeds} />}
        {head.xmpp && <link rel="alternate" href={head.xmpp} />}
        {head.previous && <link rel="prev" href={head.previous} />}
        {head.next && <link rel="next" href={head.next} />}
        {head.og?.map(([property, content]) => (
          <meta property={property} content={content} />
        ))}
        {head.json && <script type="application/ld+json">{raw(jsonInHtml(head.json))}</script>}
      </head>
      <body>
        <a class="skip" href="#main">
          Skip to content
        </a>
        <header class="banner">
          <a href="/">
            <img src={site.asset["bird.svg"]} alt="" width="28" height="28" />
            <span>{site.name}</span>
          </a>
        </header>
        {children}
        <footer class="imprint">
          <p>Published with Pipit, a microblog that is also a chat address.</p>
        </footer>
      </body>
    </html>
  </>
);

const FeedLinks = ({ feeds }: { readonly feeds: NonNullable<Head["feeds"]> }) => (
  <>
    <link rel="alternate" type="application/atom+xml" title={`${feeds.title} (Atom)`} href={feeds.atom} />
    <link rel="alternate" type="application/rss+xml" title={`${feeds.title} (RSS)`} href={feeds.rss} />
    <link rel="alternate" type="application/feed+json" title={`${feeds.title} (JSON)`} href={feeds.json} />
  </>
);

/** JSON that cannot end the element it stands in. */
const jsonInHtml = (value: unknown): string => JSON.stringify(value).replace(/</g, "\\u003c");
