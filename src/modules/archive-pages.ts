/** XEP-0313 §4.3: which messages of an archive a query gets, and how much of them at once. */
import { everything, type Archive } from "../domain/archive.ts";
import type { FullText } from "../domain/full-text.ts";
import type { MessageFilter, MessageRow } from "../store/messages.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { firstOrderOf, orderOf } from "../xmpp/id.ts";
import { parseRsm, type RsmRequest } from "../xmpp/rsm.ts";
import type { Element } from "../xmpp/xml.ts";
import { wantedIn, type Wanted } from "./archive-form.ts";

/** Messages of a page where the client does not say, and where it wants all. */
const usualPage = 50;
const maxPage = 250;
/** Their length in all, in UTF-16 units: a quarter of what may wait for a client that does not read. */
const maxPageLength = 524_288;
/** More are not counted one by one. */
const maxCount = 10_000;
/** A clock that was set back by more than this leaves messages that are not found by their end, in milliseconds. */
const maxClockError = 86_400_000;

export interface Answer {
  /** The oldest first. */
  readonly rows: readonly MessageRow[];
  /** It was not the size of the page that ended it. */
  readonly complete: boolean;
  /** `false`: the same question may find more, soon. */
  readonly stable: boolean;
  readonly count: number | undefined;
  /** It was the archive that was asked for, and not something in it. */
  readonly isCatchUp: boolean;
}

/**
 * Answers a query of an account. StanzaErrors of the form, `item-not-found` where an id is not in the archive, and
 * `feature-not-implemented` for a page by its position.
 */
export async function ask(
  account: string,
  query: Element,
  archive: Archive,
  fullText: FullText,
): Promise<Answer> {
  const wanted = wantedIn(query);
  const rsm = parseRsm(query) ?? {};
  // XEP-0059 §2.6: nobody counts what is in front of a message.
  if (rsm.index !== undefined)
    throw new StanzaError("feature-not-implemented", { text: "An archive has no positions" });
  const bounds = await boundsOf(account, wanted, rsm, archive);
  const filter: MessageFilter = {
    ...bounds,
    start: wanted.start ?? everything.start,
    end: wanted.end ?? everything.end,
    with: wanted.with?.bare,
    resource: wanted.with?.resource || undefined,
  };
  const isCatchUp = !wanted.with && !wanted.ids && wanted.words === undefined;
  const limit = Math.min(rsm.max ?? usualPage, maxPage);
  if (limit === 0) {
    const count = await countOf(account, wanted, filter, archive, fullText);
    return { rows: [], complete: count === 0, stable: true, count, isCatchUp: false };
  }
  const from = rsm.before === undefined ? "start" : "end";
  const page = { from, limit: limit + 1 } as const;
  let stable = true;
  let found: MessageRow[];
  if (wanted.words !== undefined)
    ({ rows: found, stable } = await fullText.page(account, wanted.words, filter, page));
  else if (wanted.ids) found = cut(await rowsOf(account, wanted.ids, filter, archive), from, limit + 1);
  else found = await archive.page(account, filter, page);
  const rows = fit(cut(found, from, limit), from);
  const complete = rows.length === found.length;
  const isWhole = complete && rsm.after === undefined && !rsm.before;
  return { rows, complete, stable, count: isWhole ? rows.length : undefined, isCatchUp };
}

/** Between which positions. All ids that are given have to be there. */
async function boundsOf(
  account: string,
  { afterId, beforeId, start, end }: Wanted,
  rsm: RsmRequest,
  archive: Archive,
): Promise<{ after: number; before: number }> {
  const positionOf = async (id: string): Promise<number> => {
    if (!(await archive.get(account, id))) throw notFound();
    return orderOf(id)!;
  };
  let { after, before } = everything;
  // No message has an id that is older than itself; it may have a newer one, where the clock was set back.
  if (start) after = firstOrderOf(start.getTime()) - 1;
  if (end) before = firstOrderOf(end.getTime() + maxClockError);
  for (const id of [afterId, rsm.after]) if (id) after = Math.max(after, await positionOf(id));
  for (const id of [beforeId, rsm.before]) if (id) before = Math.min(before, await positionOf(id));
  return { after, before };
}

async function rowsOf(
  account: string,
  ids: readonly string[],
  filter: MessageFilter,
  archive: Archive,
): Promise<MessageRow[]> {
  const rows = (await archive.some(account, ids)).filter(({ archived }) => archived);
  if (rows.length < ids.length) throw notFound();
  return rows.filter((row) => isWithin(row, filter));
}

function isWithin(
  row: MessageRow,
  { after, before, start, end, with: other, resource }: MessageFilter,
): boolean {
  if (row.position <= after || row.position >= before || row.at < start || row.at > end) return false;
  return (other === undefined || row.with === other) && (resource === undefined || row.resource === resource);
}

async function countOf(
  account: string,
  { ids, words }: Wanted,
  filter: MessageFilter,
  archive: Archive,
  fullText: FullText,
): Promise<number> {
  if (words !== undefined) {
    const page = { from: "start", limit: maxCount } as const;
    return (await fullText.page(account, words, filter, page)).rows.length;
  }
  if (ids) return (await rowsOf(account, ids, filter, archive)).length;
  return archive.count(account, filter, maxCount);
}

const cut = (rows: MessageRow[], from: "start" | "end", limit: number): MessageRow[] =>
  rows.length <= limit ? rows : from === "start" ? rows.slice(0, limit) : rows.slice(-limit);

/** As many as may be sent at once; one at least. */
function fit(rows: MessageRow[], from: "start" | "end"): MessageRow[] {
  let length = 0;
  const ordered = from === "start" ? rows : rows.toReversed();
  const end = ordered.findIndex(({ stanza }, at) => (length += stanza.length) > maxPageLength && at > 0);
  return end < 0 ? rows : cut(rows, from, end);
}

const notFound = (): StanzaError =>
  new StanzaError("item-not-found", { text: "There is no such message in this archive" });
