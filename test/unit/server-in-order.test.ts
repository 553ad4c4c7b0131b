/** What is under way at once comes to its end in the order in which it began. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { InOrder } from "../../src/server/in-order.ts";

/** Something that is under way until it is told otherwise. */
function work() {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const through = new Promise<void>((done, failed) => ([resolve, reject] = [done, failed]));
  return { through, resolve, reject };
}

test("whatever is through first, and whoever waits for all", async () => {
  const ended: string[] = [];
  const order = new InOrder((error) => ended.push((error as Error).message));
  order.behind(() => ended.push("at once"));
  const [slow, quick, bad] = [work(), work(), work()];
  order.follow(slow.through, () => ended.push("slow"));
  order.follow(quick.through, () => ended.push("quick"));
  order.behind(() => ended.push("behind"));
  order.follow(bad.through, () => ended.push("bad"));
  const idle = order.idle!;
  void idle.then(() => ended.push("idle"));
  quick.resolve();
  bad.reject(new Error("it failed"));
  await quick.through;
  await assert.rejects(bad.through);
  assert.deepEqual(ended, ["at once"]);
  slow.resolve();
  await idle;
  assert.deepEqual(ended, ["at once", "slow", "quick", "behind", "it failed", "idle"]);
  assert.equal(order.idle, undefined);
});

test("a stream has only so much under way", async () => {
  const order = new InOrder((error) => assert.ifError(error));
  const one = work();
  let begun = 0;
  for (; !order.isFull; begun += 1) order.follow(one.through, () => undefined);
  assert.equal(begun, 256);
  one.resolve();
  await order.idle;
  assert.equal(order.isFull, false);
});
