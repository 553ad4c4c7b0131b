/** The way of a message between two servers, as the founding notes of the project tell it, step by step. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { ConfigInput } from "../../src/config.ts";
import { federationLines } from "../../src/federation-report.ts";
import { attr, child } from "../../src/xmpp/xml.ts";
import type { Actor } from "../support/actor.ts";
import { serveDns } from "../support/dns.ts";
import { spawnNode, type NodeProcess } from "../support/node.ts";
import { until } from "../support/until.ts";
import { commonAuthority, world } from "../support/world.ts";

const body = "<body>Wherefore art thou Romeo?</body>";
const written = (to: string): string => `<message to='${to}' type='chat' id='scene-2'>${body}</message>`;

const notAllowed = (from: string): string =>
  `<message from='${from}' type='error' id='scene-2'>${body}` +
  `<error type='cancel'><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`;

const stage = (t: Parameters<typeof world>[0]) =>
  world(t, { capulet: { juliet: {} }, montague: { romeo: {} } });

test("Romeo is there: he gets it", async (t) => {
  await using verona = await stage(t);
  const { juliet, romeo } = verona.actors;
  juliet.sends(written(romeo.bare));
  await romeo.receives(
    `<message from='${juliet.full}' to='${romeo.bare}' type='chat' id='scene-2'>${body}</message>`,
  );
  await juliet.receivesNothing();
});

test("montague is denied at capulet: Juliet is told, and nothing leaves", async (t) => {
  await using verona = await stage(t);
  const { juliet, romeo } = verona.actors;
  const { capulet, montague } = verona.stages;
  capulet.node.policy.set({ deny: [montague.domain] });
  juliet.sends(written(romeo.bare));
  await juliet.receives(notAllowed(romeo.bare));
  await capulet.settle();
  assert.deepEqual(verona.dns.asked, [], "nobody was even looked up");
  assert.deepEqual(await capulet.node.federation.status(), []);
});

test("capulet is denied at montague: the stream is refused with policy-violation, and Juliet is told", async (t) => {
  await using verona = await stage(t);
  const { juliet, romeo } = verona.actors;
  const { capulet, montague } = verona.stages;
  montague.node.policy.set({ deny: [capulet.domain] });
  juliet.sends(written(romeo.bare));
  await juliet.receives(notAllowed(romeo.bare));
  const said = () => capulet.log.filter(({ msg }) => msg.includes("cannot be reached"));
  await until(() => said().length > 0, "the log says why");
  const [line, ...more] = federationLines(await capulet.node.federation.status());
  assert.deepEqual(more, []);
  assert.equal(line!.state, "failing");
  assert.match(line!.problem!, /does not let us in \(policy-violation/);
  assert.equal(said().length, 1);
  assert(montague.log.some(({ msg }) => msg === "a denied server was refused"));
});

test("Romeo is offline: the message waits for him, and says when it was written", async (t) => {
  await using verona = await stage(t);
  const { juliet, romeo } = verona.actors;
  const { montague } = verona.stages;
  await romeo.ends();
  juliet.sends(written(romeo.bare));
  await verona.settle();
  const back = await montague.login("romeo", { presence: false });
  await back.receivesNothing();
  back.sends("<presence/>");
  await back.receives(
    `<message from='${juliet.full}' type='chat' id='scene-2'>${body}` +
      `<delay xmlns='urn:xmpp:delay' from='${montague.domain}' stamp='{any}'/></message>`,
  );
  await back.receives(`<presence from='${back.full}'/>`);
  await back.receivesNothing();
  await juliet.receivesNothing();
});

test("the rules change while both run: what is denied ends at once, and what is allowed begins at once", async (t) => {
  await using verona = await stage(t);
  const { juliet, romeo } = verona.actors;
  const { capulet, montague } = verona.stages;
  juliet.sends(written(romeo.bare));
  await romeo.receives(`<message from='${juliet.full}'/>`);
  montague.node.policy.set({ deny: [capulet.domain] });
  juliet.sends(written(romeo.bare));
  await juliet.receives(notAllowed(romeo.bare));
  montague.node.policy.set({ allow: [capulet.domain], deny: [] });
  // What montague said of itself a moment ago is forgotten when it calls.
  romeo.sends(`<message to='${juliet.bare}' type='chat'><body>I take thee at thy word</body></message>`);
  await juliet.receives(`<message from='${romeo.full}'><body>I take thee at thy word</body></message>`);
  juliet.sends(written(romeo.bare));
  await romeo.receives(`<message from='${juliet.full}'/>`);
  await verona.settle();
});

/** A server as a program of its own, with one person; its rules can be changed while it runs. */
interface House {
  readonly node: NodeProcess;
  login(): Promise<Actor>;
  /** Writes the rules into its settings and has it read them (SIGHUP). */
  rules(s2s: NonNullable<ConfigInput["s2s"]>): Promise<void>;
}

test("the whole of it between two programs, whose settings change and are read again", async (t) => {
  await using dns = await serveDns({});
  const authority = await commonAuthority();
  const folder = await mkdtemp(join(tmpdir(), "pipit-"));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "ca.pem"), authority.ca);

  const open = async (domain: string, name: string): Promise<House> => {
    const settings = (s2s: ConfigInput["s2s"]): ConfigInput => ({
      domain,
      tls: { cert: "cert.pem", key: "key.pem", ca: join(folder, "ca.pem") },
      listen: { host: "127.0.0.1", c2s: 0, c2s_tls: 0, s2s: 0, s2s_tls: false, http: 0 },
      s2s: { resolver: [dns.address], ...s2s },
    });
    const certificate = { ...(await authority.issue({ names: [domain] })), ca: authority.ca };
    const node = await spawnNode(t, settings({}), { certificate });
    const added = await node.pipit(["account", "add", `${name}@${domain}`, "--password", "hist"]);
    assert.equal(added.code, 0, added.stderr);
    dns.zone[domain] = { A: ["127.0.0.1"] };
    dns.zone[`_xmpp-server._tcp.${domain}`] = { SRV: [`0 0 ${node.ports.s2s} ${domain}`] };
    let readings = 0;
    return {
      node,
      login: () => node.login(name, { password: "hist" }),
      async rules(s2s) {
        await node.configures(settings(s2s));
        node.signals("SIGHUP");
        readings += 1;
        const read = () => [...node.output.matchAll(/were read again/g)].length === readings;
        await until(read, "the settings are read again");
      },
    };
  };

  // 1. Juliet writes to Romeo, and her client hands it to capulet.
  const capulet = await open("capulet.example", "juliet");
  const montague = await open("montague.example", "romeo");
  const juliet = await capulet.login();
  const romeo = await montague.login();
  t.after(() => Promise.all([juliet.kill(), romeo.kill()]));
  romeo.sends("<presence/>");
  await romeo.receives(`<presence from='${romeo.full}'/>`);

  // 2. Where montague is denied at capulet, or not among those allowed, she is told, and nothing leaves.
  for (const denied of [{ deny: [montague.node.domain] }, { allow: ["verona.example"] }]) {
    await capulet.rules(denied);
    juliet.sends(written(romeo.bare));
    await juliet.receives(notAllowed(romeo.bare));
  }
  assert.deepEqual(dns.asked, [], "nobody was even looked up");
  assert.match((await capulet.node.pipit(["federation"])).stdout, /^nothing waits for other servers/);
  assert.doesNotMatch(montague.node.output, /a server came|a denied server/);

  // 3. Otherwise capulet dials montague. Where capulet is denied there, the stream is refused with policy-violation.
  await capulet.rules({});
  await montague.rules({ deny: [capulet.node.domain] });
  juliet.sends(written(romeo.bare));
  await juliet.receives(notAllowed(romeo.bare));
  await until(() => capulet.node.output.includes("cannot be reached"), "the log says why");
  assert.match(
    (await capulet.node.pipit(["federation"])).stdout,
    /^montague\.example: failing since .*does not let us in \(policy-violation, "capulet\.example may not speak here"\)/,
  );
  assert.match(montague.node.output, /"domain":"capulet\.example".*"msg":"a denied server was refused"/);
  assert.deepEqual(romeo.inbox, [], "he heard of none of it");

  // 4. Once capulet is let in, and it is known there, Romeo gets it.
  await montague.rules({ allow: [capulet.node.domain] });
  romeo.sends(`<message to='${juliet.bare}' type='chat'><body>I take thee at thy word</body></message>`);
  juliet.sends("<presence/>");
  await juliet.receives(`<presence from='${juliet.full}'/>`);
  await juliet.receives(`<message from='${romeo.full}'><body>I take thee at thy word</body></message>`);
  juliet.sends(written(romeo.bare));
  await romeo.receives(
    `<message from='${juliet.full}' to='${romeo.bare}' type='chat' id='scene-2'>${body}</message>`,
  );

  // 5. If he is offline, it is stored, and delivered at his next login with the time at which it came.
  await romeo.ends();
  const before = Date.now();
  juliet.sends(written(romeo.bare));
  // What is answered behind it came behind it.
  await juliet.asks(
    `<iq type='get' to='${montague.node.domain}'><ping xmlns='urn:xmpp:ping'/></iq>`,
    "<iq type='result'/>",
  );
  const back = await montague.login();
  t.after(() => back.kill());
  back.sends("<presence/>");
  const late = await back.receives(
    `<message from='${juliet.full}' type='chat' id='scene-2'>${body}` +
      `<delay xmlns='urn:xmpp:delay' from='${montague.node.domain}' stamp='{any}'/></message>`,
  );
  const stamp = Date.parse(attr(child(late, "delay", "urn:xmpp:delay")!, "stamp")!);
  assert(stamp >= before - 1_000 && stamp <= Date.now() + 1_000, "it says when");
  await back.receives(`<presence from='${back.full}'/>`);

  // Who comes to be denied is not spoken with any more, on the streams that there are either.
  await montague.rules({ deny: [capulet.node.domain] });
  juliet.sends(written(romeo.bare));
  await juliet.receives(notAllowed(romeo.bare));
  await back.pings();
  assert.deepEqual([juliet.inbox, back.inbox], [[], []]);
});
