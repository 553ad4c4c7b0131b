/**
 * A long XML document, piece by piece: what its containers hold comes as whole elements in canonical form (xml.ts), one
 * after the other, so that a document may be longer than the memory. As in streams (RFC 6120 §11.1), there are no document
 * types, and no entities but XML's own.
 */
import { SaxesParser, type SaxesAttributeNS, type SaxesTagNS } from "saxes";
import { Element } from "./xml.ts";

/** Of one element, its tags and text, in UTF-16 units: a photograph many times over. */
const maxLength = 16_777_216;
/** Of elements inside each other; what came over a stream is not deeper. */
const maxDepth = 200;

/** Where an element stands: the names of what it is in, `{namespace}name` each, from the root on. */
export type Path = readonly string[];

export type DocumentEvent =
  | { readonly kind: "enter"; readonly path: Path; readonly attrs: Readonly<Record<string, string>> }
  | { readonly kind: "leave"; readonly path: Path }
  /** `path` is that of what it is in. */
  | { readonly kind: "element"; readonly path: Path; readonly element: Element };

const namesOf = ({ uri, local }: { uri: string; local: string }): string => `{${uri}}${local}`;

export class DocumentReader {
  readonly #saxes = new SaxesParser({ xmlns: true, position: true });
  readonly #isContainer: (path: Path) => boolean;
  #path: string[];
  #events: DocumentEvent[] = [];
  /** The element that is being read, and how much of it was. */
  #open: Element | undefined;
  #depth = 0;
  #length = 0;
  /** How much was read since anything came to its end: the parser holds it. */
  #unfinished = 0;
  #xmlns: string[] = [];

  /** `outer` is what the document is in, where it is a part of another one. */
  constructor(isContainer: (path: Path) => boolean, outer: Path = []) {
    this.#isContainer = isContainer;
    this.#path = [...outer];
    const saxes = this.#saxes;
    saxes.on("error", (error) => {
      throw error;
    });
    saxes.on("doctype", () => {
      throw new Error(`${this.#place()} document type declarations are not read`);
    });
    saxes.on("opentag", (tag) => this.#opened(tag));
    saxes.on("closetag", () => this.#closed());
    saxes.on("text", (text) => this.#said(text));
    saxes.on("cdata", (text) => this.#said(text));
  }

  /** What this text completes, in order; throws where it is not well-formed, or too large. */
  push(text: string): DocumentEvent[] {
    this.#unfinished += text.length;
    this.#saxes.write(text);
    if (this.#unfinished > maxLength)
      throw new Error(`${this.#place()} more than ${maxLength} characters without an end`);
    return this.#taken();
  }

  /** The document is over; throws where it is not complete. */
  end(): DocumentEvent[] {
    this.#saxes.close();
    return this.#taken();
  }

  #taken(): DocumentEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  #place(): string {
    return `${this.#saxes.line}:${this.#saxes.column}:`;
  }

  #opened(tag: SaxesTagNS): void {
    this.#unfinished = 0;
    const { uri, local, attributes } = tag;
    if (!this.#open) {
      const path = [...this.#path, namesOf(tag)];
      if (this.#isContainer(path)) {
        this.#path = path;
        this.#events.push({ kind: "enter", path, attrs: plainAttributes(attributes) });
        return;
      }
      this.#length = this.#depth = 0;
    }
    const parentXmlns = this.#open && this.#xmlns.at(-1);
    const element = new Element(local, elementAttributes(attributes, uri === parentXmlns ? undefined : uri));
    this.#open?.append(element);
    this.#open = element;
    this.#xmlns.push(uri);
    this.#depth += 1;
    if (this.#depth > maxDepth)
      throw new Error(`${this.#place()} more than ${maxDepth} elements inside each other`);
    this.#grow(local.length + JSON.stringify(element.attrs).length);
  }

  #closed(): void {
    this.#unfinished = 0;
    const element = this.#open;
    if (!element) {
      this.#events.push({ kind: "leave", path: this.#path });
      this.#path = this.#path.slice(0, -1);
      return;
    }
    this.#xmlns.pop();
    this.#depth -= 1;
    this.#open = element.parent ?? undefined;
    if (!this.#open) this.#events.push({ kind: "element", path: this.#path, element });
  }

  /** Between elements there is nothing but white space; what else stands there says nothing. */
  #said(text: string): void {
    if (!this.#open) return;
    this.#grow(text.length);
    const { children } = this.#open;
    const last = children.at(-1);
    if (typeof last === "string") children[children.length - 1] = last + text;
    else children.push(text);
  }

  #grow(by: number): void {
    this.#length += by;
    if (this.#length > maxLength)
      throw new Error(`${this.#place()} an element of more than ${maxLength} characters`);
  }
}

type Attributes = Readonly<Record<string, SaxesAttributeNS>>;

/** Those without a namespace. */
function plainAttributes(attributes: Attributes): Record<string, string> {
  const plain = Object.values(attributes).filter(({ prefix, name }) => prefix === "" && name !== "xmlns");
  return Object.fromEntries(plain.map(({ name, value }) => [name, value]));
}

/** All of them, as they were written; those with a prefix have its declaration beside them, and `xmlns` is this one. */
function elementAttributes(attributes: Attributes, xmlns: string | undefined): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { prefix, name, uri, value } of Object.values(attributes)) {
    if (prefix === "xmlns" || name === "xmlns") {
      if (name === "xmlns" && xmlns !== undefined) found["xmlns"] = xmlns;
      continue;
    }
    found[name] = value;
    if (prefix !== "" && prefix !== "xml") found[`xmlns:${prefix}`] = uri;
  }
  if (xmlns !== undefined) found["xmlns"] = xmlns;
  return found;
}
