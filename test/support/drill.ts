/**
 * A client as people use them, for drills: it sends, loses its connection, resumes (XEP-0198) or logs in afresh, sends
 * again what was not acknowledged, and catches up from the last archive id that it knows (XEP-0313). It tells messages
 * apart by nothing but the ids of its archive (XEP-0359).
 */
import assert from "node:assert/strict";
import { orderOf } from "../../src/xmpp/id.ts";
import { NS } from "../../src/xmpp/ns.ts";
import { attr, child, childText, children, type Element } from "../../src/xmpp/xml.ts";
import { queryText, rsm } from "./archive.ts";
import { acknowledges, asksToResume, enablesResumption } from "./management.ts";
import type { NodeProcess } from "./node.ts";
import type { ClientStream } from "./stream.ts";

/** How often what happens by chance does. */
const odds = {
  /** The connection breaks, at each stanza that comes. */
  cut: 1 / 120,
  /** It breaks within a stanza that is being sent. */
  torn: 1 / 3,
  /** The client does not come back at once. */
  away: 1 / 2,
  /** It has forgotten its session. */
  forgetful: 1 / 3,
  /** It is available before it catches up, and not after. */
  hasty: 1 / 2,
};
/** At most, in milliseconds. */
const longestAway = 150;
/** Messages that are not acknowledged, at most. */
const window = 25;
const pageSize = 100;

/** Numbers in [0, 1), the same ones for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What a drill has in common. */
export interface Scene {
  readonly node: NodeProcess;
  /** Resolves as soon as the node runs. */
  running(): Promise<void>;
  /** Told of each message of a client that was acknowledged. */
  progress(): void;
  /** Told of whatever happened to a client. */
  changed(): void;
}

export interface DrillRole {
  readonly name: string;
  readonly password: string;
  readonly resource: string;
  /** Whom it writes to, and how much. */
  readonly to: string;
  readonly messages: number;
  readonly seed: number;
}

export class DrillClient {
  readonly name: string;
  readonly full: string;
  /** The messages that it was sent or copied: their origin-ids, in order. */
  readonly got: string[] = [];
  /** Origin-ids of what came at once, and behind what is newer in the archive. */
  readonly overtaken: string[] = [];
  /** Messages of its own that were acknowledged. */
  readonly acknowledged: string[] = [];
  readonly counts = { cuts: 0, resumed: 0, refused: 0, fresh: 0, repeated: 0, caughtUp: 0 };
  readonly #role: DrillRole;
  readonly #bare: string;
  readonly #scene: Scene;
  readonly #random: () => number;
  #stream: ClientStream | undefined;
  #isConnected = false;
  /** Until it ends for good. */
  #isOn = true;
  /** No connection breaks any more. */
  isCalm = false;

  /** By the account's archive ids. */
  readonly #known = new Set<string>();
  /** The newest message that it knows, in front of which it knows all. */
  #cursor: string | undefined;
  /** While it catches up: what came meanwhile. */
  #held: { message: Element; id: string }[] | undefined;
  #queryId = "";
  #queries = 0;
  #isAvailable = false;
  #onPing: (() => void) | undefined;

  #session: string | undefined;
  /** The position of the newest message that came in the session. */
  #newest = 0;
  /** Stanzas that came in the session. */
  #handled = 0;
  /** Those of its own that were acknowledged in it. */
  #confirmed = 0;
  #unacknowledged: { readonly text: string; readonly origin?: string }[] = [];
  #sent = 0;

  constructor(role: DrillRole, scene: Scene) {
    const { domain } = scene.node;
    this.name = `${role.name}/${role.resource}`;
    this.#role = role;
    this.#bare = `${role.name}@${domain}`;
    this.full = `${this.#bare}/${role.resource}`;
    this.#scene = scene;
    this.#random = randomFrom(role.seed);
  }

  /** Connects, again and again; resolves once it was told to leave. */
  async lives(): Promise<void> {
    while (this.#isOn) {
      await this.#scene.running();
      const stream = await this.#scene.node.connects().catch(() => undefined);
      if (stream) await this.#uses(stream);
      if (!stream || this.#chance(odds.away)) await this.#isAway();
    }
  }

  /** Until the connection breaks. */
  async #uses(stream: ClientStream): Promise<void> {
    this.#stream = stream;
    try {
      if (this.#isOn) await this.#begins(stream);
      this.#isConnected = true;
      while (this.#isOn) {
        this.#handle(await stream.receivesNext());
        this.#scene.changed();
      }
    } catch (error) {
      // What has come is handled by now, and the rest is lost.
      if (!stream.gone) throw error;
    } finally {
      this.#isConnected = false;
      await stream.kill();
    }
  }

  /** Whether all of its own messages were acknowledged. */
  get isDone(): boolean {
    return this.acknowledged.length === this.#role.messages;
  }

  /** Whether nothing is to be done but to wait for what comes. */
  get isSettled(): boolean {
    return this.#isConnected && this.isDone && this.#unacknowledged.length === 0 && !this.#held;
  }

  /** A round trip: behind it there is nothing on its way. Only where no connection breaks any more. */
  async pings(): Promise<void> {
    const answered = new Promise<void>((resolve) => (this.#onPing = resolve));
    this.#send(`<iq type='get' id='ping' to='${this.#scene.node.domain}'><ping xmlns='${NS.ping}'/></iq>`);
    this.#asks();
    await answered;
  }

  async leaves(): Promise<void> {
    this.#isOn = false;
    await this.#stream?.kill();
  }

  async #begins(stream: ClientStream): Promise<void> {
    await stream.opens();
    await stream.receives("<stream:features/>");
    await stream.authenticates(this.#role.name, this.#role.password);
    if (this.#session !== undefined && !this.#chance(odds.forgetful) && (await this.#resumes(stream))) return;
    await stream.binds(this.#role.resource);
    this.#session = await enablesResumption(stream);
    this.#handled = this.#confirmed = this.#newest = 0;
    this.#isAvailable = false;
    this.#held = [];
    this.counts.fresh += 1;
    const again = this.#unacknowledged.filter(({ origin }) => origin !== undefined);
    this.#unacknowledged = [];
    this.counts.repeated += again.length;
    this.#send(`<iq type='set' id='carbons'><enable xmlns='${NS.carbons}'/></iq>`);
    if (this.#chance(odds.hasty)) this.#becomesAvailable();
    this.#asksArchive(this.#cursor);
    for (const { text, origin } of again) this.#send(text, origin);
    this.#fill();
  }

  async #resumes(stream: ClientStream): Promise<boolean> {
    asksToResume(stream, this.#session!, this.#handled);
    const answer = await stream.receivesNext();
    const h = attr(answer, "h");
    if (h !== undefined) this.#confirm(Number(h));
    if (answer.name !== "resumed") {
      assert.equal(answer.name, "failed");
      this.counts.refused += 1;
      return false;
    }
    this.counts.resumed += 1;
    for (const { text } of this.#unacknowledged) stream.raw(text);
    this.#asks();
    return true;
  }

  #handle(element: Element): void {
    if (element.name === "r") return acknowledges(this.#stream!, this.#handled);
    if (element.name === "a") {
      this.#confirm(Number(attr(element, "h")));
      return this.#fill();
    }
    if (element.name === "error") return;
    this.#handled += 1;
    if (element.name === "message") this.#read(element);
    if (element.name === "iq") this.#answered(element);
    if (!this.isCalm && this.#chance(odds.cut)) this.#breaks();
  }

  #read(message: Element): void {
    const result = child(message, "result", NS.archive);
    if (result) return this.#take(inside(result), attr(result, "id")!);
    const copy = child(message, "sent", NS.carbons) ?? child(message, "received", NS.carbons);
    if (copy) assert.equal(attr(message, "from"), this.#bare);
    const said = copy ? inside(copy) : message;
    const ids = children(said, "stanza-id", NS.stanzaIds).filter((one) => attr(one, "by") === this.#bare);
    assert.equal(ids.length, 1, `one stanza-id is in ${message.toString()}`);
    const id = attr(ids[0]!, "id")!;
    this.#compares(message, said, orderOf(id)!);
    if (this.#held) this.#held.push({ message: said, id });
    else this.#take(said, id);
  }

  /** What was kept for it comes late, and tells so. All else is in the order of the archive. */
  #compares(message: Element, said: Element, position: number): void {
    const isLate = [message, said].some((one) => child(one, "delay", NS.delay));
    if (position < this.#newest && !isLate) this.overtaken.push(originOf(said));
    this.#newest = Math.max(this.#newest, position);
  }

  /** Puts it at the end of what it shows, where it is new. */
  #take(message: Element, id: string): void {
    if (this.#known.has(id)) return;
    this.#known.add(id);
    this.#cursor = id;
    if (attr(message, "from") !== this.full) this.got.push(originOf(message));
  }

  #answered(iq: Element): void {
    assert.equal(attr(iq, "type"), "result", iq.toString());
    if (attr(iq, "id") === "ping") this.#onPing?.();
    if (attr(iq, "id") !== this.#queryId) return;
    const fin = child(iq, "fin", NS.archive)!;
    const last = childText(child(fin, "set", NS.rsm)!, "last");
    if (attr(fin, "complete") !== "true") return this.#asksArchive(last);
    for (const { message, id } of this.#held!) this.#take(message, id);
    this.#held = undefined;
    this.counts.caughtUp += 1;
    if (!this.#isAvailable) this.#becomesAvailable();
  }

  #asksArchive(after: string | undefined): void {
    this.#queryId = `q${(this.#queries += 1)}`;
    const page = rsm({ max: pageSize, ...(after !== undefined && { after }) });
    this.#send(queryText({}, page, this.#queryId).replace("<iq", `<iq id='${this.#queryId}'`));
  }

  #becomesAvailable(): void {
    this.#isAvailable = true;
    this.#send("<presence/>");
  }

  /** Sends new messages, as many as may be under way. */
  #fill(): void {
    const most = 1 + Math.floor(this.#random() * window);
    while (this.#sent < this.#role.messages && this.#unacknowledged.length < most) {
      const origin = `${this.name}:${(this.#sent += 1)}`;
      this.#send(
        `<message type='chat' to='${this.#role.to}' id='${origin}'><body>${origin}</body>` +
          `<origin-id xmlns='${NS.stanzaIds}' id='${origin}'/></message>`,
        origin,
      );
    }
    if (this.#unacknowledged.length > 0) this.#asks();
  }

  #asks(): void {
    this.#stream!.raw(`<r xmlns='${NS.streamManagement}'/>`);
  }

  #send(text: string, origin?: string): void {
    this.#unacknowledged.push({ text, ...(origin !== undefined && { origin }) });
    this.#stream!.raw(text);
  }

  #confirm(h: number): void {
    const count = h - this.#confirmed;
    assert(count >= 0 && count <= this.#unacknowledged.length, `${this.name}: ${h} were handled?`);
    this.#confirmed = h;
    for (const { origin } of this.#unacknowledged.splice(0, count)) {
      if (origin === undefined) continue;
      this.acknowledged.push(origin);
      this.#scene.progress();
    }
  }

  #breaks(): void {
    this.counts.cuts += 1;
    this.#isConnected = false;
    const next = this.#unacknowledged[0]?.text ?? "<presence/>";
    if (this.#chance(odds.torn)) this.#stream!.raw(next.slice(0, Math.floor(this.#random() * next.length)));
    void this.#stream!.kill();
  }

  async #isAway(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.#random() * longestAway));
  }

  #chance(of: number): boolean {
    return this.#random() < of;
  }
}

/** What is in a carbon or a result. */
const inside = (one: Element): Element =>
  child(child(one, "forwarded", NS.forward)!, "message", NS.client) ?? assert.fail(one.toString());

export const originOf = (message: Element): string => attr(child(message, "origin-id", NS.stanzaIds)!, "id")!;
