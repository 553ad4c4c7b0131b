/** Ids sort by when they were made, also as numbers, and whatever the clock does. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { continueAfter, firstOrderOf, newId, orderOf } from "../../src/xmpp/id.ts";

test("the order of ids is that of their making, as text and as numbers", () => {
  const now = Date.now();
  const ids = [
    // More in a millisecond than it has room for, then a clock that goes back, and on.
    ...Array.from({ length: 10_000 }, () => newId(now)),
    ...Array.from({ length: 100 }, () => newId(now - 86_400_000)),
    newId(now + 5_000),
  ];
  assert.deepEqual([...ids].sort(), ids);
  const orders = ids.map((id) => orderOf(id)!);
  assert(orders.every((order, at) => Number.isSafeInteger(order) && order > (orders[at - 1] ?? 0)));
  assert(orders[0]! >= firstOrderOf(now) && orders.at(-1)! === firstOrderOf(now + 5_000));
});

test("ids go on behind those of an earlier process", () => {
  const ahead = Date.now() + 60_000;
  const before = orderOf(newId(ahead))! + 7;
  continueAfter(before);
  assert.equal(orderOf(newId()), before + 1);
  // What is older than the newest changes nothing.
  continueAfter(firstOrderOf(0));
  assert.equal(orderOf(newId()), before + 2);
});

test("what is no such id has no order", () => {
  const others = ["", "1", "x".repeat(36), "de305d54-75b4-431b-adb2-eb6b9e546013", `${newId().slice(0, 17)}`];
  for (const one of others) assert.equal(orderOf(one), undefined, one);
});

test("numbers are safe for longer than the program", () => {
  assert(Number.isSafeInteger(firstOrderOf(Date.UTC(2089))));
});
