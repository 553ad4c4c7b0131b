/** RFC 6120 §10.4: two servers, and people who speak with each other across them. */
import { test } from "node:test";
import { world } from "../support/world.ts";

test("a message and its answer cross between two servers", async (t) => {
  await using verona = await world(t, { capulet: { juliet: {} }, montague: { romeo: {} } });
  const { juliet, romeo } = verona.actors;
  juliet.sends(`<message to='${romeo.bare}' type='chat' id='1'><body>Hist! Romeo, hist!</body></message>`);
  await romeo.receives(
    `<message from='${juliet.full}' to='${romeo.bare}' type='chat' id='1'><body>Hist! Romeo, hist!</body></message>`,
  );
  romeo.sends(`<message to='${juliet.full}' type='chat'><body>My dear?</body></message>`);
  await juliet.receives(`<message from='${romeo.full}' to='${juliet.full}'><body>My dear?</body></message>`);
  await romeo.receivesNothing();
});
