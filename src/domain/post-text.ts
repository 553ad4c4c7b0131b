/** What people write, cleaned at the door, and the headline that stands for it. */
import { StanzaError } from "../xmpp/errors.ts";
import { legalText } from "../xmpp/xml.ts";

/** Characters of a post, as in Movim; a longer text is an essay that belongs behind a link. */
export const textMaximum = 16_384;
/** Graphemes of a text that stands alone as a title; Movim shows up to 700 characters in this way. */
export const statusMaximum = 280;
/** Graphemes of a headline: one line in a list of feeds. */
export const headlineMaximum = 80;
/** Units of a sentence that can stand alone. */
const sentenceMinimum = 16;
/** UTF-16 units that a grapheme may take on average before a text is cut by them instead (stacked marks have no end). */
const unitsPerGrapheme = 8;

/** Embeddings and overrides (UAX #9 §2.1, §2.2): they reach beyond the text that holds them. Isolates and marks stay. */
export const bidiControls = /[\u202a-\u202e]/g;
/** Marks on one letter beyond those of stream-safe text (UAX #15 §13): to order them takes the square of their number. */
const stackedMarks = /(\p{M}{30})\p{M}+/gu;
const visible = /[^\s\p{Cc}\p{Cf}]/u;
const graphemes = new Intl.Segmenter("und", { granularity: "grapheme" });
const sentences = new Intl.Segmenter("und", { granularity: "sentence" });

/** In NFC, with no more marks on a letter than can be read. */
export const composed = (value: string): string => value.replace(stackedMarks, "$1").normalize("NFC");

/** The text as it may be stored and shown: legal in XML, NFC, plain line ends, no direction overrides, trimmed. */
export function cleanText(value: string): string {
  return composed(legalText(value).replace(/\r\n?/g, "\n").replace(bidiControls, "")).trim();
}

/** The cleaned text of a post; `not-acceptable` where nothing can be seen in it or it is too long. */
export function acceptText(value: string): string {
  const text = cleanText(value);
  if (!visible.test(text)) throw new StanzaError("not-acceptable", { text: "A post needs some text" });
  if (text.length > textMaximum && [...text].length > textMaximum) {
    const limit = textMaximum.toLocaleString("en");
    throw new StanzaError("not-acceptable", { text: `A post has at most ${limit} characters` });
  }
  return text;
}

/** Whether anything in it can be seen. */
export const isVisible = (value: string): boolean => visible.test(value);

/** On one line. */
export const oneLine = (value: string): string => value.replace(/\s+/g, " ").trim();

/** Whether the text is at most `count` graphemes long. */
export const fits = (value: string, count: number): boolean => cutAt(value, count) === value.length;

/** The first line of a plain text, or its first sentence, or its first words: at most `headlineMaximum` graphemes. */
export function headline(plain: string): string {
  const line = oneLine(plain.trimStart().split("\n", 1)[0] ?? "");
  if (fits(line, headlineMaximum)) return line;
  const start = line.slice(0, cutAt(line, headlineMaximum - 1));
  let sentence = "";
  for (const { segment } of sentences.segment(start)) {
    if (sentence.length + segment.length === start.length) break;
    sentence += segment;
    // "Dr." is no headline.
    if (sentence.length >= sentenceMinimum) return sentence.trim();
  }
  // A language without spaces, or one endless word, is cut where it is.
  const words = start.slice(0, Math.max(0, start.lastIndexOf(" ")));
  return `${words.length > start.length / 2 ? words : start}…`;
}

/** The index behind the first `count` graphemes, or before those that are too long to be any. */
function cutAt(value: string, count: number): number {
  const bound = count * unitsPerGrapheme;
  let left = count;
  for (const { index, segment } of graphemes.segment(value)) {
    if (left === 0 || index + segment.length > bound) return index;
    left -= 1;
  }
  return value.length;
}
