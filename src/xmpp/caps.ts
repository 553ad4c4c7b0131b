/** XEP-0115: Entity Capabilities: what a verification string stands for. */
import { createHash } from "node:crypto";
import { NS } from "./ns.ts";
import { attr, children, text, type Element } from "./xml.ts";

/** The hash functions that are verified, by their names in XEP-0300 and in Node. */
const algorithms = {
  "sha-1": "sha1",
  "sha-224": "sha224",
  "sha-256": "sha256",
  "sha-384": "sha384",
  "sha-512": "sha512",
  "sha3-256": "sha3-256",
  "sha3-512": "sha3-512",
} as const;

export type CapsAlgorithm = keyof typeof algorithms;

/** Whether a `hash` can be verified. What comes under another one counts for its sender alone (§5.4). */
export function isCapsAlgorithm(hash: string): hash is CapsAlgorithm {
  return Object.hasOwn(algorithms, hash);
}

/**
 * The verification string of a disco#info `<query/>` (§5.1); `undefined` where that is ill-formed (§5.4).
 * It verifies a received `ver` where the two are equal.
 */
export function capsHash(info: Element, algorithm: CapsAlgorithm): string | undefined {
  const parts = [identities(info), features(info), forms(info)];
  if (!parts.every((part) => part !== undefined)) return undefined;
  return createHash(algorithms[algorithm]).update(parts.flat().join("")).digest("base64");
}

/** i;octet (RFC 4790 §9.3). */
const octets = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

const byOctets = (a: readonly string[], b: readonly string[]): number => {
  for (const [index, part] of a.entries()) {
    const order = octets(part, b[index] ?? "");
    if (order !== 0) return order;
  }
  return 0;
};

/**
 * The pieces as they are hashed. A piece that holds the separator could pass for two, and so lend its hash to
 * another set of features (§9.2); none that is honest does, so the whole is then as ill-formed as one with duplicates.
 */
function joined(pieces: string[]): string[] | undefined {
  if (pieces.some((piece) => piece.includes("<"))) return undefined;
  return pieces.map((piece) => `${piece}<`);
}

const hasDuplicates = (values: string[]): boolean => new Set(values).size < values.length;

function identities(info: Element): string[] | undefined {
  const found = children(info, "identity").map((identity) =>
    ["category", "type", "xml:lang", "name"].map((name) => attr(identity, name) ?? ""),
  );
  const isAmbiguous = found.some((identity) => identity.slice(0, 3).some((part) => part.includes("/")));
  const formatted = found.sort(byOctets).map((identity) => identity.join("/"));
  return isAmbiguous || hasDuplicates(formatted) ? undefined : joined(formatted);
}

function features(info: Element): string[] | undefined {
  const found = children(info, "feature").map((feature) => attr(feature, "var") ?? "");
  return hasDuplicates(found) ? undefined : joined(found.sort(octets));
}

function forms(info: Element): string[] | undefined {
  const found = new Map<string, string[]>();
  for (const x of children(info, "x", NS.dataForm)) {
    const fields = children(x, "field");
    const formType = fields.find((field) => attr(field, "var") === "FORM_TYPE");
    if (!formType || attr(formType, "type") !== "hidden") continue;
    const types = new Set(children(formType, "value").map(text));
    const [type = ""] = types;
    if (types.size > 1 || found.has(type)) return undefined;
    found.set(
      type,
      fields
        .filter((field) => field !== formType)
        .map((field) => [attr(field, "var") ?? "", ...children(field, "value").map(text).sort(octets)])
        .sort(([a = ""], [b = ""]) => octets(a, b))
        .flat(),
    );
  }
  return joined([...found].sort(([a], [b]) => octets(a, b)).flat(2));
}
