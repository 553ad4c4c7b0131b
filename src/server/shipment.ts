/** What is sent on one link, in order, until that ends; what the peer has taken, and what it has not. */
import type { Backlog } from "./backlog.ts";
import type { Held, Transient } from "./held.ts";
import type { QueuedStanza } from "./outbound-queue.ts";
import type { Outcome, S2sLink } from "./s2s-link.ts";

/** What may be on its way to a peer that has not said yet that it has it. */
const maxUnsettled = 500;
const maxUnsettledBytes = 2 * 1024 * 1024;

/** A stanza from the store, or one that is in memory alone. */
export type Sent =
  | { readonly row: QueuedStanza; readonly transient?: undefined }
  | { readonly row?: undefined; readonly transient: Transient };

export interface ShipmentOptions {
  readonly link: S2sLink;
  readonly backlog: Backlog;
  readonly held: Held;
  /** The id of the first stanza that is still being written to the backlog; what is newer waits for it. */
  unwritten(): string | undefined;
  /** The peer has it. */
  taken(sent: Sent): void;
  /** The peer takes nothing of that size. */
  refused(sent: Sent): void;
  /** The store cannot be read. */
  failed(error: unknown): void;
}

export class Shipment {
  /** How many stanzas are settled, other than by being lost. */
  taken = 0;
  /** In order; once there is one, nothing more is sent. */
  readonly lost: Sent[] = [];
  readonly #options: ShipmentOptions;
  #unsettled = 0;
  #bytes = 0;
  #pumping = false;
  #ended = false;

  constructor(options: ShipmentOptions) {
    this.#options = options;
  }

  get isIdle(): boolean {
    return this.#unsettled === 0;
  }

  get #hasRoom(): boolean {
    const isOpen = !this.#ended && this.lost.length === 0;
    return isOpen && this.#unsettled < maxUnsettled && this.#bytes < maxUnsettledBytes;
  }

  /** Sends nothing any more. */
  end(): void {
    this.#ended = true;
  }

  /** Sends what there is; to be called whenever there is more. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    this.#pumpAll().catch((error: unknown) => this.#options.failed(error));
  }

  async #pumpAll(): Promise<void> {
    const { backlog } = this.#options;
    try {
      while (this.#hasRoom) {
        if (backlog.isUnread) await backlog.read();
        else if (!this.#sendNext()) return;
      }
    } finally {
      this.#pumping = false;
    }
  }

  /** The older of the next that is durable and the next that is not. */
  #sendNext(): boolean {
    const { backlog, held, unwritten } = this.#options;
    const row = backlog.first;
    const transient = held.first;
    if (row && !(transient && transient.id < row.id)) {
      backlog.shift();
      this.#send(row.stanza, { row });
    } else if (transient && !((unwritten() ?? transient.id) < transient.id)) {
      held.shift();
      this.#send(transient.text, { transient });
    } else return false;
    return true;
  }

  #send(text: string, sent: Sent): void {
    const bytes = Buffer.byteLength(text);
    this.#unsettled += 1;
    this.#bytes += bytes;
    this.#options.link.send(text, (outcome) => {
      this.#unsettled -= 1;
      this.#bytes -= bytes;
      this.#settle(sent, outcome);
    });
  }

  #settle(sent: Sent, outcome: Outcome): void {
    if (outcome === "lost") return void this.lost.push(sent);
    this.taken += 1;
    if (outcome === "done") this.#options.taken(sent);
    else this.#options.refused(sent);
    this.pump();
  }
}
