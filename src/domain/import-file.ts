/** XEP-0227 §4 and §5: a file of exported accounts, and the files that it includes, as one document. */
import { createReadStream } from "node:fs";
import { basename, dirname, isAbsolute, relative, resolve, sep } from "node:path";
import { DocumentReader, type DocumentEvent, type Path } from "../xmpp/document-reader.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, namespaceOf, type Element } from "../xmpp/xml.ts";

/** Files inside each other: host, user, and a part of it (§5.1). */
const maxFiles = 4;

const pie = (name: string): string => `{${NS.portable}}${name}`;
const outermost = [pie("server-data"), pie("host"), pie("user")];
/** What is in `<user/>` and may be longer than the memory. */
const long = [
  pie("offline-messages"),
  `{${NS.portableArchive}}archive`,
  `{${NS.pubsubOwner}}pubsub`,
  `{${NS.pubsub}}pubsub`,
];
const items = `{${NS.pubsub}}items`;

/** How deep the elements of an account stand. */
export const userDepth = outermost.length;

function isContainer(path: Path): boolean {
  const name = path.at(-1)!;
  const depth = path.length;
  if (depth <= userDepth) return name === outermost[depth - 1];
  if (depth === userDepth + 1) return long.includes(name);
  return depth === userDepth + 2 && name === items && path.at(-2) === `{${NS.pubsub}}pubsub`;
}

/** What stands in a file, in order. StanzaError where it cannot be read, or is no such document. */
export async function* readPortable(file: string): AsyncGenerator<DocumentEvent> {
  yield* readPart(file, dirname(resolve(file)), [], 0);
}

async function* readPart(
  file: string,
  folder: string,
  outer: Path,
  depth: number,
): AsyncGenerator<DocumentEvent> {
  const reader = new DocumentReader(isContainer, outer);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const refuse = (error: unknown): never => {
    if (error instanceof StanzaError) throw error;
    throw new StanzaError("not-acceptable", { text: `${basename(file)}: ${(error as Error).message}` });
  };
  let isFirst = depth === 0;
  const events = function* (found: DocumentEvent[]): Generator<DocumentEvent> {
    for (const event of found) {
      if (isFirst && event.kind !== "enter")
        refuse(new Error("this is no file of exported accounts (XEP-0227)"));
      isFirst = false;
      yield event;
    }
  };
  try {
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      for (const event of events(reader.push(decoder.decode(chunk, { stream: true })))) {
        yield* isInclude(event) ? included(event, file, folder, depth) : [event];
      }
    }
    yield* events(reader.end());
  } catch (error) {
    refuse(error);
  }
}

type ElementEvent = Extract<DocumentEvent, { kind: "element" }>;

/** §5: those of hosts, of accounts, and of the parts of an account; what is deeper is what people wrote. */
const isInclude = (event: DocumentEvent): event is ElementEvent =>
  event.kind === "element" &&
  event.path.length <= userDepth &&
  event.element.name === "include" &&
  namespaceOf(event.element) === NS.xinclude;

function included({ element, path }: ElementEvent, file: string, folder: string, depth: number) {
  const refuse = (why: string): never => {
    throw new StanzaError("not-acceptable", { text: `${basename(file)}: an include ${why}` });
  };
  if (depth === maxFiles) refuse("is too deep inside others");
  return readPart(target(element, dirname(file), folder, refuse), folder, path, depth + 1);
}

/** A relative reference (§5) to a file that lies where the first one does, or below. */
function target(element: Element, from: string, folder: string, refuse: (why: string) => never): string {
  const href = attr(element, "href");
  if (href === undefined || attr(element, "parse") !== undefined || attr(element, "xpointer") !== undefined)
    return refuse("of another kind than XEP-0227 asks for is not read");
  if (/^[a-z][a-z0-9+.-]*:|^\/|[?#]/i.test(href)) return refuse(`of ${href} is not of a relative path`);
  const path = resolve(from, decodeURIComponent(href));
  const inside = relative(folder, path);
  if (isAbsolute(inside) || inside.split(sep)[0] === "..")
    return refuse(`of ${href} leaves the folder of the file`);
  return path;
}
