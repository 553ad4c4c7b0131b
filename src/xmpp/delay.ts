/** XEP-0203: Delayed Delivery. */
import { formatDateTime } from "./datetime.ts";
import { NS } from "./ns.ts";
import { serialize, xml, type Element } from "./xml.ts";

/** `<delay/>`: `from` is the address of who held the stanza back, `stamp` when it was sent. */
export function delayElement(from: string, stamp: Date): Element {
  return xml("delay", { xmlns: NS.delay, from, stamp: formatDateTime(stamp) });
}

/** In what is serialised, nothing but an element begins like this. */
const known = new RegExp(`<delay [^>]*xmlns="${NS.delay}"`);

/** A serialised stanza that is delivered late; an iq, or what tells already when it was sent, stays as it is. */
export function delayedText(text: string, from: string, stamp: Date): string {
  if (text.startsWith("<iq") || known.test(text)) return text;
  const delay = serialize(delayElement(from, stamp));
  const end = text.lastIndexOf("</");
  if (!text.endsWith("/>")) return text.slice(0, end) + delay + text.slice(end);
  return `${text.slice(0, -2)}>${delay}</${text.slice(1, text.search(/[\s/]/))}>`;
}
