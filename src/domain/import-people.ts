/** XEP-0227 §4.4–4.9: whom an account knows, blocks and follows, and what it says of itself and keeps for itself. */
import { followStore } from "../store/follows.ts";
import { privateXmlStore } from "../store/private-xml.ts";
import type { Subscription } from "../store/schema.ts";
import { vcardStore } from "../store/vcards.ts";
import { parseDateTime } from "../xmpp/datetime.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, children, copy, namespaceOf, serialize, text, type Element } from "../xmpp/xml.ts";
import type { NodeImport } from "./import-nodes.ts";
import type { ImportContext } from "./import.ts";
import { pictureIn } from "./profiles.ts";
import type { RosterItem } from "./rosters.ts";

/** The item of the older list of bookmarks (XEP-0048 §3.1.1). */
const bookmarksId = "current";
const subscriptions: readonly (string | undefined)[] = [
  "none",
  "to",
  "from",
  "both",
] satisfies Subscription[];
const archiveDefaults = ["always", "never", "roster"] as const;

export class PeopleImport {
  readonly #context: ImportContext;
  readonly #account: string;
  readonly #nodes: NodeImport;
  readonly #note: (text: string) => void;
  #items: Omit<RosterItem, "version">[] = [];
  readonly #requests = new Map<string, Element>();
  #vcard: Element | undefined;

  constructor(context: ImportContext, account: string, nodes: NodeImport, note: (text: string) => void) {
    this.#context = context;
    this.#account = account;
    this.#nodes = nodes;
    this.#note = note;
  }

  /** `false` where it is nothing of this. `name` is with its namespace. */
  async take(name: string, element: Element): Promise<boolean> {
    switch (name) {
      case `{${NS.roster}}query`:
        this.#items.push(...children(element, "item").flatMap((item) => rosterItem(item) ?? []));
        return true;
      // Prosody 0.12 writes it without the namespace that it should have.
      case `{${NS.client}}presence`:
      case `{${NS.portable}}presence`:
        return this.#request(element);
      case `{${NS.vcard}}vCard`:
        this.#vcard = element;
        return true;
      case `{${NS.privateXml}}query`:
        return this.#keep(element);
      case `{${NS.blocking}}blocklist`:
        return this.#block(children(element, "item").map((item) => attr(item, "jid") ?? ""));
      case `{jabber:iq:privacy}query`:
        return this.#privacy(element);
      case `{${NS.archive}}prefs`:
        return this.#preferences(element);
      case `{${NS.portableExtra}}follows`:
        return this.#follow(element);
      default:
        return false;
    }
  }

  /** Writes what is about more than one part. */
  async complete(): Promise<void> {
    await this.#context.rosters.restore(this.#account, this.#items, this.#requests);
    if (this.#vcard) await this.#say(this.#vcard);
  }

  #request(presence: Element): boolean {
    const from = parseJid(attr(presence, "from") ?? "");
    if (!from || attr(presence, "type") !== "subscribe") return false;
    const to = attr(presence, "to") ?? this.#account;
    this.#requests.set(from.bare, copy(presence, { xmlns: undefined, to }));
    return true;
  }

  /** The photo is the avatar's (XEP-0398), where there is none in the nodes yet. */
  async #say(vcard: Element): Promise<void> {
    const photo = child(vcard, "PHOTO");
    const picture = photo && pictureIn(photo);
    if (picture && !this.#nodes.has(NS.avatarMetadata))
      await this.#context.avatars.set(this.#account, picture);
    const card = copy(vcard);
    const at = picture ? vcard.children.indexOf(photo) : -1;
    if (at >= 0) card.children.splice(at, 1);
    await vcardStore(this.#context.store).save(this.#account, serialize(card));
  }

  async #keep(query: Element): Promise<boolean> {
    for (const element of children(query)) {
      const xmlns = namespaceOf(element) ?? "";
      if (xmlns === NS.legacyBookmarks && element.name === "storage") {
        if (this.#nodes.has(NS.bookmarks) || this.#nodes.has(NS.legacyBookmarks)) continue;
        await this.#nodes.put(NS.legacyBookmarks, {
          id: bookmarksId,
          publisher: undefined,
          payload: element,
        });
      } else {
        const row = { account: this.#account, xmlns, name: element.name, xml: serialize(element) };
        await this.#context.store.transaction((tx) => privateXmlStore(tx).put(row));
      }
    }
    return true;
  }

  async #block(jids: readonly string[]): Promise<boolean> {
    await this.#blockSome(jids.flatMap((jid) => parseJid(jid) ?? []));
    return true;
  }

  /** All at once; by halves where one of them is refused. */
  async #blockSome(jids: readonly Jid[]): Promise<void> {
    try {
      if (jids.length > 0) await this.#context.blocking.block(this.#account, jids);
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error;
      if (jids.length === 1) return this.#note(`${jids[0]!.full} cannot be blocked`);
      const half = Math.ceil(jids.length / 2);
      await this.#blockSome(jids.slice(0, half));
      await this.#blockSome(jids.slice(half));
    }
  }

  /** Privacy lists (XEP-0016) are gone; whom the default one denies is blocked (XEP-0191 §5). */
  async #privacy(query: Element): Promise<boolean> {
    const name = attr(child(query, "default") ?? query, "name");
    const list = children(query, "list").find((one) => attr(one, "name") === name);
    const denied = list
      ? children(list, "item").filter(
          (item) =>
            attr(item, "type") === "jid" && attr(item, "action") === "deny" && children(item).length === 0,
        )
      : [];
    this.#note(`privacy lists are not known here; ${denied.length} addresses of the default one are blocked`);
    return this.#block(denied.map((item) => attr(item, "value") ?? ""));
  }

  async #preferences(prefs: Element): Promise<boolean> {
    const byDefault = archiveDefaults.find((one) => one === attr(prefs, "default"));
    if (!byDefault) return false;
    const list = (name: string): string[] => {
      const part = child(prefs, name);
      return part ? children(part, "jid").flatMap((jid) => parseJid(text(jid).trim())?.full ?? []) : [];
    };
    const preferences = { default: byDefault, always: list("always"), never: list("never") };
    await this.#context.archivePreferences.set(this.#account, preferences);
    return true;
  }

  /** Whom it follows is asked again: that is the same there, and done where it was done. */
  async #follow(follows: Element): Promise<boolean> {
    const store = followStore(this.#context.store);
    for (const follow of children(follows, "follow")) {
      const target = parseJid(attr(follow, "jid") ?? "");
      if (!target) continue;
      const now = new Date();
      await store.put({
        ...{ account: this.#account, target: target.bare, domain: target.domain, state: "pending" },
        ...{ condition: null, reason: null, attempts: 0, checkedAt: null, nextAt: now },
        followedAt: parseDateTime(attr(follow, "since") ?? "") ?? now,
      });
    }
    return true;
  }
}

function rosterItem(item: Element): Omit<RosterItem, "version"> | undefined {
  const jid = parseJid(attr(item, "jid") ?? "");
  const subscription = attr(item, "subscription") ?? "none";
  if (!jid || !subscriptions.includes(subscription)) return undefined;
  return {
    jid: jid.full,
    name: attr(item, "name") || undefined,
    groups: children(item, "group").map(text),
    subscription: subscription as Subscription,
    ask: attr(item, "ask") === "subscribe",
    approved: attr(item, "approved") === "true",
  };
}
