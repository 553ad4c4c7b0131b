/** XEP-0050 §3.3: commands that are under way, each for the one who began it. */
import { createHmac, randomBytes } from "node:crypto";
import type { Command, CommandForm } from "../server/command.ts";
import { StanzaError } from "../xmpp/errors.ts";

/** How long a form may be left open, in milliseconds: time to look something up, and to have lunch. */
const maxAge = 3_600_000;
/** Commands that one person has open; beyond these the one left alone for longest ends. */
const maxOfPerson = 10;
/** All that are open; some KB each. */
const maxOpen = 1_000;

export interface CommandSession {
  readonly id: string;
  readonly command: Command;
  /** The full address of who began it. */
  readonly requester: string;
  readonly person: string;
  /** The forms so far; the last is the one that is open. */
  readonly forms: CommandForm[];
  touchedAt: number;
}

export class CommandSessions {
  /** In the order in which they were used. */
  readonly #open = new Map<string, CommandSession>();
  readonly #now: () => number;
  /** Signs ids, so that one that is over can be told from one that never was. */
  readonly #key = randomBytes(32);

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** An id for a run of the command; it is no session yet. */
  newId(command: Command, requester: string): string {
    const nonce = randomBytes(9).toString("base64url");
    return `${nonce}.${this.#signature(nonce, command.node, requester)}`;
  }

  /** Keeps a session for its next stage. `resource-constraint` where there are too many. */
  keep(session: CommandSession): void {
    this.#open.delete(session.id);
    this.#forgetOld();
    const theirs = [...this.#open.values()].filter(({ person }) => person === session.person);
    if (theirs.length >= maxOfPerson) this.#open.delete(theirs[0]!.id);
    if (this.#open.size >= maxOpen) {
      throw new StanzaError("resource-constraint", { text: "Too many commands are being run" });
    }
    session.touchedAt = this.#now();
    this.#open.set(session.id, session);
  }

  find(id: string): CommandSession | undefined {
    this.#forgetOld();
    return this.#open.get(id);
  }

  /** Whether the id was given to this requester for this command. */
  isOurs(id: string, node: string, requester: string): boolean {
    const [nonce = "", signature] = id.split(".");
    return signature === this.#signature(nonce, node, requester);
  }

  end(id: string): void {
    this.#open.delete(id);
  }

  /** Who began them is gone. */
  endAllOf(requester: string): void {
    for (const session of this.#open.values()) if (session.requester === requester) this.end(session.id);
  }

  #forgetOld(): void {
    const oldest = this.#now() - maxAge;
    for (const { id, touchedAt } of this.#open.values()) {
      if (touchedAt > oldest) return;
      this.#open.delete(id);
    }
  }

  #signature(nonce: string, node: string, requester: string): string {
    const told = JSON.stringify([nonce, node, requester]);
    return createHmac("sha256", this.#key).update(told).digest("base64url").slice(0, 16);
  }
}
