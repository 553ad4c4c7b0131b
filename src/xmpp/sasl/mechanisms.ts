/** The SASL mechanisms of this server, strongest first, and XEP-0474: how clients can tell that it offered them. */
import type { Exchange, Lookup } from "./exchange.ts";
import { PlainExchange } from "./plain.ts";
import { ScramExchange, type ChannelBindings } from "./scram-exchange.ts";
import type { ScramHash } from "./scram.ts";

/** What a connection offers to authentication. */
export interface MechanismContext {
  readonly encrypted: boolean;
  readonly bindings: ChannelBindings;
  readonly lookup: Lookup;
  /** Those that the account has verifiers of; all where they are not known. */
  readonly hashes?: readonly ScramHash[] | undefined;
}

interface Mechanism {
  readonly name: string;
  readonly needs: "binding" | "encryption" | "nothing";
  readonly hash?: ScramHash;
  begin(context: MechanismContext): Exchange;
}

const scram = (hash: ScramHash, plus: boolean): Mechanism => ({
  name: `SCRAM-${hash}${plus ? "-PLUS" : ""}`,
  needs: plus ? "binding" : "nothing",
  hash,
  begin(context) {
    const { bindings, lookup } = context;
    return new ScramExchange({ hash, plus, bindings, lookup, offered: offer(context) });
  },
});

const mechanisms: readonly Mechanism[] = [
  scram("SHA-512", true),
  scram("SHA-256", true),
  scram("SHA-1", true),
  scram("SHA-512", false),
  scram("SHA-256", false),
  scram("SHA-1", false),
  // RFC 6120 §13.8.3: the password itself goes over the wire.
  { name: "PLAIN", needs: "encryption", begin: ({ lookup }) => new PlainExchange(lookup) },
];

function fits({ needs, hash }: Mechanism, { encrypted, bindings, hashes }: MechanismContext): boolean {
  if (hash && hashes && !hashes.includes(hash)) return false;
  return needs === "nothing" || (needs === "encryption" ? encrypted : bindings.size > 0);
}

/** The names to offer on a connection. */
export const offeredMechanisms = (context: MechanismContext): string[] =>
  mechanisms.filter((mechanism) => fits(mechanism, context)).map(({ name }) => name);

/** XEP-0474 §6.1: the mechanisms and the types of channel binding that are offered, as SCRAM hashes them. */
function offer(context: MechanismContext): string {
  const lists = [offeredMechanisms(context), [...context.bindings.keys()]];
  return lists
    .filter((names) => names.length > 0)
    .map((names) => names.sort().join("\x1e"))
    .join("\x1f");
}

/** Begins an exchange; `undefined` where the mechanism is unknown or not offered on this connection. */
export function beginExchange(name: string, context: MechanismContext): Exchange | undefined {
  const mechanism = mechanisms.find((one) => one.name === name);
  return mechanism && fits(mechanism, context) ? mechanism.begin(context) : undefined;
}
