/**
 * XEP-0220 on one stream: what the peer claims (we are the receiving server), what it asks us to vouch for (we are the
 * authoritative one), and what it says to our own claims (we are the initiating one).
 */
import { dialbackKey, isDialbackKey } from "../xmpp/dialback.ts";
import { StanzaError, StreamError, type StanzaCondition } from "../xmpp/errors.ts";
import { prepareDomain } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, children, text, xml, type Element } from "../xmpp/xml.ts";
import { faultFor, type PeerTrust } from "./s2s-certificate.ts";
import type { S2sContext } from "./s2s-context.ts";

/** Claims of one stream that are being looked into; each costs a connection. */
const maxClaims = 5;
/** Domains of one peer on one stream: its parts, and those of the other hosts that share its server. */
const maxDomains = 100;

/** That a stream speaks for a domain. */
export interface Claim {
  /** Who is spoken to. */
  readonly local: string;
  readonly remote: string;
  readonly streamId: string;
  readonly key: string;
}

/** What another server says to a claim, or why nothing is known. */
export type Verdict = "valid" | "invalid" | StanzaCondition;

/** The stream that claims are made on. */
export interface DialbackStream {
  /** The id that the answering side gave it. */
  readonly id: string;
  readonly isOpen: boolean;
  /** Whether the peer may send stanzas on it. */
  readonly hears: boolean;
  readonly trust: PeerTrust;
  /** The domains that the peer is known to speak for. */
  readonly speaks: ReadonlySet<string>;
  say(element: Element): void;
  close(error?: StreamError): void;
  /** The peer speaks for a domain, to one of ours; `false` where it may not on another stream. */
  believe(remote: string, local: string): boolean;
  /** The peer knows that it is believed, so that what is for it may go on this stream (XEP-0288). */
  announce(): void;
}

export class Dialback {
  readonly #context: S2sContext;
  readonly #stream: DialbackStream;
  /** Our own claims, by pair. */
  readonly #asked = new Map<string, (verdict: string) => void>();
  #claims = 0;

  constructor(context: S2sContext, stream: DialbackStream) {
    this.#context = context;
    this.#stream = stream;
  }

  /**
   * Tells the peer that we speak for a domain, too. `answered` is told what it says, as in `verdictOf`, before anything
   * that comes after it is looked at.
   */
  claim(local: string, remote: string, answered: (verdict: string) => void): void {
    const { secret } = this.#context;
    const pair = pairOf(local, remote);
    this.#asked.get(pair)?.("conflict");
    this.#asked.set(pair, answered);
    const key = dialbackKey({
      secret,
      receiving: remote,
      originating: local,
      streamId: this.#stream.id,
    });
    this.#stream.say(dialbackElement("result", { from: local, to: remote }, key));
  }

  /** The stream has ended: no claim is answered any more. */
  end(): void {
    for (const answer of this.#asked.values()) answer("remote-server-timeout");
    this.#asked.clear();
  }

  received(element: Element): void {
    const from = prepareDomain(attr(element, "from") ?? "");
    const to = prepareDomain(attr(element, "to") ?? "");
    if (from === undefined || to === undefined)
      throw new StreamError("improper-addressing", "Dialback needs a 'from' and a 'to'");
    const type = attr(element, "type");
    if (element.name === "verify") {
      // §3.1: what was not asked here is not answered here. Who asks reads the answer itself.
      if (type === undefined) this.#vouch(element, from, to);
    } else if (element.name === "result") {
      // XEP-0288: only with bidi does the peer have anything to say on a stream of ours.
      if (type === undefined && !this.#stream.hears) throw new StreamError("unsupported-stanza-type");
      if (type === undefined) this.#judge(text(element).trim(), from, to);
      else this.#answered(verdictOf(element, type), from, to);
    } else throw new StreamError("unsupported-stanza-type");
  }

  /** §3.1: only an answer to a claim that was made on this very stream counts. */
  #answered(verdict: string, from: string, to: string): void {
    const pair = pairOf(to, from);
    const answer = this.#asked.get(pair);
    this.#asked.delete(pair);
    if (answer) return answer(verdict);
    this.#context.log.warn({ domain: from }, "an answer to a dialback claim that was never made");
  }

  /** We are the authoritative server (§2.2.2). */
  #vouch(element: Element, from: string, to: string): void {
    const { secret, isLocal, policy } = this.#context;
    const id = attr(element, "id");
    const answer = { from: to, to: from, id };
    if (!isLocal(to)) return this.#stream.say(dialbackFailure("verify", answer, "item-not-found"));
    if (!policy.permits(from)) return this.#stream.say(dialbackFailure("verify", answer, "policy-violation"));
    const scope = { secret, receiving: from, originating: to, streamId: id ?? "" };
    const type = isDialbackKey(text(element), scope) ? "valid" : "invalid";
    this.#stream.say(dialbackElement("verify", { ...answer, type }));
  }

  /** We are the receiving server (§2.2.1). */
  #judge(key: string, remote: string, local: string): void {
    const { policy, isLocal, dialback } = this.#context;
    const { speaks, trust } = this.#stream;
    if (!policy.permits(remote)) {
      if (speaks.size === 0) throw new StreamError("policy-violation", `${remote} may not speak here`);
      return this.#refuse(remote, local, "policy-violation");
    }
    if (!isLocal(local)) return this.#refuse(remote, local, "item-not-found");
    if (isLocal(remote)) return this.#refuse(remote, local, "forbidden");
    if (speaks.has(remote)) return this.#accept(remote, local);
    if (speaks.size >= maxDomains) return this.#refuse(remote, local, "resource-constraint");
    // §2.1.1: how we come to believe it is ours to say, and a certificate says more than a key.
    if (faultFor(trust, remote) === undefined) return this.#accept(remote, local);
    if (!dialback) return this.#refuse(remote, local, "not-authorized");
    if (this.#claims >= maxClaims) return this.#refuse(remote, local, "resource-constraint");
    void this.#look({ local, remote, key, streamId: this.#stream.id });
  }

  /** In the background: another server answers, and what else comes on this stream does not wait for it. */
  async #look(claim: Claim): Promise<void> {
    const { local, remote } = claim;
    this.#claims += 1;
    const verdict = await this.#context.verify(claim);
    this.#claims -= 1;
    if (!this.#stream.isOpen) return;
    if (verdict === "valid") return this.#accept(remote, local);
    if (verdict !== "invalid") return this.#refuse(remote, local, verdict);
    this.#context.log.warn({ domain: remote }, "a server claimed to be another one");
    if (this.#stream.speaks.size > 0) return this.#refuse(remote, local, "forbidden");
    this.#stream.say(dialbackElement("result", { from: local, to: remote, type: "invalid" }));
    this.#stream.close();
  }

  #accept(remote: string, local: string): void {
    if (!this.#stream.believe(remote, local)) return this.#refuse(remote, local, "resource-constraint");
    this.#stream.say(dialbackElement("result", { from: local, to: remote, type: "valid" }));
    this.#stream.announce();
  }

  #refuse(remote: string, local: string, condition: StanzaCondition): void {
    this.#context.log.info({ domain: remote, local, condition }, "dialback refused");
    this.#stream.say(dialbackFailure("result", { from: local, to: remote }, condition));
  }
}

/** A pair of domains, as a key: who speaks, and to whom. */
export const pairOf = (local: string, remote: string): string => `${local}>${remote}`;

type Attributes = Record<string, string | undefined>;

/** With the prefix of our header, as §2 wants it. */
export const dialbackElement = (name: "result" | "verify", attrs: Attributes, key?: string): Element =>
  xml(`db:${name}`, attrs, ...(key === undefined ? [] : [key]));

/** §2.4.2. */
function dialbackFailure(name: "result" | "verify", attrs: Attributes, condition: StanzaCondition): Element {
  const element = dialbackElement(name, { ...attrs, type: "error" });
  element.append(new StanzaError(condition).toElement());
  return element;
}

/** What an answer says: `valid`, `invalid`, or the name of an error. */
export function verdictOf(element: Element, type: string): string {
  if (type === "valid" || type === "invalid") return type;
  // §2.4.2: in the stream's content namespace; old servers forget to say so.
  const error = child(element, "error", NS.server) ?? child(element, "error");
  const condition = error && children(error).find(({ name }) => name !== "text");
  return condition?.name ?? "error";
}
