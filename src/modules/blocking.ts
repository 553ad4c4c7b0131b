/** XEP-0191: Blocking Command. Nothing passes between an account and whom it has blocked, in either direction. */
import { BlockList } from "../domain/block-list.ts";
import { isFrom, isTo, type RosterItem } from "../domain/roster.ts";
import { get, set, type IqRequest, type Passage } from "../server/module.ts";
import type { Session } from "../server/session.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { newId } from "../xmpp/id.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { messageType } from "../xmpp/stanza.ts";
import { attr, child, children, xml, type Element } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";
import { directedPresenceOf } from "./directed-presence.ts";

type Done = boolean | Promise<boolean>;

export default defineModule({
  name: "blocking",
  xeps: ["0191"],
  features: { server: [NS.blocking] },
  setup: ({ blocking, events, rosters, router, sessions }) => {
    /** Those who asked for the list, and so hear how it changes (§3.3). */
    const interested = new WeakSet<Session>();
    const directed = directedPresenceOf(sessions);

    /** Lets a stanza pass where the other side is not blocked; else does with it what `stop` says. */
    function guard({ account, direction, from, to }: Passage, stop: () => boolean): Done {
      const blocked = blocking.blocked(account, direction === "out" ? to : from);
      if (blocked instanceof Promise) return blocked.then((is) => is && stop());
      return blocked && stop();
    }

    const guardMessage = (passage: Passage): Done =>
      guard(passage, () => {
        if (passage.direction === "out") throw blockedError();
        const type = messageType(passage.stanza);
        if (type === "error" || type === "headline") return true;
        throw new StanzaError("service-unavailable");
      });

    function guardPresence(passage: Passage): Done {
      const { direction, stanza } = passage;
      if (direction === "out" && attr(stanza, "to") === undefined) return false;
      return guard(passage, () => {
        if (direction === "out") throw blockedError();
        return true;
      });
    }

    function guardIq(passage: Passage): Done {
      const type = attr(passage.stanza, "type");
      const isReply = type === "result" || type === "error";
      // An answer to the account itself is one that this server has asked for.
      if (isReply && passage.direction === "in" && passage.to.isBare) return false;
      return guard(passage, () => {
        if (isReply) return true;
        throw passage.direction === "out" ? blockedError() : new StanzaError("service-unavailable");
      });
    }

    function push(account: string, name: string, jids: readonly Jid[]): void {
      for (const session of sessions.of(account)) {
        if (!interested.has(session)) continue;
        const change = xml(name, { xmlns: NS.blocking }, ...jids.map(({ full }) => item(full)));
        session.send(xml("iq", { to: session.jid.full, type: "set", id: newId() }, change));
      }
    }

    /** The contacts that some addresses mean: as they stand in the roster, or one resource of theirs. */
    async function contactsAmong(
      account: string,
      jids: readonly Jid[],
    ): Promise<{ jid: Jid; contact: RosterItem }[]> {
      const list = new BlockList(jids.map(({ full }) => full));
      const resources = jids.filter(({ isBare, local }) => !isBare && local !== "");
      return [...(await rosters.of(account)).values()].flatMap((contact) => {
        const jid = parseJid(contact.jid);
        if (!jid) return [];
        if (list.has(jid)) return { jid, contact };
        return resources
          .filter(({ bare }) => bare === jid.bare)
          .map((resource) => ({ jid: resource, contact }));
      });
    }

    /** §3.3: who saw the account, or was greeted by it, sees it leave. */
    async function hide(account: string, jids: readonly Jid[]): Promise<void> {
      const list = new BlockList(jids.map(({ full }) => full));
      const isBlocked = await blocking.checker(account);
      const contacts = await contactsAmong(account, jids);
      const seeing = contacts
        .filter(({ jid, contact }) => isFrom(contact) && isBlocked?.(jid))
        .map(({ jid }) => jid);
      for (const session of sessions.of(account)) {
        const greeted = [...directed.of(session)].filter((to) => list.has(to) && isBlocked?.(to));
        for (const to of greeted) directed.remove(session, to);
        const seen = session.available ? seeing : [];
        const strangers = greeted.filter(({ bare }) => !seen.some((one) => one.bare === bare));
        const audience = [...seen, ...strangers];
        const gone = xml("presence", { from: session.jid.full, type: "unavailable" });
        if (audience.length > 0) await router.multicast(gone, audience);
      }
    }

    /** §3.4: and both sides see each other again. */
    async function show(account: string, jids: readonly Jid[]): Promise<RosterItem[]> {
      const isBlocked = await blocking.checker(account);
      const contacts = (await contactsAmong(account, jids)).filter(({ jid }) => !isBlocked?.(jid));
      const seeing = contacts.filter(({ contact }) => isFrom(contact)).map(({ jid }) => jid);
      const seen = contacts.filter(({ contact }) => isTo(contact)).map(({ jid }) => jid);
      const present = sessions.availableOf(account);
      for (const { available } of present)
        if (available && seeing.length > 0) await router.multicast(available.stanza, seeing);
      for (const to of present.length > 0 ? seen : [])
        await router.route(xml("presence", { from: account, to: to.bare, type: "probe" }));
      return contacts.map(({ contact }) => contact);
    }

    async function block(iq: IqRequest): Promise<void> {
      const account = iq.from.bare;
      const items = itemsOf(iq.payload);
      if (items.length === 0) throw new StanzaError("bad-request", { text: "Nobody is named to be blocked" });
      const jids = items.map(({ jid }) => jid);
      const added = await blocking.block(account, jids);
      await hide(account, added);
      for (const { jid, report } of items)
        if (report) await events.settle("contact.reported", { account, jid, report });
      iq.afterwards = () => push(account, "block", jids);
    }

    async function unblock(iq: IqRequest): Promise<void> {
      const account = iq.from.bare;
      const jids = itemsOf(iq.payload).map(({ jid }) => jid);
      const removed = await blocking.unblock(account, jids.length > 0 ? jids : undefined);
      events.emit("blocking.ended", { account, contacts: await show(account, removed) });
      iq.afterwards = () => push(account, "unblock", jids);
    }

    return {
      iq: [
        get(NS.blocking, "blocklist", "self", async ({ from, session }) => {
          if (session) interested.add(session);
          const list = await blocking.list(from.bare);
          return xml("blocklist", { xmlns: NS.blocking }, ...[...list].map(item));
        }),
        set(NS.blocking, "block", "self", block),
        set(NS.blocking, "unblock", "self", unblock),
      ],
      iqGate: guardIq,
      message: { filter: guardMessage },
      presence: { filter: guardPresence },
      events: {
        "session.saved": ({ session, state }) => {
          state["blocklist"] = interested.has(session);
        },
        "session.restored": ({ session, state }) => {
          if (state["blocklist"] === true) interested.add(session);
        },
        "account.removed": ({ account }) => blocking.clear(account),
      },
    };
  },
});

const item = (jid: string): Element => xml("item", { jid });

/** §3.3: what is written to who is blocked comes back. */
const blockedError = (): StanzaError =>
  new StanzaError("not-acceptable", { type: "cancel", app: xml("blocked", { xmlns: NS.blockingErrors }) });

function itemsOf(payload: Element): { jid: Jid; report: Element | undefined }[] {
  return children(payload, "item").map((one) => {
    const jid = parseJid(attr(one, "jid") ?? "");
    if (!jid) throw new StanzaError("jid-malformed");
    return { jid, report: child(one, "report", NS.reporting) };
  });
}
