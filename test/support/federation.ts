/** The queue to other domains on a real store, with time and links that a test holds in its hands. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { pino } from "pino";
import type { Clock } from "../../src/server/clock.ts";
import { Federation } from "../../src/server/federation.ts";
import { S2sError, type Outcome, type S2sLink } from "../../src/server/s2s-link.ts";
import { S2sPolicy } from "../../src/server/s2s-policy.ts";
import { outboundStore } from "../../src/store/outbound.ts";
import { openStore, type SqliteStore } from "../../src/store/sqlite.ts";
import type { StanzaCondition } from "../../src/xmpp/errors.ts";
import { parseJid } from "../../src/xmpp/jid.ts";
import { attr, type Element } from "../../src/xmpp/xml.ts";
import { readElement } from "./reader.ts";

/** Time that stands still until it is moved. */
export class ManualClock implements Clock {
  #now = Date.UTC(2026, 6, 1, 9);
  readonly #timers = new Set<{ at: number; call: () => void }>();

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, call: () => void): () => void {
    const timer = { at: this.#now + milliseconds, call };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Moves on; what is due on the way is called at its time. */
  async advance(milliseconds: number, settle: () => Promise<void>): Promise<void> {
    const end = this.#now + milliseconds;
    for (;;) {
      await settle();
      const [next] = [...this.#timers].sort((a, b) => a.at - b.at);
      if (!next || next.at > end) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.call();
    }
    this.#now = end;
    await settle();
  }
}

/** A link whose other end is the test. */
export class FakeLink implements S2sLink {
  readonly sent: string[] = [];
  readonly maxStanzaBytes: number | undefined;
  readonly #settlers: ((outcome: Outcome) => void)[] = [];
  #ended: (() => void)[] = [];
  #open = true;
  /** Whether everything is taken as it comes. */
  willing: boolean;

  constructor(options: { willing?: boolean; maxStanzaBytes?: number } = {}) {
    this.willing = options.willing ?? true;
    this.maxStanzaBytes = options.maxStanzaBytes;
  }

  get waiting(): number {
    return this.#settlers.length;
  }

  /** The bodies, or else the ids, of what was sent. */
  get said(): string[] {
    return this.sent.map(
      (text) => /<body>(.*?)<\/body>/.exec(text)?.[1] ?? / id="(.*?)"/.exec(text)?.[1] ?? text,
    );
  }

  carries(): boolean {
    return this.#open;
  }

  send(text: string, settled: (outcome: Outcome) => void): void {
    if (!this.#open) return settled("lost");
    if (this.maxStanzaBytes !== undefined && text.length > this.maxStanzaBytes) return settled("refused");
    this.sent.push(text);
    this.#settlers.push(settled);
    if (this.willing) queueMicrotask(() => this.takes(1));
  }

  /** The peer has the next so many. */
  takes(count: number): void {
    for (const settled of this.#settlers.splice(0, count)) settled("done");
  }

  onEnd(listener: () => void): void {
    this.#ended.push(listener);
  }

  close(): void {
    this.breaks();
  }

  /** The connection is gone. */
  breaks(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const settled of this.#settlers.splice(0)) settled("lost");
    for (const listener of this.#ended.splice(0)) listener();
  }
}

/** What a dial comes to. */
export type Answer = FakeLink | S2sError | "silence";

export const unreachable = (
  condition: StanzaCondition = "remote-server-timeout",
  reason = "no answer",
): S2sError => new S2sError(condition, reason);

export class Desk {
  readonly clock = new ManualClock();
  readonly policy = new S2sPolicy();
  /** What came back to senders here. */
  readonly returned: Element[] = [];
  /** Domains that were dialled, in order, and when. */
  readonly dialled: { domain: string; at: number }[] = [];
  readonly logged: string[] = [];
  /** What the next dial to a domain comes to, and all after it. */
  readonly answers = new Map<string, Answer>();
  federation!: Federation;
  readonly #file: string;
  #store!: SqliteStore;

  constructor(folder: string) {
    this.#file = join(folder, "pipit.db");
  }

  get queue() {
    return outboundStore(this.#store);
  }

  async open(start = true): Promise<void> {
    const write = (line: string) => void this.logged.push((JSON.parse(line) as { msg: string }).msg);
    const log = pino({ level: "info", base: null }, { write });
    this.#store = openStore(this.#file, { log });
    const { clock, policy, queue } = this;
    this.federation = new Federation({ queue, policy, log, clock, random: () => 0 });
    if (start) await this.start();
  }

  async start(): Promise<void> {
    await this.federation.start({
      connect: async (_, domain) => {
        this.dialled.push({ domain, at: this.clock.now() });
        const answer = this.answers.get(domain) ?? unreachable();
        if (answer === "silence") return new Promise<never>(() => undefined);
        if (answer instanceof S2sError) throw answer;
        return answer;
      },
      returns: (stanza) => void this.returned.push(stanza),
    });
  }

  /** A link to a domain, from the next dial on. */
  links(domain: string, options: ConstructorParameters<typeof FakeLink>[0] = {}): FakeLink {
    const link = new FakeLink(options);
    this.answers.set(domain, link);
    return link;
  }

  /** As the router does. */
  async send(text: string): Promise<void> {
    const stanza = readElement(text);
    await this.federation.send(stanza, parseJid(attr(stanza, "from")!)!, parseJid(attr(stanza, "to")!)!);
  }

  /** A chat message of Juliet's. */
  async says(body: string, to = "romeo@montague.example"): Promise<void> {
    await this.send(
      `<message from='juliet@capulet.example/balcony' to='${to}' type='chat' id='${body}'><body>${body}</body></message>`,
    );
  }

  /** Waits until all is at rest: nothing is read, written or handed on. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 40; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      await this.#store.transaction(async () => undefined);
    }
  }

  advance(milliseconds: number): Promise<void> {
    return this.clock.advance(milliseconds, () => this.settle());
  }

  /** How many stanzas wait on disk. */
  async waiting(): Promise<number> {
    return (await this.queue.lengths()).reduce((sum, { length }) => sum + length, 0);
  }

  /** The node ends without a word, and starts anew on the same data. */
  async crashes(): Promise<void> {
    await this.#store.close();
    await this.open();
  }

  async close(): Promise<void> {
    await this.federation.close();
    await this.#store.close();
  }
}

export async function openDesk(t: TestContext, start = true): Promise<Desk> {
  const folder = mkdtempSync(join(tmpdir(), "pipit-federation-"));
  const desk = new Desk(folder);
  await desk.open(start);
  t.after(async () => {
    await desk.close();
    rmSync(folder, { recursive: true });
  });
  return desk;
}
