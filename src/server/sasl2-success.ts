/** XEP-0388 §2.6.1: what a client gets that has proven who it is, in one answer: a session, and a token. */
import { StanzaError } from "../xmpp/errors.ts";
import type { Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { limitsAfterAuthentication } from "../xmpp/parser.ts";
import { xml, type Element } from "../xmpp/xml.ts";
import { bind2 } from "./bind2.ts";
import type { KnownClient } from "./client-registry.ts";
import { tokenElement, wantedToken } from "./fast.ts";
import type { AuthenticationRequest } from "./sasl2-request.ts";
import type { Authenticated, NegotiatedStream } from "./stream-feature.ts";
import { resume } from "./stream-management.ts";

export interface Success {
  readonly request: AuthenticationRequest;
  readonly client: KnownClient | undefined;
  readonly who: Authenticated;
  /** The last word of the mechanism. */
  readonly data: Buffer | undefined;
  /** What tokens can be had for. */
  readonly tokenMechanisms: readonly string[];
}

/** Takes up the session that the client wants, or begins one, and says so; the stream goes on without a new header. */
export async function succeed(stream: NegotiatedStream, success: Success): Promise<void> {
  const { request, client, who, data, tokenMechanisms } = success;
  const { transport, context } = stream;
  const token = await client?.arrived(who, wantedToken(request.element, tokenMechanisms));
  if (!transport.isOpen) return;
  stream.authenticated(who);
  transport.limits = limitsAfterAuthentication;
  const say = (jid: Jid, ...parts: Element[]): void =>
    transport.send(
      xml(
        "success",
        { xmlns: NS.sasl2 },
        ...(data ? [xml("additional-data", {}, data.toString("base64"))] : []),
        xml("authorization-identifier", {}, jid.full),
        ...parts,
        ...(token ? [tokenElement(token)] : []),
      ),
    );

  // XEP-0386 §3.2: what is resumed has a resource, and needs no other.
  const resumption = request.resume && (await resume(stream, who, request.resume));
  if (resumption?.proceed && resumption.session) {
    say(resumption.session.jid, resumption.answer);
    // XEP-0198 §9.2: without features.
    return resumption.proceed();
  }
  const failed = resumption ? [resumption.answer] : [];
  try {
    if (request.bind)
      return await bind2(stream, who, client, request.bind, (session, bound) => {
        say(session.jid, ...failed, bound);
        return stream.announce();
      });
  } catch (error) {
    if (!(error instanceof StanzaError)) throw error;
    // Nothing says how; without a `<bound/>`, a client learns why when it binds as of old.
    context.log.info({ jid: who.account.bare, condition: error.condition }, "no resource was bound");
  }
  say(who.account, ...failed);
  return stream.announce();
}
