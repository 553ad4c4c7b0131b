/** A server that is not ours, as a child process in a folder of its own; ended with the test. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** How long one may take to start, in milliseconds: a safety net only. */
const deadline = 60_000;

export interface DaemonOptions {
  readonly folder: string;
  readonly command: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  /** What it prints once it can be reached. */
  readonly ready: RegExp;
}

export class Daemon {
  /** All that it printed, in all its lives. */
  output = "";
  readonly #options: DaemonOptions;
  #child: ChildProcess | undefined;

  private constructor(options: DaemonOptions) {
    this.#options = options;
  }

  static async start(t: TestContext, options: DaemonOptions): Promise<Daemon> {
    const daemon = new Daemon(options);
    // Its folder goes with it, so there is nothing for it to put in order.
    t.after(() => daemon.stops("SIGKILL"));
    await daemon.starts();
    return daemon;
  }

  /** Starts it on what is in its folder, and waits until it can be reached. */
  async starts(): Promise<void> {
    const { folder, command, env, ready } = this.#options;
    const [program, ...args] = command;
    const before = this.output.length;
    // Nothing of this machine's settings but where programs are.
    const { PATH = "" } = process.env;
    const child = spawn(program, args, { cwd: folder, env: { PATH, HOME: folder, ...env } });
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string): void => {
        clearTimeout(timer);
        reject(new Error(`${program} ${why}:\n${this.output}`));
      };
      const timer = setTimeout(() => fail("did not start in time"), deadline);
      const read = (chunk: Buffer): void => {
        this.output += chunk.toString();
        if (!ready.test(this.output.slice(before))) return;
        clearTimeout(timer);
        resolve();
      };
      child.stdout.on("data", read);
      child.stderr.on("data", read);
      child.once("error", (error) => fail(String(error)));
      child.once("exit", (code) => fail(`ended with ${code}`));
    });
  }

  /** Ends it, if it runs, and waits until it has. */
  async stops(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
  }

  /** How often it printed something. */
  count(what: RegExp): number {
    return [...this.output.matchAll(what)].length;
  }
}

/** A template of this folder, with `{{name}}` replaced, written to where the server reads it. */
export async function fillIn(
  template: string,
  folder: string,
  values: Readonly<Record<string, string | number | boolean>>,
): Promise<string> {
  const source = new URL(`../../../../test/interop/peers/${template}.in`, import.meta.url);
  const text = (await readFile(source, "utf8")).replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${template} asks for ${name}`);
    return String(value);
  });
  const file = join(folder, template);
  await writeFile(file, text);
  return file;
}

/** Below those from which systems take ports of their own accord, so that nothing takes them between here and the start. */
const firstPort = 10_000;
const lastPort = 32_000;
/** Test files run side by side; each begins elsewhere. */
let nextPort = firstPort + ((process.pid * 32) % (lastPort - firstPort));

/** Ports that are free on an address, different ones, and behind them one that is told. */
export async function freePorts(host: string, count: number, told?: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = nextPort;
    nextPort = port < lastPort ? port + 1 : firstPort;
    if (await isFree(host, port)) ports.push(port);
  }
  return told === undefined ? ports : [...ports, told];
}

/** Whether a port can be listened on. */
export async function isFree(host: string, port: number): Promise<boolean> {
  const probe = createServer();
  try {
    await once(probe.listen(port, host), "listening");
  } catch {
    return false;
  }
  await once(probe.close(), "close");
  return true;
}
