/** XEP-0198 §4: counting what was sent. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Outbox } from "../../src/server/s2s-outbox.ts";

function outbox(counted?: number): { box: Outbox; told: string[]; send(...names: string[]): void } {
  const box = new Outbox();
  const told: string[] = [];
  if (counted !== undefined) box.count(counted);
  const send = (...names: string[]): void => {
    for (const name of names) box.push((outcome) => told.push(`${name} ${outcome}`));
  };
  return { box, told, send };
}

describe("an outbox", () => {
  it("settles what is acknowledged, once, in order", () => {
    const { box, told, send } = outbox(0);
    send("a", "b", "c");
    assert.ok(box.acknowledge(2));
    assert.ok(box.acknowledge(2));
    assert.deepEqual(told, ["a done", "b done"]);
    box.settleAll("lost");
    assert.deepEqual(told.at(-1), "c lost");
    assert.equal(box.size, 0);
  });

  it("counts on from zero after 2^32", () => {
    const { box, told, send } = outbox(2 ** 32 - 2);
    send("a", "b", "c", "d");
    assert.ok(box.acknowledge(2 ** 32 - 1));
    assert.ok(box.acknowledge(0));
    assert.deepEqual(told, ["a done", "b done"]);
    assert.equal(box.sent, 2);
    assert.ok(box.acknowledge(2));
    assert.equal(box.size, 0);
  });

  it("refuses more than was sent, and less than was acknowledged", () => {
    const { box, told, send } = outbox(0);
    send("a", "b");
    assert.ok(!box.acknowledge(3));
    assert.deepEqual(told, []);
    assert.ok(box.acknowledge(1));
    assert.ok(!box.acknowledge(0));
    assert.equal(box.size, 1);
  });

  it("knows that what came before counting has arrived with what came after", () => {
    const { box, told, send } = outbox();
    assert.ok(!box.acknowledge(0));
    send("a", "b");
    box.count();
    assert.equal(box.sent, 0);
    send("c");
    assert.equal(box.sent, 1);
    assert.ok(box.acknowledge(1));
    assert.deepEqual(told, ["a done", "b done", "c done"]);
  });

  it("settles up to a position", () => {
    const { box, told, send } = outbox();
    send("a");
    const { position } = box;
    send("b");
    box.settle(position);
    assert.deepEqual(told, ["a done"]);
    assert.equal(box.size, 1);
  });
});
