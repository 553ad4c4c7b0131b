#!/usr/bin/env node
/** `pipit <verb>`: carried out by the running node, or, where none runs, on its data. */
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
  const reply = await carryOut(loadConfig(config), await complete(command));
  if (reply.ok) return print(json ? JSON.stringify(reply.answer.data, null, 2) : reply.answer.text);
  process.stderr.write(`pipit: ${reply.error}\n`);
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

/** Lets the node do it; without one, opens its data. While a node starts or stops neither is possible: waits. */
async function carryOut(config: Config, command: Command): Promise<Reply> {
  for (const end = Date.now() + patience; Date.now() < end; await sleep(100)) {
    const reply = await sendCommand(config.data, command);
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
