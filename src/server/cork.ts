/** Holds back what a session is sent before its client knows that it is there. */
import type { StreamError } from "../xmpp/errors.ts";
import type { Session, Transport } from "./session.ts";

export class Cork implements Transport {
  readonly isFull = true;
  readonly #transport: Transport;
  readonly #parts: string[] = [];

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  get isOpen(): boolean {
    return this.#transport.isOpen;
  }

  write(xml: string): void {
    this.#parts.push(xml);
  }

  close(error?: StreamError, unfinished?: boolean): void {
    this.#transport.close(error, unfinished);
  }

  /** Lets it out, and the session speak. Where the transport is closed, the session has gone elsewhere. */
  draw(session: Session): void {
    if (!this.isOpen) return;
    session.detach(this.#transport);
    for (const part of this.#parts) this.#transport.write(part);
    session.drained();
  }
}
