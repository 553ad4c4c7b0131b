/** RFC 7622: what is an address, and which addresses are the same. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Jid, parseJid, prepareDomain, prepareLocal, prepareResource } from "../../src/xmpp/jid.ts";

const full = (value: string): string | undefined => parseJid(value)?.full;
const unchanged = (...values: string[]): void => {
  for (const value of values) assert.equal(full(value), value);
};
const refused = (...values: string[]): void => {
  for (const value of values) assert.equal(full(value), undefined, JSON.stringify(value));
};

test("an address has up to three parts", () => {
  const jid = parseJid("juliet@example.com/balcony");
  assert.ok(jid);
  assert.deepEqual([jid.local, jid.domain, jid.resource], ["juliet", "example.com", "balcony"]);
  assert.deepEqual(
    [jid.bare, jid.full, jid.isBare],
    ["juliet@example.com", "juliet@example.com/balcony", false],
  );
  assert.equal(jid.toBare().full, "juliet@example.com");
  assert.equal(jid.toBare().isBare, true);
  assert.equal(jid.withResource("orchard").full, "juliet@example.com/orchard");
  assert.equal(`${new Jid("", "example.com", "")}`, "example.com");
});

test("the examples of RFC 7622 §3.5", () => {
  unchanged(
    "juliet@example.com",
    "juliet@example.com/foo",
    "juliet@example.com/foo bar",
    "juliet@example.com/foo@bar",
    "foo\\20bar@example.com",
    "fussball@example.com",
    "fußball@example.com",
    "π@example.com",
    "σ@example.com/foo",
    "ς@example.com/foo",
    "king@example.com/♚",
    "example.com",
    "example.com/foobar",
    "a.example.com/b@example.net",
  );
  assert.equal(full("Σ@example.com/foo"), "σ@example.com/foo");
  refused(
    '"juliet"@example.com',
    "foo bar@example.com",
    "juliet@example.com/ foo",
    "@example.com/",
    "henryⅣ@example.com",
    "♚@example.com",
    "juliet@",
    "/foobar",
  );
});

test("the resource begins at the first slash, the domain behind the first at-sign before it", () => {
  unchanged("example.com//", "example.com/@", "a@b/c@d/e", "a@b/@");
  refused("a@b@c", "a@@b", "@b", "a@", "a@/c", "a@b/", "", "/", "@", "/c", "b/");
});

test("no part is longer than 1023 bytes", () => {
  unchanged(`${"a".repeat(1023)}@b/${"c".repeat(1023)}`, `b/${"é".repeat(511)}`);
  refused(`${"a".repeat(1024)}@b`, `b/${"c".repeat(1024)}`, `b/${"é".repeat(512)}`, `${"é".repeat(512)}@b`);
  refused(`${"a.".repeat(200)}a`, `${"a".repeat(64)}.b`, "a".repeat(100_000));
});

describe("the local part", () => {
  test("has no case and no width, and is composed", () => {
    assert.equal(full("RoMeO@example.com"), "romeo@example.com");
    assert.equal(full("ÉMILE@b"), "émile@b");
    assert.equal(full("e\u0301mile@b"), "émile@b");
    assert.equal(full("Ａｎａ＿１@b"), "ana_1@b");
    assert.equal(full("ﾊﾟ@b"), "パ@b");
    assert.equal(full("ΟΔΟΣ@b"), "οδοσ@b");
    assert.equal(prepareLocal("I"), "i");
    assert.equal(prepareLocal("ı"), "ı");
  });

  test("is of letters, digits and what ASCII has beside them", () => {
    unchanged("a.b-c_d+e~!#$%*=?^`{|}()[];,\\@b", "用户@b", "ユーザー@b", "กา@b", "नमस्ते@b", "1@b");
    refused(...[..."\"&':<> \u00a0\t\u0000\u007f"].map((character) => `a${character}b@b`));
    refused("a／b@b", "a＠b@b", "a：b@b", "a\u3000b@b", "ﬁ@b", "x²@b", "☺@b", "😀@b", "a\u2028b@b");
  });

  test("holds nothing that cannot be seen", () => {
    refused("a\u00adb@b", "a\u200bb@b", "a\u200db@b", "a\ufe0fb@b", "\ufeffa@b", "a\u202eb@b", "a\u3164@b");
    refused("a\ue000@b", "a\uffff@b", "a\u0378@b", "a\ud800@b", "\u1112\u1161\u11f0@b", "a\u0640@b");
  });

  test("holds punctuation of words only inside them (RFC 5892 appendix A)", () => {
    unchanged("col·legi@b", "ソ・ン@b", "צה״ל@b");
    refused("a·b@b", "·@b", "a・b@b", "״@b", "a\u0375@b", "\u0661\u06f1@b");
  });

  test("reads in one direction (RFC 5893)", () => {
    unchanged("אבג@b", "عمر1@b", "ali@b", "א_ב@b", "אָ@b");
    refused("אa@b", "אaא@b", "aא@b", "1א@b", "א-@b", "-א@b");
  });
});

describe("the domain", () => {
  test("has no case, and no dot at its end", () => {
    assert.equal(full("a@EXAMPLE.com."), "a@example.com");
    assert.equal(full("Example.COM./r"), "example.com/r");
    unchanged("localhost", "1.2.example", "a-b.example", "127.0.0.1");
    refused(
      ".",
      "a@.",
      "a..b",
      ".a",
      "a..",
      "-a.b",
      "a-.b",
      "a_b",
      "a b",
      "a\u0000b",
      "a:5222",
      "a%41",
      "a?b",
      "a#b",
    );
  });

  test("is of U-labels", () => {
    assert.equal(full("xn--strae-oqa.example"), "straße.example");
    assert.equal(full("XN--STRAE-OQA.Example"), "straße.example");
    assert.equal(full("BÜCHER.example"), "bücher.example");
    assert.equal(full("bu\u0308cher.example"), "bücher.example");
    assert.equal(full("例え。jp。"), "例え.jp");
    assert.equal(full("ｅｘａｍｐｌｅ．com"), "example.com");
    assert.notEqual(full("strasse.example"), full("straße.example"));
    refused(
      "xn--a",
      "xn--ab-",
      "xn---p4tbg",
      "xn--",
      "ü%41.example",
      "ü\\b",
      "ü?b",
      "-ü.example",
      "ü..example",
      "ü\u200d.example",
    );
    refused(`${"ü".repeat(62)}.example`);
  });

  test("may be an address of IPv6, in one spelling", () => {
    assert.equal(prepareDomain("[2001:DB8:0:0::1]"), "[2001:db8::1]");
    assert.equal(full("a@[::1]/b"), "a@[::1]/b");
    refused("[]", "[::1", "::1", "[1.2.3.4]", "[::1%eth0]", "[:::]", "[::1].", "[12345::]");
  });
});

describe("the resource", () => {
  test("keeps its case, and has one kind of space", () => {
    unchanged("b/Phone", "b/ß²Ⅳ", "b/a  b", "b/\"&'/:<>@", "b/a ");
    assert.equal(prepareResource("e\u0301 \u00a0\u3000x"), "é   x");
  });

  test("holds no control, and nothing that cannot be seen", () => {
    refused(
      "b/\u0000",
      "b/a\nb",
      "b/\u007f",
      "b/a\u0085",
      "b/\u2028",
      "b/\u202ea",
      "b/\ue000",
      "b/\uffff",
      "b/\ufffd",
    );
    refused("b/\ud800", "b/\u200b", "b/ ", "b/\u00a0a");
    assert.equal(prepareResource("Ana 👩\u200d💻 ❤\ufe0f"), "Ana 👩💻 ❤");
  });
});

test("preparing what is prepared changes nothing", () => {
  const parts =
    "a A Å ß ẞ Σ ς σ İ ı K ǅ ﬃ Ⅳ ᾼ ͅ \u0301 \u0327 가 각 \u1100 \u1161 ｶ ﾞ Ａ א ְ ع ٠ ۰ 1 - . · ・ ー 々 ا ﷺ 𝐀 😀 \u00ad".split(
      " ",
    );
  let prepared = 0;
  for (const first of parts) {
    for (const second of parts) {
      for (const third of ["", "A", ...parts.slice(0, 12)]) {
        const value = first + second + third;
        for (const prepare of [prepareLocal, prepareDomain, prepareResource]) {
          const once = prepare(value);
          if (once === undefined) continue;
          prepared++;
          assert.equal(prepare(once), once, `${prepare.name} ${JSON.stringify(value)}`);
        }
      }
    }
  }
  assert.ok(prepared > 1000);
});

test("hostile addresses are judged in no time", () => {
  const started = performance.now();
  for (const part of [
    "א" + "\u05b0".repeat(500) + "-",
    "\u0660".repeat(511),
    "a-".repeat(500),
    "ü.".repeat(2000),
  ]) {
    for (const value of [`${part}@b`, part, `b/${part}`]) parseJid(value);
  }
  // A generous bound: an exponential search would not end at all.
  assert.ok(performance.now() - started < 5_000);
});
