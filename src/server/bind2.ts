/** XEP-0386: Bind 2: a resource, and all that a session begins with, in the answer to authentication. */
import { randomBytes } from "node:crypto";
import { StreamError } from "../xmpp/errors.ts";
import { prepareResource } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { child, childText, xml, type Element } from "../xmpp/xml.ts";
import type { KnownClient } from "./client-registry.ts";
import { Reserve } from "./csi-reserve.ts";
import type { Session } from "./session.ts";
import type { Authenticated, NegotiatedStream } from "./stream-feature.ts";
import { enable } from "./stream-management.ts";

type Awaitable<T> = T | Promise<T>;

/** What else is done at the moment in which a resource is bound (§3.2). */
export interface BindExtension {
  /** The name under which clients may ask for it (§3.1); without one, it is done for all. */
  readonly feature?: string;
  /**
   * The session is there, and whatever is sent to it from this moment on comes behind the answer, of which this is a
   * part; `request` is the `<bind/>`, with what the client wants of the session.
   */
  bound(session: Session, request: Element): Awaitable<Element | undefined | void>;
}

/** What a client calls itself; the rest of a resource is for what the server puts there. In UTF-16 units. */
const maxTag = 200;
/** RFC 6120 §7.6.1: a resource is not to be guessed by strangers. */
const resourceBytes = 9;

/** What the server itself does. */
function extensionsOf({ context }: NegotiatedStream): BindExtension[] {
  return [
    {
      feature: NS.streamManagement,
      bound(session, request) {
        const wanted = child(request, "enable", NS.streamManagement);
        return wanted && enable(session, wanted, context.hibernation);
      },
    },
    {
      feature: NS.clientState,
      bound(session, request) {
        if (child(request, "inactive", NS.clientState)) session.reserve ??= new Reserve();
      },
    },
    ...context.bindExtensions,
  ];
}

/** What stands among what can be done together with authentication (§3.1). */
export function bind2Feature(stream: NegotiatedStream): Element {
  const names = extensionsOf(stream).flatMap(({ feature }) => feature ?? []);
  const features = names.sort().map((name) => xml("feature", { var: name }));
  return xml("bind", { xmlns: NS.bind2 }, xml("inline", {}, ...features));
}

/**
 * Binds a resource; `succeed` is to send the answer, with the `<bound/>` in it. Throws `StanzaError` where there can be
 * no more of them.
 */
export async function bind2(
  stream: NegotiatedStream,
  who: Authenticated,
  client: KnownClient | undefined,
  request: Element,
  succeed: (session: Session, bound: Element) => Awaitable<void>,
): Promise<void> {
  const own = (await client?.resource(who)) ?? randomBytes(resourceBytes).toString("base64url");
  await stream.bind(who.account.withResource(resourceOf(request, own)), async (session) => {
    endEarlier(stream, session);
    const parts = await Promise.all(extensionsOf(stream).map((one) => one.bound(session, request)));
    const present = parts.filter((part) => part !== undefined);
    if (stream.transport.isOpen) await succeed(session, xml("bound", { xmlns: NS.bind2 }, ...present));
  });
}

/** §3.2.1: what the client calls itself, where that can be a part of a resource, in front of what is the server's. */
function resourceOf(request: Element, own: string): string {
  const tag = childText(request, "tag")?.trim();
  const whole = tag && tag.length <= maxTag ? prepareResource(`${tag}/${own}`) : undefined;
  return whole ?? own;
}

/** §3.2: of one installation of a client there is one session. */
function endEarlier({ context }: NegotiatedStream, session: Session): void {
  if (session.client === undefined) return;
  for (const other of [...context.sessions.of(session.account)]) {
    if (other !== session && other.client === session.client)
      other.close(new StreamError("conflict", "This client has connected anew"));
  }
}
