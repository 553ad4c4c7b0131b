/** What all streams between servers share. */
import type { Logger } from "../log.ts";
import type { Element } from "../xmpp/xml.ts";
import type { Claim, Verdict } from "./s2s-dialback.ts";
import type { Resolver } from "./s2s-discovery.ts";
import { DomainFlows } from "./s2s-flow.ts";
import type { S2sLink } from "./s2s-link.ts";
import { verifyKey } from "./s2s-out.ts";
import { StreamSet, type Member } from "./stream-set.ts";
import { UnboundConnections } from "./throttle.ts";
import type { ServerTls } from "./tls.ts";
import type { Underway } from "./message-flow.ts";

/** Connections of one network on which nobody is known yet: a host of many domains that all come back at once. */
const maxStrangers = 64;

/** In milliseconds. */
export interface S2sTiming {
  /** From the first step, DNS included, to a proven domain. */
  readonly negotiation: number;
  /** How long a peer may be silent before it is asked. */
  readonly quiet: number;
  /** How long it may take to answer, or to acknowledge what it was sent. */
  readonly answer: number;
  /** After how long without stanzas we end a stream that we began; twice that for one that the peer began. */
  readonly idle: number;
  /** How often all streams are looked at. */
  readonly sweep: number;
}

export const defaultS2sTiming: S2sTiming = {
  negotiation: 30_000,
  quiet: 180_000,
  answer: 60_000,
  idle: 900_000,
  sweep: 5_000,
};

export interface S2sOptions {
  /** Ours, where a peer did not say which it means. */
  readonly domain: string;
  readonly tls: ServerTls;
  readonly resolver: Resolver;
  /** Whether a domain may be spoken with, in either direction; asked again at every stanza. */
  readonly policy: { permits(domain: string): boolean };
  /** Whether dialback over TLS is enough where a peer has no valid certificate. */
  readonly dialback: boolean;
  /** What dialback keys are made from (XEP-0185): the same in all processes and after a restart. */
  readonly secret: string;
  readonly log: Logger;
  readonly timing?: Partial<S2sTiming>;
  /** Whether a domain is served here: the node's own, or a part of it. */
  isLocal(domain: string): boolean;
  /**
   * A stanza whose `from` is proven and whose `to` is ours; it is acknowledged once what this returns has settled. The
   * next one of `lane`, a stream, may come while a message is under way.
   */
  receive(stanza: Element, lane: object): void | Promise<void> | Underway;
  /** A domain has proven itself on a stream that it began: it can be reached perhaps, and with bidi on that very stream. */
  seen?(local: string, remote: string): void;
}

/** A link, as another one to the same domain finds it. */
export interface OpenLink extends S2sLink {
  /** Whether it goes to that domain, and other local domains may use it once the peer believes them. */
  extendsTo(remote: string): boolean;
  /** Asks the peer to believe that we speak for `local`, too (XEP-0220 §2.6.1); `false` where it does not. */
  prove(local: string, remote: string): Promise<boolean>;
}

export interface S2sContext extends S2sOptions {
  readonly timing: S2sTiming;
  /** Of both directions. */
  readonly streams: StreamSet<Member>;
  readonly links: Set<OpenLink>;
  /** Pings under way, by id: an answer may come on another stream than the question went (XEP-0199). */
  readonly pings: Map<string, (from: string, to: string) => boolean>;
  readonly flows: DomainFlows;
  readonly strangers: UnboundConnections;
  /** Under way (XEP-0220 §2.1.2). */
  readonly verifications: Set<Claim>;
  /** Asks the server of a domain whether a key is its own (XEP-0220 §2.1.2). */
  verify(claim: Claim): Promise<Verdict>;
}

export function s2sContext(options: S2sOptions): S2sContext {
  const timing = { ...defaultS2sTiming, ...options.timing };
  const context: S2sContext = {
    ...options,
    timing,
    streams: new StreamSet(timing.sweep),
    links: new Set(),
    pings: new Map(),
    flows: new DomainFlows(),
    strangers: new UnboundConnections(maxStrangers),
    verifications: new Set(),
    verify: (claim) => verifyKey(context, claim),
  };
  return context;
}
