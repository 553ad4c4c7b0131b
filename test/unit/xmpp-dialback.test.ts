/** XEP-0185 §3, and what a key must not be good for. */
import assert from "node:assert";
import { test } from "node:test";
import { dialbackKey, isDialbackKey } from "../../src/xmpp/dialback.ts";

const scope = {
  secret: "s3cr3tf0rd14lb4ck",
  receiving: "xmpp.example.com",
  originating: "example.org",
  streamId: "D60000229F",
};
const key = "37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643";

test("the example of XEP-0185", () => {
  assert.equal(dialbackKey(scope), key);
  assert(isDialbackKey(key, scope));
});

test("a key with the white space that the examples have around it", () => {
  assert(isDialbackKey(`\n    ${key}\n`, scope));
});

test("another key is refused, whatever its length", () => {
  for (const other of [
    "",
    key.slice(1),
    `${key}0`,
    key.replace("3", "4"),
    key.toUpperCase(),
    "é".repeat(32),
  ]) {
    assert(!isDialbackKey(other, scope), other);
  }
});

test("a key is good for one pair of domains on one stream", () => {
  const others = [
    { secret: "another" },
    { receiving: "example.com" },
    { originating: "example.com" },
    { streamId: "D60000229E" },
    { receiving: scope.originating, originating: scope.receiving },
    // XEP-0185 §2: where one name ends and the next begins counts.
    { receiving: "xmpp.example.comexample", originating: ".org" },
  ];
  for (const other of others) assert(!isDialbackKey(key, { ...scope, ...other }), JSON.stringify(other));
});
