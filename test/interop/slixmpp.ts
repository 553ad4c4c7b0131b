/** slixmpp as an actor: the Python program beside this file, one client a process, spoken to in lines of JSON. */
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { createInterface } from "node:readline";

/** A safety net only: what is awaited comes in milliseconds. */
const deadline = 60_000;

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
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #events: ActorEvent[] = [];
  #waiting: (() => void)[] = [];
  #errors = "";
  #commands = 0;

  constructor(options: SlixmppOptions) {
    this.jid = options.jid;
    const script = new URL("../../../test/interop/slixmpp_actor.py", import.meta.url).pathname;
    const { jid, password, port, security, ca, mechanism = "any", interests = [] } = options;
    const login = [jid, password, options.host ?? "127.0.0.1", String(port), security, ca, mechanism];
    this.#child = spawn("/usr/bin/python3", [script, ...login, ...interests]);
    this.#child.stderr.on("data", (chunk: Buffer) => (this.#errors += chunk.toString()));
    createInterface(this.#child.stdout).on("line", (line) => {
      this.#events.push(JSON.parse(line) as ActorEvent);
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const look of waiting) look();
    });
  }

  /** The first event so far or to come that fits; it is taken out of the inbox. */
  hears(event: string, fits: (e: ActorEvent) => boolean = () => true): Promise<ActorEvent> {
    return this.#takes(event, (e) => e.event === event && fits(e));
  }

  async #takes(what: string, fits: (e: ActorEvent) => boolean): Promise<ActorEvent> {
    const until = Date.now() + deadline;
    for (;;) {
      const at = this.#events.findIndex(fits);
      if (at >= 0) return this.#events.splice(at, 1)[0]!;
      const left = until - Date.now();
      if (left <= 0) {
        throw new Error(
          `${this.jid} heard no ${what}; inbox: ${JSON.stringify(this.#events)}; stderr: ${this.#errors}`,
        );
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** Whether such an event came and was not taken yet. */
  hasHeard(event: string, fits: (e: ActorEvent) => boolean): boolean {
    return this.#events.some((e) => e.event === event && fits(e));
  }

  /** Has the client do something and gives back its answer; a stanza error is thrown with its condition. */
  async does(action: string, fields: Record<string, unknown> = {}): Promise<ActorEvent> {
    const command = (this.#commands += 1);
    this.#child.stdin.write(JSON.stringify({ command, do: action, ...fields }) + "\n");
    const answer = await this.#takes(
      `answer to ${action}`,
      (e) => (e.event === "done" || e.event === "failed") && e["id"] === command,
    );
    if (answer.event === "failed")
      throw new Error(String(answer["condition"]) + ": " + String(answer["text"]));
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 5000);
    await gone;
    clearTimeout(timer);
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
