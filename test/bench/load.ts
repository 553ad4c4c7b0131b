/**
 * `npm run bench -- [chat] [archive] [resume] [fanout] [idle] [visible] [federation] [strangers] [--profile]`: what a stanza, a notification
 * and an idle session cost the server, what federation costs, and what those cost who never log in. The server is a
 * process of its own; both share the machine, so the clients take their part of its cores.
 */
import { Agent, request, type RequestOptions } from "node:http";
import { parseArgs } from "node:util";
import type { Store } from "../../src/store/store.ts";
import { fillArchives } from "./archives.ts";
import { BenchClient } from "./client.ts";
import { loginAll, named, publish, say, settled } from "./crowd.ts";
import { federation } from "./federation.ts";
import { resume } from "./resume.ts";
import { BenchServer, domain } from "./server.ts";
import { strangers } from "./strangers.ts";

const chatters = 100;
/** Messages that each chatter keeps under way: one as people chat, many as a client that catches up or a bot does. */
const windows = [1, 20];
const chatSeconds = 10;
const followers = 500;
const publishes = 200;
const visiblePosts = 200;
const idleAccounts = 200;
const idleSessions = 2000;
/** Rows of archives that are full. */
const archivedRows = 1_000_000;

async function chat(profile: boolean): Promise<void> {
  for (const window of windows) await chatWith(window, profile);
}

/** The same, where much has been said already. */
async function archive(profile: boolean): Promise<void> {
  for (const window of windows) for (const rows of [0, archivedRows]) await chatWith(window, profile, rows);
}

async function chatWith(window: number, profile: boolean, rows = 0): Promise<void> {
  const locals = named("user", chatters);
  const fill = (store: Store) => fillArchives(store, locals, domain, rows);
  const server = await BenchServer.start(locals, profile, undefined, fill);
  const clients = await loginAll(
    server.port,
    locals.map((local) => [local, "bench"] as const),
  );
  for (const client of clients) await client.ask("<presence/>", "<presence");
  let received = 0;
  let running = true;
  clients.forEach((client, i) => {
    const peer = clients[i ^ 1]!;
    const message = `<message to='${peer.address}' type='chat' id='m${i}'><body>Wherefore art thou, Romeo? The night is young.</body></message>`;
    // Each message that arrives lets its reader send one: a closed loop with a fixed number under way.
    client.count("</message>", (times) => {
      received += times;
      if (running) client.send(message.repeat(times));
    });
    client.send(message.repeat(window));
  });
  const cpu = server.cpu();
  const started = performance.now();
  const before = received;
  await new Promise((resolve) => setTimeout(resolve, chatSeconds * 1000));
  const messages = received - before;
  const seconds = (performance.now() - started) / 1000;
  const used = server.cpu() - cpu;
  running = false;
  say(
    `chat    ${Math.round(messages / seconds)} messages/s, ${(used / messages).toFixed(1)} µs of server CPU a message, ` +
      `${((100 * used) / 1e6 / seconds).toFixed(0)} % of a core (${chatters} users, ${window} under way each, ${seconds.toFixed(1)} s, on ${rows} rows of archive)`,
  );
  for (const client of clients) client.end();
  for (const line of await server.stop()) say(`        ${line}`);
}

async function fanout(profile: boolean): Promise<void> {
  const locals = named("follower", followers);
  const server = await BenchServer.start([...locals, "author"], profile);
  const author = await BenchClient.login(server.port, domain, "author", "bench");
  await author.ask(publish(0), "</iq>");
  const clients = await loginAll(
    server.port,
    locals.map((local) => [local, "bench"] as const),
  );
  for (const [i, client] of clients.entries()) {
    await client.ask("<presence/>", "<presence");
    await client.ask(
      `<iq type='set' id='s' to='author@${domain}'><pubsub xmlns='http://jabber.org/protocol/pubsub'><subscribe node='urn:xmpp:microblog:0' jid='${locals[i]}@${domain}'/></pubsub></iq>`,
      "</iq>",
    );
  }
  let arrived = 0;
  let all: (() => void) | undefined;
  for (const client of clients) {
    client.count("</message>", (times) => {
      arrived += times;
      if (arrived >= followers * publishes) all?.();
    });
  }
  const cpu = server.cpu();
  const started = performance.now();
  const done = new Promise<void>((resolve) => (all = resolve));
  for (let i = 1; i <= publishes; i += 1) await author.ask(publish(i), "</iq>");
  await done;
  const seconds = (performance.now() - started) / 1000;
  const used = server.cpu() - cpu;
  say(
    `fanout  ${(used / arrived).toFixed(1)} µs of server CPU a notification, ${Math.round(arrived / seconds)} notifications/s ` +
      `(${publishes} posts to ${followers} followers)`,
  );
  for (const client of [author, ...clients]) client.end();
  for (const line of await server.stop()) say(`        ${line}`);
}

async function idle(): Promise<void> {
  const locals = named("user", idleAccounts);
  const server = await BenchServer.start(locals, false);
  // The first sessions pay for code and caches that all share.
  const warm = await loginAll(
    server.port,
    locals.map((local) => [local, "warm"] as const),
  );
  for (const client of warm) await client.ask("<presence/>", "<presence");
  await settled(server);
  const before = server.memory();
  const started = performance.now();
  const clients = await loginAll(
    server.port,
    Array.from({ length: idleSessions }, (_, i) => [locals[i % idleAccounts]!, `idle${i}`] as const),
  );
  const seconds = (performance.now() - started) / 1000;
  for (const client of clients) client.send("<presence/>");
  await settled(server);
  say(
    `idle    ${((server.memory() - before) / idleSessions).toFixed(1)} KB a session ` +
      `(${idleSessions} TLS sessions, available, ${idleSessions / idleAccounts + 1} resources an account), ${Math.round(idleSessions / seconds)} logins/s`,
  );
  for (const client of [...warm, ...clients]) client.end();
  await server.stop();
}

/** From the acknowledgement of a post until it stands on the page and in each feed, asked for one after the other. */
async function visible(): Promise<void> {
  const server = await BenchServer.start(["author"], false);
  const author = await BenchClient.login(server.port, domain, "author", "bench");
  const paths = ["/@author", "/@author/feed.atom", "/@author/feed.rss", "/@author/feed.json"];
  const times: number[] = [];
  for (let i = 0; i < visiblePosts; i += 1) {
    const message = `<message to='timeline@${domain}' type='chat' id='m${i}'><body>Fresh number ${i}.</body></message>`;
    await author.ask(message, "</message>");
    const acknowledged = performance.now();
    for (const path of paths) {
      const headers = { host: domain };
      const response = await get({ port: server.webPort, path, headers });
      if (!response.includes(`Fresh number ${i}.`)) throw new Error(`${path} lacks post ${i}`);
    }
    times.push(performance.now() - acknowledged);
  }
  times.sort((a, b) => a - b);
  const at = (part: number): string => times[Math.floor(part * times.length)]!.toFixed(1);
  say(
    `visible ${at(0.5)} ms median, ${at(0.99)} ms p99 from the answer of timeline@ to the page and three feeds`,
  );
  author.end();
  await server.stop();
}

const agent = new Agent({ keepAlive: true });

function get(options: RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ ...options, host: "127.0.0.1", agent }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (body += chunk));
      response.on("end", () => resolve(body));
    });
    asked.on("error", reject);
    asked.end();
  });
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { profile: { type: "boolean", default: false } },
});
const scenarios: Record<string, (profile: boolean) => Promise<void>> = {
  chat,
  archive,
  resume,
  fanout,
  idle,
  visible,
  federation,
  strangers,
};
for (const name of positionals.length > 0 ? positionals : Object.keys(scenarios)) {
  const scenario = scenarios[name];
  if (!scenario) throw new Error(`no such scenario: ${name}`);
  await scenario(values.profile);
}
agent.destroy();
