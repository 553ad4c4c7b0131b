/** The settings: `pipit.toml`, then the environment over it; checked strictly, completed and frozen. */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { domainToASCII } from "node:url";
import { parse as parseToml, TomlError } from "smol-toml";
import { z } from "zod";
import { service, settings } from "./settings.ts";
import { prepareDomain } from "./xmpp/jid.ts";

/** Settings that cannot be used, each problem on a line of its own: where it is, and what is wrong. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

type Frozen<T> = T extends object ? { readonly [Key in keyof T]: Frozen<T[Key]> } : T;
type Settings = z.output<typeof settings>;

/** The settings as they hold: paths absolute, domains prepared (RFC 7622), nothing to change any more. */
export type Config = Frozen<Omit<Settings, "url"> & { url: string }>;

/** What may stand in the file, or be given by a test. */
export type ConfigInput = z.input<typeof settings>;

/** The settings from `file` (`pipit.toml`, if there is one) and the environment; throws `ConfigError`. */
export function loadConfig(file?: string, env: NodeJS.ProcessEnv = process.env): Config {
  const where = resolve(file ?? "pipit.toml");
  const input = readToml(where, file === undefined);
  overlay(input, env);
  return completeConfig(input, dirname(where));
}

/** Settings checked and completed; relative paths start at `folder`. Throws `ConfigError`. */
export function completeConfig(input: object, folder = process.cwd()): Config {
  const result = settings.safeParse(input);
  if (!result.success) throw new ConfigError(result.error.issues.flatMap(explain).join("\n"));
  const { tls, listen, ...rest } = result.data;
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new ConfigError("tls: cert and key go together; one of them is missing");
  }
  const local = rest.domain === "localhost" || rest.domain.endsWith(".localhost");
  const host = domainToASCII(rest.domain);
  // On a machine of one's own the web is where it is served; elsewhere a proxy stands before it.
  const url = rest.url ?? (local ? new URL(`http://${host}:${listen.http || 80}`).origin : `https://${host}`);
  const at = (path: string | undefined) => path && resolve(folder, path);
  return freeze({
    ...rest,
    data: resolve(folder, rest.data),
    url,
    listen: { ...listen, host: listen.host ?? (local ? "127.0.0.1" : undefined) },
    tls: { cert: at(tls.cert), key: at(tls.key), ca: at(tls.ca) },
    components: componentDomains(rest.components, rest.domain),
    modules: rest.modules.map((module) => resolve(folder, module)),
  });
}

/** Components by their whole, prepared domains. */
function componentDomains(components: Settings["components"], domain: string): Settings["components"] {
  const found: Settings["components"] = {};
  for (const [name, component] of Object.entries(components)) {
    const whole = prepareDomain(name.includes(".") ? name : `${name}.${domain}`);
    if (whole === undefined) throw new ConfigError(`components.${name}: this is no name of a domain`);
    if (whole in found) throw new ConfigError(`components.${name}: ${whole} is there twice`);
    found[whole] = component;
  }
  return found;
}

export interface ConfigRow {
  readonly key: string;
  readonly default: string;
  readonly environment: string;
  readonly meaning: string;
}

/** One row for each key, in order: the README's configuration table. */
export function configTable(): ConfigRow[] {
  return leaves(settings).map(({ path, schema }) => ({
    key: path.join("."),
    default: shownDefault(schema),
    environment: environmentName(path),
    meaning: schema.description ?? "",
  }));
}

interface Leaf {
  readonly path: readonly string[];
  readonly schema: z.ZodType;
}

function leaves(schema: z.ZodType, path: readonly string[] = []): Leaf[] {
  const bare = unwrapped(schema);
  if (!(bare instanceof z.ZodObject)) return [{ path, schema }];
  return Object.entries(bare.shape).flatMap(([key, value]) => leaves(value as z.ZodType, [...path, key]));
}

/** The schema of a value that is there. */
function unwrapped(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) {
    return unwrapped(schema.unwrap() as z.ZodType);
  }
  return schema;
}

function shownDefault(schema: z.ZodType): string {
  const { shown } = schema.meta() ?? {};
  if (typeof shown === "string") return shown;
  const value = schema.parse(undefined);
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return "none";
  return `\`${String(value)}\``;
}

function readToml(file: string, mayMiss: boolean): Record<string, unknown> {
  try {
    return parseToml(readFileSync(file, "utf8"));
  } catch (error) {
    if (error instanceof TomlError) {
      const [reason] = error.message.split("\n");
      throw new ConfigError(`${file}:${error.line}:${error.column}: ${reason}`);
    }
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT") throw new ConfigError(`${file} cannot be read: ${message}`);
    if (mayMiss) return {};
    throw new ConfigError(`${file}: there is no such file`);
  }
}

const prefix = "PIPIT_";
/** What Kubernetes puts into every container beside a service called `pipit`. */
const ofKubernetes = /^PIPIT_(?:SERVICE_|PORT(?:_|$))/;

const environmentName = (path: readonly string[]): string => prefix + path.join("__").toUpperCase();

/** Puts the environment's values over those of the file; a variable that sets nothing is a mistake in its name. */
function overlay(input: Record<string, unknown>, env: NodeJS.ProcessEnv): void {
  const known = new Map(leaves(settings).map((leaf) => [environmentName(leaf.path), leaf]));
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || !name.startsWith(prefix) || ofKubernetes.test(name)) continue;
    const leaf = known.get(name);
    if (!leaf) throw new ConfigError(`${name}: there is no such setting`);
    const [first, second] = leaf.path as [string, string?];
    const read = fromText(unwrapped(leaf.schema), value);
    if (second === undefined) input[first] = read;
    // Where the file has something else than a table, the check tells.
    else if (isTable((input[first] ??= {}))) input[first][second] = read;
  }
}

const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What TOML would give for the text of a variable; text that fits nothing is left for the check to refuse. */
function fromText(schema: z.ZodType, value: string): unknown {
  if (schema instanceof z.ZodRecord || (schema instanceof z.ZodArray && schema.element === service))
    return fromJson(value);
  if (schema instanceof z.ZodArray) {
    const items = value.split(",").map((item) => item.trim());
    return items.filter((item) => item !== "");
  }
  if (schema instanceof z.ZodBoolean || schema instanceof z.ZodUnion || schema instanceof z.ZodNumber) {
    if (value === "true" || value === "false") return value === "true";
    return /^\d+$/.test(value) ? Number(value) : value;
  }
  return value;
}

function fromJson(value: string): unknown {
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

function explain(issue: z.core.$ZodIssue): string[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => `${[...issue.path, key].join(".")}: there is no such setting`);
  }
  return [`${issue.path.join(".")}: ${issue.message}`];
}

function freeze<T>(value: T): Frozen<T> {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(freeze);
  return value as Frozen<T>;
}
