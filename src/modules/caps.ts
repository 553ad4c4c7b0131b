/**
 * XEP-0115: what the clients around us can do, as far as the server itself asks for it: which nodes a resource wants
 * to hear of (`<node>+notify`, XEP-0060 §9.2). Each hash is asked for once, believed only where it fits the answer
 * (§5.4), and then known for everybody who shows it. What cannot be verified counts for that one resource alone.
 */
import type { Logger } from "../log.ts";
import type { Router } from "../server/router.ts";
import type { Session } from "../server/session.ts";
import { capsHash, isCapsAlgorithm, type CapsAlgorithm } from "../xmpp/caps.ts";
import type { Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, children, xml, type Element } from "../xmpp/xml.ts";
import { defineModule, type ModuleContext } from "./context.ts";

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

interface Entry extends Resource {
  wants: ReadonlySet<string>;
  readonly heardBy: Set<string>;
  /** Which capabilities it showed last; answers about earlier ones come too late. */
  key: string | undefined;
  /** Under which node its client describes them. */
  node: string | undefined;
}

/** `added`: what the resource newly wants, of these accounts, or (a session of ours) of all that it may hear. */
export type InterestListener = (
  resource: Resource,
  added: readonly string[],
  account: string | undefined,
) => Promise<void>;

const nothing: ReadonlySet<string> = new Set();
/** Shared by our own sessions, which are heard by whoever may: one thing less to hold for each. */
const nobody = new Set<string>();

export class Capabilities {
  readonly #router: Router;
  readonly #log: Logger;
  readonly #resources = new Map<string, readonly Entry[]>();
  /** The remote ones among them by their full JIDs, longest known first. */
  readonly #remote = new Map<string, Entry>();
  /** Verified, by hash; least recently used first. */
  readonly #verified = new Map<string, ReadonlySet<string>>();
  /** Who shows a hash that is being asked for. */
  readonly #waiting = new Map<string, Entry[]>();
  readonly #listeners: InterestListener[] = [];

  constructor({ router, log }: { router: Router; log: Logger }) {
    this.#router = router;
    this.#log = log;
  }

  onInterest(listener: InterestListener): void {
    this.#listeners.push(listener);
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
      if (entry.wants.size > 0) this.#tell(entry, [...entry.wants], account);
    }
    if (!c) return;
    const { hash, ver, node, ext } = c.attrs as Record<string, string | undefined>;
    const key = hash ? `${hash} ${ver}` : `legacy ${node} ${ver} ${ext}`;
    if (entry.key === key) return;
    entry.key = key;
    entry.node = hash ? `${node}#${ver}` : undefined;
    const known = this.#recall(key);
    if (known) return this.#want(entry, known);
    // Tasks of their own: nobody's stanza waits for a client's answer.
    if (!hash || !isCapsAlgorithm(hash)) return void this.#askAlone(entry, key, account);
    const waiting = this.#waiting.get(key);
    if (waiting) return void waiting.push(entry);
    this.#waiting.set(key, [entry]);
    void this.#verify(key, hash, ver, account);
  }

  /** The resource is gone, or no longer shows its presence to `account`. */
  left(jid: Jid, account?: string): void {
    const entry = this.#find(jid);
    if (!entry) return;
    if (account !== undefined) entry.heardBy.delete(account);
    if (account !== undefined && entry.heardBy.size > 0) return;
    entry.key = undefined;
    this.#remote.delete(jid.full);
    const others = this.#othersOf(jid);
    if (others.length > 0) this.#resources.set(jid.bare, others);
    else this.#resources.delete(jid.bare);
  }

  #find(jid: Jid): Entry | undefined {
    return this.#resources.get(jid.bare)?.find((one) => one.jid.resource === jid.resource);
  }

  #othersOf(jid: Jid): Entry[] {
    return this.#resources.get(jid.bare)?.filter((one) => one.jid.resource !== jid.resource) ?? [];
  }

  #add(jid: Jid, session: Session | undefined): Entry {
    const heardBy = session ? nobody : new Set<string>();
    const entry: Entry = { jid, session, wants: nothing, heardBy, key: undefined, node: undefined };
    this.#resources.set(jid.bare, [...this.#othersOf(jid), entry]);
    if (session) return entry;
    this.#remote.set(jid.full, entry);
    if (this.#remote.size > remoteMaximum) {
      const [oldest] = this.#remote.values();
      this.left(oldest!.jid);
    }
    return entry;
  }

  /** What cannot be verified: §5.4 and the legacy format (§4). */
  async #askAlone(entry: Entry, key: string, account: string): Promise<void> {
    const query = await this.#ask(entry, account);
    if (query && entry.key === key) this.#want(entry, wantsOf(query));
  }

  /** Asks those who show the hash, one after the other, until an answer fits it. */
  async #verify(key: string, hash: CapsAlgorithm, ver: string | undefined, account: string): Promise<void> {
    const waiting = this.#waiting.get(key)!;
    const silent: Entry[] = [];
    for (let entry = waiting.shift(); entry; entry = waiting.shift()) {
      if (entry.key !== key) continue;
      const query = await this.#ask(entry, account);
      if (!query) {
        silent.push(entry);
        continue;
      }
      const wants = wantsOf(query);
      if (capsHash(query, hash) === ver) {
        this.#remember(key, wants);
        for (const one of [entry, ...silent, ...waiting.splice(0)])
          if (one.key === key) this.#want(one, wants);
        break;
      }
      if (entry.key === key) this.#want(entry, wants);
    }
    this.#waiting.delete(key);
  }

  /** The disco#info of a client, asked from an account that hears it; `undefined` where it gives none. */
  async #ask({ jid: to, session, heardBy, node }: Entry, account: string): Promise<Element | undefined> {
    const [from = account] = session ? [session.account] : heardBy;
    const query = xml("query", { xmlns: NS.discoInfo, node });
    try {
      const reply = await this.#router.request(xml("iq", { type: "get", from, to: to.full }, query));
      return attr(reply, "type") === "result" ? child(reply, "query", NS.discoInfo) : undefined;
    } catch (error) {
      this.#log.debug({ err: error, to: to.full }, "a client does not tell its capabilities");
      return undefined;
    }
  }

  #want(entry: Entry, wants: ReadonlySet<string>): void {
    const added = [...wants].filter((node) => !entry.wants.has(node));
    entry.wants = wants;
    if (added.length === 0) return;
    if (entry.session) this.#tell(entry, added);
    else for (const account of entry.heardBy) this.#tell(entry, added, account);
  }

  #tell(entry: Entry, added: readonly string[], account?: string): void {
    for (const listener of this.#listeners) {
      listener(entry, added, account).catch((error: unknown) =>
        this.#log.error({ err: error }, "a resource was not told what it wants"),
      );
    }
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

export default defineModule({
  name: "caps",
  xeps: ["0115"],
  setup: (context) => {
    const capabilities = capabilitiesOf(context);
    const { domain } = context.config;
    return {
      events: {
        "presence.available": ({ session, stanza }) =>
          capabilities.heard(session.jid, session, session.account, stanza),
        "presence.unavailable": ({ session }) => capabilities.left(session.jid),
        "session.closed": ({ session }) => capabilities.left(session.jid),
        "presence.received": ({ account, from, stanza }) => {
          // Our own users' presence is known before it is sent around.
          if (from.domain === domain || from.isBare) return;
          const type = attr(stanza, "type");
          if (type === undefined) capabilities.heard(from, undefined, account, stanza);
          else if (type === "unavailable") capabilities.left(from, account);
        },
      },
    };
  },
});
