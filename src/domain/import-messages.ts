/** XEP-0227 §4.5 and §4.11: messages put back into an archive, and into what waits, as old as they are. */
import { crc32 } from "node:zlib";
import { messageStore, type MessageRow } from "../store/messages.ts";
import type { Store } from "../store/store.ts";
import { parseDateTime } from "../xmpp/datetime.ts";
import { firstOrderOf, idOf, orderOf } from "../xmpp/id.ts";
import { parseJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, children, copy, serialize, xml, type Element } from "../xmpp/xml.ts";
import { messageIdOf } from "./archive.ts";
import type { FullText } from "./full-text.ts";

/** Messages written at once, and their length in UTF-16 units: a node that runs stands still for some 50 ms meanwhile. */
const batchSize = 500;
const batchLength = 2_097_152;
/** Messages in a row whose file says that they are of the same time keep their order; more than there ever are. */
const maxOfOneTime = 1_000_000;

export class MessageImport {
  readonly #store: Store;
  readonly #fullText: FullText;
  readonly #account: string;
  readonly #domain: string;
  #batch: Omit<MessageRow, "position">[] = [];
  #length = 0;
  /** The position that was given last. */
  #last = Number.MIN_SAFE_INTEGER;

  constructor({ store, fullText }: { store: Store; fullText: FullText }, account: string) {
    this.#store = store;
    this.#fullText = fullText;
    this.#account = account;
    this.#domain = account.slice(account.indexOf("@") + 1);
  }

  /** Takes away what came of an import that was interrupted: what is older than the account is here. */
  async startOver(begunAt: Date): Promise<void> {
    const rows = messageStore(this.#store);
    for (;;) {
      const gone = await rows.clearOlder(this.#account, begunAt, batchSize);
      if (gone.length === 0) return;
      await this.#fullText.remove(gone);
    }
  }

  /** A `<result/>` of an archive; `false` where it is none. */
  async archived(result: Element): Promise<boolean> {
    const forwarded = child(result, "forwarded", NS.forward);
    const message = forwarded && child(forwarded, "message", NS.client);
    const stamp = forwarded && child(forwarded, "delay", NS.delay);
    const at = stamp && parseDateTime(attr(stamp, "stamp") ?? "");
    return message !== undefined && at !== undefined && this.#add(message, at, true, attr(result, "id"));
  }

  /** A message that waited; `false` where it is none. */
  async waiting(message: Element): Promise<boolean> {
    if (message.name !== "message") return false;
    if (await this.#waitsInArchive(message)) return true;
    const delays = children(message, "delay", NS.delay);
    const ours = delays.find((delay) => attr(delay, "from") === this.#domain);
    const at = parseDateTime(attr(ours ?? delays[0] ?? message, "stamp") ?? "") ?? new Date();
    return this.#add(without(message, ours), at, false);
  }

  /** Whether it is one of the archive, which waits from now on. */
  async #waitsInArchive(message: Element): Promise<boolean> {
    const id = this.#stanzaIdOf(message);
    const position = id === undefined ? undefined : orderOf(id);
    if (position === undefined) return false;
    await this.flush();
    const rows = messageStore(this.#store);
    const known = await rows.find(position);
    if (known?.account !== this.#account || known.id !== id) return false;
    await rows.setWaiting(position);
    return true;
  }

  /** Writes what was collected. */
  async flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    this.#length = 0;
    if (batch.length === 0) return;
    const rows: MessageRow[] = [];
    for (const one of batch) rows.push(await this.#placed(one));
    await messageStore(this.#store).append(() => rows);
    await this.#fullText.add(rows);
  }

  async #add(message: Element, at: Date, archived: boolean, archiveId = ""): Promise<boolean> {
    const from = parseJid(attr(message, "from") ?? this.#account);
    const to = parseJid(attr(message, "to") ?? this.#account);
    if (!from || !to) return false;
    const sent = from.bare === this.#account && to.bare !== this.#account;
    const other = sent ? to : from;
    const messageId = messageIdOf(message);
    const stanza = serialize(inNoStream(without(message, this.#stanzaId(message))));
    this.#batch.push({
      account: this.#account,
      id: archiveId,
      with: other.bare,
      resource: other.resource,
      at,
      sent,
      archived,
      waits: !archived,
      idHash: messageId === undefined ? null : crc32(messageId),
      stanza,
    });
    this.#length += stanza.length;
    if (this.#batch.length >= batchSize || this.#length >= batchLength) await this.flush();
    return true;
  }

  /** With a place that nothing else has: its own where it comes from a Pipit, else the first free one of its time. */
  async #placed(row: Omit<MessageRow, "position">): Promise<MessageRow> {
    const own = orderOf(row.id);
    const rows = messageStore(this.#store);
    if (own !== undefined && own > this.#last && !(await rows.find(own))) {
      this.#last = own;
      return withStanzaId({ ...row, position: own });
    }
    // What only waits is new to the account. Nothing is older than time as ids count it, or comes from the future.
    const time = row.archived ? Math.min(Math.max(row.at.getTime(), 0), Date.now()) : Date.now();
    const first = firstOrderOf(time);
    // Many may be of one time; those of another one begin anew.
    let position = this.#last - first >= 0 && this.#last - first < maxOfOneTime ? this.#last + 1 : first;
    while (await rows.find(position)) position += 1;
    this.#last = position;
    return withStanzaId({ ...row, position, id: idOf(position) });
  }

  #stanzaIdOf(message: Element): string | undefined {
    const found = this.#stanzaId(message);
    return found && attr(found, "id");
  }

  /** That of this account's archive (XEP-0359 §3). */
  #stanzaId(message: Element): Element | undefined {
    return children(message, "stanza-id", NS.stanzaIds).find((one) => attr(one, "by") === this.#account);
  }
}

function without(message: Element, part: Element | undefined): Element {
  if (!part) return message;
  const twin = copy(message);
  twin.children.splice(message.children.indexOf(part), 1);
  return twin;
}

/** The canonical form of a stanza has no namespace of its own (xml.ts). */
const inNoStream = (message: Element): Element => copy(message, { xmlns: undefined });

function withStanzaId(row: MessageRow): MessageRow {
  if (!row.archived) return row;
  const end = row.stanza.lastIndexOf("</message>");
  const id = serialize(xml("stanza-id", { xmlns: NS.stanzaIds, by: row.account, id: row.id }));
  if (end < 0) return { ...row, stanza: `${row.stanza.slice(0, -2)}>${id}</message>` };
  return { ...row, stanza: `${row.stanza.slice(0, end)}${id}</message>` };
}
