/** `npm start`: a node in the foreground. It says where it can be reached, and stops when it is told to. */
import { closeSync, openSync } from "node:fs";
import { isatty } from "node:tty";
import { parseArgs } from "node:util";
import { ConfigError, loadConfig, type Config } from "./config.ts";
import { createLogger } from "./log.ts";
import { startNode, type RunningNode } from "./node.ts";
import { StartError } from "./start-error.ts";
import { software } from "./modules/software.ts";

/** How long a clean end may take before it is an end all the same, in milliseconds. */
const closeTimeout = 10_000;

/** Ctrl-C reaches the node twice under `npm start`, from the terminal and from npm; later ones mean "now". In milliseconds. */
const echo = 500;

// Everything the node writes is its own: verifiers, keys, people's messages.
process.umask(0o077);

let config: Config;
let file: string | undefined;
try {
  file = parseArgs({ options: { config: { type: "string" } } }).values.config;
  config = loadConfig(file);
} catch (error) {
  fail(error);
}
const log = createLogger(config.log.level);
let node = await start();
const stop = obeySignals();
process.stdout.write(await greeting(node));

async function start(): Promise<RunningNode> {
  const started = await startNode(config, log).catch(fail);
  started.events.on("service.stop", ({ restart }) => (restart ? startAnew() : stop("service.stop")));
  return started;
}

/** In the same process, so that whoever watches over it sees no end; with settings that cannot be used it goes on. */
async function startAnew(): Promise<void> {
  config = loadConfig(file);
  log.info("starting anew");
  // Not awaited by who told us: it is closed with the node.
  setImmediate(() => {
    const anew = async (): Promise<void> => {
      await node.close();
      node = await start();
      process.stdout.write(await greeting(node));
    };
    anew().catch(fail);
  });
}

/** Ends the program before it ran: in one line where the operator can mend it, with a stack where it is a fault of ours. */
function fail(error: unknown): never {
  const known = error instanceof ConfigError || error instanceof StartError || isUsage(error);
  process.stderr.write(`pipit: ${known ? error.message : describe(error)}\n`);
  process.exit(1);
}

function isUsage(error: unknown): error is Error {
  return error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

async function greeting({ config, ports, accounts, certificate }: RunningNode): Promise<string> {
  const { domain, url, data } = config;
  const lines = [`${software.name} ${software.version} serves ${domain}`];
  if ((await accounts.list()).length === 0) {
    lines.push(
      `  nobody lives here yet; add yourself:  npm run pipit -- account add <name>@${domain} --admin`,
    );
  }
  const host = config.listen.host ?? "all addresses";
  if (ports.http) lines.push(`  web        ${url}  (listening on ${host}, port ${ports.http})`);
  if (ports.c2s) lines.push(`  chat       ${host}, port ${ports.c2s} (STARTTLS)`);
  if (ports.c2sTls) lines.push(`  chat       ${host}, port ${ports.c2sTls} (direct TLS)`);
  if (ports.s2s) lines.push(`  servers    ${host}, port ${ports.s2s} (STARTTLS)`);
  if (ports.s2sTls) lines.push(`  servers    ${host}, port ${ports.s2sTls} (direct TLS)`);
  if (ports.component) {
    lines.push(`  components ${config.listen.component_host}, port ${ports.component}`);
  }
  lines.push(`  data       ${data}`);
  if (certificate.selfSigned) {
    lines.push(`  certificate is self-signed, so clients will ask whether to trust it: ${certificate.file}`);
  }
  return `${lines.join("\n")}\n`;
}

async function reload(): Promise<void> {
  await node.reload(loadConfig(file));
}

/** A terminal that is closed sends SIGHUP too. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}

/** Returns what ends the program in order. */
function obeySignals(): (reason: string) => void {
  const wasOnTerminal = [0, 1, 2].some(isatty);
  let asked: number | undefined;
  const stop = (reason: string) => {
    if (asked !== undefined) {
      if (performance.now() - asked > echo) process.exit(1);
      return;
    }
    asked = performance.now();
    log.info({ reason }, "stopping");
    setTimeout(() => {
      log.error("the node did not stop in time");
      process.exit(1);
    }, closeTimeout).unref();
    node.close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.fatal({ err: error }, "the node did not stop cleanly");
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  process.on("SIGHUP", () => {
    if (wasOnTerminal && !hasTerminal()) return stop("SIGHUP");
    reload().catch((error: unknown) => {
      log.error({ err: error }, "the settings could not be read again; the old ones stay");
    });
  });
  const crash = (error: unknown) => {
    log.fatal({ err: error }, "a fault in the program");
    process.exit(1);
  };
  process.on("uncaughtException", crash);
  process.on("unhandledRejection", crash);
  return stop;
}
