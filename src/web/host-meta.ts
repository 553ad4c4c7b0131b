/** RFC 6415, XEP-0156, XEP-0487: where browsers find the way to the XMPP server of a domain. */
import type { Context } from "hono";
import type { Config } from "../config.ts";
import { escapeAttribute } from "../xmpp/xml.ts";
import { boshPath, webSocketPath } from "./addresses.ts";

/** An operator who moves the server does it in a planned hour; in seconds. */
const ttl = 3_600;

/** The ports of direct TLS that are really listened on. */
export interface TlsPorts {
  readonly c2sTls?: number | undefined;
  readonly s2sTls?: number | undefined;
}

interface Link {
  readonly rel: string;
  readonly href?: string;
  readonly port?: number;
}

const alternative = "urn:xmpp:alt-connections:";
/** The one place where pages of other origins may look (XEP-0156 §3). */
const headers = { "Access-Control-Allow-Origin": "*", "Cache-Control": `max-age=${ttl}` };

/** The handlers of the two representations. */
export function hostMeta({ domain, url, addresses }: Config, ports: TlsPorts) {
  const links: Link[] = [
    { rel: `${alternative}websocket`, href: `${url.replace(/^http/, "ws")}${webSocketPath}` },
    { rel: `${alternative}xbosh`, href: `${url}${boshPath}` },
  ];
  const xrd =
    `<?xml version="1.0" encoding="UTF-8"?>\n<XRD xmlns="http://docs.oasis-open.org/ns/xri/xrd-1.0">\n` +
    links.map(({ rel, href }) => `  <Link rel="${rel}" href="${escapeAttribute(href!)}"/>\n`).join("") +
    `</XRD>\n`;
  const document = addresses.length === 0 ? { links } : withAddresses(domain, addresses, links, ports);
  return {
    xrd: (c: Context): Response => c.body(xrd, 200, { ...headers, "Content-Type": "application/xrd+xml" }),
    jrd: (c: Context): Response =>
      c.json(document, 200, { ...headers, "Content-Type": "application/jrd+json" }),
  };
}

/** XEP-0487 §3.1: with addresses, nobody needs to ask the DNS for more than this host. */
function withAddresses(domain: string, ips: readonly string[], web: readonly Link[], ports: TlsPorts) {
  const direct: Link[] = [];
  if (ports.c2sTls !== undefined) direct.push({ rel: `${alternative}tls`, port: ports.c2sTls });
  if (ports.s2sTls !== undefined) direct.push({ rel: `${alternative}s2s-tls`, port: ports.s2sTls });
  const links = [...direct, ...web].map((link, index) => {
    const sni = link.href === undefined ? domain : new URL(link.href).hostname;
    return { ...link, ips, priority: 10 * (index + 1), weight: 0, sni };
  });
  return { xmpp: { ttl }, links };
}
