/**
 * Matching by shape. What a shape lists must be there: names and namespaces equal, its attributes equal, its children
 * found in any order, its text equal. What it does not list may be anything, with one exception: a stanza's `type`
 * tells what it is, so presence has exactly the listed type, and an error matches only where `type='error'` is listed.
 *
 * `{any}` as a value stands for any text that is not empty; `{none}` as an attribute says that it is absent.
 */
import type { Element } from "../../src/xmpp/xml.ts";
import { attr, children, escapeAttribute, escapeText, namespaceOf, text } from "../../src/xmpp/xml.ts";

/** Why the element has not that shape, or `undefined` where it has. */
export function mismatch(shape: Element, actual: Element): string | undefined {
  if (shape.name !== actual.name || namespaceOf(shape) !== namespaceOf(actual))
    return `is ${nameOf(actual)}, not ${nameOf(shape)}`;
  for (const name of Object.keys(shape.attrs as object)) {
    if (name === "xmlns") continue;
    const why = mismatchOfValue(attr(shape, name)!, attr(actual, name));
    if (why) return `${nameOf(actual)}/@${name} ${why}`;
  }
  const type = mismatchOfType(shape, actual);
  if (type) return type;
  const wanted = text(shape).trim();
  const why = wanted ? mismatchOfValue(wanted, text(actual).trim() || undefined) : undefined;
  if (why) return `the text of ${nameOf(actual)} ${why}`;
  return mismatchOfChildren(children(shape), children(actual), actual);
}

function mismatchOfValue(wanted: string, value: string | undefined): string | undefined {
  if (wanted === "{none}") return value === undefined ? undefined : `is "${value}", and should be absent`;
  if (wanted === "{any}") return value ? undefined : "is absent";
  return value === wanted
    ? undefined
    : `is ${value === undefined ? "absent" : `"${value}"`}, not "${wanted}"`;
}

function mismatchOfType(shape: Element, actual: Element): string | undefined {
  if (namespaceOf(actual) !== undefined || attr(shape, "type") !== undefined) return undefined;
  const type = attr(actual, "type");
  if (type === undefined || (actual.name !== "presence" && type !== "error")) return undefined;
  return `${actual.name}/@type is "${type}", and is not listed`;
}

/** Each listed child is a different one of those that are there. */
function mismatchOfChildren(shapes: Element[], actual: Element[], parent: Element): string | undefined {
  const [first, ...rest] = shapes;
  if (!first) return undefined;
  let nearest = `${nameOf(parent)} has no child ${nameOf(first)}`;
  for (const candidate of actual) {
    const why = mismatch(first, candidate);
    if (!why) {
      const others = mismatchOfChildren(
        rest,
        actual.filter((one) => one !== candidate),
        parent,
      );
      if (!others) return undefined;
      nearest = others;
    } else if (candidate.name === first.name) nearest = why;
  }
  return nearest;
}

const nameOf = (element: Element): string => {
  const xmlns = namespaceOf(element);
  return xmlns === undefined ? `<${element.name}>` : `<${element.name} xmlns="${xmlns}">`;
};

/** The element for people to read: one line each, children indented. */
export function pretty(element: Element, indent = ""): string {
  const attrs = Object.entries(element.attrs as Record<string, string>)
    .map(([name, value]) => ` ${name}="${escapeAttribute(value)}"`)
    .join("");
  const inside = children(element);
  const words = text(element).trim();
  if (inside.length === 0) {
    return `${indent}<${element.name}${attrs}${words ? `>${escapeText(words)}</${element.name}` : "/"}>`;
  }
  const lines = inside.map((one) => pretty(one, `${indent}  `));
  if (words) lines.unshift(`${indent}  ${escapeText(words)}`);
  return [`${indent}<${element.name}${attrs}>`, ...lines, `${indent}</${element.name}>`].join("\n");
}
