/** The server side of streams between servers alone, with no node behind it: what came in, and what links there are. */
import type { TestContext } from "node:test";
import { pino } from "pino";
import {
  s2sContext,
  type S2sContext,
  type S2sOptions,
  type S2sTiming,
} from "../../src/server/s2s-context.ts";
import type { Discovery } from "../../src/server/s2s-discovery.ts";
import type { Outcome, S2sLink } from "../../src/server/s2s-link.ts";
import { connectLink } from "../../src/server/s2s-out.ts";
import { S2sPolicy } from "../../src/server/s2s-policy.ts";
import { listenS2s, type S2s } from "../../src/server/s2s.ts";
import { ServerTls } from "../../src/server/tls.ts";
import type { Element } from "../../src/xmpp/xml.ts";
import { createAuthority, type Authority, type CertificateContent } from "./authority.ts";
import { Arrivals, Peer } from "./peer.ts";

/** Our domain, and the other one's. */
export const ours = "capulet.example";
export const theirs = "montague.example";

let authority: Promise<Authority> | undefined;
/** The authority that both sides trust. */
export const notary = (): Promise<Authority> => (authority ??= createAuthority());

/** A quick life, for tests about what takes too long. */
export const hasty: Partial<S2sTiming> = { sweep: 10 };

export interface StageOptions extends Partial<Omit<S2sOptions, "timing">> {
  readonly timing?: Partial<S2sTiming>;
  readonly host?: string;
  /** What is in our certificate. */
  readonly names?: readonly string[];
}

export class Servers {
  readonly policy = new S2sPolicy();
  /** Stanzas that came in and were believed. */
  readonly stanzas = new Arrivals<Element>();
  /** Links that peers gave us. */
  readonly links = new Arrivals<S2sLink>();
  readonly log: Record<string, unknown>[] = [];
  /** Where domains are; any other is not found. */
  readonly dns = new Map<string, Discovery>();
  context!: S2sContext;
  s2s!: S2s;
  readonly #peers: Peer[] = [];

  async open(options: StageOptions): Promise<void> {
    const { host = "127.0.0.1", names = [ours, `*.${ours}`], ...rest } = options;
    const { issue, ca } = await notary();
    const log = pino(
      { level: "debug", base: null },
      { write: (line: string) => void this.log.push(JSON.parse(line) as Record<string, unknown>) },
    );
    this.context = s2sContext({
      domain: ours,
      tls: new ServerTls({ ...(await issue({ names })), ca }),
      resolver: { discover: async (domain) => this.dns.get(domain) ?? { kind: "not-found" } },
      policy: this.policy,
      dialback: false,
      secret: "a glooming peace",
      log,
      isLocal: (domain) => domain === ours || domain.endsWith(`.${ours}`),
      receive: (stanza) => this.stanzas.push(stanza),
      seen: (local, remote) => {
        for (const link of this.context.links) if (link.carries(local, remote)) this.links.push(link);
      },
      ...rest,
    });
    this.s2s = await listenS2s(this.context, { host, port: 0, directTlsPort: 0 });
  }

  /** A peer that DNS knows; its certificate is for its domain and all under it, where nothing else is said. */
  async peer(
    certificate: CertificateContent & { authority?: Authority } = {},
    { domain = theirs, host = "127.0.0.1", directTls = false } = {},
  ): Promise<Peer> {
    const { issue } = certificate.authority ?? (await notary());
    const peer = await Peer.at(host, {
      domain,
      certificate: await issue({ names: [domain, `*.${domain}`], ...certificate }),
      ca: (await notary()).ca,
      to: ours,
    });
    this.#peers.push(peer);
    this.dns.set(domain, { kind: "targets", targets: [peer.target(directTls)] });
    return peer;
  }

  connects(local = ours, remote = theirs): Promise<S2sLink> {
    return connectLink(this.context, local, remote);
  }

  logged(message: string): Record<string, unknown>[] {
    return this.log.filter(({ msg }) => msg === message);
  }

  async close(): Promise<void> {
    await Promise.all(this.#peers.map((peer) => peer.close()));
    await this.s2s.close();
  }
}

/** Opens our side for one test, and closes it with it. */
export async function servers(t: TestContext, options: StageOptions = {}): Promise<Servers> {
  const all = new Servers();
  await all.open(options);
  t.after(() => all.close());
  return all;
}

/** Sends on a link, and what became of it. */
export const sends = (link: S2sLink, text: string): Promise<Outcome> =>
  new Promise((resolve) => link.send(text, resolve));

export const message = (id: string, from = `romeo@${theirs}/orchard`, to = `juliet@${ours}`): string =>
  `<message from='${from}' to='${to}' id='${id}' type='chat'><body>${id}</body></message>`;
