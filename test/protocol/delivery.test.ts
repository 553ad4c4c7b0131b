/**
 * RFC 6121 §8.5, with RFC 6120 §8.2.3 and §10: who gets a stanza, by its kind, its type, how it is addressed, and who is
 * there. The tables below are read from the RFC; every cell is played.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJid } from "../../src/xmpp/jid.ts";
import { attr, child, children, text, xml, type Element } from "../../src/xmpp/xml.ts";
import { cast, type Actor } from "../support/cast.ts";

/** Who is there, each an account of its own: resources, and what they said of themselves. */
const accounts = {
  /** There is no such account. */
  unknown: {},
  offline: {},
  /** Connected, and not available. */
  connected: { silent: "" },
  negative: { low: "<presence><priority>-1</priority></presence>" },
  one: { high: "<presence/>" },
  several: { high: "<presence/>", higher: "<presence><priority>5</priority></presence>" },
  mixed: {
    high: "<presence><priority>1</priority></presence>",
    low: "<presence><priority>-1</priority></presence>",
    silent: "",
  },
} as const satisfies Record<string, Record<string, string>>;
type Account = keyof typeof accounts;
const names = Object.keys(accounts) as Account[];

/** `-`: nothing happens. `!x`: the sender gets the error x. Else the resources that receive the stanza. */
type Outcome = string;
const nothing = "-";
const unavailable = "!service-unavailable";

/** Where a message goes that is not refused and not for one resource: to all that are not negative (§8.5.2.1.1 b). */
const toAccount = (otherwise: Outcome): Record<Account, Outcome> => ({
  unknown: otherwise,
  offline: otherwise,
  connected: otherwise,
  negative: otherwise,
  one: "high",
  several: "high higher",
  mixed: "high",
});
const kept = { ...toAccount(nothing), unknown: unavailable };
/** Presence goes to all that are available (§8.5.2.1.2). */
const toAvailable: Record<Account, Outcome> = {
  unknown: nothing,
  offline: nothing,
  connected: nothing,
  negative: "low",
  one: "high",
  several: "high higher",
  mixed: "high low",
};
const always = (outcome: Outcome): Record<Account, Outcome> =>
  Object.fromEntries(names.map((name) => [name, outcome])) as Record<Account, Outcome>;

/** The type as it is written; none is written for "". `odd` is no type of RFC 6121 §5.2.2, so it is `normal`. */
const message: Record<string, { account: Record<Account, Outcome>; missing: Record<Account, Outcome> }> = {
  // §8.5.2.1.1, §8.5.2.2.1: kept for who is away; who is not there is told (§8.5.1). A full JID whose resource is not
  // there: §8.5.3.2.1.
  "": { account: kept, missing: always(unavailable) },
  normal: { account: kept, missing: always(unavailable) },
  odd: { account: kept, missing: always(unavailable) },
  chat: { account: kept, missing: kept },
  groupchat: { account: always(unavailable), missing: always(unavailable) },
  headline: { account: toAccount(nothing), missing: always(nothing) },
  error: { account: always(nothing), missing: always(nothing) },
};

/** Between strangers. What is asked and not answered yet is taken back by the next row. */
const presence: Record<
  string,
  { account: Record<Account, Outcome>; missing: Record<Account, Outcome>; present: "it" | "account" }
> = {
  "": { account: toAvailable, missing: always(nothing), present: "it" },
  unavailable: { account: toAvailable, missing: always(nothing), present: "it" },
  error: { account: toAvailable, missing: always(nothing), present: "it" },
  // §3.1.2: a request to a resource is one to its account; the others are ignored in this state (§A.3).
  subscribe: { account: toAvailable, missing: toAvailable, present: "account" },
  unsubscribe: { account: always(nothing), missing: always(nothing), present: "account" },
  subscribed: { account: always(nothing), missing: always(nothing), present: "account" },
  unsubscribed: { account: always(nothing), missing: always(nothing), present: "account" },
  probe: { account: always(nothing), missing: always(nothing), present: "account" },
};

/** From a stranger. The server answers for accounts (§8.5.2.1.3), and strangers do not reach resources (§8.5.3.1). */
const iq: Record<string, { account: Outcome; missing: Outcome; present: "it" | Outcome }> = {
  get: { account: unavailable, missing: unavailable, present: unavailable },
  set: { account: unavailable, missing: unavailable, present: unavailable },
  result: { account: nothing, missing: nothing, present: "it" },
  error: { account: nothing, missing: nothing, present: "it" },
};

const error = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
const payload = "<thing xmlns='urn:example:thing'>words</thing>";
const words = "Wherefore art thou?";

type Write = (id: string, to: string) => string;
const typed = (type: string): string => (type === "" ? "" : ` type='${type}'`);
const write: Record<"message" | "presence" | "iq", (type: string) => Write> = {
  message: (type) => (id, to) =>
    `<message id='${id}' to='${to}'${typed(type)}>${type === "error" ? error : `<body>${words}</body>`}</message>`,
  presence: (type) => (id, to) =>
    `<presence id='${id}' to='${to}'${typed(type)}>${type === "error" ? error : ""}</presence>`,
  iq: (type) => (id, to) =>
    `<iq id='${id}' to='${to}'${typed(type)}>${type === "error" ? payload + error : payload}</iq>`,
};

interface Cell {
  readonly what: string;
  readonly id: string;
  readonly to: string;
  readonly expected: Outcome;
}

test("the delivery table of RFC 6121 §8.5", async (t) => {
  await using stage = await cast(t, { romeo: {}, offline: { presence: false } });
  const { romeo, offline } = stage.actors;
  await offline.ends();
  const others: Actor[] = [];
  for (const name of names) {
    if (name === "unknown" || name === "offline") continue;
    await stage.node.accounts.add(parseJid(stage.bare(name))!, "secret");
    for (const [resource, said] of Object.entries(accounts[name])) {
      const actor = await stage.login(name, { resource, password: "secret", presence: false });
      if (said) actor.sends(said);
      others.push(actor);
    }
  }
  await stage.settle();
  for (const actor of others) actor.inbox.length = 0;

  const cells: Cell[] = [];
  const play = (what: string, stanza: Write, to: string, expected: Outcome): void => {
    const id = `cell-${cells.length}`;
    cells.push({ what, id, to, expected });
    romeo.sends(stanza(id, to));
  };
  playAccounts(
    play,
    (name) => stage.bare(name),
    (stanza) => romeo.sends(stanza),
  );
  playServers(play, stage.domain);
  playMistakes(play, stage.domain);
  await stage.settle();

  // What came of each, by its id; whatever else was received is no outcome of anything.
  const came = new Map<string, string[]>();
  const note = (stanza: Element, who: string): void => {
    const id = attr(stanza, "id") ?? "";
    came.set(id, [...(came.get(id) ?? []), who]);
  };
  for (const actor of others)
    for (const one of actor.inbox.splice(0)) note(one, receipt(one, actor, romeo, cells));
  for (const one of romeo.inbox.splice(0)) note(one, reply(one, cells));
  for (const { what, id, expected } of cells) {
    const outcome = came.get(id)?.sort().join(" ") ?? nothing;
    came.delete(id);
    await t.test(what, () => assert.equal(outcome, expected));
  }
  came.delete("back");
  assert.deepEqual([...came], []);
});

type Play = (what: string, stanza: Write, to: string, expected: Outcome) => void;

function playAccounts(play: Play, bareOf: (name: string) => string, send: (stanza: string) => void): void {
  for (const name of names) {
    const bare = bareOf(name);
    const tomb = `${bare}/tomb`;
    const resources = Object.keys(accounts[name]);
    for (const [type, { account, missing }] of Object.entries(message)) {
      const stanza = write.message(type);
      play(`message ${type} to ${name}`, stanza, bare, account[name]);
      play(`message ${type} to ${name}/tomb`, stanza, tomb, missing[name]);
      // §8.5.3.1: whatever it is, and whatever the priority.
      for (const one of resources) play(`message ${type} to ${name}/${one}`, stanza, `${bare}/${one}`, one);
    }
    for (const [type, { account, missing, present }] of Object.entries(presence)) {
      const stanza = write.presence(type);
      const playOne = (what: string, to: string, expected: Outcome) => {
        play(what, stanza, to, expected);
        if (type === "subscribe") send(write.presence("unsubscribe")("back", bare));
      };
      playOne(`presence ${type} to ${name}`, bare, account[name]);
      playOne(`presence ${type} to ${name}/tomb`, tomb, missing[name]);
      for (const one of resources) {
        const expected = present === "it" ? one : account[name];
        playOne(`presence ${type} to ${name}/${one}`, `${bare}/${one}`, expected);
      }
    }
    for (const [type, { account, missing, present }] of Object.entries(iq)) {
      const stanza = write.iq(type);
      play(`iq ${type} to ${name}`, stanza, bare, account);
      play(`iq ${type} to ${name}/tomb`, stanza, tomb, missing);
      for (const one of resources)
        play(`iq ${type} to ${name}/${one}`, stanza, `${bare}/${one}`, present === "it" ? one : present);
    }
  }
}

/** RFC 6120 §10.5: to the server itself, where nobody reads; §10.4: to one that is not there. */
function playServers(play: Play, domain: string): void {
  const far = "!remote-server-not-found";
  const rows: readonly (readonly [
    kind: keyof typeof write,
    type: string,
    here: Outcome,
    elsewhere: Outcome,
  ])[] = [
    ["message", "", unavailable, far],
    ["message", "chat", unavailable, far],
    ["message", "groupchat", unavailable, far],
    ["message", "headline", nothing, far],
    ["message", "error", nothing, nothing],
    ["presence", "", nothing, far],
    ["presence", "unavailable", nothing, far],
    ["presence", "error", nothing, nothing],
    ["iq", "get", unavailable, far],
    ["iq", "set", unavailable, far],
    ["iq", "result", nothing, nothing],
    ["iq", "error", nothing, nothing],
  ];
  for (const [kind, type, here, elsewhere] of rows) {
    const stanza = write[kind](type);
    for (const to of [domain, `${domain}/tomb`]) play(`${kind} ${type} to ${to}`, stanza, to, here);
    for (const to of ["capulet.example", "juliet@capulet.example", "juliet@capulet.example/balcony"])
      play(`${kind} ${type} to ${to}`, stanza, to, elsewhere);
  }
}

/** RFC 6120 §8.1.3, §8.2.3, §8.1.1: refused wherever it goes. */
function playMistakes(play: Play, domain: string): void {
  const rows: readonly (readonly [what: string, attrs: string, inside: string])[] = [
    ["without a payload", "type='get'", ""],
    ["with nothing but words", "type='set'", "words"],
    ["with two payloads", "type='get'", payload + payload],
    ["without a type", "", payload],
    ["of no known type", "type='ask'", payload],
  ];
  for (const [what, attrs, inside] of rows) {
    for (const to of [domain, `one@${domain}`, `one@${domain}/high`, `unknown@${domain}`]) {
      const stanza: Write = (id, address) => `<iq id='${id}' to='${address}' ${attrs}>${inside}</iq>`;
      play(`an iq ${what} to ${to}`, stanza, to, "!bad-request");
    }
  }
  for (const kind of ["message", "presence", "iq"] as const) {
    for (const to of [`@${domain}`, "a@@b", `one@${domain}/`, `a b@${domain}`])
      play(`${kind} to "${to}"`, write[kind](kind === "iq" ? "get" : ""), to, "!jid-malformed");
  }
}

/** The resource that received the stanza as it was sent: in the sender's name, to the address that was written. */
function receipt(stanza: Element, actor: Actor, sender: Actor, cells: readonly Cell[]): string {
  const { to = "" } = cells.find(({ id }) => id === attr(stanza, "id")) ?? {};
  const [bare] = to.split("/");
  // §3.1.2: a request is from one account to another. §8.5.2.1.1: all else goes to the address as it was written.
  const isRequest = stanza.name === "presence" && attr(stanza, "type") === "subscribe";
  const [from, address] = isRequest ? [sender.bare, bare] : [sender.full, to];
  const isWhole = stanza.name !== "message" || ["", words].includes(text(children(stanza)[0]!));
  const isAsSent = attr(stanza, "from") === from && attr(stanza, "to") === address && isWhole;
  return isAsSent && bare === actor.bare
    ? actor.full.split("/")[1]!
    : `${actor.full} received ${stanza.toString()}`;
}

/** The condition of an error that came back from where the stanza was sent to. */
function reply(stanza: Element, cells: readonly Cell[]): string {
  const { to } = cells.find(({ id }) => id === attr(stanza, "id")) ?? {};
  const condition = children(child(stanza, "error") ?? stanza)[0]?.name;
  return attr(stanza, "type") === "error" && attr(stanza, "from") === to
    ? `!${condition}`
    : stanza.toString();
}

const stanzas = "urn:ietf:params:xml:ns:xmpp-stanzas";

test("a request without an id is answered without one (RFC 6120 §8.1.3)", async (t) => {
  await using stage = await cast(t, { romeo: {} });
  const { romeo } = stage.actors;
  romeo.sends(`<iq type='get' to='${stage.domain}'>${payload}</iq>`);
  await romeo.receives(
    `<iq type='error' id='{none}'>${payload}<error type='modify'><bad-request xmlns='${stanzas}'/></error></iq>`,
  );
});

test("an error says what it is about: id as it came, and what was sent (RFC 6120 §8.3.1)", async (t) => {
  await using stage = await cast(t, { romeo: {} });
  const { romeo } = stage.actors;
  for (const id of ["", " ", "&lt;&amp;&quot;", "naïve ☃", "x".repeat(3_000)]) {
    romeo.sends(
      `<message id='${id}' to='${stage.bare("nobody")}' type='groupchat'><body>hi</body></message>`,
    );
    const error = await romeo.receivesNext(
      `<message type='error' from='${stage.bare("nobody")}' to='${romeo.full}'>
         <body>hi</body><error type='cancel'><service-unavailable xmlns='${stanzas}'/></error></message>`,
    );
    const plain = id.replace("&lt;", "<").replace("&amp;", "&").replace("&quot;", '"');
    assert.equal(attr(error, "id"), plain);
  }
});

test("without an address, a message is for the account itself, and a request for its server (§8.1.1, RFC 6120 §10.3)", async (t) => {
  await using stage = await cast(t, { romeo: {} });
  const { romeo } = stage.actors;
  const orchard = await stage.login("romeo", { resource: "orchard" });
  romeo.sends("<message type='chat'><body>note to myself</body></message><message/>");
  for (const actor of [romeo, orchard]) {
    await actor.receives(
      `<message type='chat' from='${romeo.full}' to='${romeo.bare}'><body>note to myself</body></message>`,
    );
    await actor.receives(`<message from='${romeo.full}' to='${romeo.bare}'/>`);
  }
  await romeo.asks(
    `<iq type='set'>${payload}</iq>`,
    `<iq type='error'><error type='cancel'><service-unavailable xmlns='${stanzas}'/></error></iq>`,
  );
});

test("requests reach a resource from who may know that it is there (§8.5.3.1)", async (t) => {
  await using stage = await cast(
    t,
    { romeo: {}, juliet: {}, paris: {}, nurse: {} },
    { friends: [["romeo", "juliet"]] },
  );
  const { romeo, juliet, paris, nurse } = stage.actors;
  const chamber = await stage.login("juliet", { resource: "chamber" });
  const reaches = async (asker: Actor, answerer: Actor) => {
    asker.sends(`<iq type='get' id='q' to='${answerer.full}'>${payload}</iq>`);
    const asked = await answerer.receives(
      `<iq type='get' id='q' from='${asker.full}' to='${answerer.full}'>${payload}</iq>`,
    );
    answerer.answers(asked, payload);
    await asker.receives(
      `<iq type='result' id='q' from='${answerer.full}' to='${asker.full}'>${payload}</iq>`,
    );
  };
  const fails = (asker: Actor, full: string) =>
    asker.asks(
      `<iq type='get' to='${full}'>${payload}</iq>`,
      `<iq type='error' from='${full}'><error type='cancel'><service-unavailable xmlns='${stanzas}'/></error></iq>`,
    );
  await reaches(romeo, juliet);
  await reaches(juliet, romeo);
  await reaches(chamber, juliet);
  await fails(paris, juliet.full);
  await fails(paris, `${juliet.bare}/tomb`);

  // Directed presence is shared presence, with whatever is behind the address that was greeted.
  juliet.sends(`<presence to='${paris.full}'/>`);
  await paris.receives(`<presence from='${juliet.full}'/>`);
  await reaches(paris, juliet);
  await fails(paris, chamber.full);
  juliet.sends(`<presence type='unavailable' to='${paris.full}'/>`);
  await paris.receives(`<presence type='unavailable' from='${juliet.full}'/>`);
  await fails(paris, juliet.full);

  // One who is seen is not one who sees.
  nurse.sends(`<presence type='subscribe' to='${paris.bare}'/>`);
  await paris.receives("<presence type='subscribe'/>");
  paris.sends(`<presence type='subscribed' to='${nurse.bare}'/>`);
  await nurse.receives(`<presence from='${paris.full}'/>`);
  await reaches(nurse, paris);
  await fails(paris, nurse.full);
  for (const actor of [romeo, juliet, paris, nurse, chamber]) await actor.receivesNothing();
});

test("the server may ask its clients, and hears the answer of who it asked only", async (t) => {
  await using stage = await cast(t, { juliet: {}, paris: {} });
  const { juliet, paris } = stage.actors;
  const { router } = stage.node;
  const ask = () =>
    router.request(
      xml("iq", { type: "get", from: stage.domain, to: juliet.full }, xml("thing", { xmlns: "urn:example" })),
    );
  const answer = ask();
  const asked = await juliet.receives(`<iq type='get' from='${stage.domain}'/>`);
  const id = attr(asked, "id")!;
  paris.sends(`<iq type='result' id='${id}' to='${stage.domain}'><forged xmlns='urn:example'/></iq>`);
  await paris.pings();
  juliet.answers(asked, "<real xmlns='urn:example'/>");
  assert.equal(children(await answer)[0]?.name, "real");
  // Once answered, nobody waits for it any more.
  juliet.answers(asked);
  const refusal = ask();
  const again = await juliet.receives(`<iq type='get' from='${stage.domain}'/>`);
  juliet.sends(`<iq type='error' id='${attr(again, "id")}' to='${stage.domain}'>${error}</iq>`);
  assert.equal(attr(await refusal, "type"), "error");
});

test("RFC 6120 §10.1: what is kept and what is not come in the order in which they were sent", async (t) => {
  await using stage = await cast(t, { romeo: {}, juliet: {} });
  const { romeo, juliet } = stage.actors;
  await juliet.asks(`<iq type='set'><enable xmlns='urn:xmpp:carbons:2'/></iq>`);
  const desk = await stage.login("romeo", { resource: "desk" });
  await desk.asks(`<iq type='set'><enable xmlns='urn:xmpp:carbons:2'/></iq>`);
  const isKept = [true, false, true, true, false, false, true];
  const ids = Array.from({ length: 210 }, (_, n) => `${n}`);
  const texts = ids.map((id, n) => {
    const inside = isKept[n % isKept.length]
      ? "<body>Hark</body>"
      : "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    return `<message type='chat' to='${juliet.bare}' id='${id}'>${inside}</message>`;
  });
  romeo.sends(texts.join(""));
  for (const id of ids) assert.equal(attr(await juliet.receivesNext(), "id"), id);
  for (const id of ids) {
    const copy = child(await desk.receivesNext(), "sent", "urn:xmpp:carbons:2");
    assert.equal(attr(children(child(copy!, "forwarded", "urn:xmpp:forward:0")!)[0]!, "id"), id);
  }
});
