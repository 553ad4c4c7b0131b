/** How long uploads stay: by their purpose, by what refers to them, and by what their uploader still has room for. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { pino } from "pino";
import { completeConfig, type ConfigInput } from "../../src/config.ts";
import type { DomainEvents } from "../../src/domain/events.ts";
import { UploadRefused } from "../../src/domain/upload-files.ts";
import { Uploads, type UploadWish } from "../../src/domain/uploads.ts";
import { Events } from "../../src/events.ts";
import type { PubSubEvents } from "../../src/pubsub/events.ts";
import { PubSub } from "../../src/pubsub/pubsub.ts";
import { openStore } from "../../src/store/sqlite.ts";
import type { StanzaError } from "../../src/xmpp/errors.ts";
import { attr } from "../../src/xmpp/xml.ts";
import { jid, nodeConfig, publishOptions } from "../support/pubsub.ts";
import { readElement } from "../support/reader.ts";

const ana = "ana@example.org";
const ben = "ben@example.org";
const [second, minute, day] = [1_000, 60_000, 86_400_000];

function house(t: TestContext, settings: ConfigInput["upload"] = {}) {
  const log = pino({ level: "silent" });
  const data = mkdtempSync(join(tmpdir(), "pipit-uploads-"));
  const store = openStore(join(data, "pipit.db"), { log });
  const events = new Events<DomainEvents & PubSubEvents>(log);
  const contacts = {
    ...{ isSubscriber: async () => true, groupsOf: async () => [], blocked: async () => undefined },
  };
  const pubsub = new PubSub({ store, events, contacts });
  let clock = Date.parse("2026-08-10T10:00:00Z");
  const config = completeConfig({ domain: "example.org", data, upload: settings });
  const uploads = new Uploads({ config, store, events, log, now: () => new Date(clock) });
  t.after(async () => {
    await uploads.close();
    await store.close();
    rmSync(data, { recursive: true });
  });
  /** Takes a slot; its id, name and link. */
  async function slot(wish: Partial<UploadWish> = {}, account = ana) {
    const link = await uploads.slot(account, {
      ...{ name: "a.jpg", size: 5, type: "image/jpeg", purpose: "message" },
      ...wish,
    });
    const [id = "", name = ""] = new URL(link).pathname.split("/").slice(2);
    return { id, name, link };
  }
  async function* body(size: number) {
    yield new Uint8Array(size);
  }
  const receive = async ({ id, name }: { id: string; name: string }, size = 5) =>
    uploads.receive(id, name, { length: size, type: "image/jpeg" }, body(size));
  const publisher = (account: string) => async (node: string, id: string, payload: string) => {
    const isNew = (await pubsub.find(account, node)) === undefined;
    const max_items = node === metadata ? "1" : "max";
    await pubsub.publish({
      ...{ service: account, node, publisher: jid(account), items: [{ id, payload: readElement(payload) }] },
      options: isNew ? publishOptions({ persist_items: "1", max_items }) : undefined,
    });
  };
  return {
    ...{ uploads, pubsub, events, slot, receive },
    publish: publisher(ana),
    publishAs: (account: string, ...rest: Parameters<ReturnType<typeof publisher>>) =>
      publisher(account)(...rest),
    async upload(wish: Partial<UploadWish> = {}, account = ana) {
      const made = await slot(wish, account);
      await receive(made, wish.size ?? 5);
      return made;
    },
    isThere: async ({ id, name }: { id: string; name: string }) =>
      (await uploads.find(id, name)) !== undefined,
    onDisk: () => readdirSync(join(data, "uploads")).sort(),
    async passes(milliseconds: number) {
      clock += milliseconds;
      await events.idle();
      await uploads.sweep();
    },
    now: () => clock,
  };
}

const metadata = "urn:xmpp:avatar:metadata";
const posts = "urn:example:posts";
const avatar = (link: string): string =>
  `<metadata xmlns='${metadata}'><info id='x' type='image/jpeg' bytes='5' url='${link}'/></metadata>`;
const post = (...links: string[]): string =>
  `<note xmlns='urn:example:note'><b>Look: ${links.map((link) => `&lt;img src="${link}"&gt;`).join(" and ")}</b></note>`;

const refusal = (fault: string) => (error: unknown) =>
  error instanceof UploadRefused && error.fault === fault;

function signal() {
  let set = (): void => undefined;
  const is = new Promise<void>((resolve) => (set = resolve));
  return { is, set: () => set() };
}

describe("a slot", () => {
  test("waits for five minutes", async (t) => {
    const { slot, receive, passes, isThere } = house(t);
    const [early, late] = [await slot(), await slot()];
    await passes(5 * minute - second);
    await receive(early);
    await passes(second);
    await assert.rejects(receive(late), refusal("unknown"));
    assert.deepEqual([await isThere(early), await isThere(late)], [true, false]);
  });

  test("that is over gives its room back", async (t) => {
    const { slot, passes, now } = house(t, { quota: 10_000 });
    await slot({ size: 8_000 });
    const stamp = new Date(now() + 5 * minute).toISOString().replace(".000", "");
    await assert.rejects(
      slot({ size: 8_000 }),
      ({ condition, app }: StanzaError) =>
        condition === "resource-constraint" && attr(app!, "stamp") === stamp,
    );
    await passes(5 * minute);
    await slot({ size: 8_000 });
  });

  test("takes no body that is not as long as it said, and stays free", async (t) => {
    const { slot, uploads, receive, onDisk } = house(t);
    const { id, name } = await slot({ size: 5 });
    for (const [size, fault] of [
      [4, "too-short"],
      [6, "too-long"],
    ] as const) {
      async function* body() {
        yield new Uint8Array(3);
        yield new Uint8Array(size - 3);
      }
      await assert.rejects(
        uploads.receive(id, name, { length: 5, type: "image/jpeg" }, body()),
        refusal(fault),
      );
      assert.deepEqual(onDisk(), []);
    }
    await receive({ id, name });
  });

  test("into which something still comes does not end", async (t) => {
    const { slot, uploads, passes, isThere } = house(t);
    const made = await slot({ size: 10 });
    const [begun, pause] = [signal(), signal()];
    async function* slowly() {
      begun.set();
      yield new Uint8Array(5);
      await pause.is;
      yield new Uint8Array(5);
    }
    const work = uploads.receive(made.id, made.name, { length: 10, type: "image/jpeg" }, slowly());
    await begun.is;
    await passes(10 * minute);
    pause.set();
    await work;
    assert(await isThere(made));
  });
});

describe("a file for a message", () => {
  test("goes after its days, and is not given out any more at that moment", async (t) => {
    const { upload, passes, isThere, onDisk } = house(t, { keep_days: 3 });
    const first = await upload();
    await passes(day);
    const second = await upload();
    await passes(2 * day - 1);
    assert.deepEqual([await isThere(first), await isThere(second)], [true, true]);
    await passes(1);
    assert.deepEqual([await isThere(first), await isThere(second)], [false, true]);
    assert.deepEqual(onDisk(), [second.id]);
  });

  test("stays for ever where that is wanted", async (t) => {
    const { upload, passes, isThere } = house(t, { keep_days: false });
    const file = await upload();
    await passes(10_000 * day);
    assert(await isThere(file));
  });

  test("goes whatever refers to it", async (t) => {
    const { upload, publish, passes, isThere } = house(t);
    const file = await upload();
    await publish(posts, "p", post(file.link));
    await passes(30 * day);
    assert(!(await isThere(file)));
  });

  test("goes with hundreds of others", async (t) => {
    const { upload, passes, onDisk } = house(t);
    for (let count = 0; count < 120; count += 1) await upload();
    await passes(30 * day);
    assert.deepEqual(onDisk(), []);
  });
});

describe("an ephemeral file", () => {
  test("goes when its uploader says, if not before", async (t) => {
    const { upload, passes, isThere, now } = house(t, { keep_days: 2 });
    const of = (milliseconds: number) =>
      upload({ purpose: "ephemeral", expireBefore: new Date(now() + milliseconds) });
    const [short, long] = [await of(day), await of(10 * day)];
    await passes(day);
    assert.deepEqual([await isThere(short), await isThere(long)], [false, true]);
    await passes(day);
    assert(!(await isThere(long)));
  });
});

describe("an avatar", () => {
  test("goes when another takes its place, and not before", async (t) => {
    const { upload, publish, passes, isThere } = house(t);
    const [old, fresh] = [await upload({ purpose: "profile" }), await upload({ purpose: "profile" })];
    await publish(metadata, "old", avatar(old.link));
    await passes(1_000 * day);
    assert(await isThere(old));
    await publish(metadata, "fresh", avatar(fresh.link));
    await passes(5 * minute);
    assert.deepEqual([await isThere(old), await isThere(fresh)], [false, true]);
  });

  test("stays as long as anything else shows it", async (t) => {
    const { upload, publish, uploads, pubsub, passes, isThere } = house(t);
    const file = await upload({ purpose: "profile" });
    const vcard = { service: ana, node: "vcard-temp", item: "" };
    await publish(metadata, "a", avatar(file.link));
    await uploads.refer(vcard, ana, readElement(`<vCard xmlns='vcard-temp'><URL>${file.link}</URL></vCard>`));
    await pubsub.nodes.remove(ana, metadata, jid(ana));
    await passes(5 * minute);
    assert(await isThere(file));
    await uploads.refer(vcard, ana, readElement("<vCard xmlns='vcard-temp'/>"));
    await passes(5 * minute);
    assert(!(await isThere(file)));
  });

  test("that nobody shows makes room for the next", async (t) => {
    const { upload, publish, slot, isThere, onDisk } = house(t);
    const size = 4 * 1024 ** 2;
    const files = [];
    for (let count = 0; count < 4; count += 1) files.push(await upload({ purpose: "profile", size }));
    await publish(metadata, "a", avatar(files[0]!.link));
    await upload({ purpose: "profile", size });
    const there = await Promise.all(files.map(isThere));
    assert.deepEqual(there, [true, false, true, true]);
    assert.equal(onDisk().length, 4);
    // Slots are promises: no other takes their room.
    for (let count = 0; count < 3; count += 1) await slot({ purpose: "profile", size });
    await assert.rejects(slot({ purpose: "profile", size }), { condition: "resource-constraint" });
    assert(await isThere(files[0]!));
  });
});

describe("a file for a post", () => {
  const gone = async (
    t: TestContext,
    act: (place: ReturnType<typeof house>, link: string) => Promise<unknown>,
  ): Promise<boolean> => {
    const place = house(t);
    const file = await place.upload({ purpose: "permanent" });
    await place.publish(posts, "p", post("https://example.org/else", file.link));
    await place.passes(1_000 * day);
    assert(await place.isThere(file));
    await act(place, file.link);
    await place.events.idle();
    await place.passes(5 * minute);
    return !(await place.isThere(file));
  };

  test("goes when the post is retracted", async (t) => {
    const request = { service: ana, node: posts, ids: ["p"], requester: jid(ana) };
    assert(await gone(t, ({ pubsub }) => pubsub.retract(request)));
  });

  test("goes when all posts are", async (t) => {
    assert(await gone(t, ({ pubsub }) => pubsub.items.purge(ana, posts, jid(ana))));
    assert(await gone(t, ({ pubsub }) => pubsub.nodes.remove(ana, posts, jid(ana))));
  });

  test("goes when the post no longer shows it", async (t) => {
    assert(await gone(t, ({ publish }) => publish(posts, "p", post("https://example.org/else"))));
  });

  test("goes when the node has no room for the post any more", async (t) => {
    const limit = nodeConfig({ max_items: "1" });
    const act = async ({ pubsub, publish }: ReturnType<typeof house>) => {
      await pubsub.nodes.configure(ana, posts, jid(ana), limit);
      await publish(posts, "q", post());
    };
    assert(await gone(t, act));
  });

  test("stays where the post is edited or comes again, as some clients edit", async (t) => {
    assert(!(await gone(t, ({ publish }, link) => publish(posts, "p", post(link)))));
    const again = async ({ pubsub, publish, passes }: ReturnType<typeof house>, link: string) => {
      await pubsub.retract({ service: ana, node: posts, ids: ["p"], requester: jid(ana) });
      await passes(minute);
      await publish(posts, "p2", post(link));
    };
    assert(!(await gone(t, again)));
  });

  test("stays where nothing here ever showed it: somebody else's page may", async (t) => {
    const { upload, passes, isThere } = house(t);
    const file = await upload({ purpose: "permanent" });
    await passes(10_000 * day);
    assert(await isThere(file));
  });

  test("does not go because somebody else linked it", async (t) => {
    const { upload, publishAs, pubsub, passes, isThere } = house(t);
    const file = await upload({ purpose: "permanent" });
    await publishAs(ben, posts, "p", post(file.link));
    await pubsub.retract({ service: ben, node: posts, ids: ["p"], requester: jid(ben) });
    await passes(day);
    assert(await isThere(file));
  });
});
