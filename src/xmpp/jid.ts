/**
 * RFC 7622: addresses. Prepared once at the door, compared as strings ever after.
 * Most peers still prepare with stringprep (RFC 6122). What they have prepared passes here unchanged, wherever RFC 7622
 * takes it for an address at all; where the two map differently (ß, ς, compatibility characters), RFC 7622 is followed.
 */
import { isIPv6 } from "node:net";
import { domainToASCII, domainToUnicode } from "node:url";

/** RFC 7622 §3.1: no part is longer than 1023 octets. */
const maxPartBytes = 1023;
/** Addresses remembered in prepared form; a busy node meets some thousands of them over and over. */
const cacheSize = 20_000;
/** Longer ones are not remembered: strangers shall not fill the memory with addresses that they make up. */
const maxCachedLength = 256;

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
  if (value.length > maxCachedLength) return prepare(value);
  // A string of its own: one cut out of a received text would keep the whole of that in memory.
  const own = Buffer.from(value).toString();
  const jid = prepare(own);
  if (!jid) return undefined;
  if (cache.size >= cacheSize) cache = new Map();
  cache.set(own, jid);
  return jid;
}

function prepare(value: string): Jid | undefined {
  if (value.length > maxLength) return undefined;
  // §3.1: the resource begins at the first slash, and only what stands before it is searched for an at-sign.
  const slash = value.indexOf("/");
  const bare = slash < 0 ? value : value.slice(0, slash);
  const at = bare.indexOf("@");
  const local = at < 0 ? "" : prepareLocal(bare.slice(0, at));
  const domain = prepareDomain(bare.slice(at + 1));
  const resource = slash < 0 ? "" : prepareResource(value.slice(slash + 1));
  if (local === undefined || domain === undefined || resource === undefined) return undefined;
  return new Jid(local, domain, resource);
}

/** Three parts and two signs; preparation that makes a part shorter does not make it that much shorter. */
const maxLength = 4 * maxPartBytes;
const fits = (part: string): boolean => part.length > 0 && Buffer.byteLength(part) <= maxPartBytes;

// §3.3.1: printable ASCII without "&'/:<>@
const plainLocal = /^[a-z0-9._~!#$%*+=?^`{|}()[\];,\\-]+$/;
const wide = /[\u3000\uff01-\uffee]/g;
const forbiddenInLocal = [
  // RFC 8264 §4.2: letters, marks and digits only; upper case is gone by now.
  /[^\u0021-\u007e\p{Ll}\p{Lo}\p{Lm}\p{Mn}\p{Mc}\p{Nd}\u00b7\u0375\u05f3\u05f4\u06fd\u06fe\u0f0b\u3007\u30fb]/u,
  /["&'/:<>@]/,
  // RFC 8264 §9: what is not seen, what is not written any more, and the exceptions of RFC 5892 §2.6.
  /[\p{DI}\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff\u0640\u07fa\u302e\u302f\u3031-\u3035\u303b]/u,
  // RFC 5892 appendix A: punctuation that is part of a word, but only between such letters; digits of one kind.
  /(?<!l)\u00b7|\u00b7(?!l)|\u0375(?!\p{sc=Greek})|(?<!\p{sc=Hebrew})[\u05f3\u05f4]/u,
  /(?<![\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Han}])\u30fb/u,
  /[\u0660-\u0669].*[\u06f0-\u06f9]|[\u06f0-\u06f9].*[\u0660-\u0669]/,
];
const rtl = "\\p{sc=Hebrew}\\p{sc=Arabic}\\p{sc=Syriac}\\p{sc=Thaana}\\p{sc=Nko}\\p{sc=Mandaic}\\p{sc=Adlam}";
const rtlCharacter = new RegExp(`[${rtl}]`, "u");
const rtlEnd = new RegExp(`[${rtl}\\p{Nd}]`, "u");
const mark = /\p{Mn}/u;
const ltrLetter = new RegExp(`(?![${rtl}])\\p{L}`, "u");

/** Whether a part with letters that are written from right to left can be read in one way only (RFC 5893 §2). */
function isReadable(local: string): boolean {
  const characters = [...local];
  const last = characters.findLast((character) => !mark.test(character)) ?? "";
  return rtlCharacter.test(characters[0] ?? "") && rtlEnd.test(last) && !ltrLetter.test(local);
}

/** The localpart as in RFC 8265 §3.3 (UsernameCaseMapped): no full-width forms, lower case, composed. */
export function prepareLocal(value: string): string | undefined {
  if (plainLocal.test(value)) return fits(value) ? value : undefined;
  const narrow = value.replace(wide, (character) => character.normalize("NFKC"));
  // Σ by itself: toLowerCase() would look at what is around it, and then ς is another letter.
  const local = narrow.replaceAll("Σ", "σ").toLowerCase().normalize("NFC");
  if (!fits(local) || forbiddenInLocal.some((forbidden) => forbidden.test(local))) return undefined;
  // RFC 8264 §9.17: nothing that has a compatibility equivalent.
  if (local.normalize("NFKC") !== local || (rtlCharacter.test(local) && !isReadable(local))) return undefined;
  return local;
}

const plainResource = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;
// RFC 8264 §4.3 and RFC 3454 C. Unassigned characters pass: what is new to us may be old to those who sent it.
const forbiddenInResource = /^ |[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{DI}\p{NChar}\ufffd]/u;
/** RFC 3454 B.1; in most nicknames they come with an emoji. Stringprep drops them, PRECIS would drop the nickname. */
const mappedToNothing = /[\u00ad\u034f\u1806\u180b-\u180d\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff]/g;

/** The resourcepart as in RFC 8265 §4.2 (OpaqueString): case kept, every space the same (RFC 7622 §3.4). */
export function prepareResource(value: string): string | undefined {
  if (plainResource.test(value)) return fits(value) ? value : undefined;
  // To compose marks takes the square of their number.
  if (value.length > maxLength) return undefined;
  const resource = value
    .replace(mappedToNothing, "")
    .replace(/\p{Zs}/gu, " ")
    .normalize("NFC");
  return fits(resource) && !forbiddenInResource.test(resource) ? resource : undefined;
}

const plainDomain =
  /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;
// What node:url would decode, cut off or drop as in a URL is no part of a domain.
const forbiddenInDomain = /[^a-zA-Z0-9.\-\u0080-\u{10ffff}]/u;

/** The domainpart: lower-case U-labels, no dot at the end, or an IP literal (RFC 7622 §3.2). */
export function prepareDomain(value: string): string | undefined {
  if (plainDomain.test(value) && !value.includes("xn--")) return value;
  if (value.startsWith("[")) return prepareIPv6(value);
  const narrow = value.normalize("NFKC").replace(/[.\u3002]$/, "");
  const lower = narrow.toLowerCase();
  if (plainDomain.test(lower) && !lower.includes("xn--")) return lower;
  if (forbiddenInDomain.test(narrow)) return undefined;
  const ascii = domainToASCII(narrow);
  const unicode = domainToUnicode(ascii);
  // An A-label must be what its U-label makes (RFC 5890 §2.3.2.1).
  if (!plainDomain.test(ascii) || domainToASCII(unicode) !== ascii || /(?:^|\.)-|-(?:\.|$)/.test(unicode)) {
    return undefined;
  }
  return fits(unicode) ? unicode : undefined;
}

function prepareIPv6(value: string): string | undefined {
  const [, address = ""] = /^\[([\da-fA-F:.]+)\]$/.exec(value) ?? [];
  // RFC 5952: one spelling for each.
  return isIPv6(address) ? new URL(`http://[${address}]`).hostname : undefined;
}
