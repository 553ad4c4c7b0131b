/** A post as it is read: an article has a heading of its own above the body, a note has none. */
import type { Post } from "../domain/posts.ts";
import { plainText } from "./html.ts";

export interface Article {
  readonly title: string | undefined;
  readonly html: string;
}

/** Markdown begins an article with a heading; it becomes the title, so that it is not read twice. */
export function articleOf({ titled, title, html }: Pick<Post, "titled" | "title" | "html">): Article {
  if (titled) return { title, html };
  const [, , heading, body] = /^<h([1-6])>(.*?)<\/h\1>\s*(.+)$/s.exec(html) ?? [];
  if (heading === undefined || body === undefined) return { title: undefined, html };
  return { title: plainText(heading), html: body };
}
