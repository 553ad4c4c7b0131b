/**
 * The element model: `@xmpp/xml`'s `Element` in one canonical form. Names carry no prefix, `attrs.xmlns` stands
 * exactly where the namespace differs from the parent's, and an element in the stream's own content namespace
 * (`jabber:client`, `jabber:server`) carries none, so a stanza crosses from one kind of stream to the other unchanged.
 * `parser.ts` produces this form; whoever builds elements with `xml()` keeps to it.
 */
import xml, { Element } from "@xmpp/xml";

export { xml, Element };

/** The namespace of an element; `undefined` is the content namespace of the stream. */
export function namespaceOf(element: Element): string | undefined {
  for (let at: Element | null = element; at; at = at.parent) {
    const xmlns: unknown = at.attrs["xmlns"];
    if (typeof xmlns === "string") return xmlns;
  }
  return undefined;
}

/** Whether `element` is `name` in `xmlns`; without `xmlns`, whether it is in its parent's namespace. */
function matches(element: Element, parent: Element, name: string, xmlns: string | undefined): boolean {
  if (element.name !== name) return false;
  const own: unknown = element.attrs["xmlns"];
  if (own === undefined) return xmlns === undefined || namespaceOf(parent) === xmlns;
  return own === xmlns || (xmlns === undefined && own === namespaceOf(parent));
}

/** The first child element `name`; without `xmlns`, one in the parent's own namespace. */
export function child(parent: Element, name: string, xmlns?: string): Element | undefined {
  for (const node of parent.children) {
    if (node instanceof Element && matches(node, parent, name, xmlns)) return node;
  }
  return undefined;
}

/** All child elements, or those called `name` (in `xmlns`, else in the parent's own namespace). */
export function children(parent: Element, name?: string, xmlns?: string): Element[] {
  const found: Element[] = [];
  for (const node of parent.children) {
    if (node instanceof Element && (name === undefined || matches(node, parent, name, xmlns)))
      found.push(node);
  }
  return found;
}

/** The text directly inside an element, without that of its children. */
export function text(element: Element): string {
  let joined = "";
  for (const node of element.children) if (typeof node === "string") joined += node;
  return joined;
}

/** The text of the first child `name`, or `undefined` when there is no such child. */
export function childText(parent: Element, name: string, xmlns?: string): string | undefined {
  const found = child(parent, name, xmlns);
  return found && text(found);
}

/** The value of an attribute, or `undefined`. */
export function attr(element: Element, name: string): string | undefined {
  const value: unknown = element.attrs[name];
  return typeof value === "string" ? value : undefined;
}

/** A copy that shares no node with the original; `attrs` replace those of the outer element where given. */
export function copy(element: Element, attrs?: Record<string, string | undefined>): Element {
  const twin = new Element(element.name, element.attrs as Record<string, string>);
  for (const [name, value] of Object.entries(attrs ?? {})) {
    if (value === undefined) delete twin.attrs[name];
    else twin.attrs[name] = value;
  }
  for (const node of element.children) twin.append(node instanceof Element ? copy(node) : node);
  return twin;
}

const specialInText = /[&<>\r]/;
const specialInAttribute = /[&<>"'\t\n\r]/;
const escapes: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
  // Every parser normalises white space in attributes, and ends of lines, unless written so (XML 1.0 §3.3.3, §2.11).
  "\t": "&#9;",
  "\n": "&#10;",
  "\r": "&#13;",
};
const escapeOne = (character: string): string => escapes[character] ?? character;

/** Text as XML character data. */
export function escapeText(value: string): string {
  return specialInText.test(value) ? value.replace(/[&<>\r]/g, escapeOne) : value;
}

/** Text as an attribute value, for either kind of quote. */
export function escapeAttribute(value: string): string {
  return specialInAttribute.test(value) ? value.replace(/[&<>"'\t\n\r]/g, escapeOne) : value;
}

/** The element as XML text. Depth is bounded by the parser's limit, so recursion is too. */
export function serialize(element: Element): string {
  let out = "<" + element.name;
  const attrs = element.attrs as Record<string, unknown>;
  for (const name in attrs) {
    const value = attrs[name];
    if (value !== undefined && value !== null)
      out += " " + name + '="' + escapeAttribute(String(value)) + '"';
  }
  if (element.children.length === 0) return out + "/>";
  out += ">";
  for (const node of element.children) {
    if (typeof node === "string") out += escapeText(node);
    else out += node instanceof Element ? serialize(node) : escapeText(String(node));
  }
  return out + "</" + element.name + ">";
}

// XML 1.0 §2.2: what no well-formed document may hold, lone surrogates included.
const illegal =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Text without the characters that XML 1.0 cannot carry. */
export function legalText(value: string): string {
  return value.replace(illegal, "");
}
