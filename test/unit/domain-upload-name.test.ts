/** What a file may be called in a link, whatever a client says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodedName, uploadName } from "../../src/domain/upload-name.ts";

test("names stay as they are, endings especially", () => {
  for (const name of [
    "très cool.jpg",
    "a.tar.gz",
    "日本語.png",
    "no ending",
    ".profile",
    "...",
    "🐦.webp",
    "a?b#c%d",
  ]) {
    assert.equal(uploadName(name), name);
  }
});

test("folders, blanks around and what deceives are left out", () => {
  const names: Record<string, string> = {
    "../../etc/passwd": "passwd",
    "C:\\Users\\ana\\me.jpg": "me.jpg",
    "/": "file",
    "": "file",
    "  ": "file",
    ".": "file",
    "..": "file",
    "a/..": "file",
    "  a.txt ": "a.txt",
    "in\u0000vis\u0007ible\r\n.txt": "invisible.txt",
    "photo\u202egpj.exe": "photogpj.exe",
    "\u2066a\u2069\u200f.txt": "a.txt",
    "half \ud83d.txt": "half .txt",
    "e\u0301.txt": "\u00e9.txt",
  };
  for (const [said, name] of Object.entries(names))
    assert.equal(uploadName(said), name, JSON.stringify(said));
});

test("a long name is cut in front of its ending, and not within a character", () => {
  for (const [said, ending] of [
    ["a".repeat(500) + ".jpg", ".jpg"],
    ["🐦".repeat(100) + ".jpeg", ".jpeg"],
    ["日".repeat(100), ""],
    ["a." + "b".repeat(500), ""],
  ] as const) {
    const name = uploadName(said);
    assert(Buffer.byteLength(name) <= 200 && Buffer.byteLength(name) > 190);
    assert(name.endsWith(ending) && said.startsWith(name.slice(0, -ending.length || undefined)), name);
  }
});

test("what is encoded has nothing that ends a link, and is read as it was", () => {
  const name = `it's "(très)" cool!*.jpg`;
  assert.match(encodedName(name), /^[A-Za-z0-9._~%-]+$/);
  assert.equal(decodeURIComponent(encodedName(name)), name);
});
