/** XEP-0059: result sets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { StanzaError } from "../../src/xmpp/errors.ts";
import { parseElement } from "../../src/xmpp/parser.ts";
import { parseRsm, rsmElement } from "../../src/xmpp/rsm.ts";
import { serialize } from "../../src/xmpp/xml.ts";

const request = (set: string) =>
  parseRsm(parseElement(`<query><set xmlns='http://jabber.org/protocol/rsm'>${set}</set></query>`));

test("requests (§2)", () => {
  assert.deepEqual(request("<max>10</max>"), { max: 10 });
  assert.deepEqual(request("<max>0</max>"), { max: 0 });
  assert.deepEqual(request("<max>10</max><after>peter@pan</after>"), { max: 10, after: "peter@pan" });
  assert.deepEqual(request("<max> 10\n</max><before/>"), { max: 10, before: "" });
  assert.deepEqual(request("<before>x</before>"), { before: "x" });
  assert.deepEqual(request("<index>371</index><max>10</max>"), { max: 10, index: 371 });
  assert.deepEqual(request("<after/>"), {});
  assert.equal(parseRsm(parseElement("<query><set/></query>")), undefined);
});

test("what is not a whole number is a bad request", () => {
  for (const number of ["", "-1", "1.5", "ten", "0x10", "1e3", "99999999999999999999", "٣"]) {
    for (const name of ["max", "index"]) {
      assert.throws(
        () => request(`<${name}>${number}</${name}>`),
        (thrown) => thrown instanceof StanzaError && thrown.condition === "bad-request",
        number,
      );
    }
  }
});

test("responses", () => {
  const ns = 'xmlns="http://jabber.org/protocol/rsm"';
  assert.equal(
    serialize(rsmElement({ count: 800, first: { id: "a", index: 0 }, last: "b" })),
    `<set ${ns}><first index="0">a</first><last>b</last><count>800</count></set>`,
  );
  assert.equal(serialize(rsmElement({ count: 0 })), `<set ${ns}><count>0</count></set>`);
  assert.equal(
    serialize(rsmElement({ first: { id: "a" }, last: "a" })),
    `<set ${ns}><first>a</first><last>a</last></set>`,
  );
});
