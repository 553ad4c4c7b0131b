/** XEP-0227 §4.5 and §4.11: what an account has in its archive, and what waits for it. */
import { messageStore, type MessageRow } from "../store/messages.ts";
import type { Store } from "../store/store.ts";
import { formatDateTime } from "../xmpp/datetime.ts";
import { delayedText } from "../xmpp/delay.ts";
import { NS } from "../xmpp/ns.ts";
import { everything } from "./archive.ts";

/** Messages read at once. */
const pageSize = 200;

/** §4.11: the oldest first. */
export async function* archivedMessages(store: Store, account: string): AsyncGenerator<string> {
  const rows = messageStore(store);
  for (let after = everything.after; ;) {
    const page = await rows.page(account, { ...everything, after }, { from: "start", limit: pageSize });
    if (page.length === 0) return;
    after = page.at(-1)!.position;
    yield page.map(resultText).join("");
  }
}

const resultText = ({ id, at, stanza }: MessageRow): string =>
  `<result xmlns="${NS.archive}" id="${id}"><forwarded xmlns="${NS.forward}">` +
  `<delay xmlns="${NS.delay}" stamp="${formatDateTime(at)}"/>${asClients(stanza)}</forwarded></result>\n`;

/** §4.5: the oldest first; those that are in the archive too are told by their stanza-id. */
export async function* waitingMessages(
  store: Store,
  domain: string,
  account: string,
): AsyncGenerator<string> {
  const rows = messageStore(store);
  for (let after = everything.after; ;) {
    const page = await rows.waitingRows(account, after, pageSize);
    if (page.length === 0) return;
    after = page.at(-1)!.position;
    yield page.map(({ at, stanza }) => `${asClients(delayedText(stanza, domain, at))}\n`).join("");
  }
}

/** Stored stanzas are in the namespace of no stream (xml.ts). */
const asClients = (stanza: string): string => stanza.replace("<message", `<message xmlns="${NS.client}"`);
