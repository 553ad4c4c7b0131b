/** The contract of modules (design §4), seen through modules that people add by `modules` in the settings. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { cast } from "../support/cast.ts";

const errors = new URL("../../src/xmpp/errors.js", import.meta.url);
const elements = new URL("../../src/xmpp/xml.js", import.meta.url);

/** Files of modules, each given by the text of its default export; their paths. */
async function files(t: TestContext, ...modules: string[]): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "pipit-modules-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return Promise.all(
    modules.map(async (module, index) => {
      const file = join(folder, `${index}.mjs`);
      await writeFile(
        file,
        `import { StanzaError } from "${errors}"; import { xml } from "${elements}"; export default ${module};`,
      );
      return file;
    }),
  );
}

const refusal = (stanza: string, condition: string): string =>
  `<${stanza} type='error'><error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></${stanza}>`;

test("a module of one's own answers iqs, announces features and hears events", async (t) => {
  const modules = await files(
    t,
    `{
      name: "greeting",
      features: { server: ["urn:example:greeting"] },
      setup: ({ config, log }) => ({
        iq: [{
          type: "get", target: "server", xmlns: "urn:example:greeting", name: "hello",
          handle: ({ from }) => xml("hello", { xmlns: "urn:example:greeting" }, from.local + " at " + config.domain),
        }],
        events: { "session.bound": ({ session }) => log.info("hello, " + session.jid.full) },
      }),
    }`,
  );
  await using stage = await cast(t, { juliet: {} }, { config: { modules } });
  const { juliet } = stage.actors;
  const hello = "<hello xmlns='urn:example:greeting'/>";
  await juliet.asks(
    `<iq type='get' to='${stage.domain}'>${hello}</iq>`,
    `<iq type='result'><hello xmlns='urn:example:greeting'>juliet at ${stage.domain}</hello></iq>`,
  );
  const info = "http://jabber.org/protocol/disco#info";
  await juliet.asks(
    `<iq type='get' to='${stage.domain}'><query xmlns='${info}'/></iq>`,
    `<iq type='result'><query xmlns='${info}'><feature var='urn:example:greeting'/></query></iq>`,
  );
  assert(stage.log.some(({ msg }) => msg === `hello, ${juliet.full}`));
  // There is a get and no set, at the server and at no other address.
  await juliet.asks(
    `<iq type='set' to='${stage.domain}'>${hello}</iq>`,
    refusal("iq", "service-unavailable"),
  );
  await juliet.asks(`<iq type='get'>${hello}</iq>`, refusal("iq", "service-unavailable"));
});

test("two modules that answer the same request do not start", async (t) => {
  const modules = await files(
    t,
    `{ name: "other-ping", setup: () => ({ iq: [
      { type: "get", target: "server", xmlns: "urn:xmpp:ping", name: "ping", handle() {} },
    ] }) }`,
  );
  await assert.rejects(cast(t, {}, { config: { modules } }), /other-ping and ping both answer/);
});

test("two modules that serve the same address do not start", async (t) => {
  const service = (name: string): string =>
    `{ name: "${name}", setup: ({ config }) => ({ services: [
      { name: "${name}", address: "bot@" + config.domain, identities: [], features: [] },
    ] }) }`;
  const modules = await files(t, service("one"), service("other"));
  await assert.rejects(cast(t, {}, { config: { modules } }), /Two modules serve bot@pipit\.test/);
});

test("what is no module does not start", async (t) => {
  const [notOne, broken] = await files(t, `{ name: "half" }`, `{ this is no JavaScript }`);
  await assert.rejects(cast(t, {}, { config: { modules: [notOne!] } }), /has no module/);
  await assert.rejects(cast(t, {}, { config: { modules: [broken!] } }), /cannot be loaded/);
});

test("a filter that crashes stops the stanza and answers an error, without its reason", async (t) => {
  const modules = await files(
    t,
    `{ name: "crashing", setup: () => ({
      message: { filter({ stanza, direction }) {
        if (direction === "in" && stanza.getChild("body")) throw new Error("the secret of the house");
      } },
    }) }`,
    // A promise that rejects is a crash as well.
    `{ name: "crashing-later", setup: () => ({
      message: { async filter({ stanza, direction }) {
        if (direction === "out" && stanza.getChild("subject")) throw new Error("the secret of the house");
      } },
    }) }`,
  );
  await using stage = await cast(t, { juliet: {}, romeo: {} }, { config: { modules } });
  const { juliet, romeo } = stage.actors;
  for (const child of ["body", "subject"]) {
    romeo.sends(`<message id='${child}' type='chat' to='${juliet.bare}'><${child}>Hi</${child}></message>`);
    const reply = await romeo.receives(
      `<message id='${child}' type='error' from='${juliet.bare}'><${child}>Hi</${child}>
         <error><internal-server-error xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`,
    );
    assert(!reply.toString().includes("secret"));
    assert.match(stage.logged("a stanza could not be handled").err?.message ?? "", /secret/);
  }
  await juliet.receivesNothing();
  // What the filters let pass still passes.
  romeo.sends(`<message type='chat' to='${juliet.bare}'><thread>t</thread></message>`);
  await juliet.receives(`<message type='chat' from='${romeo.full}'><thread>t</thread></message>`);
});

test("a filter refuses with the condition that it throws", async (t) => {
  const modules = await files(
    t,
    `{ name: "refusing", setup: () => ({
      message: { filter() { throw new StanzaError("not-acceptable", { text: "Not today" }); } },
    }) }`,
  );
  await using stage = await cast(t, { juliet: {}, romeo: {} }, { config: { modules } });
  const { juliet, romeo } = stage.actors;
  romeo.sends(`<message type='chat' to='${juliet.bare}'><body>Hi</body></message>`);
  await romeo.receives(
    `<message type='error'><error type='modify'>
       <not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>
       <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>Not today</text></error></message>`,
  );
  await juliet.receivesNothing();
});

test("an iq handler that crashes answers an error, and the stream goes on", async (t) => {
  const crash = `handle() { throw new Error("the secret of the house"); }`;
  const later = `async handle() { throw new Error("the secret of the house"); }`;
  const route = (name: string, handle: string): string =>
    `{ type: "get", target: "self", xmlns: "urn:example:crash", name: "${name}", ${handle} }`;
  const modules = await files(
    t,
    `{ name: "crashing", setup: () => ({ iq: [${route("now", crash)}, ${route("later", later)}] }) }`,
  );
  await using stage = await cast(t, { juliet: {} }, { config: { modules } });
  const { juliet } = stage.actors;
  for (const name of ["now", "later"]) {
    const reply = await juliet.asks(
      `<iq type='get'><${name} xmlns='urn:example:crash'/></iq>`,
      refusal("iq", "internal-server-error"),
    );
    assert(!reply.toString().includes("secret"));
    stage.logged("a stanza could not be handled");
  }
  await juliet.pings();
});

test("a listener that fails is logged, and hurts nobody", async (t) => {
  const listener = (body: string): string =>
    `{ name: "listening", setup: ({ log }) => ({ events: { "presence.available": ${body} } }) }`;
  const modules = await files(
    t,
    listener(`() => { throw new Error("now"); }`),
    listener(`async () => { throw new Error("later"); }`),
    listener(`({ session }) => log.info("heard of " + session.jid.full)`),
  );
  await using stage = await cast(t, { juliet: { presence: false } }, { config: { modules } });
  const { juliet } = stage.actors;
  juliet.sends("<presence/>");
  await juliet.receives(`<presence from='${juliet.full}'/>`);
  await stage.settle();
  assert.equal(stage.logged("an event listener failed").err?.message, "now");
  assert.equal(stage.logged("an event listener failed").err?.message, "later");
  assert(stage.log.some(({ msg }) => msg === `heard of ${juliet.full}`));
});

test("errors and results are never answered", async (t) => {
  const modules = await files(
    t,
    `{ name: "crashing", setup: () => ({
      message: { filter({ stanza }) { if (stanza.getChild("crash")) throw new Error("crash"); } },
    }) }`,
  );
  await using stage = await cast(t, { juliet: {}, romeo: {} }, { config: { modules } });
  const { romeo, juliet } = stage.actors;
  const failed = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
  const addresses = [
    stage.domain,
    juliet.bare,
    `${juliet.bare}/gone`,
    stage.bare("nobody"),
    "@malformed",
    "other.test",
  ];
  for (const to of addresses) {
    romeo.sends(`<message type='error' id='1' to='${to}'>${failed}</message>`);
    romeo.sends(`<presence type='error' id='2' to='${to}'>${failed}</presence>`);
    romeo.sends(`<iq type='error' id='3' to='${to}'>${failed}</iq>`);
    romeo.sends(`<iq type='result' id='4' to='${to}'/>`);
  }
  romeo.sends(`<message type='error' to='${juliet.bare}'><crash/>${failed}</message>`);
  await romeo.receivesNothing();
  stage.logged("a stanza could not be handled");
  juliet.inbox.length = 0;
});
