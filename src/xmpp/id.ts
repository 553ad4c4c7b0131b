/** RFC 9562 §5.7: UUID version 7, for whatever needs an id that sorts by age and cannot be guessed. */
import { randomUUID } from "node:crypto";

let last = 0;
let count = 0;
/** Ids of one millisecond that stay in order by their count; those beyond borrow from the next (§6.2). */
const maxCount = 0xfff;

/** A new id of 36 characters `[0-9a-f-]`, greater than every earlier one of this process; 62 bits are random. */
export function newId(now: number = Date.now()): string {
  if (now > last) {
    last = now;
    count = 0;
  } else if (++count > maxCount) {
    last++;
    count = 0;
  }
  const time = last.toString(16).padStart(12, "0");
  const order = count.toString(16).padStart(3, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${order}${randomUUID().slice(18)}`;
}
