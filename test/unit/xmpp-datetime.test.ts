/** XEP-0082 and XEP-0203: moments; RFC 9562: ids in their order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDateTime, parseDateTime } from "../../src/xmpp/datetime.ts";
import { delayElement } from "../../src/xmpp/delay.ts";
import { newId } from "../../src/xmpp/id.ts";
import { serialize } from "../../src/xmpp/xml.ts";

test("a moment is written in UTC, with milliseconds where there are some", () => {
  assert.equal(formatDateTime(new Date(Date.UTC(2026, 7, 10, 9, 0, 0))), "2026-08-10T09:00:00Z");
  assert.equal(formatDateTime(new Date(Date.UTC(2026, 7, 10, 9, 0, 0, 7))), "2026-08-10T09:00:00.007Z");
});

test("a moment is read in any zone", () => {
  const steps = Date.UTC(1969, 6, 21, 2, 56, 15);
  for (const value of ["1969-07-21T02:56:15Z", "1969-07-20T21:56:15-05:00", " 1969-07-21T12:26:15+09:30\n"]) {
    assert.equal(parseDateTime(value)?.getTime(), steps, value);
  }
  for (const [fraction, milliseconds] of [
    [".5", 500],
    [".057", 57],
    [".1239999999", 123],
    [".29", 290],
  ] as const) {
    assert.equal(parseDateTime(`1969-07-21T02:56:15${fraction}Z`)?.getTime(), steps + milliseconds);
  }
  assert.equal(parseDateTime("2024-02-29T00:00:00Z")?.toISOString(), "2024-02-29T00:00:00.000Z");
});

test("what is not a DateTime is not guessed at", () => {
  const wrong = ["", "now", "2026-08-10", "2026-08-10T09:00Z", "2026-08-10T09:00:00", "2026-08-10 09:00:00Z"];
  const impossible = [
    "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "2026-01-00T00:00:00Z",
  ];
  const beyond = [
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:60:00Z",
    "2026-01-01T00:00:61Z",
    "2026-01-01T00:00:00+15:00",
  ];
  const odd = ["20260810T09:00:00", "2026-08-10T09:00:00.Z", "2026-08-10t09:00:00z", "٢٠٢٦-08-10T09:00:00Z"];
  for (const value of [...wrong, ...impossible, ...beyond, ...odd])
    assert.equal(parseDateTime(value), undefined, value);
});

test("a delay says who held the stanza back, and since when", () => {
  assert.equal(
    serialize(delayElement("capulet.com", new Date(Date.UTC(2002, 8, 10, 23, 8, 25)))),
    '<delay xmlns="urn:xmpp:delay" from="capulet.com" stamp="2002-09-10T23:08:25Z"/>',
  );
});

test("ids are UUIDs of version 7 and sort by age, also within a millisecond and when the clock goes back", () => {
  const now = Date.now() + 10_000;
  const ids = Array.from({ length: 10_000 }, (_, index) => newId(index < 9_000 ? now : now - 60_000));
  for (const id of ids)
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.deepEqual(ids.toSorted(), ids);
  assert.equal(new Set(ids).size, ids.length);
  assert.equal(parseInt(ids[0]!.replace("-", "").slice(0, 12), 16), now);
  assert.equal(new Set(ids.map((id) => id.slice(19))).size, ids.length, "the rest is random");
});
