/**
 * Questions to the DNS for discovery: each ends in time, and "there is none" is told from "nobody knows". Not by
 * `dns.lookup`: that takes a thread for as long as a dead DNS server is waited for, and logins need those threads.
 */
import type { SrvRecord } from "node:dns";
import { Resolver } from "node:dns/promises";
import { isIP } from "node:net";
import { hostsFileAddresses } from "./hosts-file.ts";

/** How long one question may take, in milliseconds, with what is repeated and with all servers that can be asked. */
const maxQuestion = 8_000;
/** How many of each family are used; a server with more is reached by these or not at all. */
const maxPerFamily = 4;

/** DNS could not say; the message is one plain line. */
class DnsFault extends Error {
  override readonly name = "DnsFault";
}

export interface LookupOptions {
  /** DNS servers to ask; the system's, and its hosts file, where there is none. */
  readonly servers: readonly string[];
  readonly hostsFile?: string;
  /** How long one question may take, in milliseconds. */
  readonly limit?: number;
}

export class Lookups {
  readonly #dns: Resolver;
  readonly #limit: number;
  readonly #hostsFile: string | undefined;

  constructor({ servers, hostsFile, limit = maxQuestion }: LookupOptions) {
    this.#dns = new Resolver({ timeout: Math.ceil(limit / 4), tries: 2 });
    this.#limit = limit;
    this.#hostsFile = hostsFile ?? (servers.length > 0 ? undefined : "/etc/hosts");
    if (servers.length > 0) this.#dns.setServers(servers);
  }

  /** None where there is none; rejects with `DnsFault`. */
  srv(name: string): Promise<SrvRecord[]> {
    return this.#answer(name, this.#dns.resolveSrv(name));
  }

  /** The families taking turns, IPv6 first (RFC 8305 §4); none where there is none; rejects with `DnsFault`. */
  async addresses(name: string): Promise<string[]> {
    const known = isIP(name) ? [name] : await this.known(name);
    if (known.length > 0) return known;
    const answers = await Promise.allSettled([
      this.#answer(name, this.#dns.resolve6(name)),
      this.#answer(name, this.#dns.resolve4(name)),
    ]);
    const families = answers.map((answer) => (answer.status === "fulfilled" ? answer.value : []));
    const found = inTurns(families);
    for (const answer of answers) if (found.length === 0 && answer.status === "rejected") throw answer.reason;
    return found;
  }

  /** Addresses that need no DNS. */
  async known(name: string): Promise<string[]> {
    if (this.#hostsFile === undefined) return [];
    const addresses = await hostsFileAddresses(this.#hostsFile, name);
    return inTurns([6, 4].map((family) => addresses.filter((address) => isIP(address) === family)));
  }

  async #answer<T>(name: string, question: Promise<T[]>): Promise<T[]> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(Object.assign(new Error(), { code: "ETIMEOUT" })), this.#limit);
    });
    try {
      return await Promise.race([question, deadline]);
    } catch (error) {
      const { code = "" } = error as NodeJS.ErrnoException;
      if (none.has(code)) return [];
      throw new DnsFault(`${name}: ${words[code] ?? code}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}

function inTurns(families: readonly (readonly string[])[]): string[] {
  const turns = Array.from({ length: maxPerFamily }, (_, turn) => families.map((family) => family[turn]));
  return turns.flat().filter((address) => address !== undefined);
}

/** No such name, no such record of it, or nothing that could be a name. */
const none = new Set(["ENOTFOUND", "ENODATA", "EBADNAME"]);

const words: Readonly<Record<string, string>> = {
  ESERVFAIL: "the DNS server failed",
  EREFUSED: "the DNS server refused to answer",
  ETIMEOUT: "the DNS server did not answer",
  ECONNREFUSED: "there is no DNS server where one should be",
  EBADRESP: "the DNS server's answer could not be read",
};
