/**
 * What becomes of a message besides being delivered: the one table that archive (XEP-0313 §5.1.1), offline delivery
 * (XEP-0160 §3), carbons (XEP-0280 §6), push (XEP-0357) and client states (XEP-0352 §5.1) all ask.
 */
import { messageType } from "./stanza.ts";
import { NS } from "./ns.ts";
import { attr, child, Element } from "./xml.ts";

export interface Handling {
  readonly kind: string;
  /** It stays in the archives of both sides. */
  readonly archive: boolean;
  /** It waits for who is away. */
  readonly offline: boolean;
  /** The other clients of both sides get a copy. */
  readonly carbon: boolean;
  /** Somebody who is away is woken for it. */
  readonly push: boolean;
  /** An inactive client gets it at once. */
  readonly important: boolean;
}

/** What a message holds, a bit each; what only accompanies other things has none. */
const part = {
  body: 1 << 0,
  subject: 1 << 1,
  encrypted: 1 << 2,
  keys: 1 << 3,
  call: 1 << 4,
  calling: 1 << 5,
  retraction: 1 << 6,
  invitation: 1 << 7,
  reaction: 1 << 8,
  correction: 1 << 9,
  receipt: 1 << 10,
  marker: 1 << 11,
  chatState: 1 << 12,
  event: 1 << 13,
  result: 1 << 14,
  other: 1 << 15,
} as const;
/** What is about another message; a body beside it is for those who do not know that. */
const about = part.retraction | part.reaction;

interface Row extends Handling {
  /** The parts of which one makes a message this kind. */
  readonly has: number;
}

const row = (kind: string, has: number, marks: string): Row => ({
  kind,
  has,
  archive: marks.includes("A"),
  offline: marks.includes("O"),
  carbon: marks.includes("C"),
  push: marks.includes("P"),
  important: marks.includes("!"),
});

/**
 * Chat and normal messages: the first row that fits holds. A: archive, O: offline, C: carbons also where the type is not
 * `chat` (of those that are, all are copied), P: push, !: important.
 */
const rows: readonly Row[] = [
  row("call", part.calling, "AOCP!"),
  row("call-state", part.call, "AOC !"),
  row("retraction", part.retraction, "AOC  "),
  row("invitation", part.invitation, "AOCP!"),
  row("reaction", part.reaction, "AOC  "),
  row("correction", part.correction, "AOCP!"),
  row("encrypted", part.encrypted, "AOCP!"),
  row("body", part.body, "AOCP!"),
  row("keys", part.keys, "AO   "),
  row("subject", part.subject, "AO  !"),
  row("receipt", part.receipt, "AOC  "),
  row("marker", part.marker, "AOC  "),
  row("chat-state", part.chatState, "  C  "),
  row("event", part.event, "     "),
  row("result", part.result, "    !"),
  row("other", part.other, " O  !"),
];
const empty = row("empty", 0, "     ");
const headline = row("headline", 0, "     ");
const room = row("room", part.body | part.encrypted, "   P!");
const roomSubject = row("room-subject", part.subject, "    !");
const roomState = row("room-state", 0, "     ");
/** It is archived and copied where what it answers was (XEP-0280 §6.1); who does that looks. */
const error = row("error", 0, "A C !");

/** XEP-0334 and XEP-0280 §9: what the sender wants otherwise, and that the type is `chat`. */
const wish = { chat: 1, store: 2, noPermanentStore: 4, noStore: 8, noCopy: 16 } as const;

/** Of each row, by the wishes; made when they are first met, so that a message costs no object. */
const variants = new Map<Row, Handling[]>();

/** What becomes of a message. */
export function handlingOf(message: Element): Handling {
  const type = messageType(message);
  // XEP-0334 §5: the hints in an error are those of what it answers.
  if (type === "error") return error;
  let parts = 0;
  let wishes: number = type === "chat" ? wish.chat : 0;
  for (const node of message.children) {
    if (!(node instanceof Element)) continue;
    const xmlns = attr(node, "xmlns");
    if (xmlns === NS.hints) wishes |= wishOf(node.name);
    else if (xmlns === NS.carbons && node.name === "private") wishes |= wish.noCopy;
    else parts |= partOf(node, xmlns);
  }
  if (type === "groupchat") return roomRowOf(parts);
  const found = type === "headline" ? headline : rowOf(parts);
  return wishes === 0 ? found : variantOf(found, wishes);
}

function rowOf(parts: number): Row {
  for (const one of rows) if (parts & one.has) return one;
  return empty;
}

function roomRowOf(parts: number): Row {
  if (parts & about) return roomState;
  if (parts & room.has) return room;
  return parts & roomSubject.has ? roomSubject : roomState;
}

function partOf(node: Element, xmlns: string | undefined): number {
  const { name } = node;
  switch (xmlns) {
    case undefined:
      return name === "body" ? part.body : name === "subject" ? part.subject : 0;
    case NS.encryption:
    case NS.openPgp:
    case NS.legacyOpenPgp:
      return part.encrypted;
    case NS.omemo:
    case NS.legacyOmemo:
      return child(node, "payload") ? part.encrypted : part.keys;
    case NS.jingleMessage:
      return name === "propose" ? part.calling : part.call;
    case NS.retract:
      return name === "retract" ? part.retraction : 0;
    case NS.fasten:
      return child(node, "retract", NS.legacyRetract) ? part.retraction : part.other;
    case NS.conference:
      return part.invitation;
    case NS.mucUser:
      return child(node, "invite") || child(node, "decline") ? part.invitation : part.other;
    case NS.reactions:
      return part.reaction;
    case NS.correct:
      return part.correction;
    case NS.receipts:
      return name === "received" ? part.receipt : 0;
    case NS.chatMarkers:
      return name === "markable" ? 0 : part.marker;
    case NS.chatStates:
      return part.chatState;
    case NS.pubsubEvent:
      return part.event;
    case NS.archive:
    case NS.carbons:
      return part.result;
    case NS.stanzaIds:
    case NS.delay:
    case NS.fallback:
    case NS.reply:
    case NS.nick:
      return 0;
    default:
      return part.other;
  }
}

function wishOf(hint: string): number {
  if (hint === "store") return wish.store;
  if (hint === "no-store") return wish.noStore;
  if (hint === "no-permanent-store") return wish.noPermanentStore;
  return hint === "no-copy" ? wish.noCopy : 0;
}

function variantOf(row: Row, wishes: number): Handling {
  let made = variants.get(row);
  if (!made) variants.set(row, (made = []));
  return (made[wishes] ??= vary(row, wishes));
}

/** To keep less is the stronger wish. */
function vary({ kind, archive, offline, carbon, push, important }: Row, wishes: number): Handling {
  const stored = (wishes & wish.noStore) === 0;
  const store = (wishes & wish.store) !== 0;
  return {
    kind,
    archive: stored && (wishes & wish.noPermanentStore) === 0 && (archive || store),
    offline: stored && (offline || store),
    carbon: (wishes & wish.noCopy) === 0 && (carbon || (wishes & wish.chat) !== 0),
    push: stored && push,
    important,
  };
}
