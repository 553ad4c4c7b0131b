/** Namespaces in XML 1.0: which prefix stands for which namespace, from an element's point of view. */
import { NAME_RE } from "xmlchars/xml/1.0/ed4.js";
import { StreamError } from "./errors.ts";

/** A prefix in scope, linked to those that were declared outside of it. */
export interface Binding {
  readonly prefix: string;
  readonly uri: string;
  readonly outer: Binding | undefined;
  /** How many there are in the chain, this one included. */
  readonly count: number;
}

const xmlUri = "http://www.w3.org/XML/1998/namespace";
const xmlnsUri = "http://www.w3.org/2000/xmlns/";

/** A lookup walks the chain, so its length times the names in a stanza must stay small. XMPP needs two or three. */
const maxBindings = 32;

/** The chain with one declaration more (`xmlns:prefix="uri"`); StreamError where §2.2 and §3 forbid it. */
export function bind(outer: Binding | undefined, prefix: string, uri: string): Binding | undefined {
  if (prefix === "xml" && uri === xmlUri) return outer;
  if (uri === "") throw new StreamError("not-well-formed", `The prefix ${prefix} cannot be undeclared`);
  if (prefix === "xml" || prefix === "xmlns") {
    throw new StreamError("not-well-formed", `The prefix ${prefix} is reserved`);
  }
  const count = outer ? outer.count + 1 : 1;
  if (count > maxBindings) {
    throw new StreamError("policy-violation", `More than ${maxBindings} namespace prefixes`);
  }
  return { prefix, uri: checkUri(uri), outer, count };
}

/** A namespace that may be declared, by a prefix or as the default; StreamError for the two reserved ones (§3). */
export function checkUri(uri: string): string {
  // No URI holds any, and to expat, which most of our peers parse with, they are an error.
  if (/[ \t\r\n]/.test(uri)) throw new StreamError("not-well-formed", "White space in a namespace");
  if (uri === xmlUri || uri === xmlnsUri) {
    throw new StreamError("not-well-formed", `The namespace ${uri} is reserved`);
  }
  return uri;
}

/** The namespace of a prefix; StreamError where it is bound to none. */
export function resolve(bindings: Binding | undefined, prefix: string): string {
  for (let at = bindings; at; at = at.outer) if (at.prefix === prefix) return at.uri;
  if (prefix === "xml") return xmlUri;
  throw new StreamError("not-well-formed", `The prefix ${prefix} is unbound`);
}

/** The two parts of a name that XML allows; the prefix is "" where it has none (§4). */
export function splitName(name: string): [prefix: string, local: string] {
  const colon = name.indexOf(":");
  if (colon < 0) return ["", name];
  const prefix = name.slice(0, colon);
  const local = name.slice(colon + 1);
  // §4 [4]: either part is a name by itself.
  if (prefix === "" || local.includes(":") || !NAME_RE.test(local)) {
    throw new StreamError("not-well-formed", `The name ${name} is not a qualified name`);
  }
  return [prefix, local];
}

/**
 * A name that every peer can read: expat knows the characters of XML 1.0's fourth edition, saxes those of the fifth.
 * What passed here and not there would end the stream of whoever it is routed to. StreamError where it would.
 */
export function checkName(name: string): void {
  if (!NAME_RE.test(name))
    throw new StreamError("policy-violation", "A name with characters that few can read");
}
