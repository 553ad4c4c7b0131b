/** RFC 6120 §4 and §11: the bytes of a stream to events, strictly and in canonical form. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { StreamError } from "../../src/xmpp/errors.ts";
import {
  limitsAfterAuthentication,
  limitsBeforeAuthentication,
  parseElement,
  StreamParser,
} from "../../src/xmpp/parser.ts";
import { serialize } from "../../src/xmpp/xml.ts";
import { eventsOf, header, inside, opened, summary } from "../support/parsed.ts";

describe("a stream header", () => {
  const headerOf = (xml: string) => {
    const [event] = new StreamParser(limitsBeforeAuthentication).push(Buffer.from(xml));
    assert.equal(event?.kind, "open");
    return event.header;
  };

  test("is reported as it was written", () => {
    assert.deepEqual(
      headerOf(
        "<?xml version='1.0' encoding='utf-8'?>\n<stream:stream to='im.example' xml:lang='en' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>",
      ),
      {
        attrs: { to: "im.example", "xml:lang": "en", version: "1.0" },
        name: "stream",
        prefix: "stream",
        xmlns: "http://etherx.jabber.org/streams",
        contentXmlns: "jabber:client",
      },
    );
  });

  test("is not judged", () => {
    assert.deepEqual(headerOf("<foo>"), {
      attrs: {},
      name: "foo",
      prefix: "",
      xmlns: "",
      contentXmlns: undefined,
    });
    const odd = headerOf("<s:stream xmlns:s='urn:wrong' xmlns='jabber:server'>");
    assert.deepEqual([odd.prefix, odd.xmlns, odd.contentXmlns], ["s", "urn:wrong", "jabber:server"]);
  });

  test("may be empty: a stream that is closed at once", () => {
    assert.deepEqual(eventsOf("<stream/>"), ["open", "close"]);
  });
});

describe("canonical form", () => {
  const same = (xml: string, canonical: string): void => assert.deepEqual(inside(xml), [canonical]);

  test("leaves the content namespace out, however it was written", () => {
    same("<message><body>hi</body></message>", "<message><body>hi</body></message>");
    same("<message xmlns='jabber:client'><body/></message>", "<message><body/></message>");
    same("<c:iq xmlns:c='jabber:client'><c:x/></c:iq>", "<iq><x/></iq>");
    const server = header.replace("jabber:client", "jabber:server");
    assert.deepEqual(eventsOf(`${server}<message/>`)[1], "<message/>");
    assert.deepEqual(
      eventsOf(`${server}<message xmlns='jabber:client'/>`)[1],
      '<message xmlns="jabber:client"/>',
    );
  });

  test("declares a namespace where it changes, and only there", () => {
    same(
      "<iq><q:query xmlns:q='urn:q'><q:a/><b/><c xmlns='urn:q'/></q:query></iq>",
      '<iq><query xmlns="urn:q"><a/><b xmlns="jabber:client"/><c/></query></iq>',
    );
    same("<stream:features/>", '<features xmlns="http://etherx.jabber.org/streams"/>');
    same("<a xmlns=''><b/></a>", '<a xmlns=""><b/></a>');
    same(
      "<a xmlns:p='urn:1'><p:b xmlns:p='urn:2'/><p:c/></a>",
      '<a><b xmlns="urn:2"/><c xmlns="urn:1"/></a>',
    );
    same("<a><b xmlns='urn:b' xmlns:unused='urn:u'/></a>", '<a><b xmlns="urn:b"/></a>');
  });

  test("keeps the prefix of an attribute, declared beside it", () => {
    same("<é ü='1'/>", '<é ü="1"/>');
    same("<a xml:lang='de'/>", '<a xml:lang="de"/>');
    same("<a xmlns:p='urn:p'><b p:x='1' x='2'/></a>", '<a><b x="2" p:x="1" xmlns:p="urn:p"/></a>');
  });

  test("has one run of text where there is one", () => {
    const [event] = opened(limitsAfterAuthentication).push(
      Buffer.from("<a>1 &lt; 2<![CDATA[ & <b/> ]]>&#x20;&#65;</a>"),
    );
    assert.equal(event?.kind, "element");
    assert.deepEqual(event.element.children, ["1 < 2 & <b/>  A"]);
  });

  test("normalises ends of lines and the white space in attributes (XML 1.0 §2.11, §3.3.3)", () => {
    const [event] = opened(limitsAfterAuthentication).push(
      Buffer.from("<a b='1\r\n2\t3&#10;4'>5\r\n6\r7</a>"),
    );
    assert.equal(event?.kind, "element");
    assert.equal(event.element.attrs["b"], "1 2 3\n4");
    assert.deepEqual(event.element.children, ["5\n6\n7"]);
  });

  test("holds names that mean something to JavaScript", () => {
    const xml = "<__proto__ constructor='1' toString='2'><hasOwnProperty __proto__='3'/></__proto__>";
    const [event] = opened(limitsAfterAuthentication).push(Buffer.from(xml));
    assert.equal(event?.kind, "element");
    assert.equal(event.element.attrs["constructor"], "1");
    assert.equal(Object.getPrototypeOf(event.element.attrs), Object.prototype);
    assert.equal(({} as Record<string, unknown>)["3"], undefined);
    assert.deepEqual(inside("<a>&__proto__;</a>"), ["restricted-xml"]);
    assert.deepEqual(inside("<__proto__:a/>"), ["not-well-formed"]);
  });
});

describe("refused", () => {
  const refused: Record<string, string[]> = {
    "restricted-xml": [
      "<!-- comment -->",
      "<a><!-- comment --></a>",
      "<?php echo 1 ?>",
      "<a><?target data?></a>",
      "<!DOCTYPE a>",
      "<a>&nbsp;</a>",
      "<a b='&lol9;'/>",
    ],
    "not-well-formed": [
      "<a></b>",
      "<a/></a>",
      "<a><b></a></b>",
      "</stream>",
      "</>",
      "< a/>",
      "<a b/>",
      "<a b=c/>",
      "<a b='1'c='2'/>",
      "<a b='1' b='1'/>",
      "<a b='<'/>",
      "<a xmlns:p='urn:1' xmlns:q='urn:1' p:b='' q:b=''/>",
      "<p:a/>",
      "<a p:b=''/>",
      "<xmlns:a/>",
      "<a:b:c xmlns:a='urn:a'/>",
      "<a xmlns:p='urn:p'><p:1/></a>",
      "<a xmlns:p='urn:p' p:-b=''/>",
      "<:a/>",
      "<a xmlns:p=''/>",
      "<a xmlns:xml='urn:a'/>",
      "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
      "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
      "<a xmlns:xmlns='urn:a'/>",
      "<a xmlns='urn:a&#10;b'/>",
      "<a xmlns:p='urn:a b'/>",
      "<a>\u0000</a>",
      "<a>\u0008</a>",
      "<a>\ufffe</a>",
      "<a>&#0;</a>",
      "<a>&#xd800;</a>",
      "<a>&#x110000;</a>",
      "<a>&#99999999999999999999;</a>",
      "<a>fish & chips</a>",
      "<a>]]></a>",
      "<a>&;</a>",
      "<?xml version='1.0'?>",
      "<!ELEMENT a ANY>",
    ],
    // Well-formed by the fifth edition of XML 1.0, but not by the fourth, which is what expat knows.
    "policy-violation": ["<a😀/>", "<a \ud7ff='1'/>", "<a>é<b\u0131\u20ac/></a>"],
    "bad-format": ["hello", "<a/>hello<b/>", "<![CDATA[ ]]>", "&lt;", "&#32;<a/>", "\u00a0"],
  };
  for (const [condition, documents] of Object.entries(refused)) {
    test(condition, () => {
      for (const xml of documents) assert.equal(inside(xml).at(-1), condition, xml);
    });
  }

  test("before the header", () => {
    for (const [xml, condition] of [
      [`<!DOCTYPE stream [<!ENTITY a "b">]>${header}`, "restricted-xml"],
      [`<!-- -->${header}`, "restricted-xml"],
      ["<?xml version='1.1'?><stream>", "not-well-formed"],
      [" <?xml version='1.0'?><stream>", "not-well-formed"],
      ["<?xml encoding='utf-8'?><stream>", "not-well-formed"],
      ["<?xml version='1.0' encoding='iso-8859-1'?><stream>", "unsupported-encoding"],
      ["\ufeff<stream>", "not-well-formed"],
      ["GET / HTTP/1.1\r\n", "not-well-formed"],
      ["<stream:stream>", "not-well-formed"],
    ] as const) {
      assert.deepEqual(eventsOf(xml), [condition], xml);
    }
  });

  test("what stands before the fault has been said, and what stands behind it is not", () => {
    assert.deepEqual(inside("<a/><b></c><d/>"), ["<a/>", "not-well-formed"]);
    assert.deepEqual(inside("<a/></nonsense>"), ["<a/>", "not-well-formed"]);
    assert.deepEqual(inside("<a/></stream:stream><b/>nonsense"), ["<a/>", "close"]);
    const parser = opened(limitsAfterAuthentication);
    assert.deepEqual(parser.push(Buffer.from("</stream:stream> ")).map(summary), ["close"]);
    assert.deepEqual(parser.push(Buffer.from("<a/>")), []);
  });

  test("an ampersand that begins nothing does not hold back what follows it", () => {
    assert.deepEqual(inside("<a>&</a>"), ["not-well-formed"]);
    assert.deepEqual(inside("<a>&amp"), []);
  });
});

describe("UTF-8", () => {
  const document = `${header}<a b='ä'>é€😀</a>`;

  test("is whole wherever it is cut", () => {
    for (let piece = 1; piece < 10; piece++) {
      assert.deepEqual(eventsOf(document, piece), ["open", '<a b="ä">é€😀</a>']);
    }
  });

  test("and nothing else is accepted (RFC 6120 §11.6)", () => {
    const bad = [
      "ff",
      "80",
      "c0af",
      "e08080",
      "eda080",
      "f0808080",
      "f4908080",
      "f8888080",
      "c3c3",
      "e282",
      "e4",
    ];
    for (const bytes of bad) {
      const whole = Buffer.concat([
        Buffer.from(`${header}<a/><b>`),
        Buffer.from(bytes, "hex"),
        Buffer.from("</b>"),
      ]);
      for (const piece of [1, 2, 3, Infinity]) {
        assert.deepEqual(eventsOf(whole, piece), ["open", "<a/>", "unsupported-encoding"], bytes);
      }
    }
  });
});

test("streams that wait for the rest of a stanza do not hear each other", () => {
  const roots = ["stream:stream", "x:stream", "stream:stream"];
  const parsers = roots.map((root, index) => {
    const [prefix] = root.split(":");
    const parser = new StreamParser(limitsAfterAuthentication);
    parser.push(Buffer.from(`<${root} xmlns:${prefix}='urn:${index}' xmlns='urn:content:${index}'>`));
    return parser;
  });
  const expected = roots.map(
    (_, index) => `<a xmlns="urn:${index}"><b xmlns="urn:content:${index}">${index}</b></a>`,
  );
  const sent = roots.map(
    (root, index) => `<${root.split(":")[0]}:a><b>${index}</b></${root.split(":")[0]}:a>`,
  );
  const heard = roots.map((): string[] => []);
  for (let round = 0; round < 3; round++) {
    for (let at = 0; at < 30; at++) {
      parsers.forEach((parser, index) => {
        heard[index]!.push(...parser.push(Buffer.from(sent[index]!.slice(at, at + 1))).map(summary));
      });
    }
  }
  assert.deepEqual(
    heard,
    expected.map((xml) => [xml, xml, xml]),
  );
  parsers.forEach((parser, index) => {
    assert.deepEqual(parser.push(Buffer.from(`</${roots[index]}>`)).map(summary), ["close"]);
  });
});

describe("parseElement", () => {
  test("reads one element, its namespace as written", () => {
    const read = (xml: string): string => serialize(parseElement(xml));
    assert.equal(read("<a><b xmlns='urn:b'><c/></b></a>\n"), '<a><b xmlns="urn:b"><c/></b></a>');
    assert.equal(read(" <p:a xmlns:p='urn:p'>é</p:a>"), '<a xmlns="urn:p">é</a>');
    assert.equal(read("<message xmlns='jabber:client'/>"), '<message xmlns="jabber:client"/>');
  });

  test("and nothing else", () => {
    for (const xml of [
      "",
      " ",
      "a",
      "<a>",
      "<a/><b/>",
      "<a/>b",
      "</a>",
      "<a/></stream:stream>",
      "<stream:a/>",
    ]) {
      assert.throws(() => parseElement(xml), StreamError, xml);
    }
    assert.equal(parseElement("<a/>").name, "a");
  });

  test("within limits, where there are some", () => {
    assert.equal(parseElement(`<a>${"b".repeat(1_000_000)}</a>`).children.length, 1);
    assert.throws(
      () => parseElement(`<a>${"b".repeat(10_000)}</a>`, limitsBeforeAuthentication),
      StreamError,
    );
  });
});
