/** Times in words. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { lastTick, moment } from "../../src/web/moments.ts";

const now = new Date("2026-08-10T09:30:30Z");

const cases: readonly (readonly [at: string, short: string])[] = [
  ["2026-08-10T09:30:00Z", "just now"],
  ["2026-08-10T09:29:00Z", "1 minute ago"],
  ["2026-08-10T08:31:00Z", "59 minutes ago"],
  ["2026-08-10T08:30:00Z", "1 hour ago"],
  ["2026-08-09T10:00:00Z", "23 hours ago"],
  ["2026-08-09T09:00:00Z", "yesterday"],
  ["2026-08-08T23:00:00Z", "2 days ago"],
  ["2026-08-04T00:00:00Z", "6 days ago"],
  ["2026-08-03T23:59:59Z", "3 August"],
  ["2025-12-31T12:00:00Z", "31 December 2025"],
  ["2026-08-10T09:31:00Z", "10 August"],
];

describe("a time in words", () => {
  for (const [at, short] of cases)
    test(`${at} is “${short}”`, () => assert.equal(moment(new Date(at), now).short, short));

  test("comes with the machine's form and the full one, zone included", () => {
    const { iso, full } = moment(new Date("2026-08-10T09:00:00Z"), now);
    assert.equal(iso, "2026-08-10T09:00:00Z");
    assert.equal(full, "Monday, 10 August 2026 at 09:00 UTC");
  });
});

describe("the words of a page change", () => {
  for (const [newest, tick] of [
    ["2026-08-10T09:20:00Z", "2026-08-10T09:30:00.000Z"],
    ["2026-08-10T03:00:00Z", "2026-08-10T09:00:00.000Z"],
    ["2026-08-01T00:00:00Z", "2026-08-10T00:00:00.000Z"],
  ] as const) {
    test(`last at ${tick} where the newest is of ${newest}`, () => {
      assert.equal(lastTick(new Date(newest), now).toISOString(), tick);
    });
  }
});
