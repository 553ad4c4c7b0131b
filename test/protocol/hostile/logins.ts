/** Attacks on the way in: STARTTLS, SASL and resource binding (RFC 6120 §5–7). */
import assert from "node:assert/strict";
import { NS } from "../../../src/xmpp/ns.ts";
import { auth, bindingOf, response, ScramClient } from "../../support/sasl-client.ts";
import { streamHeader } from "../../support/stream.ts";
import { domain, password, type Attack, type Mallory } from "./attack.ts";

const plain = (username: string, secret = password, authzid = ""): string =>
  auth("PLAIN", `${authzid}\0${username}\0${secret}`);
const raw = (mechanism: string, data: string): string =>
  `<auth xmlns='${NS.sasl}' mechanism='${mechanism}'>${data}</auth>`;
const bind = (resource: string): string =>
  `<iq type='set' id='x'><bind xmlns='${NS.bind}'><resource>${resource}</resource></bind></iq>`;
const greeting = `<message to='juliet@${domain}'><body>who is this from?</body></message>`;
const failure = (condition: string): string => `<failure xmlns='${NS.sasl}'><${condition}/></failure>`;

async function challenged(mallory: Mallory, mechanism: string, first: string): Promise<string> {
  mallory.raw(auth(mechanism, first));
  const challenge = await mallory.receivesNext(`<challenge xmlns='${NS.sasl}'/>`);
  return Buffer.from(challenge.getText(), "base64").toString();
}

export const loginAttacks: readonly Attack[] = [
  {
    name: "commands behind starttls, put there by somebody in between",
    source: "RFC 6120 §5.4.3.3",
    from: "clear",
    async sends(mallory, { juliet }) {
      // One segment: the server has all of it before the handshake begins.
      const injected = streamHeader({ to: domain }) + plain("mallory") + greeting;
      mallory.raw(`<starttls xmlns='${NS.tls}'/>${injected}`);
      await mallory.receives(`<proceed xmlns='${NS.tls}'/>`);
      await mallory.shakesHands();
      await mallory.opens();
      await mallory.receivesNext("<stream:features/>");
      assert.equal(mallory.inbox.length + juliet.inbox.length, 0);
      await mallory.authenticates("mallory", password);
      await mallory.binds();
    },
    answer: "nothing",
  },
  {
    name: "stanzas behind a login that is still being checked",
    source: "RFC 6120 §6.4.6",
    from: "stranger",
    async sends(mallory) {
      mallory.raw(plain("mallory") + greeting + bind("injected"));
      await mallory.receivesNext(`<success xmlns='${NS.sasl}'/>`);
      await mallory.opens();
      await mallory.receivesNext("<stream:features/>");
      assert.doesNotMatch(await mallory.binds(), /injected/);
    },
    answer: "nothing",
  },
  {
    name: "TLS in TLS",
    source: "RFC 6120 §5.4.2.2",
    from: "stranger",
    async sends(mallory) {
      mallory.raw(`<starttls xmlns='${NS.tls}'/>`);
      await mallory.receivesNext(`<failure xmlns='${NS.tls}'/>`);
    },
    answer: "closed",
  },
  {
    name: "a password in the clear",
    source: "RFC 6120 §6.5.4",
    from: "clear",
    sends: [plain("mallory"), auth("SCRAM-SHA-1", "n,,n=mallory,r=abc")],
    answer: { sasl: "encryption-required" },
  },
  {
    name: "stanzas before login",
    source: "RFC 6120 §4.9.3.12",
    from: "stranger",
    sends: [
      greeting,
      "<presence/>",
      bind("phone"),
      `<iq type='get' id='x'><query xmlns='${NS.roster}'/></iq>`,
    ],
    answer: { stream: "not-authorized" },
  },
  {
    name: "stanzas before a resource is bound",
    source: "RFC 6120 §7.1",
    from: "account",
    sends: [greeting, "<presence/>", `<iq type='get' id='x'><query xmlns='${NS.roster}'/></iq>`],
    answer: { stream: "not-authorized" },
  },
  {
    name: "something unknown before login",
    source: "RFC 6120 §4.9.3.24",
    from: "stranger",
    sends: [
      "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>",
      "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>",
      `<success xmlns='${NS.sasl}x'/>`,
    ],
    answer: { stream: "unsupported-stanza-type" },
  },
  {
    name: "to log in as somebody else",
    source: "RFC 6120 §6.3.8, §6.5.6",
    from: "stranger",
    sends: [`juliet@${domain}`, "juliet", domain, "mallory@capulet.test"].map((authzid) =>
      plain("mallory", password, authzid),
    ),
    answer: { sasl: "invalid-authzid" },
  },
  {
    name: "an exchange that was overheard, once more",
    source: "RFC 5802 §9; RFC 6120 §6.5.10",
    from: "stranger",
    async sends(mallory, scene) {
      const settings = { username: "mallory", password, mechanism: "SCRAM-SHA-256", nonce: "overheard" };
      const scram = new ScramClient(settings);
      const overheard = await scene.enters("stranger");
      const proof = response(scram.final(await challenged(overheard, "SCRAM-SHA-256", scram.first())));
      overheard.raw(proof);
      await overheard.receivesNext(`<success xmlns='${NS.sasl}'/>`);
      await challenged(mallory, "SCRAM-SHA-256", scram.first());
      mallory.raw(proof);
      await mallory.receivesNext(failure("not-authorized"));
    },
    answer: { sasl: "not-authorized" },
  },
  {
    name: "the proof of another connection",
    source: "RFC 5802 §6",
    from: "stranger",
    async sends(mallory, scene) {
      const mechanism = "SCRAM-SHA-256-PLUS";
      const binding = bindingOf((await scene.enters("stranger")).socket, "tls-exporter");
      const scram = new ScramClient({ username: "mallory", password, mechanism, binding });
      mallory.raw(response(scram.final(await challenged(mallory, mechanism, scram.first()))));
      await mallory.receivesNext(failure("not-authorized"));
    },
    answer: { sasl: "not-authorized" },
  },
  {
    name: "an offer without channel binding, as if somebody had taken it out",
    source: "RFC 5802 §6",
    from: "stranger",
    sends: ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"].map((name) => auth(name, "y,,n=mallory,r=abc")),
    answer: { sasl: "not-authorized" },
  },
  {
    name: "data that is no base64",
    source: "RFC 6120 §6.5.5",
    from: "stranger",
    sends: ["AGFuYQ", "AG FuYQ==", "*", "AGFuYR==", "==", "AGFuYQ==AGFuYQ=="].map((data) =>
      raw("PLAIN", data),
    ),
    answer: { sasl: "incorrect-encoding" },
  },
  {
    name: "messages that no mechanism knows",
    source: "RFC 6120 §6.5.8",
    from: "stranger",
    sends: [
      raw("PLAIN", "="),
      raw("PLAIN", "A".repeat(9_000)),
      auth("PLAIN", "mallory"),
      raw("PLAIN", Buffer.from([0, 0xc3, 0x28, 0, 0x78]).toString("base64")),
      raw("SCRAM-SHA-1", "AAAA"),
      auth("SCRAM-SHA-256", "n,,m=must,n=mallory,r=abc"),
      auth("SCRAM-SHA-256", "n,,n=mal=lory,r=abc"),
      auth("SCRAM-SHA-256-PLUS", "p=tls-unique,,n=mallory,r=abc"),
      auth("SCRAM-SHA-256", `n,,n=mallory,r=${"\u0001".repeat(20)}`),
    ],
    answer: { sasl: "malformed-request" },
  },
  {
    name: "as many bytes as a stanza may always have",
    source: "RFC 6120 §13.12, §6.5.8",
    from: "stranger",
    sends: raw("PLAIN", "").replace("><", `>${"A".repeat(10_000 - raw("PLAIN", "").length - 1)} <`),
    answer: { sasl: "incorrect-encoding" },
  },
  {
    name: "an answer to no question",
    source: "RFC 6120 §6.5.8",
    from: "stranger",
    sends: [
      response("n,,n=mallory,r=abc"),
      `<challenge xmlns='${NS.sasl}'/>`,
      `<success xmlns='${NS.sasl}'/>`,
    ],
    answer: { sasl: "malformed-request" },
  },
  {
    name: "an exchange in an exchange",
    source: "RFC 6120 §6.5.8",
    from: "stranger",
    async sends(mallory) {
      await challenged(mallory, "SCRAM-SHA-1", "n,,n=juliet,r=abc");
      mallory.raw(plain("mallory"));
      await mallory.receivesNext(failure("malformed-request"));
    },
    answer: { sasl: "malformed-request" },
  },
  {
    name: "mechanisms that are not offered",
    source: "RFC 6120 §6.5.7",
    from: "stranger",
    sends: ["EXTERNAL", "ANONYMOUS", "DIGEST-MD5", "SCRAM-MD5", "plain", "", "PLAIN&apos; OR 1=1 --"].map(
      (name) => raw(name, "="),
    ),
    answer: { sasl: "invalid-mechanism" },
  },
  {
    name: "nobody can have such a name",
    source: "RFC 6120 §6.5.10",
    from: "stranger",
    sends: ["\u0301\u0323".repeat(1_800), "x".repeat(2_000), "mallory/admin", "\u202emallory"].map((name) =>
      plain(name),
    ),
    answer: { sasl: "not-authorized" },
  },
  {
    name: "six guesses",
    source: "RFC 6120 §6.4.5",
    from: "stranger",
    async sends(mallory, { run }) {
      for (let guess = 1; guess <= 5; guess += 1) {
        mallory.raw(plain(`montague${run}`, `guess ${guess}`));
        await mallory.receivesNext(failure("not-authorized"));
      }
      mallory.raw(plain("mallory"));
    },
    answer: { stream: "policy-violation" },
  },
  {
    name: "a password of 1 MB",
    source: "RFC 6120 §13.12",
    from: "stranger",
    sends: plain("mallory", "x".repeat(750_000)),
    answer: { stream: "policy-violation" },
  },
  {
    name: "resources that are none",
    source: "RFC 6120 §7.7.2.1",
    from: "account",
    async sends(mallory) {
      for (const bad of ["x".repeat(1_024), "\u0301\u0323".repeat(60_000), "a\u202eb", "\u{10ffff}"]) {
        const refused = `<iq type='error' id='x'><error type='modify'><bad-request xmlns='${NS.stanzas}'/></error></iq>`;
        await mallory.asks(bind(bad), refused);
      }
      await mallory.binds();
    },
    answer: "nothing",
  },
  {
    name: "a second resource on the same stream",
    source: "RFC 6120 §7.1, §8.3.3.10",
    from: "resource",
    sends: bind("other"),
    answer: { stanza: "cancel not-allowed" },
  },
];
