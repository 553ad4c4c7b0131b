/** What every answer tells browsers, and the names under which this node answers at all. */
import { domainToASCII } from "node:url";
import type { MiddlewareHandler } from "hono";
import { csrf } from "hono/csrf";
import type { Config } from "../config.ts";

/** No script, no frame, nothing from anywhere else. */
const pagePolicy = [
  "default-src 'none'",
  "style-src 'self'",
  "img-src 'self' data:",
  "media-src 'self'",
  "font-src 'self'",
  "manifest-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** A year, in seconds. Other hosts of the domain are not ours to speak for, so they are not included. */
const strictTransport = "max-age=31536000";

/** A handler's own value stands; feeds, for one, may be read from anywhere. */
export function securityHeaders({ url }: Config): MiddlewareHandler {
  const defaults = {
    "Content-Security-Policy": pagePolicy,
    "X-Content-Type-Options": "nosniff",
    // Readers' steps inside the site are its own business; other sites learn nothing.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    ...(url.startsWith("https:") && { "Strict-Transport-Security": strictTransport }),
  };
  return async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(defaults)) {
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
    }
  };
}

/** What a machine is called by itself; no foreign page can make a browser send these to somebody else's node. */
const loopback = ["localhost", "127.0.0.1", "[::1]"];

const healthChecks = new Set(["/livez", "/readyz"]);

/**
 * Refuses requests for a host that is not served here (RFC 9110 §7.4, §15.5.20): DNS rebinding and poisoned caches
 * begin with them. Ports may differ, for there may be a proxy in between. Health checks go by whatever address.
 */
export function servedHosts({ domain, url }: Config): MiddlewareHandler {
  const served = new Set([new URL(url).hostname, domainToASCII(domain), ...loopback]);
  return async (c, next) => {
    const host = new URL(c.req.url).hostname.replace(/\.$/, "");
    if (served.has(host) || healthChecks.has(c.req.path)) return next();
    return c.text(`There is nothing here for ${host}.\n`, 421);
  };
}

/**
 * Refuses forms that another site's page sends (a 403 `HTTPException`). What a browser says of the page counts, which no
 * page can change; the scheme does not, for a proxy may have taken the s off.
 */
export const ownForms = ({ url }: Config): MiddlewareHandler =>
  csrf({ origin: (origin, c) => origin === url || hostOf(origin) === new URL(c.req.url).host });

const hostOf = (origin: string): string | undefined =>
  URL.canParse(origin) ? new URL(origin).host : undefined;
