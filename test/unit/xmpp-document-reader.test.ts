/** Long documents, read piece by piece. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DocumentReader, type DocumentEvent } from "../../src/xmpp/document-reader.ts";
import { serialize } from "../../src/xmpp/xml.ts";

const isContainer = (path: readonly string[]): boolean =>
  ["{urn:a}all", "{urn:a}some"].includes(path.at(-1) ?? "") && path.length <= 2;

function told(event: DocumentEvent): string {
  if (event.kind === "element") return serialize(event.element);
  return event.kind === "enter"
    ? `<${event.path.at(-1)} ${JSON.stringify(event.attrs)}`
    : `>${event.path.at(-1)}`;
}

function read(xml: string, step = xml.length): string[] {
  const reader = new DocumentReader(isContainer);
  const events: DocumentEvent[] = [];
  for (let at = 0; at < xml.length; at += step) events.push(...reader.push(xml.slice(at, at + step)));
  return [...events, ...reader.end()].map(told);
}

const document = `<?xml version='1.0' encoding='UTF-8'?>
<all xmlns='urn:a' xmlns:b='urn:b'>
  <!-- a comment -->
  <some name='x' b:y='z'>
    <one>text &amp; <b:two c='&#10;'/><![CDATA[<more>]]></one>
    <b:three xml:lang='en' b:four='5'><b:six/></b:three>
  </some>
  <some name='empty'/>
  <other><some/></other>
</all>`;

const expected = [
  "<{urn:a}all {}",
  '<{urn:a}some {"name":"x"}',
  '<one xmlns="urn:a">text &amp; <two c="&#10;" xmlns="urn:b"/>&lt;more&gt;</one>',
  '<three xml:lang="en" b:four="5" xmlns:b="urn:b" xmlns="urn:b"><six/></three>',
  ">{urn:a}some",
  '<{urn:a}some {"name":"empty"}',
  ">{urn:a}some",
  '<other xmlns="urn:a"><some/></other>',
  ">{urn:a}all",
];

test("containers are entered and left, and what they hold comes whole", () => {
  assert.deepEqual(read(document), expected);
});

test("it does not matter in what pieces a document comes", () => {
  for (const step of [1, 2, 7, 64]) assert.deepEqual(read(document, step), expected, String(step));
});

test("what is done with comes at once", () => {
  const reader = new DocumentReader(isContainer);
  assert.deepEqual(reader.push("<all xmlns='urn:a'><a/><b>").map(told), [
    "<{urn:a}all {}",
    '<a xmlns="urn:a"/>',
  ]);
});

test("a part of a document continues its path", () => {
  const reader = new DocumentReader(isContainer, ["{urn:a}all"]);
  assert.deepEqual(reader.push("<some xmlns='urn:a'><a/></some>").map(told), [
    "<{urn:a}some {}",
    '<a xmlns="urn:a"/>',
    ">{urn:a}some",
  ]);
});

test("what goes on and on is refused before it is held", () => {
  const million = "x".repeat(1_000_000);
  for (const begin of [
    "<all xmlns='urn:a'><a>",
    "<all xmlns='urn:a'><a b='",
    "<all xmlns='urn:a'><!--",
    "<all xmlns='urn:a'><?x ",
    "<all xmlns='urn:a'>",
    "<",
  ]) {
    const reader = new DocumentReader(isContainer);
    reader.push(begin);
    assert.throws(() => {
      for (let n = 0; n < 18; n += 1) reader.push(million);
    }, begin);
  }
  const reader = new DocumentReader(isContainer);
  reader.push("<all xmlns='urn:a'>");
  for (let n = 0; n < 40; n += 1) reader.push(`<a>${million}</a>`);
});

test("what is not well-formed, or might be anything, is refused", () => {
  for (const bad of [
    "<all xmlns='urn:a'>",
    "<all xmlns='urn:a'><a></b></all>",
    "<all xmlns='urn:a'><b:a/></all>",
    "<!DOCTYPE all [<!ENTITY lol 'lol'>]><all xmlns='urn:a'/>",
    "<all xmlns='urn:a'><a>&lol;</a></all>",
    `<all xmlns='urn:a'>${"<a>".repeat(201)}`,
    `<all xmlns='urn:a'><a>${"x".repeat(16_777_217)}`,
  ]) {
    assert.throws(() => read(bad), bad.slice(0, 60));
  }
});
