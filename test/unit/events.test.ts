/** Events: everybody hears them, nobody can stop them, and who has to can wait for the listeners. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { Events } from "../../src/events.ts";

interface Told {
  "post.published": { id: string };
  "post.deleted": { id: string };
}

function stage(): { events: Events<Told>; logged: string[] } {
  const logged: string[] = [];
  return { events: new Events(pino({}, { write: (line: string) => void logged.push(line) })), logged };
}

/** A listener that is through when it is told so. */
function gate(): { listener: () => Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { listener: () => opened, open };
}

test("listeners hear their events at once, in the order in which they came", () => {
  const { events } = stage();
  const heard: string[] = [];
  events.on("post.published", ({ id }) => void heard.push(`first ${id}`));
  events.on("post.published", ({ id }) => void heard.push(`second ${id}`));
  events.on("post.deleted", ({ id }) => void heard.push(`gone ${id}`));
  events.emit("post.published", { id: "a" });
  assert.deepEqual(heard, ["first a", "second a"]);
});

test("a listener that fails is logged, and neither the teller nor the next one minds", async () => {
  const { events, logged } = stage();
  let heard = 0;
  events.on("post.published", () => {
    throw new Error("at once");
  });
  events.on("post.published", () => Promise.reject(new Error("later")));
  events.on("post.published", () => void (heard += 1));
  events.emit("post.published", { id: "a" });
  await events.idle();
  assert.equal(heard, 1);
  assert.deepEqual(
    logged.map((line) => (JSON.parse(line) as { err: { message: string } }).err.message),
    ["at once", "later"],
  );
});

test("settle waits for all listeners, and tells whether they could do their work", async () => {
  const { events } = stage();
  const { listener, open } = gate();
  events.on("post.published", listener);
  let settled = false;
  const done = events.settle("post.published", { id: "a" }).then((well) => {
    settled = true;
    return well;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(settled, false);
  open();
  assert.equal(await done, true);
  events.on("post.published", () => Promise.reject(new Error("no")));
  assert.equal(await events.settle("post.published", { id: "b" }), false);
  assert.equal(await events.settle("post.deleted", { id: "c" }), true);
});

test("idle waits for what listeners have begun, and for what they begin meanwhile", async () => {
  const { events } = stage();
  const { listener, open } = gate();
  const heard: string[] = [];
  events.on("post.published", async ({ id }) => {
    await listener();
    heard.push(id);
    if (id === "a") events.emit("post.published", { id: "b" });
  });
  await events.idle();
  events.emit("post.published", { id: "a" });
  setImmediate(open);
  await events.idle();
  assert.deepEqual(heard, ["a", "b"]);
});
