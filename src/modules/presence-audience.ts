/** RFC 6121 §4.2.2: who gets what an account broadcasts; without those whom it has blocked (XEP-0191). */
import { isFrom, type RosterItem } from "../domain/roster.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import type { Element } from "../xmpp/xml.ts";
import type { ModuleContext } from "./context.ts";

type Items = ReadonlyMap<string, RosterItem>;

export function audienceOf({ blocking, router }: Pick<ModuleContext, "blocking" | "router">) {
  function* members(account: string, items: Items, isBlocked?: (jid: Jid) => boolean): Iterable<Jid> {
    yield parseJid(account)!;
    for (const item of items.values()) {
      if (!isFrom(item)) continue;
      const jid = parseJid(item.jid)!;
      if (!isBlocked?.(jid)) yield jid;
    }
  }

  return {
    /** The account's own resources, and the contacts who see its presence. */
    members(account: string, items: Items): Iterable<Jid> | Promise<Iterable<Jid>> {
      const isBlocked = blocking.checker(account);
      if (isBlocked instanceof Promise) return isBlocked.then((known) => members(account, items, known));
      return members(account, items, isBlocked);
    },

    /** Sends a presence to all of them. */
    tell(account: string, stanza: Element, items: Items): void | Promise<void> {
      const all = this.members(account, items);
      return all instanceof Promise
        ? all.then((known) => router.multicast(stanza, known))
        : router.multicast(stanza, all);
    },
  };
}
