/** The tests' own tools: the reader of streams, the matching by shape, and the stage. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { serialize } from "../../src/xmpp/xml.ts";
import { cast, type Stage } from "../support/cast.ts";
import { readElement, readXml } from "../support/reader.ts";
import { mismatch } from "../support/shape.ts";

describe("the reader", () => {
  test("gives elements in canonical form", () => {
    const xml =
      "<message><a:x xmlns:a='urn:a' a:y='1'><a:z/><b xmlns=''/></a:x><body xml:lang='en'>&lt;</body></message>";
    assert.equal(
      serialize(readElement(xml)),
      '<message><x a:y="1" xmlns="urn:a"><z/><b xmlns=""/></x><body xml:lang="en">&lt;</body></message>',
    );
  });

  test("gives the stream's own elements their namespace", () => {
    assert.equal(
      serialize(readElement("<stream:features/>")),
      '<features xmlns="http://etherx.jabber.org/streams"/>',
    );
  });

  for (const bad of ["<a><!-- --></a>", "<a><?b c?></a>", "<a></b>", "<a>&c;</a>", "text"]) {
    test(`refuses ${bad}`, () => assert.throws(() => readXml(bad)));
  }
});

describe("a shape", () => {
  const fits = (shape: string, actual: string): void =>
    assert.equal(mismatch(readElement(shape), readElement(actual)), undefined);
  const fails = (shape: string, actual: string, why: RegExp): void =>
    assert.match(mismatch(readElement(shape), readElement(actual)) ?? "it fits", why);

  test("lists what must be there, and nothing else is looked at", () => {
    fits("<message><body/></message>", "<message id='1'><delay xmlns='urn:d'/><body>Hi</body></message>");
    fails("<message id='1'/>", "<message/>", /@id is absent/);
    fails("<message id='1'/>", "<message id='2'/>", /@id is "2", not "1"/);
    fails("<message><body/></message>", "<message><subject/></message>", /no child <body>/);
  });

  test("has the names and namespaces that it says", () => {
    fails("<message/>", "<presence/>", /is <presence>, not <message>/);
    fails("<iq><query xmlns='a'/></iq>", "<iq><query xmlns='b'/></iq>", /is <query xmlns="b">/);
    fits("<iq><query xmlns='a'><item/></query></iq>", "<iq><p:query xmlns:p='a'><p:item/></p:query></iq>");
    fails(
      "<iq><query xmlns='a'><item/></query></iq>",
      "<iq><query xmlns='a'><item xmlns='b'/></query></iq>",
      /item/,
    );
  });

  test("finds children in any order, each listed one another one", () => {
    fits("<q><b/><a/></q>", "<q><a/><b/></q>");
    fits("<q><i/><i n='1'/></q>", "<q><i n='1'/><i n='2'/></q>");
    fails("<q><i/><i/></q>", "<q><i/></q>", /no child <i>/);
  });

  test("compares the text that it lists", () => {
    fits("<b>Hi</b>", "<b> Hi </b>");
    fails("<b>Hi</b>", "<b>Ho</b>", /"Ho", not "Hi"/);
    fits("<q> <a/> </q>", "<q>words<a/></q>");
  });

  test("takes any value, or none", () => {
    fits("<b id='{any}'>{any}</b>", "<b id='1'>Hi</b>");
    fails("<b id='{any}'/>", "<b/>", /@id is absent/);
    fails("<b>{any}</b>", "<b/>", /text of <b> is absent/);
    fits("<b id='{none}'/>", "<b/>");
    fails("<b id='{none}'/>", "<b id='1'/>", /should be absent/);
  });

  test("tells presence by its type, and never takes an error for what it is not", () => {
    fails("<presence from='a@b'/>", "<presence from='a@b' type='unavailable'/>", /@type is "unavailable"/);
    fails("<message/>", "<message type='error'/>", /@type is "error"/);
    fits("<message/>", "<message type='chat'/>");
    fits("<message type='error'/>", "<message type='error'/>");
  });
});

describe("the stage", () => {
  /** A play whose end does not end the test: what its end has to say is the result. */
  const play = async (act: (stage: Stage<"romeo" | "juliet">) => unknown): Promise<void> => {
    const ends: (() => Promise<void>)[] = [];
    const context = { after: (end: () => Promise<void>) => ends.push(end) } as unknown as TestContext;
    await act(await cast(context, { romeo: {}, juliet: {} }));
    for (const end of ends) await end();
  };

  test("is content with a play whose every stanza was received", async () => {
    await play(async ({ actors: { romeo, juliet } }) => {
      romeo.sends(`<message to='${juliet.full}'><body>Hi</body></message>`);
      await juliet.receives(`<message from='${romeo.full}'><body>Hi</body></message>`);
      await juliet.receivesNothing();
    });
  });

  test("fails a play that leaves something in an inbox", async () => {
    const left = play(({ actors: { romeo, juliet } }) => {
      romeo.sends(`<message to='${juliet.full}'><body>Hi</body></message>`);
    });
    await assert.rejects(
      left,
      /juliet@pipit\.test\/phone received, and did not expect:\s+<message .*\s+<body>Hi/,
    );
  });

  test("fails a play in which the node logs an error", async () => {
    const logged = play(async ({ node, actors: { romeo, juliet } }) => {
      node.registry.message.filter.push(() => assert.fail("a bug"));
      romeo.sends(`<message to='${juliet.full}'><body>Hi</body></message>`);
      await romeo.receives("<message type='error'/>");
    });
    await assert.rejects(logged, /the node logged: .* a bug/);
  });

  test("sees what is still on its way when nothing should come", async () => {
    await play(async ({ actors: { romeo, juliet } }) => {
      romeo.sends(`<message to='${juliet.full}'><body>Hi</body></message>`);
      await assert.rejects(juliet.receivesNothing(), /should have received nothing/);
      juliet.inbox.length = 0;
    });
  });

  test("tells what it waited for and what there was instead", async () => {
    await play(async ({ actors: { romeo, juliet } }) => {
      romeo.sends(`<message to='${juliet.full}'><body>Hi</body></message>`);
      await juliet.receives("<message/>");
      romeo.sends(`<message to='${juliet.full}'><body>Hi</body></message>`);
      const next = juliet.receivesNext("<message><body>Ho</body></message>");
      await assert.rejects(next, /the text of <body> is "Hi", not "Ho"\s+expected:[^]*Ho[^]*came:[^]*Hi/);
      await juliet.kill();
      const never = juliet.receives("<message/>");
      await assert.rejects(never, /the connection is closed; expected:\s+<message\/>\s+the inbox is empty/);
    });
  });

  test("befriends, logs in further resources, and keeps the presence of that to itself", async (t) => {
    await using stage = await cast(t, { romeo: {}, juliet: {} }, { friends: [["romeo", "juliet"]] });
    const { romeo, juliet } = stage.actors;
    const tablet = await stage.login("juliet", { resource: "tablet", tls: "starttls" });
    assert.equal(tablet.full, `${juliet.bare}/tablet`);
    await romeo.receivesNothing();
    tablet.sends("<presence><show>away</show></presence>");
    for (const one of [romeo, juliet, tablet]) {
      await one.receives(`<presence from='${tablet.full}'><show>away</show></presence>`);
    }
    romeo.sends("<presence type='unavailable'/>");
    for (const one of [romeo, juliet, tablet]) {
      await one.receives(`<presence type='unavailable' from='${romeo.full}'/>`);
    }
  });

  test("lets streams be opened by hand", async (t) => {
    await using stage = await cast(t, {});
    const stream = await stage.connects("none");
    const header = await stream.opens();
    assert.equal(header["from"], stage.domain);
    await stream.receives(
      "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>",
    );
    stream.raw("<not<xml");
    await stream.receives(
      "<stream:error><not-well-formed xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
    );
    assert.deepEqual(await stream.closed(), { clean: true });
  });
});
