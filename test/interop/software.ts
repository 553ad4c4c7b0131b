/** Real software on this machine: whether it is there, a terminal to drive it in, and a watch over what it prints. */
import { execFile, spawn, spawnSync, type ChildProcessWithoutNullStreams } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** How often a terminal is looked at, in milliseconds. */
const lookEvery = 100;
/** A safety net only, in milliseconds: what is awaited comes long before, and a program that ends fails at once. */
export const deadline = 60_000;

/** Why a test cannot run here, for `skip`; `false` where every program is there. */
export function missing(...programs: string[]): string | false {
  const absent = programs.filter((program) => spawnSync("which", [program]).status !== 0);
  return absent.length > 0 && `not installed: ${absent.join(", ")} (.ci/run installs it)`;
}

/** Why a Python module cannot be used here; `false` where it can. */
export function missingPython(module: string): string | false {
  const found = spawnSync("/usr/bin/python3", ["-c", `import ${module}`]).status === 0;
  return !found && `not installed: the Python module ${module} (.ci/run installs it)`;
}

/** What a program prints, and how it ends. */
export class Output {
  #text = "";
  #end: string | undefined;
  #look = (): void => undefined;
  readonly #name: string;
  /** More about it, for who looks for a fault. */
  readonly #remarks: () => string;

  constructor(name: string, remarks = () => "") {
    this.#name = name;
    this.#remarks = remarks;
  }

  /** How it ended, once it has. */
  get end(): string | undefined {
    return this.#end;
  }

  prints(text: string): void {
    this.#text += text;
    this.#look();
  }

  ends(how: string): void {
    this.#end ??= how;
    this.#look();
  }

  /** What `find` gives of all that was printed, now or later; an error once the program has ended without it. */
  until<Found>(what: string, find: (text: string) => Found | undefined): Promise<Found> {
    return new Promise((resolve, reject) => {
      const done = (settle: () => void): void => {
        clearTimeout(timer);
        this.#look = () => undefined;
        settle();
      };
      const fail = (why: string): void =>
        done(() =>
          reject(new Error(`${this.#name} ${why} without ${what}\n${this.#text}\n${this.#remarks()}`)),
        );
      const timer = setTimeout(() => fail(`has run for ${deadline} ms`), deadline);
      this.#look = () => {
        const found = find(this.#text);
        if (found !== undefined) done(() => resolve(found));
        else if (this.#end !== undefined) fail(`has ended (${this.#end})`);
      };
      this.#look();
    });
  }
}

/** A program without a screen: what it prints, and how it ends. It ends with the test, if not before. */
export class Program implements AsyncDisposable {
  #stderr = "";
  readonly #output: Output;
  readonly #child: ChildProcessWithoutNullStreams;

  constructor(name: string, args: readonly string[], environment: Record<string, string> = {}) {
    this.#output = new Output(name, () => this.#stderr);
    const child = spawn(name, args, { env: { ...process.env, ...environment } });
    this.#child = child;
    child.stdout.setEncoding("utf8").on("data", (text: string) => this.#output.prints(text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.#stderr += text));
    // Who writes to a program that has ended learns it from what is missing.
    child.stdin.on("error", () => undefined);
    child.once("error", (error) => this.#output.ends(error.message));
    child.once("close", (code, signal) => this.#output.ends(signal ?? `exit code ${code}`));
  }

  writes(text: string): void {
    this.#child.stdin.write(text);
  }

  /** What `find` gives of all that was printed, now or later; an error once the program has ended without it. */
  until<Found>(what: string, find: (stdout: string) => Found | undefined): Promise<Found> {
    return this.#output.until(what, find);
  }

  /** Closes its input, with this at the end of it, and waits until it has succeeded; what it printed. */
  succeeds(input = ""): Promise<string> {
    this.#child.stdin.end(input);
    return this.until("success", (stdout) => (this.#output.end === "exit code 0" ? stdout : undefined));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#output.end !== undefined) return;
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.kill("SIGKILL");
    await ended;
  }
}

/** A program in tmux, as somebody sits before it. */
export class Terminal implements AsyncDisposable {
  readonly #socket: string;

  private constructor(socket: string) {
    this.#socket = socket;
  }

  /** Starts the command in a tmux of its own, whose socket is the file `socket`. */
  static async open(socket: string, command: string, environment: Record<string, string>): Promise<Terminal> {
    const terminal = new Terminal(socket);
    const variables = Object.entries(environment).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
    // The last screen stays, so that a failure can show it.
    const stay = ["set-option", "-g", "remain-on-exit", "on", ";"];
    await terminal.#tmux(...stay, "new-session", "-d", "-x", "160", "-y", "50", ...variables, command);
    return terminal;
  }

  /** Types a line and presses Enter. */
  async types(line: string): Promise<void> {
    await this.#tmux("send-keys", "-l", line, ";", "send-keys", "Enter");
  }

  /** Looks until the screen shows it; a terminal tells no events. */
  async shows(what: RegExp): Promise<string> {
    for (const until = Date.now() + deadline; ;) {
      const [screen, isDead] = await this.#look();
      if (what.test(screen)) return screen;
      if (isDead) throw new Error(`the program ended and never showed ${what}:\n${await this.#history()}`);
      if (Date.now() > until) throw new Error(`the screen never showed ${what}:\n${screen}`);
      await new Promise((resolve) => setTimeout(resolve, lookEvery));
    }
  }

  async #look(): Promise<[screen: string, isDead: boolean]> {
    const lines = (await this.#tmux("capture-pane", "-p", ";", "display-message", "-p", "#{pane_dead}"))
      .trimEnd()
      .split("\n");
    const isDead = lines.pop() === "1";
    return [lines.join("\n").trimEnd(), isDead];
  }

  /** All there was, without the empty lines: tmux scrolls the last words of a program away. */
  async #history(): Promise<string> {
    return (await this.#tmux("capture-pane", "-p", "-S", "-")).replace(/\n{2,}/g, "\n");
  }

  async #tmux(...args: string[]): Promise<string> {
    return (await run("tmux", ["-S", this.#socket, "-f", "/dev/null", ...args])).stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux("kill-server");
  }
}
