/** What two people on two servers do: each scene is played in both directions. */
import assert from "node:assert";
import { befriend, type ActorEvent } from "./client-actor.ts";
import { SlixmppActor, type SlixmppOptions } from "./slixmpp.ts";

const microblog = "urn:xmpp:microblog:0";
const nick = "http://jabber.org/protocol/nick";

/** Somebody with a client, who comes and goes. */
export class Person implements AsyncDisposable {
  readonly jid: string;
  readonly domain: string;
  readonly #options: SlixmppOptions;
  #actor: SlixmppActor | undefined;

  constructor(options: Omit<SlixmppOptions, "security">) {
    this.jid = options.jid;
    this.domain = options.jid.slice(options.jid.indexOf("@") + 1);
    this.#options = { ...options, security: "starttls", interests: [nick] };
  }

  get client(): SlixmppActor {
    assert(this.#actor, `${this.jid} is away`);
    return this.#actor;
  }

  async enters(): Promise<void> {
    this.#actor = new SlixmppActor(this.#options);
    await this.#actor.hears("started");
  }

  async leaves(): Promise<void> {
    await this.#actor?.[Symbol.asyncDispose]();
    this.#actor = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leaves();
  }
}

type Scene = (one: Person, other: Person) => Promise<void>;

const isFrom =
  ({ jid }: Person, type?: string) =>
  (e: ActorEvent) =>
    String(e["sender"]).startsWith(jid) && (type === undefined || e["type"] === type);

const holds =
  (...parts: string[]) =>
  (e: ActorEvent) =>
    parts.every((part) => String(e["xml"]).includes(part));

/** Attributes come in any order. */
const identity = (category: string, type: string): RegExp =>
  new RegExp(`identity(?=[^>]* category="${category}")(?=[^>]* type="${type}")`);

const entry = (title: string): string =>
  `<entry xmlns='http://www.w3.org/2005/Atom'><title>${title}</title><updated>2026-11-20T09:00:00Z</updated></entry>`;

/** In the order in which they are played. */
export const scenes: Readonly<Record<string, Scene>> = {
  async "messages, and a question to nobody"(one, other) {
    await one.client.does("message", { to: other.jid, id: "m1", body: "Gruezi & <guten> Tag 🐦" });
    const heard = await other.client.hears("message", (e) => e["id"] === "m1");
    assert.equal(heard["body"], "Gruezi & <guten> Tag 🐦");
    assert(String(heard["sender"]).startsWith(`${one.jid}/`));
    await other.client.does("message", { to: String(heard["sender"]), id: "m2", body: "Ciao" });
    assert.equal((await one.client.hears("message", (e) => e["id"] === "m2"))["body"], "Ciao");
    const asked = one.client.does("iq", {
      to: `nobody@${other.domain}`,
      type: "get",
      payload: "<query xmlns='jabber:iq:version'/>",
    });
    await assert.rejects(asked, /service-unavailable/);
  },

  async "presence of who goes and comes back"(one, other) {
    await other.leaves();
    await one.client.hears("presence", isFrom(other, "unavailable"));
    await other.enters();
    await one.client.hears("presence", isFrom(other, "available"));
    await other.client.hears("presence", isFrom(one, "available"));
  },

  async "disco of the domain and of the person"(one, other) {
    const server = String((await other.client.does("disco", { to: one.domain }))["xml"]);
    assert.match(server, identity("server", "im"));
    const person = String((await other.client.does("disco", { to: one.jid }))["xml"]);
    assert.match(person, identity("pubsub", "pep"));
  },

  async "the other's vCard"(one, other) {
    const name = `${one.jid} of Verona`;
    await one.client.does("iq", {
      type: "set",
      payload: `<vCard xmlns='vcard-temp'><FN>${name}</FN></vCard>`,
    });
    const card = await other.client.does("iq", {
      to: one.jid,
      type: "get",
      payload: "<vCard xmlns='vcard-temp'/>",
    });
    assert.match(String(card["xml"]), new RegExp(`FN>${name}<`));
  },

  async "following by a subscription, until it ends"(one, other) {
    const node = microblog;
    await one.client.does("publish", { node, id: "first-abcdef", payload: entry("Before") });
    await other.client.does("subscribe", { to: one.jid, node });
    await one.client.does("publish", { node, id: "second-abcdef", payload: entry("While") });
    const event = await other.client.hears("pubsub", holds("second-abcdef", "While"));
    assert.equal(event["sender"], one.jid);
    const items = String((await other.client.does("items", { to: one.jid, node }))["xml"]);
    assert.match(items, /While/);
    await one.client.does("retract", { node, id: "second-abcdef" });
    await other.client.hears("pubsub", holds("retract", "second-abcdef"));
    await other.client.does("unsubscribe", { to: one.jid, node });
    await one.client.does("publish", { node, id: "third-abcdef", payload: entry("After") });
    await one.client.does("message", { to: other.jid, id: "m4", body: "Did you read it?" });
    await other.client.hears("message", (e) => e["id"] === "m4");
    assert(!other.client.hasHeard("pubsub", holds("third-abcdef")), "nothing comes after the end");
  },

  async "notifications of what a client asks for with +notify"(one, other) {
    const payload = `<nick xmlns='${nick}'>${one.jid}</nick>`;
    await one.client.does("publish", { node: nick, id: "current", payload });
    const event = await other.client.hears("pubsub", holds(nick, `>${one.jid}<`));
    assert.equal(event["sender"], one.jid);
  },

  async "messages for who is away"(one, other) {
    await other.leaves();
    await one.client.hears("presence", isFrom(other, "unavailable"));
    await one.client.does("message", { to: other.jid, id: "m5", body: "When you are back" });
    // What is answered after it came after it.
    await one.client.does("ping", { to: other.domain });
    await other.enters();
    const late = await other.client.hears("message", (e) => e["id"] === "m5");
    assert.equal(late["body"], "When you are back");
    assert.match(String(late["xml"]), /urn:xmpp:delay/);
    await one.client.hears("presence", isFrom(other, "available"));
  },
};

/** All there is between two people, each in both parts. */
export async function play(ana: Person, ben: Person): Promise<void> {
  await Promise.all([ana.enters(), ben.enters()]);
  await told("presence subscriptions", befriend(ana.client, ben.client));
  for (const [name, scene] of Object.entries(scenes)) {
    await told(`${name}, near to far`, scene(ana, ben));
    await told(`${name}, far to near`, scene(ben, ana));
  }
  await told("the end of a subscription", part(ana, ben));
}

async function part(one: Person, other: Person): Promise<void> {
  await one.client.does("presence", { to: other.jid, type: "unsubscribed" });
  await other.client.hears("presence", isFrom(one, "unsubscribed"));
}

/** Which scene it was that failed. */
async function told(scene: string, played: Promise<void>): Promise<void> {
  await played.catch((cause: unknown) => {
    throw new Error(`${scene}: ${(cause as Error).message}`, { cause });
  });
}
