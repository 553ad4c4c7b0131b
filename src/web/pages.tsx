/** The public pages over HTTP. */
import type { Context } from "hono";
import type { Site } from "../../views/model.ts";
import { PermalinkPage } from "../../views/permalink.tsx";
import { ProfilePage } from "../../views/profile.tsx";
import { TimelinePage } from "../../views/timeline.tsx";
import { WelcomePage } from "../../views/welcome.tsx";
import type { Config } from "../config.ts";
import type { Accounts } from "../domain/accounts.ts";
import type { Avatars } from "../domain/avatars.ts";
import type { Post, Posts } from "../domain/posts.ts";
import { imageType } from "../xmpp/image.ts";
import { listingPath, localOf, pagePath, type Listing } from "./addresses.ts";
import type { Assets } from "./assets.ts";
import { drawnAvatar } from "./avatar.ts";
import { listingHead, postHead } from "./heads.ts";
import type { FoundListing, Listings } from "./listings.ts";
import { lastTick } from "./moments.ts";
import { feedsOf, personView, postView } from "./present.ts";
import { problems } from "./problems.tsx";
import type { Representations } from "./representations.ts";

/** Posts on a page. */
const pageSize = 20;

/** Browsers keep a page, and ask each time whether it is still the same. */
const cacheControl = "public, no-cache";
const html = "text/html; charset=utf-8";

export interface PagesOptions {
  readonly config: Config;
  readonly site: Site;
  readonly accounts: Accounts;
  readonly avatars: Avatars;
  readonly posts: Posts;
  readonly listings: Listings;
  readonly representations: Representations;
  readonly assets: Assets;
}

export function pages({
  config,
  site,
  accounts,
  avatars,
  posts,
  listings,
  representations,
  assets,
}: PagesOptions) {
  const { domain, url: base } = config;
  const place = { domain, base, image: assets.path("icon-512.png") };
  const problem = problems(site);

  async function showListing(c: Context, { listing, changes, changedAt }: FoundListing): Promise<Response> {
    const now = new Date();
    const tick = lastTick(changedAt, now);
    const cursor = c.req.query("before");
    return representations.answer(c, {
      type: html,
      key: ["page", listingPath(listing), cursor, tick.toISOString()],
      changes,
      changedAt: tick > changedAt ? tick : changedAt,
      cacheControl,
      render: () => renderListing(listing, cursor, now),
    });
  }

  async function renderListing(listing: Listing, cursor: string | undefined, now: Date): Promise<string> {
    const { author, tag } = listing;
    const path = listingPath(listing);
    const found = await posts.page({ ...listing, before: cursor, limit: pageSize });
    const scope = author === undefined ? {} : { author };
    const page = {
      posts: found.posts.map((post) => postView(post, { base, scope, whole: false, now })),
      newer: found.previous === undefined ? undefined : pagePath(path, found.previous),
      older: found.next === undefined ? undefined : pagePath(path, found.next),
    };
    const head = listingHead(listing, cursor, found, place);
    if (author !== undefined && tag === undefined) {
      return String(<ProfilePage site={site} head={head} person={personView(author)} page={page} />);
    }
    const authors = author === undefined ? [...new Set(found.posts.map((post) => post.author))].sort() : [];
    return String(
      <TimelinePage
        site={site}
        head={head}
        heading={tag === undefined ? domain : `#${tag}`}
        about={aboutListing(listing)}
        feeds={feedsOf(head.title, listing)}
        people={authors.map(personView)}
        byline
        page={page}
      />,
    );
  }

  return {
    /** Whoever lives here alone is the site; else it is what everybody writes. */
    async home(c: Context): Promise<Response> {
      const people = await accounts.list();
      const [person] = people;
      if (!person) {
        c.header("Cache-Control", "no-cache");
        return c.html(<WelcomePage site={site} head={welcomeHead(domain)} />);
      }
      const found = await listings.state(people.length === 1 ? { author: person.jid } : {});
      return found ? showListing(c, found) : c.notFound();
    },

    async listing(c: Context): Promise<Response> {
      const found = await listings.find(c);
      return found ? showListing(c, found) : c.notFound();
    },

    async permalink(c: Context): Promise<Response> {
      const { person, post: id } = c.req.param() as { person: string; post: string };
      const author = `${person.slice(1)}@${domain}`;
      const post = await posts.find(author, id);
      if (!post) return c.notFound();
      if (post.deletedAt) return problem.gone(c, personView(author));
      return representations.answer(c, {
        type: html,
        key: ["post", post.author, post.id],
        changes: post.updatedAt.getTime(),
        changedAt: post.updatedAt,
        cacheControl,
        render: () => renderPost(post),
      });
    },

    async avatar(c: Context): Promise<Response> {
      const account = await accounts.find(c.req.param("person")!.slice(1));
      if (!account) return c.notFound();
      const shown = await avatars.seenBy(account.jid, undefined);
      // What is no picture to a browser is none here, whatever its owner calls it.
      const own = shown && imageType(shown.data) === shown.type ? shown : undefined;
      return representations.answer(c, {
        type: own?.type ?? "image/svg+xml",
        key: ["avatar", account.jid, own?.hash],
        changes: 0,
        changedAt: own?.publishedAt ?? account.createdAt,
        cacheControl: "public, max-age=3600",
        // Feed readers on other sites show it.
        headers: { "Cross-Origin-Resource-Policy": "cross-origin" },
        render: () => own?.data ?? drawnAvatar(account.jid),
      });
    },
  };

  function renderPost(post: Post): string {
    const view = postView(post, { base, scope: { author: post.author }, whole: true, now: new Date() });
    return String(<PermalinkPage site={site} head={postHead(post, place)} post={view} />);
  }

  function aboutListing({ author, tag }: Listing) {
    if (tag === undefined) return { text: "What people here have written lately." };
    if (author === undefined) return { text: "Posts with this tag, by everybody here." };
    const link = { text: "Everybody’s posts with this tag", href: listingPath({ tag }) };
    return { text: `Posts by ${localOf(author)}.`, link };
  }
}

const welcomeHead = (domain: string) => ({
  title: domain,
  description: `${domain} is up and waits for its people.`,
});
