/**
 * XEP-0115: what the clients around us can do, as far as the server itself asks for it: which nodes a resource wants
 * to hear of (`<node>+notify`, XEP-0060 §9.2). Each hash is asked for once, believed only where it fits the answer
 * (§5.4), and then known for everybody who shows it. What cannot be verified counts for that one resource alone.
 */
import type { Events } from "../events.ts";
import type { Logger } from "../log.ts";
import type { Router } from "../server/router.ts";
import type { Session } from "../server/session.ts";
import { capsHash, isCapsAlgorithm, type CapsAlgorithm } from "../xmpp/caps.ts";
import type { Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, children, xml, type Element } from "../xmpp/xml.ts";
import type { ModuleContext } from "./context.ts";

/** Hashes remembered; all clients in use in a school, in all their versions, are some dozens. */
const hashesRemembered = 2_000;
/** Nodes that one client may want. */
const wantsMaximum = 200;
/** Resources of other servers that are kept in mind; beyond that, the one heard of longest ago is forgotten. */
const remoteMaximum = 20_000;

const suffix = "+notify";

/** An available resource that has shown capabilities. */
export interface Resource {
  readonly jid: Jid;
  /** Where it is one of ours. */
  readonly session: Session | undefined;
  /** The nodes of which it wants to be notified. */
  readonly wants: ReadonlySet<string>;
  /** Where it is not one of ours, the accounts to which it has sent its presence. */
  readonly heardBy: ReadonlySet<string>;
}

/** What a resource showed last; answers about what it showed before come too late. */
interface Shown {
  readonly key: string;
  readonly hash: string | undefined;
  readonly ver: string | undefined;
  /** Under which its client describes itself. */
  readonly node: string | undefined;
}

interface Entry extends Resource {
  wants: ReadonlySet<string>;
  readonly heardBy: Set<string>;
  shown: Shown | undefined;
  /** Whether it owes us an answer. */
  isAsked: boolean;
}

export interface CapabilityEvents {
  /** A resource newly wants these nodes: of one account, or (a session of ours) of all that it may hear. */
  "caps.interest": { resource: Resource; added: readonly string[]; account: string | undefined };
}

const nothing: ReadonlySet<string> = new Set();
/** Shared by our own sessions, which are heard by whoever may: one thing less to hold for each. */
const nobody = new Set<string>();

export interface CapabilitiesOptions {
  /** Who asks the clients. */
  readonly router: Pick<Router, "request">;
  readonly log: Logger;
  readonly events: Events<CapabilityEvents>;
}

export class Capabilities {
  readonly #router: Pick<Router, "request">;
  readonly #log: Logger;
  readonly #events: Events<CapabilityEvents>;
  readonly #resources = new Map<string, readonly Entry[]>();
  /** The remote ones among them by their full JIDs, longest known first. */
  readonly #remote = new Map<string, Entry>();
  /** Verified, by hash; least recently used first. */
  readonly #verified = new Map<string, ReadonlySet<string>>();
  /** Who shows a hash that is being asked for. */
  readonly #waiting = new Map<string, Set<Entry>>();

  constructor({ router, log, events }: CapabilitiesOptions) {
    this.#router = router;
    this.#log = log;
    this.#events = events;
  }

  /** The resources of a bare JID that have shown capabilities. */
  of(bare: string): readonly Resource[] {
    return this.#resources.get(bare) ?? [];
  }

  /** Available presence of a resource, as `account` heard it. */
  heard(jid: Jid, session: Session | undefined, account: string, presence: Element): void {
    const c = child(presence, "c", NS.caps);
    let entry = this.#find(jid);
    if (!entry || entry.session !== session) {
      // Without capabilities, or with those it has shown before (§8.4), there is nothing new.
      if (!c) return;
      entry = this.#add(jid, session);
    }
    if (!session && !entry.heardBy.has(account)) {
      entry.heardBy.add(account);
      const added = [...entry.wants];
      if (added.length > 0) this.#events.emit("caps.interest", { resource: entry, added, account });
    }
    if (!c) return;
    const { hash, ver, node, ext } = c.attrs as Record<string, string | undefined>;
    const key = hash ? `${hash} ${ver}` : `legacy ${node} ${ver} ${ext}`;
    if (entry.shown?.key === key) return;
    entry.shown = { key, hash, ver, node: hash ? `${node}#${ver}` : undefined };
    this.#look(entry, account);
  }

  /** A session of ours is gone, or shows itself no longer. */
  left(session: Session): void {
    const entry = this.#find(session.jid);
    if (entry?.session === session) this.#remove(entry);
  }

  /** What a session of ours wants, as far as is known. */
  wantedBy(session: Session): readonly string[] {
    const entry = this.#find(session.jid);
    return entry?.session === session ? [...entry.wants] : [];
  }

  /** A session of ours wants what it did before a restart. */
  restored(session: Session, wants: readonly string[]): void {
    if (wants.length > 0) this.#add(session.jid, session).wants = new Set(wants);
  }

  /** A remote resource no longer shows itself to `account`. */
  hidden(jid: Jid, account: string): void {
    const entry = this.#find(jid);
    if (entry?.heardBy.delete(account) && entry.heardBy.size === 0) this.#remove(entry);
  }

  #find(jid: Jid): Entry | undefined {
    return this.#resources.get(jid.bare)?.find((one) => one.jid.resource === jid.resource);
  }

  #othersOf(jid: Jid): Entry[] {
    return this.#resources.get(jid.bare)?.filter((one) => one.jid.resource !== jid.resource) ?? [];
  }

  #add(jid: Jid, session: Session | undefined): Entry {
    const heardBy = session ? nobody : new Set<string>();
    const entry: Entry = { jid, session, wants: nothing, heardBy, shown: undefined, isAsked: false };
    this.#resources.set(jid.bare, [...this.#othersOf(jid), entry]);
    if (session) return entry;
    this.#remote.set(jid.full, entry);
    if (this.#remote.size > remoteMaximum) {
      const [oldest] = this.#remote.values();
      this.#remove(oldest!);
    }
    return entry;
  }

  #remove(entry: Entry): void {
    entry.shown = undefined;
    this.#remote.delete(entry.jid.full);
    const others = this.#othersOf(entry.jid);
    if (others.length > 0) this.#resources.set(entry.jid.bare, others);
    else this.#resources.delete(entry.jid.bare);
  }

  /** Finds out what stands behind the capabilities that a resource shows now. Asks in tasks of their own. */
  #look(entry: Entry, account: string): void {
    // One question to a resource at a time, however often it changes what it shows.
    if (!entry.shown || entry.isAsked) return;
    const { key, hash, ver } = entry.shown;
    const known = this.#recall(key);
    if (known) return this.#want(entry, known);
    if (!hash || !isCapsAlgorithm(hash)) return void this.#askAlone(entry, key, account);
    const waiting = this.#waiting.get(key);
    if (waiting) return void waiting.add(entry);
    this.#waiting.set(key, new Set([entry]));
    void this.#verify(key, hash, ver, account);
  }

  /** What cannot be verified: §5.4 and the legacy format (§4). */
  async #askAlone(entry: Entry, key: string, account: string): Promise<void> {
    const query = await this.#ask(entry, account);
    if (entry.shown?.key !== key) this.#look(entry, account);
    else if (query) this.#want(entry, wantsOf(query));
  }

  /** Asks those who show the hash, one after the other, until an answer fits it. */
  async #verify(key: string, hash: CapsAlgorithm, ver: string | undefined, account: string): Promise<void> {
    const waiting = this.#waiting.get(key)!;
    const silent: Entry[] = [];
    for (const entry of waiting) {
      waiting.delete(entry);
      if (entry.shown?.key !== key || entry.isAsked) continue;
      const query = await this.#ask(entry, account);
      const wants = query && wantsOf(query);
      const isVerified = query && capsHash(query, hash) === ver;
      if (wants && isVerified) this.#remember(key, wants);
      if (entry.shown?.key !== key) this.#look(entry, account);
      else if (wants) this.#want(entry, wants);
      else silent.push(entry);
      if (!isVerified) continue;
      for (const one of [...silent, ...waiting]) if (one.shown?.key === key) this.#want(one, wants!);
      break;
    }
    this.#waiting.delete(key);
  }

  /** The disco#info of a client, asked from an account that hears it; `undefined` where it gives none. */
  async #ask(entry: Entry, account: string): Promise<Element | undefined> {
    const { jid: to, session, heardBy, shown } = entry;
    const [from = account] = session ? [session.account] : heardBy;
    const query = xml("query", { xmlns: NS.discoInfo, node: shown?.node });
    entry.isAsked = true;
    try {
      const reply = await this.#router.request(xml("iq", { type: "get", from, to: to.full }, query));
      return attr(reply, "type") === "result" ? child(reply, "query", NS.discoInfo) : undefined;
    } catch (error) {
      this.#log.debug({ err: error, to: to.full }, "a client does not tell its capabilities");
      return undefined;
    } finally {
      entry.isAsked = false;
    }
  }

  #want(entry: Entry, wants: ReadonlySet<string>): void {
    const added = [...wants].filter((node) => !entry.wants.has(node));
    entry.wants = wants;
    if (added.length === 0) return;
    for (const account of entry.session ? [undefined] : entry.heardBy)
      this.#events.emit("caps.interest", { resource: entry, added, account });
  }

  #recall(key: string): ReadonlySet<string> | undefined {
    const known = this.#verified.get(key);
    if (known) this.#remember(key, known);
    return known;
  }

  #remember(key: string, wants: ReadonlySet<string>): void {
    this.#verified.delete(key);
    this.#verified.set(key, wants);
    if (this.#verified.size <= hashesRemembered) return;
    const [oldest] = this.#verified.keys();
    this.#verified.delete(oldest!);
  }
}

function wantsOf(query: Element): ReadonlySet<string> {
  const wants = new Set<string>();
  for (const feature of children(query, "feature")) {
    const name = attr(feature, "var");
    if (name?.endsWith(suffix) && wants.size < wantsMaximum) wants.add(name.slice(0, -suffix.length));
  }
  return wants;
}

const all = new WeakMap<ModuleContext, Capabilities>();

/** The capabilities that this node knows of; one for all of its modules. */
export function capabilitiesOf(context: ModuleContext): Capabilities {
  const known = all.get(context);
  if (known) return known;
  const capabilities = new Capabilities(context);
  all.set(context, capabilities);
  return capabilities;
}
