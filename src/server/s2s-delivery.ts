/**
 * XEP-0198, XEP-0199: what is sent on a stream between servers is pending until the peer has it. Where it does not count
 * stanzas, a ping is sent behind them; its answer may come on another stream.
 */
import { StreamError } from "../xmpp/errors.ts";
import { newId } from "../xmpp/id.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, serialize, xml, type Element } from "../xmpp/xml.ts";
import type { S2sContext } from "./s2s-context.ts";
import type { Outcome } from "./s2s-link.ts";
import { Outbox } from "./s2s-outbox.ts";
import type { XmppStream } from "./stream.ts";

/** XEP-0198 §4: counters have 32 bits. */
const wrap = 2 ** 32;
const request = serialize(xml("r", { xmlns: NS.streamManagement }));

/** Whether all that was sent before has arrived. */
interface Question {
  readonly position: number;
  readonly since: number;
  /** Of a ping. */
  readonly id: string | undefined;
}

/** A pair of domains that may be used on the stream. */
export interface Pair {
  readonly local: string;
  readonly remote: string;
}

export class Delivery {
  readonly #context: S2sContext;
  readonly #stream: XmppStream;
  /** In whose name the peer is asked. */
  readonly #pair: () => Pair | undefined;
  readonly #outbox = new Outbox();
  /** Stanzas that came in and are safe, as the peer counts them; `undefined` while it does not. */
  #handled: number | undefined;
  #question: Question | undefined;
  #asksSoon = false;

  constructor(context: S2sContext, stream: XmppStream, pair: () => Pair | undefined) {
    this.#context = context;
    this.#stream = stream;
    this.#pair = pair;
  }

  /** Stanzas that are pending. */
  get waiting(): number {
    return this.#outbox.size;
  }

  /** Whether both sides count stanzas. */
  get isManaged(): boolean {
    return this.#handled !== undefined;
  }

  /** Both sides count from here. */
  manage(): void {
    this.#handled = 0;
    this.#outbox.count();
  }

  send(text: string, settled: (outcome: Outcome) => void): void {
    this.#stream.write(text);
    this.#outbox.push(settled);
    this.#askSoon();
  }

  /** A stanza that came in is safe. */
  handled(): void {
    if (this.#handled !== undefined) this.#handled = (this.#handled + 1) % wrap;
  }

  /** `<r/>` and `<a/>`. */
  received(element: Element): void {
    if (!this.isManaged) throw new StreamError("unsupported-stanza-type");
    if (element.name === "r") return this.#stream.write(this.acknowledgement());
    if (element.name !== "a") throw new StreamError("unsupported-stanza-type");
    const h = attr(element, "h") ?? "";
    if (!this.#acknowledged(h)) {
      const attrs = { xmlns: NS.streamManagement, h, "send-count": String(this.#outbox.sent) };
      throw new StreamError("undefined-condition", undefined, xml("handled-count-too-high", attrs));
    }
    this.#answered();
  }

  /** `<a/>`, or nothing where the peer would not know what it is. */
  acknowledgement(): string {
    if (this.#handled === undefined) return "";
    return serialize(xml("a", { xmlns: NS.streamManagement, h: String(this.#handled) }));
  }

  /** Asks a peer that was silent for long whether it is there. */
  probe(): void {
    if (!this.#question) this.#ask();
  }

  /** Ends a stream whose peer does not answer in time. `false`: it is waited for, and all is well. */
  sweep(now: number): boolean {
    const question = this.#question;
    if (!question) return true;
    if (now - question.since < this.#context.timing.answer) return false;
    // A peer that cannot reach us cannot answer a ping; but it ends its side once it has read all there is.
    if (this.isManaged) this.#stream.close(new StreamError("connection-timeout"));
    else this.#stream.close();
    return false;
  }

  /** Our side has ended, and the peer says what it still had. */
  late(element: Element): void {
    if (element.name === "a") this.#acknowledged(attr(element, "h") ?? "");
  }

  /** The peer has ended its side after ours, in order: it has read all there was. */
  over(): void {
    if (!this.isManaged) this.#outbox.settleAll("done");
  }

  /** Nothing can be sent any more. */
  detached(): void {
    if (this.#question?.id !== undefined) this.#context.pings.delete(this.#question.id);
    this.#question = undefined;
  }

  /** Nothing will be heard any more. */
  gone(): void {
    this.#outbox.settleAll("lost");
  }

  #acknowledged(h: string): boolean {
    return /^\d{1,10}$/.test(h) && Number(h) < wrap && this.#outbox.acknowledge(Number(h));
  }

  #answered(): void {
    this.#question = undefined;
    if (this.#outbox.size > 0) this.#askSoon();
  }

  /** Behind all that is sent at once. */
  #askSoon(): void {
    if (this.#question || this.#asksSoon) return;
    this.#asksSoon = true;
    queueMicrotask(() => {
      this.#asksSoon = false;
      this.probe();
    });
  }

  #ask(): void {
    if (!this.#stream.isOpen) return;
    const { position } = this.#outbox;
    const since = performance.now();
    if (this.isManaged) {
      this.#question = { position, since, id: undefined };
      return this.#stream.write(request);
    }
    const pair = this.#pair();
    if (!pair) return;
    const { local, remote } = pair;
    const id = newId();
    this.#question = { position, since, id };
    this.#context.pings.set(id, (from, to) => {
      if (from !== remote || to !== local) return false;
      this.#outbox.settle(position);
      this.#answered();
      return true;
    });
    const attrs = { type: "get", id, from: local, to: remote };
    this.#stream.send(xml("iq", attrs, xml("ping", { xmlns: NS.ping })));
  }
}
