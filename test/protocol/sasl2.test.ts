/** XEP-0388, with XEP-0440, XEP-0474 and XEP-0480: logging in by one request. */
import assert from "node:assert/strict";
import { createHash, pbkdf2Sync } from "node:crypto";
import { describe, test, type TestContext } from "node:test";
import { accountStore } from "../../src/store/accounts.ts";
import { parseJid } from "../../src/xmpp/jid.ts";
import { NS } from "../../src/xmpp/ns.ts";
import { attr, child, children, childText, namespaceOf, text, type Element } from "../../src/xmpp/xml.ts";
import { domain, openPorts, password, type Ports } from "../support/c2s.ts";
import { cast, type ClientStream, type Stage } from "../support/cast.ts";
import { auth, bindingTypesOf, mechanismsOf } from "../support/sasl-client.ts";
import {
  authenticate2,
  authenticateElement,
  bind2,
  conditionOf,
  decoded,
  identityIn,
  inlineOf,
  mechanismsOf2,
  offerIn,
  response2,
  sasl2,
  userAgent,
  type Login2,
} from "../support/sasl2-client.ts";
import { WebSocketClient } from "../support/websocket.ts";

const ana: Login2 = { username: "ana", password };
const plain = (username: string, secret: string, inside = ""): string =>
  authenticateElement("PLAIN", `\0${username}\0${secret}`, inside);
const agentId = "d4565fa7-4d72-4749-b3d3-740edbf87770";

async function opens(ports: Ports, from?: string): Promise<{ stream: ClientStream; features: Element }> {
  const stream = await ports.connects();
  await stream.opens({ from });
  return { stream, features: await stream.receives("<stream:features/>") };
}

/** The stream ends with an error. */
async function fails(stream: ClientStream, condition: string): Promise<void> {
  await stream.receives(`<error xmlns='${NS.stream}'><${condition} xmlns='${NS.streams}'/></error>`);
  assert.deepEqual(await stream.closed(), { clean: true });
}

describe("the offer", () => {
  test("has the mechanisms, the bindings, and what can be done at once", async (t) => {
    const ports = await openPorts(t);
    const { features } = await ports.opens();
    assert.deepEqual(mechanismsOf2(features), mechanismsOf(features));
    assert.deepEqual(bindingTypesOf(features), ["tls-exporter", "tls-server-end-point"]);
    const inline = inlineOf(features);
    assert(child(inline, "sm", NS.streamManagement));
    const bind = child(inline, "bind", NS.bind2)!;
    const names = children(child(bind, "inline")!).map((one) => attr(one, "var"));
    assert.deepEqual(names, [NS.clientState, NS.streamManagement]);
    // Where nobody remembers clients, there are no tokens.
    assert.equal(child(inline, "fast", NS.fast), undefined);
  });

  test("is not made before TLS (§3), nor taken up", async (t) => {
    const ports = await openPorts(t, { requireTls: false });
    const { stream, features } = await ports.opens("none");
    assert.equal(offerIn(features), undefined);
    assert(mechanismsOf(features).length > 0);
    stream.raw(authenticateElement("SCRAM-SHA-256", "n,,n=ana,r=abc"));
    assert.equal(conditionOf(await stream.receivesNext()), "encryption-required");
    await stream.secures();
    await stream.opens();
    const secured = await stream.receives("<stream:features/>");
    assert.equal((await authenticate2(stream, secured, ana)).name, "success");
  });

  test("is made on a WebSocket that a proxy encrypts, without what cannot be bound to", async (t) => {
    await using stage = await cast(t, { ana: {} }, { config: { url: "https://pipit.test" } });
    const headers = { "x-forwarded-for": "192.0.2.7", "x-forwarded-proto": "https" };
    const client = await new WebSocketClient(stage, headers).connected();
    client.opens();
    await client.next();
    const features = await client.next();
    assert.deepEqual(bindingTypesOf(features), []);
    assert(mechanismsOf2(features).every((name) => !name.endsWith("-PLUS")));
    client.sends(plain("ana", "ana's secret", bind2("<tag>web</tag>")));
    const success = await client.next();
    assert.match(identityIn(success), /^ana@pipit\.test\/web\/.+/);
    assert.equal((await client.next()).name, "features");
    client.sends(`<iq xmlns='${NS.client}' type='get' id='1'><query xmlns='${NS.roster}'/></iq>`);
    assert.equal(attr(await client.next(), "type"), "result");
    client.socket.close();
    await client.closed();
  });
});

describe("a login", () => {
  test("succeeds by every mechanism, and the stream goes on at once", async (t) => {
    const ports = await openPorts(t);
    for (const mechanism of mechanismsOf2((await ports.opens()).features)) {
      const { stream, features } = await ports.opens();
      const success = await authenticate2(stream, features, { ...ana, mechanism });
      assert.equal(success.name, "success", mechanism);
      assert.equal(identityIn(success), `ana@${domain}`);
      assert.equal(child(success, "additional-data") !== undefined, mechanism !== "PLAIN");
      // §2.6.1: without a new header.
      const next = await stream.receivesNext("<stream:features/>");
      assert(child(next, "bind", NS.bind) && child(next, "sm", NS.streamManagement));
      assert.equal(offerIn(next), undefined);
      assert.match(await stream.binds("phone"), /\/phone$/);
      await stream.kill();
    }
  });

  test("opens the way to stanzas of every size", async (t) => {
    const ports = await openPorts(t);
    const { stream, features } = await ports.opens();
    await authenticate2(stream, features, ana);
    await stream.receives("<stream:features/>");
    const full = await stream.binds();
    stream.sends(`<message to='${full}'><body>${"x".repeat(100_000)}</body></message>`);
    assert.equal(childText(await stream.receives("<message/>"), "body")?.length, 100_000);
  });

  test("may begin without an initial response", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.opens();
    stream.raw(authenticateElement("PLAIN", undefined));
    assert.equal(text(await stream.receivesNext(`<challenge ${sasl2}/>`)), "");
    stream.raw(response2(`\0ana\0${password}`));
    await stream.receivesNext(`<success ${sasl2}/>`);
    await stream.receives("<stream:features/>");
  });

  test("fails with a condition of RFC 6120, and can be tried again (§2.6.2)", async (t) => {
    const ports = await openPorts(t);
    const { stream, features } = await ports.opens();
    const refused: [string, string][] = [
      [plain("ana", "wrong"), "not-authorized"],
      [plain("nobody", "wrong"), "not-authorized"],
      [authenticateElement("DIGEST-MD5", ""), "invalid-mechanism"],
      [`<authenticate ${sasl2}/>`, "invalid-mechanism"],
      [
        `<authenticate ${sasl2} mechanism='PLAIN'><initial-response>*</initial-response></authenticate>`,
        "incorrect-encoding",
      ],
      [plain("ana", password, "<user-agent id='1'/>"), "malformed-request"],
      [plain("ana", password, userAgent({ id: agentId.replace("-4749", "-1749") })), "malformed-request"],
    ];
    for (const [request, condition] of refused) {
      stream.raw(request);
      assert.equal(conditionOf(await stream.receivesNext()), condition, request);
    }
    assert.equal((await authenticate2(stream, features, ana)).name, "success");
    await stream.receives("<stream:features/>");
  });

  test("is tried five times in all, whatever the profile", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.opens();
    for (let n = 0; n < 5; n += 1) {
      stream.raw(n % 2 ? auth("PLAIN", `\0no${n}\0wrong`) : plain(`no${n}`, "wrong"));
      const failure = await stream.receivesNext();
      assert.equal(namespaceOf(failure), n % 2 ? NS.sasl : NS.sasl2);
    }
    await fails(stream, "policy-violation");
  });

  test("can be aborted (§4.5), and begun anew", async (t) => {
    const ports = await openPorts(t);
    const { stream, features } = await ports.opens();
    stream.raw(authenticateElement("SCRAM-SHA-1", "n,,n=ana,r=abc"));
    await stream.receivesNext(`<challenge ${sasl2}/>`);
    stream.raw(`<abort ${sasl2}><text>I have changed my mind</text></abort>`);
    assert.equal(conditionOf(await stream.receivesNext()), "aborted");
    assert.equal((await authenticate2(stream, features, ana)).name, "success");
    await stream.receives("<stream:features/>");
  });
});

describe("who somebody says they are", () => {
  test("in the header must be somebody here (§2.1)", async (t) => {
    const ports = await openPorts(t);
    const stream = await ports.connects();
    await stream.opens({ from: "ana@elsewhere.test" });
    await fails(stream, "invalid-from");
  });

  test("is whom they have to prove to be (§2.3)", async (t) => {
    const ports = await openPorts(t);
    for (const mechanism of ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512-PLUS"]) {
      const { stream, features } = await opens(ports, `bob@${domain}`);
      assert.equal(
        conditionOf(await authenticate2(stream, features, { ...ana, mechanism })),
        "invalid-authzid",
      );
      const bob = { ...ana, mechanism, username: "bob" };
      assert.equal((await authenticate2(stream, features, bob)).name, "success");
      await stream.receives("<stream:features/>");
    }
  });

  test("is the same however it is written", async (t) => {
    const ports = await openPorts(t);
    for (const from of [`ANA@${domain}`, `ana@${domain}/phone`, domain]) {
      const { stream, features } = await opens(ports, from);
      assert.equal((await authenticate2(stream, features, ana)).name, "success", from);
      await stream.receives("<stream:features/>");
    }
  });

  test("is nobody else by authorization either (§4.4)", async (t) => {
    const ports = await openPorts(t);
    const { stream, features } = await opens(ports, `ana@${domain}`);
    const asBob = { ...ana, authzid: `bob@${domain}` };
    assert.equal(conditionOf(await authenticate2(stream, features, asBob)), "invalid-authzid");
    const asAna = { ...ana, authzid: `ana@${domain}` };
    assert.equal((await authenticate2(stream, features, asAna)).name, "success");
    await stream.receives("<stream:features/>");
  });
});

describe("out of order", () => {
  const begun = authenticateElement("SCRAM-SHA-1", "n,,n=ana,r=abc");
  for (const [what, said, condition] of [
    ["a stanza", "<presence/>", "not-authorized"],
    ["the other profile", auth("PLAIN", `\0ana\0${password}`), "unsupported-stanza-type"],
    ["another request", plain("ana", password), "policy-violation"],
    ["an answer to no task", `<task-data ${sasl2}/>`, "policy-violation"],
    ["an acknowledgement", `<r xmlns='${NS.streamManagement}'/>`, "unsupported-stanza-type"],
  ] as const) {
    test(`${what} ends the stream while a login is under way (§2.4)`, async (t) => {
      const ports = await openPorts(t);
      const { stream } = await ports.opens();
      stream.raw(begun);
      await stream.receivesNext(`<challenge ${sasl2}/>`);
      stream.raw(said);
      await fails(stream, condition);
      assert.deepEqual(ports.told, []);
    });
  }

  for (const said of ["response", "abort", "next", "task-data", "success"]) {
    test(`<${said}/> where nothing has begun ends the stream`, async (t) => {
      const ports = await openPorts(t);
      const { stream } = await ports.opens();
      stream.raw(`<${said} ${sasl2}/>`);
      await fails(stream, "policy-violation");
    });
  }

  for (const [what, again] of [
    ["SASL2 twice (§4.7)", plain("bob", password)],
    ["the other profile after it", auth("PLAIN", `\0bob\0${password}`)],
  ] as const) {
    for (const bound of [false, true]) {
      test(`${what} ends the stream${bound ? ", also once it is bound" : ""}`, async (t) => {
        const ports = await openPorts(t);
        const { stream, features } = await ports.opens();
        const inside = bound ? bind2() : "";
        assert.equal((await authenticate2(stream, features, { ...ana, inside })).name, "success");
        await stream.receives("<stream:features/>");
        stream.raw(again);
        await fails(stream, "unsupported-stanza-type");
        assert.deepEqual(ports.count("session.bound"), bound ? 1 : 0);
      });
    }
  }

  test("SASL2 after the other profile ends the stream", async (t) => {
    const ports = await openPorts(t);
    const stream = await ports.admits();
    stream.raw(plain("bob", password));
    await fails(stream, "unsupported-stanza-type");
  });

  test("what a failed login asked for is not done (§2.6.2)", async (t) => {
    const ports = await openPorts(t);
    const { stream } = await ports.opens();
    stream.raw(plain("ana", "wrong", bind2()));
    assert.equal(conditionOf(await stream.receivesNext()), "not-authorized");
    assert.deepEqual(ports.told, []);
  });
});

describe("the offer is proven by SCRAM (XEP-0474)", () => {
  /** §6.1, from what a client has seen. */
  const hashOf = (digest: string, mechanisms: string[], bindings: string[]): string => {
    const lists = [mechanisms, bindings].filter((list) => list.length > 0);
    const joined = lists.map((list) => list.toSorted().join("\x1e")).join("\x1f");
    return createHash(digest).update(joined).digest("base64");
  };

  test("in both profiles, with the hash of the mechanism", async (t) => {
    const ports = await openPorts(t);
    for (const [hash, digest] of [
      ["SHA-1", "sha1"],
      ["SHA-256", "sha256"],
      ["SHA-512", "sha512"],
    ] as const) {
      for (const begin of [auth, authenticateElement]) {
        const { stream, features } = await ports.opens();
        stream.raw(begin(`SCRAM-${hash}`, "n,,n=ana,r=abc"));
        const challenge = decoded(await stream.receivesNext());
        const names = begin === auth ? mechanismsOf(features) : mechanismsOf2(features);
        assert.equal(/,h=(.+)$/.exec(challenge)?.[1], hashOf(digest, names, bindingTypesOf(features)));
        await stream.kill();
      }
    }
  });

  test("without bindings where there are none", async (t) => {
    const ports = await openPorts(t, { requireTls: false });
    const { stream, features } = await ports.opens("none");
    assert.deepEqual(bindingTypesOf(features), []);
    stream.raw(auth("SCRAM-SHA-256", "n,,n=ana,r=abc"));
    const challenge = decoded(await stream.receivesNext());
    assert.equal(/,h=(.+)$/.exec(challenge)?.[1], hashOf("sha256", mechanismsOf(features), []));
  });

  test("so that who takes mechanisms out of it is found out, and cannot hide it", async (t) => {
    const ports = await openPorts(t);
    const { stream, features } = await ports.opens();
    const weaker = mechanismsOf2(features).filter((name) => name.includes("SHA-1"));
    const shown = hashOf("sha1", weaker, bindingTypesOf(features));
    const told: string[] = [];
    const login = { ...ana, mechanism: "SCRAM-SHA-1" };
    const forged = (challenge: string): string => {
      told.push(/,h=(.+)$/.exec(challenge)![1]!);
      return challenge.replace(/,h=.+$/, `,h=${shown}`);
    };
    // The client sees the hash of what it was shown, and its proof is of that.
    assert.equal(conditionOf(await authenticate2(stream, features, { ...login, forged })), "not-authorized");
    assert.notEqual(told[0], shown);
  });
});

describe("an account with verifiers of one hash alone (XEP-0480)", () => {
  const secret = "ana's secret";

  /** As one that came from another server. */
  async function play(t: TestContext): Promise<Stage<"ana">> {
    const stage = await cast(t, { ana: {} });
    await reduce(stage);
    return stage;
  }

  async function reduce({ node }: Stage): Promise<void> {
    const rows = await accountStore(node.store).verifiers("ana");
    const kept = rows.filter(({ hash }) => hash === "SHA-1");
    await accountStore(node.store).setCredentials("ana", kept);
  }

  async function begins(stage: Stage, from?: string) {
    const stream = await stage.connects();
    await stream.opens({ from });
    return { stream, features: await stream.receives("<stream:features/>") };
  }

  const upgradesOf = (features: Element): string[] =>
    children(offerIn(features)!, "upgrade", NS.saslUpgrade).map(text);
  const upgrade = (task: string): string => `<upgrade xmlns='${NS.saslUpgrade}'>${task}</upgrade>`;
  const login = { username: "ana", password: secret };

  /** Does a task; the server's answer to it. */
  async function does(stream: ClientStream, hash: "sha256" | "sha512", spoil = 0): Promise<Element> {
    const bytes = hash === "sha256" ? 32 : 64;
    stream.raw(`<next ${sasl2} task='UPGR-SCRAM-SHA-${bytes * 8}'/>`);
    const salt = child(await stream.receivesNext(`<task-data ${sasl2}/>`), "salt", NS.scramUpgrade)!;
    const rounds = Number(attr(salt, "iterations"));
    assert(rounds >= 4096);
    const salted = pbkdf2Sync(secret, Buffer.from(text(salt), "base64"), rounds, bytes - spoil, hash);
    const answer = `<hash xmlns='${NS.scramUpgrade}'>${salted.toString("base64")}</hash>`;
    stream.raw(`<task-data ${sasl2}>${answer}</task-data>`);
    return stream.receivesNext();
  }

  test("is offered what it can do, and what it could, where it is known who comes", async (t) => {
    await using stage = await play(t);
    const { features } = await begins(stage, stage.bare("ana"));
    assert.deepEqual(mechanismsOf2(features), ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN"]);
    assert.deepEqual(upgradesOf(features), ["UPGR-SCRAM-SHA-256", "UPGR-SCRAM-SHA-512"]);
    for (const from of [undefined, stage.bare("nobody")]) {
      const { features: others } = await begins(stage, from);
      assert.deepEqual(upgradesOf(others), []);
      assert.equal(mechanismsOf2(others).length, 7);
    }
  });

  test("gets the others by tasks, one after the other, before anything else is done", async (t) => {
    await using stage = await play(t);
    const { stream, features } = await begins(stage, stage.bare("ana"));
    const inside = upgrade("UPGR-SCRAM-SHA-512") + upgrade("UPGR-SCRAM-SHA-256") + bind2();
    const first = await authenticate2(stream, features, { ...login, inside });
    assert.equal(first.name, "continue");
    assert.equal(childText(child(first, "tasks")!, "task"), "UPGR-SCRAM-SHA-256");
    const second = await does(stream, "sha256");
    assert.equal(second.name, "continue");
    assert.equal(childText(child(second, "tasks")!, "task"), "UPGR-SCRAM-SHA-512");
    const success = await does(stream, "sha512");
    assert.match(identityIn(success), /^ana@pipit\.test\/.+/);
    await stream.receivesNext("<stream:features/>");

    const { features: now } = await begins(stage, stage.bare("ana"));
    assert.deepEqual(upgradesOf(now), []);
    for (const mechanism of mechanismsOf2(now)) {
      const next = await begins(stage, stage.bare("ana"));
      assert.equal(
        (await authenticate2(next.stream, now, { ...login, mechanism })).name,
        "success",
        mechanism,
      );
      await next.stream.receives("<stream:features/>");
    }
  });

  test("stays as it is where its client asks for nothing, or has no password", async (t) => {
    await using stage = await play(t);
    const { stream, features } = await begins(stage, stage.bare("ana"));
    assert.equal((await authenticate2(stream, features, login)).name, "success");
    await stream.receives("<stream:features/>");
    const app = await stage.node.appPasswords.add(parseJid(stage.bare("ana"))!, "old phone");
    const next = await begins(stage, stage.bare("ana"));
    const inside = upgrade("UPGR-SCRAM-SHA-256");
    const outcome = await authenticate2(next.stream, features, { ...login, password: app.password, inside });
    assert.equal(outcome.name, "success");
    await next.stream.receives("<stream:features/>");
    assert.equal((await accountStore(stage.node.store).verifiers("ana")).length, 1);
  });

  test("gets nothing from a task that is done wrongly, and nobody gets in by it", async (t) => {
    await using stage = await play(t);
    const { stream, features } = await begins(stage, stage.bare("ana"));
    const inside = upgrade("UPGR-SCRAM-SHA-256") + bind2();
    const begin = async () =>
      assert.equal((await authenticate2(stream, features, { ...login, inside })).name, "continue");
    await begin();
    assert.equal(conditionOf(await does(stream, "sha256", 1)), "malformed-request");
    await begin();
    stream.raw(`<next ${sasl2} task='UPGR-SCRAM-SHA-512'/>`);
    assert.equal(conditionOf(await stream.receivesNext()), "malformed-request");
    await begin();
    stream.raw(`<abort ${sasl2}/>`);
    assert.equal(conditionOf(await stream.receivesNext()), "aborted");
    await begin();
    stream.raw(plain("ana", secret));
    await fails(stream, "policy-violation");
    assert.equal((await accountStore(stage.node.store).verifiers("ana")).length, 1);
    assert.equal([...stage.node.sessions.of(stage.bare("ana"))].length, 1);
  });
});
