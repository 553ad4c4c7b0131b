/** XEP-0386 and XEP-0198 §9: a resource and all that a session begins with, or an earlier session, in one answer. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { NS } from "../../src/xmpp/ns.ts";
import { attr, child, children, childText, xml, type Element } from "../../src/xmpp/xml.ts";
import { domain, openPorts, password } from "../support/c2s.ts";
import { cast, type Actor, type ClientStream, type Stage } from "../support/cast.ts";
import { acknowledges, asksHandled, enablesResumption } from "../support/management.ts";
import {
  authenticate2,
  bind2,
  identityIn,
  inlineOf,
  type Agent,
  type Login2,
} from "../support/sasl2-client.ts";
import { until } from "../support/until.ts";

const phone: Agent = { id: "d4565fa7-4d72-4749-b3d3-740edbf87770", software: "Kontakt", device: "Phone" };
const laptop: Agent = { id: "0b1cd4a5-6f4f-4b3e-9c2f-8a4f4b1a9d10" };
const sm = `xmlns='${NS.streamManagement}'`;
const carbons = `<enable xmlns='${NS.carbons}'/>`;
const enable = `<enable ${sm} resume='true'/>`;

const play = (t: TestContext) => cast(t, { juliet: {}, romeo: {} }, { friends: [["juliet", "romeo"]] });

interface Begun {
  readonly stream: ClientStream;
  readonly success: Element;
  readonly bound: Element | undefined;
  readonly full: string;
}

/** One more client of somebody, by one request; the features that follow are out of the inbox. */
async function begins(
  stage: Stage,
  username: string,
  { inside = bind2(), ...login }: Partial<Login2> = {},
): Promise<Begun> {
  const stream = await stage.connects();
  await stream.opens({ from: stage.bare(username) });
  const features = await stream.receives("<stream:features/>");
  const all = { username, password: `${username}'s secret`, inside, ...login };
  const success = await authenticate2(stream, features, all);
  assert.equal(success.name, "success", success.toString());
  const bound = child(success, "bound", NS.bind2);
  return { stream, success, bound, full: identityIn(success) };
}

const smId = (bound: Element | undefined): string =>
  attr(child(bound!, "enabled", NS.streamManagement)!, "id")!;
const resumeFrom = (previd: string, h: number): string => `<resume ${sm} previd='${previd}' h='${h}'/>`;

/** Says something to somebody, and waits until it is through. */
async function writes(from: Actor, to: string, ...bodies: string[]): Promise<void> {
  for (const body of bodies)
    from.sends(`<message to='${to}' type='chat' id='${body}'><body>${body}</body></message>`);
  await from.pings();
}

test("what can be had with a resource is announced (§3.1)", async (t) => {
  await using stage = await play(t);
  const stream = await stage.connects();
  await stream.opens();
  const bind = child(inlineOf(await stream.receives("<stream:features/>")), "bind", NS.bind2)!;
  const names = children(child(bind, "inline")!).map((one) => attr(one, "var"));
  for (const name of [NS.carbons, NS.clientState, NS.streamManagement]) assert(names.includes(name), name);
});

describe("the resource", () => {
  test("is the client's tag and what the server makes, the same each time", async (t) => {
    await using stage = await play(t);
    const names = new Map<string, string>();
    for (const [what, who, agent, tag] of [
      ["phone", "juliet", phone, "Kontakt"],
      ["again", "juliet", phone, "Kontakt"],
      ["laptop", "juliet", laptop, "Kontakt"],
      ["hers", "romeo", phone, "Kontakt"],
      ["bare", "juliet", phone, ""],
    ] as const) {
      const inside = bind2(tag && `<tag>${tag}</tag>`);
      const { full, stream } = await begins(stage, who, { agent, inside });
      assert.match(full, tag ? /^\w+@pipit\.test\/Kontakt\/[\w-]{12,}$/ : /^\w+@pipit\.test\/[\w-]{12,}$/);
      assert(!full.includes(agent.id) && !full.includes(agent.id.slice(0, 8)));
      names.set(what, full.slice(full.indexOf("/") + 1).replace("Kontakt/", ""));
      await stream.receivesNext("<stream:features/>");
      await stream.ends();
    }
    assert.equal(names.get("again"), names.get("phone"));
    assert.equal(names.get("bare"), names.get("phone"));
    assert.equal(new Set(names.values()).size, 3);
  });

  test("is another one each time where the client does not say which it is", async (t) => {
    await using stage = await play(t);
    const one = await begins(stage, "juliet", { inside: bind2("<tag>x</tag>") });
    const other = await begins(stage, "juliet", { inside: bind2("<tag>x</tag>") });
    assert.notEqual(one.full, other.full);
    for (const { stream } of [one, other]) await stream.receivesNext("<stream:features/>");
  });

  test("goes without a tag that can be in none", async (t) => {
    await using stage = await play(t);
    for (const tag of ["a\u0007b", "x".repeat(300), " "]) {
      const { full, stream } = await begins(stage, "juliet", {
        inside: bind2(`<tag>${tag.replace("\u0007", "&#x2028;")}</tag>`),
      });
      assert.match(full, /^juliet@pipit\.test\/[\w-]+$/, tag);
      await stream.receivesNext("<stream:features/>");
      await stream.kill();
    }
  });

  test("is not told to others before its client says so", async (t) => {
    await using stage = await play(t);
    const { romeo } = stage.actors;
    const { full, stream } = await begins(stage, "juliet");
    await stream.receivesNext("<stream:features/>");
    await romeo.receivesNothing();
    stream.sends("<presence/>");
    await romeo.receives(`<presence from='${full}'/>`);
    await stage.settle();
    stream.inbox.length = stage.actors.juliet.inbox.length = 0;
    await stream.ends();
    await romeo.receives(`<presence from='${full}' type='unavailable'/>`);
    await stage.settle();
    stage.actors.juliet.inbox.length = 0;
  });
});

describe("what the session begins with", () => {
  test("stands in the answer, and what can be had yet behind it", async (t) => {
    await using stage = await play(t);
    const { stream, bound } = await begins(stage, "juliet", { inside: bind2(carbons + enable) });
    assert.equal(attr(child(bound!, "enabled", NS.streamManagement)!, "resume"), "true");
    const features = await stream.receivesNext("<stream:features/>");
    const has = (name: string, xmlns: string) => child(features, name, xmlns) !== undefined;
    assert(has("csi", NS.clientState) && has("ver", NS.rosterVersioning) && has("sub", NS.preApproval));
    assert(!has("sm", NS.streamManagement) && !has("bind", NS.bind));
    assert.equal(await asksHandled(stream), 0);
    stream.sends("<presence/>");
    assert.equal(await asksHandled(stream), 1);
    await stage.settle();
    for (const actor of [stream, ...Object.values(stage.actors)]) actor.inbox.length = 0;
  });

  test("may be had later too", async (t) => {
    await using stage = await play(t);
    const { stream } = await begins(stage, "juliet");
    const features = await stream.receivesNext("<stream:features/>");
    assert(child(features, "sm", NS.streamManagement));
    await enablesResumption(stream);
  });

  test("are carbons, from the first message on", async (t) => {
    await using stage = await play(t);
    const { juliet, romeo } = stage.actors;
    const { stream, full } = await begins(stage, "juliet", { inside: bind2(carbons) });
    await stream.receivesNext("<stream:features/>");
    await writes(romeo, juliet.full, "hark");
    await juliet.receives("<message><body>hark</body></message>");
    await stream.receives(
      `<message from='${juliet.bare}' to='${full}'><received xmlns='${NS.carbons}'>
         <forwarded xmlns='${NS.forward}'><message xmlns='${NS.client}'><body>hark</body></message></forwarded>
       </received></message>`,
    );
  });

  test("is being inactive, where the client is", async (t) => {
    await using stage = await play(t);
    const { romeo, juliet } = stage.actors;
    const inactive = `<inactive xmlns='${NS.clientState}'/>`;
    const { stream, full } = await begins(stage, "juliet", { inside: bind2(inactive) });
    await stream.receivesNext("<stream:features/>");
    romeo.sends(`<presence to='${full}'><status>balcony</status></presence>`);
    await romeo.pings();
    stream.raw(`<active xmlns='${NS.clientState}'/>`);
    // It has waited.
    await stream.receives(`<presence><status>balcony</status><delay xmlns='${NS.delay}'/></presence>`);
    assert.deepEqual(juliet.inbox, []);
  });
});

describe("the archive", () => {
  const query = (inside = "") =>
    `<iq type='set'><query xmlns='${NS.archive}'>
       <set xmlns='${NS.rsm}'><max>200</max>${inside}</set></query></iq>`;

  /** The ids and bodies of a page of the archive, in order. */
  async function reads(stream: ClientStream, after?: string): Promise<[id: string, body: string][]> {
    await stream.asks(query(after === undefined ? "" : `<after>${after}</after>`));
    const results = stream.inbox.filter((one) => child(one, "result", NS.archive));
    for (const one of results) stream.inbox.splice(stream.inbox.indexOf(one), 1);
    return results.map((one) => {
      const result = child(one, "result", NS.archive)!;
      const message = child(child(result, "forwarded", NS.forward)!, "message", NS.client)!;
      return [attr(result, "id")!, childText(message, "body")!];
    });
  }

  test("is told of as it is, and nothing of what waited comes by itself (§3.2)", async (t) => {
    await using stage = await cast(t, { juliet: { presence: false }, romeo: {} });
    const { juliet, romeo } = stage.actors;
    const empty = await begins(stage, "juliet");
    assert.equal(child(empty.bound!, "metadata", NS.archive)!.children.length, 0);
    await empty.stream.receivesNext("<stream:features/>");
    await empty.stream.ends();
    await juliet.ends();
    await writes(romeo, juliet.bare, "one", "two", "three");

    const { stream, bound } = await begins(stage, "juliet");
    await stream.receivesNext("<stream:features/>");
    const metadata = child(bound!, "metadata", NS.archive)!;
    stream.sends("<presence/>");
    const page = await reads(stream);
    assert.deepEqual(
      page.map(([, body]) => body),
      ["one", "two", "three"],
    );
    assert.equal(attr(child(metadata, "start")!, "id"), page[0]![0]);
    assert.equal(attr(child(metadata, "end")!, "id"), page.at(-1)![0]);
    await stage.settle();
    assert.deepEqual(
      stream.inbox.map(({ name }) => name),
      ["presence"],
    );
    stream.inbox.length = 0;
    await stream.ends();
    // Nor do they come to anybody else.
    const next = await stage.login("juliet");
    await next.receivesNothing();
  });

  test("and what comes by itself have everything between them", async (t) => {
    await using stage = await play(t);
    const { juliet, romeo } = stage.actors;
    const bodies = Array.from({ length: 150 }, (_, n) => `m${n}`);
    const flood = (async () => {
      for (const body of bodies) {
        romeo.sends(`<message to='${juliet.bare}' type='chat' id='${body}'><body>${body}</body></message>`);
        if (body.endsWith("0")) await romeo.pings();
      }
    })();
    const had = () => juliet.inbox.length;
    await until(() => had() > 20, "messages are coming");
    const { stream, bound } = await begins(stage, "juliet", { inside: bind2(carbons + enable) });
    await stream.receivesNext("<stream:features/>");
    await flood;
    await stage.settle();
    await stream.asks(`<iq type='get' to='${stage.domain}'><ping xmlns='${NS.ping}'/></iq>`);
    const live = stream.inbox.splice(0).flatMap((one) => {
      const received = child(one, "received", NS.carbons);
      const message = received && child(child(received, "forwarded", NS.forward)!, "message", NS.client);
      return message ? childText(message, "body")! : [];
    });
    const end = attr(child(child(bound!, "metadata", NS.archive)!, "end")!, "id");
    const page = await reads(stream);
    const read = page.slice(0, page.findIndex(([id]) => id === end) + 1).map(([, body]) => body);
    assert(live.length > 0 && read.length > 0, `${live.length} live, ${read.length} read`);
    assert.deepEqual([...new Set([...read, ...live])], bodies);
    juliet.inbox.length = stream.inbox.length = 0;
  });
});

describe("an earlier session", () => {
  const conflict = `<error xmlns='${NS.stream}'><conflict xmlns='${NS.streams}'/></error>`;

  test("of the same client ends, and of others it does not (§3.2)", async (t) => {
    await using stage = await play(t);
    const { romeo, juliet } = stage.actors;
    const first = await begins(stage, "juliet", { agent: phone, inside: bind2("<tag>a</tag>") });
    const other = await begins(stage, "juliet", { agent: laptop });
    const his = await begins(stage, "romeo", { agent: phone });
    for (const { stream } of [first, other, his]) await stream.receivesNext("<stream:features/>");
    const second = await begins(stage, "juliet", { agent: phone, inside: bind2("<tag>b</tag>") });
    await second.stream.receivesNext("<stream:features/>");
    await first.stream.receives(conflict);
    assert.deepEqual(await first.stream.closed(), { clean: true });
    const third = await begins(stage, "juliet", { agent: phone, inside: bind2("<tag>b</tag>") });
    await third.stream.receivesNext("<stream:features/>");
    assert.equal(third.full, second.full);
    await second.stream.receives(conflict);
    for (const { stream } of [other, his, third])
      await stream.asks(`<iq type='get' to='${stage.domain}'><ping xmlns='${NS.ping}'/></iq>`);
    await writes(romeo, third.full, "still here");
    await third.stream.receives("<message><body>still here</body></message>");
    assert.deepEqual(juliet.inbox, []);
  });

  test("is resumed in the same request, before anything is bound (XEP-0198 §9.2)", async (t) => {
    await using stage = await play(t);
    const { romeo } = stage.actors;
    const first = await begins(stage, "juliet", { agent: phone, inside: bind2(enable) });
    await first.stream.receivesNext("<stream:features/>");
    first.stream.sends(`<message to='${romeo.full}' type='chat'><body>to him</body></message>`);
    await romeo.receives("<message><body>to him</body></message>");
    await writes(romeo, first.full, "lost");
    await first.stream.receives("<message><body>lost</body></message>");
    await first.stream.kill();
    first.stream.inbox.length = 0;

    const previd = smId(first.bound);
    const inside = resumeFrom(previd, 0) + bind2("<tag>other</tag>");
    const second = await begins(stage, "juliet", { agent: phone, inside });
    assert.equal(second.full, first.full);
    assert.equal(second.bound, undefined);
    const resumed = child(second.success, "resumed", NS.streamManagement)!;
    assert.deepEqual([attr(resumed, "previd"), attr(resumed, "h")], [previd, "1"]);
    // Without features.
    await second.stream.receivesNext("<message><body>lost</body></message>");
    await until(() => second.stream.inbox.length > 0, "it is asked for an acknowledgement");
    second.stream.inbox.length = 0;
    acknowledges(second.stream, 1);
    second.stream.sends(`<message to='${romeo.full}'><body>${"x".repeat(20_000)}</body></message>`);
    await romeo.receives("<message/>");
    assert.equal([...stage.node.sessions.of(stage.bare("juliet"))].length, 2);
  });

  test("that is no more is told so, and a new one begins (§9.2.1)", async (t) => {
    await using stage = await play(t);
    const first = await begins(stage, "juliet", { agent: phone, inside: bind2(enable) });
    await first.stream.receivesNext("<stream:features/>");
    first.stream.sends(`<iq type='get' id='p' to='${stage.domain}'><ping xmlns='${NS.ping}'/></iq>`);
    await first.stream.receives("<iq type='result' id='p'/>");
    await first.stream.ends();
    await first.stream.receives(`<a ${sm} h='1'/>`);
    const inside = resumeFrom(smId(first.bound), 0) + bind2(`<tag>new</tag>${enable}`);
    const second = await begins(stage, "juliet", { agent: phone, inside });
    const failed = child(second.success, "failed", NS.streamManagement)!;
    assert(child(failed, "item-not-found", NS.stanzas));
    assert.equal(attr(failed, "h"), "1");
    assert.match(second.full, /\/new\//);
    assert.notEqual(smId(second.bound), smId(first.bound));
    await second.stream.receivesNext("<stream:features/>");
  });

  test("that is no more leaves a client unbound that asked for nothing else", async (t) => {
    await using stage = await play(t);
    const { stream, success, full } = await begins(stage, "juliet", { inside: resumeFrom("gone", 0) });
    assert(child(success, "failed", NS.streamManagement));
    assert.equal(full, stage.bare("juliet"));
    assert(child(await stream.receivesNext("<stream:features/>"), "bind", NS.bind));
    assert.match(await stream.binds("as-of-old"), /as-of-old$/);
  });

  test("of somebody else is not to be had", async (t) => {
    await using stage = await play(t);
    const hers = await begins(stage, "juliet", { agent: phone, inside: bind2(enable) });
    await hers.stream.receivesNext("<stream:features/>");
    const inside = resumeFrom(smId(hers.bound), 0) + bind2();
    const his = await begins(stage, "romeo", { agent: phone, inside });
    const failed = child(his.success, "failed", NS.streamManagement)!;
    assert(child(failed, "item-not-found", NS.stanzas));
    assert.equal(attr(failed, "h"), undefined);
    assert.match(his.full, /^romeo@/);
    await his.stream.receivesNext("<stream:features/>");
    assert.equal(await asksHandled(hers.stream), 0);
    // Nor by a request that fails.
    const stream = await stage.connects();
    await stream.opens();
    const features = await stream.receives("<stream:features/>");
    const wrong = { username: "juliet", password: "wrong", inside: resumeFrom(smId(hers.bound), 0) };
    assert.equal((await authenticate2(stream, features, wrong)).name, "failure");
    assert.equal(await asksHandled(hers.stream), 0);
  });

  test("that is said to have got more than it was sent ends the stream", async (t) => {
    await using stage = await play(t);
    const first = await begins(stage, "juliet", { inside: bind2(enable) });
    await first.stream.receivesNext("<stream:features/>");
    const stream = await stage.connects();
    await stream.opens();
    const features = await stream.receives("<stream:features/>");
    const inside = resumeFrom(smId(first.bound), 7) + bind2();
    const login = { username: "juliet", password: "juliet's secret", inside };
    const error = await authenticate2(stream, features, login);
    assert(child(error, "handled-count-too-high", NS.streamManagement), error.toString());
    await stream.closed();
    assert.equal(await asksHandled(first.stream), 0);
  });
});

for (const inside of ["", enable]) {
  test(`nothing comes before the answer${inside && ", and all behind it is counted"}`, async (t) => {
    const said = (body: string) => xml("message", {}, xml("body", {}, body));
    const ports = await openPorts(t, {
      bindExtensions: [
        {
          feature: "test:slow",
          async bound(session) {
            session.send(said("at once"));
            await new Promise((resolve) => setImmediate(resolve));
            session.send(said("meanwhile"));
            return xml("slow", { xmlns: "test:slow" });
          },
        },
      ],
    });
    ports.events.on("session.bound", ({ session }) => session.send(said("as it is told")));
    const { stream, features } = await ports.opens();
    const login = { username: "ana", password, inside: bind2(inside) };
    const success = await authenticate2(stream, features, login);
    assert(child(child(success, "bound", NS.bind2)!, "slow", "test:slow"));
    await stream.receivesNext("<stream:features/>");
    for (const body of ["at once", "as it is told", "meanwhile"])
      await stream.receivesNext(`<message><body>${body}</body></message>`);
    if (inside === "") return;
    acknowledges(stream, 4);
    const ends = `<error xmlns='${NS.stream}'><handled-count-too-high ${sm} h='4' send-count='3'/></error>`;
    await stream.receives(ends);
  });
}

test("a client for which there is no resource left is told so as of old", async (t) => {
  const ports = await openPorts(t);
  await Promise.all(Array.from({ length: 50 }, () => ports.welcomes()));
  const { stream, features } = await ports.opens();
  const login = { username: "ana", password, inside: bind2() };
  const success = await authenticate2(stream, features, login);
  assert.equal(identityIn(success), `ana@${domain}`);
  assert.equal(child(success, "bound", NS.bind2), undefined);
  await stream.receivesNext("<stream:features/>");
  await stream.asks(
    `<iq type='set'><bind xmlns='${NS.bind}'/></iq>`,
    `<iq type='error'><error><resource-constraint xmlns='${NS.stanzas}'/></error></iq>`,
  );
});

test("a client without a session in its request binds as of old", async (t) => {
  await using stage = await play(t);
  const { stream, full } = await begins(stage, "juliet", { inside: "" });
  assert.equal(full, stage.bare("juliet"));
  const features = await stream.receivesNext("<stream:features/>");
  assert(child(features, "bind", NS.bind));
  assert.match(await stream.binds("old"), /\/old$/);
});
