/** What carries the text of a stream, both ways: a TCP connection, with or without TLS, a WebSocket, or BOSH. */
import type { Socket } from "node:net";
import type { ParserEvent, ParserLimits } from "../xmpp/parser.ts";
import type { SecureChannel } from "./tls.ts";

/** Who is told what happens on a wire. */
export interface WireEnd {
  /** Something came in, which `take` gives; where it is not taken now it is lost. */
  arrived(): void;
  /** Less waits for the peer than did. */
  drained(): void;
  /** The peer will send no more. */
  finished(): void;
  /** The connection is broken; `lost` follows. */
  broke(error: Error): void;
  /** The handshake of `secure` is over. */
  secured(): void;
  /** The connection is closed. */
  lost(): void;
}

export interface Wire {
  /** TLS, where this process has it in hand. */
  readonly channel?: SecureChannel | undefined;
  /** `false` during a TLS handshake, when nothing can be sent. */
  readonly isReady: boolean;
  /** What was sent and the peer has not taken yet, in UTF-16 units or bytes. */
  readonly waiting: number;
  /** The peer's address, for logs. */
  readonly address: string | undefined;
  /** What ends our side of the stream. */
  readonly footer: string;
  /** Holds from the next bytes on. */
  limits: ParserLimits;
  /** From now on `end` is told. */
  attach(end: WireEnd): void;
  /** What arrived, as it is to be handled. */
  take(): readonly ParserEvent[];
  /** Sends stanzas, headers and the like, each whole. */
  send(parts: readonly string[]): void;
  /** Nothing more arrives until `resume`. */
  pause(): void;
  resume(): void;
  /** What comes next is a new stream. */
  restart(limits: ParserLimits): void;
  /** Goes on under TLS; what came in before is dropped. Absent where that cannot be. */
  secure?(wrap: (socket: Socket) => SecureChannel, limits: ParserLimits): void;
  /** Nothing more is sent. */
  end(): void;
  /** Ends the connection at once. */
  destroy(): void;
}
