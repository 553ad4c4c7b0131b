/** RFC 6121 §4.6: whom a resource greeted by name, so that they learn when it goes; also who it may hear from so. */
import type { Session } from "../server/session.ts";
import type { Sessions } from "../server/sessions.ts";
import { StanzaError } from "../xmpp/errors.ts";
import type { Jid } from "../xmpp/jid.ts";

/** Rooms and strangers that one client is in touch with at once; beyond, somebody is being a nuisance. */
const maxTargets = 500;

export class DirectedPresence {
  readonly #targets = new WeakMap<Session, Map<string, Jid>>();

  /** `resource-constraint` where there are too many. */
  add(session: Session, to: Jid): void {
    let targets = this.#targets.get(session);
    if (!targets) this.#targets.set(session, (targets = new Map()));
    if (targets.size >= maxTargets && !targets.has(to.full)) {
      throw new StanzaError("resource-constraint", { text: "Too many have directed presence of yours" });
    }
    targets.set(to.full, to);
  }

  remove(session: Session, to: Jid): void {
    this.#targets.get(session)?.delete(to.full);
  }

  /** Whom the resource greeted and did not leave; forgotten with that. */
  take(session: Session): Jid[] {
    const targets = this.#targets.get(session);
    this.#targets.delete(session);
    return targets ? [...targets.values()] : [];
  }

  /** Whom the resource greeted and did not leave. */
  of(session: Session): Iterable<Jid> {
    return this.#targets.get(session)?.values() ?? [];
  }

  has(session: Session, to: Jid): boolean {
    return this.#targets.get(session)?.has(to.full) ?? false;
  }

  /** Whether the resource greeted anything of that bare JID, e.g. another occupant of the same room. */
  hasBare(session: Session, { bare }: Jid): boolean {
    for (const to of this.of(session)) if (to.bare === bare) return true;
    return false;
  }
}

const all = new WeakMap<Sessions, DirectedPresence>();

/** The directed presence of these sessions; one for all modules of a node. */
export function directedPresenceOf(sessions: Sessions): DirectedPresence {
  const known = all.get(sessions) ?? new DirectedPresence();
  all.set(sessions, known);
  return known;
}
