/** What the domain tells, after the commit. */
import type { Jid } from "../xmpp/jid.ts";
import type { Element } from "../xmpp/xml.ts";
import type { Post } from "./posts.ts";

export interface DomainEvents {
  "account.added": { account: string };
  /** Told again at the next start where a listener failed or was interrupted: listeners must not mind. */
  "account.removed": { account: string };
  /** `by` is the full address of the client that asked for it, where one of the account's own did. */
  "account.password": { account: string; by: string | undefined };
  /** An app password is taken back. */
  "app-password.removed": { account: string; id: string };
  /**
   * One of an account's clients was put out: as `Session.client` knows it, where it said which it is, and the resources
   * that it had. It may come back where it knows the password.
   */
  "client.revoked": { account: string; client: string | undefined; resources: readonly string[] };
  /** Nobody can log in to it until it is enabled again. */
  "account.disabled": { account: string };
  /** A roster item is as told now; `subscription: "remove"` where it is gone; `previous` what it was before, if it was. */
  "roster.changed": { account: string; item: RosterChange; previous: RosterChange | undefined };
  /** XEP-0191: these contacts of an account are no longer blocked. */
  "blocking.ended": { account: string; contacts: readonly RosterChange[] };
  /** XEP-0084: an account shows another picture than before, or none. */
  "avatar.changed": { account: string };
  /** XEP-0377: an account blocked somebody and reported them to whoever runs the node. */
  "contact.reported": { account: string; jid: Jid; report: Element };
  "post.published": { post: Post; created: boolean };
  "post.deleted": { author: string; id: string };
  /** Something in an account's timeline is new, was edited or is gone, and its clients were not told yet. */
  "timeline.changed": { account: string };
}

export interface RosterChange {
  readonly jid: string;
  readonly name: string | undefined;
  readonly groups: readonly string[];
  readonly subscription: "none" | "to" | "from" | "both" | "remove";
  readonly ask: boolean;
  readonly approved: boolean;
  readonly version: number;
}
