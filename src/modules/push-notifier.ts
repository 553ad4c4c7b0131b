/**
 * When pushes go out (XEP-0357 §7): one for all that comes in a short while, and then none until the client was there;
 * whoever calls is announced at once.
 */
import type { Registration, Registrations } from "../domain/push.ts";
import type { Logger } from "../log.ts";
import { readStanzaError, StanzaError } from "../xmpp/errors.ts";
import { parseJid } from "../xmpp/jid.ts";
import { attr, type Element } from "../xmpp/xml.ts";
import { notification, type News } from "./push-notification.ts";
import { Pace } from "./push-pace.ts";

/** All that comes in this time is one push, and a client that is back by then gets none. In milliseconds. */
const coalescing = 500;
/** A push can be lost behind its service: after this time, what is new is announced again. In milliseconds. */
const validity = 3_600_000;
/** Where a service cannot be reached it is tried again: first after half a minute, then ever later. */
const firstRetry = 30_000;
const longestRetry = 3_600_000;
/** So often, which takes six hours; beyond, that is an error like others. */
const maxRetries = 12;
/** Nothing that the service itself has decided. */
const transient = new Set([
  "remote-server-timeout",
  "remote-server-not-found",
  "recipient-unavailable",
  "resource-constraint",
  "internal-server-error",
]);

/** What a client does not know of yet. */
interface Missed {
  count: number;
  latest: News;
  timer: NodeJS.Timeout | undefined;
  isUnderway: boolean;
  retries: number;
}

export interface PushNotifierOptions {
  readonly domain: string;
  readonly registrations: Registrations;
  readonly log: Logger;
  /** Whether the client of a registration has a connection, and so needs no push. */
  isThere(registration: Registration): boolean;
  /** Subscription requests that wait for an account's answer. */
  requestsOf(account: string): Promise<number>;
  /** Sends an iq, and waits for the answer. */
  request(iq: Element): Promise<Element>;
}

export class PushNotifier {
  readonly #options: PushNotifierOptions;
  readonly #missed = new Map<Registration, Missed>();
  readonly #pace = new Pace();

  constructor(options: PushNotifierOptions) {
    this.#options = options;
  }

  /** Something came for the client of a registration. */
  note(registration: Registration, news: News): void {
    const now = Date.now();
    const { pausedUntil, pushedAt } = registration;
    if ((pausedUntil && pausedUntil.getTime() > now) || this.#options.isThere(registration)) return;
    const missed = this.#missed.get(registration) ?? fresh(news);
    this.#missed.set(registration, missed);
    missed.count += 1;
    missed.latest = news;
    if (news.isCall) return this.#schedule(registration, missed, 0);
    const isTold = pushedAt !== null && now - pushedAt.getTime() < validity;
    if (!missed.timer && !missed.isUnderway && !isTold) this.#schedule(registration, missed, coalescing);
  }

  /** Whether its client misses something already. */
  knows(registration: Registration): boolean {
    return this.#missed.has(registration);
  }

  /** Its client is there, or does not want to be woken any more. */
  forget(registration: Registration): void {
    clearTimeout(this.#missed.get(registration)?.timer);
    this.#missed.delete(registration);
  }

  close(): void {
    for (const registration of [...this.#missed.keys()]) this.forget(registration);
  }

  #schedule(registration: Registration, missed: Missed, delay: number): void {
    clearTimeout(missed.timer);
    missed.timer = setTimeout(() => {
      missed.timer = undefined;
      this.#push(registration, missed).catch((error: unknown) => {
        const { account, service } = registration;
        this.#options.log.error({ err: error, account, service }, "a push could not be sent");
      });
    }, delay).unref();
  }

  async #push(registration: Registration, missed: Missed): Promise<void> {
    const { registrations, isThere } = this.#options;
    if (!registrations.holds(registration) || isThere(registration)) return this.forget(registration);
    const place = `${registration.account} ${parseJid(registration.service)?.domain}`;
    const wait = this.#pace.take(place, performance.now());
    if (wait > 0) return this.#schedule(registration, missed, wait);
    missed.isUnderway = true;
    const error = await this.#publish(registration, missed);
    missed.isUnderway = false;
    // Its client may have come meanwhile.
    const isMissed = this.#missed.get(registration) === missed;
    if (!error) {
      missed.retries = 0;
      if (isMissed) await registrations.pushed(registration);
    } else if (!transient.has(error.condition)) await this.#giveUp(registration, error);
    else if (isMissed) await this.#retry(registration, missed, error);
  }

  /** The error that the service answers, or whoever could not reach it. */
  async #publish(registration: Registration, missed: Missed): Promise<StanzaError | undefined> {
    const { domain, registrations, request, requestsOf } = this.#options;
    const [options, requests] = await Promise.all([
      registrations.options(registration),
      requestsOf(registration.account),
    ]);
    const { count: messages, latest } = missed;
    try {
      const reply = await request(
        notification(domain, registration, { messages, requests, latest }, options),
      );
      return attr(reply, "type") === "error" ? readStanzaError(reply) : undefined;
    } catch (error) {
      if (error instanceof StanzaError) return error;
      throw error;
    }
  }

  async #retry(registration: Registration, missed: Missed, error: StanzaError): Promise<void> {
    if (missed.retries >= maxRetries) return this.#giveUp(registration, error);
    const delay = Math.min(longestRetry, firstRetry * 2 ** missed.retries);
    missed.retries += 1;
    // Whoever calls does not wait for this.
    if (!missed.timer) this.#schedule(registration, missed, delay);
  }

  async #giveUp(registration: Registration, { condition }: StanzaError): Promise<void> {
    const { account, service } = registration;
    this.#options.log.info({ account, service, condition }, "a push service was given up for a while");
    this.forget(registration);
    await this.#options.registrations.failed(registration);
  }
}

const fresh = (latest: News): Missed => ({
  ...{ count: 0, latest, retries: 0 },
  timer: undefined,
  isUnderway: false,
});
