/** What waits in the store on one route: read in pages, in order, and removed once it has been taken. */
import type { OutboundQueue, QueuedStanza, Route } from "./outbound-queue.ts";

/** Rows read at once. */
const pageSize = 200;

export class Backlog {
  readonly #queue: OutboundQueue;
  readonly #route: Route;
  #rows: QueuedStanza[] = [];
  /** The last row that was read. */
  #cursor = "";
  /** There may be rows behind the cursor. */
  #more = true;
  #taken: string[] = [];
  #removing: Promise<void> | undefined;
  /** Counts the beginnings: what was being read at one of them is not wanted any more. */
  #reading = 0;

  constructor(queue: OutboundQueue, route: Route) {
    this.#queue = queue;
    this.#route = route;
  }

  /** The oldest of those that were read. */
  get first(): QueuedStanza | undefined {
    return this.#rows[0];
  }

  /** Whether there is anything to read before it is known what is first. */
  get isUnread(): boolean {
    return this.#rows.length === 0 && this.#more;
  }

  shift(): void {
    this.#rows.shift();
  }

  /** There is more in the store. */
  wake(): void {
    this.#more = true;
  }

  async read(): Promise<void> {
    const reading = this.#reading;
    this.#more = false;
    const page = await this.#queue.page(this.#route, this.#cursor, pageSize);
    if (reading !== this.#reading) return;
    if (page.length === pageSize) this.#more = true;
    this.#rows.push(...page);
    this.#cursor = page.at(-1)?.id ?? this.#cursor;
  }

  /** It has been taken; what is taken in one turn is removed at once. */
  remove(id: string, failed: (error: unknown) => void): void {
    this.#taken.push(id);
    this.#removing ??= this.#removeAll().catch(failed);
  }

  /** Begins anew: what is still in the store then has not been taken. */
  async rewind(): Promise<void> {
    await this.#removing;
    this.#reading += 1;
    this.#rows = [];
    this.#cursor = "";
    this.#more = true;
  }

  async #removeAll(): Promise<void> {
    try {
      await new Promise((resolve) => setImmediate(resolve));
      while (this.#taken.length > 0) await this.#queue.remove(this.#route, this.#taken.splice(0));
    } finally {
      this.#removing = undefined;
    }
  }
}
