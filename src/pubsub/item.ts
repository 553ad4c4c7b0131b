/** An item as the store keeps it, and as everybody else sees it. */
import type { ItemRow } from "../store/pubsub.ts";
import { parseElement } from "../xmpp/parser.ts";
import { attr, copy, namespaceOf, serialize, type Element } from "../xmpp/xml.ts";
import type { Item } from "./events.ts";

/** A stored item; its payload is parsed when somebody looks at it. */
export function itemFrom(row: ItemRow): Item {
  let payload: Element | undefined;
  return {
    service: row.service,
    node: row.node,
    id: row.id,
    publisher: row.publisher,
    publishedAt: row.publishedAt,
    get payload() {
      if (row.payload === null) return undefined;
      return (payload ??= parseElement(row.payload));
    },
  };
}

/** The payload with its namespace written on it, so that it stands by itself. */
export function standalone(payload: Element): Element {
  if (attr(payload, "xmlns") !== undefined) return payload;
  return copy(payload, { xmlns: namespaceOf(payload) });
}

/** The row for an item that is about to be stored. */
export function rowOf(item: Item, position: string, expiresAt: Date | null): ItemRow {
  return {
    service: item.service,
    node: item.node,
    id: item.id,
    position,
    publisher: item.publisher,
    payload: item.payload ? serialize(item.payload) : null,
    publishedAt: item.publishedAt,
    expiresAt,
  };
}

/**
 * The place of a new item behind `last`: microseconds since 1970 in 16 digits, so that text order is publish order
 * (§12.1), also for two items in one millisecond and after a clock that was set back.
 */
export function positionAfter(last: string | undefined, now: Date): string {
  const position = String(now.getTime() * 1000).padStart(16, "0");
  return last === undefined || position > last ? position : String(Number(last) + 1).padStart(16, "0");
}
