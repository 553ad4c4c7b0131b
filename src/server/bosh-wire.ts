/**
 * XEP-0124, XEP-0206: a stream on a row of HTTP requests. They are taken in the order of their `rid`; the last ones are
 * held until there is something to say, so that one is always at hand.
 */
import { randomBytes } from "node:crypto";
import { StreamError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import type { ParserEvent, ParserLimits } from "../xmpp/parser.ts";
import { attr, children, escapeAttribute, type Element } from "../xmpp/xml.ts";
import type { Framing } from "./client-transport.ts";
import { checkAttributes } from "./header.ts";
import { named } from "./named.ts";
import type { Wire, WireEnd } from "./wire.ts";

/** In seconds, as on the wire: longer than this proxies do not hold a request. */
const maxWait = 60;
/** How long a client may be without a request, in seconds; a phone in a lift comes back within it (§10). */
const inactivity = 60;
/** How long it may announce to be away (`pause`, §10), in seconds. */
const maxPause = 120;
/** Requests held; more serve nobody who can keep a connection open (§7.1). */
const maxHold = 1;
/** §11: one more, so that the client can always say something. */
const maxRequests = maxHold + 1;
/** What this implements, as minor version of 1. */
const version = 11;
/** §7.1, §16: what cannot be guessed. */
const sidBytes = 18;

export const boshFraming = (isEncrypted: boolean): Framing => ({
  name: "bosh",
  isEncrypted,
  // The first answer says it all.
  header: () => "",
  check: ({ attrs }, domain) => checkAttributes(attrs, domain),
});

/** A session that ends, in the words of §17.2. */
export const terminate = (condition?: string, content = ""): string =>
  bodyOf({ type: "terminate", condition }, content);

function bodyOf(attrs: Record<string, string | undefined>, content: string): string {
  const given = Object.entries(attrs).flatMap(([name, value]) =>
    value === undefined ? [] : ` ${name}="${escapeAttribute(value)}"`,
  );
  const start = `<body xmlns="${NS.httpBind}"${given.join("")}`;
  return content === "" ? `${start}/>` : `${start}>${content}</body>`;
}

/** §14.2: what a request gets that was sent once more before it had an answer (§17.3). */
const again = bodyOf({ type: "error" }, "");

interface Held {
  readonly rid: number;
  answer(body: string): void;
}

export class BoshWire implements Wire {
  readonly sid = randomBytes(sidBytes).toString("base64url");
  readonly isReady = true;
  readonly footer = "";
  readonly address: string;
  limits: ParserLimits;
  readonly #domain: string;
  readonly #wait: number;
  readonly #hold: number;
  readonly #gone: (wire: BoshWire) => void;
  #end: WireEnd | undefined;
  /** The `rid` of the request that is next. */
  #next: number;
  /** Requests that came before those in front of them. */
  readonly #early = new Map<number, { body: Element; held: Held }>();
  /** What was read and not handled yet, a request each. */
  readonly #batches: ParserEvent[][] = [];
  /** The one that is being handled, until it is taken. */
  #batch: ParserEvent[] = [];
  #paused = false;
  #begins = true;
  /** The attributes of the first answer. */
  #opening: Record<string, string | undefined> | undefined;
  #held: Held[] = [];
  /** The last answers, for a client that did not get them (§14.2). */
  readonly #answers = new Map<number, string>();
  #out: string[] = [];
  #length = 0;
  #answering = false;
  #over = false;
  #patience = inactivity;
  #timer: NodeJS.Timeout | undefined;

  /** Throws `StreamError` where the request cannot begin a session. */
  constructor(
    request: Element,
    options: { domain: string; address: string; limits: ParserLimits; gone(wire: BoshWire): void },
  ) {
    this.#next = ridOf(request);
    this.#domain = options.domain;
    this.address = options.address;
    this.limits = options.limits;
    this.#gone = options.gone;
    this.#wait = Math.min(numberOf(request, "wait") ?? maxWait, maxWait);
    this.#hold = Math.min(numberOf(request, "hold") ?? maxHold, maxHold);
    const minor = Number(attr(request, "ver")?.split(".")[1] ?? version);
    this.#opening = {
      sid: this.sid,
      wait: String(this.#wait),
      hold: String(this.#hold),
      requests: String(this.#hold + 1),
      inactivity: String(inactivity),
      maxpause: String(maxPause),
      ver: `1.${Math.min(minor, version)}`,
      from: options.domain,
      authid: randomBytes(sidBytes).toString("base64url"),
      "xmlns:xmpp": NS.bosh,
      "xmpp:version": "1.0",
      "xmpp:restartlogic": "true",
    };
  }

  get waiting(): number {
    return this.#length;
  }

  attach(end: WireEnd): void {
    this.#end = end;
  }

  /** A request of this session; resolves with the body of its answer. */
  request(body: Element): Promise<string> {
    return new Promise((resolve) => {
      const rid = ridOf(body);
      const known = this.#answers.get(rid);
      if (known !== undefined) return resolve(known);
      const repeated = this.#held.findIndex((one) => one.rid === rid);
      // §14.2: the connection broke before there was an answer; the new one gets it.
      if (repeated >= 0) {
        this.#held[repeated]!.answer(again);
        this.#held[repeated] = { rid, answer: resolve };
        return;
      }
      // §14.1: what is too far ahead, or too old to be remembered.
      if (rid < this.#next || rid >= this.#next + maxRequests) {
        resolve(terminate("item-not-found"));
        return this.fail(new StreamError("policy-violation", "This rid is out of the window"));
      }
      this.#early.get(rid)?.held.answer(again);
      this.#early.set(rid, { body, held: { rid, answer: resolve } });
      this.#takeInOrder();
    });
  }

  take(): ParserEvent[] {
    const batch = this.#batch;
    this.#batch = [];
    return batch;
  }

  send(parts: readonly string[]): void {
    for (const part of parts) {
      if (part === "") continue;
      const text = named(part);
      this.#out.push(text);
      this.#length += text.length;
    }
    this.#answerSoon();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    queueMicrotask(() => this.#handle());
  }

  restart(limits: ParserLimits): void {
    this.limits = limits;
  }

  end(): void {
    this.#over = true;
    this.#answerSoon();
  }

  destroy(): void {
    this.#over = true;
    this.#answer();
  }

  /** What is said here is wrong. */
  fail(error: StreamError): void {
    this.#batches.push([{ kind: "error", error }]);
    this.#handle();
  }

  #takeInOrder(): void {
    for (let early = this.#early.get(this.#next); early; early = this.#early.get(this.#next)) {
      const { body, held } = early;
      this.#early.delete(this.#next);
      this.#next += 1;
      this.#held.push(held);
      this.#batches.push(this.#eventsOf(body));
      const pause = numberOf(body, "pause");
      if (pause !== undefined) this.#leaveFor(Math.min(pause, maxPause));
    }
    this.#handle();
    this.#watch();
    this.#answerSoon();
  }

  #eventsOf(body: Element): ParserEvent[] {
    const header = {
      attrs: { to: attr(body, "to") ?? this.#domain, version: "1.0", ...picked(body, "from", "xml:lang") },
      ...{ name: "stream", prefix: "stream", xmlns: NS.stream, contentXmlns: NS.client },
    };
    const events: ParserEvent[] = [];
    if (this.#begins || attr(body, "xmpp:restart") === "true") events.push({ kind: "open", header });
    this.#begins = false;
    for (const element of children(body)) {
      const { xmlns } = element.attrs;
      element.parent = null;
      // Some clients leave it to the body, whose own namespace is never that of a stanza (XEP-0206 §2).
      if (xmlns === NS.client) delete element.attrs["xmlns"];
      events.push({ kind: "element", element, bytes: 0 });
    }
    if (attr(body, "type") === "terminate") events.push({ kind: "close" });
    return events;
  }

  #handle(): void {
    while (!this.#paused) {
      const batch = this.#batches.shift();
      if (!batch) return;
      // What is not taken, because the stream is over, is lost.
      this.#batch = batch;
      this.#end?.arrived();
    }
  }

  /** §10: everything held is answered, and the client is expected later than usual. */
  #leaveFor(seconds: number): void {
    this.#patience = seconds;
    for (const held of this.#held.splice(0)) this.#reply(held, "");
  }

  /** What is said in one turn goes into one answer. */
  #answerSoon(): void {
    if (this.#answering) return;
    this.#answering = true;
    setImmediate(() => this.#answer());
  }

  #answer(): void {
    this.#answering = false;
    const { length } = this.#held;
    const held = this.#held.shift();
    if (held && (this.#out.length > 0 || this.#over)) {
      const content = this.#out.splice(0).join("");
      this.#length = 0;
      this.#reply(held, content);
      this.#end?.drained();
    } else if (held) this.#held.unshift(held);
    // §8.1: no more are held than were agreed upon.
    while (this.#held.length > this.#hold) this.#reply(this.#held.shift()!, "");
    if (this.#over) this.#leave();
    // Only an answer begins a new wait: who does not come back is gone, whatever is said to them.
    else if (this.#held.length < length) this.#watch();
  }

  #reply({ rid, answer }: Held, content: string): void {
    const isError = content.includes("<stream:error");
    const text = this.#over
      ? terminate(isError ? "remote-stream-error" : undefined, content)
      : bodyOf(this.#opening ?? {}, content);
    this.#opening = undefined;
    this.#answers.set(rid, text);
    for (const old of this.#answers.keys()) {
      if (this.#answers.size <= maxRequests) break;
      this.#answers.delete(old);
    }
    answer(text);
  }

  /** Nothing is held: the client has to come back in time. Something is: it is answered in time (§8.1). */
  #watch(): void {
    clearTimeout(this.#timer);
    const oldest = this.#held[0];
    const seconds = oldest ? this.#wait : this.#patience;
    this.#timer = setTimeout(() => {
      if (!oldest) return this.#lose();
      this.#held.shift();
      this.#reply(oldest, "");
      this.#watch();
    }, seconds * 1_000).unref();
    if (oldest) this.#patience = inactivity;
  }

  #lose(): void {
    this.#over = true;
    this.#leave();
  }

  #leave(): void {
    clearTimeout(this.#timer);
    for (const held of this.#held.splice(0)) this.#reply(held, "");
    for (const { held } of this.#early.values()) held.answer(terminate("item-not-found"));
    this.#early.clear();
    this.#gone(this);
    const end = this.#end;
    this.#end = undefined;
    end?.lost();
  }
}

/** §7.1, §14.1: a number from 0 to 2^53 - 1. */
function ridOf(body: Element): number {
  const rid = numberOf(body, "rid");
  if (rid === undefined) throw new StreamError("bad-format", "A request has a rid");
  return rid;
}

function numberOf(body: Element, name: string): number | undefined {
  const value = attr(body, name);
  const number = Number(value);
  return value !== undefined && /^\d+$/.test(value) && Number.isSafeInteger(number) ? number : undefined;
}

function picked(body: Element, ...names: string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of names) {
    const value = attr(body, name);
    if (value !== undefined) found[name] = value;
  }
  return found;
}
