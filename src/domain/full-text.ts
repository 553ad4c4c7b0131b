/**
 * XEP-0431: search in archives. The index is written behind, when there is nothing else to do, so that nobody who writes
 * pays for those who search; a search catches up first, as far as that takes no long time.
 */
import { setImmediate as pause } from "node:timers/promises";
import type { Logger } from "../log.ts";
import { fullTextStore, type MessageText } from "../store/full-text.ts";
import { messageStore, type MessageFilter, type MessagePage, type MessageRow } from "../store/messages.ts";
import type { Store } from "../store/store.ts";
import { handlingOf } from "../xmpp/message-kind.ts";
import { parseElement } from "../xmpp/parser.ts";
import { children, text } from "../xmpp/xml.ts";
import type { Archive } from "./archive.ts";

/** Rows that are indexed at once: some milliseconds. */
const step = 100;
/** What a search indexes first at most: a second's work, in pieces. */
const maxSteps = 200;
/** How often it is looked whether there is something to do, and how long it rests between its steps. In milliseconds. */
const interval = 2_000;
const rest = 20;
/** Above this share of a turn's time the node has other things to do. */
const busy = 0.5;

/** What says nothing to who searches: the words of these stand for something else. */
const speaking = new Set(["body", "subject", "correction", "invitation"]);

export interface FullTextOptions {
  readonly store: Store;
  readonly archive: Archive;
  readonly log: Logger;
}

export class FullText {
  readonly #options: FullTextOptions;
  readonly #texts: ReturnType<typeof fullTextStore>;
  readonly #rows: ReturnType<typeof messageStore>;
  /** The newest message that was looked at. */
  #position = Number.MIN_SAFE_INTEGER;
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<boolean> | undefined;
  #load = performance.eventLoopUtilization();

  constructor(options: FullTextOptions) {
    this.#options = options;
    this.#texts = fullTextStore(options.store);
    this.#rows = messageStore(options.store);
  }

  /** Begins to index what is new. */
  async open(): Promise<void> {
    await this.#texts.create();
    this.#position = (await this.#texts.newest()) ?? Number.MIN_SAFE_INTEGER;
    this.#later(interval);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** A page of an account's messages that have all these words; not `stable` where some were not indexed yet. */
  async page(
    account: string,
    words: string,
    filter: MessageFilter,
    page: MessagePage,
  ): Promise<{ rows: MessageRow[]; stable: boolean }> {
    let stable = false;
    for (let steps = 0; steps < maxSteps && !stable; steps += 1) {
      stable = !(await this.#work());
      if (!stable) await pause();
    }
    const positions = await this.#texts.search(account, words, filter, page);
    return { rows: await this.#rows.some(positions), stable };
  }

  /** Messages that came behind others that are newer (XEP-0227). */
  async add(rows: readonly MessageRow[]): Promise<void> {
    const texts = rows.flatMap(textOf);
    if (texts.length > 0) await this.#texts.add(texts);
  }

  /** These messages say nothing any more. */
  remove(positions: readonly number[]): Promise<void> {
    return this.#texts.remove(positions);
  }

  #later(delay: number): void {
    this.#timer = setTimeout(() => void this.#turn(), delay).unref();
  }

  async #turn(): Promise<void> {
    const { log } = this.#options;
    const before = this.#load;
    this.#load = performance.eventLoopUtilization();
    let more = false;
    try {
      if (performance.eventLoopUtilization(this.#load, before).utilization < busy) more = await this.#work();
    } catch (error) {
      log.error({ err: error }, "messages could not be indexed");
    }
    if (this.#timer) this.#later(more ? rest : interval);
  }

  /** One step; whether there is more to do. */
  #work(): Promise<boolean> {
    return (this.#working ??= this.#index().finally(() => (this.#working = undefined)));
  }

  async #index(): Promise<boolean> {
    const rows = await this.#rows.since(this.#position, this.#options.archive.frontier, step);
    const texts = rows.flatMap(textOf);
    if (texts.length > 0) await this.#texts.add(texts);
    this.#position = rows.at(-1)?.position ?? this.#position;
    return rows.length === step;
  }
}

function textOf({ position, account, archived, stanza }: MessageRow): MessageText[] {
  if (!archived) return [];
  const message = parseElement(stanza);
  if (!speaking.has(handlingOf(message).kind)) return [];
  const said = [...children(message, "subject"), ...children(message, "body")].map(text);
  return [{ position, account, text: said.join("\n") }];
}
