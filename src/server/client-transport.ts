/** What a client's stream runs on, and how it is framed there: TCP now, a WebSocket or BOSH later. */
import type { Socket } from "node:net";
import type { ParserLimits, StreamHeader } from "../xmpp/parser.ts";
import type { Element } from "../xmpp/xml.ts";
import { checkClientHeader, serverHeader } from "./header.ts";
import type { Transport } from "./session.ts";
import type { StreamHandler } from "./stream.ts";
import type { SecureChannel } from "./tls.ts";

export interface ClientTransport extends Transport {
  /** TLS, where this process has it in hand: what authentication can be bound to. */
  readonly channel: SecureChannel | undefined;
  /** Begins our side of the stream. */
  open(header: string): void;
  send(element: Element): void;
  /** What comes next is a new stream; what came already is of the old one, and dropped. */
  restart(limits: ParserLimits): void;
  /** Holds from the next bytes on. */
  set limits(limits: ParserLimits);
  /** Whether TLS can be begun on it. */
  readonly canSecure: boolean;
  /** Goes on under TLS after a last word in the clear (RFC 6120 §5.4.3.3). */
  secure(wrap: (socket: Socket) => SecureChannel, limits: ParserLimits, lastWord?: Element): void;
  /** For how long nothing came, in milliseconds; to be asked now and then. */
  quietFor(now: number): number;
  /** Ends the connection, whatever is under way. */
  destroy(): void;
}

/** What differs between kinds of transport in what is said on them. */
export interface Framing {
  /** As the transport is called in logs. */
  readonly name: string;
  /** Whether nobody in between can read along, where there is no TLS in hand: a proxy in front of us has it. */
  readonly isEncrypted: boolean;
  /** The server's header, with the client's own address where it told one. */
  header(domain: string, from?: string): string;
  /** Throws the stream error of a client's header that cannot be honoured. */
  check(header: StreamHeader, domain: string): void;
}

/** RFC 6120. */
export const tcpFraming: Framing = {
  name: "tcp",
  isEncrypted: false,
  header: serverHeader,
  check: checkClientHeader,
};

/** Puts a stream on its transport: what comes in on it is told to the handler. */
export type Carry = (handler: StreamHandler) => ClientTransport;
