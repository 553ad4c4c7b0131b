/** What kind of picture some bytes are, by how they begin, and their digest. */
import { createHash } from "node:crypto";

const signatures: readonly (readonly [type: string, pattern: RegExp])[] = [
  ["image/png", /^\x89PNG\r\n\x1a\n/],
  ["image/jpeg", /^\xff\xd8\xff/],
  ["image/gif", /^GIF8[79]a/],
  ["image/webp", /^RIFF[^]{4}WEBP/],
  ["image/avif", /^[^]{4}ftypavi[fs]/],
];

/** The media type; `undefined` where it is none that browsers show as a picture. */
export function imageType(data: Buffer): string | undefined {
  const begin = data.toString("latin1", 0, 16);
  return signatures.find(([, pattern]) => pattern.test(begin))?.[0];
}

/** XEP-0084 §4.2: how avatars are named. */
export const imageHash = (data: Buffer): string => createHash("sha1").update(data).digest("hex");

/** The bytes of base64 text, whose line breaks do not matter; `undefined` where it is none, or says nothing. */
export function fromBase64(text: string): Buffer | undefined {
  const dense = text.replace(/\s+/g, "");
  const isBase64 = /^[A-Za-z0-9+/]+={0,2}$/.test(dense) && dense.replace(/=+$/, "").length % 4 !== 1;
  return isBase64 ? Buffer.from(dense, "base64") : undefined;
}
