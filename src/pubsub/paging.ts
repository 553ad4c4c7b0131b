/** XEP-0059 over a node's items: pages of a result set whose first item is the newest. */
import { pubsubStore, type ItemRange, type ItemRow } from "../store/pubsub.ts";
import { StanzaError } from "../xmpp/errors.ts";
import type { RsmRequest } from "../xmpp/rsm.ts";
import type { Item, PubSubNode } from "./events.ts";
import { itemFrom } from "./item.ts";
import type { Engine } from "./pubsub.ts";

/** Items in one answer; a client that wants more turns the page. */
const itemsMaximum = 500;
/** Payloads in one answer, in UTF-16 units: what a client parses without a stutter, and an s2s peer may refuse beyond. */
const payloadsMaximum = 1_048_576;
/** Items read at once. */
const step = 50;

export interface Page<Entry> {
  readonly entries: readonly Entry[];
  readonly count: number;
  /** Where the first entry stands in the whole set; `undefined` where there is none. */
  readonly index: number | undefined;
}

/** Items newest first (XEP-0060 §6.5.7); `item-not-found` where the cursor names no item. */
export function itemPage(engine: Engine, node: PubSubNode, rsm: RsmRequest): Promise<Page<Item>> {
  return pageOf(engine, node, rsm, async (range, now) => {
    const rows = await sizeable(inSteps(engine, node, range, now));
    return (range.fromOldest ? rows.reverse() : rows).map(itemFrom);
  });
}

/** Those of the items that there are, in the order asked for. */
export async function itemsById(engine: Engine, node: PubSubNode, ids: readonly string[]): Promise<Item[]> {
  const wanted = [...new Set(ids)].slice(0, itemsMaximum);
  return (await sizeable(byIds(engine, node, wanted))).map(itemFrom);
}

/** Their ids alone, for disco#items (§5.5). */
export function idPage(engine: Engine, node: PubSubNode, rsm: RsmRequest): Promise<Page<{ id: string }>> {
  return pageOf(engine, node, rsm, (range, now) =>
    pubsubStore(engine.store).idPage(node.service, node.node, range, now),
  );
}

async function pageOf<Entry>(
  engine: Engine,
  { service, node }: PubSubNode,
  rsm: RsmRequest,
  read: (range: ItemRange, now: Date) => Promise<Entry[]>,
): Promise<Page<Entry>> {
  const now = engine.now();
  const repository = pubsubStore(engine.store);
  const count = await repository.itemCount(service, node, now);
  const limit = Math.min(rsm.max ?? itemsMaximum, itemsMaximum);
  const page = (entries: Entry[], index: number): Page<Entry> => ({
    entries,
    count,
    index: entries.length > 0 ? index : undefined,
  });
  if (limit === 0) return page([], 0);
  const cursor = rsm.after ?? (rsm.before || undefined);
  if (cursor !== undefined) {
    const [row] = await repository.items(service, node, [cursor], now);
    if (!row) throw new StanzaError("item-not-found", { text: "The page begins at no item of this node" });
    const { position } = row;
    const newer = await repository.newerCount(service, node, position, now);
    if (rsm.after !== undefined) return page(await read({ olderThan: position, limit }, now), newer + 1);
    const entries = await read({ newerThan: position, fromOldest: true, limit }, now);
    return page(entries, newer - entries.length);
  }
  if (rsm.before === "") {
    const entries = await read({ fromOldest: true, limit }, now);
    return page(entries, count - entries.length);
  }
  const skip = rsm.index ?? 0;
  if (skip > 0 && skip >= count) throw new StanzaError("item-not-found", { text: "There are not so many" });
  return page(await read({ skip, limit }, now), skip);
}

/** The rows of a range, from the end that it is asked from. */
async function* inSteps(
  engine: Engine,
  { service, node }: PubSubNode,
  range: ItemRange,
  now: Date,
): AsyncGenerator<ItemRow> {
  let next = range;
  for (let left = range.limit; left > 0; left -= step) {
    const limit = Math.min(step, left);
    const page = await pubsubStore(engine.store).page(service, node, { ...next, limit }, now);
    const rows = range.fromOldest ? page.reverse() : page;
    yield* rows;
    const last = rows.at(-1);
    if (!last || rows.length < limit) return;
    const onwards = range.fromOldest ? { newerThan: last.position } : { olderThan: last.position };
    next = { ...range, ...onwards, skip: 0 };
  }
}

async function* byIds(
  engine: Engine,
  { service, node }: PubSubNode,
  ids: readonly string[],
): AsyncGenerator<ItemRow> {
  for (let start = 0; start < ids.length; start += step) {
    const some = ids.slice(start, start + step);
    const rows = await pubsubStore(engine.store).items(service, node, some, engine.now());
    yield* rows.sort((a, b) => some.indexOf(a.id) - some.indexOf(b.id));
  }
}

/** As many rows as one answer bears, at least one. They are read in steps, so that few more are ever in memory. */
async function sizeable(rows: AsyncIterable<ItemRow>): Promise<ItemRow[]> {
  const kept: ItemRow[] = [];
  let size = 0;
  for await (const row of rows) {
    size += row.payload?.length ?? 0;
    if (size > payloadsMaximum && kept.length > 0) break;
    kept.push(row);
  }
  return kept;
}
