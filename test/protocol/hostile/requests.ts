/** Attacks with requests: pubsub, data forms, result sets and service discovery (XEP-0060, 0004, 0059, 0030). */
import { NS } from "../../../src/xmpp/ns.ts";
import { domain, many, type Attack } from "./attack.ts";

/** Mallory's own node, and one of juliet's that only her contacts may read. */
export const ownNode = "urn:mallory:notes";
export const foreignNode = "urn:juliet:diary";

const juliet = ` to='juliet@${domain}'`;
const injection = "&apos;; DROP TABLE accounts; --";
const iq = (type: "get" | "set", xmlns: string, content: string, attrs = ""): string =>
  `<iq type='${type}' id='x'${attrs}><pubsub xmlns='${xmlns}'>${content}</pubsub></iq>`;
const ask = (content: string, attrs?: string): string => iq("get", NS.pubsub, content, attrs);
const act = (content: string, attrs?: string): string => iq("set", NS.pubsub, content, attrs);
const own = (content: string, attrs?: string): string => iq("set", NS.pubsubOwner, content, attrs);
const publish = (items: string, node = ownNode, attrs?: string): string =>
  act(`<publish node='${node}'>${items}</publish>`, attrs);
const note = "<note xmlns='urn:mallory'/>";
const field = (name: string, value: string): string => `<field var='${name}'><value>${value}</value></field>`;
const form = (fields: string, type = "submit"): string =>
  `<x xmlns='${NS.dataForm}' type='${type}'>${field("FORM_TYPE", NS.pubsubNodeConfig)}${fields}</x>`;
const configure = (content: string): string => own(`<configure node='${ownNode}'>${content}</configure>`);
const page = (rsm: string, attrs = ""): string =>
  ask(`<items node='${ownNode}'${attrs}/><set xmlns='${NS.rsm}'>${rsm}</set>`);
const entry = (content: string): string =>
  publish(`<item><entry xmlns='${NS.atom}'><title>t</title>${content}</entry></item>`, NS.microblog);
const disco = (node: string): string =>
  `<iq type='get' id='x'><query xmlns='${NS.discoInfo}' node='${node}'/></iq>`;

const at = (source: string, answer: Attack["answer"], rows: Record<string, Attack["sends"]>): Attack[] =>
  Object.entries(rows).map(([name, sends]) => ({ name, source, from: "resource", sends, answer }));
const refused = (source: string, stanza: string, rows: Record<string, Attack["sends"]>): Attack[] =>
  at(source, { stanza }, rows);

export const requestAttacks: readonly Attack[] = [
  ...refused("XEP-0060 §7.1.3.1, §7.2.3.1, §8.2.3.2, §8.4.3.1, §8.5.3.2, §8.9.2.3", "auth forbidden", {
    "to write into somebody else's nodes": [
      publish(`<item>${note}</item>`, foreignNode, juliet),
      publish(`<item>${note}</item>`, "urn:juliet:new", juliet),
      act(`<create node='urn:juliet:new'/>`, juliet),
      act(`<retract node='${foreignNode}'><item id='secret'/></retract>`, juliet),
      own(
        `<configure node='${foreignNode}'>${form(field("pubsub#access_model", "open"))}</configure>`,
        juliet,
      ),
      own(`<delete node='${foreignNode}'/>`, juliet),
      own(`<purge node='${foreignNode}'/>`, juliet),
      own(
        `<affiliations node='${foreignNode}'><affiliation jid='mallory@${domain}' affiliation='owner'/></affiliations>`,
        juliet,
      ),
    ],
  }),
  ...refused("XEP-0060 §6.5.9.6, §6.1.3.2", "auth not-authorized presence-subscription-required", {
    "to read what is for contacts": [
      ask(`<items node='${foreignNode}'/>`, juliet),
      ask(`<items node='${foreignNode}'><item id='secret'/></items>`, juliet),
      act(`<subscribe node='${foreignNode}' jid='mallory@${domain}'/>`, juliet),
    ],
  }),
  ...refused("XEP-0060 §6.1.3.1", "modify bad-request invalid-jid", {
    "to subscribe somebody else": [`juliet@${domain}`, "@", domain, "capulet.test/x"].map((jid) =>
      act(`<subscribe node='${ownNode}' jid='${jid}'/>`),
    ),
  }),
  ...refused("XEP-0060 §6.2.3.3, §6.3.4.1", "auth forbidden", {
    "to meddle with somebody else's subscription": [
      act(`<unsubscribe node='${ownNode}' jid='juliet@${domain}'/>`),
      ask(`<options node='${ownNode}' jid='juliet@${domain}'/>`),
    ],
  }),
  ...refused("XEP-0060 §12.11", "cancel not-allowed max-items-exceeded", {
    "10,000 items at once": [
      publish("<item/>".repeat(10_000)),
      publish(
        `<item><entry xmlns='${NS.atom}'><title>flood</title></entry></item>`.repeat(2_000),
        NS.microblog,
      ),
    ],
  }),
  ...refused("XEP-0060 §7.1.3.5", "modify not-acceptable payload-too-big", {
    "payloads that are too large": [
      publish(`<item><note xmlns='urn:mallory'>${"x".repeat(250_000)}</note></item>`),
      entry(`<content type='html'>${"&lt;b>".repeat(40_000)}</content>`),
    ],
  }),
  ...refused("XEP-0060 §7.1.3.6", "modify bad-request invalid-payload", {
    "items with two payloads, or with what is no post": [
      publish(`<item>${note}${note}</item>`),
      publish(`<item>${note}</item>`, NS.microblog),
    ],
  }),
  ...refused("RFC 6120 §8.3.3.9", "modify not-acceptable", {
    "names of 2,000 bytes": [
      publish(`<item id='${"x".repeat(2_000)}'>${note}</item>`),
      publish(`<item>${note}</item>`, "x".repeat(2_000)),
      act(`<create node='${"é".repeat(1_000)}'/>`),
    ],
  }),
  ...refused("XEP-0060 §7.2.3.3, §8.2.3.3", "modify bad-request nodeid-required", {
    "requests for no node": [
      act("<publish/>"),
      ask("<items/>"),
      ask("<items node=''/>"),
      own("<delete/>"),
      own("<purge node=''/>"),
    ],
  }),
  ...refused("XEP-0060 §6.5.9.11, §7.2.3.2, §8.4.3.2; XEP-0030 §7", "cancel item-not-found", {
    "what is not there": [
      ask(`<items node='${injection}'/>`),
      act(`<retract node='${ownNode}'><item id='${injection}'/></retract>`),
      act(`<retract node='${ownNode}'>${many(9_000, (n) => `<item id='${n}'/>`)}</retract>`),
      own("<delete node='__proto__'/>"),
      disco("../../../../etc/passwd"),
      disco(injection),
    ],
  }),
  ...refused("RFC 6120 §8.3.3.1", "modify bad-request", {
    "requests that ask for nothing": [act(""), ask("")],
    "items that are no count": ["-1", "NaN", "0", "1e3", injection, "9".repeat(50)].map((count) =>
      ask(`<items node='${ownNode}' max_items='${count}'/>`),
    ),
  }),
  ...refused("RFC 6120 §8.3.3.3", "cancel feature-not-implemented", {
    "requests that nobody knows": [
      act("<constructor/>"),
      ask("<publish/>"),
      own("<__proto__/>"),
      act("<hack/>".repeat(10_000)),
    ],
  }),
  ...refused("XEP-0059 §2.4, §2.6", "cancel item-not-found", {
    "pages that begin nowhere": [
      `<after>${injection}</after>`,
      `<before>${"x".repeat(5_000)}</before>`,
      "<index>1000000000000</index>",
      "<after>%</after>",
    ].map((rsm) => page(rsm)),
  }),
  ...refused("XEP-0059 §2.1, §2.6; RFC 6120 §8.3.3.1", "modify bad-request", {
    "pages of no size": [
      "-1",
      "NaN",
      "Infinity",
      "1e3",
      "0x10",
      injection,
      "9".repeat(300),
      "1.5",
      "\u0661",
    ].flatMap((n) => [page(`<max>${n}</max>`), page(`<index>${n}</index>`)]),
  }),
  ...at("XEP-0059 §2.1, §2.7; XEP-0060 §6.5.8", "result", {
    "pages of any size": [
      page("<max>9007199254740991</max>"),
      page("<max>0</max>"),
      page("<max>1</max>".padEnd(100_000)),
    ],
    "9,000 items that are not there": ask(
      `<items node='${ownNode}'>${many(9_000, (n) => `<item id='${n}'/>`)}</items>`,
    ),
  }),
  ...refused("XEP-0004 §3.1, §3.2; RFC 6120 §8.3.3.1", "modify bad-request", {
    "forms that are none": [
      configure(""),
      configure(`<x xmlns='${NS.dataForm}'/>`),
      configure(form("", "hack")),
      configure(form(field("pubsub#title", "a") + field("pubsub#title", "b"))),
    ],
  }),
  ...refused("XEP-0060 §8.2.5.2", "modify not-acceptable", {
    "settings that are none": [
      ...["-5", "NaN", "1e999", "0", "0x10", injection].map((count) => field("pubsub#max_items", count)),
      field("pubsub#max_payload_size", "-1"),
      field("pubsub#persist_items", "perhaps"),
      field("pubsub#title", "x".repeat(100_000)),
      field("pubsub#item_expire", "1.5"),
      `<field var='pubsub#roster_groups_allowed'>${many(5_000, (n) => `<value>${n}</value>`)}</field>`,
      `<field var='pubsub#contact'><value>@</value></field>`,
    ].map((fields) => configure(form(fields))),
  }),
  ...refused("XEP-0060 §8.1.2", "modify not-acceptable unsupported-access-model", {
    "an access model for mallory": configure(form(field("pubsub#access_model", "mallory"))),
  }),
  ...at("XEP-0004 §3.2", "result", {
    "a form of 3,000 fields that nobody knows": configure(
      form(many(3_000, (n) => field(`urn:mallory#${n}`, "x"))),
    ),
    "a form of 50,000 lines": configure(
      form(`<field var='urn:mallory'>${"<value/>".repeat(20_000)}</field>`),
    ),
  }),
  ...refused("XEP-0060 §8.9.2.3; RFC 6120 §8.3.3.9", "modify not-acceptable", {
    "affiliations that cannot be": [
      `<affiliation jid='juliet@${domain}' affiliation='emperor'/>`,
      `<affiliation jid='mallory@${domain}' affiliation='outcast'/>`,
      many(2_000, (n) => `<affiliation jid='n${n}@${domain}' affiliation='outcast'/>`),
    ].map((changes) => own(`<affiliations node='${ownNode}'>${changes}</affiliations>`)),
  }),
];
