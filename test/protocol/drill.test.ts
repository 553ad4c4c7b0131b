/**
 * The drill: two accounts with several clients each write to each other while connections break and the process dies.
 * What was acknowledged to its sender is in both archives once, and reached every client once, in the order in which it
 * was sent. `DRILL=full` is the whole of it; `DRILL_SEED` repeats the chances of an earlier one.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { reads, rsm } from "../support/archive.ts";
import { DrillClient, originOf, randomFrom } from "../support/drill.ts";
import { spawnNode, type NodeProcess } from "../support/node.ts";

const isFull = process.env["DRILL"] === "full";
const messages = isFull ? 20_000 : 1_002;
const kills = isFull ? 10 : 3;
const seed = Number(process.env["DRILL_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

const accounts = { ana: "bob", bob: "ana" } as const;
const resources = ["desk", "phone", "tablet"];
const password = "one";
const archivePage = 250;
/** A safety net only. In milliseconds. */
const patience = 20_000;

test("whatever breaks, no acknowledged message is lost or doubled, or overtaken", async (t) => {
  t.diagnostic(`DRILL_SEED=${seed}`);
  assert.deepEqual(await drill(t), [], `DRILL_SEED=${seed}`);
});

/** What went wrong, in words. */
async function drill(t: TestContext): Promise<string[]> {
  const node = await spawnNode(t);
  for (const name of Object.keys(accounts))
    await node.pipit(["account", "add", `${name}@${node.domain}`, "--password", password]);
  const random = randomFrom(seed);
  const moments = Array.from({ length: kills }, () => 1 + Math.floor(random() * messages * 0.95));
  const fates = new Set(moments);
  let acknowledged = 0;
  let running = Promise.resolve();
  let wake = (): void => undefined;
  const scene = {
    node,
    running: () => running,
    progress: () => {
      if (fates.has((acknowledged += 1))) running = running.then(() => dies(node));
    },
    changed: () => wake(),
  };
  const roles = Object.entries(accounts).flatMap(([name, other]) =>
    resources.map((resource) => ({ name, resource, to: `${other}@${node.domain}`, password })),
  );
  const clients = roles.map((role, index) => {
    const share = Math.floor(messages / roles.length) + Number(index < messages % roles.length);
    return new DrillClient({ ...role, messages: share, seed: seed + index }, scene);
  });
  t.after(async () => {
    await Promise.all(clients.map((client) => client.leaves()));
    await running.catch(() => undefined);
    await node.stops("SIGKILL");
  });
  const started = performance.now();
  const lives = Promise.all(clients.map((client) => client.lives()));
  /** Looks whenever something happened; fails with what ends a client, and once nothing happens any more. */
  const until = async (holds: () => boolean): Promise<void> => {
    let timer: NodeJS.Timeout | undefined;
    const held = new Promise<void>((resolve, reject) => {
      wake = () => {
        clearTimeout(timer);
        timer = setTimeout(() => reject(new Error("nothing happens any more")), patience);
        if (holds()) resolve();
      };
      wake();
    });
    await Promise.race([held, lives.then(() => held)]).finally(() => clearTimeout(timer));
    wake = () => undefined;
  };
  await until(() => clients.every(({ isDone }) => isDone));
  await running;
  const seconds = (performance.now() - started) / 1_000;
  for (const client of clients) client.isCalm = true;
  await until(() => clients.every(({ isSettled }) => isSettled));
  // What is on its way to a client may have been written by another one.
  for (let round = 0; round < 2; round += 1) await Promise.all(clients.map((client) => client.pings()));

  const sent = clients.flatMap((client) => client.acknowledged);
  const faults: string[] = [];
  for (const name of Object.keys(accounts)) {
    const archived = await archiveOf(node, name);
    faults.push(...faultsIn(`the archive of ${name}`, archived, sent));
  }
  for (const client of clients) {
    const due = clients.flatMap((one) => (one === client ? [] : one.acknowledged));
    faults.push(...faultsIn(client.name, client.got, due));
    for (const origin of client.overtaken) faults.push(`${client.name}: ${origin} came behind what is newer`);
  }
  await Promise.all(clients.map((client) => client.leaves()));
  await lives;
  const sum = (what: keyof DrillClient["counts"]) =>
    clients.reduce((all, { counts }) => all + counts[what], 0);
  t.diagnostic(
    `${acknowledged} messages, ${fates.size} kills, ${sum("cuts")} cuts, ${sum("resumed")} resumptions, ` +
      `${sum("refused")} refused, ${sum("fresh")} logins, ${sum("caughtUp")} catch-ups, ` +
      `${sum("repeated")} messages sent again, ${seconds.toFixed(1)} s`,
  );
  return faults;
}

async function dies(node: NodeProcess): Promise<void> {
  await node.stops("SIGKILL");
  await node.starts();
}

/** The origin-ids of all that is in it. */
async function archiveOf(node: NodeProcess, name: string): Promise<string[]> {
  const reader = await node.login(name, { password, resource: "reader", presence: false });
  const origins: string[] = [];
  for (let after: string | undefined; ;) {
    const page = await reads(reader, {}, rsm({ max: archivePage, ...(after !== undefined && { after }) }));
    origins.push(...page.messages.map(originOf));
    after = page.last;
    if (page.complete) break;
  }
  await reader.ends();
  return origins;
}

/** What is lost, doubled or not in the order of its sender, in words. */
function faultsIn(where: string, came: readonly string[], due: readonly string[]): string[] {
  const times = new Map<string, number>();
  const last = new Map<string, number>();
  const faults: string[] = [];
  for (const origin of came) {
    const [sender, number] = origin.split(":") as [string, string];
    const first = !times.has(origin);
    times.set(origin, (times.get(origin) ?? 0) + 1);
    if (first && Number(number) < (last.get(sender) ?? 0)) faults.push(`${where}: ${origin} was overtaken`);
    if (first) last.set(sender, Number(number));
  }
  for (const origin of due) if (!times.has(origin)) faults.push(`${where}: ${origin} is lost`);
  for (const [origin, count] of times) if (count > 1) faults.push(`${where}: ${origin} came ${count} times`);
  return faults;
}
