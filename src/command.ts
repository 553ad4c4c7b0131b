/** A command line, read and checked before anything is opened. */
import { parseArgs } from "node:util";
import { verbs, type Command } from "./verbs.ts";

/** Called wrongly; the message says how. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export interface CommandLine {
  /** `undefined` where only help or the version is asked for. */
  readonly command: Command | undefined;
  readonly show: "help" | "version" | undefined;
  readonly json: boolean;
  /** The file of settings. */
  readonly config: string | undefined;
}

const general = {
  config: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
} as const;

type Values = Command["options"];

/** Throws `UsageError`. */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const { words, values } = parse(argv);
  const isHelp = values["help"] === true || words[0] === "help";
  const show = isHelp ? "help" : values["version"] === true ? "version" : undefined;
  return {
    command: show ? undefined : commandOf(words, values),
    show,
    json: values["json"] === true,
    config: values["config"] as string | undefined,
  };
}

function parse(argv: readonly string[]): { words: string[]; values: Values } {
  const options = Object.assign({}, general, ...Object.values(verbs).map((verb) => verb.options));
  try {
    const { positionals, values } = parseArgs({ args: [...argv], options, allowPositionals: true });
    return { words: positionals, values: values as Values };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** The verb that the words begin with, the longer where two fit, with its arguments. */
function commandOf(words: readonly string[], values: Values): Command {
  const verb = [3, 2, 1]
    .map((count) => words.slice(0, count).join(" "))
    .find((name) => Object.hasOwn(verbs, name));
  if (verb === undefined) {
    throw new UsageError(words.length > 0 ? `there is no "${words.join(" ")}"` : "what shall it do?");
  }
  const { args: required, options = {}, asks, optional } = verbs[verb]!;
  const names = optional === undefined ? required : [...required, optional];
  const args = words.slice(verb.split(" ").length);
  const missing = names.slice(args.length).filter((name) => name !== asks && name !== optional);
  if (missing.length > 0) throw new UsageError(`"${verb}" needs: ${missing.join(", ")}`);
  if (args.length > names.length) throw new UsageError(`"${verb}" does not take "${args[names.length]}"`);
  const own = Object.entries(values).filter(([name]) => !(name in general));
  const foreign = own.find(([name]) => !(name in options));
  if (foreign) throw new UsageError(`"${verb}" does not take --${foreign[0]}`);
  return { verb, args, options: Object.fromEntries(own) };
}

export function help(): string {
  const usages = Object.entries(verbs).map(([name, { args, optional, options = {}, about }]) => {
    const flags = Object.entries(options).map(([flag, { type }]) =>
      type === "string" ? `[--${flag} …]` : `[--${flag}]`,
    );
    const words = [...args.map((arg) => `<${arg}>`), ...(optional === undefined ? [] : [`[${optional}]`])];
    return { usage: ["pipit", name, ...words, ...flags].join(" "), about };
  });
  const width = Math.max(...usages.map(({ usage }) => usage.length));
  return [
    "Pipit: a personal microblog that is also an XMPP server.",
    "",
    ...usages.map(({ usage, about }) => `  ${usage.padEnd(width)}  ${about}`),
    "",
    "A text or password that is left out is read from standard input.",
    "With every verb: --json prints data for programs, --config <file> names the settings (pipit.toml).",
    "It exits with 0 when done, 1 when refused or not found, 2 when called wrongly.",
  ].join("\n");
}
