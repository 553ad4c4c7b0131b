/** A bound resource: what the router needs to know of one connected client. Modules keep their own state beside it. */
import type { StreamError } from "../xmpp/errors.ts";
import type { Jid } from "../xmpp/jid.ts";
import { serialize, type Element } from "../xmpp/xml.ts";

/** What carries a session: a TCP stream now, a WebSocket or BOSH later. */
export interface Transport {
  /** Queues text for the socket; a peer that does not read is closed when its queue is full. Never throws. */
  write(xml: string): void;
  /** Ends the stream, with an error where there is one. The owner then hears `session.closed`. */
  close(error?: StreamError): void;
}

/** The presence that a resource last broadcast (RFC 6121 §4.2). */
export interface Available {
  readonly stanza: Element;
  readonly priority: number;
}

/** Told that one of an account's clients has the message of that archive id, and all that were sent to it before. */
export type Taken = (account: string, archiveId: string) => void;

const nobody: Taken = () => undefined;

export class Session {
  /** The full JID. */
  readonly jid: Jid;
  /** The bare JID, as text. */
  readonly account: string;
  /** The peer's address, for logs and limits. */
  readonly remoteAddress: string;
  /** `undefined` until initial presence and after unavailable presence. */
  available: Available | undefined;
  /** RFC 6121 §2.2: asked for the roster, so gets roster pushes. */
  interested = false;
  /** XEP-0280: asked for carbons. */
  carbons = false;
  readonly #transport: Transport;
  readonly #taken: Taken;

  constructor(jid: Jid, transport: Transport, remoteAddress: string, taken: Taken = nobody) {
    this.jid = jid;
    this.account = jid.bare;
    this.#transport = transport;
    this.remoteAddress = remoteAddress;
    this.#taken = taken;
  }

  /**
   * Sends a stanza; `text` is its serialised form where the caller has it already (it then decides what is sent).
   * With the archive id of a message, `Sessions.onTaken` is told once the client has it.
   */
  send(stanza: Element, text: string = serialize(stanza), archiveId?: string): void {
    this.#transport.write(text);
    if (archiveId !== undefined) this.#taken(this.account, archiveId);
  }

  close(error?: StreamError): void {
    this.#transport.close(error);
  }
}
