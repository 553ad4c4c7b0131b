/** RFC 6120 §4.7, §4.8: the stream headers of clients and of servers. */
import { randomBytes } from "node:crypto";
import { StreamError } from "../xmpp/errors.ts";
import { parseJid, prepareDomain } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import type { StreamHeader } from "../xmpp/parser.ts";
import { escapeAttribute } from "../xmpp/xml.ts";

/** §4.7.3: an id must not be guessed, for it can be the input of other protocols; this many bytes cannot be. */
const idBytes = 15;

export const newStreamId = (): string => randomBytes(idBytes).toString("base64url");

/** The server's header, with the client's own address where it told one (§4.7.1). */
export const serverHeader = (domain: string, from?: string): string =>
  `<?xml version="1.0"?><stream:stream xmlns="${NS.client}" xmlns:stream="${NS.stream}"` +
  `${serverAttributes(domain, from)}>`;

/** RFC 7395 §3.4: the same on a WebSocket. */
export const openElement = (domain: string, from?: string): string =>
  `<open xmlns="${NS.framing}"${serverAttributes(domain, from)}/>`;

function serverAttributes(domain: string, from: string | undefined): string {
  const to = from !== undefined && parseJid(from) ? ` to="${escapeAttribute(from)}"` : "";
  return ` id="${newStreamId()}" from="${escapeAttribute(domain)}"${to} version="1.0" xml:lang="en"`;
}

export interface PeerHeader {
  readonly from: string;
  readonly to: string | undefined;
  /** Only the answering side gives one. */
  readonly id?: string;
}

/** Our header to another server; it declares dialback (XEP-0220 §2.4.1), with the prefix that old servers insist on. */
export function peerHeader({ from, to, id }: PeerHeader): string {
  const attrs = Object.entries({ id, from, to }).filter(([, value]) => value !== undefined);
  return (
    `<?xml version="1.0"?><stream:stream xmlns="${NS.server}" xmlns:stream="${NS.stream}" xmlns:db="${NS.dialback}"` +
    `${attrs.map(([name, value]) => ` ${name}="${escapeAttribute(value!)}"`).join("")} version="1.0" xml:lang="en">`
  );
}

/**
 * Throws the stream error of another server's header that cannot be honoured, whoever it is from. The content
 * namespace has to be the default one (§4.8.3), as it is with everybody.
 */
export function checkPeerHeader({ name, xmlns, contentXmlns, attrs }: StreamHeader): void {
  checkRoot(name, xmlns);
  if (contentXmlns !== NS.server) throw new StreamError("invalid-namespace");
  checkVersion(attrs);
}

function checkRoot(name: string, xmlns: string): void {
  if (xmlns !== NS.stream) throw new StreamError("invalid-namespace");
  if (name !== "stream") throw new StreamError("bad-format");
}

/** §4.7.5: without a version it is 0.9, which knows neither TLS nor SASL; a higher one than ours gets ours. */
function checkVersion(attrs: Record<string, string>): void {
  if (!/^[1-9]\d*\.\d+$/.test(attrs["version"] ?? "")) throw new StreamError("unsupported-version");
}

/** Throws the stream error of a client's header that cannot be honoured. Any prefix will do (§4.8.5 permits it). */
export function checkClientHeader(header: StreamHeader, domain: string): void {
  const { name, xmlns, contentXmlns, attrs } = header;
  checkRoot(name, xmlns);
  // §4.8.3: without a default namespace, or with that of the stream itself, each stanza names its own.
  if (contentXmlns !== undefined && contentXmlns !== NS.client && contentXmlns !== NS.stream)
    throw new StreamError("invalid-namespace");
  checkAttributes(attrs, domain);
}

/** The part of it that is the same on every transport (§4.7.2, §4.7.5). */
export function checkAttributes(attrs: Record<string, string>, domain: string): void {
  const to = attrs["to"];
  if (to === undefined) throw new StreamError("improper-addressing", "The header has no 'to' address");
  const host = prepareDomain(to);
  if (host === undefined) throw new StreamError("improper-addressing");
  if (host !== domain) throw new StreamError("host-unknown");
  checkVersion(attrs);
}

/** BCP 47, by its shape. */
const languageTag = /^[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*$/;

/** The language that the client's header declares for what it sends (§4.7.4). */
export function languageOf(header: StreamHeader): string | undefined {
  const language = header.attrs["xml:lang"];
  return language !== undefined && language.length <= 35 && languageTag.test(language) ? language : undefined;
}
