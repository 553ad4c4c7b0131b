/** The server under measurement: a child process with accounts made beforehand, its CPU time and its memory. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Accounts } from "../../src/domain/accounts.ts";
import type { DomainEvents } from "../../src/domain/events.ts";
import { Events } from "../../src/events.ts";
import { createLogger } from "../../src/log.ts";
import { openStore } from "../../src/store/sqlite.ts";
import type { Store } from "../../src/store/store.ts";
import { Jid } from "../../src/xmpp/jid.ts";
import type { Certificate } from "../support/certificate.ts";
import { benchPassword } from "./client.ts";

export const domain = "bench.test";
/** Clock ticks of /proc/PID/stat in a second, on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** What a server needs that speaks with others. */
export interface Peering {
  readonly domain: string;
  readonly certificate: Certificate;
  /** PEM: whom it trusts. */
  readonly ca: string;
  /** `address:port` of the DNS server. */
  readonly dns: string;
}

export class BenchServer {
  /** Clients, direct TLS. */
  readonly port: number;
  readonly webPort: number;
  /** Other servers, direct TLS; 0 is none. */
  readonly s2sPort: number;
  readonly #folder: string;
  readonly #launch: () => Promise<ChildProcess>;
  #child: ChildProcess;

  private constructor(
    child: ChildProcess,
    [port, webPort, s2sPort]: readonly [number, number, number],
    folder: string,
    launch: () => Promise<ChildProcess>,
  ) {
    this.#child = child;
    this.#launch = launch;
    this.port = port;
    this.webPort = webPort;
    this.s2sPort = s2sPort;
    this.#folder = folder;
  }

  /** `fill` puts into its store what is to be there besides the accounts. */
  static async start(
    accounts: readonly string[],
    profile: boolean,
    peering?: Peering,
    fill?: (store: Store) => Promise<void>,
  ): Promise<BenchServer> {
    const folder = mkdtempSync(join(tmpdir(), "pipit-bench-"));
    await makeAccounts(folder, accounts, peering?.domain ?? domain, fill);
    const ports = [await freePort(), await freePort(), peering ? await freePort() : 0] as const;
    const [port, webPort, s2sPort] = ports;
    const main = new URL("../../src/main.js", import.meta.url).pathname;
    const flags = profile ? ["--cpu-prof", `--cpu-prof-dir=${join(folder, "profile")}`] : [];
    const env = {
      PATH: process.env["PATH"],
      PIPIT_DOMAIN: domain,
      PIPIT_DATA: folder,
      PIPIT_LISTEN__HOST: "127.0.0.1",
      PIPIT_LISTEN__C2S: "false",
      PIPIT_LISTEN__C2S_TLS: String(port),
      PIPIT_LISTEN__S2S: "false",
      PIPIT_LISTEN__S2S_TLS: peering ? String(s2sPort) : "false",
      PIPIT_LISTEN__HTTP: String(webPort),
      PIPIT_LOG__LEVEL: "warn",
      ...(peering && peeringSettings(folder, peering)),
    };
    const launch = async (): Promise<ChildProcess> => {
      const child = spawn(process.execPath, [...flags, main], {
        stdio: ["ignore", "pipe", "inherit"],
        cwd: folder,
        env,
      });
      await new Promise<void>((resolve, reject) => {
        child.stdout.on("data", (chunk: Buffer) => {
          if (chunk.toString().includes(String(port))) resolve();
        });
        child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
      });
      return child;
    };
    return new BenchServer(await launch(), ports, folder, launch);
  }

  /** Ends the server and starts it again, on what it has; how long either took, in milliseconds. */
  async restart(): Promise<{ down: number; up: number }> {
    const started = performance.now();
    await this.#end();
    const ended = performance.now();
    this.#child = await this.#launch();
    return { down: ended - started, up: performance.now() - ended };
  }

  /** CPU time used so far, all threads, in microseconds. */
  cpu(): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return ((Number(fields[11]) + Number(fields[12])) * 1e6) / ticksPerSecond;
  }

  /** Resident memory in KiB. */
  memory(): number {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.#child.pid}/status`, "utf8"))?.[1]);
  }

  /** Ends the server; with a profile, the ten functions that used most CPU themselves, in percent of what was not idle. */
  async stop(): Promise<string[]> {
    await this.#end();
    const top = topFunctions(join(this.#folder, "profile"));
    rmSync(this.#folder, { recursive: true, force: true });
    return top;
  }

  async #end(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGTERM");
    await gone;
  }
}

function peeringSettings(folder: string, { domain, certificate, ca, dns }: Peering): Record<string, string> {
  const pem = { cert: certificate.cert, key: certificate.key, ca };
  for (const [name, text] of Object.entries(pem)) writeFileSync(join(folder, `${name}.pem`), text);
  return {
    PIPIT_DOMAIN: domain,
    PIPIT_TLS__CERT: "cert.pem",
    PIPIT_TLS__KEY: "key.pem",
    PIPIT_TLS__CA: "ca.pem",
    PIPIT_S2S__RESOLVER: dns,
  };
}

async function makeAccounts(
  folder: string,
  locals: readonly string[],
  domain: string,
  fill?: (store: Store) => Promise<void>,
): Promise<void> {
  const log = createLogger("silent");
  const store = openStore(join(folder, "pipit.db"), { log });
  const accounts = new Accounts({ domain, store, events: new Events<DomainEvents>(log) });
  await Promise.all(locals.map((local) => accounts.add(new Jid(local, domain, ""), benchPassword)));
  await fill?.(store);
  await store.close();
}

/** A port that was free a moment ago; the printed addresses of the server are awaited with it. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
}

function topFunctions(folder: string): string[] {
  let file: string | undefined;
  try {
    file = readdirSync(folder).find((name) => name.endsWith(".cpuprofile"));
  } catch {
    return [];
  }
  if (!file) return [];
  const profile = JSON.parse(readFileSync(join(folder, file), "utf8")) as CpuProfile;
  const self = new Map<string, number>();
  const names = new Map(
    profile.nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => [
      id,
      `${functionName || "(anonymous)"} ${url.split("/").slice(-2).join("/")}${url ? `:${lineNumber + 1}` : ""}`,
    ]),
  );
  let busy = 0;
  profile.samples.forEach((sample, i) => {
    const name = names.get(sample) ?? "?";
    const time = profile.timeDeltas[i] ?? 0;
    if (name.startsWith("(idle)")) return;
    busy += time;
    self.set(name, (self.get(name) ?? 0) + time);
  });
  return [...self]
    .sort((a, b) => b[1] - a[1])
    .slice(0, 10)
    .map(([name, time]) => `${((100 * time) / busy).toFixed(1).padStart(5)} %  ${name}`);
}
