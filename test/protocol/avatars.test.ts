/** XEP-0084, XEP-0153 and XEP-0398: one picture, for clients that look for it in pubsub, in vCards and in presence. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { attr, child, children, childText, type Element } from "../../src/xmpp/xml.ts";
import { shows, wanting } from "../support/client-caps.ts";
import { cast, type Actor, type Stage } from "../support/cast.ts";

const pubsub = "http://jabber.org/protocol/pubsub";
const data = "urn:xmpp:avatar:data";
const metadata = "urn:xmpp:avatar:metadata";
const ok = "<iq type='result'/>";

/** The smallest picture there is, and another one; `name` makes each its own. */
const png = (name: string): Buffer =>
  Buffer.concat([
    Buffer.from(
      "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=",
      "base64",
    ),
    Buffer.from(name),
  ]);
const sha1 = (bytes: Buffer): string => createHash("sha1").update(bytes).digest("hex");
const face = png("face");
const other = png("other");

const options = (access: string): string =>
  `<publish-options><x xmlns='jabber:x:data' type='submit'>
     <field var='FORM_TYPE' type='hidden'><value>${pubsub}#publish-options</value></field>
     <field var='pubsub#access_model'><value>${access}</value></field></x></publish-options>`;
const publishing = (node: string, id: string, payload: string, access = "open"): string =>
  `<iq type='set'><pubsub xmlns='${pubsub}'><publish node='${node}'><item id='${id}'>${payload}</item></publish>${options(access)}</pubsub></iq>`;
const info = (bytes: Buffer, more = ""): string =>
  `<info id='${sha1(bytes)}' bytes='${bytes.length}' type='image/png' width='1' height='1'${more}/>`;

/** As clients do (XEP-0084 §3): first the picture, then what tells of it. */
async function puts(actor: Actor, bytes: Buffer, access = "open"): Promise<void> {
  const picture = `<data xmlns='${data}'>${bytes.toString("base64")}</data>`;
  await actor.asks(publishing(data, sha1(bytes), picture, access), ok);
  const telling = `<metadata xmlns='${metadata}'>${info(bytes)}</metadata>`;
  await actor.asks(publishing(metadata, sha1(bytes), telling, access), ok);
}

const update = (hash: string): string => `<x xmlns='vcard-temp:x:update'><photo>${hash}</photo></x>`;
const photoOf = (presence: Element): string | undefined => {
  const x = child(presence, "x", "vcard-temp:x:update");
  return x && childText(x, "photo");
};
const card = (inside: string): string => `<vCard xmlns='vcard-temp'>${inside}</vCard>`;
const photo = (bytes: Buffer, type = "image/png"): string =>
  `<PHOTO><TYPE>${type}</TYPE><BINVAL>${bytes.toString("base64").replace(/(.{40})/g, "$1\n")}</BINVAL></PHOTO>`;
const reading = (of: Actor): string => `<iq type='get' to='${of.bare}'>${card("")}</iq>`;

async function items(actor: Actor, of: Actor, node: string): Promise<Element[]> {
  const reply = await actor.asks(
    `<iq type='get' to='${of.bare}'><pubsub xmlns='${pubsub}'><items node='${node}'/></pubsub></iq>`,
    ok,
  );
  return children(child(child(reply, "pubsub", pubsub)!, "items")!);
}

async function forgets(stage: Stage, ...actors: Actor[]): Promise<void> {
  await stage.settle();
  for (const actor of actors) actor.inbox.length = 0;
}

test("the account says that it keeps the two in step (XEP-0398 §2)", async (t) => {
  await using stage = await cast(t, { juliet: {} });
  await stage.actors.juliet.asks(
    `<iq type='get' to='${stage.actors.juliet.bare}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`,
    `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'>
       <feature var='urn:xmpp:pep-vcard-conversion:0'/><feature var='vcard-temp'/></query></iq>`,
  );
});

describe("from pubsub to the vCard (XEP-0398 §3.1)", () => {
  test("the picture is the vCard's photo, beside what else stands there", async (t) => {
    await using stage = await cast(t, { juliet: { presence: false }, romeo: {} });
    const { juliet, romeo } = stage.actors;
    await puts(juliet, face);
    const base64 = face.toString("base64");
    const shown = `<PHOTO><TYPE>image/png</TYPE><BINVAL>${base64}</BINVAL></PHOTO>`;
    await romeo.asks(reading(juliet), `<iq type='result'>${card(shown)}</iq>`);
    await juliet.asks(`<iq type='set'>${card(`<FN>Juliet</FN>${photo(face)}`)}</iq>`, ok);
    await romeo.asks(reading(juliet), `<iq type='result'>${card(`<FN>Juliet</FN>${shown}`)}</iq>`);
    await puts(juliet, other);
    const reply = await romeo.asks(reading(juliet), ok);
    const photos = children(child(reply, "vCard", "vcard-temp")!, "PHOTO");
    assert.deepEqual(
      photos.map((one) => childText(one, "BINVAL")),
      [other.toString("base64")],
    );
  });

  test("of several pictures, the one that is not elsewhere; and one that is disabled is not shown", async (t) => {
    await using stage = await cast(t, { juliet: { presence: false }, romeo: {} });
    const { juliet, romeo } = stage.actors;
    await puts(juliet, face);
    const elsewhere = info(other, " url='https://avatars.example/happy.gif'");
    await juliet.asks(
      publishing(metadata, sha1(face), `<metadata xmlns='${metadata}'>${elsewhere}${info(face)}</metadata>`),
      ok,
    );
    await romeo.asks(
      reading(juliet),
      `<iq type='result'>${card(`<PHOTO><BINVAL>${face.toString("base64")}</BINVAL></PHOTO>`)}</iq>`,
    );
    await juliet.asks(publishing(metadata, "off", `<metadata xmlns='${metadata}'/>`), ok);
    await romeo.asks(reading(juliet), "<iq type='error'><error type='cancel'/></iq>");
  });

  test("whoever may not read the node does not see the photo either", async (t) => {
    await using stage = await cast(
      t,
      { juliet: { presence: false }, romeo: {}, tybalt: {} },
      { friends: [["juliet", "romeo"]] },
    );
    const { juliet, romeo, tybalt } = stage.actors;
    await juliet.asks(`<iq type='set'>${card("<FN>Juliet</FN>")}</iq>`, ok);
    await puts(juliet, face, "presence");
    const hasPhoto = async (actor: Actor): Promise<boolean> => {
      const vCard = child(await actor.asks(reading(juliet), ok), "vCard", "vcard-temp")!;
      assert.equal(childText(vCard, "FN"), "Juliet");
      return child(vCard, "PHOTO") !== undefined;
    };
    assert.deepEqual(
      [await hasPhoto(juliet), await hasPhoto(romeo), await hasPhoto(tybalt)],
      [true, true, false],
    );
  });
});

describe("from the vCard to pubsub (XEP-0398 §3.2)", () => {
  test("a photo becomes the avatar, and its type is what it is", async (t) => {
    await using stage = await cast(t, { juliet: { presence: false }, romeo: {} });
    const { juliet, romeo } = stage.actors;
    await juliet.asks(`<iq type='set'>${card(`<FN>Juliet</FN>${photo(face, "image/gif")}`)}</iq>`, ok);
    const [picture] = await items(romeo, juliet, data);
    assert.equal(attr(picture!, "id"), sha1(face));
    assert.equal(Buffer.from(childText(picture!, "data", data)!, "base64").equals(face), true);
    const [told] = await items(romeo, juliet, metadata);
    assert.equal(attr(told!, "id"), sha1(face));
    const about = child(child(told!, "metadata", metadata)!, "info")!;
    assert.deepEqual(
      [attr(about, "id"), attr(about, "bytes"), attr(about, "type")],
      [sha1(face), String(face.length), "image/png"],
    );
  });

  test("contacts hear of a new one once, and of the same one not again", async (t) => {
    await using stage = await cast(
      t,
      { juliet: { presence: false }, romeo: {} },
      { friends: [["juliet", "romeo"]] },
    );
    const { juliet, romeo } = stage.actors;
    await shows(romeo, wanting([metadata], romeo.full));
    await forgets(stage, romeo);
    await juliet.asks(`<iq type='set'>${card(photo(face))}</iq>`, ok);
    await romeo.receives(
      `<message type='headline' from='${juliet.bare}'><event xmlns='${pubsub}#event'><items node='${metadata}'>
         <item id='${sha1(face)}'><metadata xmlns='${metadata}'><info id='${sha1(face)}'/></metadata></item></items></event></message>`,
    );
    await juliet.asks(`<iq type='set'>${card(`<FN>Juliet</FN>${photo(face)}`)}</iq>`, ok);
    await romeo.receivesNothing();
    // Written as a whole, a vCard without the photo takes it away.
    await juliet.asks(`<iq type='set'>${card("<FN>Juliet</FN>")}</iq>`, ok);
    const gone = await romeo.receives(
      `<message from='${juliet.bare}'><event xmlns='${pubsub}#event'/></message>`,
    );
    assert(!gone.toString().includes("<info"));
    const reply = await romeo.asks(reading(juliet), ok);
    assert(!reply.toString().includes("PHOTO"));
  });

  test("a photo that is a link, or no picture at all, stays in the vCard or is dropped", async (t) => {
    await using stage = await cast(t, { juliet: { presence: false }, romeo: {} });
    const { juliet, romeo } = stage.actors;
    const link = "<PHOTO><EXTVAL>https://capulet.example/face.png</EXTVAL></PHOTO>";
    await juliet.asks(`<iq type='set'>${card(link)}</iq>`, ok);
    await romeo.asks(reading(juliet), `<iq type='result'>${card(link)}</iq>`);
    await juliet.asks(`<iq type='set'>${card("<FN>J</FN><PHOTO><BINVAL>!!</BINVAL></PHOTO>")}</iq>`, ok);
    const reply = await romeo.asks(reading(juliet), ok);
    assert(!reply.toString().includes("PHOTO"));
  });
});

describe("in presence (XEP-0398 §4)", () => {
  test("broadcast and directed: where the client does not say it itself", async (t) => {
    await using stage = await cast(
      t,
      { juliet: { presence: false }, romeo: {}, benvolio: {} },
      { friends: [["juliet", "romeo"]] },
    );
    const { juliet, romeo, benvolio } = stage.actors;
    await puts(juliet, face);
    const shown = async (written: string): Promise<string | undefined> => {
      juliet.sends(`<presence>${written}</presence>`);
      await juliet.receives(`<presence from='${juliet.full}'/>`);
      return photoOf(await romeo.receives(`<presence from='${juliet.full}'/>`));
    };
    assert.equal(await shown(""), sha1(face));
    assert.equal(await shown("<x xmlns='vcard-temp:x:update'/>"), sha1(face), "not ready");
    assert.equal(await shown(update("")), "", "none, says the client");
    assert.equal(await shown(update("0a1b")), "0a1b", "another one, says the client");
    juliet.sends(`<presence to='${benvolio.bare}'><x xmlns='http://jabber.org/protocol/muc'/></presence>`);
    const directed = await benvolio.receives(`<presence from='${juliet.full}'/>`);
    assert.equal(photoOf(directed), sha1(face));
    juliet.sends(`<presence type='unavailable' to='${benvolio.bare}'/>`);
    const left = await benvolio.receives(`<presence type='unavailable' from='${juliet.full}'/>`);
    assert.equal(child(left, "x", "vcard-temp:x:update"), undefined);
    await romeo.receivesNothing();
    await forgets(stage, juliet);
  });

  test("a change is told at once, and that it is gone too; with each login it is there again", async (t) => {
    await using stage = await cast(t, { juliet: {}, romeo: {} }, { friends: [["juliet", "romeo"]] });
    const { juliet, romeo } = stage.actors;
    const told = async (): Promise<string | undefined> => {
      await juliet.receives(`<presence from='${juliet.full}'/>`);
      const hash = photoOf(await romeo.receives(`<presence from='${juliet.full}'/>`));
      for (const actor of [juliet, romeo]) await actor.receivesNothing();
      return hash;
    };
    await puts(juliet, face);
    assert.equal(await told(), sha1(face));
    await puts(juliet, other);
    assert.equal(await told(), sha1(other));
    // What a probe is answered with is the same.
    romeo.sends(`<presence type='probe' to='${juliet.bare}'/>`);
    assert.equal(photoOf(await romeo.receives(`<presence from='${juliet.full}'/>`)), sha1(other));
    await stage.restarts();
    const away = await stage.login("romeo");
    const again = await stage.login("juliet", { presence: false });
    again.sends("<presence/>");
    await again.receives(`<presence from='${again.full}'>${update(sha1(other))}</presence>`);
    await away.receives(`<presence from='${again.full}'>${update(sha1(other))}</presence>`);
    await again.asks(publishing(metadata, "off", `<metadata xmlns='${metadata}'/>`), ok);
    assert.equal(photoOf(await away.receives(`<presence from='${again.full}'/>`)), "");
    await forgets(stage, again, away);
  });

  test("an account that never had one says nothing of it", async (t) => {
    await using stage = await cast(t, { juliet: { presence: false } });
    const { juliet } = stage.actors;
    juliet.sends("<presence/>");
    const presence = await juliet.receives(`<presence from='${juliet.full}'/>`);
    assert.equal(child(presence, "x", "vcard-temp:x:update"), undefined);
  });
});

test("a picture is named by its own digest, and metadata say what they have to (XEP-0084 §4)", async (t) => {
  await using stage = await cast(t, { juliet: { presence: false } });
  const { juliet } = stage.actors;
  const refused = `<iq type='error'><error><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><invalid-payload xmlns='${pubsub}#errors'/></error></iq>`;
  const picture = (text: string) => `<data xmlns='${data}'>${text}</data>`;
  await juliet.asks(publishing(data, sha1(other), picture(face.toString("base64"))), refused);
  await juliet.asks(publishing(data, sha1(face), picture("no base64!")), refused);
  await juliet.asks(publishing(data, sha1(face), "<x xmlns='urn:example'/>"), refused);
  for (const wrong of [
    "<info/>",
    `<info id='${sha1(face)}' type='text/html' bytes='3'/>`,
    `<info id='x' type='image/png' bytes='3'/>`,
  ])
    await juliet.asks(
      publishing(metadata, "x", `<metadata xmlns='${metadata}'>${wrong}</metadata>`),
      refused,
    );
  // Line breaks do not count, nor does the case of digits.
  const wrapped = face.toString("base64").replace(/(.{20})/g, "$1\n");
  await juliet.asks(publishing(data, sha1(face).toUpperCase(), picture(wrapped)), ok);
  const [item] = await items(juliet, juliet, data);
  assert.equal(attr(item!, "id"), sha1(face));
});

test("the web shows it where everybody may see it, and else a letter", async (t) => {
  await using stage = await cast(t, { juliet: { presence: false } });
  const { juliet } = stage.actors;
  const shown = async (
    etag = "",
  ): Promise<{ status: number; type: string | null; body: Buffer; etag: string }> => {
    const response = await fetch(`${stage.web}/@juliet/avatar.svg`, { headers: { "If-None-Match": etag } });
    const body = Buffer.from(await response.arrayBuffer());
    const { status, headers } = response;
    return { status, type: headers.get("content-type"), body, etag: headers.get("etag") ?? "" };
  };
  const letter = await shown();
  assert.equal(letter.type, "image/svg+xml");
  await puts(juliet, face);
  const picture = await shown(letter.etag);
  assert.equal(picture.type, "image/png");
  assert(picture.body.equals(face));
  assert.equal((await shown(picture.etag)).status, 304);
  await juliet.asks(
    `<iq type='set'><pubsub xmlns='${pubsub}#owner'><configure node='${data}'><x xmlns='jabber:x:data' type='submit'>
       <field var='pubsub#access_model'><value>presence</value></field></x></configure></pubsub></iq>`,
    ok,
  );
  assert.equal((await shown(picture.etag)).type, "image/svg+xml");
});

test("what only calls itself a picture is none on the web", async (t) => {
  await using stage = await cast(t, { juliet: { presence: false } });
  await puts(stage.actors.juliet, Buffer.from("<script>alert(1)</script>"));
  const response = await fetch(`${stage.web}/@juliet/avatar.svg`);
  assert.equal(response.headers.get("content-type"), "image/svg+xml");
  assert(!(await response.text()).includes("script"));
});
