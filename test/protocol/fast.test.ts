/** XEP-0484: tokens instead of passwords, and who cannot use them. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { tokenStore, type TokenRow } from "../../src/store/tokens.ts";
import { parseJid } from "../../src/xmpp/jid.ts";
import { NS } from "../../src/xmpp/ns.ts";
import { attr, child, children, text, type Element } from "../../src/xmpp/xml.ts";
import { cast, type ClientStream, type Stage } from "../support/cast.ts";
import { asksHandled } from "../support/management.ts";
import {
  authenticate2,
  authenticateByToken,
  bind2,
  conditionOf,
  identityIn,
  inlineOf,
  requestToken,
  tokenIn,
  tokenProof,
  type Agent,
  type TokenLogin,
} from "../support/sasl2-client.ts";

const phone: Agent = { id: "d4565fa7-4d72-4749-b3d3-740edbf87770", software: "Kontakt", device: "Phone" };
const laptop: Agent = { id: "0b1cd4a5-6f4f-4b3e-9c2f-8a4f4b1a9d10" };
const exporter = "HT-SHA-256-EXPR";
const none = "HT-SHA-256-NONE";
const day = 86_400_000;

const play = (t: TestContext) => cast(t, { juliet: {}, romeo: {} });

async function opens(stage: Stage): Promise<{ stream: ClientStream; features: Element }> {
  const stream = await stage.connects();
  await stream.opens();
  return { stream, features: await stream.receives("<stream:features/>") };
}

/** A login with the password; the token that it gets, if any. */
async function asks(
  stage: Stage,
  mechanism = exporter,
  agent: Agent | undefined = phone,
  username = "juliet",
  password = `${username}'s secret`,
): Promise<string | undefined> {
  const { stream, features } = await opens(stage);
  const inside = requestToken(mechanism);
  const success = await authenticate2(stream, features, {
    ...{ username, password, inside },
    ...(agent && { agent }),
  });
  assert.equal(success.name, "success", success.toString());
  await stream.receivesNext("<stream:features/>");
  await stream.kill();
  return tokenIn(success)?.token;
}

/** A login with a token; a failure's condition, or the success. */
async function uses(stage: Stage, token: string, login: Partial<TokenLogin> = {}): Promise<string | Element> {
  const { stream } = await opens(stage);
  const all = { username: "juliet", mechanism: exporter, agent: phone, ...login, token };
  const outcome = await authenticateByToken(stream, all);
  if (outcome.name !== "success") {
    await stream.kill();
    return conditionOf(outcome);
  }
  await stream.receivesNext("<stream:features/>");
  await stream.kill();
  return outcome;
}

async function works(stage: Stage, token: string, login: Partial<TokenLogin> = {}): Promise<Element> {
  const outcome = await uses(stage, token, login);
  if (typeof outcome === "string") assert.fail(`it does not work: ${outcome}`);
  return outcome;
}

/** Makes the tokens of juliet's phone other than they are. */
async function ages(stage: Stage, change: (row: TokenRow) => Partial<TokenRow>): Promise<void> {
  const rows = tokenStore(stage.node.store);
  const account = stage.bare("juliet");
  for (const { client } of await rows.clients(account))
    for (const row of await rows.tokens(account, client)) await rows.put({ ...row, ...change(row) });
}

const isOld = ({ issuedAt }: TokenRow) => ({ issuedAt: new Date(issuedAt.getTime() - 2 * day) });

/** Juliet's own session is ended by the server. */
async function ended(stage: Stage<"juliet" | "romeo">, condition: string): Promise<void> {
  const { juliet } = stage.actors;
  await juliet.receives(`<error xmlns='${NS.stream}'><${condition} xmlns='${NS.streams}'/></error>`);
}

describe("a token", () => {
  test("can be had for the mechanisms that are announced (§3.1)", async (t) => {
    await using stage = await play(t);
    const { features } = await opens(stage);
    const fast = child(inlineOf(features), "fast", NS.fast)!;
    assert.equal(attr(fast, "tls-0rtt"), undefined);
    assert.deepEqual(children(fast).map(text), [exporter, "HT-SHA-256-ENDP", none]);
    for (const mechanism of [exporter, "HT-SHA-256-ENDP", none]) {
      const token = (await asks(stage, mechanism))!;
      const success = await works(stage, token, { mechanism });
      assert.equal(identityIn(success), stage.bare("juliet"));
      // It is new, so that it stays as it is (§3.5).
      assert.equal(tokenIn(success), undefined);
      await works(stage, token, { mechanism });
    }
  });

  test("is good for some weeks, and is no other's", async (t) => {
    await using stage = await play(t);
    const { stream, features } = await opens(stage);
    const login = { username: "juliet", password: "juliet's secret", agent: phone };
    const success = await authenticate2(stream, features, { ...login, inside: requestToken(none) });
    await stream.receivesNext("<stream:features/>");
    const { token, expiry } = tokenIn(success)!;
    assert(token.length >= 40);
    const days = (expiry.getTime() - Date.now()) / day;
    assert(days > 29.9 && days <= 30, `${days} days`);
    assert.notEqual(await asks(stage, none), token);
  });

  test("is not had without asking, for another mechanism, or by whom nobody knows again", async (t) => {
    await using stage = await play(t);
    assert.equal(await asks(stage, "HT-SHA-512-EXPR"), undefined);
    assert.equal(await asks(stage, "SCRAM-SHA-1"), undefined);
    assert.equal(await asks(stage, none, null as never), undefined);
    const { stream, features } = await opens(stage);
    const login = { username: "juliet", password: "juliet's secret", agent: phone };
    assert.equal(tokenIn(await authenticate2(stream, features, login)), undefined);
    await stream.receivesNext("<stream:features/>");
  });

  test("opens a session at once, or an earlier one again", async (t) => {
    await using stage = await play(t);
    const token = (await asks(stage))!;
    const enable = `<enable xmlns='${NS.streamManagement}' resume='true'/>`;
    const one = await opens(stage);
    const login = { username: "juliet", mechanism: exporter, agent: phone, token };
    const first = await authenticateByToken(one.stream, {
      ...login,
      inside: bind2(`<tag>Kontakt</tag>${enable}`),
    });
    assert.match(identityIn(first), /^juliet@pipit\.test\/Kontakt\/.+/);
    await one.stream.receivesNext("<stream:features/>");
    const previd = attr(child(child(first, "bound", NS.bind2)!, "enabled", NS.streamManagement)!, "id");
    await one.stream.kill();
    const two = await opens(stage);
    const inside = `<resume xmlns='${NS.streamManagement}' previd='${previd}' h='0'/>`;
    const second = await authenticateByToken(two.stream, { ...login, inside });
    assert(child(second, "resumed", NS.streamManagement));
    assert.equal(identityIn(second), identityIn(first));
    assert.equal(await asksHandled(two.stream), 0);
  });

  test("outlives the process", async (t) => {
    await using stage = await play(t);
    const token = (await asks(stage))!;
    await stage.restarts();
    await works(stage, token);
  });
});

describe("a token is worth nothing", () => {
  test("to another client, or in another's name", async (t) => {
    await using stage = await play(t);
    const token = (await asks(stage))!;
    await asks(stage, exporter, laptop);
    await asks(stage, exporter, phone, "romeo");
    assert.equal(await uses(stage, token, { agent: laptop }), "not-authorized");
    assert.equal(await uses(stage, token, { username: "romeo" }), "not-authorized");
    assert.equal(await uses(stage, token, { username: "nobody" }), "not-authorized");
    assert.equal(await uses(stage, token, { agent: undefined }), "malformed-request");
    await works(stage, token);
  });

  test("with another mechanism than it is for (§3.4)", async (t) => {
    await using stage = await play(t);
    const token = (await asks(stage, exporter))!;
    for (const mechanism of [none, "HT-SHA-256-ENDP"])
      assert.equal(await uses(stage, token, { mechanism }), "not-authorized");
    for (const mechanism of ["HT-SHA-256-UNIQ", "HT-SHA-512-NONE", "SCRAM-SHA-256", "PLAIN"])
      assert.equal(await uses(stage, token, { mechanism }), "invalid-mechanism");
    await works(stage, token);
  });

  test("where it is not said that it is one, and neither is its proof as a password", async (t) => {
    await using stage = await play(t);
    const token = (await asks(stage, none))!;
    assert.equal(await uses(stage, token, { mechanism: none, fast: null }), "invalid-mechanism");
    const { stream, features } = await opens(stage);
    const login = { username: "juliet", password: token, mechanism: "PLAIN", agent: phone };
    assert.equal(conditionOf(await authenticate2(stream, features, login)), "not-authorized");
  });

  test("on another connection than its proof is made for", async (t) => {
    await using stage = await play(t);
    const token = (await asks(stage, exporter))!;
    const login = { username: "juliet", mechanism: exporter, agent: phone, token };
    const [hers, evil] = [await opens(stage), await opens(stage)];
    const [proof] = tokenProof(hers.stream, login);
    assert.equal(conditionOf(await authenticateByToken(evil.stream, login, proof)), "not-authorized");
    await works(stage, token);
  });

  test("in the name of whom the stream is not (XEP-0388 §2.3)", async (t) => {
    await using stage = await play(t);
    const token = (await asks(stage))!;
    const stream = await stage.connects();
    await stream.opens({ from: stage.bare("romeo") });
    await stream.receives("<stream:features/>");
    const login = { username: "juliet", mechanism: exporter, agent: phone, token };
    assert.equal(conditionOf(await authenticateByToken(stream, login)), "invalid-authzid");
  });

  test("once its time is over, and its client is told so", async (t) => {
    await using stage = await play(t);
    const token = (await asks(stage))!;
    await ages(stage, () => ({ expiresAt: new Date(Date.now() - 1_000) }));
    assert.equal(await uses(stage, token), "credentials-expired");
    assert.equal(await uses(stage, `${token}x`), "not-authorized");
  });

  test("after a change of the password", async (t) => {
    await using stage = await play(t);
    const [token, his] = [(await asks(stage))!, (await asks(stage, exporter, phone, "romeo"))!];
    await stage.node.accounts.setPassword(parseJid(stage.bare("juliet"))!, "nightingale");
    assert.equal(await uses(stage, token), "not-authorized");
    await works(stage, his, { username: "romeo" });
    await works(stage, (await asks(stage, exporter, phone, "juliet", "nightingale"))!);
    await ended(stage, "reset");
  });

  test("where the account is disabled, or is no more", async (t) => {
    await using stage = await play(t);
    const juliet = parseJid(stage.bare("juliet"))!;
    const token = (await asks(stage))!;
    await stage.node.accounts.setDisabled(juliet, true);
    assert.equal(await uses(stage, token), "account-disabled");
    await stage.node.accounts.setDisabled(juliet, false);
    await works(stage, token);
    await stage.node.accounts.remove(juliet);
    assert.equal(await uses(stage, token), "not-authorized");
    assert.deepEqual(await stage.node.clients.list(juliet.bare), []);
    await ended(stage, "not-authorized");
  });

  test("to who guesses: it counts as any password does", async (t) => {
    await using stage = await play(t);
    const token = (await asks(stage))!;
    // An account that was logged in to from there may be tried for longer; the address has its own limit.
    for (let n = 0; n < 16; n += 1) await uses(stage, `guess ${n}`);
    assert.equal(await uses(stage, token), "temporary-auth-failure");
    const { stream, features } = await opens(stage);
    const login = { username: "juliet", password: "juliet's secret" };
    assert.equal(conditionOf(await authenticate2(stream, features, login)), "temporary-auth-failure");
  });
});

describe("rotation (§3.5)", () => {
  test("gives a new token for an old one, which lasts until the new one is used", async (t) => {
    await using stage = await play(t);
    const first = (await asks(stage))!;
    await ages(stage, isOld);
    const unheard = tokenIn(await works(stage, first))!.token;
    assert.notEqual(unheard, first);
    // The answer was lost: the client comes with the one that it has.
    const second = tokenIn(await works(stage, first))!.token;
    assert.equal(await uses(stage, unheard), "not-authorized");
    assert.equal(tokenIn(await works(stage, second)), undefined);
    assert.equal(await uses(stage, first), "not-authorized");
    await works(stage, second);
  });

  test("keeps to the mechanism", async (t) => {
    await using stage = await play(t);
    const first = (await asks(stage, none))!;
    await ages(stage, isOld);
    const second = tokenIn(await works(stage, first, { mechanism: none }))!.token;
    assert.equal(await uses(stage, second), "not-authorized");
    await works(stage, second, { mechanism: none });
  });

  test("happens at the client's wish too", async (t) => {
    await using stage = await play(t);
    const first = (await asks(stage, exporter))!;
    const wish = await works(stage, first, { inside: requestToken(none) });
    const second = tokenIn(wish)!.token;
    await works(stage, second, { mechanism: none });
    assert.equal(await uses(stage, first), "not-authorized");
  });
});

describe("the client's count (§3.4)", () => {
  test("goes up, or somebody repeats what it has said", async (t) => {
    await using stage = await play(t);
    const token = (await asks(stage))!;
    await works(stage, token, { fast: "count='1'" });
    for (const count of ["1", "0"])
      assert.equal(await uses(stage, token, { fast: `count='${count}'` }), "not-authorized");
    await works(stage, token, { fast: "count='7'" });
    assert.equal(await uses(stage, token, { fast: "count='6'" }), "not-authorized");
    await works(stage, token);
    await works(stage, token, { fast: "count='8'" });
  });

  test("is a number", async (t) => {
    await using stage = await play(t);
    const token = (await asks(stage))!;
    for (const count of ["-1", "x", "", "1.5", "2147483648"])
      assert.equal(await uses(stage, token, { fast: `count='${count}'` }), "malformed-request", count);
  });
});

describe("a client that logs out (§3.6)", () => {
  test("has its token taken back, and gets no other", async (t) => {
    await using stage = await play(t);
    const token = (await asks(stage))!;
    await ages(stage, isOld);
    const success = await works(stage, token, { fast: "invalidate='true'" });
    assert.equal(tokenIn(success), undefined);
    assert.equal(await uses(stage, token), "not-authorized");
  });

  test("leaves none behind: neither an earlier one (§3.5), nor one that it was given and has not used", async (t) => {
    await using stage = await play(t);
    const first = (await asks(stage))!;
    await works(stage, first);
    await ages(stage, isOld);
    const second = tokenIn(await works(stage, first))!.token;
    await works(stage, second, { fast: "invalidate='true'" });
    for (const token of [first, second]) assert.equal(await uses(stage, token), "not-authorized");

    const third = (await asks(stage))!;
    await works(stage, third);
    await ages(stage, isOld);
    const unheard = tokenIn(await works(stage, third))!.token;
    await works(stage, third, { fast: "invalidate='true'" });
    for (const token of [third, unheard]) assert.equal(await uses(stage, token), "not-authorized");
  });

  test("gets one where it asks", async (t) => {
    await using stage = await play(t);
    const token = (await asks(stage))!;
    const login = { fast: "invalidate='1'", inside: requestToken(exporter) };
    const fresh = tokenIn(await works(stage, token, login))!.token;
    assert.equal(await uses(stage, token), "not-authorized");
    await works(stage, fresh);
  });
});

test("of an account's clients those have tokens that were here last", async (t) => {
  await using stage = await play(t);
  const token = (await asks(stage))!;
  const { clients } = stage.node;
  const account = parseJid(stage.bare("juliet"))!;
  for (let n = 0; n < 100; n += 1) {
    const id = `0b1cd4a5-6f4f-4b3e-9c2f-${String(n).padStart(12, "0")}`;
    await clients.of({ id }).arrived({ account, credential: "password", since: performance.now() }, none);
  }
  assert.equal((await clients.list(account.bare)).length, 100);
  assert.equal(await uses(stage, token), "not-authorized");
});

test("a token is not had by a client that is revoked while it logs in", async (t) => {
  await using stage = await play(t);
  await asks(stage);
  const account = parseJid(stage.bare("juliet"))!;
  const { clients } = stage.node;
  const [client] = await clients.list(account.bare);
  const since = performance.now();
  // In this order, and in one commit.
  const revoked = clients.revoke({ ...client!, knowsPassword: false });
  const arrived = clients.of(phone).arrived({ account, credential: "token", since }, none);
  await assert.rejects(arrived, { name: "SaslError", condition: "not-authorized" });
  await revoked;
  assert.deepEqual(await clients.list(account.bare), []);
});

test("a token is not had for a password that was changed while its owner logged in", async (t) => {
  await using stage = await play(t);
  const account = parseJid(stage.bare("juliet"))!;
  const since = performance.now();
  await stage.node.accounts.setPassword(account, "nightingale");
  const client = stage.node.clients.of(phone);
  const arrived = client.arrived({ account, credential: "password", since }, none);
  await assert.rejects(arrived, { name: "SaslError", condition: "not-authorized" });
  assert.equal(await stage.node.logins.admits("juliet", since), false);
  assert.equal(await stage.node.logins.admits("juliet", performance.now()), true);
  await ended(stage, "reset");
});
