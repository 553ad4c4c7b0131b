/** The program as people run it: a child process in a directory of its own, on free ports, ended with the test. */
import assert from "node:assert";
import { execFile, spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { stringify } from "smol-toml";
import type { ConfigInput } from "../../src/config.ts";
import { Actor, type Role } from "./actor.ts";
import { certificateFor, type Certificate } from "./certificate.ts";
import { ClientStream, connect, type StreamOptions } from "./stream.ts";
import { until } from "./until.ts";

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const defaultDomain = "pipit.test";
/** Options of Node's with which the program tells what it holds on to. */
export const probe = ["--expose-gc", "--import", new URL("probe.js", import.meta.url).href];

const program = (name: string): string => fileURLToPath(new URL(`../../src/${name}.js`, import.meta.url));

/** What the greeting says of each listener, and what it says last of all that it always says. */
const announced = {
  c2s: /chat .*port (\d+) \(STARTTLS\)/,
  c2sTls: /chat .*port (\d+) \(direct TLS\)/,
  s2s: /servers .*port (\d+) \(STARTTLS\)/,
  s2sTls: /servers .*port (\d+) \(direct TLS\)/,
  http: /web .*port (\d+)\)/,
};
const greeted = /^ {2}data .+$/m;

/**
 * Writes the settings and starts the program, with options of Node's own where a test has some; resolves when it has
 * said where it can be reached. Its certificate is self-signed where none is given, and what clients trust where no
 * authority is.
 */
export async function spawnNode(
  t: TestContext,
  settings: ConfigInput = {},
  {
    certificate,
    options = [],
  }: { certificate?: Certificate & { readonly ca?: string }; options?: readonly string[] } = {},
): Promise<NodeProcess> {
  const folder = await mkdtemp(join(tmpdir(), "pipit-"));
  const { domain = defaultDomain } = settings;
  const { cert, key } = certificate ?? (await certificateFor(domain));
  await writeFile(join(folder, "cert.pem"), cert);
  await writeFile(join(folder, "key.pem"), key);
  const { listen, ...others } = settings;
  const config: ConfigInput = {
    domain,
    tls: { cert: "cert.pem", key: "key.pem" },
    listen: { host: "127.0.0.1", c2s: 0, c2s_tls: 0, s2s: false, s2s_tls: false, http: 0, ...listen },
    ...others,
  };
  const node = new NodeProcess(domain, folder, certificate?.ca ?? cert, options);
  await node.configures(config);
  t.after(async () => {
    await node.stops("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  });
  await node.starts();
  return node;
}

export class NodeProcess {
  readonly domain: string;
  readonly folder: string;
  /** PEM: what clients trust. */
  readonly certificate: string;
  /** 0 is one that it does not listen on. */
  ports = { c2s: 0, c2sTls: 0, s2s: 0, s2sTls: 0, http: 0 };
  /** All that it printed since it started, logs included. */
  output = "";
  readonly #options: readonly string[];
  #child: ChildProcessWithoutNullStreams | undefined;

  constructor(domain: string, folder: string, certificate: string, options: readonly string[]) {
    this.domain = domain;
    this.folder = folder;
    this.certificate = certificate;
    this.#options = options;
  }

  /** Writes its settings; it reads them at its next start, or when it is told to. */
  async configures(settings: ConfigInput): Promise<void> {
    await writeFile(join(this.folder, "pipit.toml"), stringify(settings));
  }

  /** Starts it, on what is in the folder. */
  async starts(): Promise<void> {
    this.output = "";
    const args = [...this.#options, program("main")];
    const child = spawn(process.execPath, args, { cwd: this.folder, env: environment() });
    this.#child = child;
    const reached = new Promise<void>((resolve, reject) => {
      const read = (chunk: Buffer): void => {
        this.output += chunk.toString();
        if (greeted.test(this.output)) resolve();
      };
      child.stdout.on("data", read);
      child.stderr.on("data", read);
      child.once("exit", () => reject(new Error(`the node ended:\n${this.output}`)));
    });
    await reached;
    this.#readPorts(this.output);
  }

  /** Waits until it greets again: it was told to start anew. */
  async startsAnew(): Promise<void> {
    const greetings = () => [...this.output.matchAll(/ serves [^]*?^ {2}data .+$/gm)];
    await until(() => greetings().length === 2, "the node starts anew");
    this.#readPorts(greetings()[1]![0]);
  }

  /** Waits until it ends by itself; its exit code. */
  async ends(): Promise<number | null> {
    const child = this.#child!;
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    return child.exitCode;
  }

  #readPorts(greeting: string): void {
    const portOf = (what: keyof typeof announced): number => Number(announced[what].exec(greeting)?.[1] ?? 0);
    this.ports = {
      c2s: portOf("c2s"),
      c2sTls: portOf("c2sTls"),
      s2s: portOf("s2s"),
      s2sTls: portOf("s2sTls"),
      http: portOf("http"),
    };
  }

  /** Ends it, if it runs; its exit code, or `null` where the signal ended it. */
  async stops(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null | undefined> {
    const child = this.#child;
    this.#child = undefined;
    if (!child) return undefined;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exited = once(child, "exit") as Promise<[number | null]>;
    child.kill(signal);
    return (await exited)[0];
  }

  /** What it holds on to: bytes of memory, and connections. For a node that was started with `probe`. */
  async holds(): Promise<{ bytes: number; connections: number }> {
    const before = this.output.length;
    this.signals("SIGUSR2");
    for (;;) {
      const told = /^holds (\d+) bytes, (\d+) connections$/m.exec(this.output.slice(before));
      if (told) return { bytes: Number(told[1]), connections: Number(told[2]) };
      await once(this.#child!.stdout, "data");
    }
  }

  /** A signal that is not meant to end it, such as SIGHUP. */
  signals(signal: NodeJS.Signals): void {
    assert(this.#child?.kill(signal), "the node does not run");
  }

  /** The command line, in the node's folder; `input` is its standard input. */
  async pipit(args: readonly string[], input = ""): Promise<Outcome> {
    return new Promise((resolve) => {
      const options = { cwd: this.folder, env: environment() };
      const child = execFile(
        process.execPath,
        [program("cli"), ...args],
        options,
        (_error, stdout, stderr) => {
          resolve({ code: child.exitCode, stdout, stderr });
        },
      );
      child.stdin?.end(input);
    });
  }

  /** A connection on which nothing was sent yet. */
  async connects(): Promise<ClientStream> {
    const options = this.#streamOptions("direct");
    return new ClientStream(await connect(options), options);
  }

  /** A login of an account that exists; presence is not sent. */
  async login(name: string, role: Role & { readonly password: string }): Promise<Actor> {
    const { domain } = this;
    const options = this.#streamOptions(role.tls === "starttls" ? "none" : "direct");
    const settle = (): Promise<void> => actor.pings();
    const actor: Actor = new Actor(await connect(options), options, `${name}@${domain}`, settle);
    await actor.logsIn({ resource: "phone", ...role });
    return actor;
  }

  #streamOptions(tls: StreamOptions["tls"]): StreamOptions {
    const port = tls === "direct" ? this.ports.c2sTls : this.ports.c2s;
    return { domain: this.domain, port, tls, ca: this.certificate };
  }
}

/** This process's environment without settings of Pipit. */
export function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("PIPIT_")));
}
