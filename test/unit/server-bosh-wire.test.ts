/** XEP-0124: one session, request by request, on a clock of the test's own. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { BoshWire } from "../../src/server/bosh-wire.ts";
import { limitsAfterAuthentication, parseElement, type ParserEvent } from "../../src/xmpp/parser.ts";
import { attr, children, type Element } from "../../src/xmpp/xml.ts";

const httpBind = "http://jabber.org/protocol/httpbind";
const message = (body: string): string => `<message><body>${body}</body></message>`;
const request = (rid: number, attrs = "", payload = ""): Element =>
  parseElement(`<body xmlns="${httpBind}" rid="${rid}" ${attrs}>${payload}</body>`);

/** A session whose first request was answered, and what its stream is told. */
async function begun(t: TestContext, take = true) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const heard: ParserEvent[] = [];
  let isLost = false;
  const first = request(1, `wait="30" hold="1"`);
  const wire = new BoshWire(first, {
    ...{ domain: "pipit.test", address: "192.0.2.1", limits: limitsAfterAuthentication },
    gone: () => undefined,
  });
  const end = {
    arrived: () => void (take && heard.push(...wire.take())),
    drained: () => undefined,
    finished: () => undefined,
    broke: () => undefined,
    secured: () => undefined,
    lost: () => void (isLost = true),
  };
  wire.attach(end);
  const answer = wire.request(first);
  wire.send([message("hello")]);
  await answer;
  return { wire, heard, isLost: () => isLost };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("who does not come back is gone, however much is said to them meanwhile (§10)", async (t) => {
  const { wire, isLost } = await begun(t);
  for (let seconds = 0; seconds < 60; seconds += 10) {
    wire.send([message("are you there?")]);
    await turn();
    assert.equal(isLost(), false);
    t.mock.timers.tick(10_000);
  }
  assert.equal(isLost(), true);
});

test("a pause lasts as long as was asked for, however much is said meanwhile (§10)", async (t) => {
  const { wire, isLost } = await begun(t);
  assert.equal(children(parseElement(await wire.request(request(2, `pause="100"`)))).length, 0);
  t.mock.timers.tick(99_000);
  wire.send([message("are you there?")]);
  await turn();
  assert.equal(isLost(), false);
  t.mock.timers.tick(1_000);
  assert.equal(isLost(), true);
});

test("a request that comes twice before its turn is answered both times (§14.2)", async (t) => {
  const { wire } = await begun(t);
  const broken = wire.request(request(3));
  const again = wire.request(request(3));
  assert.equal(attr(parseElement(await broken), "type"), "error");
  const first = wire.request(request(2));
  assert.equal(children(parseElement(await first)).length, 0);
  wire.send([message("hello")]);
  assert.equal(children(parseElement(await again)).length, 1);
  wire.destroy();
});

test("what comes when nobody listens any more is dropped", async (t) => {
  const { wire, heard } = await begun(t, false);
  const answer = wire.request(request(2, "", `<presence xmlns="jabber:client"/>`));
  wire.destroy();
  assert.equal(attr(parseElement(await answer), "type"), "terminate");
  assert.deepEqual(heard, []);
});
