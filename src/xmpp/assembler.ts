/**
 * The events of saxes made into canonical elements (see xml.ts), within the limits of one stanza.
 * Saxes runs without its own namespace mode: ours needs no dictionary per element, and nothing of one stream stays in
 * the tokenizer, so that a few assemblers can serve thousands of mostly idle streams in turn.
 */
import { SaxesParser, type SaxesAttributePlain, type SaxesTagPlain, type XMLDecl } from "saxes";
import { StreamError } from "./errors.ts";
import { bind, checkName, checkUri, resolve, splitName, type Binding } from "./namespaces.ts";
import type { ParserEvent, ParserLimits } from "./parser.ts";
import { Element } from "./xml.ts";

/** What a stream header declares for all that follows. */
export interface Scope {
  /** The root's name as it was written; its closing tag repeats it. */
  readonly root: string;
  /** The default namespace, "" where there is none. */
  readonly xmlns: string;
  readonly bindings: Binding | undefined;
}

const notInReference = /[^#\w.:\u0080-\u{10ffff}-]/u;
const isWhite = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
const lessThan = 0x3c;
const byteOrderMark = 0xfeff;

const beforeHeader = -1;
const afterClose = -2;

/** Where in `text` the white space from `from` on ends. */
export function skipWhite(text: string, from: number): number {
  while (from < text.length && isWhite(text.charCodeAt(from))) from++;
  return from;
}

/** Where in `text` the white space at its end begins. */
export function trimWhite(text: string): number {
  let end = text.length;
  while (end > 0 && isWhite(text.charCodeAt(end - 1))) end--;
  return end;
}

const saxesOptions = { xmlns: false, position: false } as const;

/**
 * What needs no state sits on the prototype: V8 turns a saxes parser that is given more than seven handlers of its own
 * into a dictionary, and then it takes five times as long.
 */
class Tokenizer extends SaxesParser<typeof saxesOptions> {
  constructor() {
    super(saxesOptions);
  }
}
Tokenizer.prototype.on("xmldecl", checkDeclaration);
Tokenizer.prototype.on("comment", () => restricted("Comments"));
Tokenizer.prototype.on("processinginstruction", () => restricted("Processing instructions"));
Tokenizer.prototype.on("doctype", () => restricted("Document type declarations"));

export class Assembler {
  /** Set by the stream header. */
  scope: Scope | undefined;
  readonly #saxes = new Tokenizer();
  #limits!: ParserLimits;
  #events!: ParserEvent[];
  /** Open elements below the root; 0 between stanzas. */
  #depth = beforeHeader;
  // By depth: the open elements, their namespaces, and what is declared inside them. The stream itself is 0.
  readonly #open: Element[] = [];
  readonly #namespaces: string[] = [""];
  readonly #defaults: string[] = [""];
  readonly #bindings: (Binding | undefined)[] = [undefined];
  // The start tag being read: plain attributes, how many in all, and the few that have to do with namespaces.
  #attrs: Record<string, string> = {};
  #attributes = 0;
  #qualified: SaxesAttributePlain[] | undefined;
  // The text being read: how much came before it, where the current stanza begins in it, and its bytes so far.
  #text = "";
  #ascii = true;
  /** Whether all of the current stanza has been ASCII so far, as names nearly always are. */
  #plain = true;
  #fed = 0;
  #start = 0;
  #carried = 0;
  /** Where saxes stood at the last event. It finds a wrong closing tag only after it has told us of it. */
  #eventAt = -1;

  /** For a stream from its beginning, or, given the root's name, for the inside of one; then `enter` comes next. */
  constructor(root?: string) {
    const saxes = this.#saxes;
    if (root !== undefined) {
      saxes.write(`<${root}>`);
      this.#fed = root.length + 2;
    }
    saxes.on("attribute", (attribute) => this.#onAttribute(attribute));
    saxes.on("opentag", (tag) => this.#onOpenTag(tag));
    saxes.on("text", (text) => this.#onText(text));
    saxes.on("cdata", (text) => this.#onCdata(text));
    saxes.on("closetag", () => this.#onCloseTag());
  }

  /** Goes on between two stanzas of a stream with such a header. */
  enter(scope: Scope): void {
    this.scope = scope;
    this.#depth = 0;
    this.#namespaces[0] = this.#defaults[0] = scope.xmlns;
    this.#bindings[0] = scope.bindings;
  }

  /** Whether nothing of a stanza has been read yet. */
  get idle(): boolean {
    return this.#depth === 0 && this.#carried === 0;
  }

  /** Reads on, and adds what was completed to `events`. StreamError ends the life of the assembler. */
  write(text: string, ascii: boolean, limits: ParserLimits, events: ParserEvent[]): void {
    if (this.#fed === 0 && text.charCodeAt(0) === byteOrderMark) {
      throw new StreamError("not-well-formed", "A byte order mark is text here (RFC 6120 §11.6)");
    }
    this.#limits = limits;
    this.#events = events;
    this.#text = text;
    this.#ascii = ascii;
    this.#plain = ascii && (this.#plain || this.idle);
    this.#start = this.idle ? skipWhite(text, 0) : 0;
    try {
      this.#saxes.write(text);
    } catch (thrown) {
      if (this.#saxes.position === this.#eventAt) events.pop();
      else if (this.#strayText()) throw strayText();
      throw toStreamError(thrown);
    }
    if (this.#strayText()) throw strayText();
    this.#checkReference(this.#saxes["entity"], limits.nameLength);
    this.#carried += this.#bytes(text.length);
    this.#checkBytes(this.#carried);
    this.#fed += text.length;
    this.#text = "";
  }

  /** Saxes looks for the end of a reference without regard to what comes before it: "a & b" would take in stanzas. */
  #checkReference(begun: string, maximum: number): void {
    if (begun === "") return;
    // Before the look at all of it, which byte after byte would take the square of its length.
    if (begun.length > maximum) exceeded("characters in a name", maximum);
    if (notInReference.test(begun)) {
      throw new StreamError("not-well-formed", "An ampersand that begins no reference");
    }
  }

  #strayText(): boolean {
    return this.idle && this.#start < this.#text.length && this.#text.charCodeAt(this.#start) !== lessThan;
  }

  /** The bytes of the current stanza in this text, up to index `end`. */
  #bytes(end: number): number {
    if (this.#ascii) return end > this.#start ? end - this.#start : 0;
    return Buffer.byteLength(this.#text.slice(this.#start, end));
  }

  #checkBytes(bytes: number): void {
    if (bytes > this.#limits.stanzaBytes) exceeded("bytes in a stanza", this.#limits.stanzaBytes);
  }

  /** Ends the current stanza (or header) here, within its limit. Returns its size in bytes. */
  #endStanza(): number {
    const at = this.#saxes.position;
    const end = at - this.#fed;
    const bytes = this.#carried + this.#bytes(end);
    this.#checkBytes(bytes);
    this.#carried = 0;
    this.#start = skipWhite(this.#text, end);
    this.#eventAt = at;
    return bytes;
  }

  #onAttribute(attribute: SaxesAttributePlain): void {
    const { name, value } = attribute;
    const limits = this.#limits;
    if (++this.#attributes > limits.attributes) exceeded("attributes of an element", limits.attributes);
    if (name.length > limits.nameLength) exceeded("characters in a name", limits.nameLength);
    if (!this.#plain) checkName(name);
    if (value.length > limits.attributeLength) exceeded("characters in an attribute", limits.attributeLength);
    if (name !== "xml:lang" && (name === "xmlns" || name.includes(":")))
      (this.#qualified ??= []).push(attribute);
    else this.#attrs[name] = value;
  }

  #onOpenTag({ name }: SaxesTagPlain): void {
    const outer = this.#depth;
    const depth = outer + 1;
    if (outer === afterClose) throw new StreamError("not-well-formed", "The stream has been closed");
    if (depth > this.#limits.depth) exceeded("elements inside each other", this.#limits.depth);
    if (name.length > this.#limits.nameLength) exceeded("characters in a name", this.#limits.nameLength);
    if (!this.#plain) checkName(name);
    const attrs = this.#attrs;
    let xmlns = this.#defaults[outer] ?? "";
    let bindings = this.#bindings[outer];
    if (this.#qualified) {
      for (const { name, value } of this.#qualified) {
        if (name === "xmlns") xmlns = checkUri(value);
        else if (name.startsWith("xmlns:")) bindings = bind(bindings, splitName(name)[1], value);
      }
      qualify(attrs, this.#qualified, bindings);
      this.#qualified = undefined;
    }
    this.#attrs = {};
    this.#attributes = 0;
    this.#defaults[depth] = xmlns;
    this.#bindings[depth] = bindings;
    if (outer === beforeHeader) return this.#openStream(name, attrs, xmlns, bindings);
    let local = name;
    if (name.includes(":")) {
      const [prefix, rest] = splitName(name);
      xmlns = resolve(bindings, prefix);
      local = rest;
    }
    if (xmlns !== this.#namespaces[outer]) attrs["xmlns"] = xmlns;
    const element = new Element(local);
    element.attrs = attrs;
    if (outer > 0) {
      const parent = this.#open[outer]!;
      element.parent = parent;
      parent.children.push(element);
    }
    this.#namespaces[depth] = xmlns;
    this.#open[depth] = element;
    this.#depth = depth;
  }

  #openStream(
    root: string,
    attrs: Record<string, string>,
    contentXmlns: string,
    bindings: Binding | undefined,
  ): void {
    const [prefix, name] = splitName(root);
    const xmlns = prefix ? resolve(bindings, prefix) : contentXmlns;
    this.#endStanza();
    this.enter({ root, xmlns: contentXmlns, bindings });
    const header = { attrs, name, prefix, xmlns, contentXmlns: contentXmlns || undefined };
    this.#events.push({ kind: "open", header });
  }

  #onText(text: string): void {
    if (this.#depth > 0) return this.#append(text);
    if (this.#strayText()) throw strayText();
  }

  #onCdata(text: string): void {
    if (this.#depth === 0) throw strayText();
    this.#append(text);
  }

  #append(text: string): void {
    const { children } = this.#open[this.#depth]!;
    const last = children.length - 1;
    const before = children[last];
    const whole = typeof before === "string" ? before + text : text;
    if (whole.length > this.#limits.textLength) exceeded("characters of text", this.#limits.textLength);
    if (typeof before === "string") children[last] = whole;
    else if (whole !== "") children.push(whole);
  }

  #onCloseTag(): void {
    const depth = this.#depth--;
    if (depth > 1) return;
    if (depth === 0) {
      this.#endStanza();
      this.#depth = afterClose;
      this.#events.push({ kind: "close" });
      return;
    }
    const bytes = this.#endStanza();
    this.#events.push({ kind: "element", element: this.#open[1]!, bytes });
  }
}

/** Keeps the attributes that have a prefix, each with its declaration beside it. */
function qualify(
  attrs: Record<string, string>,
  qualified: SaxesAttributePlain[],
  bindings: Binding | undefined,
): void {
  let seen: Set<string> | undefined;
  for (const { name, value } of qualified) {
    if (name === "xmlns" || name.startsWith("xmlns:")) continue;
    const [prefix, local] = splitName(name);
    const uri = resolve(bindings, prefix);
    const expanded = `{${uri}}${local}`;
    if (seen?.has(expanded)) throw new StreamError("not-well-formed", `The attribute ${name} is there twice`);
    (seen ??= new Set()).add(expanded);
    attrs[name] = value;
    if (prefix !== "xml") attrs[`xmlns:${prefix}`] = uri;
  }
}

function checkDeclaration({ version, encoding }: XMLDecl): void {
  if (version !== "1.0") throw new StreamError("not-well-formed", "Only XML 1.0 is spoken here");
  if (encoding !== undefined && encoding.toLowerCase() !== "utf-8") {
    throw new StreamError("unsupported-encoding", "Only UTF-8 is spoken here");
  }
}

function restricted(what: string): never {
  throw new StreamError("restricted-xml", `${what} are not allowed (RFC 6120 §11.1)`);
}

function exceeded(what: string, limit: number): never {
  throw new StreamError("policy-violation", `More than ${limit} ${what}`);
}

function strayText(): StreamError {
  return new StreamError("bad-format", "Text between stanzas");
}

/** What saxes throws. Two of its messages are about what is well-formed, but not allowed. */
function toStreamError(thrown: unknown): StreamError {
  if (thrown instanceof StreamError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const isRestricted =
    message === "undefined entity." || message === "inappropriately located doctype declaration.";
  // Some repeat a name, which may be long.
  return new StreamError(isRestricted ? "restricted-xml" : "not-well-formed", message.slice(0, 100));
}
