/** XEP-0494, and app passwords: what has access to an account, and how it is taken away. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { tokenStore } from "../../src/store/tokens.ts";
import { execute } from "../../src/verbs.ts";
import { parseDateTime } from "../../src/xmpp/datetime.ts";
import { parseJid } from "../../src/xmpp/jid.ts";
import { NS } from "../../src/xmpp/ns.ts";
import { attr, child, children, childText, escapeText, type Element } from "../../src/xmpp/xml.ts";
import { cast, type Actor, type ClientStream, type Stage } from "../support/cast.ts";
import { enablesResumption } from "../support/management.ts";
import { authenticate, mechanismsOf } from "../support/sasl-client.ts";
import {
  authenticate2,
  authenticateByToken,
  bind2,
  conditionOf,
  requestToken,
  tokenIn,
  type Agent,
} from "../support/sasl2-client.ts";
import { until } from "../support/until.ts";

const cam = `xmlns='${NS.clientAccess}'`;
const phone: Agent = {
  id: "d4565fa7-4d72-4749-b3d3-740edbf87770",
  software: "Kontakt",
  device: "Juliet's phone",
};
const mechanism = "HT-SHA-256-EXPR";
const secret = "juliet's secret";

const play = (t: TestContext, config = {}) => cast(t, { juliet: {}, romeo: {} }, { config });

async function opens(stage: Stage): Promise<{ stream: ClientStream; features: Element }> {
  const stream = await stage.connects();
  await stream.opens();
  return { stream, features: await stream.receives("<stream:features/>") };
}

/** Juliet's phone, with a session and a token. */
async function begins(stage: Stage): Promise<{ stream: ClientStream; token: string }> {
  const { stream, features } = await opens(stage);
  const inside = requestToken(mechanism) + bind2("<tag>Kontakt</tag>");
  const login = { username: "juliet", password: secret, agent: phone, inside };
  const success = await authenticate2(stream, features, login);
  await stream.receivesNext("<stream:features/>");
  return { stream, token: tokenIn(success)!.token };
}

async function list(who: ClientStream): Promise<Element[]> {
  const reply = await who.asks(`<iq type='get'><list ${cam}/></iq>`, "<iq type='result'/>");
  return children(child(reply, "clients", NS.clientAccess)!);
}

const softwareOf = (client: Element): string | undefined =>
  childText(child(client, "user-agent")!, "software");
const methodsOf = (client: Element): string[] => children(child(client, "auth")!).map(({ name }) => name);
const find = async (who: ClientStream, software: string): Promise<Element | undefined> =>
  (await list(who)).find((one) => softwareOf(one) === software);

const revoke = (client: Element | string): string =>
  `<iq type='set'><revoke ${cam} id='${typeof client === "string" ? client : attr(client, "id")}'/></iq>`;
const refused = (condition: string, inside = ""): string =>
  `<iq type='error'><error><${condition} xmlns='${NS.stanzas}'/>${inside}</error></iq>`;

async function isEnded(stream: ClientStream, condition = "not-authorized"): Promise<void> {
  await stream.receives(`<error xmlns='${NS.stream}'><${condition} xmlns='${NS.streams}'/></error>`);
  await stream.closed();
}

describe("the list (§3.1)", () => {
  test("has who is here and who was, and how they got in", async (t) => {
    await using stage = await play(t);
    const { juliet } = stage.actors;
    const { stream } = await begins(stage);
    const before = Date.now();
    const here = (await find(juliet, "Kontakt"))!;
    assert.deepEqual([attr(here, "connected"), attr(here, "type")], ["true", "session"]);
    assert.deepEqual(methodsOf(here), ["password", "fast"]);
    assert.equal(attr(child(here, "permission")!, "status"), "unrestricted");
    assert.equal(childText(child(here, "user-agent")!, "device"), "Juliet's phone");
    const first = parseDateTime(childText(here, "first-seen")!)!;
    assert(Math.abs(first.getTime() - before) < 60_000);
    assert(!here.toString().includes(phone.id), "nobody is told the id");

    await stream.ends();
    await until(async () => attr((await find(juliet, "Kontakt"))!, "connected") === "false", "it is gone");
    const gone = (await find(juliet, "Kontakt"))!;
    assert.equal(attr(gone, "id"), attr(here, "id"));
    assert(parseDateTime(childText(gone, "last-seen")!)!.getTime() >= first.getTime());
    // Her first client did not say what it is; it is there as long as it is there.
    const nameless = (await list(juliet)).find((one) => softwareOf(one) === "phone")!;
    assert.deepEqual([attr(nameless, "connected"), methodsOf(nameless)], ["true", ["password"]]);
  });

  test("has one entry for a client however often it comes", async (t) => {
    await using stage = await play(t);
    const { juliet } = stage.actors;
    const { stream, token } = await begins(stage);
    await stream.ends();
    const { stream: again } = await opens(stage);
    const login = { username: "juliet", mechanism, agent: { ...phone, software: "Kontakt 2" }, token };
    await authenticateByToken(again, { ...login, inside: bind2() });
    await again.receivesNext("<stream:features/>");
    const clients = await list(juliet);
    assert.deepEqual(clients.map(softwareOf), ["Kontakt 2", "phone"]);
    await again.ends();
  });

  test("is nobody else's", async (t) => {
    await using stage = await play(t);
    const { juliet, romeo } = stage.actors;
    await begins(stage);
    assert.equal((await list(romeo)).length, 1);
    const theirs = (await find(juliet, "Kontakt"))!;
    await romeo.asks(revoke(theirs), refused("item-not-found"));
    await romeo.asks(
      `<iq type='get' to='${juliet.bare}'><list ${cam}/></iq>`,
      refused("service-unavailable"),
    );
    assert(await find(juliet, "Kontakt"));
  });

  test("keeps no names where the operator wants none", async (t) => {
    await using stage = await play(t, { clients: { keep_days: 0 } });
    const { juliet } = stage.actors;
    const { token, stream } = await begins(stage);
    assert.equal(await find(juliet, "Kontakt"), undefined);
    const rows = await stage.node.clients.list(juliet.bare);
    assert.deepEqual(
      rows.map(({ software, device }) => [software, device]),
      [[null, null]],
    );
    await stream.ends();
    // It is known as long as it has a token.
    await stage.node.clients.sweep();
    assert.equal((await stage.node.clients.list(juliet.bare)).length, 1);
    const client = (await stage.node.clients.list(juliet.bare))[0]!;
    await tokenStore(stage.node.store).removeAll(juliet.bare, client.client);
    await new Promise((resolve) => setTimeout(resolve, 2));
    await stage.node.clients.sweep();
    assert.deepEqual(await stage.node.clients.list(juliet.bare), []);
    assert(token);
  });

  test("forgets who has not been here for long", async (t) => {
    await using stage = await play(t);
    const { juliet } = stage.actors;
    const { stream } = await begins(stage);
    await stream.ends();
    await stage.settle();
    const rows = tokenStore(stage.node.store);
    const [row] = await rows.clients(juliet.bare);
    await rows.removeAll(juliet.bare, row!.client);
    const day = 86_400_000;
    for (const [days, known] of [
      [59, 1],
      [61, 0],
    ] as const) {
      await rows.putClient({ ...row!, lastSeen: new Date(Date.now() - days * day) });
      await stage.node.clients.sweep();
      assert.equal((await rows.clients(juliet.bare)).length, known);
    }
  });
});

describe("access is taken away (§3.2)", () => {
  test("from a client that knows the password by another password alone", async (t) => {
    await using stage = await play(t);
    const { juliet } = stage.actors;
    const { stream, token } = await begins(stage);
    await juliet.asks(
      revoke((await find(juliet, "Kontakt"))!),
      refused("service-unavailable", `<password-reset-required ${cam}/>`),
    );
    // What can be taken is gone all the same.
    await isEnded(stream);
    const { stream: again } = await opens(stage);
    const login = { username: "juliet", mechanism, agent: phone, token };
    assert.equal(conditionOf(await authenticateByToken(again, login)), "not-authorized");
    assert.deepEqual(methodsOf((await find(juliet, "Kontakt"))!), ["password"]);
    // Another password, and it has no access.
    await stage.node.accounts.setPassword(parseJid(juliet.bare)!, "nightingale");
    await isEnded(juliet, "reset");
    const fresh = await stage.login("juliet", { password: "nightingale" });
    assert.equal(await find(fresh, "Kontakt"), undefined);
  });

  test("from who has only a token left", async (t) => {
    await using stage = await play(t);
    const { juliet } = stage.actors;
    const { stream, token } = await begins(stage);
    const rows = tokenStore(stage.node.store);
    const [row] = await rows.clients(juliet.bare);
    await rows.putClient({ ...row!, knowsPassword: false });
    await juliet.asks(revoke((await find(juliet, "Kontakt"))!), "<iq type='result'/>");
    await isEnded(stream);
    assert.equal(await find(juliet, "Kontakt"), undefined);
    const { stream: again } = await opens(stage);
    const login = { username: "juliet", mechanism, agent: phone, token };
    assert.equal(conditionOf(await authenticateByToken(again, login)), "not-authorized");
  });

  test("from a client that went on with a session of before it said which it is", async (t) => {
    await using stage = await play(t);
    const { juliet } = stage.actors;
    const { stream: first, token } = await begins(stage);
    await first.ends();
    const early = await stage.login("juliet", { resource: "early", presence: false });
    const previd = await enablesResumption(early);
    const { stream } = await opens(stage);
    const inside = `<resume xmlns='${NS.streamManagement}' previd='${previd}' h='0'/>`;
    const login = { username: "juliet", mechanism, agent: phone, token, inside };
    const success = await authenticateByToken(stream, login);
    assert(child(success, "resumed", NS.streamManagement), success.toString());
    await isEnded(early, "conflict");
    const entry = (await find(juliet, "Kontakt"))!;
    assert.equal(attr(entry, "connected"), "true");
    stream.inbox.length = 0;
    await juliet.asks(revoke(entry), refused("service-unavailable", `<password-reset-required ${cam}/>`));
    await isEnded(stream);
    early.inbox.length = stream.inbox.length = 0;
  });

  test("from who has proven to know what was the password, be it for a session that stays", async (t) => {
    await using stage = await play(t);
    const { juliet } = stage.actors;
    const previd = await enablesResumption(juliet);
    const { stream, features } = await opens(stage);
    await authenticate2(stream, features, { username: "juliet", password: secret });
    await stream.receivesNext("<stream:features/>");
    const form = "<username>juliet</username><password>nightingale</password>";
    await juliet.asks(
      `<iq type='set'><query xmlns='${NS.register}'>${form}</query></iq>`,
      "<iq type='result'/>",
    );
    stream.raw(`<resume xmlns='${NS.streamManagement}' previd='${previd}' h='0'/>`);
    await isEnded(stream);
    await juliet.pings();
  });

  test("from oneself, behind the answer", async (t) => {
    await using stage = await play(t);
    const { juliet } = stage.actors;
    const { stream } = await begins(stage);
    const rows = tokenStore(stage.node.store);
    const [row] = await rows.clients(juliet.bare);
    await rows.putClient({ ...row!, knowsPassword: false });
    await stream.asks(revoke((await find(stream, "Kontakt"))!), "<iq type='result'/>");
    await isEnded(stream);
  });

  test("from nobody that is not there", async (t) => {
    await using stage = await play(t);
    await stage.actors.juliet.asks(revoke("c.nobody"), refused("item-not-found"));
    await stage.actors.juliet.asks(`<iq type='set'><revoke ${cam}/></iq>`, refused("item-not-found"));
  });
});

describe("an app password", () => {
  const account = (stage: Stage) => parseJid(stage.bare("juliet"))!;

  /** A session of an old client that has it. */
  async function old(stage: Stage, password: string): Promise<Actor> {
    return stage.login("juliet", { password, resource: "old", presence: false });
  }

  test("opens the account by every mechanism, in both profiles", async (t) => {
    await using stage = await play(t);
    const { password } = await stage.node.appPasswords.add(account(stage), "Pidgin");
    assert.match(password, /^[a-z2-9]{5}(?:-[a-z2-9]{5}){3}$/);
    for (const name of mechanismsOf((await opens(stage)).features)) {
      for (const tries of [authenticate, authenticate2]) {
        for (const one of [password, secret]) {
          const { stream, features } = await opens(stage);
          const login = { username: "juliet", mechanism: name, password: one };
          assert.equal((await tries(stream, features, login)).name, "success", name);
          if (tries === authenticate2) await stream.receivesNext("<stream:features/>");
          await stream.kill();
        }
      }
    }
    const { stream, features } = await opens(stage);
    const wrong = { username: "romeo", password };
    assert.equal((await authenticate(stream, features, wrong)).name, "failure");
  });

  test("is a client of its own in the list, and taken back there", async (t) => {
    await using stage = await play(t);
    const { juliet } = stage.actors;
    const { password } = await stage.node.appPasswords.add(account(stage), "Pidgin");
    const unused = (await find(juliet, "Pidgin"))!;
    assert.deepEqual([attr(unused, "connected"), attr(unused, "type")], ["false", "access"]);
    const pidgin = await old(stage, password);
    await stage.settle();
    const used = (await find(juliet, "Pidgin"))!;
    assert.deepEqual([attr(used, "connected"), attr(used, "type")], ["true", "session"]);
    assert.deepEqual(methodsOf(used), ["grant"]);
    assert.equal(attr(child(used, "permission")!, "status"), "normal");
    assert.equal((await list(juliet)).length, 2);

    await juliet.asks(revoke(used), "<iq type='result'/>");
    await isEnded(pidgin);
    assert.equal(await find(juliet, "Pidgin"), undefined);
    const { stream, features } = await opens(stage);
    assert.equal((await authenticate(stream, features, { username: "juliet", password })).name, "failure");
    await juliet.pings();
  });

  test("gives no say in who else has access, and no token", async (t) => {
    await using stage = await play(t);
    const { juliet } = stage.actors;
    const { password } = await stage.node.appPasswords.add(account(stage), "Pidgin");
    const pidgin = await old(stage, password);
    await pidgin.asks(`<iq type='get'><list ${cam}/></iq>`, refused("forbidden"));
    await pidgin.asks(revoke((await find(juliet, "Pidgin"))!), refused("forbidden"));
    const run = `<iq type='set' to='${stage.domain}'><command xmlns='${NS.commands}' node='pipit:app-passwords#add'/></iq>`;
    await pidgin.asks(run, refused("forbidden"));

    const forms = [`<username>juliet</username><password>mine</password>`, "<remove/>"];
    for (const form of forms)
      await pidgin.asks(
        `<iq type='set'><query xmlns='${NS.register}'>${form}</query></iq>`,
        refused("forbidden"),
      );

    const { stream, features } = await opens(stage);
    const login = { username: "juliet", password, agent: phone, inside: requestToken(mechanism) };
    assert.equal(tokenIn(await authenticate2(stream, features, login)), undefined);
    await stream.receivesNext("<stream:features/>");
    assert.equal(await find(juliet, "Kontakt"), undefined);
  });

  test("opens no session that another password has opened", async (t) => {
    await using stage = await play(t);
    const { juliet } = stage.actors;
    const { password } = await stage.node.appPasswords.add(account(stage), "Pidgin");
    const pidgin = await old(stage, password);
    const resume = (previd: string) => `<resume xmlns='${NS.streamManagement}' previd='${previd}' h='0'/>`;
    const ids = [
      [await enablesResumption(juliet), password],
      [await enablesResumption(pidgin), secret],
    ] as const;
    for (const [previd, other] of ids) {
      const { stream, features } = await opens(stage);
      const login = { username: "juliet", password: other, inside: resume(previd) };
      const success = await authenticate2(stream, features, login);
      assert(child(success, "failed", NS.streamManagement), success.toString());
      await stream.receivesNext("<stream:features/>");
    }
    // Also once the process was restarted.
    await stage.restarts();
    for (const [previd, other] of ids) {
      const { stream, features } = await opens(stage);
      const login = { username: "juliet", password: other, inside: resume(previd) };
      assert(child(await authenticate2(stream, features, login), "failed", NS.streamManagement));
      await stream.receivesNext("<stream:features/>");
    }
    const { stream, features } = await opens(stage);
    const login = { username: "juliet", password, inside: resume(ids[1][0]) };
    assert(child(await authenticate2(stream, features, login), "resumed", NS.streamManagement));
    stream.inbox.length = 0;
    await stream.asks(`<iq type='get'><list ${cam}/></iq>`, refused("forbidden"));
    stream.inbox.length = 0;
    await stream.kill();
  });

  test("opens nothing for who was about to come in when it was taken back", async (t) => {
    await using stage = await play(t);
    const { appPasswords } = stage.node;
    const { password, id } = await appPasswords.add(account(stage), "Pidgin");
    const { stream, features } = await opens(stage);
    await authenticate2(stream, features, { username: "juliet", password });
    await stream.receivesNext("<stream:features/>");
    await appPasswords.remove(stage.bare("juliet"), id);
    stream.raw(`<iq type='set' id='b'><bind xmlns='${NS.bind}'/></iq>`);
    await isEnded(stream);
    assert.equal([...stage.node.sessions.of(stage.bare("juliet"))].length, 1);
  });

  test("ends with the password, and with the account", async (t) => {
    await using stage = await play(t);
    const { juliet } = stage.actors;
    const { appPasswords, accounts } = stage.node;
    const { password } = await appPasswords.add(account(stage), "Pidgin");
    const pidgin = await old(stage, password);
    await accounts.setPassword(account(stage), "nightingale");
    for (const one of [juliet, pidgin]) await isEnded(one, "reset");
    assert.deepEqual(await appPasswords.list(juliet.bare), []);
    const { stream, features } = await opens(stage);
    assert.equal((await authenticate(stream, features, { username: "juliet", password })).name, "failure");
    await appPasswords.add(account(stage), "Pidgin");
    await accounts.remove(account(stage));
    assert.deepEqual(await appPasswords.list(juliet.bare), []);
  });

  test("has a name of its own, and there are not too many", async (t) => {
    await using stage = await play(t);
    const { appPasswords } = stage.node;
    for (const name of ["", "  ", "x".repeat(101)])
      await assert.rejects(appPasswords.add(account(stage), name), { condition: "not-acceptable" });
    await appPasswords.add(account(stage), " Pidgin ");
    await assert.rejects(appPasswords.add(account(stage), "Pidgin"), { condition: "conflict" });
    for (let n = 1; n < 20; n += 1) await appPasswords.add(account(stage), `app ${n}`);
    await assert.rejects(appPasswords.add(account(stage), "one more"), { condition: "resource-constraint" });
    const nobody = parseJid(stage.bare("nobody"))!;
    await assert.rejects(appPasswords.add(nobody, "x"), { condition: "item-not-found" });
  });

  test("is made and taken back on the command line", async (t) => {
    await using stage = await play(t);
    const run = (verb: string, ...args: string[]) =>
      execute(stage.node, { verb: `account app-password ${verb}`, args, options: {} });
    const { juliet } = stage.actors;
    const made = await run("add", juliet.bare, "Pidgin");
    assert(made.ok);
    const pidgin = await old(stage, made.answer.text);
    const listed = await run("list", juliet.bare);
    assert(listed.ok && listed.answer.text === "Pidgin");
    assert(!JSON.stringify(listed.answer.data).includes(made.answer.text));
    assert((await run("remove", juliet.bare, "Pidgin")).ok);
    await isEnded(pidgin);
    assert(!(await run("remove", juliet.bare, "Pidgin")).ok);
    assert(!(await run("add", stage.bare("nobody"), "Pidgin")).ok);
  });

  test("is made and taken back by chat (XEP-0050)", async (t) => {
    await using stage = await play(t);
    const { juliet } = stage.actors;
    const to = `to='${stage.domain}'`;
    const run = async (node: string, answers: Record<string, string>) => {
      const begun = await juliet.asks(
        `<iq type='set' ${to}><command xmlns='${NS.commands}' node='pipit:app-passwords#${node}'/></iq>`,
      );
      const command = child(begun, "command", NS.commands)!;
      if (attr(command, "status") === "completed") return command;
      const form = child(command, "x", NS.dataForm)!;
      const fields = Object.entries(answers).map(([name, label]) => {
        const field = children(form, "field").find((one) => attr(one, "var") === name)!;
        const option = children(field, "option").find((one) => attr(one, "label") === label);
        return `<field var='${name}'><value>${option ? childText(option, "value") : escapeText(label)}</value></field>`;
      });
      const done = await juliet.asks(
        `<iq type='set' ${to}><command xmlns='${NS.commands}' node='pipit:app-passwords#${node}'
           sessionid='${attr(command, "sessionid")}' action='complete'>
           <x xmlns='${NS.dataForm}' type='submit'>${fields.join("")}</x></command></iq>`,
      );
      return child(done, "command", NS.commands)!;
    };
    const made = await run("add", { name: "Pidgin & co" });
    assert.equal(attr(made, "status"), "completed");
    const shown = children(child(made, "x", NS.dataForm)!, "field");
    const password = childText(
      shown.find((one) => attr(one, "var") === "password")!,
      "value",
    )!;
    const pidgin = await old(stage, password);
    const taken = await run("remove", { "app-password": "Pidgin & co" });
    assert.match(childText(taken, "note")!, /opens nothing/);
    await isEnded(pidgin);
    assert.match(childText(await run("remove", {}), "note")!, /no app passwords/);
  });
});
