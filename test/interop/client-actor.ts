/** A client as an actor on a stage: it is told what to do in lines of JSON, and tells what happens to it in such lines. */
import { fileURLToPath } from "node:url";
import { Program } from "./software.ts";

export interface ActorEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** Where the client runs: a process, or a page in a browser. */
export type ClientProgram = Pick<Program, "writes" | "until"> & AsyncDisposable;

export class ClientActor implements AsyncDisposable {
  /** The bare JID. */
  readonly jid: string;
  readonly #program: ClientProgram;
  /** What happened and nobody has asked for, in order. */
  readonly #events: ActorEvent[] = [];
  /** How much of what the program printed is in there. */
  #read = 0;
  #commands = 0;

  constructor(jid: string, program: ClientProgram) {
    this.jid = jid;
    this.#program = program;
  }

  /** The first event so far or to come that fits; it is taken out of the inbox. */
  hears(event: string, fits: (e: ActorEvent) => boolean = () => true): Promise<ActorEvent> {
    return this.#take(`${event} for ${this.jid}`, (e) => e.event === event && fits(e));
  }

  /** Whether such an event came and was not taken yet. */
  hasHeard(event: string, fits: (e: ActorEvent) => boolean = () => true): boolean {
    return this.#events.some((e) => e.event === event && fits(e));
  }

  /** What came of a kind and was not taken yet. */
  heard(event: string): ActorEvent[] {
    return this.#events.filter((e) => e.event === event);
  }

  /** All such events that came and were not taken yet, in order; they are taken out of the inbox. */
  takes(event: string): ActorEvent[] {
    const taken = this.heard(event);
    this.#events.splice(0, Infinity, ...this.#events.filter((e) => e.event !== event));
    return taken;
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }
}

/** A Python program of this folder, which is given its login as JSON. */
export function pythonClient(script: string, login: object): Program {
  const file = fileURLToPath(new URL(`../../../test/interop/${script}`, import.meta.url));
  // What it would keep of its modules is none of the repository's.
  return new Program("/usr/bin/python3", ["-B", file, JSON.stringify(login)]);
}

/** Each asks the other for presence, and each allows it. */
export async function befriend(one: ClientActor, other: ClientActor): Promise<void> {
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
