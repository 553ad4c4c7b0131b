/** One address, two streams: the older one's end must not be the newer one's (RFC 6120 §7.7.2.2, RFC 6121 §4.5). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Session } from "../../src/server/session.ts";
import { lastSeenStore } from "../../src/store/last-seen.ts";
import { parseJid } from "../../src/xmpp/jid.ts";
import { cast, type Actor, type Stage } from "../support/cast.ts";
import { readElement } from "../support/reader.ts";

test("a resource that is taken over is gone, and there again", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: {} }, { friends: [["romeo", "juliet"]] });
  const { romeo, juliet } = stage.actors;
  const newer = await stage.login("juliet", { presence: false });
  assert.equal(newer.full, juliet.full);
  await juliet.receives(
    "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
  );
  await juliet.closed();
  await romeo.receivesNext(`<presence type='unavailable' from='${juliet.full}'/>`);
  newer.sends("<presence/>");
  await newer.receives(`<presence from='${newer.full}'/>`);
  await newer.receives(`<presence from='${romeo.full}'/>`);
  await romeo.receivesNext(`<presence from='${juliet.full}'/>`);
  romeo.sends(`<message type='chat' to='${juliet.bare}'><body>hi</body></message>`);
  await newer.receives("<message type='chat'><body>hi</body></message>");
});

/** A bound stream whose end the test decides on; what it is sent goes nowhere. */
class Stream {
  readonly session: Session;
  readonly #stage: Stage;

  constructor(stage: Stage, full: string) {
    this.#stage = stage;
    this.session = new Session(
      parseJid(full)!,
      { isOpen: true, isFull: false, write: () => undefined, close: () => undefined },
      "127.0.0.1",
    );
    stage.node.sessions.add(this.session);
    stage.node.events.emit("session.bound", { session: this.session });
  }

  sends(xml: string): void | Promise<void> {
    return this.#stage.node.router.receive(this.session, readElement(xml));
  }

  /** It is out of the way for whoever takes its address. */
  detach(): void {
    this.#stage.node.sessions.remove(this.session);
  }

  /** Its end is told. */
  close(): void {
    this.detach();
    this.#stage.node.events.emit("session.closed", { session: this.session });
  }
}

const play = async (
  t: Parameters<typeof cast>[0],
  act: (stage: Stage, actors: { romeo: Actor; nurse: Actor }, address: string) => Promise<void>,
): Promise<void> => {
  await using stage = await cast(
    t,
    { romeo: {}, nurse: {}, juliet: { presence: false } },
    { friends: [["romeo", "juliet"]] },
  );
  const { romeo, nurse, juliet } = stage.actors;
  await juliet.ends();
  await act(stage, { romeo, nurse }, juliet.full);
};

test("the late end of the older stream is not told once the newer one has shown itself", (t) =>
  play(t, async (stage, { romeo }, address) => {
    const older = new Stream(stage, address);
    await older.sends("<presence><status>older</status></presence>");
    await romeo.receives("<presence><status>older</status></presence>");
    older.detach();
    const newer = new Stream(stage, address);
    await newer.sends("<presence><status>newer</status></presence>");
    await romeo.receives("<presence><status>newer</status></presence>");
    older.close();
    await romeo.receivesNothing();
    assert.equal(await lastSeenStore(stage.node.store).find(newer.session.account), undefined);
    romeo.sends(`<presence type='probe' to='${newer.session.account}'/>`);
    await romeo.receives(`<presence from='${address}'><status>newer</status></presence>`);
    newer.close();
    await romeo.receives(`<presence type='unavailable' from='${address}'/>`);
  }));

test("the end of the older stream is told as long as the newer one has not shown itself", (t) =>
  play(t, async (stage, { romeo }, address) => {
    const older = new Stream(stage, address);
    await older.sends("<presence/>");
    await romeo.receives(`<presence from='${address}'/>`);
    older.detach();
    const newer = new Stream(stage, address);
    older.close();
    await romeo.receives(`<presence type='unavailable' from='${address}'/>`);
    newer.close();
    await romeo.receivesNothing();
  }));

test("presence that was on its way when the stream was replaced is nobody's", (t) =>
  play(t, async (stage, { romeo }, address) => {
    const older = new Stream(stage, address);
    // The roster is not in memory yet, so this waits for the store.
    const entering = older.sends("<presence><status>older</status></presence>");
    assert.ok(entering instanceof Promise);
    older.detach();
    const newer = new Stream(stage, address);
    await newer.sends("<presence><status>newer</status></presence>");
    await entering;
    older.close();
    await romeo.receives("<presence><status>newer</status></presence>");
    await romeo.receivesNothing();
    newer.close();
    await romeo.receives(`<presence type='unavailable' from='${address}'/>`);
  }));

test("who was greeted by the older stream learns of its end, unless the newer one greeted them too", (t) =>
  play(t, async (stage, { romeo, nurse }, address) => {
    const older = new Stream(stage, address);
    await older.sends("<presence/>");
    await older.sends(`<presence to='${nurse.bare}'/>`);
    await older.sends(`<presence to='${nurse.full}'/>`);
    await romeo.receives(`<presence from='${address}'/>`);
    for (const to of [nurse.bare, nurse.full])
      await nurse.receives(`<presence from='${address}' to='${to}'/>`);
    older.detach();
    const newer = new Stream(stage, address);
    await newer.sends("<presence/>");
    await newer.sends(`<presence to='${nurse.full}'/>`);
    await romeo.receives(`<presence from='${address}'/>`);
    await nurse.receives(`<presence from='${address}' to='${nurse.full}'/>`);
    older.close();
    await nurse.receives(`<presence type='unavailable' from='${address}' to='${nurse.bare}'/>`);
    await nurse.receivesNothing();
    newer.close();
    await nurse.receives(`<presence type='unavailable' from='${address}' to='${nurse.full}'/>`);
    await romeo.receives(`<presence type='unavailable' from='${address}'/>`);
  }));

test("what is in memory goes with the last stream, in whatever order they end", (t) =>
  play(t, async (stage, { romeo }, address) => {
    const { rosters } = stage.node;
    const account = parseJid(address)!.bare;
    const older = new Stream(stage, address);
    await older.sends("<presence/>");
    older.detach();
    const newer = new Stream(stage, address);
    await newer.sends("<presence/>");
    older.close();
    assert.ok(rosters.cached(account), "the newer one is there");
    newer.close();
    assert.equal(rosters.cached(account), undefined);
    await romeo.receives(`<presence from='${address}'/>`);
    await romeo.receives(`<presence from='${address}'/>`);
    await romeo.receives(`<presence type='unavailable' from='${address}'/>`);
  }));
