/** XEP-0357: a client without a connection is woken by the service that it has named; nobody else is told anything. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import type { ConfigInput } from "../../src/config.ts";
import { parseJid } from "../../src/xmpp/jid.ts";
import { NS } from "../../src/xmpp/ns.ts";
import { attr, child, children, childText, type Element } from "../../src/xmpp/xml.ts";
import { cast, type Actor } from "../support/cast.ts";
import { ComponentActor } from "../support/component.ts";
import { enablesResumption, resumes } from "../support/management.ts";
import { authenticate2, bind2 } from "../support/sasl2-client.ts";
import { until } from "../support/until.ts";
import { world } from "../support/world.ts";

/** They mostly wait. */
const patience = { timeout: 120_000, concurrency: 6 };
const domain = "pipit.test";
const service = "push.pipit.test";
const secret = "device token";
/** Longer than what comes together is waited for. */
const aWhile = () => new Promise((resolve) => setTimeout(resolve, 900));

const enable = (attrs = "", inside = "", jid = service) =>
  `<iq type='set'><enable xmlns='${NS.push}' jid='${jid}' node='juliet-phone' ${attrs}>${inside}</enable></iq>`;
const enableNode = (node: string, jid = service) =>
  `<iq type='set'><enable xmlns='${NS.push}' jid='${jid}' node='${node}'/></iq>`;
const disable = (attrs = `jid='${service}'`) => `<iq type='set'><disable xmlns='${NS.push}' ${attrs}/></iq>`;
const done = "<iq type='result'/>";
const error = (condition: string) =>
  `<iq type='error'><error><${condition} xmlns='${NS.stanzas}'/></error></iq>`;
const options =
  `<x xmlns='jabber:x:data' type='submit'>` +
  `<field var='FORM_TYPE'><value>${NS.pubsubPublishOptions}</value></field>` +
  `<field var='secret'><value>eruio234vzxc2kla-91</value></field></x>`;
const field = (name: string, value: string) => `<field var='${name}'><value>${value}</value></field>`;
const summary = (count: string, more = "", requests = "0") =>
  `<x xmlns='jabber:x:data' type='submit'>` +
  `<field var='FORM_TYPE' type='hidden'><value>${NS.pushSummary}</value></field>` +
  field("message-count", count) +
  field("pending-subscription-count", requests) +
  `${more}</x>`;
const push = (count = "{any}", { node = "juliet-phone", inside = "", beside = "", more = "" } = {}) =>
  `<iq type='set' from='${domain}' to='${service}'><pubsub xmlns='${NS.pubsub}'><publish node='${node}'><item>` +
  `<notification xmlns='${NS.push}'>${summary(count, more)}${inside}</notification></item></publish>` +
  `${beside}</pubsub></iq>`;
const chat = (to: string, text = "Wherefore art thou") =>
  `<message to='${to}' type='chat'><body>${text}</body></message>`;
const propose = (to: string) =>
  `<message to='${to}' type='chat'><propose xmlns='${NS.jingleMessage}' id='call-1'>` +
  `<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose></message>`;

/** Juliet and Romeo, and a push service that is a component. */
async function play(t: TestContext, config: ConfigInput = {}) {
  const stage = await cast(
    t,
    { juliet: {}, romeo: {} },
    { config: { components: { push: { secret } }, ...config } },
  );
  const open: ComponentActor[] = [];
  const joins = async () => {
    const one = await ComponentActor.joins(stage.node.ports.component!, service, secret);
    open.push(one);
    return one;
  };
  t.after(() => Promise.all(open.map((one) => one.kill())));
  const app = await joins();
  const answers = (iq: Element) =>
    app.raw(`<iq type='result' from='${service}' to='${domain}' id='${attr(iq, "id")}'/>`);
  const refuses = (iq: Element, condition: string, type = "cancel") =>
    app.raw(
      `<iq type='error' from='${service}' to='${domain}' id='${attr(iq, "id")}'>` +
        `<error type='${type}'><${condition} xmlns='${NS.stanzas}'/></error></iq>`,
    );
  const isGivenUp = (n = 1) => stage.log.filter(({ msg }) => msg.includes("given up")).length >= n;
  return { stage, ...stage.actors, app, joins, answers, refuses, isGivenUp };
}

/** Nothing is on its way to the service, and nothing waits to be. */
async function isLeftAlone(app: ComponentActor): Promise<void> {
  await aWhile();
  await app.asks(`<iq type='get' from='${service}' to='${domain}'><ping xmlns='${NS.ping}'/></iq>`, done);
  assert.deepEqual(app.inbox.map(String), []);
}

describe("a push goes out", patience, () => {
  test("for who is offline, with what the client wanted sent along, and without what was said", async (t) => {
    const { juliet, romeo, app, answers, stage } = await play(t);
    const info = await juliet.asks(
      `<iq type='get' to='${juliet.bare}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`,
    );
    assert(String(info).includes(`var="${NS.push}"`));
    await juliet.asks(enable("", options), done);
    await juliet.ends();
    romeo.sends(chat(juliet.bare));
    const beside = `<publish-options>${options}</publish-options>`;
    const came = await app.receives(push("1", { beside }));
    assert(!String(came).includes("romeo") && !String(came).includes("Wherefore"), String(came));
    answers(came);
    // §6 says nothing of more: it has been told once, until it was there.
    romeo.sends(chat(juliet.bare, "art thou") + chat(juliet.bare, "Romeo?"));
    await isLeftAlone(app);
    const back = await stage.login("juliet", { presence: false });
    await back.ends();
    romeo.sends(chat(juliet.bare, "Deny thy father"));
    answers(await app.receives(push("1", { beside })));
    await stage.settle();
  });

  test("once for all that comes at once, and not for what nobody is woken for", async (t) => {
    const { juliet, romeo, app, answers } = await play(t);
    await juliet.asks(enable(), done);
    await juliet.ends();
    romeo.sends(`<message to='${juliet.bare}' type='chat'><composing xmlns='${NS.chatStates}'/></message>`);
    romeo.sends(
      `<message to='${juliet.bare}' type='chat'><received xmlns='${NS.receipts}' id='1'/></message>`,
    );
    await isLeftAlone(app);
    romeo.sends(["one", "two", "three"].map((text) => chat(juliet.bare, text)).join(""));
    answers(await app.receives(push("3")));
    await isLeftAlone(app);
  });

  test("for a message without a body that is encrypted", async (t) => {
    const { juliet, romeo, app, answers } = await play(t);
    await juliet.asks(enable(), done);
    await juliet.ends();
    romeo.sends(
      `<message to='${juliet.bare}' type='chat'><encrypted xmlns='${NS.omemo}'><header sid='1'/>` +
        `<payload>c2VjcmV0</payload></encrypted></message>`,
    );
    answers(await app.receives(push("1")));
  });

  test("for a session whose connection is lost, and for what was on its way when it was", async (t) => {
    const { juliet, romeo, app, answers, stage } = await play(t);
    const id = await enablesResumption(juliet);
    await juliet.asks(enable(), done);
    romeo.sends(chat(juliet.bare, "unheard"));
    await juliet.receives(`<message type='chat'><body>unheard</body></message>`);
    await isLeftAlone(app);
    await juliet.kill();
    // The client has not acknowledged it.
    answers(await app.receives(push("1")));
    romeo.sends(chat(juliet.bare, "more"));
    await isLeftAlone(app);
    const again = await stage.connects();
    await again.opens();
    await again.receives("<stream:features/>");
    await again.authenticates("juliet", "juliet's secret");
    await resumes(again, id, 1);
    await again.receives(`<message><body>unheard</body></message>`);
    await again.receives(`<message><body>more</body></message>`);
    again.raw(`<a xmlns='${NS.streamManagement}' h='3'/>`);
    await again.asks(`<iq type='get' to='${domain}'><ping xmlns='${NS.ping}'/></iq>`);
    again.raw(`<a xmlns='${NS.streamManagement}' h='4'/>`);
    await again.asks(`<iq type='get' to='${domain}'><ping xmlns='${NS.ping}'/></iq>`);
    again.inbox.length = 0;
    await isLeftAlone(app);
    await again.kill();
    again.inbox.length = 0;
    juliet.inbox.length = 0;
    await isLeftAlone(app);
    romeo.sends(chat(juliet.bare, "anew"));
    answers(await app.receives(push("1")));
  });

  test("to a client that is away though another one gets the message", async (t) => {
    const { juliet, romeo, app, answers, stage } = await play(t);
    const desk = await stage.login("juliet", { resource: "desk" });
    await juliet.asks(enable(), done);
    await desk.asks(enableNode("juliet-desk"), done);
    await juliet.ends();
    await desk.receives(`<presence type='unavailable' from='${juliet.full}'/>`);
    romeo.sends(chat(juliet.bare));
    await desk.receives("<message type='chat'/>");
    answers(await app.receives(push("1")));
    await desk.receivesNothing();
    await isLeftAlone(app);
  });

  test("to both clients of two that are away", async (t) => {
    const { juliet, romeo, app, answers, stage } = await play(t);
    const desk = await stage.login("juliet", { resource: "desk", presence: false });
    await juliet.asks(enable(), done);
    await desk.asks(enableNode("juliet-desk"), done);
    await desk.ends();
    await juliet.ends();
    romeo.sends(chat(juliet.bare));
    answers(await app.receives(push("1")));
    answers(await app.receives(push("1", { node: "juliet-desk" })));
  });

  test("not while its client is connected, be it inactive", async (t) => {
    const { juliet, romeo, app } = await play(t);
    await juliet.asks(enable(), done);
    juliet.raw(`<inactive xmlns='${NS.clientState}'/>`);
    romeo.sends(chat(juliet.bare));
    await juliet.receives("<message type='chat'/>");
    await isLeftAlone(app);
  });

  test("at once for each call, whatever was announced before", async (t) => {
    const { juliet, romeo, app, answers } = await play(t);
    await juliet.asks(enable(`foo='bar'`, `<priority xmlns='${NS.pushPriority}'/>`), done);
    await juliet.ends();
    const inside = `<priority xmlns='${NS.pushPriority}'>high</priority>`;
    romeo.sends(chat(juliet.bare));
    answers(await app.receives(push("1", { inside })));
    romeo.sends(propose(juliet.bare));
    answers(await app.receives(push("2", { inside })));
    romeo.sends(propose(juliet.bare));
    answers(await app.receives(push("3", { inside })));
  });

  test("with the sender and the words where the operator wants it so, but none of what is encrypted", async (t) => {
    const { juliet, romeo, app, answers, stage } = await play(t, {
      push: { include_sender: true, include_body: true },
    });
    await juliet.asks(enable(), done);
    await juliet.ends();
    romeo.sends(chat(juliet.bare, "x".repeat(499) + "😀"));
    const sender = field("last-message-sender", romeo.full);
    answers(await app.receives(push("1", { more: sender + field("last-message-body", "x".repeat(499)) })));
    await (await stage.login("juliet", { presence: false })).ends();
    romeo.sends(
      `<message to='${juliet.bare}' type='chat'><encryption xmlns='${NS.encryption}' namespace='${NS.omemo}'/>` +
        "<body>I sent you something</body></message>",
    );
    answers(await app.receives(push("1", { more: sender })));
  });

  test("also after a restart of the node, once until its client was there", async (t) => {
    const { juliet, romeo, app, answers, stage, joins } = await play(t);
    await juliet.asks(enable("", options), done);
    await juliet.ends();
    romeo.sends(chat(juliet.bare));
    answers(await app.receives(push("1")));
    const { store } = stage.node;
    const rows = () => store.db.select().from(store.t.pushRegistrations);
    await until(async () => (await rows()).some(({ pushedAt }) => pushedAt), "that is noted");
    await stage.restarts();
    const writer = await stage.login("romeo");
    const restarted = await joins();
    writer.sends(chat(juliet.bare));
    await isLeftAlone(restarted);
    await (await stage.login("juliet", { presence: false })).ends();
    writer.sends(chat(juliet.bare));
    const beside = `<publish-options>${options}</publish-options>`;
    const came = await restarted.receives(push("1", { beside }));
    restarted.raw(`<iq type='result' from='${service}' to='${domain}' id='${attr(came, "id")}'/>`);
  });

  test("to a node at another server that lets this one publish, and nothing more", async (t) => {
    await using verona = await world(t, { capulet: { juliet: {}, romeo: {} }, apps: { service: {} } });
    const { juliet, romeo, service: app } = verona.actors;
    const create = `<create node='juliet-phone'/>`;
    await app.asks(`<iq type='set'><pubsub xmlns='${NS.pubsub}'>${create}</pubsub></iq>`, done);
    await app.asks(
      `<iq type='set'><pubsub xmlns='${NS.pubsubOwner}'><affiliations node='juliet-phone'>` +
        `<affiliation jid='capulet.example' affiliation='publish-only'/></affiliations></pubsub></iq>`,
      done,
    );
    await app.asks(
      `<iq type='set'><pubsub xmlns='${NS.pubsub}'><subscribe node='juliet-phone' jid='${app.full}'/></pubsub></iq>`,
      "<iq type='result'/>",
    );
    await juliet.asks(enable("", "", app.bare), done);
    await juliet.ends();
    romeo.sends(chat(juliet.bare));
    await app.receives(
      `<message from='${app.bare}'><event xmlns='${NS.pubsubEvent}'><items node='juliet-phone'><item>` +
        `<notification xmlns='${NS.push}'>${summary("1")}</notification></item></items></event></message>`,
    );
    await app.receivesNothing();
    assert(!verona.stages.capulet.log.some(({ msg }) => msg.includes("given up")));
  });

  test("to a server that cannot be reached, which ends nothing", async (t) => {
    await using verona = await world(t, { capulet: { juliet: {}, romeo: {} }, apps: {} });
    const { juliet, romeo } = verona.actors;
    const { capulet, apps } = verona.stages;
    await juliet.asks(enable("", "", "service@apps.example"), done);
    await juliet.ends();
    await apps.stops();
    romeo.sends(chat(juliet.bare));
    const { store } = capulet.node;
    await aWhile();
    const rows = await store.db.select().from(store.t.pushRegistrations);
    assert.deepEqual(
      rows.map(({ failures, pausedUntil, pushedAt }) => ({ failures, pausedUntil, pushedAt })),
      [{ failures: 0, pausedUntil: null, pushedAt: null }],
    );
  });

  test("to a service that is a client of the same server", async (t) => {
    const { juliet, romeo, stage } = await play(t);
    const bot = await stage.login("romeo", { resource: "bot", presence: false });
    await juliet.asks(enable("", "", bot.full), done);
    await juliet.ends();
    romeo.sends(chat(juliet.bare));
    bot.answers(await bot.receives(`<iq type='set' from='${domain}' to='${bot.full}'/>`));
  });
});

describe("a registration", patience, () => {
  test("ends as its client wants: one node of a service, or all", async (t) => {
    const { juliet, romeo, app, answers } = await play(t);
    await juliet.asks(enable(), done);
    await juliet.asks(enableNode("second"), done);
    await juliet.asks(enableNode("third"), done);
    await juliet.asks(disable(`jid='${service}' node='second'`), done);
    await juliet.asks(disable("jid='elsewhere.test'"), done);
    await juliet.ends();
    romeo.sends(chat(juliet.bare));
    answers(await app.receives(push("1")));
    answers(await app.receives(push("1", { node: "third" })));
    await isLeftAlone(app);
  });

  test("is gone when all of a service are", async (t) => {
    const { juliet, romeo, app } = await play(t);
    await juliet.asks(enable(), done);
    await juliet.asks(enableNode("second"), done);
    await juliet.asks(disable(), done);
    await juliet.ends();
    romeo.sends(chat(juliet.bare));
    await isLeftAlone(app);
  });

  test("has the options that were given last", async (t) => {
    const { juliet, romeo, app, answers } = await play(t);
    await juliet.asks(enable("", options.replace("eruio234vzxc2kla-91", "old")), done);
    await juliet.asks(enable("", options), done);
    await juliet.ends();
    romeo.sends(chat(juliet.bare));
    answers(await app.receives(push("1", { beside: `<publish-options>${options}</publish-options>` })));
  });

  test("ends when its service says so (§8), and nobody else's word counts", async (t) => {
    const { juliet, romeo, app, answers } = await play(t);
    await juliet.asks(enable(), done);
    const end = (to: string) =>
      `<message from='${service}' to='${to}'><pubsub xmlns='${NS.pubsub}' node='juliet-phone'>` +
      `<affiliation jid='${juliet.bare}' affiliation='none'/></pubsub></message>`;
    romeo.sends(end(juliet.bare).replace(`from='${service}'`, ""));
    await juliet.receives("<message/>");
    await juliet.ends();
    romeo.sends(chat(juliet.bare));
    answers(await app.receives(push("1")));
    app.raw(end(juliet.bare));
    await app.asks(`<iq type='get' from='${service}' to='${domain}'><ping xmlns='${NS.ping}'/></iq>`, done);
    romeo.sends(propose(juliet.bare));
    await isLeftAlone(app);
  });

  for (const condition of ["item-not-found", "not-authorized", "service-unavailable", "bad-request"]) {
    test(`is given up when its service answers ${condition}, until its client registers again`, async (t) => {
      const { juliet, romeo, app, answers, refuses, stage, isGivenUp } = await play(t);
      await juliet.asks(enable(), done);
      await juliet.ends();
      romeo.sends(chat(juliet.bare));
      refuses(await app.receives(push("1")), condition);
      await until(isGivenUp, "it is given up");
      romeo.sends(propose(juliet.bare));
      await isLeftAlone(app);
      const back = await stage.login("juliet", { presence: false });
      await back.asks(enable(), done);
      await back.ends();
      romeo.sends(propose(juliet.bare));
      answers(await app.receives(push("1")));
    });
  }

  test("stays where its service is away for a while", async (t) => {
    const { juliet, romeo, app, joins, isGivenUp } = await play(t);
    await juliet.asks(enable(), done);
    await juliet.ends();
    await app.ends();
    romeo.sends(chat(juliet.bare));
    await aWhile();
    assert(!isGivenUp());
    const again = await joins();
    romeo.sends(propose(juliet.bare));
    const came = await again.receives(push("2"));
    again.raw(`<iq type='result' from='${service}' to='${domain}' id='${attr(came, "id")}'/>`);
  });

  test("ends with the password that its client knew, not that of who changed it", async (t) => {
    const { juliet, romeo, app, answers, stage } = await play(t);
    const desk = await stage.login("juliet", { resource: "desk", presence: false });
    await juliet.asks(enable(), done);
    await desk.asks(enableNode("juliet-desk"), done);
    await desk.asks(
      `<iq type='set' to='${domain}'><query xmlns='jabber:iq:register'>` +
        `<username>juliet</username><password>a new one for Juliet</password></query></iq>`,
      done,
    );
    await juliet.closed();
    juliet.inbox.length = 0;
    await desk.ends();
    romeo.sends(chat(juliet.bare));
    answers(await app.receives(push("1", { node: "juliet-desk" })));
    await isLeftAlone(app);
  });

  test("ends with the access of its client (XEP-0494), and nobody else's does", async (t) => {
    const { juliet, romeo, stage } = await play(t);
    const desk = await stage.login("juliet", { resource: "desk", presence: false });
    const pad = await stage.connects();
    await pad.opens();
    const agent = { id: "d4565fa7-4d72-4749-b3d3-740edbf87770", software: "Kontakt" };
    await authenticate2(pad, await pad.receives("<stream:features/>"), {
      ...{ username: "juliet", password: "juliet's secret", agent },
      inside: bind2(),
    });
    await pad.receivesNext("<stream:features/>");
    for (const [who, node] of [
      [juliet, "juliet-phone"],
      [pad, "juliet-pad"],
      [desk, "juliet-desk"],
      [romeo, "romeo-phone"],
    ] as const)
      await who.asks(enableNode(node), done);
    const cam = `xmlns='${NS.clientAccess}'`;
    const nodes = async () => {
      await stage.settle();
      const left = await stage.node.store.db.select().from(stage.node.store.t.pushRegistrations);
      return left.map(({ node }) => node).sort();
    };
    const revokes = async (software: string) => {
      const list = await desk.asks(`<iq type='get'><list ${cam}/></iq>`, done);
      const clients = children(child(list, "clients", NS.clientAccess)!);
      const client = clients.find((one) => childText(child(one, "user-agent")!, "software") === software)!;
      // They know the password, so that they can come back; but not be called.
      await desk.asks(
        `<iq type='set'><revoke ${cam} id='${attr(client, "id")}'/></iq>`,
        error("service-unavailable"),
      );
    };
    await revokes("Kontakt");
    assert.deepEqual(await nodes(), ["juliet-desk", "juliet-phone", "romeo-phone"]);
    await revokes("phone");
    assert.deepEqual(await nodes(), ["juliet-desk", "romeo-phone"]);
    juliet.inbox.length = pad.inbox.length = 0;
  });

  test("ends with its account", async (t) => {
    const { juliet, app, stage } = await play(t);
    await juliet.asks(enable(), done);
    await juliet.ends();
    await stage.node.accounts.remove(parseJid(juliet.bare)!);
    await stage.settle();
    const left = await stage.node.store.db.select().from(stage.node.store.t.pushRegistrations);
    assert.deepEqual(left, []);
    await isLeftAlone(app);
  });
});

describe("nobody is harmed by it", patience, () => {
  test("what is no registration is refused", async (t) => {
    const { juliet, romeo } = await play(t);
    const cases: [string, string][] = [
      [`<iq type='set'><enable xmlns='${NS.push}' node='x'/></iq>`, "bad-request"],
      [`<iq type='set'><disable xmlns='${NS.push}' node='x'/></iq>`, "bad-request"],
      [enable("", "", "ju@li@et"), "jid-malformed"],
      [enableNode("x".repeat(1_024)), "not-acceptable"],
      [enable("", options.replace("eruio234vzxc2kla-91", "x".repeat(4_096))), "not-acceptable"],
      [enable("", options.replace("type='submit'", "")), "bad-request"],
      // Nobody registers for others.
      [enable().replace("<iq", `<iq to='${romeo.bare}'`), "service-unavailable"],
      [disable().replace("<iq", `<iq to='${romeo.bare}'`), "service-unavailable"],
    ];
    for (const [iq, condition] of cases) await juliet.asks(iq, error(condition));
  });

  test("an account has twenty registrations at most, the newest", async (t) => {
    const { juliet, stage } = await play(t);
    for (let n = 0; n < 25; n += 1) await juliet.asks(enableNode(`n${n}`), done);
    const { store } = stage.node;
    const rows = await store.db.select().from(store.t.pushRegistrations);
    assert.deepEqual(
      rows.map(({ node }) => node).sort(),
      Array.from({ length: 20 }, (_, n) => `n${n + 5}`).sort(),
    );
  });

  test("a stranger that was named gets one request, and none after it has refused", async (t) => {
    const { juliet, romeo, stage, isGivenUp } = await play(t);
    const victim: Actor = await stage.login("romeo", { resource: "victim", presence: false });
    await juliet.asks(enable("", "", victim.full), done);
    await juliet.ends();
    romeo.sends(chat(juliet.bare).repeat(50));
    const came = await victim.receives("<iq type='set'/>");
    victim.raw(
      `<iq type='error' to='${domain}' id='${attr(came, "id")}'><error type='cancel'>` +
        `<service-unavailable xmlns='${NS.stanzas}'/></error></iq>`,
    );
    await until(isGivenUp, "it is given up");
    romeo.sends(propose(juliet.bare).repeat(50));
    await aWhile();
    await victim.receivesNothing();
  });

  test("whoever calls on and on, and however much is registered, ten pushes go to one place at once", async (t) => {
    const { juliet, romeo, app, answers } = await play(t);
    for (let n = 0; n < 4; n += 1) await juliet.asks(enableNode(`n${n}`), done);
    await juliet.ends();
    let came = 0;
    while (came < 10) {
      romeo.sends(propose(juliet.bare));
      const due = Math.min(4, 10 - came);
      await until(() => app.inbox.length >= due, "a call is announced");
      for (const iq of app.inbox.splice(0)) {
        answers(iq);
        came += 1;
      }
    }
    assert.equal(came, 10);
    await isLeftAlone(app);
  });

  test("the answer to a push counts only from its service", async (t) => {
    const { juliet, romeo, app, answers, isGivenUp } = await play(t);
    await juliet.asks(enable(), done);
    await juliet.ends();
    romeo.sends(chat(juliet.bare));
    const came = await app.receives(push("1"));
    romeo.raw(
      `<iq type='error' to='${domain}' id='${attr(came, "id")}'><error type='cancel'>` +
        `<item-not-found xmlns='${NS.stanzas}'/></error></iq>`,
    );
    await romeo.pings();
    answers(came);
    await aWhile();
    assert(!isGivenUp());
  });
});
