/** Federation as an operator meets it: the program killed, its settings read again, and what it says of other domains. */
import assert from "node:assert/strict";
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { NS } from "../../src/xmpp/ns.ts";
import { childText } from "../../src/xmpp/xml.ts";
import { probe, spawnNode } from "../support/node.ts";
import { Peer, type PeerStream } from "../support/peer.ts";
import { until } from "../support/until.ts";
import { commonAuthority, world } from "../support/world.ts";

const notAllowed = "<error><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";

/** Montague in this process, and capulet in one of its own, where Juliet has an account. */
async function verona(t: TestContext) {
  const other = await world(t, { montague: { romeo: {} } });
  const { montague } = other.stages;
  const authority = await commonAuthority();
  const settings = {
    domain: "capulet.example",
    tls: { cert: "cert.pem", key: "key.pem", ca: montague.config.tls.ca! },
    listen: { s2s: 0 },
    s2s: { resolver: [other.dns.address] },
  };
  const certificate = await authority.issue({ names: [settings.domain] });
  const capulet = await spawnNode(t, settings, { certificate: { ...certificate, ca: authority.ca } });
  const { zone } = other.dns;
  zone[settings.domain] = { A: ["127.0.0.1"] };
  zone[`_xmpp-server._tcp.${settings.domain}`] = { SRV: [`0 0 ${capulet.ports.s2s} ${settings.domain}`] };
  await capulet.pipit(["account", "add", "juliet@capulet.example", "--password", "balcony"]);
  const juliet = await capulet.login("juliet", { password: "balcony" });
  t.after(() => juliet.kill());
  return { montague, settings, capulet, juliet, romeo: other.actors.romeo };
}

test("what was accepted is delivered after SIGKILL, in order and once", async (t) => {
  const { montague, capulet, juliet, romeo } = await verona(t);
  await montague.stops();
  const bodies = Array.from({ length: 50 }, (_, index) => String(index));
  for (const body of bodies)
    juliet.sends(`<message to='${romeo.bare}' type='chat'><body>${body}</body></message>`);
  await juliet.pings();
  await capulet.stops("SIGKILL");
  await montague.starts();
  const back = await montague.login("romeo");
  await capulet.starts();
  await until(() => back.inbox.length >= bodies.length, "the messages arrive");
  assert.deepEqual(
    back.inbox.splice(0).map((message) => childText(message, "body")),
    bodies,
  );
});

test("who posted and was told so is heard by subscribers elsewhere, though the node is killed at once", async (t) => {
  const { montague, capulet, juliet, romeo } = await verona(t);
  const publish = (id: string): string =>
    `<iq type='set' id='${id}'><pubsub xmlns='${NS.pubsub}'><publish node='news'><item id='${id}'>
       <entry xmlns='${NS.atom}'><title>${id}</title></entry></item></publish>
       <publish-options><x xmlns='${NS.dataForm}' type='submit'>
         <field var='FORM_TYPE' type='hidden'><value>${NS.pubsubPublishOptions}</value></field>
         <field var='pubsub#access_model'><value>open</value></field>
       </x></publish-options></pubsub></iq>`;
  await juliet.asks(publish("first"), "<iq type='result'/>");
  await romeo.asks(
    `<iq type='set' to='${juliet.bare}'><pubsub xmlns='${NS.pubsub}'><subscribe node='news' jid='${romeo.bare}'/></pubsub></iq>`,
    "<iq type='result'/>",
  );
  await romeo.receives("<message><event xmlns='http://jabber.org/protocol/pubsub#event'/></message>");
  await montague.stops();
  for (const [round, id] of ["a", "b", "c"].entries()) {
    const author = round === 0 ? juliet : await capulet.login("juliet", { password: "balcony" });
    await author.asks(publish(id), "<iq type='result'/>");
    await capulet.stops("SIGKILL");
    await capulet.starts();
  }
  await montague.starts();
  const back = await montague.login("romeo");
  // A new start tries all domains at once.
  await capulet.stops();
  await capulet.starts();
  for (const id of ["a", "b", "c"]) {
    await back.receivesNext(
      `<message from='${juliet.bare}'><event xmlns='${NS.pubsubEvent}'><items node='news'><item id='${id}'/></items></event></message>`,
    );
  }
});

test("pipit federation says in a line what is wrong, and what to do; the log says it once", async (t) => {
  const { montague, capulet, juliet, romeo } = await verona(t);
  assert.match((await capulet.pipit(["federation"])).stdout, /^nothing waits for other servers/);
  juliet.sends(`<message to='${romeo.bare}' type='chat'><body>Hist!</body></message>`);
  await romeo.receives("<message><body>Hist!</body></message>");
  const connected = await capulet.pipit(["federation"]);
  assert.match(connected.stdout, /^montague\.example: connected since \S+; nothing waits\n$/);
  await montague.stops();
  juliet.sends(`<message to='${romeo.bare}' type='chat'><body>Romeo, hist!</body></message>`);
  await until(async () => capulet.output.includes("cannot be reached"), "the log says so");
  const { stdout, code } = await capulet.pipit(["federation"]);
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^montague\.example: failing since \S+ \(\d tr(?:y|ies), the next at \S+\); 1 waits\. .*nothing listens there\. .+\n$/,
  );
  const [line] = JSON.parse((await capulet.pipit(["federation", "--json"])).stdout) as Record<
    string,
    unknown
  >[];
  assert.equal(line!["domain"], montague.domain);
  assert.equal(line!["state"], "failing");
  assert.equal(line!["queued"], 1);
  await capulet.stops();
  assert.match(
    (await capulet.pipit(["federation"])).stdout,
    /^montague\.example: failing since/,
    "without a node, too",
  );
});

test("SIGHUP: who is denied from now on is not spoken with, and who is no longer is", async (t) => {
  const { montague, settings, capulet, juliet, romeo } = await verona(t);
  const said = `<message to='${romeo.bare}' type='chat'><body>Hist!</body></message>`;
  juliet.sends(said);
  await romeo.receives("<message><body>Hist!</body></message>");
  await appendFile(join(capulet.folder, "pipit.toml"), "\n[s2s]\ndeny = [1]\n");
  capulet.signals("SIGHUP");
  await until(() => capulet.output.includes("could not be read again"), "a bad file changes nothing");
  juliet.sends(said);
  await romeo.receives("<message><body>Hist!</body></message>");
  await capulet.configures({ ...settings, s2s: { ...settings.s2s, deny: [montague.domain] } });
  capulet.signals("SIGHUP");
  await until(() => capulet.output.includes("were read again"), "the settings are read");
  juliet.sends(said);
  await juliet.receives(`<message type='error' from='${romeo.bare}'>${notAllowed}</message>`);
  await montague.settle();
  assert.deepEqual(romeo.inbox, []);
  await capulet.configures(settings);
  capulet.signals("SIGHUP");
  await until(() => [...capulet.output.matchAll(/were read again/g)].length === 2, "they are read again");
  juliet.sends(said);
  await romeo.receives("<message><body>Hist!</body></message>");
});

/** What a server that has not proven who it is may cost, in bytes. */
const strangersMemory = 65_536;

test("servers that have not proven who they are hold little memory, whatever they send", async (t) => {
  const { issue, ca } = await commonAuthority();
  const certificate = await issue({ names: ["capulet.example"] });
  const node = await spawnNode(
    t,
    { domain: "capulet.example", listen: { s2s: 0 } },
    { certificate, options: probe },
  );
  const peer = await Peer.at("127.0.0.1", {
    domain: "nobody.example",
    certificate: await issue({ names: ["montague.example"] }),
    ca,
    to: "capulet.example",
  });
  t.after(() => peer.close());
  // Almost as much as a stanza of theirs may be, and never its end.
  const unfinished = `<db:result from='nobody.example' to='capulet.example'>${"x".repeat(9_000)}`;
  const come = async (count: number): Promise<PeerStream[]> => {
    const streams: PeerStream[] = [];
    for (let index = 0; index < count; index += 1) {
      const stream = await peer.dials(node.ports.s2s);
      streams.push(stream);
      await stream.meets();
      if (index % 2 === 0) {
        await stream.secures();
        await stream.meets();
      }
      stream.raw(unfinished);
    }
    return streams;
  };
  const leave = async (streams: readonly PeerStream[]): Promise<void> => {
    await Promise.all(streams.map((stream) => stream.kill()));
    await until(async () => (await node.holds()).connections === 0, "nobody is connected");
  };
  // What is compiled and cached once is not theirs.
  await leave(await come(20));
  const before = await node.holds();
  const strangers = await come(60);
  const { bytes, connections } = await node.holds();
  assert.equal(connections, 60);
  const each = Math.round((bytes - before.bytes) / 60);
  t.diagnostic(`${each} bytes each`);
  assert(each < strangersMemory, `each holds ${each} bytes`);
  await leave(strangers);
});
