/** A way to other domains, as those see it who have something to send there. */
import type { StanzaCondition } from "../xmpp/errors.ts";

/**
 * What became of a stanza: `done`, the peer took responsibility for it; `lost`, the link ended before that, and it may
 * or may not have arrived; `refused`, it is larger than the peer takes (XEP-0478), and was not sent.
 */
export type Outcome = "done" | "lost" | "refused";

export interface S2sLink {
  /** Whether stanzas from the one domain to the other may go here: proven, and the link is still open. */
  carries(local: string, remote: string): boolean;
  /** Sends a stanza, in order. It comes from the queue as text, and is not parsed again; `settled` is told once. */
  send(text: string, settled: (outcome: Outcome) => void): void;
  /** The largest stanza that the peer takes, in bytes, where it told (XEP-0478). */
  readonly maxStanzaBytes: number | undefined;
  /** Stanzas that were sent and are not settled yet. */
  readonly waiting: number;
  /** Told once, when the link has ended and everything sent on it is settled. */
  onEnd(listener: () => void): void;
  /** Ends the link; the peer may still acknowledge what it has. */
  close(): void;
}

/** Why no link came about. */
export class S2sError extends Error {
  override readonly name = "S2sError";
  /** What a sender is told where nobody tries again. */
  readonly condition: StanzaCondition;
  /** One plain line for the operator. */
  readonly reason: string;

  constructor(condition: StanzaCondition, reason: string, cause?: unknown) {
    super(reason, { cause });
    this.condition = condition;
    this.reason = reason;
  }
}
