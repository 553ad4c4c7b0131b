/** What people write: cleaned, bounded, and cut to a headline by what people see as one character. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  acceptText,
  cleanText,
  fits,
  headline,
  headlineMaximum,
  textMaximum,
} from "../../src/domain/post-text.ts";
import { StanzaError } from "../../src/xmpp/errors.ts";

const refused = (pattern: RegExp) => (error: unknown) =>
  error instanceof StanzaError && error.condition === "not-acceptable" && pattern.test(error.text ?? "");

describe("cleanText", () => {
  const cases: [name: string, before: string, after: string][] = [
    ["takes out what XML cannot carry", "a\u0000b\u0008c\ufffe\ud800d", "abcd"],
    ["keeps tabs and line ends", "a\tb\nc", "a\tb\nc"],
    ["knows the line ends of all systems", "a\r\nb\rc", "a\nb\nc"],
    ["takes out embeddings and overrides", "a\u202egnp.exe\u202c b\u202d", "agnp.exe b"],
    [
      "leaves isolates and marks to right-to-left text",
      "\u2067שלום\u2069 \u200f!",
      "\u2067שלום\u2069 \u200f!",
    ],
    ["composes", "e\u0301", "é"],
    [
      "leaves a letter thirty marks",
      `e${"\u0323\u0301".repeat(50)}!`,
      `ẹ${"\u0323".repeat(14)}${"\u0301".repeat(15)}!`,
    ],
    ["trims", "  a \n", "a"],
    ["leaves emoji whole", "👩‍👩‍👧‍👦🏳️‍🌈", "👩‍👩‍👧‍👦🏳️‍🌈"],
  ];
  for (const [name, before, after] of cases) test(name, () => assert.equal(cleanText(before), after));
});

describe("acceptText", () => {
  test("refuses what shows nothing", () => {
    for (const nothing of ["", " \n\t ", "\u200b\u200e", "\u0000\u202e", "\ufeff"]) {
      assert.throws(() => acceptText(nothing), refused(/needs some text/));
    }
  });

  test("takes as many characters as Movim does, and not one more", () => {
    assert.equal(textMaximum, 16_384);
    assert.equal(acceptText("x".repeat(16_384)).length, 16_384);
    assert.throws(() => acceptText("x".repeat(16_385)), refused(/16,384/));
  });

  test("counts characters, not the units they are stored in", () => {
    assert.equal(acceptText("🫖".repeat(16_384)).length, 32_768);
    assert.throws(() => acceptText("🫖".repeat(16_385)), refused(/16,384/));
  });
});

describe("headline", () => {
  const seen = (text: string): number => [...new Intl.Segmenter("en").segment(text)].length;

  test("is the first line where that is short", () => {
    assert.equal(headline("Tea and XML\nand more"), "Tea and XML");
    assert.equal(headline("\n\n  Tea   and\tXML \n"), "Tea and XML");
  });

  test("is the first sentence of a long line, though not a mere abbreviation", () => {
    const first = "Dr. Smith went to the market and bought seven red apples.";
    assert.equal(headline(`${first} Then he went home and ate all of them, one by one.`), first);
  });

  test("is cut between words", () => {
    const cut = headline("word ".repeat(100));
    assert.match(cut, /^(?:word )*word…$/);
    assert(seen(cut) <= headlineMaximum);
  });

  test("is cut between graphemes where there are no words", () => {
    for (const one of ["字", "👩‍👩‍👧‍👦", "🇪🇺", "x"]) {
      const cut = headline(one.repeat(300));
      assert(cut.endsWith(`${one}…`), cut);
      assert(seen(cut) <= headlineMaximum);
      assert.doesNotMatch(cut, /\p{Surrogate}/u);
    }
  });

  test("is short whatever piles up on one character", () => {
    assert(headline(`a${"\u0301".repeat(16_000)}`).length < 1_000);
    assert.equal(fits(`a${"\u0301".repeat(16_000)}`, 280), false);
  });
});
