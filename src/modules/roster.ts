/** RFC 6121 §2: the roster as its owner's clients get, change and keep it. */
import type { RosterChange } from "../domain/events.ts";
import type { Roster } from "../domain/rosters.ts";
import { get, set, type IqRequest } from "../server/module.ts";
import type { Session } from "../server/session.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { newId } from "../xmpp/id.ts";
import { parseJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, children, text, xml, type Element } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";
import { endSubscriptions } from "./subscriptions.ts";

export default defineModule({
  name: "roster",
  features: { server: [NS.roster] },
  setup: ({ blocking, rosters, router, sessions }) => {
    /**
     * The whole roster, or what changed since the version that the client has (§2.6.3). Pushes begin behind the reply,
     * with all that happened after what the reply says.
     */
    function answer(iq: IqRequest, roster: Roster): Element | undefined {
      const { payload, session } = iq;
      const known = versionOf(payload);
      const changes = known === undefined ? undefined : roster.since(known);
      const whole = !changes || changes.length > roster.items.size;
      const told = whole || known === undefined ? roster.version : known;
      iq.afterwards = () => {
        if (!session) return;
        session.interested = true;
        for (const change of roster.since(told) ?? []) push(session, change);
      };
      return whole ? rosterElement(roster.version, [...roster.items.values()]) : undefined;
    }

    async function change({ from, payload }: IqRequest): Promise<void> {
      const item = itemOf(payload);
      const jid = jidOf(item);
      if (attr(item, "subscription") !== "remove") {
        return rosters.set(from.bare, { jid, name: attr(item, "name"), groups: groupsOf(item) });
      }
      const before = await rosters.remove(from.bare, jid);
      await endSubscriptions({ blocking, router, sessions }, from.bare, jid, before);
    }

    // §2.1.5; nobody learns from the answer whether the account is there.
    const refuse = (): never => {
      throw new StanzaError("forbidden", { text: "This roster is somebody else's" });
    };

    return {
      iq: [
        get(NS.roster, "query", "self", async (iq) => answer(iq, await rosters.roster(iq.from.bare))),
        set(NS.roster, "query", "self", change),
        { ...get(NS.roster, "query", "account", refuse), anyName: true },
        { ...set(NS.roster, "query", "account", refuse), anyName: true },
      ],
      events: {
        "roster.changed": ({ account, item }) => {
          for (const session of sessions.of(account)) if (session.interested) push(session, item);
        },
      },
    };
  },
});

/** §2.1.6 */
function push(session: Session, change: RosterChange): void {
  const attrs = { to: session.jid.full, type: "set", id: newId() };
  session.send(xml("iq", attrs, rosterElement(change.version, [change])));
}

const rosterElement = (version: number, items: readonly RosterChange[]): Element =>
  xml("query", { xmlns: NS.roster, ver: String(version) }, ...items.map(itemElement));

function itemElement({ jid, name, subscription, ask, approved, groups }: RosterChange): Element {
  const attrs: Record<string, string> = { jid, subscription };
  if (name !== undefined) attrs["name"] = name;
  if (ask) attrs["ask"] = "subscribe";
  if (approved) attrs["approved"] = "true";
  return xml("item", attrs, ...groups.map((group) => xml("group", {}, group)));
}

/** The version that the client has; `undefined` for none, or for one that is not of ours (§2.6.2). */
function versionOf(query: Element): number | undefined {
  const ver = attr(query, "ver") ?? "";
  return /^\d{1,15}$/.test(ver) ? Number(ver) : undefined;
}

/** §2.3.3 */
function itemOf(query: Element): Element {
  const items = children(query);
  const [item] = items;
  if (!item || items.length > 1 || item.name !== "item") {
    throw new StanzaError("bad-request", { text: "A roster set holds exactly one item" });
  }
  return item;
}

function jidOf(item: Element): string {
  const value = attr(item, "jid");
  if (value === undefined) throw new StanzaError("bad-request", { text: "A roster item has a jid" });
  const jid = parseJid(value);
  if (!jid) throw new StanzaError("jid-malformed");
  return jid.full;
}

function groupsOf(item: Element): string[] {
  const groups = children(item, "group").map(text);
  if (groups.includes("")) throw new StanzaError("not-acceptable", { text: "A group has a name" });
  if (new Set(groups).size < groups.length) {
    throw new StanzaError("bad-request", { text: "A group is named once" });
  }
  return groups;
}
