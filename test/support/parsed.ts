/** What the parser makes of the bytes of a stream, each event as one line of text. */
import {
  limitsAfterAuthentication,
  StreamParser,
  type ParserEvent,
  type ParserLimits,
} from "../../src/xmpp/parser.ts";
import { serialize } from "../../src/xmpp/xml.ts";

export const header =
  "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='x' version='1.0'>";

export const summary = (event: ParserEvent): string => {
  if (event.kind === "element") return serialize(event.element);
  return event.kind === "error" ? event.error.condition : event.kind;
};

/** What a document gives, pushed whole or in pieces of so many bytes. */
export function eventsOf(
  document: string | Buffer,
  piece = Infinity,
  limits = limitsAfterAuthentication,
): string[] {
  const bytes = Buffer.from(document);
  const parser = new StreamParser(limits);
  const events: string[] = [];
  for (let at = 0; at < bytes.length; at += piece) {
    events.push(...parser.push(bytes.subarray(at, at + piece)).map(summary));
  }
  return events;
}

/** What comes behind a stream header. */
export const inside = (xml: string, limits?: ParserLimits): string[] =>
  eventsOf(header + xml, Infinity, limits).slice(1);

/** The same, in a stream that stays open. */
export function opened(limits: ParserLimits): StreamParser {
  const parser = new StreamParser(limits);
  parser.push(Buffer.from(header));
  return parser;
}
