#!/usr/bin/env node
/** `pipit <verb>`: carried out by the running node, or, where none runs, on its data. */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { loadConfig, type Config } from "./config.ts";
import { sendCommand } from "./control.ts";
import { createLogger } from "./log.ts";
import { openNode } from "./node.ts";
import { readHidden, readInput } from "./prompt.ts";
import { execute, verbs, type Command, type Reply } from "./verbs.ts";
import { software } from "./modules/software.ts";

/** Exit codes. */
const done = 0;
const refused = 1;
const misused = 2;

/** How long a node may take to start or stop before the command gives up, in milliseconds. */
const patience = 15_000;

const general = {
  config: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
} as const;

type Values = Command["options"];

class UsageError extends Error {}

process.umask(0o077);
process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error);
  const hint = error instanceof UsageError ? "\nTry: pipit help" : "";
  process.stderr.write(`pipit: ${message}${hint}\n`);
  return error instanceof UsageError ? misused : refused;
});

async function main(argv: string[]): Promise<number> {
  const { words, values } = parse(argv);
  if (values["version"]) return print(software.version);
  if (values["help"] || words[0] === "help") return print(help());
  const command = await complete(commandOf(words, values));
  const reply = await carryOut(loadConfig(values["config"] as string | undefined), command);
  if (reply.ok) return print(values["json"] ? JSON.stringify(reply.answer.data, null, 2) : reply.answer.text);
  process.stderr.write(`pipit: ${reply.error}\n`);
  return refused;
}

function print(text: string): number {
  if (text !== "") process.stdout.write(`${text}\n`);
  return done;
}

function parse(args: string[]): { words: string[]; values: Values } {
  const options = Object.assign({}, general, ...Object.values(verbs).map((verb) => verb.options));
  try {
    const { positionals, values } = parseArgs({ args, options, allowPositionals: true });
    return { words: positionals, values: values as Values };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** The verb that the words begin with, the longer where two fit, with its arguments. */
function commandOf(words: string[], values: Values): Command {
  const verb = [2, 1]
    .map((count) => words.slice(0, count).join(" "))
    .find((name) => Object.hasOwn(verbs, name));
  if (verb === undefined)
    throw new UsageError(words.length > 0 ? `there is no "${words.join(" ")}"` : "what shall it do?");
  const { args: names, options = {}, asks } = verbs[verb]!;
  const args = words.slice(verb.split(" ").length);
  const missing = names.slice(args.length).filter((name) => name !== asks);
  if (missing.length > 0) throw new UsageError(`"${verb}" needs: ${missing.join(", ")}`);
  if (args.length > names.length) throw new UsageError(`"${verb}" does not take "${args[names.length]}"`);
  const own = Object.entries(values).filter(([name]) => !(name in general));
  const foreign = own.find(([name]) => !(name in options));
  if (foreign) throw new UsageError(`"${verb}" does not take --${foreign[0]}`);
  return { verb, args, options: Object.fromEntries(own) };
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
  if (password !== undefined && password === (await readHidden("Once more: "))) return password;
  throw new Error("that was not the same twice");
}

/** Lets the node do it; without one, opens its data. While a node starts or stops neither is possible: waits. */
async function carryOut(config: Config, command: Command): Promise<Reply> {
  for (const end = Date.now() + patience; Date.now() < end; await sleep(100)) {
    const reply = await sendCommand(config.data, command);
    if (reply) return reply;
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

function help(): string {
  const lines = Object.entries(verbs).map(([name, { args, options = {}, about }]) => {
    const flags = Object.entries(options).map(([flag, { type }]) =>
      type === "string" ? `[--${flag} …]` : `[--${flag}]`,
    );
    const usage = ["pipit", name, ...args.map((arg) => `<${arg}>`), ...flags].join(" ");
    return `  ${usage.padEnd(64)}${about}`;
  });
  return [
    "Pipit: a personal microblog that is also an XMPP server.",
    "",
    ...lines,
    "",
    "A text or password that is left out is read from standard input.",
    "With every verb: --json prints data for programs, --config <file> names the settings (pipit.toml).",
    "It exits with 0 when done, 1 when refused or not found, 2 when called wrongly.",
  ].join("\n");
}
