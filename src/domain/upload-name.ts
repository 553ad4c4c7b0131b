/** Names of uploaded files: what a client says, made into the last segment of a link. */
import { legalText } from "../xmpp/xml.ts";

/** Bytes of a name; file systems take 255, and each may become three characters of the link. */
const maximum = 200;
/** Characters behind the last dot that are kept where a name is cut. */
const endingMaximum = 16;
/** Controls, and marks that make a name read otherwise than it is (`exe.gpj`). */
const deceptive = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** The file's own name, without folders and without what deceives; `file` where nothing is left. */
export function uploadName(said: string): string {
  const last = legalText(said).normalize("NFC").split(/[/\\]/).at(-1) ?? "";
  const name = last.replace(deceptive, "").trim();
  // In an address one dot or two would be a folder.
  return /^\.{0,2}$/.test(name) ? "file" : shortened(name);
}

function shortened(name: string): string {
  if (Buffer.byteLength(name) <= maximum) return name;
  const dot = name.lastIndexOf(".");
  const ending = dot > 0 && name.length - dot <= endingMaximum + 1 ? name.slice(dot) : "";
  let start = "";
  let room = maximum - Buffer.byteLength(ending);
  for (const character of name) {
    room -= Buffer.byteLength(character);
    if (room < 0) break;
    start += character;
  }
  return start + ending;
}

/**
 * Percent-encoded for a link (RFC 3986 §2.3), and for a header (RFC 8187 §3.2.1). Brackets too, which those who make
 * links out of words leave off at the end.
 */
export const encodedName = (name: string): string =>
  encodeURIComponent(name).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
