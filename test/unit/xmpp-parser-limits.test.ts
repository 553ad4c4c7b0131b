/** RFC 6120 §13.12: whatever bytes come, in whatever pieces, they are bounded and harmless. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { StreamError } from "../../src/xmpp/errors.ts";
import {
  limitsAfterAuthentication,
  parseElement,
  StreamParser,
  type ParserEvent,
  type ParserLimits,
} from "../../src/xmpp/parser.ts";
import { serialize } from "../../src/xmpp/xml.ts";
import { eventsOf, header, inside, opened, summary } from "../support/parsed.ts";

describe("limits", () => {
  const limits: ParserLimits = {
    stanzaBytes: 400,
    depth: 4,
    attributes: 4,
    nameLength: 15,
    attributeLength: 50,
    textLength: 100,
  };
  const policy = (xml: string): void => assert.deepEqual(inside(xml, limits), ["policy-violation"], xml);

  test("a stanza may have so many bytes, not one more, however it comes", () => {
    const fits = `<a b='${"é".repeat(20)}'>${"x".repeat(100)}<c>${"y".repeat(100)}</c><c>${"z".repeat(100)}</c>`;
    const room = limits.stanzaBytes - Buffer.byteLength(`${fits}</a>`);
    const exact = `${fits}${" ".repeat(room)}</a>`;
    const over = `${fits}${" ".repeat(room + 1)}</a>`;
    assert.equal(Buffer.byteLength(exact), limits.stanzaBytes);
    for (const piece of [1, 7, 100, Infinity]) {
      const events = eventsOf(`${header}<a/> ${exact}\n${exact}${over}<a/>`, piece, limits);
      assert.deepEqual(
        events.map((event) => event.slice(0, 3)),
        ["ope", "<a/", "<a ", "<a ", "pol"],
      );
    }
    const parser = opened(limits);
    const [first, second] = parser.push(Buffer.from(` <a/>\r\n${exact}  `));
    assert.deepEqual(
      [first, second].map((event) => event?.kind === "element" && event.bytes),
      [4, limits.stanzaBytes],
    );
  });

  test("the header too", () => {
    for (const start of [" ", "<stream to='", "<stream ", "<!--", "<!DOCTYPE ", "<?xml ", "<?", "<"]) {
      const events = eventsOf(start + "\n".repeat(500), 100, limits);
      assert.match(events.join(), /^(policy-violation|not-well-formed)$/, start);
    }
    assert.deepEqual(eventsOf(`${" ".repeat(400)}<stream>`, Infinity, limits), ["policy-violation"]);
  });

  test("what never ends, ends there", () => {
    for (const start of [
      "<",
      "<a",
      "<a ",
      "<a b='",
      "<a>",
      "<a>&#",
      "<a><!--",
      "<!--",
      "<!DOCTYPE",
      "<?",
      "<a><![CDATA[",
    ]) {
      const parser = opened({ ...limits, nameLength: 1e9, attributeLength: 1e9, textLength: 1e9 });
      const events: ParserEvent[] = parser.push(Buffer.from(start));
      let sent = start.length;
      while (events.length === 0 && sent < 10_000) {
        events.push(...parser.push(Buffer.from("0")));
        sent++;
      }
      assert.ok(
        ["policy-violation", "not-well-formed", "restricted-xml"].includes(summary(events[0]!)),
        start,
      );
      assert.ok(sent <= limits.stanzaBytes + 1, start);
    }
  });

  test("structure", () => {
    assert.equal(inside("<a><b><c><d/></c></b></a>", limits).length, 1);
    policy("<a><b><c><d><e/></d></c></b></a>");
    policy("<a b='' c='' d='' e='' f=''/>");
    policy(`<${"a".repeat(16)}/>`);
    policy(`<a ${"b".repeat(16)}=''/>`);
    policy(`<a b='${"c".repeat(51)}'/>`);
    policy(`<a>${"b".repeat(60)}<![CDATA[${"c".repeat(41)}]]></a>`);
    assert.equal(inside(`<a>${"b".repeat(60)}<c/>${"d".repeat(60)}</a>`, limits).length, 1);
    policy(`<a>&${"b".repeat(16)}`);
    policy(`<a b='&#${"0".repeat(16)}`);
    const prefixes = Array.from({ length: 40 }, (_, index) => `xmlns:p${index}='urn:x'`).join(" ");
    assert.deepEqual(inside(`<a ${prefixes}/>`), ["policy-violation"]);
  });

  test("elements 50,000 deep are refused, and nothing overflows", () => {
    assert.deepEqual(inside("<a>".repeat(50_000)), ["policy-violation"]);
    assert.deepEqual(inside("<a xmlns:p='urn:p'>".repeat(50_000)), ["policy-violation"]);
    assert.throws(() => parseElement("<a>".repeat(50_000) + "</a>".repeat(50_000)), StreamError);
  });

  test("can be raised while the stream is open", () => {
    for (const raised of [false, true]) {
      const parser = opened({ ...limits, textLength: 10_000 });
      assert.deepEqual(parser.push(Buffer.from(`<a>${"b".repeat(300)}`)), []);
      if (raised) parser.limits = limitsAfterAuthentication;
      const [event] = parser.push(Buffer.from(`${"b".repeat(300)}</a>`));
      assert.equal(event?.kind, raised ? "element" : "error");
    }
  });

  test("white space between stanzas is free", () => {
    const parser = opened(limits);
    for (let i = 0; i < 1000; i++) assert.deepEqual(parser.push(Buffer.from(" \n\t\r\n ".repeat(20))), []);
    assert.deepEqual(parser.push(Buffer.from(" <a/> \r")).map(summary), ["<a/>"]);
    assert.deepEqual(parser.push(Buffer.from("\n<a/>")).map(summary), ["<a/>"]);
  });
});

const conversation = `${header}
<iq type='set' id='1' xml:lang="de-CH"><query xmlns='jabber:iq:roster'><item jid='juliet@example.com' name='Jülia &amp; &#x1F600; &lt;3'/></query></iq>
<stream:error xmlns:p='urn:p'><p:a p:b='é'/>\r\n<![CDATA[<x>&amp;]]]]></stream:error>\t
<db:result xmlns:db='jabber:server:dialback' from='a' to='b'>€uro</db:result><message/><a ></a >
</stream:stream >`;

test("a document gives the same wherever it is cut", () => {
  const bytes = Buffer.from(conversation);
  const whole = eventsOf(bytes);
  assert.equal(whole.length, 7);
  for (let at = 0; at <= bytes.length; at++) {
    const parser = new StreamParser(limitsAfterAuthentication);
    const events = [...parser.push(bytes.subarray(0, at)), ...parser.push(bytes.subarray(at))];
    assert.deepEqual(events.map(summary), whole, `cut at ${at}`);
  }
  assert.deepEqual(eventsOf(bytes, 1), whole);
});

describe("whatever bytes come", () => {
  /** Mulberry32: the same numbers in every run. */
  const random =
    (seed: number) =>
    (below: number): number => {
      seed = (seed + 0x6d2b79f5) | 0;
      let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
    };
  const tokens =
    "< > </ /> <!-- --> <![CDATA[ ]]> <? ?> <!DOCTYPE & &amp; &#0; &#65; &#13; ; ' \" = xmlns xmlns:p=' p: : \0 \ufeff \ud7ff 😀 \r \n <a> </a> <p:a/> <?xml </stream:stream> __proto__"
      .split(" ")
      .map((token) => Buffer.from(token));

  const mutated = (pick: (below: number) => number): Buffer => {
    let bytes = Buffer.from(conversation);
    for (let count = pick(4); count >= 0; count--) {
      const at = pick(bytes.length);
      const rest = bytes.subarray(at + pick(4));
      const middle = [tokens[pick(tokens.length)]!, Buffer.from([pick(256)]), bytes.subarray(0, pick(200))];
      bytes = Buffer.concat([bytes.subarray(0, at), middle[pick(3)]!, rest]);
    }
    return bytes;
  };

  test("nothing is thrown, the cuts do not matter, and what is read can be read again", () => {
    for (let seed = 1; seed <= 1500; seed++) {
      const pick = random(seed);
      const bytes = mutated(pick);
      const whole = eventsOf(bytes);
      assert.deepEqual(eventsOf(bytes, 1 + pick(20)), whole, `seed ${seed}`);
      const ends = whole.findIndex((event) => !event.startsWith("<") && event !== "open");
      assert.ok(ends < 0 || ends === whole.length - 1, `seed ${seed}: nothing follows the end`);
      for (const xml of whole.filter((event) => event.startsWith("<"))) {
        assert.equal(serialize(parseElement(xml)), xml, `seed ${seed}`);
      }
    }
  });
});
