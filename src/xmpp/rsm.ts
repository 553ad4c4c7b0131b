/** XEP-0059: Result Set Management. */
import { StanzaError } from "./errors.ts";
import { NS } from "./ns.ts";
import { child, childText, xml, type Element } from "./xml.ts";

export interface RsmRequest {
  /** How many items at most; 0 asks for the count alone (§2.7). */
  max?: number;
  /** The page behind the item with this id (§2.2). */
  after?: string;
  /** The page in front of the item with this id; "" is the last page (§2.3, §2.5). */
  before?: string;
  /** The page that begins at this position (§2.6). */
  index?: number;
}

export interface RsmResult {
  /** Of the whole set. */
  count?: number;
  /** Of the page; absent where the page is empty (§2.2). */
  first?: { id: string; index?: number };
  last?: string;
}

/** The `<set/>` in a request, if there is one. StanzaError `bad-request` for what is not a number. */
export function parseRsm(parent: Element): RsmRequest | undefined {
  const set = child(parent, "set", NS.rsm);
  if (!set) return undefined;
  const request: RsmRequest = {};
  const max = parseNumber(set, "max");
  const index = parseNumber(set, "index");
  const after = childText(set, "after");
  const before = childText(set, "before");
  if (max !== undefined) request.max = max;
  if (index !== undefined) request.index = index;
  // An empty <after/> asks for the page behind nothing, which is the first.
  if (after) request.after = after;
  if (before !== undefined) request.before = before;
  return request;
}

function parseNumber(set: Element, name: "max" | "index"): number | undefined {
  const value = childText(set, name)?.trim();
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(number)) {
    throw new StanzaError("bad-request", { text: `<${name}/> is not a whole number` });
  }
  return number;
}

/** The `<set/>` of a response. */
export function rsmElement({ count, first, last }: RsmResult): Element {
  const set = xml("set", { xmlns: NS.rsm });
  if (first) set.append(xml("first", { index: first.index?.toString() }, first.id));
  if (last !== undefined) set.append(xml("last", {}, last));
  if (count !== undefined) set.append(xml("count", {}, count.toString()));
  return set;
}
