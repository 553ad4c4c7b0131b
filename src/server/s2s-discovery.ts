/** Where the server of a domain is: SRV records as in RFC 6120 §3.2, XEP-0368 §3 and RFC 2782, then addresses. */
import { isIP } from "node:net";
import { domainToASCII } from "node:url";
import { Lookups, type LookupOptions } from "./s2s-lookups.ts";

/** RFC 6120 §14.7. */
const defaultPort = 5269;
/** Who names more servers than this is not better reachable by it. */
const maxServers = 8;
/** All connections that may be tried for one domain. */
const maxTargets = 16;
/**
 * How long an answer holds, in milliseconds. Long enough that all local domains that speak to one server share it,
 * and short enough for every sensible TTL, which Node does not tell: DNS servers keep what may be kept longer.
 */
const maxAge = { targets: 60_000, "not-offered": 60_000, "not-found": 30_000, failed: 5_000 } as const;
/** Answers remembered at the same time. */
const cacheSize = 1_000;

/** One connection that can be tried. */
export interface S2sTarget {
  /** An IP address. */
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte (XEP-0368) instead of STARTTLS. */
  readonly directTls: boolean;
  /** The server's name, for logs. */
  readonly name: string;
}

export type Discovery =
  /** In the order to try. */
  | { readonly kind: "targets"; readonly targets: readonly S2sTarget[] }
  /** The domain says that it has no server (RFC 2782: the target "."). */
  | { readonly kind: "not-offered" }
  /** The domain, or its servers, have no address. */
  | { readonly kind: "not-found" }
  /** DNS did not answer; it may later. */
  | { readonly kind: "failed"; readonly reason: string };

export interface Resolver {
  /** Takes a domain as it stands in addresses; never rejects, and ends within some seconds. */
  discover(domain: string): Promise<Discovery>;
}

export interface ResolverOptions extends LookupOptions {
  /** From 0 up to 1; for the weights. */
  readonly random?: () => number;
  /** In milliseconds. */
  readonly now?: () => number;
}

interface Answer {
  /** In milliseconds. */
  until: number;
  readonly discovery: Promise<Discovery>;
}

export function createResolver({ random, now = Date.now, ...options }: ResolverOptions): Resolver {
  const lookups = new Lookups(options);
  const answers = new Map<string, Answer>();
  return {
    discover(domain) {
      const known = answers.get(domain);
      if (known && now() < known.until) return known.discovery;
      // Whoever asks while the answer is on its way waits for the same one.
      const answer = { until: Infinity, discovery: discover(domain, lookups, random ?? Math.random) };
      answers.delete(domain);
      answers.set(domain, answer);
      const [oldest] = answers.keys();
      if (answers.size > cacheSize && oldest !== undefined) answers.delete(oldest);
      return answer.discovery.then((found) => {
        answer.until = now() + maxAge[found.kind];
        return found;
      });
    },
  };
}

async function discover(domain: string, lookups: Lookups, random: () => number): Promise<Discovery> {
  const literal = domain.replace(/^\[(.*)\]$/, "$1");
  if (isIP(literal)) return found([{ ...unnamed, host: literal, name: literal }]);
  const name = domainToASCII(domain);
  if (name === "") return { kind: "not-found" };
  try {
    const servers = await serversOf(name, lookups);
    if (servers?.length === 0) return { kind: "not-offered" };
    return await addressed(servers ? inOrder(servers, random) : [{ ...unnamed, name }], lookups);
  } catch (error) {
    // What the operator wrote into the machine's hosts file holds where there is no DNS at all.
    const hosts = await lookups.known(name);
    if (hosts.length > 0) return found(hosts.map((host) => ({ ...unnamed, host, name })));
    return { kind: "failed", reason: (error as Error).message };
  }
}

/** RFC 6120 §3.2.2: where there is no SRV record. */
const unnamed = { port: defaultPort, directTls: false } as const;

const found = (targets: readonly S2sTarget[]): Discovery => ({ kind: "targets", targets });

/** One server of the domain, still without its addresses. */
type Server = Omit<S2sTarget, "host">;

/** An SRV record, and which service it is of. */
export interface Offer extends Server {
  readonly priority: number;
  readonly weight: number;
}

/** The servers of both services; none where the domain says that it has none, `undefined` where it says nothing. */
async function serversOf(name: string, lookups: Lookups): Promise<Offer[] | undefined> {
  const services = ["_xmpps-server", "_xmpp-server"];
  const answers = await Promise.allSettled(services.map((service) => lookups.srv(`${service}._tcp.${name}`)));
  const servers = answers.flatMap((answer, index) =>
    answer.status === "fulfilled"
      ? answer.value.map((record) => ({ ...record, directTls: index === 0 }))
      : [],
  );
  const offered = servers.filter((server) => !/^\.?$/.test(server.name) && server.port > 0);
  if (offered.length > 0) return offered;
  // One of them not answering is no proof that there is no such record.
  for (const answer of answers) if (answer.status === "rejected") throw answer.reason;
  return servers.length > 0 ? [] : undefined;
}

/** RFC 2782, "Usage rules": by priority, and by chance within one, the heavier the likelier. */
export function inOrder(servers: readonly Offer[], random: () => number): Offer[] {
  const left = servers.toSorted((a, b) => a.priority - b.priority || a.weight - b.weight);
  const ordered: Offer[] = [];
  while (left.length > 0) {
    const rivals = left.filter(({ priority }) => priority === left[0]?.priority);
    const total = rivals.reduce((sum, { weight }) => sum + weight, 0);
    // Between 0 and the sum, both included: what weighs nothing has a small chance too.
    let mark = Math.floor(random() * (total + 1));
    const chosen = rivals.findIndex(({ weight }) => (mark -= weight) <= 0);
    ordered.push(...left.splice(chosen, 1));
  }
  return ordered;
}

/** The servers with their addresses, in the order to try. */
async function addressed(servers: readonly Server[], lookups: Lookups): Promise<Discovery> {
  const asked = servers.slice(0, maxServers);
  const answers = await Promise.allSettled(asked.map(({ name }) => lookups.addresses(name)));
  const targets = answers.flatMap((answer, index) => {
    const { name, port, directTls } = asked[index]!;
    return answer.status === "fulfilled" ? answer.value.map((host) => ({ host, port, directTls, name })) : [];
  });
  if (targets.length > 0) return found(targets.slice(0, maxTargets));
  for (const answer of answers) if (answer.status === "rejected") throw answer.reason;
  return { kind: "not-found" };
}
