/** Where the `#words` of a post lead. */
import { tagOf } from "../domain/microblog-markdown.ts";
import type { Post } from "../domain/posts.ts";
import { listingPath, type Listing } from "./addresses.ts";

/** Finds the page of a word in the text, within `scope`; words that are no tags of the post lead nowhere. */
export function tagHrefs({ tags }: Post, scope: Listing, base = ""): (word: string) => string | undefined {
  const known = new Set(tags);
  return (word) => {
    const tag = tagOf(word);
    return tag !== undefined && known.has(tag) ? base + listingPath({ ...scope, tag }) : undefined;
  };
}
