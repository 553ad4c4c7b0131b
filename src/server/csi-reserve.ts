/**
 * XEP-0352 §3.2: stanzas that a client can do without for a while. Of what replaces itself, such as presence, the
 * latest alone is kept; all of it goes out in order before anything that cannot wait.
 */
import { handlingOf } from "../xmpp/message-kind.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, children, type Element } from "../xmpp/xml.ts";
import type { Unacknowledged } from "./stream-management-state.ts";

/** Beyond, they had better be read: a roster's worth of presence, and a lively room's. */
const maxKept = 256;
/** And their length, in UTF-16 units: what may wait at a connection before it counts as slow. */
const maxLength = 262_144;

export class Reserve {
  readonly #kept = new Map<string, Unacknowledged>();
  #count = 0;
  #length = 0;

  get isFull(): boolean {
    return this.#kept.size >= maxKept || this.#length >= maxLength;
  }

  /** `false` where the stanza may not wait. */
  keep(stanza: Element, text: string, archiveId: string | undefined): boolean {
    const topic = stanza.name === "presence" ? topicOfPresence(stanza) : topicOfMessage(stanza);
    if (topic === undefined) return false;
    // What is in an archive is news by itself.
    const key = archiveId === undefined && topic !== "" ? topic : `#${(this.#count += 1)}`;
    this.#length += text.length - (this.#kept.get(key)?.text.length ?? 0);
    this.#kept.delete(key);
    this.#kept.set(key, { text, archiveId, at: Date.now() });
    return true;
  }

  /** What is kept, in order. */
  get kept(): Iterable<Unacknowledged> {
    return this.#kept.values();
  }

  /** What was kept, in order; it is kept no more. */
  take(): readonly Unacknowledged[] {
    const kept = [...this.#kept.values()];
    this.#kept.clear();
    this.#length = 0;
    return kept;
  }
}

/** Whose presence it is; `undefined` where it may not wait. */
function topicOfPresence(stanza: Element): string | undefined {
  const type = attr(stanza, "type");
  if (type !== undefined && type !== "unavailable") return undefined;
  // What a room says of the client itself, such as that it has been put out (XEP-0045 §7.2.2).
  const room = child(stanza, "x", NS.mucUser);
  if (room && children(room, "status").some((status) => attr(status, "code") === "110")) return undefined;
  return `presence ${attr(stanza, "from")}`;
}

/** What the message is the latest news of; "" where it replaces nothing, `undefined` where it (or an iq) may not wait. */
function topicOfMessage(stanza: Element): string | undefined {
  if (stanza.name !== "message") return undefined;
  const message = carriedBy(stanza);
  const { important, kind } = handlingOf(message);
  if (important) return undefined;
  const from = attr(message, "from");
  if (kind === "chat-state") return `state ${from} ${attr(message, "to")}`;
  const event = child(message, "event", NS.pubsubEvent);
  return event ? topicOfEvent(event, from) : "";
}

/** One item of a node (XEP-0060 §7.1.2.1, §7.2.2.1); more at once, or what happens to the node itself, replace nothing. */
function topicOfEvent(event: Element, from: string | undefined): string {
  const items = child(event, "items");
  const [item, another] = items ? children(items) : [];
  if (!items || !item || another) return "";
  return `item ${from} ${attr(items, "node")} ${attr(item, "id")}`;
}

/** The message that a carbon is of (XEP-0280), or itself. */
function carriedBy(stanza: Element): Element {
  const carbon = child(stanza, "received", NS.carbons) ?? child(stanza, "sent", NS.carbons);
  const forwarded = carbon && child(carbon, "forwarded", NS.forward);
  return (forwarded && child(forwarded, "message", NS.client)) ?? stanza;
}
