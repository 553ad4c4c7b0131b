/** RFC 6121 §4: presence as it is broadcast, directed, and taken back. */
import { isFrom, isTo, type RosterItem } from "../domain/roster.ts";
import type { IqRequest, Passage } from "../server/module.ts";
import type { Session } from "../server/session.ts";
import { lastSeenStore } from "../store/last-seen.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { parseElement } from "../xmpp/parser.ts";
import { attr, childText, children, copy, text, xml, type Element } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";
import { directedPresenceOf } from "./directed-presence.ts";
import { audienceOf } from "./presence-audience.ts";

/** What somebody says in parting is shown beside their name; of a novel the beginning is kept. */
const maxStatusLength = 1_024;

/** §4.7.1; those of §3 have been dealt with. */
const types = new Set([undefined, "unavailable", "probe", "error"]);

type Items = ReadonlyMap<string, RosterItem>;
type Done = void | Promise<void>;

const nobody: Items = new Map();

export default defineModule({
  name: "presence",
  setup: ({ accounts, blocking, config, events, registry, rosters, router, sessions, store }) => {
    const lastSeen = lastSeenStore(store);
    const directed = directedPresenceOf(sessions);
    const audience = audienceOf({ blocking, router });

    function send({ stanza, session, to }: Passage, type: string | undefined): Done {
      if (!session) throw new Error("presence left an account without its session");
      if (attr(stanza, "to") === undefined) return broadcast(session, stanza, type);
      if (type === undefined) directed.add(session, to);
      else if (type === "unavailable") directed.remove(session, to);
    }

    function broadcast(session: Session, stanza: Element, type: string | undefined): Done {
      if (type === "unavailable") return leave(session, stanza);
      // §4.7.1: all other types are for somebody.
      if (type !== undefined) throw new StanzaError("bad-request", { text: `A ${type} is for somebody` });
      const priority = priorityOf(stanza);
      if (!session.available) return enter(session, stanza, priority);
      session.available = { stanza, priority };
      const items = rosters.cached(session.account);
      // After a restart nobody has asked for it yet.
      if (!items)
        return rosters.roster(session.account).then((roster) => tell(session, stanza, roster.items));
      return tell(session, stanza, items);
    }

    function tell(session: Session, stanza: Element, items: Items): Done {
      const told = audience.tell(session.account, stanza, items);
      const done = (): void => events.emit("presence.available", { session, stanza, initial: false });
      return told ? told.then(done) : done();
    }

    /** §4.2.2: initial presence. From here on the roster is in memory, and nothing below waits for it. */
    async function enter(session: Session, stanza: Element, priority: number): Promise<void> {
      const { account, jid } = session;
      const { items, requests } = await rosters.roster(account);
      const isBlocked = await blocking.checker(account);
      // The stream may have ended meanwhile, or another one have taken its resource.
      if (sessions.get(jid) !== session) return;
      session.available = { stanza, priority };
      const told = audience.tell(account, stanza, items);
      showOwn(session);
      // §3.1.3: again and again, until the user answers.
      for (const [contact, request] of requests)
        if (!isBlocked?.(parseJid(contact)!)) session.send(parseElement(request));
      await told;
      await probe(jid, contactsOf(items, isBlocked));
      events.emit("presence.available", { session, stanza, initial: true });
    }

    /** A client that is back after a restart knows how things were before. */
    async function refresh(session: Session): Promise<void> {
      const { items } = await rosters.roster(session.account);
      const isBlocked = await blocking.checker(session.account);
      if (!session.available || sessions.get(session.jid) !== session) return;
      showOwn(session);
      await probe(session.jid, contactsOf(items, isBlocked));
    }

    /** The other resources of the account. */
    function showOwn(session: Session): void {
      for (const other of sessions.availableOf(session.account)) {
        if (other.available && other !== session)
          session.send(copy(other.available.stanza, { to: session.jid.full }));
      }
    }

    /** §4.3.1: those elsewhere all at once; here, those who are away answer too. */
    async function probe({ full }: Jid, contacts: readonly Jid[]): Promise<void> {
      const remote = contacts.filter(({ domain }) => !router.serves(domain));
      const stanza = xml("presence", { from: full, type: "probe" });
      if (remote.length > 0) await router.multicast(stanza, remote);
      for (const to of contacts) {
        if (router.serves(to.domain)) await router.route(copy(stanza, { to: to.full }));
      }
    }

    /** §4.5.2, §4.6.3: whoever saw the resource or was greeted by it learns once that it is gone. */
    async function leave(session: Session, stanza: Element): Promise<void> {
      const { account, jid, available } = session;
      session.available = undefined;
      const holder = sessions.get(jid);
      // Another stream may have the address by now, and have shown itself: that one is what contacts see.
      const seen = available !== undefined && (holder === session || !holder?.available);
      const items = seen ? (rosters.cached(account) ?? (await rosters.roster(account)).items) : nobody;
      const greeted = directed.take(session).filter((to) => {
        if (seen && (to.bare === account || isFrom(items.get(to.bare)))) return false;
        return !holder || !directed.has(holder, to);
      });
      if (seen && holder === session) session.send(copy(stanza, { to: account }));
      const contacts = seen ? await audience.members(account, items) : [];
      await router.multicast(stanza, [...contacts, ...greeted]);
      if (!available) return;
      events.emit("presence.unavailable", { session, stanza });
      if (sessions.availableOf(account).length > 0 || !(await accounts.exists(jid.local))) return;
      const status = childText(stanza, "status")?.slice(0, maxStatusLength) ?? null;
      await lastSeen.put(account, { at: new Date(), status });
    }

    /** §8.5.3.1: an answer to a stranger would tell them that the resource is there. */
    function refuseStrangers({ from, to }: IqRequest): Done {
      const session = sessions.get(to);
      if (!session || isOurs(from) || directed.hasBare(session, from)) return;
      const refuse = (may: boolean): void => {
        if (!may) throw new StanzaError("service-unavailable");
      };
      const may = rosters.maySee(to.bare, from.bare);
      return may instanceof Promise ? may.then(refuse) : refuse(may);
    }

    const isOurs = ({ bare }: Jid): boolean => bare === config.domain || registry.services.has(bare);

    return {
      iqFilter: refuseStrangers,
      presence: {
        deliver: (passage) => {
          const { stanza, direction, account, from } = passage;
          const type = attr(stanza, "type");
          if (!types.has(type)) throw new StanzaError("bad-request", { text: "This is no type of presence" });
          if (direction === "out") return send(passage, type);
          const isNews = type === undefined || type === "unavailable";
          if (isNews && from.domain !== config.domain)
            events.emit("presence.received", { account, from, stanza });
        },
      },
      events: {
        "session.bound": ({ session }) => rosters.hold(session.account),
        "session.saved": ({ session, state }) => {
          state["directed"] = Array.from(directed.of(session), ({ full }) => full);
        },
        "session.restored": ({ session, state: { directed: targets } }) => {
          rosters.hold(session.account);
          for (const target of targets as string[]) directed.add(session, parseJid(target)!);
        },
        "session.resumed": ({ session, isStale }) => (isStale ? refresh(session) : undefined),
        "session.closed": ({ session }) => {
          const done = leave(session, xml("presence", { from: session.jid.full, type: "unavailable" }));
          rosters.release(session.account);
          return done;
        },
        "account.removed": ({ account }) => lastSeen.remove(account),
      },
    };
  },
});

/** Those whose presence the account sees. */
function contactsOf(items: Items, isBlocked: ((jid: Jid) => boolean) | undefined): Jid[] {
  const seen = [...items.values()].filter(isTo).flatMap(({ jid }) => parseJid(jid) ?? []);
  return isBlocked ? seen.filter((jid) => !isBlocked(jid)) : seen;
}

/** §4.7.2.3 */
function priorityOf(stanza: Element): number {
  const [element, second] = children(stanza, "priority");
  if (!element) return 0;
  const value = text(element).trim();
  const priority = Number(value);
  if (second || !/^[+-]?\d{1,3}$/.test(value) || priority < -128 || priority > 127) {
    throw new StanzaError("bad-request", { text: "A priority is an integer from -128 to 127" });
  }
  return priority;
}
