/** XEP-0202: Entity Time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { timeZone } from "../../src/modules/time.ts";
import { child, childText } from "../../src/xmpp/xml.ts";
import { cast } from "../support/cast.ts";

test("the server tells the time", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  const before = Date.now();
  const reply = await stage.actors.juliet.asks(
    `<iq type='get' to='${stage.domain}'><time xmlns='urn:xmpp:time'/></iq>`,
    `<iq type='result' from='${stage.domain}'>
       <time xmlns='urn:xmpp:time'><tzo>{any}</tzo><utc>{any}</utc></time></iq>`,
  );
  const time = child(reply, "time", "urn:xmpp:time")!;
  assert.match(childText(time, "tzo")!, /^[+-]\d\d:\d\d$/);
  const utc = childText(time, "utc")!;
  assert.match(utc, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  const told = Date.parse(utc);
  // A second that was cut off at its start is no fault.
  assert(told >= before - 1000 && told <= Date.now(), utc);
});

test("a time zone has a sign, hours and minutes (XEP-0082)", () => {
  const zones = { 0: "+00:00", 330: "+05:30", [-210]: "-03:30", 765: "+12:45", [-60]: "-01:00" };
  for (const [offset, written] of Object.entries(zones)) assert.equal(timeZone(Number(offset)), written);
});
