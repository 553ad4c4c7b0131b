/** The HTTP edge: which address is answered by what. Pages and feeds come from the domain and know nothing of each other. */
import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { METHODS } from "hono/router";
import type { Config } from "../config.ts";
import type { Accounts } from "../domain/accounts.ts";
import type { Avatars } from "../domain/avatars.ts";
import { invitationPath, type Invitations } from "../domain/invitations.ts";
import type { Posts } from "../domain/posts.ts";
import type { Registration } from "../domain/registration.ts";
import type { Uploads } from "../domain/uploads.ts";
import type { Logger } from "../log.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { boshPath, feedFormats } from "./addresses.ts";
import { Assets } from "./assets.ts";
import { boshRoute, type BoshRoute } from "./bosh.ts";
import { feeds as createFeeds } from "./feeds.ts";
import { fingerprint } from "./fingerprint.ts";
import { hostMeta, type TlsPorts } from "./host-meta.ts";
import { joining, registerPath } from "./joining.tsx";
import { Listings } from "./listings.ts";
import { pages as createPages } from "./pages.tsx";
import { problems } from "./problems.tsx";
import { Representations } from "./representations.ts";
import { ownForms, securityHeaders, servedHosts } from "./security.ts";
import { oneSpelling } from "./spelling.ts";
import { uploads as createUploads } from "./uploads.ts";

/** Rendered pages and feeds kept in memory, in bytes; some hundreds of them, for everybody asks for the same. */
const renderedMaximum = 16 * 1024 * 1024;

const person = "/:person{@[^/]+}";
/** Where lists of posts are, and so their feeds. */
const folders = ["", person, "/tag/:tag", `${person}/tag/:tag`];

/** Where feed readers look when they are given no link (Miniflux's list, and what people type). */
const guesses: readonly (readonly [guess: string, format: "atom" | "rss"])[] = [
  ["feed", "atom"],
  ["feed/", "atom"],
  ["feed.xml", "atom"],
  ["atom.xml", "atom"],
  ["index.xml", "atom"],
  ["rss", "rss"],
  ["rss/", "rss"],
  ["rss.xml", "rss"],
  ["index.rss", "rss"],
];

export interface AppOptions {
  readonly config: Config;
  readonly accounts: Accounts;
  readonly avatars: Avatars;
  readonly posts: Posts;
  readonly invitations: Invitations;
  readonly registration: Registration;
  readonly uploads: Uploads;
  readonly log: Logger;
  readonly bosh?: BoshRoute;
  readonly tlsPorts?: TlsPorts;
}

export function createApp({
  config,
  accounts,
  avatars,
  posts,
  invitations,
  registration,
  uploads,
  log,
  bosh,
  tlsPorts = {},
}: AppOptions): Hono {
  const assets = new Assets();
  const site = {
    name: config.domain,
    asset: {
      "site.css": assets.path("site.css"),
      "posts.css": assets.path("posts.css"),
      "forms.css": assets.path("forms.css"),
      "bird.svg": assets.path("bird.svg"),
      "icon-180.png": assets.path("icon-180.png"),
    },
  };
  const listings = new Listings(accounts, posts);
  const representations = new Representations(fingerprint(config.domain, config.url), renderedMaximum);
  const pages = createPages({ config, site, accounts, avatars, posts, listings, representations, assets });
  const feeds = createFeeds({ config, posts, listings, representations, assets });
  const files = createUploads(uploads);
  const join = joining({ config, site, invitations, registration });
  const problem = problems(site);

  const app = new Hono();
  app.use(securityHeaders(config), servedHosts(config));
  // A redirect to another spelling would end an upload, and the link is the same file however it is encoded.
  app.get("/upload/:id/:name", files.show);
  app.put("/upload/:id/:name", files.take);
  app.options("/upload/:id/:name", files.preflight);
  app.use(oneSpelling);

  app.get("/", pages.home);
  for (const folder of folders) {
    if (folder !== "") app.get(folder, pages.listing);
    for (const format of feedFormats) {
      app.get(`${folder}/feed.${format}`, (c) => feeds.show(c, format));
      app.options(`${folder}/feed.${format}`, feeds.preflight);
    }
    for (const [guess, format] of guesses) {
      app.get(`${folder}/${guess}`, (c) => {
        const { pathname } = new URL(c.req.url);
        return c.redirect(`${pathname.slice(0, -guess.length)}feed.${format}`, 301);
      });
    }
  }
  app.get(`${person}/avatar.svg`, pages.avatar);
  app.get(`${person}/:post`, pages.permalink);

  if (bosh) {
    const { limit, post, preflight } = boshRoute(bosh);
    app.post(boshPath, limit, post).options(boshPath, preflight);
    const { xrd, jrd } = hostMeta(config, tlsPorts);
    app.get("/.well-known/host-meta", xrd).get("/.well-known/host-meta.json", jrd);
  }
  const isOwnForm = ownForms(config);
  for (const [path, show, take] of [
    [invitationPath(":token"), join.invitation, join.acceptInvitation],
    [registerPath, join.open, join.registerOpen],
  ] as const)
    app.use(path, join.privately).get(path, show).post(path, isOwnForm, join.limit, take);

  app.get("/static/*", (c) => assets.serve(c));
  app.get("/favicon.ico", (c) => assets.serveNamed(c, "favicon.ico"));
  app.get("/robots.txt", (c) => c.text("User-agent: *\nDisallow:\n"));
  app.get("/livez", (c) => c.text("alive\n"));
  app.get("/readyz", async (c) => {
    try {
      await accounts.list();
      return c.text("ready\n");
    } catch (error) {
      log.error({ err: error }, "the store does not answer");
      return c.text("the store does not answer\n", 503);
    }
  });

  app.notFound((c) => {
    const allowed = METHODS.map((name) => name.toUpperCase()).filter((method) =>
      app.router.match(method, c.req.path)[0].some(([[, route]]) => route.method === method),
    );
    const isRead = c.req.method === "GET" || c.req.method === "HEAD";
    return isRead || !allowed.includes("GET")
      ? problem.notFound(c)
      : problem.methodNotAllowed(c, [...allowed, "HEAD"]);
  });
  app.onError((error, c) => {
    if (error instanceof HTTPException && error.status === 403) return problem.foreign(c);
    // The domain does not find a page that it did not give out.
    const isMissing = error instanceof StanzaError && error.condition === "item-not-found";
    if (isMissing) return c.req.query("before") === undefined ? problem.notFound(c) : problem.badRequest(c);
    log.error({ err: error, method: c.req.method, path: c.req.path }, "a request failed");
    return problem.failed(c);
  });
  return app;
}
