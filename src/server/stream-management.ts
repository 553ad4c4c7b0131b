/** XEP-0198: Stream Management: how a client enables it, acknowledges, and resumes a session. */
import { randomBytes } from "node:crypto";
import { StreamError, type StanzaCondition } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, xml, type Element } from "../xmpp/xml.ts";
import type { Hibernation } from "./hibernation.ts";
import type { Session } from "./session.ts";
import { StreamManagement } from "./stream-management-state.ts";
import type { Authenticated, BoundFeature, NegotiatedStream, StreamFeature } from "./stream-feature.ts";

/** §9: who knows an id may not take over the session, but is not to guess that there is one either. */
const idBytes = 18;

const element = (name: string, attrs: Record<string, string | undefined> = {}): Element =>
  xml(name, { xmlns: NS.streamManagement, ...attrs });

/** What stands in stream features, and in those that are inline in authentication (§9.2). */
export const managementFeature = (): Element => element("sm");

/** Before there is a resource a client may resume an earlier session instead of binding one. */
export const resumption = (stream: NegotiatedStream, who: Authenticated): StreamFeature => ({
  xmlns: NS.streamManagement,

  advertise: () => [managementFeature()],

  async receive(request) {
    // §3: the client has to bind a resource first.
    if (request.name !== "resume") return stream.transport.send(failed("unexpected-request"));
    const { answer, proceed } = await resume(stream, who, request);
    stream.transport.send(answer);
    proceed?.();
  },
});

/** What is said of stanzas on a bound stream. */
export const streamManagement: BoundFeature = {
  xmlns: NS.streamManagement,

  advertise: ({ management }) => (management ? [] : [managementFeature()]),

  receive(request, session, { context, transport }) {
    const { management } = session;
    switch (request.name) {
      case "enable":
        transport.send(enable(session, request, context.hibernation));
        if (management) throw new StreamError("policy-violation", "Stream management is enabled already");
        return;
      case "a":
        return acknowledge(session, request);
      case "r":
        return transport.send(management ? acknowledgement(management) : failed("unexpected-request"));
      default:
        transport.send(failed("unexpected-request"));
    }
  },
};

/** `<a/>`: what was handled so far (§4). */
export const acknowledgement = ({ handled }: StreamManagement): Element =>
  element("a", { h: String(handled) });

/**
 * Begins to count on a session that has just been bound, or whose client asks for it later (§3). The answer,
 * `<enabled/>` or `<failed/>`, has to be sent before any further stanza.
 */
export function enable(session: Session, request: Element, { seconds, location }: Hibernation): Element {
  if (session.management) return failed("unexpected-request");
  const max = Math.min(seconds, numberOf(request, "max") ?? seconds);
  if (!isTrue(attr(request, "resume")) || max === 0) {
    session.management = new StreamManagement(undefined, 0);
    return element("enabled");
  }
  const id = randomBytes(idBytes).toString("base64url");
  session.management = new StreamManagement(id, max);
  return element("enabled", { id, resume: "true", max: String(max), location });
}

export interface Resumption {
  /** `<resumed/>` or `<failed/>`. */
  readonly answer: Element;
  /** The session that is resumed. */
  readonly session?: Session;
  /** Where it succeeded: to be called right behind the answer, before anything else. The stream is bound then. */
  proceed?(): void;
}

/**
 * Takes up a session of an account again on a stream that is authenticated as it (§5). Throws the stream error of who
 * acknowledges what was never sent, or has proven nothing that still holds; whatever else is wrong, the client may bind
 * a resource instead.
 */
export async function resume(
  stream: NegotiatedStream,
  { account, credential, client, since }: Authenticated,
  request: Element,
): Promise<Resumption> {
  const { authenticator, hibernation } = stream.context;
  // The session of who has changed the password stays, and is nobody's who came with the old one.
  if (!(await authenticator.admits(account.local, since))) throw new StreamError("not-authorized");
  const previd = attr(request, "previd");
  const h = numberOf(request, "h");
  if (previd === undefined || h === undefined) return { answer: failed("bad-request") };
  const session = hibernation.find(account.bare, previd);
  const unknown = (): Resumption => ({
    answer: failed("item-not-found", hibernation.handledBy(account.bare, previd)),
  });
  // What an app password opened may not become more than that, nor less.
  const opened = typeof credential === "object" ? credential.appPassword : undefined;
  if (session?.appPassword !== opened) return unknown();
  // What was acknowledged once is not kept, so that a client which forgot of it cannot go on from there.
  if (!session?.management || session.management.measure(h) < 0) return unknown();
  const replaced = new StreamError("conflict", "The session was resumed on another connection");
  if (!(await hibernation.claim(session, replaced))) return unknown();
  if (!stream.transport.isOpen) {
    hibernation.release(session);
    return unknown();
  }
  session.acknowledged(h);
  // Whose access is taken from it, when that is (XEP-0494).
  session.client = client ?? session.client;
  const answer = element("resumed", { h: String(session.management.handled), previd });
  return { answer, session, proceed: () => stream.resume(session) };
}

function acknowledge(session: Session, request: Element): void {
  const h = numberOf(request, "h");
  if (h === undefined) throw new StreamError("bad-format", "An acknowledgement says how many stanzas");
  session.acknowledged(h);
  const due = session.request();
  if (due) session.say(due);
}

/** §6: the condition is one of stanzas; whatever was wrong, the stream goes on. */
function failed(condition: StanzaCondition, h?: number): Element {
  const answer = element("failed", { h: h === undefined ? undefined : String(h) });
  answer.append(xml(condition, { xmlns: NS.stanzas }));
  return answer;
}

const isTrue = (value: string | undefined): boolean => value === "true" || value === "1";

/** An unsigned integer of 32 bits. */
function numberOf(request: Element, name: string): number | undefined {
  const value = attr(request, name) ?? "";
  const number = Number(value);
  return /^\d{1,10}$/.test(value) && number < 2 ** 32 ? number : undefined;
}
