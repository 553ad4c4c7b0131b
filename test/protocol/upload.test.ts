/** XEP-0363: HTTP File Upload, by its stanzas: what is announced, slots, purposes, quotas, errors. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { uploadStore } from "../../src/store/uploads.ts";
import { parseDateTime } from "../../src/xmpp/datetime.ts";
import { parseJid } from "../../src/xmpp/jid.ts";
import { attr, child } from "../../src/xmpp/xml.ts";
import { cast } from "../support/cast.ts";
import { readElement } from "../support/reader.ts";
import { ask, onDisk, put, slot, slotRequest, upload } from "../support/upload.ts";
import { world } from "../support/world.ts";

const xmlns = "urn:xmpp:http:upload:0";
const stanzas = "urn:ietf:params:xml:ns:xmpp-stanzas";

const error = (type: string, condition: string, app = ""): string =>
  `<iq type='error'><error type='${type}'><${condition} xmlns='${stanzas}'/>${app}</error></iq>`;

test("the service is found, with its purposes and the largest size (§3, §5)", async (t) => {
  await using stage = await cast(t, { romeo: {} }, { config: { upload: { max_file_size: 5_242_880 } } });
  const { romeo } = stage.actors;
  await romeo.asks(
    `<iq type='get' to='${stage.domain}'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>`,
    `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#items'>
      <item jid='upload.${stage.domain}' name='HTTP File Upload'/>
    </query></iq>`,
  );
  await romeo.asks(
    `<iq type='get' to='upload.${stage.domain}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`,
    `<iq type='result' from='upload.${stage.domain}'><query xmlns='http://jabber.org/protocol/disco#info'>
      <identity category='store' type='file' name='HTTP File Upload'/>
      <feature var='${xmlns}'/>
      <feature var='urn:xmpp:http:upload:purpose:0#message'/>
      <feature var='urn:xmpp:http:upload:purpose:0#profile'/>
      <feature var='urn:xmpp:http:upload:purpose:0#ephemeral'/>
      <feature var='urn:xmpp:http:upload:purpose:0#permanent'/>
      <x xmlns='jabber:x:data' type='result'>
        <field var='FORM_TYPE' type='hidden'><value>${xmlns}</value></field>
        <field var='max-file-size'><value>5242880</value></field>
      </x>
    </query></iq>`,
  );
});

test("without a web there is no service", async (t) => {
  await using stage = await cast(t, { romeo: {} }, { config: { listen: { http: false } } });
  const { romeo } = stage.actors;
  await romeo.asks(slotRequest(stage.domain), "<iq type='error'/>");
  const items = await romeo.asks(
    `<iq type='get' to='${stage.domain}'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>`,
  );
  assert(!String(items).includes("upload."));
});

test("a slot keeps the name and its ending, percent-encoded (§4)", async (t) => {
  await using stage = await cast(t, { romeo: {} });
  const { romeo } = stage.actors;
  const path = await slot(romeo, stage, { name: "très cool.jpg", size: 23_456, type: "image/jpeg" });
  assert.match(path, /^\/upload\/[\w-]{24}\/tr%C3%A8s%20cool\.jpg$/);
  assert(!path.includes("romeo"), "the link does not tell who brought it");
  const another = await slot(romeo, stage, { name: "très cool.jpg", size: 23_456, type: "image/jpeg" });
  assert.notEqual(another, path);
  assert.equal((await ask(stage, "GET", path)).status, 404, "nothing is there yet");
});

test("a request that says too little, or nonsense, is bad", async (t) => {
  await using stage = await cast(t, { romeo: {} });
  const { romeo } = stage.actors;
  const to = `upload.${stage.domain}`;
  const bad = error("modify", "bad-request");
  await romeo.asks(`<iq type='get' to='${to}'><request xmlns='${xmlns}' size='5'/></iq>`, bad);
  await romeo.asks(`<iq type='get' to='${to}'><request xmlns='${xmlns}' filename='a'/></iq>`, bad);
  await romeo.asks(slotRequest(stage.domain, { name: "" }), bad);
  for (const size of ["0", "-1", "1.5", "1e3", "five", "", "99999999999999999999"]) {
    await romeo.asks(slotRequest(stage.domain, { size }), bad);
  }
  for (const type of [
    "image",
    "image/",
    "a b/c",
    "image/png\u00e9",
    "image/png&#10;X-Evil: 1",
    "image/png&#10;;a=b",
  ]) {
    await romeo.asks(slotRequest(stage.domain, { type }), bad);
  }
  await romeo.asks(slotRequest(stage.domain, { purpose: "ephemeral" }), bad);
  await romeo.asks(slotRequest(stage.domain, { purpose: "ephemeral expire-before='tomorrow'" }), bad);
  const two = `<profile xmlns='urn:xmpp:http:upload:purpose:0'/>`;
  await romeo.asks(
    `<iq type='get' to='${to}'><request xmlns='${xmlns}' filename='a' size='5'>${two}${two}</request></iq>`,
    bad,
  );
  await romeo.asks(
    slotRequest(stage.domain, { purpose: "backup" }),
    error("cancel", "feature-not-implemented"),
  );
  await romeo.asks(
    slotRequest(stage.domain).replace("'get'", "'set'"),
    error("cancel", "service-unavailable"),
  );
});

test("a file that is too large is refused with the limit of its purpose (§6)", async (t) => {
  await using stage = await cast(t, { romeo: {} }, { config: { upload: { max_file_size: 20_000_000 } } });
  const { romeo } = stage.actors;
  const tooLarge = (limit: number) =>
    error(
      "modify",
      "not-acceptable",
      `<file-too-large xmlns='${xmlns}'><max-file-size>${limit}</max-file-size></file-too-large>`,
    );
  await romeo.asks(slotRequest(stage.domain, { size: 20_000_001 }), tooLarge(20_000_000));
  await slot(romeo, stage, { size: 20_000_000 });
  const profile = 4 * 1024 ** 2;
  await romeo.asks(slotRequest(stage.domain, { size: profile + 1, purpose: "profile" }), tooLarge(profile));
  await slot(romeo, stage, { size: profile, purpose: "profile" });
});

test("what the disk has no room for is refused before it is sent", async (t) => {
  const huge = 2 ** 52;
  await using stage = await cast(
    t,
    { romeo: {} },
    { config: { upload: { max_file_size: huge, quota: huge } } },
  );
  const { romeo } = stage.actors;
  await romeo.asks(slotRequest(stage.domain, { size: huge }), error("wait", "resource-constraint"));
});

test("only people of this node get slots", async (t) => {
  const verona = await world(t, { montague: { romeo: {} }, capulet: { juliet: {} } });
  const { zone } = verona.dns;
  zone["_xmpp-server._tcp.upload.capulet.example"] = zone["_xmpp-server._tcp.capulet.example"]!;
  zone["upload.capulet.example"] = {};
  const { romeo } = verona.actors;
  await romeo.asks(slotRequest("capulet.example"), error("auth", "forbidden"));
});

test("a quota that is reached says when there is room again, and is each one's own (§6)", async (t) => {
  const config = { upload: { quota: 1_000_000, permanent_quota: 500_000 } };
  await using stage = await cast(t, { romeo: {}, juliet: {} }, { config });
  const { romeo, juliet } = stage.actors;
  const before = Date.now();
  await slot(romeo, stage, { size: 600_000 });
  const refused = await romeo.asks(
    slotRequest(stage.domain, { size: 600_000 }),
    error("wait", "resource-constraint", `<retry xmlns='${xmlns}'/>`),
  );
  const stamp = parseDateTime(attr(child(child(refused, "error")!, "retry", xmlns)!, "stamp")!)!;
  const end = stamp.getTime() - before;
  assert(end >= 300_000 && end < 330_000, `the slot that is in the way ends in ${end} ms`);
  await romeo.asks(
    slotRequest(stage.domain, { size: 600_000, purpose: "ephemeral expire-before='2999-01-01T00:00:00Z'" }),
    error("wait", "resource-constraint"),
  );
  // Other purposes and other people have their own.
  await upload(romeo, stage, Buffer.alloc(400_000), { purpose: "permanent" });
  const forever = await romeo.asks(
    slotRequest(stage.domain, { size: 400_000, purpose: "permanent" }),
    error("wait", "resource-constraint"),
  );
  assert.equal(child(child(forever, "error")!, "retry", xmlns), undefined, "nothing goes by itself");
  await slot(juliet, stage, { size: 600_000 });
});

test("many small files count by the room they take", async (t) => {
  await using stage = await cast(t, { romeo: {} }, { config: { upload: { quota: 4 * 4_096 } } });
  const { romeo } = stage.actors;
  for (const size of [1, 4_096, 4_097]) await slot(romeo, stage, { size });
  await romeo.asks(slotRequest(stage.domain, { size: 1 }), error("wait", "resource-constraint"));
});

test("an ephemeral file ends when its uploader says, or sooner", async (t) => {
  await using stage = await cast(t, { romeo: {} }, { config: { upload: { keep_days: 1 } } });
  const { romeo } = stage.actors;
  await romeo.asks(
    slotRequest(stage.domain, { purpose: "ephemeral expire-before='2020-01-01T00:00:00Z'" }),
    error("modify", "not-acceptable"),
  );
  const uploads = uploadStore(stage.node.store);
  const endOf = async (expireBefore: Date) => {
    const path = await upload(romeo, stage, "hello", {
      purpose: `ephemeral expire-before='${expireBefore.toISOString()}'`,
    });
    const { expiresAt } = (await uploads.find(path.split("/")[2]!))!;
    return expiresAt!.getTime();
  };
  const soon = new Date(Date.now() + 3_600_000);
  assert.equal(await endOf(soon), soon.getTime());
  const late = await endOf(new Date(Date.now() + 7 * 86_400_000));
  assert(late <= Date.now() + 86_400_000);
});

test("who is disabled gets no slot", async (t) => {
  await using stage = await cast(t, { romeo: {} });
  const { accounts, router } = stage.node;
  await accounts.setDisabled(parseJid(stage.bare("romeo"))!, true);
  await stage.actors.romeo.closed();
  stage.actors.romeo.inbox.length = 0;
  const iq = readElement(
    slotRequest(stage.domain).replace("<iq", `<iq from='${stage.bare("romeo")}' id='x'`),
  );
  const reply = await router.request(iq);
  assert.equal(child(child(reply, "error")!, "forbidden", stanzas)?.name, "forbidden");
});

test("the picture of a post goes with it, that of an avatar when there is another", async (t) => {
  await using stage = await cast(t, { romeo: {} });
  const { romeo } = stage.actors;
  const uploads = uploadStore(stage.node.store);
  const expiryOf = async (path: string) => (await uploads.find(path.split("/")[2]!))?.expiresAt?.getTime();
  const picture = await upload(romeo, stage, "hello", { name: "a.jpg", purpose: "permanent" });
  const author = parseJid(romeo.bare)!;
  const text = `Look ![here](${stage.config.url}${picture})`;
  const { id } = await stage.node.posts.create({ author, text });
  assert.equal(await expiryOf(picture), undefined);
  await stage.node.posts.remove({ author, id });
  await stage.settle();
  assert((await expiryOf(picture))! <= Date.now() + 300_000, "the post is gone");

  const faces: string[] = [];
  for (const name of ["old.png", "new.png"]) {
    const face = await upload(romeo, stage, "hello", { name, purpose: "profile" });
    faces.push(face);
    await romeo.asks(
      `<iq type='set'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:xmpp:avatar:metadata'>
        <item id='${"0".repeat(39)}${faces.length}'><metadata xmlns='urn:xmpp:avatar:metadata'>
          <info bytes='5' id='${"0".repeat(39)}${faces.length}' type='image/png' url='${stage.config.url}${face}'/>
        </metadata></item></publish></pubsub></iq>`,
      "<iq type='result'/>",
    );
  }
  await stage.settle();
  assert((await expiryOf(faces[0]!))! <= Date.now() + 300_000, "the old avatar is gone");
  assert.equal(await expiryOf(faces[1]!), undefined);
  romeo.inbox.length = 0;
});

test("files go with their account", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: {} });
  const { romeo, juliet } = stage.actors;
  const gone = await upload(romeo, stage, "hello", { purpose: "permanent" });
  const kept = await upload(juliet, stage, "hello", { purpose: "permanent" });
  const open = await slot(romeo, stage);
  await romeo.ends();
  await stage.node.accounts.remove(parseJid(romeo.bare)!);
  assert.equal((await ask(stage, "GET", gone)).status, 404);
  assert.equal((await put(stage, open, "hello")).status, 404);
  assert.equal((await ask(stage, "GET", kept)).status, 200);
  assert.deepEqual(await onDisk(stage), [kept.split("/")[2]]);
});
