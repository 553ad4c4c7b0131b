/** XEP-0402 and XEP-0048: bookmarks of rooms, in the form of today (an item each) and in the older ones (one list). */
import { parseJid } from "./jid.ts";
import { NS } from "./ns.ts";
import { attr, children, childText, copy, namespaceOf, xml, type Element } from "./xml.ts";

/** What both forms can say of a room. */
export interface Bookmark {
  /** The room: the id of the item. */
  readonly jid: string;
  readonly name: string | undefined;
  readonly autojoin: boolean;
  readonly nick: string | undefined;
  readonly password: string | undefined;
}

/** A `<conference/>` of either form, which names its room itself or stands in an item of that id. */
function bookmarkOf(conference: Element, jid: string): Bookmark {
  const autojoin = attr(conference, "autojoin");
  return {
    jid,
    name: attr(conference, "name") || undefined,
    autojoin: autojoin === "true" || autojoin === "1",
    nick: childText(conference, "nick") || undefined,
    password: childText(conference, "password") || undefined,
  };
}

const isNative = (payload: Element): boolean =>
  payload.name === "conference" && namespaceOf(payload) === NS.bookmarks;

/** XEP-0402: the bookmark in an item; `undefined` where it holds something else. */
export const readNative = (id: string, payload: Element | undefined): Bookmark | undefined =>
  payload && isNative(payload) ? bookmarkOf(payload, id) : undefined;

/** The payload for a bookmark. What `previous` says beside it stays, its `<extensions/>` above all. */
export function nativeElement(bookmark: Bookmark, previous?: Element): Element {
  const { name, autojoin, nick, password } = bookmark;
  const attrs = { name, autojoin: autojoin ? "true" : undefined };
  const element = previous && isNative(previous) ? copy(previous, attrs) : conference(NS.bookmarks, attrs);
  element.children = element.children.filter(
    (node) => typeof node === "string" || (node.name !== "nick" && node.name !== "password"),
  );
  return fill(element, nick, password);
}

function conference(xmlns: string | undefined, attrs: Record<string, string | undefined>): Element {
  return xml("conference", xmlns === undefined ? attrs : { xmlns, ...attrs });
}

function fill(element: Element, nick: string | undefined, password: string | undefined): Element {
  if (nick !== undefined) element.append(xml("nick", {}, nick));
  if (password !== undefined) element.append(xml("password", {}, password));
  return element;
}

/** The older list, in private storage and in its own node alike. */
export interface BookmarkList {
  /** By room, in their order. */
  readonly bookmarks: ReadonlyMap<string, Bookmark>;
  /** Bookmarks of pages, and whatever else stands there. */
  readonly rest: readonly Element[];
}

/** XEP-0048: `undefined` where the element is no such list. */
export function readList(storage: Element): BookmarkList | undefined {
  if (storage.name !== "storage" || namespaceOf(storage) !== NS.legacyBookmarks) return undefined;
  const bookmarks = new Map<string, Bookmark>();
  const rest: Element[] = [];
  for (const one of children(storage)) {
    const isRoom = one.name === "conference" && namespaceOf(one) === NS.legacyBookmarks;
    const jid = isRoom ? parseJid(attr(one, "jid") ?? "")?.full : undefined;
    if (jid !== undefined) bookmarks.set(jid, bookmarkOf(one, jid));
    else rest.push(one);
  }
  return { bookmarks, rest };
}

export function listElement({ bookmarks, rest }: BookmarkList): Element {
  const storage = xml("storage", { xmlns: NS.legacyBookmarks });
  for (const { jid, name, autojoin, nick, password } of bookmarks.values())
    storage.append(fill(conference(undefined, { jid, name, autojoin: String(autojoin) }), nick, password));
  for (const one of rest) storage.append(copy(one));
  return storage;
}

export const sameBookmark = (one: Bookmark | undefined, other: Bookmark | undefined): boolean =>
  one?.jid === other?.jid &&
  one?.name === other?.name &&
  one?.autojoin === other?.autojoin &&
  one?.nick === other?.nick &&
  one?.password === other?.password;
