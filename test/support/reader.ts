/**
 * The tests' own reader of XML streams. It shares nothing with the server's parser, so that a mistake there cannot
 * hide itself; it yields elements in the canonical form of `src/xmpp/xml.ts`.
 */
import { SaxesParser, type SaxesTagNS } from "saxes";
import { Element } from "../../src/xmpp/xml.ts";

export interface ReaderHandlers {
  /** The root's start tag: its attributes as written, declarations included. */
  header(attrs: Record<string, string>): void;
  /** A whole child of the root. */
  element(element: Element): void;
  /** The root's end tag. */
  close(): void;
  /** What no XMPP server may send: bad XML, comments, processing instructions, DTDs (RFC 6120 §11.1). */
  fault(reason: string): void;
}

export class Reader {
  readonly #parser = new SaxesParser({ xmlns: true, position: false });
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });

  /** `content` is the namespace whose elements carry no `xmlns` at the top (`jabber:client`). */
  constructor(content: string, handlers: ReaderHandlers) {
    const open: { element: Element; uri: string }[] = [];
    let depth = 0;
    this.#parser.on("opentag", (tag) => {
      depth += 1;
      if (depth === 1) return handlers.header(attributes(tag, () => true));
      const attrs = attributes(tag, (name) => name !== "xmlns" && !name.startsWith("xmlns:"));
      if (tag.uri !== (open.at(-1)?.uri ?? content)) attrs["xmlns"] = tag.uri;
      open.push({ element: new Element(tag.local, attrs), uri: tag.uri });
    });
    this.#parser.on("closetag", () => {
      depth -= 1;
      if (depth === 0) return handlers.close();
      const { element } = open.pop()!;
      const parent = open.at(-1);
      if (parent) parent.element.append(element);
      else handlers.element(element);
    });
    const text = (value: string): void => {
      const at = open.at(-1);
      if (at) at.element.append(value);
      else if (value.trim() && depth > 0) handlers.fault(`text between stanzas: ${value}`);
    };
    this.#parser.on("text", text);
    this.#parser.on("cdata", text);
    this.#parser.on("comment", () => handlers.fault("a comment"));
    this.#parser.on("processinginstruction", () => handlers.fault("a processing instruction"));
    this.#parser.on("doctype", () => handlers.fault("a DTD"));
    this.#parser.on("error", (error) => handlers.fault(error.message));
  }

  push(chunk: Uint8Array): void {
    this.#parser.write(this.#decoder.decode(chunk, { stream: true }));
  }
}

function attributes(tag: SaxesTagNS, wanted: (name: string) => boolean): Record<string, string> {
  const entries = Object.values(tag.attributes).map(({ name, value }) => [name, value] as const);
  return Object.fromEntries(entries.filter(([name]) => wanted(name)));
}

/** The elements of a piece of XML, as they would be read from a stream with that content namespace. */
export function readXml(xml: string, content = "jabber:client"): Element[] {
  const found: Element[] = [];
  const reader = new Reader(content, {
    header() {},
    element: (element) => found.push(element),
    close() {},
    fault(reason) {
      throw new Error(`${reason}, in: ${xml}`);
    },
  });
  const root = `<stream:stream xmlns='${content}' xmlns:stream='http://etherx.jabber.org/streams'>`;
  reader.push(Buffer.from(`${root}${xml}</stream:stream>`));
  return found;
}

/** The one element of a piece of XML. */
export function readElement(xml: string, content?: string): Element {
  const [element, ...more] = readXml(xml, content);
  if (!element || more.length > 0) throw new Error(`not one element: ${xml}`);
  return element;
}
