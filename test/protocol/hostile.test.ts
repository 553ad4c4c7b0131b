/**
 * What strangers and ill-willed users send: each attack has the answer that its specification says, two people who
 * chat meanwhile notice nothing, and the node holds on to nothing of it.
 */
import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { test, type TestContext } from "node:test";
import { NS } from "../../src/xmpp/ns.ts";
import type { Actor } from "../support/actor.ts";
import { openPorts } from "../support/c2s.ts";
import { probe, spawnNode, type NodeProcess } from "../support/node.ts";
import { domain, password, perform, Scene, type Attack } from "./hostile/attack.ts";
import { byteAttacks } from "./hostile/bytes.ts";
import { floodAttacks } from "./hostile/floods.ts";
import { loginAttacks } from "./hostile/logins.ts";
import { foreignNode, ownNode, requestAttacks } from "./hostile/requests.ts";
import { postedByJuliet, stanzaAttacks, timeline } from "./hostile/stanzas.ts";

const table: readonly Attack[] = [
  ...byteAttacks,
  ...loginAttacks,
  ...stanzaAttacks,
  ...requestAttacks,
  ...floodAttacks,
];

/** How often the table is performed after the first time, which fills caches and compiles what is hot. */
const repetitions = 2;
/** What memory may grow by for each connection of the repetitions, in bytes: an address is remembered, a stream is not. */
const tolerance = 2_048;
/** A safety net only, in milliseconds: the node hears at once that somebody is gone. */
const patience = 20_000;
// Only Linux has all of 127.0.0.0/8 without being told.
const skip = process.platform !== "linux" && "mallory needs many loopback addresses";

test("attacks are answered, harm nobody and leave nothing", { skip }, async (t) => {
  const node = await spawnNode(t, {}, { options: probe });
  for (const name of ["romeo", "juliet", "mallory"]) {
    const added = await node.pipit(["account", "add", `${name}@${domain}`, "--password", password]);
    assert.equal(added.code, 0, added.stderr);
  }
  const chat = new Chat(await node.login("romeo", { password }), await node.login("juliet", { password }));
  const mallory = await node.login("mallory", { password });
  for (const [one, at] of [
    [chat.juliet, foreignNode],
    [mallory, ownNode],
  ] as const) {
    const item = `<publish node='${at}'><item id='secret'><note xmlns='urn:note'>Dear diary</note></item></publish>`;
    await one.asks(
      `<iq type='set'><pubsub xmlns='${NS.pubsub}'>${item}</pubsub></iq>`,
      "<iq type='result'/>",
    );
  }
  await mallory.ends();
  chat.juliet.sends(
    `<message to='${timeline}' id='${postedByJuliet}'><body>Parting is such sweet sorrow</body></message>`,
  );
  await chat.juliet.receives(`<message from='${timeline}'/>`);
  await chat.begins();

  await performance(t, node, chat, 0);
  const before = await quiet(node);
  let connections = 0;
  for (let run = 1; run <= repetitions; run += 1) {
    connections += await performance(undefined, node, chat, run);
  }
  const growth = (await quiet(node)) - before;
  t.diagnostic(`${before} bytes held, ${growth} more after another ${connections} connections`);
  assert(growth < tolerance * connections, `the node has grown by ${growth} bytes`);

  t.diagnostic(`${await chat.ends()} messages were exchanged meanwhile`);
  await (await node.login("mallory", { password })).ends();
  assert.deepEqual(node.output.match(/.*"level":[456]0.*/g), null);
  assert.equal(await node.stops(), 0);
});

test("who comes byte by byte has no more time than others", async (t) => {
  const ports = await openPorts(t, { timing: { negotiation: 100, sweep: 5 } });
  for (const tls of ["none", "direct"] as const) {
    const stream = await ports.connects(tls);
    stream.expectsHeader();
    stream.raw("<?xml version='1.0'?>");
    while (!stream.gone) {
      stream.raw(" ");
      await setTimeout(1);
    }
    await stream.receivesHeader();
    await stream.receives(`<error xmlns='${NS.stream}'><connection-timeout xmlns='${NS.streams}'/></error>`);
    assert.deepEqual(await stream.closed(), { clean: true });
  }
});

/** The bytes that the node holds on to once nobody is there but romeo and juliet. */
async function quiet(node: NodeProcess): Promise<number> {
  for (const until = Date.now() + patience; ;) {
    const { bytes, connections } = await node.holds();
    if (connections === 2) return bytes;
    assert(Date.now() < until, `the node still has ${connections} connections`);
  }
}

/** Every attack of the table, each followed by two people who go on as if nothing had happened. */
async function performance(
  t: TestContext | undefined,
  node: NodeProcess,
  chat: Chat,
  run: number,
): Promise<number> {
  const scene = new Scene(node, run, chat.juliet);
  for (const attack of table) {
    const play = async (): Promise<void> => {
      await perform(attack, scene);
      await chat.goesOn();
    };
    if (t) await t.test(`${attack.name}: ${attack.source}`, play);
    else await play().catch((error: unknown) => assert.fail(`${attack.name}: ${String(error)}`));
  }
  return scene.ends();
}

/** Two people who never stop talking; every message must arrive, in order, and nothing else. */
class Chat {
  readonly romeo: Actor;
  readonly juliet: Actor;
  #count = 0;
  #isOver = false;
  #talk: Promise<void> | undefined;
  #look = (): void => undefined;

  constructor(romeo: Actor, juliet: Actor) {
    this.romeo = romeo;
    this.juliet = juliet;
  }

  async begins(): Promise<void> {
    for (const one of [this.romeo, this.juliet]) {
      one.sends("<presence/>");
      await one.receives(`<presence from='${one.full}'/>`);
    }
    this.#talk = this.#talks();
    this.#talk.catch(() => this.#look());
  }

  async #talks(): Promise<void> {
    while (!this.#isOver) {
      await this.#says(this.romeo, this.juliet);
      await this.#says(this.juliet, this.romeo);
      this.#count += 2;
      this.#look();
    }
  }

  async #says(one: Actor, other: Actor): Promise<void> {
    const body = `${this.#count} by ${one.bare}`;
    one.sends(`<message type='chat' to='${other.bare}'><body>${body}</body></message>`);
    await other.receivesNext(
      `<message type='chat' from='${one.full}' to='${other.bare}'><body>${body}</body></message>`,
    );
  }

  /** Waits for messages both ways that begin from now on. */
  async goesOn(): Promise<void> {
    const enough = this.#count + 4;
    await Promise.race([
      this.#talk,
      new Promise<void>((resolve) => {
        this.#look = () => {
          if (this.#count >= enough) resolve();
        };
      }),
    ]);
  }

  /** How many messages there were. */
  async ends(): Promise<number> {
    this.#isOver = true;
    await this.#talk;
    for (const one of [this.romeo, this.juliet]) await one.receivesNothing();
    return this.#count;
  }
}
