/**
 * XEP-0283: Moved. A subscription request that says where its sender lived before is verified at that address, and then
 * answered in the contact's place. The statement itself is a pubsub item like others, which contacts may read.
 */
import { isFrom, type RosterItem } from "../domain/roster.ts";
import type { Passage } from "../server/module.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, children, childText, text, xml, type Element } from "../xmpp/xml.ts";
import { readUri } from "../xmpp/uri.ts";
import { defineModule } from "./context.ts";
import { endSubscriptions } from "./subscriptions.ts";

export default defineModule({
  name: "moved",
  xeps: ["0283"],
  setup: ({ blocking, log, rosters, router, sessions }) => {
    /** Requests that were looked into, on their way to where all others go. */
    const settled = new WeakSet<Element>();

    /** §4.4: only those who saw the account's presence at the old address can bring that along. */
    async function movable(account: string, old: Jid, now: Jid): Promise<RosterItem | undefined> {
      const item = await rosters.item(account, old.bare);
      if (!item || !isFrom(item) || (await blocking.blocked(account, old))) return undefined;
      return isFrom(await rosters.item(account, now.bare)) ? undefined : item;
    }

    async function look({ stanza, account, from }: Passage, old: Jid): Promise<boolean> {
      if (!(await movable(account, old, from))) return false;
      // The old server may take its time, and the next stanza shall not wait for it.
      void verify(stanza, account, old, from.toBare());
      return true;
    }

    async function verify(stanza: Element, account: string, old: Jid, now: Jid): Promise<void> {
      try {
        const isTrue = (await statementOf(old, account)) === now.bare;
        // Meanwhile the user may have turned away either of them.
        const item =
          isTrue && !(await blocking.blocked(account, now)) ? await movable(account, old, now) : undefined;
        if (item) await approve(account, item, now);
        settled.add(stanza);
        await router.route(stanza);
        if (item) await leave(account, item, now);
        log.info({ account, old: old.bare, now: now.bare, isTrue }, "a contact says that it has moved");
      } catch (error) {
        log.error({ err: error, account }, "the move of a contact could not be followed");
      }
    }

    /** The address that is named at the old one; `undefined` where there is no such statement. */
    async function statementOf(old: Jid, account: string): Promise<string | undefined> {
      const items = xml("items", { node: NS.moved }, xml("item", { id: "current" }));
      const iq = xml(
        "iq",
        { type: "get", from: account, to: old.bare },
        xml("pubsub", { xmlns: NS.pubsub }, items),
      );
      const reply = await router.request(iq).catch(() => undefined);
      if (!reply) return undefined;
      const gone = child(reply, "error") && child(child(reply, "error")!, "gone", NS.stanzas);
      if (gone) return parseJid(readUri(text(gone).trim())?.jid ?? "")?.full;
      const found = child(reply, "pubsub", NS.pubsub);
      const [item] = found && child(found, "items") ? children(child(found, "items")!, "item") : [];
      const moved = item && child(item, "moved", NS.moved);
      return moved && parseJid(childText(moved, "new-jid")?.trim() ?? "")?.full;
    }

    /** As the user does with a contact who is awaited (RFC 6121 §3.4): the request is then answered by itself. */
    async function approve(account: string, { name, groups }: RosterItem, { bare }: Jid): Promise<void> {
      if (!(await rosters.item(account, bare))) await rosters.set(account, { jid: bare, name, groups });
      await rosters.pass({ account, contact: bare, direction: "out", type: "subscribed" });
    }

    /** An address moves once: the old one loses what the new one has got. */
    async function leave(account: string, { jid, subscription }: RosterItem, { bare }: Jid): Promise<void> {
      await rosters.pass({ account, contact: jid, direction: "out", type: "unsubscribed" });
      await endSubscriptions({ blocking, router, sessions }, account, jid, { to: "none", from: "granted" });
      if (subscription !== "both") return;
      const type = "subscribe";
      const { passes } = await rosters.pass({ account, contact: bare, direction: "out", type });
      if (passes) await router.route(xml("presence", { from: account, to: bare, type }));
    }

    return {
      presence: {
        filter: (passage) => {
          const { stanza, direction, from } = passage;
          if (direction === "out" || attr(stanza, "type") !== "subscribe" || settled.has(stanza)) return;
          const moved = child(stanza, "moved", NS.moved);
          const old = moved && parseJid(childText(moved, "old-jid")?.trim() ?? "");
          if (old?.isBare && old.local !== "" && old.bare !== from.bare) return look(passage, old);
        },
      },
    };
  },
});
