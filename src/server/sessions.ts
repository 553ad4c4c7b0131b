/** The sessions of this process, by address. */
import type { Jid } from "../xmpp/jid.ts";
import type { Session, Taken } from "./session.ts";

const nobody: ReadonlyMap<string, Session> = new Map();

export class Sessions {
  readonly #accounts = new Map<string, Map<string, Session>>();
  #count = 0;
  #onTaken: Taken = () => undefined;

  /**
   * `listener` is told the archive ids of messages that clients have taken: as each is acknowledged (XEP-0198), or
   * written to the connection where a client does not acknowledge. One listener; sync.
   */
  onTaken(listener: Taken): void {
    this.#onTaken = listener;
  }

  /** What sessions tell it by. */
  readonly taken: Taken = (account, archiveId) => this.#onTaken(account, archiveId);

  get count(): number {
    return this.#count;
  }

  /** Makes the session reachable. The resource must be free: the caller has closed whoever held it. */
  add(session: Session): void {
    let resources = this.#accounts.get(session.account);
    if (!resources) this.#accounts.set(session.account, (resources = new Map()));
    resources.set(session.jid.resource, session);
    this.#count += 1;
  }

  /** Forgets the session. `false` where another one holds its address by now: an old stream's end is not the new one's. */
  remove(session: Session): boolean {
    const resources = this.#accounts.get(session.account);
    if (resources?.get(session.jid.resource) !== session) return false;
    resources.delete(session.jid.resource);
    if (resources.size === 0) this.#accounts.delete(session.account);
    this.#count -= 1;
    return true;
  }

  /** The session bound to a full JID. */
  get(jid: Jid): Session | undefined {
    return this.#accounts.get(jid.bare)?.get(jid.resource);
  }

  /** All sessions of a bare JID, available or only connected. */
  of(account: string): Iterable<Session> {
    return (this.#accounts.get(account) ?? nobody).values();
  }

  /** Whether anybody is connected to a bare JID. */
  has(account: string): boolean {
    return this.#accounts.has(account);
  }

  /** Its available resources (RFC 6121 §4.2). */
  availableOf(account: string): Session[] {
    const found: Session[] = [];
    for (const session of this.of(account)) if (session.available) found.push(session);
    return found;
  }

  *[Symbol.iterator](): Iterator<Session> {
    for (const resources of this.#accounts.values()) yield* resources.values();
  }
}
