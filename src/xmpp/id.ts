/** RFC 9562 §5.7: UUID version 7, for whatever needs an id that sorts by age and cannot be guessed. */
import { randomUUID } from "node:crypto";

let last = 0;
let count = 0;
/** Ids of one millisecond that stay in order by their count; those beyond borrow from the next (§6.2). */
const maxCount = 0xfff;
/** The year 2020, from which on orders are counted, so that they stay below 2^53. */
const epoch = Date.UTC(2020);

/** A new id of 36 characters `[0-9a-f-]`, greater than every earlier one of this process; 62 bits are random. */
export function newId(now: number = Date.now()): string {
  if (now > last) {
    last = now;
    count = 0;
  } else if (++count > maxCount) {
    last++;
    count = 0;
  }
  return idFrom(last, count);
}

/**
 * A number that sorts as the id does, unique as it is in this process and safe to calculate with until the year 2089:
 * its time and count. `undefined` where the text is no such id.
 */
export function orderOf(id: string): number | undefined {
  if (!/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-/.test(id)) return undefined;
  const time = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
  return firstOrderOf(time) + Number.parseInt(id.slice(15, 18), 16);
}

/** A new id of that order, as one that was made at its time would be. */
export function idOf(order: number): string {
  const time = Math.floor(order / (maxCount + 1)) + epoch;
  return idFrom(time, order - firstOrderOf(time));
}

function idFrom(time: number, order: number): string {
  const digits = time.toString(16).padStart(12, "0");
  const counted = order.toString(16).padStart(3, "0");
  return `${digits.slice(0, 8)}-${digits.slice(8)}-7${counted}${randomUUID().slice(18)}`;
}

/** The least `orderOf` of ids that are made at a time, in milliseconds since 1970. */
export function firstOrderOf(time: number): number {
  return (time - epoch) * (maxCount + 1);
}

/** New ids come after the one of this order, also where the clock has gone back since it was made. */
export function continueAfter(order: number): void {
  const time = Math.floor(order / (maxCount + 1)) + epoch;
  if (time < last) return;
  count = time === last ? Math.max(count, order - firstOrderOf(time)) : order - firstOrderOf(time);
  last = time;
}
