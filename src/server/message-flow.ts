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

const ignore = (): void => undefined;

/** A message whose place in the order is taken: the next one of its sender may be looked at meanwhile. */
export class Underway {
  /** Resolves once it is safe and with those it is for, or its sender was told otherwise. */
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
  /**
   * What the last message waits for that is under way of a client, or of whatever else sends its messages in order: a
   * commit. They come in order, and what waits for one of them goes on in the order in which it began to.
   */
  readonly #last = new WeakMap<object, Promise<void>>();

  constructor(options: MessageFlowOptions) {
    this.#options = options;
  }

  /** From a client of ours. */
  send(stanza: Element, to: Jid, session: Session): Done | Underway {
    // RFC 6121 §8.1.1.1: a message without an address goes to the account itself.
    if (attr(stanza, "to") === undefined) stanza.attrs["to"] = to.bare;
    const { jid, account } = session;
    const out = passage("out", stanza, jid, to, account, session, handlingOf(stanza));
    return this.#file(out, (stopped) => {
      if (stopped) return;
      // Whatever is the matter on the other side: in the turn of what was archived on this one.
      const copied = this.#inTurn(out, session, () => this.#copy(out));
      return this.#across(out) ?? copied;
    });
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
    return this.#enter(coming, lane);
  }

  /** One of many copies: `coming` is its way in, and what it says is written already. */
  take(coming: Passage): Done {
    return throughOf(this.#pass(coming));
  }

  /** An error for who wrote a message. It comes from the server, so no filter looks at it. */
  bounce(reply: Element, from: Jid, to: Jid): Done {
    const coming = passage("in", reply, from, to, to.bare, undefined, handlingOf(reply));
    const stopped = runStages(this.#options.registry.message, coming, "archive", "archive");
    const onwards = (): Done => throughOf(this.#inTurn(coming, undefined, () => this.#deliver(coming)));
    return stopped instanceof Promise ? stopped.then(onwards) : onwards();
  }

  /** From the sender's side to the other one. What is refused there has been sent all the same. */
  #across(out: Passage): Done | Underway {
    const { stanza, from, to, session, handling } = out;
    const coming = passage("in", stanza, from, to, to.bare, session, handling);
    if (out.plain !== undefined) coming.plain = out.plain;
    const refused = (error: unknown): Done | Underway =>
      this.#inTurn({ stanza }, session, () => this.#options.refuse(stanza, error));
    try {
      const done = this.#enter(coming, session, out);
      return done instanceof Promise ? done.catch((error: unknown) => throughOf(refused(error))) : done;
    } catch (error) {
      return refused(error);
    }
  }

  #enter(coming: Passage, lane?: object, out?: Passage): Done | Underway {
    const { domain, registry, sessions, accountExists, remote, serves } = this.#options;
    const { stanza, from, to } = coming;
    const service = registry.services.get(to.bare);
    if (service) {
      if (!service.message) throw new StanzaError("service-unavailable");
      // It may take its time, and the next message may be for it too.
      return this.#inTurn(coming, lane, () => service.message!(coming), out?.durable);
    }
    if (!serves(to.domain)) {
      if (!remote) throw new StanzaError("remote-server-not-found");
      const sent = remote.send(stanza, from, to, out && plainText(out));
      if (!sent) return;
      const refuse = (error: unknown): Done => this.#options.refuse(stanza, error);
      // One commit holds it and what the sender's archive wrote: what is lost is told of once.
      const own = out?.durable ?? Promise.resolve();
      const safe = sent.catch((error: unknown) => own.then(() => refuse(error), ignore));
      return new Underway(Promise.all([safe, own]).then(ignore, ignore));
    }
    // Nobody reads what is written to the server itself, and nobody lives at the parts of its domain.
    if (to.local === "" || to.domain !== domain) return unserved(stanza);
    if (sessions.has(to.bare)) return this.#pass(coming, lane, out);
    const exists = accountExists(to.local);
    if (exists instanceof Promise)
      return exists.then((is) => (is ? throughOf(this.#pass(coming, lane, out)) : unserved(stanza)));
    return exists ? this.#pass(coming, lane, out) : unserved(stanza);
  }

  /** The recipient's side, of an account that is there. */
  #pass(coming: Passage, lane?: object, out?: Passage): Done | Underway {
    this.#refuseAtOnce(coming);
    return this.#file(coming, (stopped) => {
      const effect = stopped ? ignore : () => this.#deliver(coming);
      return this.#inTurn(coming, lane, effect, out?.durable);
    });
  }

  /** RFC 6121 §8.5.2 and §8.5.3.2.1: what cannot be delivered to anybody is in no archive of the recipient. */
  #refuseAtOnce({ stanza, to }: Passage): void {
    const type = messageType(stanza);
    if (type !== "groupchat" && (to.isBare || type !== "normal")) return;
    if (to.isBare || !this.#options.sessions.get(to)) throw new StanzaError("service-unavailable");
  }

  /**
   * Runs `effect` once the passage is safe, or at once; of a lane, behind all that wait in it. As long as effects stay
   * synchronous all happens in the order of the commits, so that everybody hears in the order of their archive. Never
   * throws: the sender is told, but of what was lost with the sender's `own` side, which has told it.
   */
  #inTurn(
    { stanza, durable }: Pick<Passage, "stanza" | "durable">,
    lane: object | undefined,
    effect: () => Done,
    own?: Promise<void>,
  ): Done | Underway {
    const refuse = (error: unknown): Done => this.#options.refuse(stanza, error);
    const attempt = (): Done => {
      try {
        return effect()?.catch(refuse);
      } catch (error) {
        return refuse(error);
      }
    };
    const wait = durable ?? (lane && this.#last.get(lane));
    if (!wait) return attempt();
    if (lane) this.#last.set(lane, wait);
    const proceed = (): Done => {
      if (lane && this.#last.get(lane) === wait) this.#last.delete(lane);
      return attempt();
    };
    const lost = wait === own ? ignore : durable ? refuse : proceed;
    return new Underway(wait.then(proceed, lost));
  }

  #copy(out: Passage): Done {
    const copied = runStages(this.#options.registry.message, out, "copy", "deliver");
    if (copied instanceof Promise) return copied.then(ignore);
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
