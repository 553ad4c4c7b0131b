/** A server that is not ours, as a child process in a folder of its own; ended with the test. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
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
  /** All that it printed. */
  output = "";
  readonly #child: ChildProcess;

  private constructor({ folder, command: [program, ...args], env }: DaemonOptions) {
    // Nothing of this machine's settings but where programs are.
    const { PATH = "" } = process.env;
    this.#child = spawn(program, args, { cwd: folder, env: { PATH, HOME: folder, ...env } });
  }

  static async start(t: TestContext, options: DaemonOptions): Promise<Daemon> {
    const daemon = new Daemon(options);
    t.after(() => daemon.#stop());
    const child = daemon.#child;
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string): void => {
        clearTimeout(timer);
        reject(new Error(`${options.command[0]} ${why}:\n${daemon.output}`));
      };
      const timer = setTimeout(() => fail("did not start in time"), deadline);
      const read = (chunk: Buffer): void => {
        daemon.output += chunk.toString();
        if (!options.ready.test(daemon.output)) return;
        clearTimeout(timer);
        resolve();
      };
      child.stdout?.on("data", read);
      child.stderr?.on("data", read);
      child.once("error", (error) => fail(String(error)));
      child.once("exit", (code) => fail(`ended with ${code}`));
    });
    return daemon;
  }

  /** How often it printed something. */
  count(what: RegExp): number {
    return [...this.output.matchAll(what)].length;
  }

  /** Its folder goes with it, so there is nothing for it to put in order. */
  async #stop(): Promise<void> {
    const child = this.#child;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
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

/** Ports that were free a moment ago on an address; different ones. */
export async function freePorts(host: string, count: number): Promise<number[]> {
  const probes = Array.from({ length: count }, () => createServer().listen(0, host));
  await Promise.all(probes.map((probe) => once(probe, "listening")));
  const ports = probes.map((probe) => (probe.address() as AddressInfo).port);
  await Promise.all(probes.map((probe) => once(probe.close(), "close")));
  return ports;
}
