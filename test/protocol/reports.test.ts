/** XEP-0377: reports of spam and abuse, as part of a block. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { execute } from "../../src/verbs.ts";
import { blockedStore } from "../../src/store/blocked.ts";
import { attr, child, childText } from "../../src/xmpp/xml.ts";
import { cast } from "../support/cast.ts";
import { world } from "../support/world.ts";

const ok = "<iq type='result'/>";
const ns = "urn:xmpp:reporting:1";
const reporting = (jid: string, inside = "", reason = "urn:xmpp:reporting:spam"): string =>
  `<iq type='set'><block xmlns='urn:xmpp:blocking'><item jid='${jid}'>
     <report xmlns='${ns}' reason='${reason}'>${inside}</report></item></block></iq>`;

test("a report blocks, is kept, and reaches those who run the node", async (t) => {
  await using stage = await cast(t, { juliet: {}, prince: { admin: true }, romeo: {} });
  const { juliet, prince, romeo } = stage.actors;
  await juliet.asks(
    `<iq type='get' to='${stage.domain}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`,
    `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'><feature var='${ns}'/></query></iq>`,
  );
  const said = "<text xml:lang='en'>Never came trouble to my house like this.</text>";
  const id = "<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@pipit.test' id='28482'/>";
  await juliet.asks(reporting("tybalt@spam.example/x", said + id), ok);
  const message = await prince.receives(
    `<message from='${stage.domain}' to='${prince.bare}'><body>{any}</body>
       <report xmlns='${ns}' reason='urn:xmpp:reporting:spam'>${said}${id}
         <jid xmlns='urn:xmpp:jid:0'>tybalt@spam.example/x</jid></report></message>`,
  );
  const body = childText(message, "body")!;
  for (const part of [juliet.bare, "tybalt@spam.example/x", "spam", "Never came trouble"])
    assert(body.includes(part), body);
  assert.deepEqual([...(await stage.node.blocking.list(juliet.bare))], ["tybalt@spam.example/x"]);
  const reply = await execute(stage.node, { verb: "reports", args: [], options: {} });
  assert(reply.ok && reply.answer.text.includes(`${juliet.bare} reports tybalt@spam.example/x`));
  const [report] = await blockedStore(stage.node.store).reports(10);
  assert.equal(report?.account, juliet.bare);
  assert.equal(report?.jid, "tybalt@spam.example/x");
  assert.equal(report?.reason, "urn:xmpp:reporting:spam");
  assert(stage.log.some(({ msg }) => msg === "somebody was reported"));
  await romeo.receivesNothing();
});

test("without a reason or beyond all measure it is a block alone", async (t) => {
  await using stage = await cast(t, { juliet: {}, prince: { admin: true } });
  const { juliet, prince } = stage.actors;
  await juliet.asks(reporting("a@spam.example", "", ""), ok);
  await juliet.asks(reporting("b@spam.example", `<text>${"x".repeat(20_000)}</text>`), ok);
  assert.equal([...(await stage.node.blocking.list(juliet.bare))].length, 2);
  await prince.receivesNothing();
  for (let i = 0; i < 52; i += 1) await juliet.asks(reporting(`c${i}@spam.example`), ok);
  await stage.settle();
  assert.equal(prince.inbox.length, 50);
  prince.inbox.length = 0;
});

test("with the reporter's consent, the domain that it came from hears of it, and not from whom", async (t) => {
  const abuse = { contact: { abuse: ["xmpp:escalus@montague.example", "mailto:abuse@montague.example"] } };
  await using verona = await world(
    t,
    { capulet: { juliet: {} }, montague: { romeo: {}, escalus: {} } },
    { houses: { montague: { config: abuse } } },
  );
  const { juliet, romeo, escalus } = verona.actors;
  await juliet.asks(reporting("nobody@montague.example"), ok);
  await escalus.receivesNothing();
  await juliet.asks(reporting(romeo.bare, "<text>He will not go</text><report-origin/>"), ok);
  const message = await escalus.receives(
    `<message from='capulet.example'><body>{any}</body><report xmlns='${ns}'>
       <jid xmlns='urn:xmpp:jid:0'>${romeo.bare}</jid></report></message>`,
  );
  assert(!message.toString().includes("juliet"));
  assert.equal(attr(child(message, "report", ns)!, "reason"), "urn:xmpp:reporting:spam");
  await romeo.receivesNothing();
});
