/** The tests' own tools: the reader of streams and the matching by shape. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { serialize } from "../../src/xmpp/xml.ts";
import { readElement, readXml } from "../support/reader.ts";
import { mismatch } from "../support/shape.ts";

describe("the reader", () => {
  test("gives elements in canonical form", () => {
    const xml =
      "<message><a:x xmlns:a='urn:a' a:y='1'><a:z/><b xmlns=''/></a:x><body xml:lang='en'>&lt;</body></message>";
    assert.equal(
      serialize(readElement(xml)),
      '<message><x a:y="1" xmlns="urn:a"><z/><b xmlns=""/></x><body xml:lang="en">&lt;</body></message>',
    );
  });

  test("gives the stream's own elements their namespace", () => {
    assert.equal(
      serialize(readElement("<stream:features/>")),
      '<features xmlns="http://etherx.jabber.org/streams"/>',
    );
  });

  for (const bad of ["<a><!-- --></a>", "<a><?b c?></a>", "<a></b>", "<a>&c;</a>", "text"]) {
    test(`refuses ${bad}`, () => assert.throws(() => readXml(bad)));
  }
});

describe("a shape", () => {
  const fits = (shape: string, actual: string): void =>
    assert.equal(mismatch(readElement(shape), readElement(actual)), undefined);
  const fails = (shape: string, actual: string, why: RegExp): void =>
    assert.match(mismatch(readElement(shape), readElement(actual)) ?? "it fits", why);

  test("lists what must be there, and nothing else is looked at", () => {
    fits("<message><body/></message>", "<message id='1'><delay xmlns='urn:d'/><body>Hi</body></message>");
    fails("<message id='1'/>", "<message/>", /@id is absent/);
    fails("<message id='1'/>", "<message id='2'/>", /@id is "2", not "1"/);
    fails("<message><body/></message>", "<message><subject/></message>", /no child <body>/);
  });

  test("has the names and namespaces that it says", () => {
    fails("<message/>", "<presence/>", /is <presence>, not <message>/);
    fails("<iq><query xmlns='a'/></iq>", "<iq><query xmlns='b'/></iq>", /is <query xmlns="b">/);
    fits("<iq><query xmlns='a'><item/></query></iq>", "<iq><p:query xmlns:p='a'><p:item/></p:query></iq>");
    fails(
      "<iq><query xmlns='a'><item/></query></iq>",
      "<iq><query xmlns='a'><item xmlns='b'/></query></iq>",
      /item/,
    );
  });

  test("finds children in any order, each listed one another one", () => {
    fits("<q><b/><a/></q>", "<q><a/><b/></q>");
    fits("<q><i/><i n='1'/></q>", "<q><i n='1'/><i n='2'/></q>");
    fails("<q><i/><i/></q>", "<q><i/></q>", /no child <i>/);
  });

  test("compares the text that it lists", () => {
    fits("<b>Hi</b>", "<b> Hi </b>");
    fails("<b>Hi</b>", "<b>Ho</b>", /"Ho", not "Hi"/);
    fits("<q> <a/> </q>", "<q>words<a/></q>");
  });

  test("takes any value, or none", () => {
    fits("<b id='{any}'>{any}</b>", "<b id='1'>Hi</b>");
    fails("<b id='{any}'/>", "<b/>", /@id is absent/);
    fails("<b>{any}</b>", "<b/>", /text of <b> is absent/);
    fits("<b id='{none}'/>", "<b/>");
    fails("<b id='{none}'/>", "<b id='1'/>", /should be absent/);
  });

  test("tells presence by its type, and never takes an error for what it is not", () => {
    fails("<presence from='a@b'/>", "<presence from='a@b' type='unavailable'/>", /@type is "unavailable"/);
    fails("<message/>", "<message type='error'/>", /@type is "error"/);
    fits("<message/>", "<message type='chat'/>");
    fits("<message type='error'/>", "<message type='error'/>");
  });
});
