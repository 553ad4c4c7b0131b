/** slixmpp as an actor: the Python program beside this file, one client a process, spoken to in lines of JSON. */
import { fileURLToPath } from "node:url";
import { Program } from "./software.ts";

export interface ActorEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface SlixmppOptions {
  readonly jid: string;
  readonly password: string;
  /** The server's address; loopback, where it is left out. */
  readonly host?: string;
  readonly port: number;
  readonly security: "starttls" | "direct";
  /** PEM file of the certificate to trust. */
  readonly ca: string;
  /** The only SASL mechanism to try; without it, slixmpp's own choice. */
  readonly mechanism?: string;
  /** Nodes asked for with `+notify`. */
  readonly interests?: readonly string[];
}

export class SlixmppActor implements AsyncDisposable {
  readonly jid: string;
  readonly #program: Program;
  /** What happened and nobody has asked for, in order. */
  readonly #events: ActorEvent[] = [];
  /** How much of what the program printed is in there. */
  #read = 0;
  #commands = 0;

  constructor(options: SlixmppOptions) {
    this.jid = options.jid;
    const script = fileURLToPath(new URL("../../../test/interop/slixmpp_actor.py", import.meta.url));
    const { jid, password, port, security, ca, mechanism = "any", interests = [] } = options;
    const login = [jid, password, options.host ?? "127.0.0.1", String(port), security, ca, mechanism];
    this.#program = new Program("/usr/bin/python3", [script, ...login, ...interests]);
  }

  /** The first event so far or to come that fits; it is taken out of the inbox. */
  hears(event: string, fits: (e: ActorEvent) => boolean = () => true): Promise<ActorEvent> {
    return this.#take(`${event} for ${this.jid}`, (e) => e.event === event && fits(e));
  }

  /** All such events that came and were not taken yet, in order; they are taken out of the inbox. */
  takes(event: string): ActorEvent[] {
    const taken = this.#events.filter((e) => e.event === event);
    this.#events.splice(0, Infinity, ...this.#events.filter((e) => e.event !== event));
    return taken;
  }

  /** Whether such an event came and was not taken yet. */
  hasHeard(event: string, fits: (e: ActorEvent) => boolean): boolean {
    return this.#events.some((e) => e.event === event && fits(e));
  }

  /** Has the client do something and gives back its answer; a stanza error is thrown with its condition. */
  async does(action: string, fields: Record<string, unknown> = {}): Promise<ActorEvent> {
    const command = (this.#commands += 1);
    this.#program.writes(JSON.stringify({ command, do: action, ...fields }) + "\n");
    const isAnswer = (e: ActorEvent) => (e.event === "done" || e.event === "failed") && e["id"] === command;
    const answer = await this.#take(`the answer to ${action}`, isAnswer);
    if (answer.event === "failed")
      throw new Error(`${String(answer["condition"])}: ${String(answer["text"])}`);
    return answer;
  }

  #take(what: string, fits: (e: ActorEvent) => boolean): Promise<ActorEvent> {
    return this.#program.until(what, (stdout) => {
      for (let end; (end = stdout.indexOf("\n", this.#read)) >= 0; this.#read = end + 1)
        this.#events.push(JSON.parse(stdout.slice(this.#read, end)) as ActorEvent);
      const at = this.#events.findIndex(fits);
      return at < 0 ? undefined : this.#events.splice(at, 1)[0];
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#program[Symbol.asyncDispose]();
  }
}

/** Each asks the other for presence, and each allows it. */
export async function befriend(one: SlixmppActor, other: SlixmppActor): Promise<void> {
  for (const [asker, asked] of [
    [one, other],
    [other, one],
  ] as const) {
    await asker.does("presence", { to: asked.jid, type: "subscribe" });
    await asked.hears("presence", (e) => e["type"] === "subscribe");
    await asked.does("presence", { to: asker.jid, type: "subscribed" });
    await asker.hears(
      "presence",
      (e) => e["type"] === "available" && String(e["sender"]).startsWith(`${asked.jid}/`),
    );
  }
}
