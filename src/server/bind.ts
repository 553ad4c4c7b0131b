/** RFC 6120 §7: resource binding. */
import { randomBytes } from "node:crypto";
import { StanzaError, StreamError } from "../xmpp/errors.ts";
import { prepareResource, type Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { errorReply, resultReply, toStanzaError } from "../xmpp/stanza.ts";
import { attr, child, childText, xml, type Element } from "../xmpp/xml.ts";
import { bindFeatures, sessionFeatures } from "./features.ts";
import type { NegotiatedStream, StreamFeature } from "./stream-feature.ts";

/** §7.6.1: the server's resource is not to be guessed by strangers. */
const resourceBytes = 9;

/** Binding on the stream of an account. */
export const binding = (stream: NegotiatedStream, account: Jid): StreamFeature => ({
  xmlns: NS.bind,

  advertise: () => {
    const { features } = stream.context;
    return [...bindFeatures(), ...sessionFeatures(), ...features.map((feature) => feature())];
  },

  async receive(stanza) {
    const request = requestOf(stanza, "bind", NS.bind);
    // §7.1: nothing else is for a stream without a resource.
    if (!request) throw new StreamError("not-authorized", "Bind a resource first");
    try {
      const jid = account.withResource(resourceOf(request));
      await stream.bind(jid, () => stream.transport.send(resultReply(stanza, bindResult(jid.full))));
    } catch (error) {
      if (error instanceof StreamError) throw error;
      stream.transport.send(errorReply(stanza, toStanzaError(error)));
    }
  },
});

/** The payload `name` of an iq set, where this is one. */
export function requestOf(stanza: Element, name: string, xmlns: string): Element | undefined {
  return stanza.name === "iq" && attr(stanza, "type") === "set" ? child(stanza, name, xmlns) : undefined;
}

/** The resource that a request asks for, or one of the server's (§7.6, §7.7); throws `bad-request` for a bad one. */
function resourceOf(bind: Element): string {
  const wish = childText(bind, "resource");
  if (!wish) return randomBytes(resourceBytes).toString("base64url");
  const resource = prepareResource(wish);
  // §7.7.2.1
  if (resource === undefined) throw new StanzaError("bad-request", { text: "This is no resource" });
  return resource;
}

/** What a client learns: its full JID (§7.6.1). */
const bindResult = (jid: string): Element => xml("bind", { xmlns: NS.bind }, xml("jid", {}, jid));
