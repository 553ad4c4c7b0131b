/** RFC 6120 §7: resource binding. */
import { randomBytes } from "node:crypto";
import { StanzaError } from "../xmpp/errors.ts";
import { prepareResource } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, childText, xml, type Element } from "../xmpp/xml.ts";

/** §7.6.1: the server's resource is not to be guessed by strangers. */
const resourceBytes = 9;

/** The payload `name` of an iq set, where this is one. */
export function requestOf(stanza: Element, name: string, xmlns: string): Element | undefined {
  return stanza.name === "iq" && attr(stanza, "type") === "set" ? child(stanza, name, xmlns) : undefined;
}

/** The resource that a request asks for, or one of the server's (§7.6, §7.7); throws `bad-request` for a bad one. */
export function resourceOf(bind: Element): string {
  const wish = childText(bind, "resource");
  if (!wish) return randomBytes(resourceBytes).toString("base64url");
  const resource = prepareResource(wish);
  // §7.7.2.1
  if (resource === undefined) throw new StanzaError("bad-request", { text: "This is no resource" });
  return resource;
}

/** What a client learns: its full JID (§7.6.1). */
export const bindResult = (jid: string): Element => xml("bind", { xmlns: NS.bind }, xml("jid", {}, jid));
