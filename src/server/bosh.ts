/** XEP-0124: the sessions of BOSH, found by the `sid` of a request. */
import type { Logger } from "../log.ts";
import { StreamError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { limitsAfterAuthentication, limitsBeforeAuthentication, parseElement } from "../xmpp/parser.ts";
import { attr, namespaceOf, type Element } from "../xmpp/xml.ts";
import { boshFraming, BoshWire, terminate } from "./bosh-wire.ts";
import type { AcceptClient } from "./c2s.ts";
import { XmppStream } from "./stream.ts";

/** A request may carry some stanzas at once, and one of the greatest size; in bytes. */
export const maxBoshRequest = 2 * limitsAfterAuthentication.stanzaBytes;

export interface BoshOptions {
  readonly domain: string;
  readonly accept: AcceptClient;
  readonly log: Logger;
}

/** Who sends a request. */
export interface BoshClient {
  readonly address: string;
  readonly isEncrypted: boolean;
}

export class Bosh {
  readonly #options: BoshOptions;
  readonly #sessions = new Map<string, BoshWire>();

  constructor(options: BoshOptions) {
    this.#options = options;
  }

  /** Answers the body of a POST request with that of its response. */
  async request(text: string, client: BoshClient): Promise<string> {
    const sid = /^\s*<body[^>]*?\ssid=["']([^"']+)["']/.exec(text)?.[1];
    const session = sid === undefined ? undefined : this.#sessions.get(sid);
    if (sid !== undefined && !session) return terminate("item-not-found");
    try {
      // Before anybody is known on it, a session takes no more than any stream does.
      const limits = session?.limits ?? limitsBeforeAuthentication;
      if (Buffer.byteLength(text) > 2 * limits.stanzaBytes) throw new StreamError("policy-violation");
      const body = parseElement(text, limits);
      if (body.name !== "body" || namespaceOf(body) !== NS.httpBind) throw new StreamError("bad-format");
      return await (session ?? this.#open(body, client)).request(body);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      session?.fail(error);
      return terminate(error.condition === "policy-violation" ? "policy-violation" : "bad-request");
    }
  }

  #open(request: Element, { address, isEncrypted }: BoshClient): BoshWire {
    const { domain, accept, log } = this.#options;
    if (attr(request, "sid") !== undefined) throw new StreamError("bad-format");
    const wire = new BoshWire(request, {
      ...{ domain, address, limits: limitsBeforeAuthentication },
      gone: ({ sid }) => this.#sessions.delete(sid),
    });
    if (!accept((handler) => new XmppStream(wire, handler, log), boshFraming(isEncrypted), address))
      throw new StreamError("policy-violation");
    this.#sessions.set(wire.sid, wire);
    return wire;
  }
}
