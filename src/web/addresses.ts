/** Where everything is: paths on this site, and `xmpp:` addresses (RFC 5122). Absolute ones begin with the `url` setting. */
import { permalink } from "../domain/microblog-id.ts";
import { NS } from "../xmpp/ns.ts";
import { itemUri, jidUri, nodeUri } from "../xmpp/uri.ts";

/** A list of posts: everybody's, a person's, those with a tag, or both. */
export interface Listing {
  /** Bare JID. */
  readonly author?: string;
  readonly tag?: string;
}

export const localOf = (jid: string): string => jid.slice(0, jid.lastIndexOf("@"));

export const personPath = (jid: string): string => `/@${encodeURIComponent(localOf(jid))}`;

export const postPath = (author: string, id: string): string => permalink("", author, id);

export const avatarPath = (jid: string): string => `${personPath(jid)}/avatar.svg`;

export function listingPath({ author, tag }: Listing): string {
  return folder({ author, tag }) || "/";
}

export const feedFormats = ["atom", "rss", "json"] as const;
export type FeedFormat = (typeof feedFormats)[number];

export const feedPath = (listing: Listing, format: FeedFormat): string => `${folder(listing)}/feed.${format}`;

/** A page of a list; the first one has no cursor. */
export const pagePath = (path: string, cursor: string | undefined): string =>
  cursor ? `${path}?before=${encodeURIComponent(cursor)}` : path;

function folder({ author, tag }: { author?: string | undefined; tag?: string | undefined }): string {
  return (
    (author === undefined ? "" : personPath(author)) +
    (tag === undefined ? "" : `/tag/${encodeURIComponent(tag)}`)
  );
}

/** Opens a chat. */
export const chatUri = jidUri;

/** XEP-0060 §12.21: opens an application with the question whether to subscribe. */
export const subscribeUri = (jid: string): string =>
  `${jidUri(jid)}?pubsub;action=subscribe;node=${NS.microblog}`;

export const blogUri = (jid: string): string => nodeUri(jid, NS.microblog);

export const postUri = (jid: string, id: string): string => itemUri(jid, NS.microblog, id);

/** Where browsers speak XMPP (RFC 7395; XEP-0206). */
export const webSocketPath = "/xmpp-websocket";
export const boshPath = "/http-bind";
