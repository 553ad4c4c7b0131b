/** `pipit federation`: how it stands with other domains, one plain line for each. */
import type { RouteStatus } from "./server/federation.ts";

export interface FederationLine {
  readonly domain: string;
  /** The domain here that speaks with it. */
  readonly local: string;
  readonly state: RouteStatus["state"];
  readonly since: Date;
  /** Stanzas that wait on disk, and since when the oldest does. */
  readonly queued: number;
  readonly oldest: Date | undefined;
  readonly attempts: number;
  readonly nextTry: Date | undefined;
  readonly problem: string | undefined;
  readonly advice: string | undefined;
}

/** Those that fail first, then by name. */
export function federationLines(routes: readonly RouteStatus[]): FederationLine[] {
  const rank = ({ state }: RouteStatus): number => (state === "failing" ? 0 : 1);
  return [...routes]
    .sort((a, b) => rank(a) - rank(b) || a.domain.localeCompare(b.domain) || a.local.localeCompare(b.local))
    .map(({ condition, ...route }) => ({ ...route, advice: adviceFor(condition, route.problem) }));
}

/** The lines as text; `domain` is the node's own. */
export function federationText(lines: readonly FederationLine[], domain: string): string {
  if (lines.length === 0) return "nothing waits for other servers, and none is connected";
  return lines.map((line) => textOf(line, domain)).join("\n");
}

function textOf(line: FederationLine, domain: string): string {
  const { local, state, since, queued, attempts, nextTry, problem, advice } = line;
  const name = local === domain ? line.domain : `${line.domain} (from ${local})`;
  const waits = queued === 0 ? "nothing waits" : `${queued} ${queued === 1 ? "waits" : "wait"}`;
  if (state !== "failing") return `${name}: ${state} since ${shown(since)}; ${waits}`;
  const next = nextTry ? `, the next at ${shown(nextTry)}` : "";
  const tries = `${attempts} ${attempts === 1 ? "try" : "tries"}${next}`;
  return `${name}: failing since ${shown(since)} (${tries}); ${waits}. ${problem}. ${advice}`;
}

/** To the second, in universal time. */
const shown = (date: Date): string => `${date.toISOString().slice(0, 19)}Z`;

/** What can be done about it, and by whom. */
function adviceFor(condition: string | undefined, problem: string | undefined): string | undefined {
  if (problem === undefined) return undefined;
  if (problem.includes("its certificate")) {
    return "Its operator has to install a valid certificate for that name; s2s.dialback = true would do without.";
  }
  if (problem.includes("our certificate")) {
    return "See that the certificate here (tls.cert) is valid for this domain, and holds those that vouch for it.";
  }
  switch (condition) {
    case "remote-server-not-found":
      return "Check how the name is written; if it is right, its operator has to publish the DNS records.";
    case "not-allowed":
      return "One of the two servers does not want the other: look at s2s.allow and s2s.deny, or ask its operator.";
    case "internal-server-error":
      return "The log of this node says more.";
    default:
      return "It is tried again by itself; if this is so with all domains, look at this machine's network and DNS.";
  }
}
