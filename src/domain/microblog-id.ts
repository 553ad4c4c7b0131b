/** The names of a post: the item's id, which is the permalink's too, and the identifier that it keeps wherever it goes. */
import { randomInt } from "node:crypto";
import { domainToASCII } from "node:url";

/** Characters of the words in an id; with the random end it stays below the 64 that we promise, and readable. */
const slugMaximum = 50;
const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz";
/** Movim does not take comments on ids of less than six characters, nor on ids with white space. */
const randomLength = 6;

/** A new item id, like `tea-and-xml-7qk2zp`: words of the title and six random characters, in `[a-z0-9-]`. */
export function newItemId(title: string): string {
  let id = slug(title) + "-";
  for (let left = randomLength; left > 0; left -= 1) id += alphabet[randomInt(alphabet.length)];
  return id;
}

function slug(title: string): string {
  const words = title
    .slice(0, slugMaximum * 4)
    .normalize("NFKD")
    .replace(/[\p{M}'’]/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
  if (words.length <= slugMaximum) return words || "post";
  const end = words.lastIndexOf("-", slugMaximum);
  return words.slice(0, end > 0 ? end : slugMaximum);
}

/** RFC 4151: a `tag:` URI, minted on a day on which the domain was ours. */
export function tagUri(domain: string, day: Date, id: string): string {
  return `tag:${domainToASCII(domain)},${day.toISOString().slice(0, 10)}:${encodeURIComponent(id)}`;
}

/** Where a post is on the web. `url` is the node's public base URL, `author` a bare JID. */
export function permalink(url: string, author: string, id: string): string {
  const local = author.slice(0, author.lastIndexOf("@"));
  return `${url.replace(/\/$/, "")}/@${encodeURIComponent(local)}/${encodeURIComponent(id)}`;
}
