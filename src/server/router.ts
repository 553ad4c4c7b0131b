/** Where a stanza goes: the rules of RFC 6120 §10 and RFC 6121 §8. Only the router replies, and never to an error. */
import { randomUUID } from "node:crypto";
import type { Logger } from "../log.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { handlingOf } from "../xmpp/message-kind.ts";
import { errorReply, iqPayload, resultReply, toStanzaError } from "../xmpp/stanza.ts";
import { attr, escapeAttribute, namespaceOf, serialize, xml, type Element } from "../xmpp/xml.ts";
import { MessageFlow, throughOf, type Underway } from "./message-flow.ts";
import type { IqRequest, IqRoute, Passage } from "./module.ts";
import type { Registry } from "./registry.ts";
import type { Session } from "./session.ts";
import type { Sessions } from "./sessions.ts";
import { runFilters, runGates, runStages } from "./stages.ts";

/** How long a client has to answer a request of the server, in milliseconds. */
const requestTimeout = 30_000;
/** Requests under way at once; more than one for each session of a school at login, and far below what memory bears. */
const maxRequests = 20_000;

type Done = void | Promise<void>;

/** The way to other domains. */
export interface Remote {
  /**
   * Takes a stanza for another domain, and resolves once it is safe; `text` is its serialised form where the caller has
   * it already (it then decides what is sent). Throws `StanzaError` where it may not go.
   */
  send(stanza: Element, from: Jid, to: Jid, text?: string): Done;
}

export interface RouterOptions {
  readonly domain: string;
  readonly sessions: Sessions;
  readonly registry: Registry;
  readonly log: Logger;
  /** Without it there are no other domains. */
  readonly remote?: Remote | undefined;
  /** Whether there is an account of that name here. */
  accountExists(local: string): boolean | Promise<boolean>;
}

interface Asked {
  readonly of: string;
  answer(reply: Element): void;
}

export class Router {
  readonly #options: RouterOptions;
  readonly #messages: MessageFlow;
  readonly #requests = new Map<string, Asked>();

  constructor(options: RouterOptions) {
    this.#options = options;
    this.#messages = new MessageFlow({
      ...options,
      serves: (domain) => this.serves(domain),
      refuse: (stanza, thrown) => this.#refuse(stanza, thrown),
    });
  }

  /** Whether a domain is this one, or a part of it that a module serves. */
  serves(domain: string): boolean {
    return domain === this.#options.domain || this.#options.registry.hosts.has(domain);
  }

  /** A stanza from a client of ours. Its `from` is stamped here (RFC 6120 §8.1.2.1). */
  receive(session: Session, stanza: Element): Done {
    return throughOf(this.begin(session, stanza));
  }

  /**
   * As `receive`, for a stream that goes on meanwhile: where it gives `Underway`, the next message may begin. Anything
   * else of that stream has to wait until all that are under way are through.
   */
  begin(session: Session, stanza: Element): Done | Underway {
    stanza.attrs["from"] = session.jid.full;
    try {
      const done = this.#begin(session, stanza);
      return done instanceof Promise ? done.catch((error: unknown) => this.#refuse(stanza, error)) : done;
    } catch (error) {
      return this.#refuse(stanza, error);
    }
  }

  #begin(session: Session, stanza: Element): Done | Underway {
    const to = addressOf(stanza) ?? session.jid.toBare();
    if (stanza.name === "message") return this.#messages.send(stanza, to, session);
    if (stanza.name === "iq") return this.#iq(stanza, session.jid, to, session);
    return this.#sendPresence(stanza, session.jid, to, session);
  }

  /** A stanza from inside the node, with both addresses. */
  route(stanza: Element): Done {
    try {
      const from = addressOf(stanza, "from");
      const to = addressOf(stanza);
      if (!from || !to) throw new Error(`a stanza without addresses was routed: ${stanza.name}`);
      return throughOf(this.#take(stanza, from, to));
    } catch (error) {
      return this.#refuse(stanza, error);
    }
  }

  /**
   * A stanza from another domain, which has proven that it is the one in `from`. What is not for us goes nowhere. `lane`
   * is the stream that it came on, which may go on meanwhile, as with `begin`.
   */
  receiveRemote(stanza: Element, lane?: object): Done | Underway {
    const from = parseJid(attr(stanza, "from") ?? "");
    const to = parseJid(attr(stanza, "to") ?? "");
    if (from && to && this.serves(to.domain) && !this.serves(from.domain))
      return this.#take(stanza, from, to, lane);
  }

  #take(stanza: Element, from: Jid, to: Jid, lane?: object): Done | Underway {
    try {
      const done = this.#bring(stanza, from, to, lane);
      return done instanceof Promise ? done.catch((error: unknown) => this.#refuse(stanza, error)) : done;
    } catch (error) {
      return this.#refuse(stanza, error);
    }
  }

  #bring(stanza: Element, from: Jid, to: Jid, lane: object | undefined): Done | Underway {
    if (stanza.name === "message") return this.#messages.arrive(stanza, from, to, lane);
    if (stanza.name === "iq") return this.#iq(stanza, from, to, undefined);
    return this.#arrive(stanza, from, to, undefined);
  }

  /**
   * One message or presence to many: serialised once, only `to` differs. `stanza` has a `from` and no `to`.
   * Presence to who is not connected costs nothing, and errors come back to nobody: one stanza has no many answers.
   */
  multicast(stanza: Element, recipients: Iterable<Jid>): Done {
    const from = addressOf(stanza, "from");
    if (!from) throw new Error("a stanza without an address was multicast");
    const open = `<${stanza.name} to="`;
    const rest = `"${serialize(stanza).slice(stanza.name.length + 1)}`;
    const handling = stanza.name === "message" ? handlingOf(stanza) : undefined;
    const refused = (error: unknown): void =>
      this.#options.log.debug({ err: error, from: from.full }, "a multicast stanza was refused");
    let slow: Promise<void>[] | undefined;
    let last: Done = undefined;
    for (const to of recipients) {
      try {
        const done = this.#multicastTo(
          { stanza, direction: "in", from, to, account: to.bare, session: undefined, handling },
          open,
          rest,
        );
        // What goes to other domains in one turn is written at once, and has one promise.
        if (done && done !== last) (slow ??= []).push(done.catch(refused));
        last = done;
      } catch (error) {
        refused(error);
      }
    }
    if (slow) return Promise.all(slow).then(() => undefined);
  }

  #multicastTo(passage: Passage, open: string, rest: string): Done {
    const { stanza, to } = passage;
    const { registry, remote, sessions } = this.#options;
    const service = registry.services.get(to.bare);
    if (service) return stanza.name === "message" ? service.message?.(passage) : service.presence?.(passage);
    const text = (): string => open + escapeAttribute(to.full) + rest;
    if (!this.serves(to.domain)) return remote?.send(stanza, passage.from, to, text());
    if (stanza.name === "message") {
      // Who is not there would get it from the archive.
      if (sessions.has(to.bare) || passage.handling?.offline) passage.plain = text();
      return this.#messages.take(passage);
    }
    if (!sessions.has(to.bare)) return;
    const taken = runStages(registry.presence, passage);
    if (taken instanceof Promise)
      return taken.then((dealtWith) => (dealtWith ? undefined : this.#deliverText(passage, text())));
    if (!taken) return this.#deliverText(passage, text());
  }

  /** Asks a client and waits for its answer: a result, or an error stanza. Await it only from a task of its own. */
  request(iq: Element): Promise<Element> {
    return new Promise((resolve, reject) => {
      if (this.#requests.size >= maxRequests) return reject(new StanzaError("resource-constraint"));
      const id = randomUUID();
      iq.attrs["id"] = id;
      const timer = setTimeout(() => {
        this.#requests.delete(id);
        reject(new StanzaError("remote-server-timeout", { text: "No answer in time" }));
      }, requestTimeout);
      timer.unref();
      this.#requests.set(id, {
        of: attr(iq, "to") ?? "",
        answer(reply) {
          clearTimeout(timer);
          resolve(reply);
        },
      });
      const done = this.route(iq);
      if (done instanceof Promise) done.catch(reject);
    });
  }

  /** Presence on its way out of an account: its stages, then the recipient's side where it has an address. */
  #sendPresence(stanza: Element, from: Jid, to: Jid, session: Session): Done {
    const passage: Passage = { stanza, direction: "out", from, to, account: from.bare, session };
    const isDirected = attr(stanza, "to") !== undefined;
    const onwards = (taken: boolean): Done => {
      if (!taken && isDirected) return this.#arrive(stanza, from, to, session);
    };
    const taken = runStages(this.#options.registry.presence, passage);
    return taken instanceof Promise ? taken.then(onwards) : onwards(taken);
  }

  /** The way in of presence: a service, an account's stages and then its resources, or another domain. */
  #arrive(stanza: Element, from: Jid, to: Jid, session: Session | undefined): Done {
    const { domain, registry, sessions, accountExists } = this.#options;
    const passage: Passage = { stanza, direction: "in", from, to, account: to.bare, session };
    const service = registry.services.get(to.bare);
    if (service) return service.presence?.(passage);
    if (!this.serves(to.domain)) return this.#sendAway(stanza, from, to);
    if (to.local === "" || to.domain !== domain) return this.#unserved(passage);
    if (sessions.has(to.bare)) return this.#enter(passage);
    const onwards = (exists: boolean): Done => (exists ? this.#enter(passage) : this.#unserved(passage));
    const exists = accountExists(to.local);
    return exists instanceof Promise ? exists.then(onwards) : onwards(exists);
  }

  /** RFC 6121 §8.5.1: a probe of what is not there. */
  #unserved({ stanza, from, to }: Passage): Done {
    if (attr(stanza, "type") === "probe")
      return this.route(xml("presence", { from: to.bare, to: from.bare, type: "unsubscribed" }));
  }

  #sendAway(stanza: Element, from: Jid, to: Jid): Done {
    const { remote } = this.#options;
    if (!remote) throw new StanzaError("remote-server-not-found");
    return remote.send(stanza, from, to);
  }

  #enter(passage: Passage): Done {
    const onwards = (taken: boolean): void => {
      if (!taken) this.#deliverText(passage, serialize(passage.stanza));
    };
    const taken = runStages(this.#options.registry.presence, passage);
    return taken instanceof Promise ? taken.then(onwards) : onwards(taken);
  }

  /** RFC 6121 §8.5.2.1.2 and §8.5.3: presence goes to its resource, or to all that are available. */
  #deliverText({ stanza, to }: Passage, text: string): void {
    const { sessions } = this.#options;
    if (!to.isBare) return sessions.get(to)?.send(stanza, text);
    for (const session of sessions.availableOf(to.bare)) session.send(stanza, text);
  }

  #iq(iq: Element, from: Jid, to: Jid, session: Session | undefined): Done {
    if (attr(iq, "id") === undefined)
      throw new StanzaError("bad-request", { text: "An iq has an id (RFC 6120 §8.1.3)" });
    const { domain, registry } = this.#options;
    const isOurs = to.local !== "" && to.domain === domain && !registry.services.has(to.bare);
    const taken = runGates(registry.iqGates, { stanza: iq, from, to, session }, isOurs);
    const onwards = (kept: boolean): Done => (kept ? undefined : this.#handle(iq, from, to, session));
    return taken instanceof Promise ? taken.then(onwards) : onwards(taken);
  }

  #handle(iq: Element, from: Jid, to: Jid, session: Session | undefined): Done {
    const type = attr(iq, "type");
    if (type === "result" || type === "error") return this.#iqReply(iq, from, to);
    if (type !== "get" && type !== "set")
      throw new StanzaError("bad-request", { text: "An iq is get, set, result or error" });
    const payload = iqPayload(iq);
    const request: IqRequest = { type, from, to, payload, stanza: iq, session };
    const service = this.#options.registry.services.get(to.bare);
    if (service) {
      return this.#answer(request, this.#find(request, service.name) ?? this.#find(request, "service"));
    }
    if (!this.serves(to.domain)) return this.#sendAway(iq, from, to);
    if (to.domain !== this.#options.domain) throw new StanzaError("service-unavailable");
    if (to.local === "") return this.#answer(request, this.#find(request, "server"));
    if (!to.isBare) return this.#handOver(request);
    if (from.bare === to.bare) {
      return this.#answer(request, this.#find(request, "self") ?? this.#find(request, "account"));
    }
    // §8.5.2.1.3: the server answers for the account. An unknown account answers like one without that feature.
    const route = this.#find(request, "account");
    if (!route) throw new StanzaError("service-unavailable");
    if (route.anyName) return this.#answer(request, route);
    const onwards = (exists: boolean): Done => {
      if (!exists) throw new StanzaError("service-unavailable");
      return this.#answer(request, route);
    };
    const exists = this.#options.accountExists(to.local);
    return exists instanceof Promise ? exists.then(onwards) : onwards(exists);
  }

  /** RFC 6121 §8.5.3: a request to a resource. Who may not reach it is not told whether it is there. */
  #handOver(request: IqRequest): Done {
    const onwards = (): void => {
      const resource = this.#options.sessions.get(request.to);
      if (!resource) throw new StanzaError("service-unavailable");
      resource.send(request.stanza);
    };
    const done = runFilters(this.#options.registry.iqFilters, request);
    return done ? done.then(onwards) : onwards();
  }

  #find({ type, payload }: IqRequest, target: string): IqRoute | undefined {
    return this.#options.registry.route(type, target, namespaceOf(payload) ?? "", payload.name);
  }

  #answer(request: IqRequest, route: IqRoute | undefined): Done {
    if (!route) throw new StanzaError("service-unavailable");
    const reply = (payload: Element | undefined | void): Done => {
      const done = this.#return(resultReply(request.stanza, payload ?? undefined), request.session);
      request.afterwards?.();
      return done;
    };
    const result = route.handle(request);
    return result instanceof Promise ? result.then(reply) : reply(result);
  }

  /** A result or error: to the resource that asked, to a request of our own, or to nobody. It is never answered. */
  #iqReply(iq: Element, from: Jid, to: Jid): Done {
    if (!this.serves(to.domain)) return this.#sendAway(iq, from, to);
    if (!to.isBare) return this.#options.sessions.get(to)?.send(iq);
    const id = attr(iq, "id") ?? "";
    const asked = this.#requests.get(id);
    if (!asked || asked.of !== from.full) return;
    this.#requests.delete(id);
    asked.answer(iq);
  }

  /** Answers what could not be handled. Errors and results are never answered (RFC 6120 §8.3.1). */
  #refuse(stanza: Element, thrown: unknown): Done {
    const error = toStanzaError(thrown);
    if (error.condition === "internal-server-error")
      this.#options.log.error({ err: thrown }, "a stanza could not be handled");
    const type = attr(stanza, "type");
    if (type === "error" || type === "result") return;
    // One stanza to many has no many answers.
    if (stanza.name === "message" && attr(stanza, "to") === undefined) return;
    // Probes are the server's own, and nobody waits for their answer.
    const { condition } = error;
    if (type === "probe" && (condition.startsWith("remote-server") || condition === "not-allowed")) return;
    return this.#return(errorReply(stanza, error), undefined);
  }

  /** Sends a reply home. */
  #return(reply: Element, session: Session | undefined): Done {
    if (session) return session.send(reply);
    const to = addressOf(reply);
    if (!to) return;
    // What was written to an address that is none is answered in its name.
    const from = parseJid(attr(reply, "from") ?? "") ?? to;
    if (!this.serves(to.domain)) return this.#returnAway(reply, from, to);
    if (reply.name === "message") {
      const isAccount = to.local !== "" && !this.#options.registry.services.has(to.bare);
      return isAccount ? this.#messages.bounce(reply, from, to) : undefined;
    }
    if (!to.isBare) return this.#options.sessions.get(to)?.send(reply);
    if (reply.name === "iq") return this.#iqReply(reply, from, to);
    // A subscription request went out in the name of the account.
    if (reply.name === "presence")
      for (const one of this.#options.sessions.availableOf(to.bare)) one.send(reply);
  }

  /** Where the asker's domain cannot be reached, nobody is told. */
  #returnAway(reply: Element, from: Jid, to: Jid): Done {
    const lost = (error: unknown): void =>
      this.#options.log.debug({ err: error, to: to.full }, "a reply could not be sent to its domain");
    try {
      const done = this.#options.remote?.send(reply, from, to);
      return done?.catch(lost);
    } catch (error) {
      lost(error);
    }
  }
}

/** An address of a stanza in prepared form; throws `jid-malformed` where it is none. */
function addressOf(stanza: Element, name: "from" | "to" = "to"): Jid | undefined {
  const value = attr(stanza, name);
  if (value === undefined) return undefined;
  const jid = parseJid(value);
  if (!jid) throw new StanzaError("jid-malformed");
  return jid;
}
