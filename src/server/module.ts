/**
 * The one way to extend the server. A module is a value whose `setup` returns its registrations as data, so that
 * duplicates fail at start, and disco, the README's tables and a DOAP file are derived from what is really there.
 */
import type { Jid } from "../xmpp/jid.ts";
import type { Handling } from "../xmpp/message-kind.ts";
import { serialize, type Element } from "../xmpp/xml.ts";
import type { BindExtension } from "./bind2.ts";
import type { Command } from "./command.ts";
import type { Session } from "./session.ts";

/**
 * Whom an iq request is addressed to: the `server` (its domain), an `account` (a bare JID, whoever asks), `self`
 * (the asker's own bare JID, or no address at all), a service by its name, or any `service` that has no route by name.
 */
export type Target = "server" | "account" | "self" | "service" | (string & {});

/** An iq of type get or set. Return the payload of the result, or nothing, or throw `StanzaError`; the router replies. */
export interface IqRequest {
  readonly type: "get" | "set";
  readonly from: Jid;
  readonly to: Jid;
  /** The one child element of the iq. */
  readonly payload: Element;
  readonly stanza: Element;
  /** The asker's session, where it is one of ours. */
  readonly session: Session | undefined;
  /** What a handler wants done right behind its reply, before anything else reaches the asker. */
  afterwards?: () => void;
}

type Awaitable<T> = T | Promise<T>;

export interface IqRoute {
  readonly type: "get" | "set";
  readonly target: Target;
  readonly xmlns: string;
  readonly name: string;
  /** `account` only: asked about names without an account too, so that the answer can be the one that a stranger gets. */
  readonly anyName?: true;
  handle(iq: IqRequest): Awaitable<Element | undefined | void>;
}

/**
 * A message or presence on its way, seen from one of our accounts: `out` from the sender's side, then `in` from the
 * recipient's. Addresses are those of `from` and `to`; a multicast stanza carries no `to` attribute of its own.
 */
export interface Passage {
  readonly stanza: Element;
  readonly direction: "out" | "in";
  readonly from: Jid;
  readonly to: Jid;
  /** The bare JID of the account whose side this is. */
  readonly account: string;
  /** The sender's session, where it is one of ours. */
  readonly session: Session | undefined;
  /** Of a message: what becomes of it besides being delivered. */
  readonly handling?: Handling | undefined;
  /** The stanza as text, as it goes from one side to the other; `plainText` writes it once. */
  plain?: string;
  /** The text as this account has it, where that differs: with its stanza-id (XEP-0359). */
  text?: string;
  /** What the archive stage knows the message by, on this side (XEP-0313 §3.1). */
  archiveId?: string;
  /** Set by the archive stage: the message goes no further before what it wrote is on disk. */
  durable?: Promise<void>;
}

/** The stanza of a passage as text. It is written once, so whoever changes the stanza does it in the filter stage. */
export function plainText(passage: Passage): string {
  return (passage.plain ??= serialize(passage.stanza));
}

/** `true`: dealt with, go no further. A `StanzaError` stops the stanza and answers it (filters fail closed). */
export type StageHandler = (passage: Passage) => Awaitable<boolean | void>;

/**
 * The stages of a message or presence, in the order in which they run. What those before `copy` wrote of a message is on
 * disk before any of the others run.
 */
export const stages = ["filter", "archive", "copy", "deliver"] as const;
export type Stage = (typeof stages)[number];

export type StageHandlers = Partial<Record<Stage, StageHandler>>;

export interface Identity {
  readonly category: string;
  readonly type: string;
  readonly name?: string;
}

/** A disco#info or disco#items request (XEP-0030). */
export interface DiscoQuery {
  readonly from: Jid;
  readonly to: Jid;
  readonly node: string | undefined;
  /** The `<query/>` as it came, e.g. with a request for a page of items. */
  readonly query: Element;
}

export interface DiscoInfo {
  readonly identities?: readonly Identity[];
  readonly features?: readonly string[];
  /** XEP-0128: data forms. */
  readonly forms?: readonly Element[];
}

/**
 * What can be discovered at an address beyond what is announced. Without a node, everybody's answers are added up;
 * a node is described by the first that knows it. Tell only what `from` may know: a hidden node is an unknown one.
 */
export interface DiscoSource {
  info?(query: DiscoQuery): Awaitable<DiscoInfo | undefined>;
  /** `<item/>` elements; the last may be an RSM `<set/>`. */
  items?(query: DiscoQuery): Awaitable<readonly Element[] | undefined>;
}

/** An address that this process answers for itself: a part of the domain, or a reserved name at it. */
export interface Service {
  /** The name by which iq routes target it. */
  readonly name: string;
  /** A bare JID: `timeline@example.org`, `pubsub.example.org`. */
  readonly address: string;
  readonly identities: readonly Identity[];
  readonly features: readonly string[];
  readonly disco?: DiscoSource;
  message?(passage: Passage): Awaitable<void>;
  presence?(passage: Passage): Awaitable<void>;
}

export interface Registrations<Events extends object> {
  readonly iq?: readonly IqRoute[];
  /** Before a request is handed to a resource of ours, there or not: throw `StanzaError` to refuse it. */
  readonly iqFilter?: (iq: IqRequest) => Awaitable<void>;
  /**
   * Any iq, reply or request, on its way `out` from a client of ours and `in` to an account of ours or a resource of
   * it, before anything answers it. `true`: dropped, which is for replies; throw `StanzaError` to refuse a request.
   */
  readonly iqGate?: StageHandler;
  readonly message?: StageHandlers;
  readonly presence?: StageHandlers;
  /** A message to an account none of whose resources takes it (RFC 6121 §8.5.2.2.1): `true` where it need not come back. */
  readonly undelivered?: StageHandler;
  readonly services?: readonly Service[];
  readonly disco?: {
    /** What extends the domain's own disco#info (XEP-0128); the same for everybody, as its capabilities are. */
    readonly forms?: readonly Element[];
    /** Of the domain. */
    readonly server?: DiscoSource;
    readonly account?: DiscoSource;
  };
  /** XEP-0050: what can be run at the domain. */
  readonly commands?: readonly Command[];
  /** What stands in the stream features once a client is authenticated; built for each stream. */
  readonly streamFeature?: () => Element;
  /** XEP-0386: what is done while a client's resource is bound. */
  readonly bindExtension?: BindExtension;
  /** The node stops: what runs by itself, such as a timer, ends. */
  readonly close?: () => void;
  /** Told after the fact; cannot veto. */
  readonly events?: { readonly [Name in keyof Events]?: (event: Events[Name]) => Awaitable<void> };
}

/** What a module announces in disco#info, on the domain, on accounts and on every service; only what really works. */
export interface Announced {
  readonly server?: readonly string[];
  readonly account?: readonly string[];
  readonly service?: readonly string[];
}

export interface Module<Context, Events extends object> {
  /** What it does, as in its file's name. */
  readonly name: string;
  /** The XEPs it implements: `0199`, or `0060 1.30` with the version. */
  readonly xeps?: readonly string[];
  readonly features?: Announced;
  readonly identities?: { readonly server?: readonly Identity[]; readonly account?: readonly Identity[] };
  setup(context: Context): Registrations<Events>;
}

/** A route for iq get. */
export const get = (xmlns: string, name: string, target: Target, handle: IqRoute["handle"]): IqRoute => ({
  type: "get",
  target,
  xmlns,
  name,
  handle,
});

/** A route for iq set. */
export const set = (xmlns: string, name: string, target: Target, handle: IqRoute["handle"]): IqRoute => ({
  type: "set",
  target,
  xmlns,
  name,
  handle,
});
