/** XEP-0215: External Service Discovery. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import type { ConfigInput } from "../../src/config.ts";
import { attr, child, children, type Element } from "../../src/xmpp/xml.ts";
import { cast } from "../support/cast.ts";
import { ComponentActor } from "../support/component.ts";

const ns = "urn:xmpp:extdisco:2";
const services = [
  { type: "stun", host: "stun.shakespeare.lit", port: 9998, transport: "udp" },
  { type: "turn", host: "relay.shakespeare.lit", port: 9999, transport: "udp", secret: "north", ttl: 3600 },
  { type: "turn", host: "relay.shakespeare.lit", port: 443, transport: "tcp", secret: "north" },
  { type: "turn", host: "192.0.2.1", username: "guest", password: "welcome", name: "The old one" },
] as const satisfies ConfigInput["services"];
const config: ConfigInput = { services: [...services], components: { bot: { secret: "x" } } };

const found = (reply: Element, name = "services"): Element[] => children(child(reply, name, ns)!);

test("the domain announces it, and lists its services with what each account needs for them", async (t) => {
  await using stage = await cast(t, { bard: {} }, { config });
  const { bard } = stage.actors;
  const info = "http://jabber.org/protocol/disco#info";
  await bard.asks(
    `<iq type='get' to='pipit.test'><query xmlns='${info}'/></iq>`,
    `<iq type='result'><query xmlns='${info}'><feature var='${ns}'/></query></iq>`,
  );
  const reply = await bard.asks(
    `<iq type='get' to='pipit.test'><services xmlns='${ns}'/></iq>`,
    `<iq type='result'><services xmlns='${ns}'>
       <service type='stun' host='stun.shakespeare.lit' port='9998' transport='udp' username='{none}' restricted='{none}'/>
       <service type='turn' host='relay.shakespeare.lit' port='9999' transport='udp' restricted='true'/>
       <service type='turn' host='relay.shakespeare.lit' port='443' transport='tcp' restricted='true'/>
       <service type='turn' host='192.0.2.1' username='guest' password='welcome' name='The old one' port='{none}'
                expires='{none}' restricted='true'/>
     </services></iq>`,
  );
  assert.deepEqual(
    found(reply).map((one) => attr(one, "host")),
    services.map(({ host }) => host),
  );
});

test("a password made with the secret is good until it expires, and tells not whose it is", async (t) => {
  await using stage = await cast(t, { bard: {}, will: {} }, { config });
  const { bard, will } = stage.actors;
  const ask = `<iq type='get' to='pipit.test'><services xmlns='${ns}' type='turn'/></iq>`;
  const before = Math.floor(Date.now() / 1000);
  const reply = await bard.asks(ask, `<iq type='result'><services xmlns='${ns}' type='turn'/></iq>`);
  const [turn] = found(reply);
  assert.equal(found(reply).length, 3);
  const [expiry = "", person] = attr(turn!, "username")!.split(":");
  assert.equal(
    attr(turn!, "password"),
    createHmac("sha1", "north").update(`${expiry}:${person}`).digest("base64"),
  );
  assert.equal(Date.parse(attr(turn!, "expires")!), Number(expiry) * 1000);
  assert(Number(expiry) >= before + 3600 && Number(expiry) <= Date.now() / 1000 + 3600);
  assert.match(person!, /^[0-9a-f]{16}$/);
  const [other] = found(await will.asks(ask));
  assert.notEqual(attr(other!, "username")!.split(":")[1], person);
});

test("credentials are given for the service that is asked for", async (t) => {
  await using stage = await cast(t, { bard: {} }, { config });
  const ask = (inside: string, shape: string) =>
    stage.actors.bard.asks(
      `<iq type='get' to='pipit.test'><credentials xmlns='${ns}'>${inside}</credentials></iq>`,
      shape,
    );
  const both = await ask("<service type='turn' host='relay.shakespeare.lit'/>", "<iq type='result'/>");
  assert.deepEqual(
    found(both, "credentials").map((one) => attr(one, "port")),
    ["9999", "443"],
  );
  const one = await ask(
    "<service type='turn' host='relay.shakespeare.lit' port='443'/>",
    "<iq type='result'/>",
  );
  assert.deepEqual(
    found(one, "credentials").map((one) => attr(one, "port")),
    ["443"],
  );
  const refusal = (condition: string): string =>
    `<iq type='error'><error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`;
  await ask("<service type='stun' host='stun.shakespeare.lit'/>", refusal("item-not-found"));
  await ask("<service type='turn' host='elsewhere.lit'/>", refusal("item-not-found"));
  await ask("<service type='turn'/>", refusal("bad-request"));
  await ask("", refusal("bad-request"));
});

test("strangers are told nothing", async (t) => {
  await using stage = await cast(t, {}, { config });
  const bot = await ComponentActor.joins(stage.node.ports.component!, "bot.pipit.test", "x");
  for (const payload of ["services", "credentials"]) {
    await bot.asks(
      `<iq type='get' from='ann@bot.pipit.test' to='pipit.test'><${payload} xmlns='${ns}'/></iq>`,
      "<iq type='error'><error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
    );
  }
  await bot.ends();
});
