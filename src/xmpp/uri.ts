/** RFC 5122: `xmpp:` URIs, in the spelling that all social clients read (XEP-0060 §12.21, XEP-0277). */

/** The address itself. Movim compares it with the address as text, so it is an IRI: letters stay letters. */
export const jidUri = (jid: string): string =>
  `xmpp:${jid.replace(/[%#?\s<>"\\^`{|}]/g, encodeURIComponent)}`;

export const nodeUri = (service: string, node: string): string => `${jidUri(service)}?;node=${escape(node)}`;

/** Movim reads the parts in this order, and undecoded: `:` and `/` stay as they are (RFC 3986 §3.4). */
export const itemUri = (service: string, node: string, item: string): string =>
  `${nodeUri(service, node)};item=${escape(item)}`;

const escape = (part: string): string =>
  part.replace(/[%#?;=&<>"\\^`{|}]|[^\x21-\x7e]+/g, (found) => encodeURIComponent(found));

/** The address that an `xmpp:` URI names, and the node; `undefined` where it is no such URI. */
export function readUri(uri: string): { jid: string; node: string | undefined } | undefined {
  const [, path, query = ""] = /^xmpp:(?:\/\/[^/?#]*\/)?([^?#]+)(?:\?([^#]*))?/i.exec(uri) ?? [];
  if (path === undefined) return undefined;
  const node = query.split(";").find((part) => part.startsWith("node="));
  try {
    return { jid: decodeURIComponent(path), node: node && decodeURIComponent(node.slice("node=".length)) };
  } catch {
    return undefined;
  }
}
