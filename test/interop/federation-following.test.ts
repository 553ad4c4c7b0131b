/** Following somebody on Prosody or on ejabberd, and being followed from there. Pipit runs in this process. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { stringify } from "smol-toml";
import { attr, childText, type Element } from "../../src/xmpp/xml.ts";
import type { Actor, Stage } from "../support/cast.ts";
import { shows, wanting } from "../support/client-caps.ts";
import { serveDns } from "../support/dns.ts";
import { commonAuthority, world } from "../support/world.ts";
import { startEjabberd } from "./ejabberd.ts";
import { folderFor } from "./house.ts";
import { password, type Mode, type Place, type StartServer } from "./peers/server.ts";
import { startProsody } from "./prosody.ts";
import type { ActorEvent } from "./client-actor.ts";
import { SlixmppActor } from "./slixmpp.ts";
import { missing, missingPython, Program } from "./software.ts";

const microblog = "urn:xmpp:microblog:0";
const pubsub = "http://jabber.org/protocol/pubsub";
const mode: Mode = { proof: "certificate", transport: "starttls", bidi: false, family: "IPv4" };
const domain = "there.example";
const bobAt = `bob@${domain}`;
const timeline = "timeline@here.example";

const noPython = missingPython("slixmpp");
const peers = {
  Prosody: { start: startProsody, host: "127.0.0.41", skip: missing("prosody") || noPython },
  ejabberd: { start: startEjabberd, host: "127.0.0.42", skip: missing("ejabberdctl") || noPython },
} satisfies Record<string, { start: StartServer; host: string; skip: string | false }>;

const houses = { here: { ana: {}, cleo: {} } } as const;

interface Scene extends AsyncDisposable {
  readonly here: Stage;
  readonly ana: Actor;
  readonly cleo: Actor;
  readonly bob: Bob;
  /** The command line; what it prints. */
  pipit(...args: string[]): Promise<string>;
}

/** Pipit with ana and cleo, and another server with bob. */
async function open(
  t: TestContext,
  peer: keyof typeof peers,
  { interests = [], ...special }: Pick<Place, "stock"> & { interests?: string[] } = {},
): Promise<Scene> {
  const { start, host } = peers[peer];
  const authority = await commonAuthority();
  const folder = await folderFor(t);
  const ca = join(folder, "ca.pem");
  await writeFile(ca, authority.ca);
  const dns = await serveDns({});
  t.after(() => dns[Symbol.asyncDispose]());
  const certificate = await authority.issue({ names: [domain] });
  const place = { domain, host, dns: dns.address, mode, certificate, ca: authority.ca, people: ["bob"] };
  const server = await start(t, { ...place, ...special });
  const { c2s: port, s2s } = server.ports;
  const bob = new Bob({ jid: bobAt, password, host, port, ca, interests, security: "starttls" });
  t.after(() => bob[Symbol.asyncDispose]());
  await bob.hears("started");
  const net = await world(t, houses, {
    houses: { here: { config: { s2s: { resolver: [dns.address] } } } },
  });
  const { here } = net.stages;
  for (const [name, address, port] of [
    [domain, host, s2s],
    [here.domain, here.config.listen.host!, here.node.ports.s2s!],
  ] as const) {
    dns.zone[name] = {};
    dns.zone[`xmpp.${name}`] = { A: [address] };
    const target = server.asksForAddresses ? `xmpp.${name}` : address;
    dns.zone[`_xmpp-server._tcp.${name}`] = { SRV: [`0 0 ${port} ${target}`] };
  }
  const config = join(folder, "pipit.toml");
  await writeFile(config, stringify({ domain: here.domain, data: here.config.data }));
  const cli = fileURLToPath(new URL("../../src/cli.js", import.meta.url));
  const pipit = async (...args: string[]) => {
    await using program = new Program(process.execPath, [cli, ...args, "--config", config]);
    return (await program.succeeds()).trimEnd();
  };
  return { here, ...net.actors, bob, pipit, [Symbol.asyncDispose]: () => net[Symbol.asyncDispose]() };
}

class Bob extends SlixmppActor {
  #minute = 0;

  /** Makes his blog, for everybody to read. */
  async begins(settings: Record<string, string> = {}): Promise<void> {
    const form = { access_model: "open", persist_items: "1", max_items: "50", ...settings };
    const fields = Object.entries(form).map(
      ([name, value]) => `<field var='pubsub#${name}'><value>${value}</value></field>`,
    );
    await this.does("iq", {
      type: "set",
      payload: `<pubsub xmlns='${pubsub}'><create node='${microblog}'/><configure><x xmlns='jabber:x:data' type='submit'>
        <field var='FORM_TYPE' type='hidden'><value>${pubsub}#node_config</value></field>${fields.join("")}
        </x></configure></pubsub>`,
    });
  }

  /** Each a minute after the one before. */
  async publishes(id: string, title: string): Promise<void> {
    const updated = new Date(Date.UTC(2026, 7, 10, 9, (this.#minute += 1))).toISOString();
    const payload = `<entry xmlns='http://www.w3.org/2005/Atom'><title>${title}</title><updated>${updated}</updated></entry>`;
    await this.does("publish", { node: microblog, id, payload });
  }

  /** Waits until his server speaks with another again; ejabberd leaves one alone for a while that was away. */
  async reaches(to: string): Promise<void> {
    const ping = { to, type: "get", payload: "<ping xmlns='urn:xmpp:ping'/>" };
    for (;;) {
      try {
        return void (await this.does("iq", ping));
      } catch {
        await sleep(100);
      }
    }
  }

  async retracts(id: string): Promise<void> {
    await this.does("retract", { node: microblog, id });
  }
}

/** Whether bob's server has somebody as a subscriber, as it tells them. */
async function isSubscribed(actor: Actor): Promise<boolean> {
  const reply = await actor.asks(
    `<iq type='get' to='${bobAt}'><pubsub xmlns='${pubsub}'><subscriptions/></pubsub></iq>`,
    "<iq type='result'/>",
  );
  return reply.toString().includes(`jid="${actor.bare}"`);
}

const says = (actor: Actor, body: string): void =>
  actor.sends(
    `<message to='${timeline}' type='chat' id='${body.slice(0, 8)}'><body>${body}</body></message>`,
  );
/** What the timeline says, without the link behind it. */
const hears = async (actor: Actor, inside = ""): Promise<{ id: string; text: string }> => {
  const message = await actor.receives(
    `<message from='${timeline}' type='chat'><body>{any}</body>${inside}</message>`,
  );
  return { id: attr(message, "id")!, text: childText(message, "body")!.replace(/\nxmpp:\S+$/, "") };
};
const answer = async (actor: Actor, body: string): Promise<string> => {
  says(actor, body);
  return (await hears(actor)).text;
};
const texts = async ({ node }: Stage, actor: Actor): Promise<string[]> =>
  (await node.timeline.page(actor.bare, 100)).entries.map(({ text }) => text);

const event = (actor: Actor, inside: string): Promise<Element> =>
  actor.receives(`<message from='${bobAt}'><event xmlns='${pubsub}#event'>
    <items node='${microblog}'>${inside}</items></event></message>`);

const holds = (part: string) => (e: ActorEvent) => String(e["xml"]).includes(part);

/** All that bob's server had for ana has come when this has: it goes the same way. */
async function arrives(bob: Bob, ana: Actor): Promise<void> {
  await bob.does("message", { to: ana.bare, id: "m1", body: "Did you read it?" });
  await ana.receives("<message type='chat'><body>Did you read it?</body></message>");
}

/** What of events and presence reaches the clients besides is no matter here. */
const ignoresEvents = ({ inbox }: Actor): void => {
  const kept = inbox.filter((one) => one.name !== "presence" && attr(one, "type") !== "headline");
  inbox.splice(0, inbox.length, ...kept);
};

for (const [name, { skip }] of Object.entries(peers)) {
  const peer = name as keyof typeof peers;
  describe(peer, { skip }, () => {
    test("posts, corrections and retractions arrive from there, until unfollowed", async (t) => {
      await using scene = await open(t, peer);
      const { here, ana, cleo, bob, pipit } = scene;
      await shows(ana, wanting([microblog]));
      await ana.receives("<presence/>");
      await bob.begins();
      await bob.publishes("before-abcdef", "Before");
      assert.equal(await answer(ana, `follow ${bobAt}`), `You follow ${bobAt} now.`);
      assert.equal(await pipit("follow", cleo.bare, bobAt), `You follow ${bobAt} now.`);
      assert.deepEqual([await isSubscribed(ana), await isSubscribed(cleo)], [true, true]);
      assert.equal(await answer(ana, "following"), bobAt);
      assert.equal(await pipit("following", cleo.bare), bobAt);

      await bob.publishes("tea-abcdef", "Tea");
      await event(ana, "<item id='tea-abcdef'/>");
      const { id, text } = await hears(ana);
      assert.equal(text, `${bobAt}: Tea`);
      assert.equal((await hears(cleo)).text, `${bobAt}: Tea`);
      assert.deepEqual(await texts(here, ana), ["Tea", "Before"]);
      await bob.publishes("tea-abcdef", "Coffee");
      const corrected = await hears(ana, `<replace id='${id}' xmlns='urn:xmpp:message-correct:0'/>`);
      assert.equal(corrected.text, `${bobAt}: Coffee`);
      await hears(cleo);
      assert.deepEqual(await texts(here, ana), ["Coffee", "Before"]);
      await bob.retracts("tea-abcdef");
      await event(ana, "<retract id='tea-abcdef'/>");
      const retract = `<retract id='${id}' xmlns='urn:xmpp:message-retract:1'/>`;
      assert.equal((await hears(ana, retract)).text, `${bobAt} deleted a post.`);
      await hears(cleo);
      assert.deepEqual(await texts(here, ana), ["Before"]);

      assert.equal(await answer(ana, `unfollow ${bobAt}`), `You no longer follow ${bobAt}.`);
      assert.deepEqual([await isSubscribed(ana), await isSubscribed(cleo)], [false, true]);
      await pipit("unfollow", cleo.bare, bobAt);
      assert.equal(await isSubscribed(cleo), false);
      ignoresEvents(ana);
      ignoresEvents(cleo);
      await bob.publishes("late-abcdef", "Too late");
      await arrives(bob, ana);
      await ana.receivesNothing();
      assert.deepEqual(await texts(here, ana), ["Before"]);
    });

    test("an item of which only the id is told is fetched from there", async (t) => {
      await using scene = await open(t, peer);
      const { here, ana, bob } = scene;
      await bob.begins({ deliver_payloads: "0" });
      await bob.publishes("before-abcdef", "Before");
      await answer(ana, `follow ${bobAt}`);
      await bob.publishes("tea-abcdef", "Tea");
      const told = await event(ana, "<item id='tea-abcdef'/>");
      assert(!told.toString().includes("Tea"), told.toString());
      assert.equal((await hears(ana)).text, `${bobAt}: Tea`);
      assert.deepEqual(await texts(here, ana), ["Tea", "Before"]);
      ignoresEvents(ana);
    });

    test("what was written and retracted there while this node was away is found out", async (t) => {
      await using scene = await open(t, peer);
      const { here, ana, bob } = scene;
      await bob.begins();
      await bob.publishes("before-abcdef", "Before");
      await bob.publishes("oops-abcdef", "Oops");
      await bob.publishes("last-abcdef", "Last");
      await answer(ana, `follow ${bobAt}`);
      assert.deepEqual(await texts(here, ana), ["Last", "Oops", "Before"]);
      // Prosody sends the last item to who subscribes, and that is no news.
      await arrives(bob, ana);
      ignoresEvents(ana);
      await ana.receivesNothing();
      await here.stops();
      await bob.retracts("oops-abcdef");
      // More than are read at once.
      const titles = Array.from({ length: 45 }, (_, at) => `Post ${at}`).toSorted();
      for (const title of titles) await bob.publishes(title.replace(" ", "-"), title);
      await here.starts();
      const back = await here.login("ana");
      await bob.reaches(here.domain);
      // As a minute after every start, but at once.
      await here.node.follows.hasten(undefined, true);
      // What bob's server has kept may come before what it has not.
      const told: string[] = [];
      while (told.length < titles.length) told.push((await hears(back)).text);
      assert.deepEqual(
        told.toSorted(),
        titles.map((title) => `${bobAt}: ${title}`),
      );
      assert.deepEqual((await texts(here, back)).toSorted(), ["Before", "Last", ...titles]);
      await arrives(bob, back);
      ignoresEvents(back);
      await back.receivesNothing();
    });

    test("people there follow by a subscription", async (t) => {
      await using scene = await open(t, peer);
      const { ana, bob, pipit } = scene;
      await answer(ana, "Before");
      await bob.does("subscribe", { to: ana.bare, node: microblog });
      assert.equal(await answer(ana, "followers"), bobAt);
      assert.equal(await pipit("followers", ana.bare), bobAt);
      says(ana, "Tea");
      await hears(ana);
      const heard = await bob.hears("pubsub", holds("Tea"));
      assert.equal(heard["sender"], ana.bare);
      await bob.does("unsubscribe", { to: ana.bare, node: microblog });
      assert.equal(await answer(ana, "followers"), "Nobody follows you yet.");
      ignoresEvents(ana);
    });

    test("contacts there follow by +notify, which the account asks them for", async (t) => {
      await using scene = await open(t, peer, { interests: [microblog] });
      const { ana, bob } = scene;
      await bob.does("presence", { to: ana.bare, type: "subscribe" });
      await ana.receives("<presence type='subscribe'/>");
      ana.sends(`<presence to='${bobAt}' type='subscribed'/><presence to='${bobAt}' type='subscribe'/>`);
      await bob.hears("presence", (e) => e["type"] === "subscribe");
      await bob.does("presence", { to: ana.bare, type: "subscribed" });
      await bob.hears("asked", (e) => e["sender"] === ana.bare);
      // Behind the answer, which takes the same way.
      await arrives(bob, ana);
      says(ana, "Tea");
      await hears(ana);
      const heard = await bob.hears("pubsub", holds("Tea"));
      assert.equal(heard["sender"], ana.bare);
      assert.equal(await answer(ana, "followers"), "Nobody follows you yet.");
      await arrives(bob, ana);
      ignoresEvents(ana);
    });
  });
}

test(
  "ejabberd as it is tells subscribers elsewhere nothing: a comparison finds out",
  peers.ejabberd,
  async (t) => {
    await using scene = await open(t, "ejabberd", { stock: true });
    const { here, ana, bob } = scene;
    await bob.begins();
    await bob.publishes("before-abcdef", "Before");
    await answer(ana, `follow ${bobAt}`);
    await bob.publishes("tea-abcdef", "Tea");
    await arrives(bob, ana);
    await here.node.follows.hasten(undefined, true);
    assert.equal((await hears(ana)).text, `${bobAt}: Tea`);
    assert.deepEqual(await texts(here, ana), ["Tea", "Before"]);
    // From 26.01 on it does tell.
    ignoresEvents(ana);
  },
);
