/** What the table of attacks is made of: where one begins, what is sent, and which answer is the right one. */
import assert from "node:assert/strict";
import type { SaslCondition, StreamCondition } from "../../../src/xmpp/errors.ts";
import { NS } from "../../../src/xmpp/ns.ts";
import { attr, children, namespaceOf, type Element } from "../../../src/xmpp/xml.ts";
import type { Actor } from "../../support/actor.ts";
import type { NodeProcess } from "../../support/node.ts";
import { ClientStream, connect } from "../../support/stream.ts";

export const domain = "pipit.test";
export const password = "a secret of some length";

/** How far mallory has come before: nothing sent yet; a stream in the clear, or under TLS; logged in; bound. */
export type Place = "connection" | "clear" | "stranger" | "account" | "resource";

/** Mallory sends something and looks for herself at what is particular about it. */
export type Script = (mallory: Mallory, scene: Scene) => Promise<void>;

export type Answer =
  /** The stream ends with that error (RFC 6120 §4.9.3). */
  | { readonly stream: StreamCondition }
  /** Authentication fails with that error (§6.5); whoever knows the password may still log in. */
  | { readonly sasl: SaslCondition }
  /** An error stanza: type, condition (§8.3), and the condition of the extension where it has one; life goes on. */
  | { readonly stanza: string }
  /** A result; life goes on. */
  | "result"
  /** Nothing; life goes on. */
  | "nothing"
  /** Nothing, and the connection stays open. */
  | "silence"
  /** The stream is closed without an error. */
  | "closed";

export interface Attack {
  readonly name: string;
  /** Where it is written that this is the answer. */
  readonly source: string;
  readonly from: Place;
  /** Several: each has that answer. */
  readonly sends: string | Uint8Array | readonly (string | Uint8Array)[] | Script;
  readonly answer: Answer;
}

/** A client of mallory's, who has an account like everybody else. */
export class Mallory extends ClientStream {
  /** The full JID, once it is bound. */
  full = "";

  /** A round trip: all that was sent has been handled. */
  async pings(): Promise<void> {
    await this.asks(
      `<iq type='get' to='${this.domain}'><ping xmlns='${NS.ping}'/></iq>`,
      "<iq type='result'/>",
    );
  }
}

/** One performance of the whole table. */
export class Scene {
  readonly node: NodeProcess;
  /** Counts the performances: what one leaves behind is not in the way of the next. */
  readonly run: number;
  readonly juliet: Actor;
  readonly #everybody: Mallory[] = [];
  readonly #ids = new Set<string>();

  constructor(node: NodeProcess, run: number, juliet: Actor) {
    this.node = node;
    this.run = run;
    this.juliet = juliet;
  }

  /** Mallory on a new connection, each from an address of its own: nobody pays for what others did from theirs. */
  async enters(place: Place): Promise<Mallory> {
    const { ports, certificate: ca } = this.node;
    const number = this.#everybody.length;
    const localAddress = `127.${this.run}.${1 + Math.floor(number / 250)}.${1 + (number % 250)}`;
    const tls = place === "clear" ? "none" : "direct";
    const port = place === "clear" ? ports.c2s : ports.c2sTls;
    const options = { domain, port, tls, ca, localAddress } as const;
    const mallory = new Mallory(await connect(options), options);
    this.#everybody.push(mallory);
    if (place === "connection") {
      mallory.expectsHeader();
      return mallory;
    }
    const { id } = await mallory.opens();
    assert(id && !this.#ids.has(id), "each stream has an id of its own (RFC 6120 §4.7.3)");
    this.#ids.add(id);
    await mallory.receives("<stream:features/>");
    if (place === "account" || place === "resource") await mallory.authenticates("mallory", password);
    if (place === "resource") mallory.full = await mallory.binds();
    return mallory;
  }

  /** Everybody goes. How many there were. */
  async ends(): Promise<number> {
    await Promise.all(this.#everybody.map((mallory) => mallory.kill()));
    return this.#everybody.length;
  }
}

/** Sends what there is to send, and checks every answer. */
export async function perform({ from, sends, answer }: Attack, scene: Scene): Promise<void> {
  if (typeof sends === "function") {
    const mallory = await scene.enters(from);
    await sends(mallory, scene);
    return concludes(mallory, answer, from);
  }
  let mallory: Mallory | undefined;
  for (const one of typeof sends === "string" || sends instanceof Uint8Array ? [sends] : sends) {
    if (!mallory || ends(answer)) mallory = await scene.enters(from);
    mallory.raw(one);
    await hears(mallory, answer, String(one));
    if (ends(answer)) await concludes(mallory, answer, from);
  }
  if (mallory && !ends(answer)) await concludes(mallory, answer, from);
}

/** Whether nothing more can be sent once this has been answered. */
const ends = (answer: Answer): boolean =>
  answer === "closed" || answer === "silence" || (typeof answer === "object" && "stream" in answer);

/** The answer to one thing that was sent. */
async function hears(mallory: Mallory, answer: Answer, sent: string): Promise<void> {
  if (typeof answer === "object" && "sasl" in answer) {
    await mallory.receivesNext(`<failure xmlns='${NS.sasl}'><${answer.sasl}/></failure>`);
  } else if (answer === "result" || (typeof answer === "object" && "stanza" in answer)) {
    const reply = await mallory.receivesNext();
    const said = answer === "result" ? "result" : answer.stanza;
    assert.deepEqual(
      [reply.name, attr(reply, "id"), outcomeOf(reply)],
      [...nameAndId(sent), said],
      short(sent),
    );
  }
}

/** What is left once all has been answered: no stream, or one that works as any other. */
async function concludes(mallory: Mallory, answer: Answer, from: Place): Promise<void> {
  if (typeof answer === "object" && "stream" in answer) {
    // RFC 6120 §4.9.1.2: the error comes in a stream of ours, whatever came before.
    await mallory.receivesHeader();
    await mallory.receives(`<error xmlns='${NS.stream}'><${answer.stream} xmlns='${NS.streams}'/></error>`);
    assert.deepEqual(await mallory.closed(), { clean: true });
  } else if (answer === "closed") assert.deepEqual(await mallory.closed(), { clean: true });
  else if (typeof answer === "object" && "sasl" in answer) {
    if (from === "clear") {
      await mallory.secures();
      await mallory.opens();
      await mallory.receives("<stream:features/>");
    }
    await mallory.authenticates("mallory", password);
  } else if (answer === "silence") assert.equal(mallory.gone, false);
  else await mallory.pings();
  assert.deepEqual(mallory.inbox.map(String), []);
  if (answer !== "silence" && !mallory.gone) await mallory.ends();
}

const nameAndId = (stanza: string): [string | undefined, string | undefined] => [
  /^<(?:\w+:)?(\w+)/.exec(stanza)?.[1],
  /^<[^>]*\sid='([^']*)'/.exec(stanza)?.[1],
];

/** `result`, or an error as one line: its type, its condition, and that of the extension. */
function outcomeOf(stanza: Element): string {
  const error = children(stanza, "error")[0];
  if (attr(stanza, "type") !== "error" || !error) return attr(stanza, "type") ?? "";
  const conditions = children(error).filter(({ name }) => name !== "text");
  const [own, extension] = [true, false].map((wanted) =>
    conditions.find((one) => (namespaceOf(one) === NS.stanzas) === wanted),
  );
  return [attr(error, "type"), own?.name, extension?.name].filter(Boolean).join(" ");
}

const short = (text: string): string => (text.length > 300 ? `${text.slice(0, 300)}…` : text);

/** So many of something, one behind the other. */
export const many = (count: number, each: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => each(n)).join("");
