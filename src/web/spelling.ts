/** One address for each thing: other spellings of people, tags and percent-encoding lead to it for good. */
import type { MiddlewareHandler } from "hono";
import { tagOf } from "../domain/microblog-markdown.ts";
import { prepareLocal } from "../xmpp/jid.ts";

export const oneSpelling: MiddlewareHandler = (c, next) => {
  const url = new URL(c.req.url);
  const path = spelt(url.pathname);
  return path === undefined || path === url.pathname
    ? next()
    : Promise.resolve(c.redirect(path + url.search, 301));
};

/** The path as it should be; `undefined` where it cannot be read. */
function spelt(path: string): string | undefined {
  const parts = path.split("/").slice(1).map(decoded);
  // A path that begins with two slashes would, as a redirect, be the name of another host.
  if (parts.includes(undefined) || (parts.length > 1 && parts[0] === "")) return undefined;
  const names = parts as string[];
  if (names.length > 1 && names.at(-1) === "" && names.at(-2) !== "feed") names.pop();
  const [first = ""] = names;
  if (first.startsWith("@")) names[0] = `@${prepareLocal(first.slice(1)) ?? first.slice(1)}`;
  const at = first.startsWith("@") ? 1 : 0;
  const tag = names[at] === "tag" ? names[at + 1] : undefined;
  if (tag !== undefined) names[at + 1] = tagOf(tag) ?? tag;
  return `/${names.map(encodeURIComponent).join("/").replace(/^%40/, "@")}`;
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
