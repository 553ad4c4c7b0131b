/**
 * RFC 7622: addresses. Prepared once at the door, compared as strings ever after.
 * Peers still prepare with stringprep (RFC 6122), so parts are folded so that both profiles agree on what is equal.
 */
import { domainToASCII, domainToUnicode } from "node:url";

/** RFC 7622 §3.1: no part is longer than 1023 octets. */
const maxPartBytes = 1023;
/** Addresses remembered in prepared form; a busy node meets some thousands of them over and over. */
const cacheSize = 20_000;

export class Jid {
  readonly local: string;
  readonly domain: string;
  readonly resource: string;
  /** `local@domain`, or the domain alone. */
  readonly bare: string;
  /** The whole address. */
  readonly full: string;

  constructor(local: string, domain: string, resource: string) {
    this.local = local;
    this.domain = domain;
    this.resource = resource;
    this.bare = local ? `${local}@${domain}` : domain;
    this.full = resource ? `${this.bare}/${resource}` : this.bare;
  }

  get isBare(): boolean {
    return this.resource === "";
  }

  toBare(): Jid {
    return this.resource ? new Jid(this.local, this.domain, "") : this;
  }

  withResource(resource: string): Jid {
    return new Jid(this.local, this.domain, resource);
  }

  toString(): string {
    return this.full;
  }
}

let cache = new Map<string, Jid>();

/** The prepared address, or `undefined` where it is malformed. */
export function parseJid(value: string): Jid | undefined {
  const known = cache.get(value);
  if (known) return known;
  const jid = prepare(value);
  if (!jid) return undefined;
  if (cache.size >= cacheSize) cache = new Map();
  cache.set(value, jid);
  return jid;
}

function prepare(value: string): Jid | undefined {
  // RFC 7622 §3.2: the resource begins at the first slash, and only what stands before it is searched for an at-sign.
  const slash = value.indexOf("/");
  const bare = slash < 0 ? value : value.slice(0, slash);
  const at = bare.indexOf("@");
  const local = at < 0 ? "" : prepareLocal(bare.slice(0, at));
  const domain = prepareDomain(bare.slice(at + 1));
  const resource = slash < 0 ? "" : prepareResource(value.slice(slash + 1));
  if (local === undefined || domain === undefined || resource === undefined) return undefined;
  if ((at >= 0 && !local) || (slash >= 0 && !resource)) return undefined;
  return new Jid(local, domain, resource);
}

const plainLocal = /^[a-z0-9._~!#$%*+=?^`{|}()[\];,\\-]+$/;
// RFC 7622 §3.3.1, and what RFC 6122 appendix A.5 prohibits as well.
const forbiddenInLocal = /["&'/:<>@\s\p{C}\p{Zs}]/u;
const plainResource = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;
const plainDomain = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

const fits = (part: string): boolean => part.length > 0 && Buffer.byteLength(part) <= maxPartBytes;

/** The localpart in prepared form: compatibility-normalised and case-folded. */
export function prepareLocal(value: string): string | undefined {
  if (plainLocal.test(value)) return fits(value) ? value : undefined;
  const folded = value.normalize("NFKC").toLowerCase().normalize("NFKC");
  return fits(folded) && !forbiddenInLocal.test(folded) ? folded : undefined;
}

/** The resourcepart in prepared form: case kept (RFC 7622 §3.4). */
export function prepareResource(value: string): string | undefined {
  if (plainResource.test(value)) return fits(value) ? value : undefined;
  const spaced = value.replace(/\p{Zs}/gu, " ").normalize("NFKC");
  return fits(spaced) && !/\p{C}/u.test(spaced) ? spaced : undefined;
}

/** The domainpart in prepared form: lower-case U-labels, or an IP literal (RFC 7622 §3.2). */
export function prepareDomain(value: string): string | undefined {
  const dotless = value.endsWith(".") ? value.slice(0, -1) : value;
  if (plainDomain.test(dotless) && !dotless.includes("xn--")) return dotless;
  if (/^\[[0-9a-fA-F:.]+\]$/.test(dotless)) return dotless.toLowerCase();
  const unicode = domainToUnicode(dotless.normalize("NFKC").toLowerCase());
  return fits(unicode) && plainDomain.test(domainToASCII(unicode)) ? unicode : undefined;
}
