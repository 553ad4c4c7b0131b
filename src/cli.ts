#!/usr/bin/env node
/** `pipit <verb>`: carried out by the running node, or, where none runs, on its data. */
import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { help, parseCommandLine, UsageError } from "./command.ts";
import { loadConfig, type Config } from "./config.ts";
import { sendCommand } from "./control.ts";
import { createLogger } from "./log.ts";
import { software } from "./modules/software.ts";
import { readHidden, readInput } from "./prompt.ts";
import { execute, verbs, type Command, type Reply } from "./verbs.ts";

/** Exit codes. */
const done = 0;
const refused = 1;
const misused = 2;

/** How long a node may take to start or stop before the command gives up, in milliseconds. */
const patience = 15_000;

process.umask(0o077);
process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error);
  const hint = error instanceof UsageError ? "\nTry: pipit help" : "";
  process.stderr.write(`pipit: ${message}${hint}\n`);
  return error instanceof UsageError ? misused : refused;
});

async function main(argv: readonly string[]): Promise<number> {
  const { command, show, json, config } = parseCommandLine(argv);
  if (!command) return print(show === "version" ? software.version : help());
  const settings = loadConfig(config);
  const { file, writes } = verbs[command.verb]!;
  if (writes && command.options[file!] === undefined) return copyOut(settings, command, file!);
  const reply = await carryOut(settings, withFile(await complete(command)));
  if (reply.ok) return print(json ? JSON.stringify(reply.answer.data, null, 2) : reply.answer.text);
  return refuse(reply.error);
}

function refuse(why: string): number {
  process.stderr.write(`pipit: ${why}\n`);
  return refused;
}

function print(text: string): number {
  if (text !== "") process.stdout.write(`${text}\n`);
  return done;
}

/** Asks for what was left out: a password is typed unseen or is a line of standard input; a text is all of it. */
async function complete(command: Command): Promise<Command> {
  const { asks, args } = verbs[command.verb]!;
  if (asks === "password" && command.options["password"] === undefined) {
    return { ...command, options: { ...command.options, password: await askPassword() } };
  }
  if (asks === "text" && command.args.length < args.length) {
    return { ...command, args: [...command.args, await readInput()] };
  }
  return command;
}

async function askPassword(): Promise<string> {
  if (!process.stdin.isTTY) return readInput();
  const password = await readHidden("Password: ");
  if (password === (await readHidden("Once more: "))) return password;
  throw new Error("that was not the same twice");
}

/** The node may run in another folder: it is told where the file really is. */
function withFile(command: Command): Command {
  const { args, file } = verbs[command.verb]!;
  if (file === undefined) return command;
  const at = args.indexOf(file);
  if (at >= 0) return { ...command, args: command.args.map((arg, i) => (i === at ? resolve(arg) : arg)) };
  const { [file]: path } = command.options;
  return { ...command, options: { ...command.options, [file]: resolve(String(path)) } };
}

/** What is written to a file goes to standard output instead, by way of the node's own directory. */
async function copyOut(config: Config, command: Command, option: string): Promise<number> {
  const file = join(config.data, `${command.verb}-${randomUUID()}`);
  const reply = await carryOut(config, { ...command, options: { ...command.options, [option]: file } });
  if (!reply.ok) return refuse(reply.error);
  try {
    await pipeline(createReadStream(file), process.stdout, { end: false });
  } finally {
    await rm(file, { force: true });
  }
  return done;
}

/** Lets the node do it; without one, opens its data. While a node starts or stops neither is possible: waits. */
async function carryOut(config: Config, command: Command): Promise<Reply> {
  for (const end = Date.now() + patience; Date.now() < end; await sleep(100)) {
    const reply = await sendCommand(config.data, command, verbs[command.verb]!.slow);
    if (reply) return reply;
    // Only now, as most of the program is not needed to ask a node.
    const { openNode } = await import("./node.ts");
    const node = await openNode(config, createLogger("warn"));
    if (!node) continue;
    try {
      return await execute(node, command);
    } finally {
      await node.close();
    }
  }
  throw new Error(`another process has ${config.data}, and does not answer`);
}
