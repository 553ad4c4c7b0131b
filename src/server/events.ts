/** What the server tells: sessions and their presence. */
import type { Jid } from "../xmpp/jid.ts";
import type { Element } from "../xmpp/xml.ts";
import type { Session } from "./session.ts";

export interface ServerEvents {
  "session.bound": { session: Session };
  /** The stream is gone, cleanly or not; the session is out of `Sessions` already. Told once a session. */
  "session.closed": { session: Session };
  /** Its connection is lost, and its client may come back: until then it looks as if it were there (XEP-0198 §5). */
  "session.hibernated": { session: Session };
  /** Its client is back; `isStale`: after a restart of the process, so that what it knows of others is old. */
  "session.resumed": { session: Session; isStale: boolean };
  /** A session that rests is written to disk: whoever keeps something beside it adds that to `state`, as JSON; sync. */
  "session.saved": { session: Session; state: Record<string, unknown> };
  /** After a restart a session rests as it did before, and is told instead of `session.bound`; sync. */
  "session.restored": { session: Session; state: Readonly<Record<string, unknown>> };
  /** A resource broadcast presence without a type; `initial` where it was not available before (RFC 6121 §4.2). */
  "presence.available": { session: Session; stanza: Element; initial: boolean };
  /** A resource that was available is so no longer; `stanza` is what its contacts are told. */
  "presence.unavailable": { session: Session; stanza: Element };
  /**
   * Presence came in from another domain for an account of ours: available or not, `from` as it was sent. That of our
   * own accounts is told once, as it is sent.
   */
  "presence.received": { account: string; from: Jid; stanza: Element };
  /** A link to another domain is there; `again`: it could not be reached before. */
  "domain.connected": { domain: string; again: boolean };
  /** Another domain cannot be reached. Told once, until it is connected again. */
  "domain.lost": { domain: string };
}
