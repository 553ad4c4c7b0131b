/** Real software on this machine: whether it is there, and a terminal to drive it in. */
import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** How often a terminal is looked at, and how long at most, in milliseconds. */
const lookEvery = 100;
const deadline = 60_000;

/** Why a test cannot run here, for `skip`; `false` where every program is there. */
export function missing(...programs: string[]): string | false {
  const absent = programs.filter((program) => spawnSync("which", [program]).status !== 0);
  return absent.length > 0 && `not installed: ${absent.join(", ")} (.ci/run installs it)`;
}

/** Why slixmpp cannot run here; `false` where it can. */
export function missingPython(module: string): string | false {
  const found = spawnSync("/usr/bin/python3", ["-c", `import ${module}`]).status === 0;
  return !found && `not installed: the Python module ${module} (.ci/run installs it)`;
}

/** A program in tmux, as somebody sits before it. */
export class Terminal implements AsyncDisposable {
  readonly #session: string;
  readonly #socket: string;

  private constructor(session: string, socket: string) {
    this.#session = session;
    this.#socket = socket;
  }

  static async open(socket: string, command: string, env: Record<string, string>): Promise<Terminal> {
    const session = "pipit";
    const variables = Object.entries(env).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
    await run("tmux", [
      "-S",
      socket,
      "-f",
      "/dev/null",
      "new-session",
      "-d",
      "-s",
      session,
      "-x",
      "160",
      "-y",
      "50",
      ...variables,
      command,
    ]);
    return new Terminal(session, socket);
  }

  /** Types a line and presses Enter. */
  async types(line: string): Promise<void> {
    await run("tmux", ["-S", this.#socket, "send-keys", "-t", this.#session, "-l", line]);
    await run("tmux", ["-S", this.#socket, "send-keys", "-t", this.#session, "Enter"]);
  }

  async presses(key: string): Promise<void> {
    await run("tmux", ["-S", this.#socket, "send-keys", "-t", this.#session, key]);
  }

  async screen(): Promise<string> {
    return (await run("tmux", ["-S", this.#socket, "capture-pane", "-p", "-t", this.#session])).stdout;
  }

  /** Looks until the screen shows it; a terminal tells no events. */
  async shows(what: RegExp): Promise<string> {
    for (const until = Date.now() + deadline; Date.now() < until;) {
      const screen = await this.screen();
      if (what.test(screen)) return screen;
      await new Promise((resolve) => setTimeout(resolve, lookEvery));
    }
    throw new Error(`the screen never showed ${what}:\n${await this.screen()}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("tmux", ["-S", this.#socket, "kill-server"]);
  }
}
