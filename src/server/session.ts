/** A bound resource: what the router needs to know of one client. It outlives its connection where it can be resumed. */
import { delayedText } from "../xmpp/delay.ts";
import { StreamError } from "../xmpp/errors.ts";
import type { Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { serialize, xml, type Element } from "../xmpp/xml.ts";
import type { Reserve } from "./csi-reserve.ts";
import type { StreamManagement, Unacknowledged } from "./stream-management-state.ts";

/** What carries a session: a stream on its connection, or what stands in for one while there is none. */
export interface Transport {
  /** Whether anything can still be sent. */
  readonly isOpen: boolean;
  /** Whether what can wait should: the peer has not read yet what was written before. */
  readonly isFull: boolean;
  /** Queues text for the socket; a peer that does not read is closed when its queue is full. Never throws. */
  write(xml: string): void;
  /** Told that a stanza waits, where it is full. */
  waits?(): void;
  /**
   * Ends the stream, with an error where there is one. The owner then hears `session.closed`; an `unfinished` one's
   * session may still be resumed (XEP-0198 §7).
   */
  close(error?: StreamError, unfinished?: boolean): void;
}

/** The presence that a resource last broadcast (RFC 6121 §4.2). */
export interface Available {
  readonly stanza: Element;
  readonly priority: number;
}

/** A message of the archive that a session is to be handed, itself or as a copy (XEP-0280). */
export interface Handed {
  readonly archiveId: string;
  readonly isCopy: boolean;
}

/** Told that one of an account's clients has the message of that archive id. */
export type Taken = (account: string, archiveId: string) => void;

const nobody: Taken = () => undefined;

/** What a session is on that is over. */
const over: Transport = { isOpen: false, isFull: true, write: () => undefined, close: () => undefined };

const tooMany = ["policy-violation", "Too many stanzas were not acknowledged"] as const;

/** What may wait to be handed: twice what waits for an account at most (XEP-0160). */
const maxBehind = 20_000;

/** What nobody asked for waits while so many stanzas are not acknowledged: a small part of what may be. */
const maxUnasked = 500;

const request = serialize(xml("r", { xmlns: NS.streamManagement }));

export class Session {
  /** The full JID. */
  readonly jid: Jid;
  /** The bare JID, as text. */
  readonly account: string;
  /** The peer's address, for logs and limits. */
  remoteAddress: string;
  /** Nobody in between can read along. */
  isEncrypted = false;
  /** `undefined` until initial presence and after unavailable presence. */
  available: Available | undefined;
  /** Which of the account's clients it is, as `ClientRegistry` knows it, where that told (XEP-0388 §2.3). */
  client: string | undefined;
  /** The app password it was opened by, where it was: then it has no say in who may use the account. */
  appPassword: string | undefined;
  /** RFC 6121 §2.2: asked for the roster, so gets roster pushes. */
  interested = false;
  /** XEP-0280: asked for carbons. */
  carbons = false;
  /** Messages that it is being handed one after the other; those that come now go behind them. */
  behind: Handed[] | undefined;
  /** A position (`Archive.frontier`): what came before that it got from the archive, or will (XEP-0313, XEP-0386 §3.2). */
  readTo: number | undefined;
  /** Its connection is lost, and its client may come back (XEP-0198 §5). */
  isResting = false;
  /** A position, of a session that outlived a restart: what came before that was handed to it, if it was for it. */
  handedTo: number | undefined;
  /** XEP-0198, from `<enable/>` on. */
  management: StreamManagement | undefined;
  /** XEP-0352: where stanzas wait that the client can do without for now, while it is inactive or away. */
  reserve: Reserve | undefined;
  #transport: Transport;
  readonly #taken: Taken;
  /** Who waits for room. */
  #roomy: (() => void) | undefined;

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
    if (!this.reserve) return this.#pass(text, archiveId);
    const isKept = this.reserve.keep(stanza, text, archiveId);
    if (!isKept || this.reserve.isFull) this.release();
    if (!isKept) this.#pass(text, archiveId);
  }

  /** Puts a message behind those that it is being handed, where it is; it is sent in its turn. */
  defer(archiveId: string | undefined, isCopy: boolean): boolean {
    if (!this.behind || archiveId === undefined) return false;
    this.behind.push({ archiveId, isCopy });
    if (this.behind.length === maxBehind) setImmediate(() => this.close(new StreamError(...tooMany)));
    return true;
  }

  /** Sends what is in the reserve, in order. */
  release(): void {
    for (const { text, archiveId, at } of this.reserve?.take() ?? [])
      this.#pass(delayedText(text, this.jid.domain, new Date(at)), archiveId);
  }

  /** Sends what is no stanza, and not counted. */
  say(text: string): void {
    this.#transport.write(text);
  }

  close(error?: StreamError, unfinished?: boolean): void {
    this.#transport.close(error, unfinished);
  }

  /** What the client does not have yet goes there from now on, all of it again. */
  attach(transport: Transport, remoteAddress: string): void {
    this.#transport = transport;
    this.remoteAddress = remoteAddress;
    this.isResting = false;
    this.management?.rewind(({ text, at }) => delayedText(text, this.jid.domain, new Date(at)));
    this.release();
    this.reserve = undefined;
    this.drained();
  }

  /** Leaves its connection. */
  detach(substitute: Transport): void {
    this.#transport = substitute;
  }

  /** Writes what waits, as far as there is room. */
  drained(): void {
    const { management } = this;
    this.#tellRoom();
    if (!management) return;
    while (!this.#transport.isFull) {
      const text = management.next();
      if (text === undefined) return;
      this.#transport.write(text);
    }
    this.#transport.waits?.();
  }

  /** The client has handled `h` stanzas; throws the stream error of XEP-0198 §6. */
  acknowledged(h: number): void {
    for (const archiveId of this.management?.acknowledge(h) ?? []) this.#taken(this.account, archiveId);
    this.#tellRoom();
  }

  /** Resolves once its client has taken enough of what it was sent to be sent more; `undefined` where it has. */
  room(): Promise<void> | undefined {
    if (!this.#isFull) return undefined;
    return new Promise((resolve) => (this.#roomy = resolve));
  }

  get #isFull(): boolean {
    return this.#transport.isFull || (this.management?.queue.length ?? 0) > maxUnasked;
  }

  #tellRoom(): void {
    if (!this.#roomy || this.#isFull) return;
    this.#roomy();
    this.#roomy = undefined;
  }

  /** The request for acknowledgement that is due behind what was written, if one is; it is not due again then. */
  request(): string {
    if (!this.management?.isDue) return "";
    this.management.asked();
    return request;
  }

  /** Asks for acknowledgement now. */
  ask(): void {
    this.management?.asked();
    this.say(request);
  }

  /** What the client has not acknowledged. The session is over: nothing is sent to it, or kept for it, any more. */
  leave(): readonly Unacknowledged[] {
    this.release();
    const left = this.management?.queue ?? [];
    this.management = undefined;
    this.#transport = over;
    // Who waited looks whether it is still there.
    this.#roomy?.();
    return left;
  }

  #pass(text: string, archiveId: string | undefined): void {
    if (this.management) {
      this.management.add(text, archiveId);
      this.drained();
      if (this.management.overflows()) setImmediate(() => this.close(new StreamError(...tooMany)));
      return;
    }
    if (!this.#transport.isOpen) return;
    this.#transport.write(text);
    if (archiveId !== undefined) this.#taken(this.account, archiveId);
  }
}
