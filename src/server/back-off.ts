/** How long what is for a domain that cannot be reached waits, and when that is tried again. In milliseconds. */
import type { StanzaCondition } from "../xmpp/errors.ts";
import type { DurableKind } from "./delivery-class.ts";
import type { RouteState } from "./outbound-queue.ts";

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** A server that is started anew is back within this. */
const firstPause = 5 * second;
/** Half an hour is what a follower waits at most once a server is back that was away for long, unless it calls first. */
const longestPause = 30 * minute;
/** A stanza that so many streams ended at, one after the other, ends every stream; about an hour of tries. */
export const maxLostFirst = 10;
/** A domain that failed lately is tried again no sooner than this because somebody writes there. */
export const pauseForSenders = minute;
/** The same for what can wait. */
export const pauseForEvents = longestPause;
/** How long it is known of a domain that it failed, where nothing waits for it: so long its log line is not repeated. */
export const memoryOfFailures = day;

/**
 * How long each kind waits. A sender who hears nothing for an hour believes that it arrived; a follower who was away
 * for a weekend wants to read what they missed; a roster should say the same on both sides.
 */
const holdTimes: Record<DurableKind, number> = { chat: hour, subscription: day, notification: 7 * day };
/** A name that DNS does not know is a typing error nearly always. */
const holdOfUnknown = minute;

/** How long a stanza is kept for a domain that fails so. */
export function holdTime(kind: DurableKind, condition: StanzaCondition): number {
  if (kind === "notification") return holdTimes.notification;
  if (condition === "remote-server-timeout" || condition === "internal-server-error") return holdTimes[kind];
  // Everything else is an answer: to ask again would change nothing.
  return condition === "remote-server-not-found" ? holdOfUnknown : 0;
}

/** The pause after so many tries that failed: each time twice as long; `random` (0 up to 1) adds up to a quarter. */
export function afterFailure(attempts: number, random: number): number {
  return Math.min(firstPause * 2 ** (attempts - 1), longestPause) * (1 + random / 4);
}

/** Whether a domain failed so lately that it is not tried yet, whoever asks. */
export function isResting({ failingSince, triedAt, attempts, nextAt }: RouteState, now: number): boolean {
  if (!failingSince || !triedAt) return false;
  return Math.min(nextAt.getTime(), triedAt.getTime() + afterFailure(attempts, 0)) > now;
}
