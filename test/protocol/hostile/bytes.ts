/** Attacks with bytes: on the parser, and on the header of the stream (RFC 6120 §4, §11, §13.12). */
import { NS } from "../../../src/xmpp/ns.ts";
import { streamHeader } from "../../support/stream.ts";
import { domain, many, type Attack, type Place } from "./attack.ts";

const declaration = "<?xml version='1.0'?>";
const header = streamHeader({ to: domain });
const headless = header.slice(declaration.length);
/** XML 1.0 §4.4: three lines that stand for a thousand million words. */
const laughs = `<!DOCTYPE lolz [<!ENTITY lol 'lol'>${many(9, (n) => `<!ENTITY lol${n + 1} '${`&lol${n || ""};`.repeat(10)}'>`)}]>`;
const external = "<!DOCTYPE x [<!ENTITY file SYSTEM 'file:///etc/passwd'>]>";

const bytes = (...values: (string | number[])[]): Uint8Array =>
  Buffer.concat(values.map((value) => (typeof value === "string" ? Buffer.from(value) : Buffer.from(value))));

const inBody = (content: string): string => `<message><body>${content}</body></message>`;

const at = (
  from: Place,
  source: string,
  answer: Attack["answer"],
  rows: Record<string, Attack["sends"]>,
): Attack[] => Object.entries(rows).map(([name, sends]) => ({ name, source, from, sends, answer }));

export const byteAttacks: readonly Attack[] = [
  ...at(
    "connection",
    "RFC 6120 §11.1",
    { stream: "restricted-xml" },
    {
      "a thousand million laughs before the header": `${declaration}${laughs}${headless}`,
      "a file as an entity before the header": `${declaration}${external}${headless}<message>&file;</message>`,
      "a comment before the header": `${declaration}<!-- ${"-> ".repeat(50)} -->${headless}`,
      "a processing instruction before the header": `<?xml-stylesheet href='http://${domain}/'?>${header}`,
    },
  ),
  ...at(
    "stranger",
    "RFC 6120 §11.1",
    { stream: "restricted-xml" },
    {
      comments: ["<!-- -->", "<message><!-- --></message>", "<!---->"],
      "processing instructions": ["<?php system('id'); ?>", "<message><?x?></message>"],
      "a document type inside of the stream": [laughs, external, "<!DOCTYPE x>"],
      "entities that nobody declared": [inBody("&nbsp;"), inBody("&lol9;"), "<message to='&xxe;'/>"],
    },
  ),
  ...at(
    "stranger",
    "XML 1.0 §2.2, §4.1; RFC 6120 §4.9.3.13",
    { stream: "not-well-formed" },
    {
      "characters that XML has not": [
        inBody("\u0000"),
        inBody("\u0001"),
        inBody("\u001b[2J"),
        inBody("\uffff"),
        "<message id='\u0008'/>",
      ],
      "references to surrogates": [
        inBody("&#xD800;"),
        inBody("&#xD83D;&#xDE00;"),
        "<message id='&#xDFFF;'/>",
      ],
      "references to no character": [
        inBody("&#0;"),
        inBody("&#x110000;"),
        inBody("&#99999999999999999999;"),
        inBody("&#xFFFFFFFF41;"),
        inBody("&#;"),
        inBody("&#-65;"),
      ],
      "an ampersand that begins nothing": [inBody("a & b"), "<message id='&'/>", inBody("&amp")],
    },
  ),
  ...at(
    "stranger",
    "XML 1.0 §2.1; XML Namespaces 1.0 §4–6; RFC 6120 §4.9.3.13",
    { stream: "not-well-formed" },
    {
      "tags that do not fit": [
        "<message></iq>",
        "<message><body></message></body>",
        "</message>",
        "<message",
        "< message/>",
        "</stream:flow>",
      ].map((xml) => `${xml}<`),
      "attributes that are no attributes": [
        "<message a='1' a='2'/>",
        "<message a=1/>",
        "<message a/>",
        "<message a='<'/>",
        "<message a='1'b='2'/>",
      ],
      "a prefix that stands for nothing": ["<x:message/>", "<message x:y='z'/>", "<:message/>", "<a:b:c/>"],
      "the same attribute under two prefixes": "<message xmlns:a='urn:x' xmlns:b='urn:x' a:c='1' b:c='2'/>",
      "prefixes that are not to be had": [
        "<message xmlns:xml='urn:x'/>",
        "<message xmlns:xmlns='urn:x'/>",
        "<message xmlns:a=''/>",
      ],
      "an end of CDATA without its beginning": inBody("]]>"),
      "a second XML declaration": `<message>${declaration}</message>`,
    },
  ),
  ...at(
    "stranger",
    "RFC 3629 §3; RFC 6120 §11.6",
    { stream: "unsupported-encoding" },
    {
      "bytes that are not UTF-8": [
        bytes("<message><body>", [0xc3, 0x28]),
        bytes("<message><body>", [0xc0, 0xaf]),
        bytes("<message><body>", [0xe0, 0x80, 0xaf]),
        bytes("<message><body>", [0xed, 0xa0, 0x80]),
        bytes("<message><body>", [0xf4, 0x90, 0x80, 0x80]),
        bytes("<message><body>", [0xff, 0xfe]),
        bytes("<message><body>", [0xe2, 0x82], "</body>"),
        bytes("<message><body>", [0x80]),
      ],
    },
  ),
  ...at(
    "connection",
    "RFC 6120 §11.6",
    { stream: "unsupported-encoding" },
    {
      "a header in another encoding": [
        `<?xml version='1.0' encoding='ISO-8859-1'?>${headless}`,
        Buffer.from(`\ufeff${header}`, "utf16le"),
        bytes([0xff], header),
      ],
    },
  ),
  ...at(
    "connection",
    "RFC 6120 §11.6, §4.9.3.13",
    { stream: "not-well-formed" },
    {
      "a byte order mark": `\ufeff${header}`,
      "a header in UTF-16": Buffer.from(header, "utf16le"),
      "another protocol": [
        "GET / HTTP/1.1\r\nHost: pipit.test\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        "EHLO mallory.test\r\n",
        "\u0000".repeat(100),
      ],
      "a header with a prefix that stands for nothing": `${declaration}<flow:stream to='${domain}' version='1.0' xmlns='${NS.client}'>`,
      "XML 1.1": `<?xml version='1.1'?>${headless}`,
    },
  ),
  ...at(
    "connection",
    "RFC 6120 §4.9.3.10",
    { stream: "invalid-namespace" },
    {
      "a header in a namespace that is not ours": [
        streamHeader({ to: domain, xmlns: NS.server }),
        streamHeader({ to: domain, xmlns: "urn:mallory" }),
        streamHeader({ to: domain, "xmlns:stream": "urn:mallory" }),
        `<stream to='${domain}' version='1.0'>`,
      ],
    },
  ),
  ...at(
    "connection",
    "RFC 6120 §4.7.2, §4.9.3.7",
    { stream: "improper-addressing" },
    {
      "a header for nobody, or for no address": [
        undefined,
        "",
        "two words",
        "a@b@c",
        "x".repeat(1_024),
        "pipit.test\u202e",
      ].map((to) => streamHeader({ to })),
    },
  ),
  ...at(
    "connection",
    "RFC 6120 §4.7.2, §4.9.3.6",
    { stream: "host-unknown" },
    {
      "a header for another host": [
        "capulet.test",
        `conference.${domain}`,
        "127.0.0.1",
        `${domain}.capulet.test`,
      ].map((to) => streamHeader({ to })),
    },
  ),
  ...at(
    "connection",
    "RFC 6120 §4.7.5, §4.9.3.25",
    { stream: "unsupported-version" },
    {
      "a header of no version, or of none that there is": [
        undefined,
        "0.9",
        "-1.0",
        "1",
        "1.0'; --".replaceAll("'", "&apos;"),
        "NaN",
      ].map((version) => streamHeader({ to: domain, version })),
    },
  ),
  ...at(
    "connection",
    "RFC 6120 §13.12, §4.9.3.14",
    { stream: "policy-violation" },
    {
      "a header that does not end": [
        `${declaration}<stream:stream to='${"x".repeat(20_000)}`,
        `${declaration}<stream:stream ${" ".repeat(20_000)}`,
        " ".repeat(20_000),
      ],
      "a header with a flood of namespaces": `${declaration}<stream:stream ${many(100, (n) => `xmlns:n${n}='urn:${n}' `)}>`,
    },
  ),
  ...["stranger", "resource"].flatMap((place) =>
    at(
      place as Place,
      "RFC 6120 §13.12, §4.9.3.14",
      { stream: "policy-violation" },
      {
        [`elements 50,000 deep (${place})`]: [
          "<a>".repeat(50_000),
          `<message>${"<a xmlns='urn:a'><b xmlns='urn:b'>".repeat(25_000)}`,
        ],
        [`a flood of attributes (${place})`]: `<message ${many(5_000, (n) => `a${n}='' `)}/>`,
        [`a flood of namespaces (${place})`]: [
          `<message ${many(60, (n) => `xmlns:n${n}='urn:${n}' `)}/>`,
          many(10, (n) => `<a ${many(10, (m) => `xmlns:n${n}x${m}='urn:x' `)}>`),
        ],
        [`names of 9,000 letters (${place})`]: [
          `<${"a".repeat(9_000)}/>`,
          `<message ${"a".repeat(9_000)}=''/>`,
          `<message>&${"a".repeat(9_000)}`,
        ],
        [`an attribute of 100 KB (${place})`]: `<message id='${"x".repeat(100_000)}'/>`,
      },
    ),
  ),
  ...at(
    "stranger",
    "RFC 6120 §13.12, §4.9.3.14",
    { stream: "policy-violation" },
    {
      "a stanza of 10,001 bytes before login": inBody("x".repeat(10_001 - inBody("").length)),
      "half a stanza, and then nothing but white space": `<message ${" ".repeat(10_000)}`,
      "text that does not end": `<message><body>${"x".repeat(20_000)}`,
      "CDATA that does not end": `<message><![CDATA[${"]".repeat(20_000)}`,
    },
  ),
  ...at(
    "resource",
    "RFC 6120 §13.12, §4.9.3.14",
    { stream: "policy-violation" },
    {
      "a stanza of 262,145 bytes": inBody("x".repeat(262_145 - inBody("").length)),
      "a vCard of 10 MB": `<iq type='set' id='x'><vCard xmlns='${NS.vcard}'><PHOTO><BINVAL>${"QUJD".repeat(2_500_000)}</BINVAL></PHOTO></vCard></iq>`,
      "a post of 1 MB": `<message to='timeline@${domain}'><body>${"Once more, with feeling. ".repeat(40_000)}</body></message>`,
    },
  ),
  ...at(
    "stranger",
    "RFC 6120 §4.9.3.1",
    { stream: "bad-format" },
    {
      "text between stanzas": ["hello?", "<![CDATA[hello?]]>", "&#32;", "\u00a0"],
    },
  ),
];
