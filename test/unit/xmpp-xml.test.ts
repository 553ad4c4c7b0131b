/** The element model: canonical elements, found, copied and written. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseElement } from "../../src/xmpp/parser.ts";
import {
  attr,
  child,
  children,
  childText,
  copy,
  Element,
  escapeAttribute,
  escapeText,
  legalText,
  namespaceOf,
  serialize,
  text,
  xml,
} from "../../src/xmpp/xml.ts";

const iq = (): Element =>
  parseElement(
    "<iq type='get'><query xmlns='urn:q'>a<item n='1'/><item xmlns='urn:other' n='2'/>b<item n='3'>c<d/>e</item></query><query/></iq>",
  );

test("a child is found by its name and namespace; without one, in the parent's own", () => {
  const query = child(iq(), "query", "urn:q");
  assert.ok(query);
  assert.equal(namespaceOf(query), "urn:q");
  assert.equal(namespaceOf(iq()), undefined);
  assert.equal(child(iq(), "query")?.children.length, 0);
  assert.equal(child(iq(), "query", "urn:none"), undefined);
  const numbers = (found: Element[]): unknown[] => found.map((item) => attr(item, "n"));
  assert.deepEqual(numbers(children(query, "item")), ["1", "3"]);
  assert.deepEqual(numbers(children(query, "item", "urn:q")), ["1", "3"]);
  assert.deepEqual(numbers(children(query, "item", "urn:other")), ["2"]);
  assert.deepEqual(numbers(children(query)), ["1", "2", "3"]);
});

test("text is what stands directly inside", () => {
  const query = child(iq(), "query", "urn:q")!;
  assert.equal(text(query), "ab");
  assert.equal(childText(query, "item"), "");
  assert.equal(childText(query, "none"), undefined);
});

test("an attribute that is not there is undefined, whatever it is called", () => {
  for (const name of ["constructor", "toString", "__proto__", "n"])
    assert.equal(attr(xml("a"), name), undefined);
});

test("a copy shares nothing", () => {
  const original = iq();
  const twin = copy(original, { type: "result", id: "1", to: undefined });
  assert.deepEqual(twin.attrs, { type: "result", id: "1" });
  const query = child(twin, "query", "urn:q")!;
  query.attrs["changed"] = "yes";
  query.append("more");
  assert.equal(query.parent, twin);
  assert.equal(serialize(original), serialize(iq()));
  assert.equal(serialize(copy(original)), serialize(original));
});

test("what is written reads as it was", () => {
  const whole = "& < > \" ' \t \n \r ]]> é 😀 &amp;";
  const element = xml("a", { b: whole }, whole, xml("c", {}), whole);
  const read = parseElement(serialize(element));
  assert.equal(read.attrs["b"], whole);
  assert.deepEqual([read.children[0], read.children[2]], [whole, whole]);
  assert.equal(serialize(read), serialize(element));
});

test("only what must be escaped is", () => {
  assert.equal(escapeText(`a "b" 'c'\n`), `a "b" 'c'\n`);
  assert.equal(escapeText("<&>\r"), "&lt;&amp;&gt;&#13;");
  assert.equal(escapeAttribute(`<&>"'\t\n\r`), "&lt;&amp;&gt;&quot;&apos;&#9;&#10;&#13;");
});

test("absent attributes are not written, and numbers are", () => {
  const element = new Element("a", {});
  Object.assign(element.attrs, { b: undefined, c: null, d: 1, e: "" });
  element.children.push(2 as unknown as string);
  assert.equal(serialize(element), '<a d="1" e="">2</a>');
});

test("legal text has only characters that XML can carry (XML 1.0 §2.2)", () => {
  assert.equal(
    legalText("a\u0000\u0008\t\n\u000b\u000c\r\u001f\u007f\u0085é\ufffe\uffff\u{10ffff}😀"),
    "a\t\n\r\u007f\u0085é\u{10ffff}😀",
  );
  assert.equal(legalText("\ud83d😀\ude00"), "😀");
  assert.equal(text(parseElement(serialize(xml("a", {}, legalText("\u0001b\ud800c"))))), "bc");
});
