/** XEP-0203: Delayed Delivery. */
import { formatDateTime } from "./datetime.ts";
import { NS } from "./ns.ts";
import { xml, type Element } from "./xml.ts";

/** `<delay/>`: `from` is the address of who held the stanza back, `stamp` when it was sent. */
export function delayElement(from: string, stamp: Date): Element {
  return xml("delay", { xmlns: NS.delay, from, stamp: formatDateTime(stamp) });
}
