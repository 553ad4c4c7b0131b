/** One stanza to many: serialised once, whoever it goes to (design §3, rule 6). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger } from "../../src/log.ts";
import { Registry } from "../../src/server/registry.ts";
import { Router } from "../../src/server/router.ts";
import { Session } from "../../src/server/session.ts";
import { Sessions } from "../../src/server/sessions.ts";
import { parseJid, type Jid } from "../../src/xmpp/jid.ts";
import { xml, type Element } from "../../src/xmpp/xml.ts";

const recipients = (count: number): Jid[] =>
  Array.from({ length: count }, (_, index) => parseJid(`fan${index}@pipit.test/phone`)!);

/** A router whose sessions keep what they are sent. */
function house(jids: readonly Jid[]): { router: Router; sent: Map<string, string[]> } {
  const sessions = new Sessions();
  const sent = new Map<string, string[]>();
  for (const jid of jids) {
    const texts: string[] = [];
    sent.set(jid.full, texts);
    sessions.add(
      new Session(
        jid,
        { isOpen: true, isFull: false, write: (text) => void texts.push(text), close() {} },
        "127.0.0.1",
      ),
    );
  }
  const options = { domain: "pipit.test", sessions, registry: new Registry(), log: createLogger("silent") };
  return { router: new Router({ ...options, accountExists: async () => true }), sent };
}

/** A notification whose payload counts how often it is read to be written. */
function notification(): { stanza: Element; reads: () => number } {
  const payload = xml("entry", { xmlns: "http://www.w3.org/2005/Atom" }, xml("title", {}, "Hi & ho"));
  const stanza = xml("message", { from: "ana@pipit.test", type: "headline" }, payload);
  const { children } = payload;
  let reads = 0;
  Object.defineProperty(payload, "children", {
    get() {
      reads += 1;
      return children;
    },
  });
  return { stanza, reads: () => reads };
}

test("a stanza to many is written once, and only the address differs", async () => {
  const readsFor = async (count: number): Promise<number> => {
    const jids = recipients(count);
    const { router, sent } = house(jids);
    const { stanza, reads } = notification();
    await router.multicast(stanza, jids);
    for (const { full } of jids) {
      const [text, ...more] = sent.get(full)!;
      assert.deepEqual(more, []);
      assert.equal(
        text,
        `<message to="${full}" from="ana@pipit.test" type="headline">` +
          `<entry xmlns="http://www.w3.org/2005/Atom"><title>Hi &amp; ho</title></entry></message>`,
      );
    }
    return reads();
  };
  assert.equal(await readsFor(500), await readsFor(1));
});

test("an address is written as text, whatever its resource is made of", async () => {
  const jid = parseJid("fan@pipit.test/\"<'&>")!;
  const { router, sent } = house([jid]);
  await router.multicast(notification().stanza, [jid]);
  assert.match(sent.get(jid.full)![0]!, /^<message to="fan@pipit\.test\/&quot;&lt;&apos;&amp;&gt;" from="/);
});

test("a recipient that cannot be reached keeps nobody else waiting", async () => {
  const jids = recipients(3);
  const { router, sent } = house(jids);
  const strangers = ["other.test", "nobody@other.test/phone", "fan1@pipit.test/gone"].map((one) =>
    parseJid(one)!,
  );
  await router.multicast(notification().stanza, [...strangers, ...jids]);
  for (const texts of sent.values()) assert.equal(texts.length, 1);
});
