/** Where a stanza goes: the rules of RFC 6120 §10 and RFC 6121 §8. Only the router replies, and never to an error. */
import { randomUUID } from "node:crypto";
import type { Logger } from "../log.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { errorReply, iqPayload, messageType, resultReply, toStanzaError } from "../xmpp/stanza.ts";
import { attr, escapeAttribute, namespaceOf, serialize, xml, type Element } from "../xmpp/xml.ts";
import type { IqRequest, IqRoute, Passage, Service } from "./module.ts";
import type { Registry, StageTable } from "./registry.ts";
import type { Session } from "./session.ts";
import type { Sessions } from "./sessions.ts";
import { runFilters, runGates, runHandlers, runStages } from "./stages.ts";

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
  accountExists(local: string): Promise<boolean>;
}

interface Asked {
  readonly of: string;
  answer(reply: Element): void;
}

export class Router {
  readonly #options: RouterOptions;
  readonly #requests = new Map<string, Asked>();

  constructor(options: RouterOptions) {
    this.#options = options;
  }

  /** Whether a domain is this one, or a part of it that a module serves. */
  serves(domain: string): boolean {
    return domain === this.#options.domain || this.#options.registry.hosts.has(domain);
  }

  /** A stanza from a client of ours. Its `from` is stamped here (RFC 6120 §8.1.2.1). */
  receive(session: Session, stanza: Element): Done {
    stanza.attrs["from"] = session.jid.full;
    try {
      const to = addressOf(stanza) ?? session.jid.toBare();
      const done =
        stanza.name === "iq"
          ? this.#iq(stanza, session.jid, to, session)
          : this.#send(stanza, session.jid, to, session, attr(stanza, "to") === undefined);
      return done instanceof Promise ? done.catch((error: unknown) => this.#refuse(stanza, error)) : done;
    } catch (error) {
      return this.#refuse(stanza, error);
    }
  }

  /** A stanza from inside the node, with both addresses. */
  route(stanza: Element): Done {
    try {
      const from = addressOf(stanza, "from");
      const to = addressOf(stanza);
      if (!from || !to) throw new Error(`a stanza without addresses was routed: ${stanza.name}`);
      return this.#take(stanza, from, to);
    } catch (error) {
      return this.#refuse(stanza, error);
    }
  }

  /** A stanza from another domain, which has proven that it is the one in `from`. What is not for us goes nowhere. */
  receiveRemote(stanza: Element): Done {
    const from = parseJid(attr(stanza, "from") ?? "");
    const to = parseJid(attr(stanza, "to") ?? "");
    if (from && to && this.serves(to.domain) && !this.serves(from.domain))
      return this.#take(stanza, from, to);
  }

  #take(stanza: Element, from: Jid, to: Jid): Done {
    try {
      const done =
        stanza.name === "iq"
          ? this.#iq(stanza, from, to, undefined)
          : this.#arrive(stanza, from, to, undefined);
      return done instanceof Promise ? done.catch((error: unknown) => this.#refuse(stanza, error)) : done;
    } catch (error) {
      return this.#refuse(stanza, error);
    }
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
    const refused = (error: unknown): void =>
      this.#options.log.debug({ err: error, from: from.full }, "a multicast stanza was refused");
    let slow: Promise<void>[] | undefined;
    let last: Done = undefined;
    for (const to of recipients) {
      try {
        const done = this.#multicastTo(
          { stanza, direction: "in", from, to, account: to.bare, session: undefined },
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
    const service = this.#options.registry.services.get(to.bare);
    if (service) return this.#serve(service, passage);
    if (!this.serves(to.domain)) {
      return this.#options.remote?.send(stanza, passage.from, to, open + escapeAttribute(to.full) + rest);
    }
    if (stanza.name === "presence" && !this.#options.sessions.has(to.bare)) return;
    const taken = runStages(this.#tableOf(stanza), passage);
    if (taken === true) return;
    const text = open + escapeAttribute(to.full) + rest;
    if (taken === false) return this.#deliverText(passage, text);
    return taken.then((dealtWith) => (dealtWith ? undefined : this.#deliverText(passage, text)));
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

  /** The way out of an account: its stages, then the recipient's side. */
  #send(stanza: Element, from: Jid, to: Jid, session: Session, undirected: boolean): Done {
    // RFC 6121 §8.1.1.1: a message without an address goes to the account itself.
    if (undirected && stanza.name === "message") stanza.attrs["to"] = to.bare;
    const passage: Passage = { stanza, direction: "out", from, to, account: from.bare, session };
    const onwards = (taken: boolean): Done => {
      if (!taken && !(undirected && stanza.name === "presence"))
        return this.#arrive(stanza, from, to, session);
    };
    const taken = runStages(this.#tableOf(stanza), passage);
    return taken instanceof Promise ? taken.then(onwards) : onwards(taken);
  }

  /** The way in: a service, an account's stages and then its resources, or another domain. */
  #arrive(stanza: Element, from: Jid, to: Jid, session: Session | undefined): Done {
    const { domain, registry, sessions, accountExists } = this.#options;
    const passage: Passage = { stanza, direction: "in", from, to, account: to.bare, session };
    const service = registry.services.get(to.bare);
    if (service) return this.#serve(service, passage);
    if (!this.serves(to.domain)) return this.#sendAway(stanza, from, to);
    // Nobody reads what is written to the server itself, and nobody lives at the parts of its domain.
    if (to.local === "" || to.domain !== domain) return this.#unserved(passage);
    if (sessions.has(to.bare)) return this.#enter(passage);
    return accountExists(to.local).then((exists) =>
      exists ? this.#enter(passage) : this.#unserved(passage),
    );
  }

  /**
   * RFC 6121 §8.5.1: to what is not there. A message comes back, so that a mistyped address is noticed: that an account
   * exists is no secret, as its page is public.
   */
  #unserved({ stanza, from, to }: Passage): Done {
    if (stanza.name === "message") {
      if (messageType(stanza) !== "headline") throw new StanzaError("service-unavailable");
    } else if (attr(stanza, "type") === "probe") {
      return this.route(xml("presence", { from: to.bare, to: from.bare, type: "unsubscribed" }));
    }
  }

  #sendAway(stanza: Element, from: Jid, to: Jid): Done {
    const { remote } = this.#options;
    if (!remote) throw new StanzaError("remote-server-not-found");
    return remote.send(stanza, from, to);
  }

  #serve(service: Service, passage: Passage): Done {
    if (passage.stanza.name === "presence") return service.presence?.(passage);
    if (!service.message) throw new StanzaError("service-unavailable");
    return service.message(passage);
  }

  #enter(passage: Passage): Done {
    const onwards = (taken: boolean): Done => {
      if (!taken) return this.#deliverText(passage, serialize(passage.stanza));
    };
    const taken = runStages(this.#tableOf(passage.stanza), passage);
    return taken instanceof Promise ? taken.then(onwards) : onwards(taken);
  }

  /** RFC 6121 §8.5.2 and §8.5.3, once the account is known to exist. */
  #deliverText(passage: Passage, text: string): Done {
    const { sessions } = this.#options;
    const { stanza, to } = passage;
    if (!to.isBare) {
      const session = sessions.get(to);
      if (session) return session.send(stanza, text);
    }
    if (stanza.name === "presence") {
      if (to.isBare) for (const session of sessions.availableOf(to.bare)) session.send(stanza, text);
      return;
    }
    const type = messageType(stanza);
    // §8.5.3.2.1: only a chat message to a resource that is gone is treated as one to the account.
    if (!to.isBare && type !== "chat") {
      if (type === "error" || type === "headline") return;
      throw new StanzaError("service-unavailable");
    }
    if (type === "error") return;
    if (type === "groupchat") throw new StanzaError("service-unavailable");
    let delivered = false;
    for (const session of sessions.of(to.bare)) {
      // §8.5.2.1.1: to all resources whose priority is not negative; `to` stays as it is.
      if (!session.available || session.available.priority < 0) continue;
      session.send(stanza, text);
      delivered = true;
    }
    if (!delivered && type !== "headline") return this.#undelivered(passage);
  }

  /** §8.5.2.2.1: kept for later, or returned. */
  #undelivered(passage: Passage): Done {
    const orReturn = (taken: boolean): void => {
      if (!taken) throw new StanzaError("service-unavailable");
    };
    const taken = runHandlers(this.#options.registry.undelivered, passage);
    return taken instanceof Promise ? taken.then(orReturn) : orReturn(taken);
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
    return this.#options.accountExists(to.local).then((exists) => {
      if (!exists) throw new StanzaError("service-unavailable");
      return this.#answer(request, route);
    });
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

  #tableOf(stanza: Element): StageTable {
    return stanza.name === "message" ? this.#options.registry.message : this.#options.registry.presence;
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
