/**
 * One thing that is negotiated on a client's stream (RFC 6120 §4.3): what it announces, and what is said to it. Each
 * phase of a stream has its own features; they begin with the phase and end with it.
 */
import type { Jid } from "../xmpp/jid.ts";
import type { Credential } from "../xmpp/sasl/exchange.ts";
import type { Element } from "../xmpp/xml.ts";
import type { ClientContext } from "./client-stream.ts";
import type { ClientTransport } from "./client-transport.ts";
import type { Session } from "./session.ts";

type Done = void | Promise<void>;

export interface StreamFeature {
  /** Its elements at the top level of the stream are of this namespace, or payloads of it in an iq. */
  readonly xmlns: string;
  /** What stands in `<stream:features/>`; asked again for each header. */
  advertise(): readonly Element[] | Promise<readonly Element[]>;
  /** It is in the middle of something, where nothing else may be said. */
  readonly isBusy?: boolean;
  /** Answers, or throws `StreamError`. The next element is not handled before it is through. */
  receive(element: Element): Done;
}

/** Who a stream belongs to, and how that was proven. */
export interface Authenticated {
  /** A bare JID. */
  readonly account: Jid;
  readonly mechanism: string;
  readonly credential: Credential;
  /** When what proved it was looked up, in the time of `performance.now`. */
  readonly since: number;
  /** Which of the account's clients it is, as `ClientRegistry` knows it, where it told (XEP-0388 §2.3). */
  readonly client?: string | undefined;
}

/** What a feature may do with the stream that it is negotiated on. */
export interface NegotiatedStream {
  readonly context: ClientContext;
  readonly transport: ClientTransport;
  /** The peer's address. */
  readonly address: string;
  /** Whether nobody can read along. */
  readonly isEncrypted: boolean;
  /** Whom of ours the client's header says it comes for (RFC 6120 §4.7.1), bare; that is not proven. */
  readonly from: Jid | undefined;
  /** Begins TLS, after a last word in the clear. */
  secure(alpn?: readonly string[], lastWord?: Element): void;
  /** From now on it is this account's stream; features are announced anew with the next header. */
  authenticated(who: Authenticated): void;
  /** Says what can be negotiated now. */
  announce(): Done;
  /**
   * Binds a resource: whoever held it is closed, and what `reply` sends on the transport goes before all that the
   * session is sent, from the first moment on. Throws `StanzaError` where there can be no more, `StreamError` where the
   * account is gone meanwhile.
   */
  bind(jid: Jid, reply: (session: Session) => Done): Promise<void>;
  /** Goes on with a session that was claimed from `Hibernation`; the client knows it already. */
  resume(session: Session): void;
}

/** Makes a feature for one stream. */
export type Negotiates = (stream: NegotiatedStream) => StreamFeature;

/** What may be said on a bound stream beside stanzas, such as acknowledgements; one for all streams. */
export interface BoundFeature {
  readonly xmlns: string;
  /** What stands in the features of a stream that is bound and has had none since (XEP-0388 §2.6.1). */
  advertise(session: Session): readonly Element[];
  receive(element: Element, session: Session, stream: NegotiatedStream): Done;
}
