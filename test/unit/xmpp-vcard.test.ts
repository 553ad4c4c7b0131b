/** XEP-0292 §9: what vcard-temp and vCard4 both can say, there and back. The example is the XEP's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sayTheSame, toTemp, toV4 } from "../../src/xmpp/vcard.ts";
import { serialize } from "../../src/xmpp/xml.ts";
import { readElement } from "../support/reader.ts";

const v4 = (inside: string) =>
  readElement(`<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'>${inside}</vcard>`);
const temp = (inside: string) => readElement(`<vCard xmlns='vcard-temp'>${inside}</vCard>`);

const pairs: readonly (readonly [v4: string, temp: string])[] = [
  ["<fn><text>Peter Saint-Andre</text></fn>", "<FN>Peter Saint-Andre</FN>"],
  [
    "<n><surname>Saint-Andre</surname><given>Peter</given><additional>X</additional></n>",
    "<N><FAMILY>Saint-Andre</FAMILY><GIVEN>Peter</GIVEN><MIDDLE>X</MIDDLE></N>",
  ],
  [
    "<nickname><text>stpeter</text></nickname><nickname><text>psa</text></nickname>",
    "<NICKNAME>stpeter</NICKNAME><NICKNAME>psa</NICKNAME>",
  ],
  ["<bday><date>1966-08-06</date></bday>", "<BDAY>1966-08-06</BDAY>"],
  [
    `<adr><parameters><type><text>work</text></type><pref><integer>1</integer></pref></parameters>
       <ext>Suite 600</ext><street>1899 Wynkoop Street</street><locality>Denver</locality><region>CO</region>
       <code>80202</code><country>USA</country></adr>`,
    `<ADR><WORK/><PREF/><EXTADD>Suite 600</EXTADD><STREET>1899 Wynkoop Street</STREET><LOCALITY>Denver</LOCALITY>
       <REGION>CO</REGION><PCODE>80202</PCODE><CTRY>USA</CTRY></ADR>`,
  ],
  [
    `<tel><parameters><type><text>home</text><text>voice</text></type></parameters><uri>tel:+1-303-555-1212</uri></tel>`,
    "<TEL><HOME/><VOICE/><NUMBER>+1-303-555-1212</NUMBER></TEL>",
  ],
  [
    "<email><parameters><type><text>home</text></type></parameters><text>stpeter@jabber.org</text></email>",
    "<EMAIL><HOME/><USERID>stpeter@jabber.org</USERID></EMAIL>",
  ],
  ["<impp><uri>xmpp:stpeter@jabber.org</uri></impp>", "<JABBERID>stpeter@jabber.org</JABBERID>"],
  ["<org><text>XSF</text></org>", "<ORG><ORGNAME>XSF</ORGNAME></ORG>"],
  ["<title><text>Executive Director</text></title>", "<TITLE>Executive Director</TITLE>"],
  ["<role><text>Patron Saint</text></role>", "<ROLE>Patron Saint</ROLE>"],
  ["<url><uri>https://stpeter.im/</uri></url>", "<URL>https://stpeter.im/</URL>"],
  ["<note><text>More of me is on my site.</text></note>", "<DESC>More of me is on my site.</DESC>"],
];

const dense = (xml: string): string => xml.replace(/\s*\n\s*/g, "");

for (const [one, other] of pairs) {
  const name = /^<(\w+)/.exec(one)![1]!;
  test(`${name}: there and back`, () => {
    const card = v4(dense(one));
    const old = temp(dense(other));
    assert.equal(serialize(toTemp(card)), serialize(old));
    assert.equal(serialize(toV4(old)), serialize(card));
    assert(sayTheSame(card, old));
  });
}

test("what only one kind can say stays with it", () => {
  const old = temp("<FN>Old</FN><MAILER>Exodus</MAILER><PHOTO><EXTVAL>x</EXTVAL></PHOTO>");
  assert.equal(
    serialize(toTemp(v4("<fn><text>New</text></fn><pronouns><text>they</text></pronouns>"), old)),
    serialize(temp("<FN>New</FN><MAILER>Exodus</MAILER><PHOTO><EXTVAL>x</EXTVAL></PHOTO>")),
  );
  const today = v4(
    "<fn><text>Old</text></fn><impp><uri>sip:x@y</uri></impp><pronouns><text>they</text></pronouns>",
  );
  assert.equal(
    serialize(toV4(temp("<FN>New</FN><MAILER>Exodus</MAILER>"), today)),
    serialize(
      v4("<fn><text>New</text></fn><impp><uri>sip:x@y</uri></impp><pronouns><text>they</text></pronouns>"),
    ),
  );
});

test("what only one kind can say of a property stays as long as the property does", () => {
  const org = "<ORG><ORGNAME>XSF</ORGNAME><ORGUNIT>Council</ORGUNIT></ORG>";
  const tel = "<TEL><HOME/><MSG/><NUMBER>+1-303-555-1212</NUMBER></TEL>";
  const note = "<NOTE>On the road</NOTE>";
  const card = toV4(temp(org + tel + note));
  card.append(readElement("<fn xmlns='urn:ietf:params:xml:ns:vcard-4.0'><text>Peter</text></fn>"));
  assert.equal(
    serialize(toTemp(card, temp(org + tel + note))),
    serialize(temp(`<FN>Peter</FN>${tel}${org}${note}`)),
  );
  const units = "<org><text>XSF</text><text>Council</text></org>";
  const second =
    "<tel><parameters><pref><integer>2</integer></pref></parameters><text>+1-303-555-1212</text></tel>";
  const written = toTemp(v4(units + second));
  written.append(readElement("<FN xmlns='vcard-temp'>Peter</FN>"));
  assert.equal(
    serialize(toV4(written, v4(units + second))),
    serialize(v4(`<fn><text>Peter</text></fn>${second}${units}`)),
  );
  assert.equal(
    serialize(toTemp(v4("<org><text>IETF</text></org>"), temp(org))),
    serialize(temp("<ORG><ORGNAME>IETF</ORGNAME></ORG>")),
  );
});

test("order, white space and empty elements are no difference; words are", () => {
  assert(
    sayTheSame(
      temp("<NICKNAME/><URL>u</URL><FN> A </FN>"),
      v4("<fn><text>A</text></fn><url><uri>u</uri></url>"),
    ),
  );
  assert(!sayTheSame(temp("<FN>A</FN>"), v4("<fn><text>B</text></fn>")));
  assert(
    !sayTheSame(temp("<EMAIL><USERID>a</USERID></EMAIL>"), temp("<EMAIL><HOME/><USERID>a</USERID></EMAIL>")),
  );
});

test("a number may be text, and NOTE is DESC", () => {
  assert.equal(
    serialize(toTemp(v4("<tel><text>112</text></tel>"))),
    serialize(temp("<TEL><NUMBER>112</NUMBER></TEL>")),
  );
  assert.equal(serialize(toV4(temp("<NOTE>n</NOTE>"))), serialize(v4("<note><text>n</text></note>")));
});
