/**
 * RFC 6120 §4, §11: the bytes of a stream to its header, its top-level elements and its end. The one gate that hostile
 * bytes meet first, so it is strict, bounded at every moment, and answers whatever comes with an event, never a throw.
 */
import { isAscii, isUtf8 } from "node:buffer";
import { Assembler, skipWhite, trimWhite, type Scope } from "./assembler.ts";
import { StreamError } from "./errors.ts";
import type { Element } from "./xml.ts";

export interface ParserLimits {
  /** Of a whole stanza, and of the stream header, as sent. */
  stanzaBytes: number;
  /** Of elements inside each other; a stanza without children is 1 deep. */
  depth: number;
  /** Of one element, namespace declarations included. */
  attributes: number;
  /** In UTF-16 units, as the next two. */
  nameLength: number;
  attributeLength: number;
  /** Of one run of text. */
  textLength: number;
}

/** Strangers may authenticate, no more: RFC 6120 §13.12's least stanza size, and one full JID in an attribute. */
export const limitsBeforeAuthentication: ParserLimits = {
  stanzaBytes: 10_000,
  depth: 12,
  attributes: 20,
  nameLength: 100,
  attributeLength: 3_100,
  textLength: 10_000,
};

/** 256 KiB is what Prosody and ejabberd accept from clients; a vCard with its photograph is one run of text. */
export const limitsAfterAuthentication: ParserLimits = {
  stanzaBytes: 262_144,
  depth: 100,
  attributes: 100,
  nameLength: 1_000,
  attributeLength: 65_536,
  textLength: 262_144,
};

/** Of stored elements: they met the limits of bytes when they came in. */
const limitsOfStoredElements: ParserLimits = {
  ...limitsAfterAuthentication,
  stanzaBytes: Infinity,
  attributeLength: Infinity,
  textLength: Infinity,
};

export interface StreamHeader {
  /** As written, without the namespace declarations: `to`, `from`, `version`, `xml:lang`. */
  attrs: Record<string, string>;
  /** The root's local name. */
  name: string;
  prefix: string;
  /** The namespace of the root, "" if none. */
  xmlns: string;
  /** The default namespace that the header declares. */
  contentXmlns: string | undefined;
}

export type ParserEvent =
  | { kind: "open"; header: StreamHeader }
  | { kind: "element"; element: Element; bytes: number }
  | { kind: "close" }
  | { kind: "error"; error: StreamError };

/** Read at once: a string cut out of a text keeps the whole of it in memory, for as long as the element is kept. */
const pieceBytes = 4_096;

/** Assemblers at rest; only streams that are in the middle of a stanza need one of their own. */
const spare: Assembler[] = [];
const maxSpare = 16;
const usualRoot = "stream:stream";

function takeAssembler(scope: Scope): Assembler {
  const assembler = (scope.root === usualRoot && spare.pop()) || new Assembler(scope.root);
  assembler.enter(scope);
  return assembler;
}

function giveBack(assembler: Assembler, scope: Scope): void {
  if (scope.root === usualRoot && spare.length < maxSpare) spare.push(assembler);
}

/** What the headers of streams declare is nearly always the same, so that nearly all streams share it. */
const scopes = new Map<string, Scope>();
const maxScopes = 16;

function sharedScope(scope: Scope): Scope {
  const key = JSON.stringify(scope);
  const known = scopes.get(key);
  if (known) return known;
  if (scopes.size >= maxScopes) scopes.clear();
  scopes.set(key, scope);
  return scope;
}

export class StreamParser {
  /** May be changed at any time; holds from the next push on. */
  limits: ParserLimits;
  #scope: Scope | undefined;
  #assembler: Assembler | undefined;
  /** The first bytes of a character whose others are still to come. */
  #partial: Buffer | undefined;
  #ended = false;

  constructor(limits: ParserLimits) {
    this.limits = limits;
  }

  /** What these bytes complete, in order. Never throws; after an error or a close there is nothing more. */
  push(chunk: Uint8Array): ParserEvent[] {
    const events: ParserEvent[] = [];
    if (this.#ended) return events;
    try {
      const bytes = Buffer.isBuffer(chunk)
        ? chunk
        : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      if (bytes.length <= pieceBytes) this.#read(bytes, events);
      else {
        for (let at = 0; at < bytes.length; at += pieceBytes) {
          this.#read(bytes.subarray(at, at + pieceBytes), events);
        }
      }
    } catch (thrown) {
      const error = thrown instanceof StreamError ? thrown : new StreamError("internal-server-error");
      this.#end();
      if (events.at(-1)?.kind !== "close") events.push({ kind: "error", error });
      return events;
    }
    if (events.at(-1)?.kind === "close") this.#end();
    return events;
  }

  #end(): void {
    this.#ended = true;
    this.#assembler = this.#scope = this.#partial = undefined;
  }

  /** RFC 6120 §11.6: UTF-8 and nothing else. */
  #read(piece: Buffer, events: ParserEvent[]): void {
    if (!this.#partial && isAscii(piece)) return this.#feed(piece.toString("latin1"), true, events);
    const bytes = this.#partial ? Buffer.concat([this.#partial, piece]) : piece;
    const whole = bytes.length - incompleteBytes(bytes);
    const head = bytes.subarray(0, whole);
    if (isUtf8(head)) {
      this.#partial = whole < bytes.length ? Buffer.from(bytes.subarray(whole)) : undefined;
      return this.#feed(head.toString("utf8"), false, events);
    }
    if (piece.length < 2) throw new StreamError("unsupported-encoding", "These bytes are not UTF-8");
    // What stands before the wrong byte counts as if it had come alone.
    const middle = piece.length >> 1;
    this.#read(piece.subarray(0, middle), events);
    this.#read(piece.subarray(middle), events);
  }

  #feed(text: string, ascii: boolean, events: ParserEvent[]): void {
    let from = 0;
    if (this.#scope && !this.#assembler) {
      // RFC 6120 §4.6.1: white space between stanzas keeps the connection alive, and costs nothing here.
      from = skipWhite(text, 0);
      if (from === text.length) return;
      this.#assembler = takeAssembler(this.#scope);
    }
    const assembler = (this.#assembler ??= new Assembler());
    const end = Math.max(trimWhite(text), from);
    assembler.write(text.slice(from, end), ascii, this.limits, events);
    if (assembler.idle) {
      this.#scope ??= sharedScope(assembler.scope!);
      this.#assembler = undefined;
      giveBack(assembler, this.#scope);
    } else if (end < text.length) {
      assembler.write(text.slice(end), ascii, this.limits, events);
    }
  }
}

/** How many bytes at the end begin a character that is not complete (RFC 3629 §3). */
function incompleteBytes(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
  }
  return 0;
}

const storedScope: Scope = { root: usualRoot, xmlns: "", bindings: undefined };

/** One whole element in canonical form, its `xmlns` as written. StreamError for anything else. */
export function parseElement(xml: string, limits: ParserLimits = limitsOfStoredElements): Element {
  const assembler = takeAssembler(storedScope);
  const events: ParserEvent[] = [];
  assembler.write(xml.slice(0, trimWhite(xml)), false, limits, events);
  const [event, another] = events;
  if (!assembler.idle || event?.kind !== "element" || another) {
    throw new StreamError("not-well-formed", "One whole element is needed");
  }
  giveBack(assembler, storedScope);
  return event.element;
}
