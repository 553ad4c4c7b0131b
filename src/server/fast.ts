/** XEP-0484: FAST: how a client asks for a token, and says that it uses one. The tokens are the registry's. */
import { SaslError } from "../xmpp/errors.ts";
import { formatDateTime } from "../xmpp/datetime.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, xml, type Element } from "../xmpp/xml.ts";
import type { Token, TokenUse } from "./client-registry.ts";

/** §3.1; early data of TLS 1.3 is not taken, which Node could not tell from any other. */
export const fastFeature = (mechanisms: readonly string[]): Element =>
  xml("fast", { xmlns: NS.fast }, ...mechanisms.map((name) => xml("mechanism", {}, name)));

/** How a token is used in a request (§3.4, §3.6); `undefined` where none is. */
export function tokenUseIn(request: Element, mechanism: string): TokenUse | undefined {
  const fast = child(request, "fast", NS.fast);
  if (!fast) return undefined;
  const invalidate = /^(?:1|true)$/.test(attr(fast, "invalidate") ?? "");
  const written = attr(fast, "count");
  if (written === undefined) return { mechanism, invalidate };
  const count = Number(written);
  if (!/^\d{1,10}$/.test(written) || count >= 2 ** 31) throw new SaslError("malformed-request");
  return { mechanism, invalidate, count };
}

/** The mechanism for which a token is asked (§3.2); one that was not offered gets none. */
export function wantedToken(request: Element, offered: readonly string[]): string | undefined {
  const wish = child(request, "request-token", NS.fast);
  const mechanism = wish && attr(wish, "mechanism");
  return mechanism !== undefined && offered.includes(mechanism) ? mechanism : undefined;
}

/** §3.3 */
export const tokenElement = ({ token, expiry }: Token): Element =>
  xml("token", { xmlns: NS.fast, token, expiry: formatDateTime(expiry) });
