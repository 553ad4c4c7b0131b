/** Questions to the DNS for discovery: each ends in time, and "there is none" is told from "nobody knows". */
import { lookup } from "node:dns/promises";
import { Resolver as DnsResolver } from "node:dns/promises";
import type { SrvRecord } from "node:dns";
import { isIP } from "node:net";

/** How long one question may take, in milliseconds, with what is repeated and with all servers that can be asked. */
const defaultLimit = 8_000;
/** How many of each family are used; a server with more is reached by these or not at all. */
const maxPerFamily = 4;

/** DNS could not say; the message is one plain line. */
export class DnsFault extends Error {
  override readonly name = "DnsFault";
}

export interface Lookups {
  /** The records of a name, none where there is none; rejects with `DnsFault`. */
  srv(name: string): Promise<SrvRecord[]>;
  /** The addresses of a name, the families taking turns (RFC 8305 §4); rejects with `DnsFault`. */
  addresses(name: string): Promise<string[]>;
}

/** Asks these DNS servers; or where there is none the system's, and its hosts file for addresses. */
export function lookups(servers: readonly string[], limit = defaultLimit): Lookups {
  const dns = new DnsResolver({ timeout: Math.ceil(limit / 4), tries: 2 });
  if (servers.length > 0) dns.setServers(servers);
  const within = <T>(name: string, question: Promise<T[]>) => answerOf(name, question, limit);
  const ofFamily = (name: string, family: 4 | 6): Promise<string[]> => {
    if (servers.length > 0) return within(name, family === 4 ? dns.resolve4(name) : dns.resolve6(name));
    const all = lookup(name, { all: true, family });
    return within(
      name,
      all.then((found) => found.map(({ address }) => address)),
    );
  };
  return {
    srv: (name) => within(name, dns.resolveSrv(name)),
    async addresses(name) {
      if (isIP(name)) return [name];
      const [six, four] = await Promise.allSettled([ofFamily(name, 6), ofFamily(name, 4)]);
      const lists = [six, four].map((list) => (list.status === "fulfilled" ? list.value : []));
      const turns = Array.from({ length: maxPerFamily }, (_, turn) => lists.map((list) => list[turn]));
      const found = turns.flat().filter((address) => address !== undefined);
      for (const list of [six, four]) if (found.length === 0 && list.status === "rejected") throw list.reason;
      return found;
    },
  };
}

/** What says that there is no such record. */
const none = new Set(["ENOTFOUND", "ENODATA"]);

const words: Readonly<Record<string, string>> = {
  ESERVFAIL: "the DNS server failed",
  EREFUSED: "the DNS server refused to answer",
  ETIMEOUT: "the DNS server did not answer",
  ECONNREFUSED: "there is no DNS server",
  EAI_AGAIN: "DNS could not be asked",
};

async function answerOf<T>(name: string, question: Promise<T[]>, limit: number): Promise<T[]> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(Object.assign(new Error(), { code: "ETIMEOUT" })), limit);
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
