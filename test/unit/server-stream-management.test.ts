/** XEP-0198 §4, §6: the counters, and the queue of what was not acknowledged. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { StreamManagement } from "../../src/server/stream-management-state.ts";
import { StreamError } from "../../src/xmpp/errors.ts";

/** With so many stanzas sent, and written to the connection. */
function sent(count: number, past = { handled: 0, acknowledged: 0, reach: 0 }): StreamManagement {
  const management = new StreamManagement("id", 600, past);
  for (let n = 1; n <= count; n += 1) {
    management.add(`<message id="${n}"/>`, undefined);
    management.next();
  }
  return management;
}

const waiting = (management: StreamManagement): string[] =>
  management.queue.map(({ text }) => /\d+/.exec(text)![0]);

test("what is acknowledged leaves the queue, from the front", () => {
  const management = sent(3);
  management.acknowledge(0);
  assert.deepEqual(waiting(management), ["1", "2", "3"]);
  management.acknowledge(2);
  assert.deepEqual(waiting(management), ["3"]);
  management.acknowledge(2);
  management.acknowledge(1);
  assert.deepEqual(waiting(management), ["3"], "nothing is taken back");
  management.acknowledge(3);
  assert.deepEqual(waiting(management), []);
});

test("counters wrap at 2^32", () => {
  const management = sent(3, { handled: 2 ** 32 - 1, acknowledged: 2 ** 32 - 2, reach: 0 });
  management.count();
  assert.equal(management.handled, 0);
  management.acknowledge(2 ** 32 - 1);
  assert.deepEqual(waiting(management), ["2", "3"]);
  management.acknowledge(1);
  assert.deepEqual(waiting(management), []);
  assert.throws(() => management.acknowledge(2), /sent 1/);
});

test("who acknowledges more than was sent hears how many were", () => {
  const management = sent(8);
  management.add("<message/>", undefined);
  assert.throws(
    () => management.acknowledge(9),
    (error) =>
      error instanceof StreamError &&
      error.condition === "undefined-condition" &&
      error.app?.toString() === '<handled-count-too-high xmlns="urn:xmpp:sm:3" h="9" send-count="8"/>',
    "one was not sent yet",
  );
  assert.equal(management.queue.length, 9);
});

test("what was written to an earlier connection may be acknowledged, what was not may not", () => {
  const management = sent(2);
  management.add("<message id='3'/>", undefined);
  management.rewind(({ text }) => text);
  assert.throws(() => management.measure(3), StreamError);
  assert.equal(management.measure(2), 2);
  assert.equal(management.measure(0), 0);
});

test("the archive ids are told, each once", () => {
  const management = sent(0);
  for (const id of ["b", "c", undefined, "a", "d"]) management.add("<message/>", id);
  while (management.next());
  assert.deepEqual(management.acknowledge(4), ["b", "c", "a"]);
  assert.deepEqual(management.acknowledge(4), []);
  assert.deepEqual(management.acknowledge(5), ["d"]);
});

test("a request is due for an archived message, or for ten of anything, and once", () => {
  const management = sent(9);
  assert.equal(management.isDue, false);
  management.add("<presence/>", undefined);
  assert.equal(management.isDue, false, "it was not written yet");
  management.next();
  assert.equal(management.isDue, true);
  management.asked();
  management.add("<message/>", "archived");
  management.next();
  assert.equal(management.isDue, false, "one at a time");
  management.acknowledge(10);
  assert.equal(management.isDue, true);
});

test("there may be 20,000 stanzas, or four million characters", () => {
  const many = sent(20_000);
  assert.equal(many.overflows(), false);
  many.add("<presence/>", undefined);
  assert.equal(many.overflows(), true);
  assert.equal(many.overflows(), false, "said once");

  const large = sent(0);
  for (let n = 0; n < 41; n += 1) large.add("x".repeat(102_400), undefined);
  assert.equal(large.overflows(), true);
});
