/** Attacks with stanzas: addresses, presence, rosters, vCards and the timeline (RFC 6120 §8, RFC 6121). */
import assert from "node:assert/strict";
import { NS } from "../../../src/xmpp/ns.ts";
import { attr } from "../../../src/xmpp/xml.ts";
import { domain, many, type Attack } from "./attack.ts";

export const timeline = `timeline@${domain}`;
/** The id of the message by which juliet has posted something. */
export const postedByJuliet = "love";
const ping = `<ping xmlns='${NS.ping}'/>`;
const roster = (items: string, attrs = ""): string =>
  `<iq type='set' id='x'${attrs}><query xmlns='${NS.roster}'>${items}</query></iq>`;
const vcard = (content: string, attrs = ""): string =>
  `<iq type='set' id='x'${attrs}><vCard xmlns='${NS.vcard}'>${content}</vCard></iq>`;
const post = (body: string, rest = "", id = "x"): string =>
  `<message to='${timeline}' type='chat' id='${id}'><body>${body}</body>${rest}</message>`;
const presence = (priority: string): string => `<presence id='x'><priority>${priority}</priority></presence>`;

const malformed = [
  `@${domain}`,
  `two words@${domain}`,
  `&quot;@${domain}`,
  `a@b@${domain}`,
  `mallory@${domain}/`,
  `mallory@`,
  `${"x".repeat(1_024)}@${domain}`,
  `mallory@${domain}/${"x".repeat(1_024)}`,
  `juliet@${domain}\u202e`,
  `mallory@${domain}/\u2028`,
  "\u0301\u0323".repeat(30_000),
  "x..y",
  `juliet@${"x".repeat(64)}.test`,
  "[::1",
];

export const stanzaAttacks: readonly Attack[] = [
  {
    name: "somebody else's name as the sender",
    source: "RFC 6120 §8.1.2.1, §4.9.3.9",
    from: "resource",
    sends: [`juliet@${domain}`, domain, `mallory@${domain}/other`, "mallory@capulet.test", "", "@"].map(
      (from) => `<message from='${from}' to='juliet@${domain}'><body>It was the nightingale</body></message>`,
    ),
    answer: { stream: "invalid-from" },
  },
  {
    name: "odd, but legal",
    source: "RFC 6120 §4.8.5, §11.2; XML 1.0 §2.4, §4.1",
    from: "resource",
    sends: [
      `<c:iq xmlns:c='${NS.client}' type='get' id='x' to='${domain}'><p:ping xmlns:p='${NS.ping}'/></c:iq>`,
      `<iq\n\ttype="g&#101;t" id='x'\r\nto='${domain.toUpperCase()}.' ><ping xmlns='urn&#58;xmpp:ping'></ping ></iq >`,
      `<iq type='get' id='x' xmlns:a='urn:a' a:to='mallory' to='${domain}'><![CDATA[<]]><ping xmlns='${NS.ping}'/>]]&gt;</iq>`,
    ],
    answer: "result",
  },
  {
    name: "what is no stanza",
    source: "RFC 6120 §4.9.3.24",
    from: "resource",
    sends: [
      `<message xmlns='${NS.server}' to='juliet@${domain}'/>`,
      "<message xmlns='urn:mallory'/>",
      "<note/>",
      `<auth xmlns='${NS.sasl}' mechanism='PLAIN'/>`,
      `<starttls xmlns='${NS.tls}'/>`,
      "<r xmlns='urn:mallory:sm'/>",
      `<stream:features/>`,
    ],
    answer: { stream: "unsupported-stanza-type" },
  },
  {
    name: "a stanza behind the end of the stream",
    source: "RFC 6120 §4.4",
    from: "resource",
    sends: `</stream:stream><message to='juliet@${domain}'><body>from the grave</body></message>`,
    answer: "closed",
  },
  {
    name: "a stream error of the client's",
    source: "RFC 6120 §4.9.1.1",
    from: "resource",
    sends: `<stream:error><system-shutdown xmlns='${NS.streams}'/></stream:error>`,
    answer: "closed",
  },
  {
    name: "addresses that are none",
    source: "RFC 7622 §3; RFC 6120 §8.3.3.8",
    from: "resource",
    sends: malformed.flatMap((to) => [
      `<message to='${to}' id='x'><body>?</body></message>`,
      `<iq type='get' to='${to}' id='x'>${ping}</iq>`,
      `<presence to='${to}' id='x'/>`,
    ]),
    answer: { stanza: "modify jid-malformed" },
  },
  {
    name: "another server",
    source: "RFC 6120 §10.4, §8.3.3.16",
    from: "resource",
    sends: ["capulet.test", `juliet@conference.${domain}`, "juliet@[::1]", "juliet@127.0.0.1"].flatMap(
      (to) => [
        `<message to='${to}' id='x'><body>?</body></message>`,
        `<iq type='get' to='${to}' id='x'>${ping}</iq>`,
      ],
    ),
    answer: { stanza: "cancel remote-server-not-found" },
  },
  {
    name: "nobody, and somebody who is no contact",
    source: "RFC 6121 §8.5.1, §8.5.3; RFC 6120 §13.10",
    from: "resource",
    async sends(mallory, { juliet }) {
      // A stranger cannot tell a resource that is there from one that is not.
      for (const to of [`nobody@${domain}`, `juliet@${domain}/none`, juliet.full]) {
        const refused = `<iq type='error' id='x' from='${to}'><error type='cancel'><service-unavailable xmlns='${NS.stanzas}'/></error></iq>`;
        await mallory.asks(`<iq type='get' to='${to}' id='x'><query xmlns='${NS.version}'/></iq>`, refused);
      }
    },
    answer: "nothing",
  },
  {
    name: "an iq without an id",
    source: "RFC 6120 §8.1.3, §8.2.3",
    from: "resource",
    sends: `<iq type='get' to='${domain}'>${ping}</iq>`,
    answer: { stanza: "modify bad-request" },
  },
  {
    name: "an iq of no type, or of none that there is",
    source: "RFC 6120 §8.2.3",
    from: "resource",
    sends: ["", "type=''", "type='GET'", "type='subscribe'"].map(
      (type) => `<iq ${type} id='x' to='${domain}'>${ping}</iq>`,
    ),
    answer: { stanza: "modify bad-request" },
  },
  {
    name: "an iq that asks for nothing, or for two things",
    source: "RFC 6120 §8.2.3",
    from: "resource",
    sends: ["", ping + ping, many(10_000, () => "<x/>")].map(
      (payload) => `<iq type='get' id='x' to='${domain}'>${payload}</iq>`,
    ),
    answer: { stanza: "modify bad-request" },
  },
  {
    name: "an iq that nobody knows",
    source: "RFC 6120 §8.4, §8.3.3.19",
    from: "resource",
    sends: ["urn:mallory", "", "__proto__", "jabber:iq:private"].map(
      (xmlns) => `<iq type='set' id='x' to='${domain}'><constructor xmlns='${xmlns}'/></iq>`,
    ),
    answer: { stanza: "cancel service-unavailable" },
  },
  {
    name: "answers and errors that nobody asked for",
    source: "RFC 6120 §8.2.3, §8.3.1; RFC 6121 §8.5.2.1.1",
    from: "resource",
    sends: [
      domain,
      `mallory@${domain}`,
      `juliet@${domain}`,
      `nobody@${domain}`,
      "capulet.test",
      "@",
      "",
    ].flatMap((to) => [
      `<iq type='result' id='x' to='${to}'/>`,
      `<iq type='error' id='x' to='${to}'>${ping}<error type='cancel'/></iq>`,
      `<message type='error' to='${to}'><body>?</body><error type='cancel'/></message>`,
    ]),
    answer: "nothing",
  },
  {
    name: "groupchat at a person",
    source: "RFC 6121 §8.5.2.1.1",
    from: "resource",
    sends: [`juliet@${domain}`, timeline].map(
      (to) => `<message type='groupchat' to='${to}' id='x'><body>all of you!</body></message>`,
    ),
    answer: { stanza: "cancel service-unavailable" },
  },
  {
    name: "priorities that are none",
    source: "RFC 6121 §4.7.2.3",
    from: "resource",
    sends: [
      ...["999", "-129", "NaN", "1e2", "", "0x7f", "12345678901234567890"].map(presence),
      presence("1</priority><priority>2"),
    ],
    answer: { stanza: "modify bad-request" },
  },
  {
    name: "presence of no type that there is",
    source: "RFC 6121 §4.7.1",
    from: "resource",
    sends: [
      "<presence type='available' id='x'/>",
      `<presence type='invisible' to='juliet@${domain}' id='x'/>`,
      "<presence type='subscribe' id='x'/>",
    ],
    answer: { stanza: "modify bad-request" },
  },
  {
    name: "subscriptions that nobody asked for",
    source: "RFC 6121 §3.1.6, A.3",
    from: "resource",
    sends: ["subscribed", "unsubscribed", "unsubscribe"].map(
      (type) => `<presence type='${type}' to='juliet@${domain}'/>`,
    ),
    answer: "nothing",
  },
  {
    name: "directed presence to 501 people",
    source: "RFC 6120 §8.3.3.18",
    from: "resource",
    async sends(mallory) {
      mallory.sends("<presence/>");
      await mallory.receivesNext("<presence/>");
      mallory.sends(many(501, (n) => `<presence to='nobody${n}@${domain}' id='${n}'/>`));
      await mallory.receivesNext(
        `<presence type='error' id='500'><error type='wait'><resource-constraint xmlns='${NS.stanzas}'/></error></presence>`,
      );
    },
    answer: "nothing",
  },
  {
    name: "capabilities that are a lie",
    source: "XEP-0115 §5.4",
    from: "resource",
    async sends(mallory) {
      const caps = `<c xmlns='${NS.caps}' hash='sha-1' node='urn:mallory' ver='QgayPKawpkPSDYmwT/WM94uAlu0='/>`;
      mallory.sends(`<presence>${caps}</presence>`);
      await mallory.receives("<presence/>");
      const question = await mallory.receives(`<iq type='get'><query xmlns='${NS.discoInfo}'/></iq>`);
      const lie = many(2_000, (n) => `<feature var='urn:${n}+notify'/>`);
      mallory.answers(question, `<query xmlns='${NS.discoInfo}'>${lie}</query>`);
    },
    answer: "nothing",
  },
  {
    name: "roster items that break its rules",
    source: "RFC 6121 §2.3.3",
    from: "resource",
    sends: [
      roster(""),
      roster("<item/>"),
      roster("<contact jid='a@b'/>"),
      roster(many(5_000, (n) => `<item jid='n${n}@${domain}'/>`)),
      roster(`<item jid='a@${domain}'><group>x</group><group>x</group></item>`),
    ],
    answer: { stanza: "modify bad-request" },
  },
  {
    name: "roster items that are monstrous",
    source: "RFC 6121 §2.3.3",
    from: "resource",
    sends: [
      roster(`<item jid='a@${domain}' name='${"x".repeat(20_000)}'/>`),
      roster(`<item jid='a@${domain}'><group/></item>`),
      roster(`<item jid='a@${domain}'>${many(5_000, (n) => `<group>${n}</group>`)}</item>`),
      roster(`<item jid='a@${domain}'><group>${"\u0301\u0323".repeat(50_000)}</group></item>`),
    ],
    answer: { stanza: "modify not-acceptable" },
  },
  {
    name: "somebody else's roster and vCard",
    source: "RFC 6121 §2.1.5; XEP-0054 §3.2",
    from: "resource",
    sends: [
      roster(`<item jid='mallory@${domain}' subscription='both'/>`, ` to='juliet@${domain}'`),
      `<iq type='get' id='x' to='juliet@${domain}'><query xmlns='${NS.roster}'/></iq>`,
      vcard("<FN>Mallory was here</FN>", ` to='juliet@${domain}'`),
      vcard("<FN>Mallory was here</FN>", ` to='nobody@${domain}'`),
    ],
    answer: { stanza: "auth forbidden" },
  },
  {
    name: "a flood of contacts, and their removal",
    source: "RFC 6121 §2.3, §2.5",
    from: "resource",
    async sends(mallory) {
      const item = (n: number, rest = ""): string =>
        `<item jid='flood${n}@${domain}' subscription='both'${rest}/>`;
      for (const change of [item, (n: number) => item(n).replace("both", "remove")]) {
        mallory.sends(many(100, (n) => roster(change(n)).replace("'x'", `'${n}'`)));
        for (let n = 0; n < 100; n += 1)
          assert.equal(attr(await mallory.receivesNext("<iq type='result'/>"), "id"), `${n}`);
      }
    },
    answer: "nothing",
  },
  {
    name: "roster versions that are none",
    source: "RFC 6121 §2.6.2",
    from: "resource",
    async sends(mallory) {
      for (const ver of ["-1", "NaN", "&apos;; DROP TABLE roster; --", "9".repeat(400), ""]) {
        await mallory.asks(
          `<iq type='get'><query xmlns='${NS.roster}' ver='${ver}'/></iq>`,
          `<iq type='result'><query xmlns='${NS.roster}'/></iq>`,
        );
      }
    },
    answer: "nothing",
  },
  {
    name: "a vCard that is too large",
    source: "XEP-0054 §3.2; RFC 6120 §8.3.3.9",
    from: "resource",
    sends: vcard(`<PHOTO><BINVAL>${"QUJD".repeat(50_000)}</BINVAL></PHOTO>`),
    answer: { stanza: "modify not-acceptable" },
  },
  {
    name: "posts that are none",
    source: "RFC 6120 §8.3.3.9",
    from: "resource",
    sends: [
      post("x".repeat(16_385)),
      post("\u200b\u202e \n"),
      post("This is unreadable", "<encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:omemo:2'/>"),
    ],
    answer: { stanza: "modify not-acceptable" },
  },
  {
    name: "to delete what one has not posted",
    source: "XEP-0424 §5; RFC 6120 §8.3.3.7",
    from: "resource",
    sends: [postedByJuliet, "", "x", "&apos; OR 1=1 --", "y".repeat(5_000)].map((id) =>
      post("gone", `<retract xmlns='${NS.retract}' id='${id}'/>`),
    ),
    answer: { stanza: "cancel item-not-found" },
  },
  {
    name: "Markdown made to keep a parser busy",
    source: "CommonMark 0.31 §3, §6",
    from: "resource",
    async sends(mallory, { run }) {
      for (const mark of ["[", "![", "*a **b ", "`", "- ", "[a](", "\\", "a\n=", "\u0301\u0323", "#a "]) {
        const text = mark.repeat(16_000 / mark.length);
        mallory.sends(post(`${run} ${text}`, "", "busy"));
        await mallory.receivesNext(`<message from='${timeline}'><body>{any}</body></message>`);
      }
      // The marks on one letter are thirty at most (UAX #15 §13), so this is a short post.
      mallory.sends(post(`${run} ${"\u0301\u0323".repeat(60_000)}`, "", "busy"));
      await mallory.receivesNext(`<message from='${timeline}'><body>{any}</body></message>`);
    },
    answer: "nothing",
  },
];
