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
