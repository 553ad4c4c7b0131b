/**
 * The way of a message (RFC 6121 §8): the filters and archives of both its sides, one wait until what they wrote is on
 * disk, then copies and delivery. Nobody gets what could still be lost, and nobody hears that it was taken before.
 */
import { StanzaError } from "../xmpp/errors.ts";
import type { Jid } from "../xmpp/jid.ts";
import { handlingOf, type Handling } from "../xmpp/message-kind.ts";
import { messageType } from "../xmpp/stanza.ts";
import { attr, type Element } from "../xmpp/xml.ts";
import { deliverMessage } from "./delivery.ts";
import { plainText, type Passage } from "./module.ts";
import type { RouterOptions } from "./router.ts";
import type { Session } from "./session.ts";
import { runHandlers, runStages } from "./stages.ts";

type Done = void | Promise<void>;

/** A message whose place in the order is taken: the next one of its sender may be looked at meanwhile. */
export class Underway {
  /** Resolves once it is safe and with those it is for, or its sender was told otherwise; in order of the messages. */
  readonly through: Promise<void>;

  constructor(through: Promise<void>) {
    this.through = through;
  }
}

export interface MessageFlowOptions extends RouterOptions {
  /** Whether a domain is this one, or a part of it. */
  serves(domain: string): boolean;
  /** Answers what could not be handled. */
  refuse(stanza: Element, thrown: unknown): Done;
}

export class MessageFlow {
  readonly #options: MessageFlowOptions;
  /** The last message that is under way of a client, or of whatever else sends its messages in order. */
  readonly #last = new WeakMap<object, { readonly through: Promise<void>; readonly isOrdered: boolean }>();

  constructor(options: MessageFlowOptions) {
    this.#options = options;
  }

  /** From a client of ours. */
  send(stanza: Element, to: Jid, session: Session): Done | Underway {
    // RFC 6121 §8.1.1.1: a message without an address goes to the account itself.
    if (attr(stanza, "to") === undefined) stanza.attrs["to"] = to.bare;
    const { jid, account } = session;
    const out = passage("out", stanza, jid, to, account, session, handlingOf(stanza));
    return this.#file(out, (is) => (is ? undefined : this.#across(out)));
  }

  /**
   * One side's filters and archive. `onwards` goes on in the turn of what was archived, also behind a filter that
   * waited: who gets several messages gets them in the order of their archive.
   */
  #file(passage: Passage, onwards: (stopped: boolean) => Done | Underway): Done | Underway {
    const { message } = this.#options.registry;
    const archive = (is: boolean): Done | Underway => {
      const stopped = is || runStages(message, passage, "archive", "archive");
      return stopped instanceof Promise ? stopped.then((now) => throughOf(onwards(now))) : onwards(stopped);
    };
    const stopped = runStages(message, passage, "filter", "filter");
    return stopped instanceof Promise ? stopped.then((is) => throughOf(archive(is))) : archive(stopped);
  }

  /** From elsewhere, for an address of ours; or from inside the node, for any. `lane`: the stream that it came on. */
  arrive(stanza: Element, from: Jid, to: Jid, lane?: object): Done | Underway {
    const coming = passage("in", stanza, from, to, to.bare, undefined, handlingOf(stanza));
    return this.#enter(coming, undefined, lane);
  }

  /** One of many copies: `coming` is its way in, and what it says is written already. */
  take(coming: Passage): Done {
    return throughOf(this.#pass(coming, undefined));
  }

  /** An error for who wrote a message. It comes from the server, so no filter looks at it. */
  bounce(reply: Element, from: Jid, to: Jid): Done {
    const coming = passage("in", reply, from, to, to.bare, undefined, handlingOf(reply));
    const stopped = runStages(this.#options.registry.message, coming, "archive", "archive");
    const onwards = (): Done =>
      throughOf(this.#after(undefined, coming, coming.durable, () => this.#deliver(coming)));
    return stopped instanceof Promise ? stopped.then(onwards) : onwards();
  }

  /** From the sender's side to the other one. What is refused there has been sent all the same. */
  #across(out: Passage): Done | Underway {
    const { stanza, from, to, session, handling } = out;
    const coming = passage("in", stanza, from, to, to.bare, session, handling);
    if (out.plain !== undefined) coming.plain = out.plain;
    const refused = (error: unknown): Done =>
      throughOf(this.#after(out, coming, undefined, () => this.#options.refuse(stanza, error)));
    try {
      const done = this.#enter(coming, out);
      return done instanceof Promise ? done.catch(refused) : done;
    } catch (error) {
      return refused(error);
    }
  }

  #enter(coming: Passage, out: Passage | undefined, lane?: object): Done | Underway {
    const { domain, registry, sessions, accountExists, remote, serves } = this.#options;
    const { stanza, from, to } = coming;
    const service = registry.services.get(to.bare);
    if (service) {
      if (!service.message) throw new StanzaError("service-unavailable");
      // It may take its time, and the next message may be for it too.
      return throughOf(this.#after(out, coming, undefined, () => service.message!(coming)));
    }
    if (!serves(to.domain)) {
      if (!remote) throw new StanzaError("remote-server-not-found");
      // In the turn of what the sender's archive wrote: one commit holds both.
      const sent = remote.send(stanza, from, to, out && plainText(out));
      return this.#after(out, coming, sent ?? undefined);
    }
    // Nobody reads what is written to the server itself, and nobody lives at the parts of its domain.
    if (to.local === "" || to.domain !== domain) return unserved(stanza);
    if (sessions.has(to.bare)) return this.#pass(coming, out, lane);
    const exists = accountExists(to.local);
    if (exists instanceof Promise)
      return exists.then((is) => (is ? throughOf(this.#pass(coming, out, lane)) : unserved(stanza)));
    return exists ? this.#pass(coming, out, lane) : unserved(stanza);
  }

  /** The recipient's side, of an account that is there. */
  #pass(coming: Passage, out: Passage | undefined, lane?: object): Done | Underway {
    this.#refuseAtOnce(coming);
    return this.#file(coming, (is) =>
      this.#after(out, coming, coming.durable, is ? undefined : () => this.#deliver(coming), lane),
    );
  }

  /** RFC 6121 §8.5.2 and §8.5.3.2.1: what cannot be delivered to anybody is in no archive of the recipient. */
  #refuseAtOnce({ stanza, to }: Passage): void {
    const type = messageType(stanza);
    if (type !== "groupchat" && (to.isBare || type !== "normal")) return;
    if (to.isBare || !this.#options.sessions.get(to)) throw new StanzaError("service-unavailable");
  }

  /** Never throws. Once both sides are safe: the copies of the sender's side, then what happens on the other one. */
  #after(
    out: Passage | undefined,
    { stanza }: Passage,
    durable: Promise<void> | undefined,
    then?: () => Done,
    lane: object | undefined = out?.session,
  ): Done | Underway {
    const last = lane && this.#last.get(lane);
    // Commits come in order, and so does what waits for one of them. Anything else waits for the message before.
    const isOrdered = !durable || !out?.durable || durable === out.durable;
    const own = isOrdered ? (durable ?? out?.durable) : Promise.all([durable, out.durable]);
    const wait = last && !(own && isOrdered && last.isOrdered) ? Promise.all([own, last.through]) : own;
    if (!wait) return this.#effect(out, stanza, then);
    const through: Promise<void> = wait.then(
      () => {
        if (lane && this.#last.get(lane)?.through === through) this.#last.delete(lane);
        return this.#effect(out, stanza, then);
      },
      (error: unknown) => this.#options.refuse(stanza, error),
    );
    if (lane) this.#last.set(lane, { through, isOrdered });
    return new Underway(through);
  }

  /** Stays synchronous as long as every handler does: then all happens in the order of the commits. */
  #effect(out: Passage | undefined, stanza: Element, then?: () => Done): Done {
    try {
      const copied = out && runStages(this.#options.registry.message, out, "copy", "deliver");
      const done = copied instanceof Promise ? copied.then(then) : then?.();
      return done?.catch((error: unknown) => this.#options.refuse(stanza, error));
    } catch (error) {
      return this.#options.refuse(stanza, error);
    }
  }

  #deliver(coming: Passage): Done {
    const stopped = runStages(this.#options.registry.message, coming, "copy", "deliver");
    if (stopped instanceof Promise) return stopped.then((is) => (is ? undefined : this.#handOver(coming)));
    if (!stopped) return this.#handOver(coming);
  }

  #handOver(coming: Passage): Done {
    if (deliverMessage(coming, this.#options.sessions)) return;
    // §8.5.2.2.1: kept for later, or returned.
    const orReturn = (taken: boolean): void => {
      if (!taken) throw new StanzaError("service-unavailable");
    };
    const taken = runHandlers(this.#options.registry.undelivered, coming);
    return taken instanceof Promise ? taken.then(orReturn) : orReturn(taken);
  }
}

/** For who waits until it is through. */
export const throughOf = (done: Done | Underway): Done => (done instanceof Underway ? done.through : done);

/** Every passage has the same shape: one of the hot objects. */
function passage(
  direction: "out" | "in",
  stanza: Element,
  from: Jid,
  to: Jid,
  account: string,
  session: Session | undefined,
  handling: Handling | undefined,
): Passage {
  return { stanza, direction, from, to, account, session, handling };
}

/**
 * RFC 6121 §8.5.1: a message to what is not there comes back, so that a mistyped address is noticed: that an account
 * exists is no secret, as its page is public.
 */
function unserved(stanza: Element): void {
  if (messageType(stanza) !== "headline") throw new StanzaError("service-unavailable");
}
