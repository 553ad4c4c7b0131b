/** RFC 9110 §13: which answer a conditional request gets. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isCurrent, lastModified } from "../../src/web/conditional.ts";

const validators = { etag: '"v1"', changedAt: new Date("2026-08-10T09:00:00.300Z") };

const cases: readonly (readonly [what: string, headers: Record<string, string>, current: boolean])[] = [
  ["no condition", {}, false],
  ["the same tag", { "if-none-match": '"v1"' }, true],
  ["another tag", { "if-none-match": '"v2"' }, false],
  ["a list with the tag", { "if-none-match": '"v0", "v,0" , "v1"' }, true],
  ["a list without it", { "if-none-match": '"v0","v2"' }, false],
  ["the tag made weak by a proxy (§13.1.2 compares weakly)", { "if-none-match": 'W/"v1"' }, true],
  ["any", { "if-none-match": "*" }, true],
  ["a tag without quotes", { "if-none-match": "v1" }, false],
  ["an empty list", { "if-none-match": "" }, false],
  ["a tag that contains ours", { "if-none-match": '"v11"' }, false],
  ["the same time", { "if-modified-since": "Mon, 10 Aug 2026 09:00:00 GMT" }, true],
  ["a later time", { "if-modified-since": "Mon, 10 Aug 2026 09:00:01 GMT" }, true],
  ["an earlier time", { "if-modified-since": "Mon, 10 Aug 2026 08:59:59 GMT" }, false],
  ["RFC 850's form", { "if-modified-since": "Monday, 10-Aug-26 09:00:00 GMT" }, true],
  ["asctime's form", { "if-modified-since": "Mon Aug 10 09:00:00 2026" }, true],
  ["asctime's form, earlier", { "if-modified-since": "Sun Aug  9 09:00:00 2026" }, false],
  ["what is no HTTP-date", { "if-modified-since": "2027-01-01T00:00:00Z" }, false],
  ["a date that does not exist", { "if-modified-since": "Mon, 99 Aug 2027 09:00:00 GMT" }, false],
  [
    "another tag at the same time: the tag decides",
    { "if-none-match": '"v2"', "if-modified-since": "Mon, 10 Aug 2026 09:00:00 GMT" },
    false,
  ],
  [
    "the same tag at an earlier time: the tag decides",
    { "if-none-match": '"v1"', "if-modified-since": "Mon, 10 Aug 2020 09:00:00 GMT" },
    true,
  ],
];

describe("a client that says what it has", () => {
  for (const [what, headers, current] of cases) {
    test(`${what}: ${current ? "304" : "200"}`, () => {
      assert.equal(isCurrent(new Headers(headers), validators), current);
    });
  }
});

describe("Last-Modified", () => {
  const changedAt = new Date("2026-08-10T09:00:00.300Z");

  test("is the second of the change once that is over", () => {
    const shown = lastModified(changedAt, new Date("2026-08-10T09:00:01.000Z"));
    assert.equal(shown, "Mon, 10 Aug 2026 09:00:00 GMT");
    assert.equal(isCurrent(new Headers({ "if-modified-since": shown }), { etag: "", changedAt }), true);
  });

  test("is the second before while another change can still fall into it, and that is never current", () => {
    const shown = lastModified(changedAt, new Date("2026-08-10T09:00:00.999Z"));
    assert.equal(shown, "Mon, 10 Aug 2026 08:59:59 GMT");
    assert.equal(isCurrent(new Headers({ "if-modified-since": shown }), { etag: "", changedAt }), false);
  });
});
