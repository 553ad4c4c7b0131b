/** XEP-0191: Blocking Command. What is said here of users holds for whole domains, other servers and pubsub too. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseJid } from "../../src/xmpp/jid.ts";
import { attr, child, children } from "../../src/xmpp/xml.ts";
import { shows, wanting } from "../support/client-caps.ts";
import { cast, type Actor, type Stage } from "../support/cast.ts";
import { enablesResumption, resumes } from "../support/management.ts";
import { world } from "../support/world.ts";

const ns = "urn:xmpp:blocking";
const pubsub = "http://jabber.org/protocol/pubsub";
const ok = "<iq type='result'/>";
const version = "<query xmlns='jabber:iq:version'/>";

const command = (name: string, ...jids: string[]): string =>
  `<iq type='set'><${name} xmlns='${ns}'>${jids.map((jid) => `<item jid='${jid}'/>`).join("")}</${name}></iq>`;
const blocking = (...jids: string[]): string => command("block", ...jids);
const unblocking = (...jids: string[]): string => command("unblock", ...jids);
const asking = `<iq type='get'><blocklist xmlns='${ns}'/></iq>`;
const error = (stanza: string, condition: string, more = ""): string =>
  `<${stanza} type='error'><error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>${more}</error></${stanza}>`;
const refused = (stanza: string): string =>
  error(stanza, "not-acceptable", "<blocked xmlns='urn:xmpp:blocking:errors'/>");

async function listOf(actor: Actor): Promise<string[]> {
  const list = child(await actor.asks(asking, ok), "blocklist", ns)!;
  return children(list)
    .map((item) => attr(item, "jid")!)
    .sort();
}

/** One who blocks, and a contact of theirs. */
const verona = (t: Parameters<typeof cast>[0]) =>
  cast(t, { juliet: {}, romeo: {} }, { friends: [["juliet", "romeo"]] });

async function forgets(stage: Stage, ...actors: Actor[]): Promise<void> {
  await stage.settle();
  for (const actor of actors) actor.inbox.length = 0;
}

describe("the list (§3.2–3.5)", () => {
  test("it is empty, grows, shrinks, and survives the node", async (t) => {
    await using stage = await cast(t, { juliet: {} });
    const { juliet } = stage.actors;
    await juliet.asks(
      `<iq type='get' to='${stage.domain}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`,
      `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'><feature var='${ns}'/></query></iq>`,
    );
    assert.deepEqual(await listOf(juliet), []);
    await juliet.asks(
      blocking("romeo@montague.example", "Iago@shakespeare.example/Lair", "spam.example"),
      ok,
    );
    await juliet.asks(blocking("romeo@montague.example"), ok);
    juliet.inbox.length = 0;
    const all = ["iago@shakespeare.example/Lair", "romeo@montague.example", "spam.example"];
    assert.deepEqual(await listOf(juliet), all);
    await stage.restarts();
    const again = await stage.login("juliet");
    assert.deepEqual(await listOf(again), all);
    await again.asks(unblocking("spam.example", "nobody@else.example"), ok);
    again.inbox.length = 0;
    assert.deepEqual(await listOf(again), all.slice(0, 2));
    await again.asks(unblocking(), ok);
    again.inbox.length = 0;
    assert.deepEqual(await listOf(again), []);
  });

  test("changes are pushed to resources that asked for the list, and to no others", async (t) => {
    await using stage = await cast(t, { juliet: { resource: "chamber" } });
    const { juliet: chamber } = stage.actors;
    const balcony = await stage.login("juliet", { resource: "balcony", presence: false });
    await listOf(balcony);
    const push = (name: string, inside: string) =>
      balcony.receives(
        `<iq type='set' id='{any}' to='${balcony.full}'><${name} xmlns='${ns}'>${inside}</${name}></iq>`,
      );
    await chamber.asks(blocking("romeo@montague.example", "spam.example"), ok);
    await push("block", "<item jid='romeo@montague.example'/><item jid='spam.example'/>");
    await chamber.asks(unblocking("spam.example"), ok);
    await push("unblock", "<item jid='spam.example'/>");
    await chamber.asks(unblocking(), ok);
    const all = await push("unblock", "");
    assert.equal(children(child(all, "unblock", ns)!).length, 0);
    await chamber.receivesNothing();
    await balcony.receivesNothing();
  });

  test("also to one whose session outlived the node (XEP-0198 §5)", async (t) => {
    await using stage = await cast(t, { juliet: { presence: false } });
    const { juliet } = stage.actors;
    const id = await enablesResumption(juliet);
    await listOf(juliet);
    await stage.restarts();
    const balcony = await stage.login("juliet", { resource: "balcony", presence: false });
    await balcony.asks(blocking("spam.example"), ok);
    const again = await stage.connects();
    await again.opens();
    await again.receives("<stream:features/>");
    await again.authenticates("juliet", "juliet's secret");
    await resumes(again, id, 0);
    await again.receives(
      `<iq type='set' to='${juliet.full}'><block xmlns='${ns}'><item jid='spam.example'/></block></iq>`,
    );
    again.inbox.length = 0;
    await balcony.receivesNothing();
  });

  test("what makes no sense is refused", async (t) => {
    await using stage = await cast(t, { juliet: {}, romeo: {} });
    const { juliet, romeo } = stage.actors;
    await juliet.asks(blocking(), error("iq", "bad-request"));
    await juliet.asks(blocking("@nobody"), error("iq", "jid-malformed"));
    await juliet.asks(blocking(juliet.bare), error("iq", "not-acceptable"));
    await juliet.asks(blocking(`timeline@${stage.domain}`), error("iq", "not-acceptable"));
    await juliet.asks(
      `<iq type='get' to='${romeo.bare}'><blocklist xmlns='${ns}'/></iq>`,
      error("iq", "service-unavailable"),
    );
    assert.deepEqual(await listOf(juliet), []);
  });

  test("it goes with its account", async (t) => {
    await using stage = await cast(t, { juliet: {} });
    await stage.actors.juliet.asks(blocking("romeo@montague.example"), ok);
    await stage.actors.juliet.ends();
    await stage.node.accounts.remove(parseJid(stage.bare("juliet"))!);
    await stage.settle();
    assert.deepEqual([...(await stage.node.blocking.list(stage.bare("juliet")))], []);
  });
});

describe("what is blocked comes to nobody (§3.3)", () => {
  test("messages: back to who wrote them, but errors and headlines", async (t) => {
    await using stage = await verona(t);
    const { juliet, romeo } = stage.actors;
    await juliet.asks(blocking(romeo.bare), ok);
    await forgets(stage, juliet, romeo);
    for (const to of [juliet.bare, juliet.full]) {
      romeo.sends(`<message to='${to}' type='chat' id='hist'><body>Hist!</body></message>`);
      await romeo.receives(
        error("message", "service-unavailable").replace("<message", `<message from='${to}' id='hist'`),
      );
    }
    romeo.sends(`<message to='${juliet.bare}' type='headline'><body>News</body></message>`);
    romeo.sends(`<message to='${juliet.full}' type='error'><error type='cancel'/></message>`);
    await juliet.receivesNothing();
    await romeo.receivesNothing();
    juliet.sends(`<message to='${romeo.full}' type='chat'><body>Can you hear me now?</body></message>`);
    await juliet.receives(refused("message").replace("<message", `<message from='${romeo.full}'`));
    await romeo.receivesNothing();
  });

  test("and none waits for who blocked them meanwhile", async (t) => {
    await using stage = await verona(t);
    const { juliet, romeo } = stage.actors;
    await juliet.asks(blocking(romeo.bare), ok);
    await juliet.ends();
    await forgets(stage, romeo);
    romeo.sends(`<message to='${juliet.bare}' type='chat'><body>Hist!</body></message>`);
    await romeo.receives(error("message", "service-unavailable"));
    const again = await stage.login("juliet");
    await again.receivesNothing();
  });

  test("presence: unseen in both directions, without a word", async (t) => {
    await using stage = await verona(t);
    const { juliet, romeo } = stage.actors;
    await juliet.asks(blocking(romeo.bare), ok);
    await romeo.receives(`<presence type='unavailable' from='${juliet.full}' to='${romeo.bare}'/>`);
    romeo.sends("<presence><show>away</show></presence>");
    await romeo.receives(`<presence from='${romeo.full}'/>`);
    juliet.sends("<presence><show>dnd</show></presence>");
    await juliet.receives(`<presence from='${juliet.full}'/>`);
    for (const type of ["probe", "subscribe", "unsubscribe", "subscribed", "unavailable"])
      romeo.sends(`<presence type='${type}' to='${juliet.bare}'/>`);
    await juliet.receivesNothing();
    romeo.inbox.length = 0;
    juliet.sends(`<presence to='${romeo.full}'/>`);
    await juliet.receives(refused("presence"));
    juliet.sends(`<presence type='subscribe' to='${romeo.bare}'/>`);
    await juliet.receives(refused("presence"));
    // Who logs in again finds nobody there, and is not found.
    await juliet.ends();
    const again = await stage.login("juliet", { resource: "balcony" });
    await again.receivesNothing();
    await romeo.receivesNothing();
  });

  test("a resource that was greeted by name sees it leave too", async (t) => {
    await using stage = await cast(t, { juliet: { presence: false }, romeo: {} });
    const { juliet, romeo } = stage.actors;
    juliet.sends(`<presence to='${romeo.full}'/>`);
    await romeo.receives(`<presence from='${juliet.full}'/>`);
    await juliet.asks(blocking(romeo.bare), ok);
    await romeo.receives(`<presence type='unavailable' from='${juliet.full}' to='${romeo.full}'/>`);
    await juliet.ends();
    await romeo.receivesNothing();
  });

  test("requests: refused as if nobody were there, also those that the server answers; replies vanish", async (t) => {
    await using stage = await verona(t);
    const { juliet, romeo } = stage.actors;
    await juliet.asks(`<iq type='set'><vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard></iq>`, ok);
    romeo.sends(`<iq type='get' id='late' to='${juliet.full}'>${version}</iq>`);
    const request = await juliet.receives(`<iq type='get' from='${romeo.full}'>${version}</iq>`);
    await juliet.asks(blocking(romeo.bare), ok);
    await forgets(stage, romeo);
    juliet.answers(request);
    for (const to of [juliet.full, juliet.bare]) {
      await romeo.asks(`<iq type='get' to='${to}'>${version}</iq>`, error("iq", "service-unavailable"));
    }
    for (const query of [
      "<vCard xmlns='vcard-temp'/>",
      "<query xmlns='http://jabber.org/protocol/disco#info'/>",
      "<query xmlns='http://jabber.org/protocol/disco#items'/>",
      "<query xmlns='jabber:iq:last'/>",
    ]) {
      await romeo.asks(
        `<iq type='get' to='${juliet.bare}'>${query}</iq>`,
        error("iq", "service-unavailable"),
      );
    }
    await juliet.asks(`<iq type='get' to='${romeo.full}'>${version}</iq>`, refused("iq"));
    await juliet.asks(`<iq type='get' to='${romeo.bare}'><vCard xmlns='vcard-temp'/></iq>`, refused("iq"));
    romeo.sends(`<iq type='result' id='x' to='${juliet.full}'/>`);
    await juliet.receivesNothing();
    await romeo.receivesNothing();
  });
});

describe("who is meant (§5)", () => {
  const matches = async (stage: Stage, entry: string, from: string): Promise<boolean> => {
    const juliet = stage.bare("juliet");
    await stage.node.blocking.unblock(juliet);
    await stage.node.blocking.block(juliet, [parseJid(entry)!]);
    return stage.node.blocking.blocked(juliet, parseJid(from)!);
  };

  test("a resource, an account, a resource of a domain, a domain with all in it", async (t) => {
    await using stage = await cast(t, { juliet: {} });
    const cases: [entry: string, from: string, is: boolean][] = [
      ["romeo@m.example/orchard", "romeo@m.example/orchard", true],
      ["romeo@m.example/orchard", "romeo@m.example/garden", false],
      ["romeo@m.example/orchard", "romeo@m.example", false],
      ["romeo@m.example", "romeo@m.example/garden", true],
      ["romeo@m.example", "romeo@m.example", true],
      ["romeo@m.example", "mercutio@m.example", false],
      ["m.example/orchard", "m.example/orchard", true],
      ["m.example/orchard", "m.example", false],
      ["m.example", "m.example", true],
      ["m.example", "m.example/orchard", true],
      ["m.example", "romeo@m.example/garden", true],
      ["m.example", "romeo@sub.m.example", false],
    ];
    for (const [entry, from, is] of cases)
      assert.equal(await matches(stage, entry, from), is, `${from} while ${entry} is blocked`);
  });

  test("a blocked resource alone is cut off", async (t) => {
    await using stage = await cast(t, { juliet: {}, romeo: { resource: "orchard" } });
    const { juliet, romeo } = stage.actors;
    const garden = await stage.login("romeo", { resource: "garden" });
    await juliet.asks(blocking(romeo.full), ok);
    romeo.sends(`<message to='${juliet.bare}' type='chat'><body>1</body></message>`);
    await romeo.receives(error("message", "service-unavailable"));
    garden.sends(`<message to='${juliet.bare}' type='chat'><body>2</body></message>`);
    await juliet.receives(`<message from='${garden.full}'><body>2</body></message>`);
    juliet.inbox.length = 0;
  });

  test("one's own domain may be blocked; oneself, the server and its services stay", async (t) => {
    await using stage = await verona(t);
    const { juliet, romeo } = stage.actors;
    const balcony = await stage.login("juliet", { resource: "balcony" });
    await forgets(stage, juliet, romeo);
    await juliet.asks(blocking(stage.domain), ok);
    await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`);
    await romeo.receives(`<presence type='unavailable' from='${balcony.full}'/>`);
    romeo.sends(`<message to='${juliet.bare}' type='chat'><body>Hist!</body></message>`);
    await romeo.receives(error("message", "service-unavailable"));
    await juliet.pings();
    juliet.sends(`<message to='${balcony.full}' type='chat'><body>To myself</body></message>`);
    await balcony.receives(`<message from='${juliet.full}'><body>To myself</body></message>`);
    juliet.sends(`<message to='timeline@${stage.domain}' type='chat'><body>help</body></message>`);
    await juliet.receives(`<message from='timeline@${stage.domain}'><body>{any}</body></message>`);
    await forgets(stage, juliet, balcony);
  });
});

test("who is taken off the roster while they are blocked does not learn by that who is there", async (t) => {
  await using stage = await verona(t);
  const { juliet, romeo } = stage.actors;
  await juliet.asks(blocking(romeo.bare), ok);
  await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`);
  await juliet.asks(
    `<iq type='set'><query xmlns='jabber:iq:roster'><item jid='${romeo.bare}' subscription='remove'/></query></iq>`,
    ok,
  );
  await stage.settle();
  assert.deepEqual(
    romeo.inbox.filter(({ attrs }) => attrs["from"] === juliet.full),
    [],
  );
  await forgets(stage, juliet, romeo);
});

describe("unblocking (§3.4)", () => {
  test("both see each other again, and what is written arrives", async (t) => {
    await using stage = await verona(t);
    const { juliet, romeo } = stage.actors;
    await juliet.asks(blocking(romeo.bare), ok);
    romeo.sends("<presence><show>away</show></presence>");
    await forgets(stage, juliet, romeo);
    await juliet.asks(unblocking(romeo.bare), ok);
    await romeo.receives(`<presence from='${juliet.full}' to='${romeo.bare}'/>`);
    await juliet.receives(`<presence from='${romeo.full}'><show>away</show></presence>`);
    romeo.sends(`<message to='${juliet.bare}' type='chat'><body>Hist!</body></message>`);
    await juliet.receives("<message><body>Hist!</body></message>");
    await juliet.receivesNothing();
    await romeo.receivesNothing();
  });

  test("who is blocked by another entry still, stays so", async (t) => {
    await using stage = await verona(t);
    const { juliet, romeo } = stage.actors;
    await juliet.asks(blocking(romeo.bare, stage.domain), ok);
    await forgets(stage, juliet, romeo);
    await juliet.asks(unblocking(romeo.bare), ok);
    await juliet.receivesNothing();
    await romeo.receivesNothing();
  });

  test("strangers learn nothing of it", async (t) => {
    await using stage = await cast(t, { juliet: {}, romeo: {} });
    const { juliet, romeo } = stage.actors;
    await juliet.asks(blocking(romeo.bare), ok);
    await juliet.asks(unblocking(romeo.bare), ok);
    await romeo.receivesNothing();
  });
});

test("a request that waits for an answer is not shown again while its sender is blocked", async (t) => {
  await using stage = await cast(t, { juliet: {}, romeo: {} });
  const { juliet, romeo } = stage.actors;
  romeo.sends(`<presence type='subscribe' to='${juliet.bare}'/>`);
  await juliet.receives(`<presence type='subscribe' from='${romeo.bare}'/>`);
  await juliet.asks(blocking(romeo.bare), ok);
  await forgets(stage, juliet, romeo);
  const arrives = async (resource: string): Promise<Actor> => {
    const actor = await stage.login("juliet", { resource, presence: false });
    actor.sends("<presence/>");
    await actor.receives(`<presence from='${actor.full}'/>`);
    await stage.settle();
    return actor;
  };
  const requests = ({ inbox }: Actor) => inbox.filter((one) => attr(one, "type") === "subscribe").length;
  const again = await arrives("balcony");
  assert.equal(requests(again), 0);
  await again.asks(unblocking(), ok);
  const later = await arrives("chamber");
  assert.equal(requests(later), 1);
  await forgets(stage, juliet, again, later);
});

describe("pubsub", () => {
  const tune = "http://jabber.org/protocol/tune";
  const publishing = (title: string): string =>
    `<iq type='set'><pubsub xmlns='${pubsub}'><publish node='${tune}'><item id='${title}'>
       <tune xmlns='${tune}'><title>${title}</title></tune></item></publish></pubsub></iq>`;
  const event = (from: Actor, title: string): string =>
    `<message type='headline' from='${from.bare}'><event xmlns='${pubsub}#event'><items node='${tune}'>
       <item id='${title}'/></items></event></message>`;

  test("who is blocked neither hears of an account's items nor reads them, and hears of the last once it may", async (t) => {
    await using stage = await verona(t);
    const { juliet, romeo } = stage.actors;
    await shows(romeo, wanting([tune], romeo.full));
    await forgets(stage, juliet, romeo);
    await romeo.asks(
      `<iq type='set' to='${juliet.bare}'><pubsub xmlns='${pubsub}'><subscribe node='${tune}' jid='${romeo.bare}'/></pubsub></iq>`,
    );
    await juliet.asks(publishing("first"), ok);
    await romeo.receives(event(juliet, "first"));
    await juliet.asks(blocking(romeo.bare), ok);
    await forgets(stage, juliet, romeo);
    await juliet.asks(publishing("second"), ok);
    await romeo.receivesNothing();
    await romeo.asks(
      `<iq type='get' to='${juliet.bare}'><pubsub xmlns='${pubsub}'><items node='${tune}'/></pubsub></iq>`,
      error("iq", "service-unavailable"),
    );
    const node = await stage.node.pubsub.nodes.get(juliet.bare, tune);
    assert.equal(await stage.node.pubsub.mayRead(node, parseJid(romeo.full)), false);
    await juliet.asks(unblocking(romeo.bare), ok);
    await romeo.receives(event(juliet, "second"));
    assert.equal(await stage.node.pubsub.mayRead(node, parseJid(romeo.full)), true);
    await forgets(stage, juliet, romeo);
  });

  test("one resource of a contact alone hears nothing", async (t) => {
    await using stage = await verona(t);
    const { juliet, romeo } = stage.actors;
    const garden = await stage.login("romeo", { resource: "garden", presence: false });
    for (const actor of [romeo, garden]) await shows(actor, wanting([tune], actor.full));
    await juliet.asks(blocking(garden.full), ok);
    await forgets(stage, juliet, romeo, garden);
    await juliet.asks(publishing("first"), ok);
    await romeo.receives(event(juliet, "first"));
    await garden.receivesNothing();
  });

  test("and who blocks hears nothing of theirs", async (t) => {
    await using stage = await verona(t);
    const { juliet, romeo } = stage.actors;
    await shows(juliet, wanting([tune], juliet.full));
    await juliet.asks(blocking(romeo.bare), ok);
    await forgets(stage, juliet, romeo);
    await romeo.asks(publishing("first"), ok);
    await juliet.receivesNothing();
  });
});

test("it holds between servers", async (t) => {
  await using verona = await world(t, { capulet: { juliet: {} }, montague: { romeo: {}, benvolio: {} } });
  const { juliet, romeo, benvolio } = verona.actors;
  for (const [asker, asked] of [
    [juliet, romeo],
    [romeo, juliet],
  ] as const) {
    asker.sends(`<presence type='subscribe' to='${asked.bare}'/>`);
    await asked.receives(`<presence type='subscribe' from='${asker.bare}'/>`);
    asked.sends(`<presence type='subscribed' to='${asker.bare}'/>`);
    await asker.receives(`<presence from='${asked.full}'/>`);
  }
  await verona.settle();
  for (const actor of [juliet, romeo]) actor.inbox.length = 0;

  await juliet.asks(blocking("montague.example"), ok);
  await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`);
  for (const actor of [romeo, benvolio]) {
    actor.sends(`<message to='${juliet.bare}' type='chat'><body>Hist!</body></message>`);
    await actor.receives(error("message", "service-unavailable"));
    await actor.asks(
      `<iq type='get' to='${juliet.bare}'><vCard xmlns='vcard-temp'/></iq>`,
      error("iq", "service-unavailable"),
    );
  }
  romeo.sends("<presence><show>away</show></presence>");
  romeo.sends(`<presence type='probe' to='${juliet.bare}'/>`);
  await romeo.receives(`<presence from='${romeo.full}'/>`);
  juliet.sends(`<message to='${benvolio.bare}' type='chat'><body>Where is he?</body></message>`);
  await juliet.receives(refused("message"));
  juliet.sends("<presence><show>dnd</show></presence>");
  await juliet.receives(`<presence from='${juliet.full}'/>`);
  await juliet.receivesNothing();
  await romeo.receivesNothing();

  await juliet.asks(unblocking(), ok);
  await romeo.receives(`<presence from='${juliet.full}'><show>dnd</show></presence>`);
  await juliet.receives(`<presence from='${romeo.full}'><show>away</show></presence>`);
  await juliet.receivesNothing();
});
