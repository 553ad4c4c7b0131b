/** `pipit <verb>`, with a running node and without one; and `npm start`'s program as its operator meets it. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { certificateFor } from "../support/certificate.ts";
import { environment, spawnNode, type NodeProcess } from "../support/node.ts";
import { ClientStream, connect } from "../support/stream.ts";

const program = (name: string): string => fileURLToPath(new URL(`../../src/${name}.js`, import.meta.url));

const root = fileURLToPath(new URL("../../../", import.meta.url));
const anyPorts = '[listen]\nhost = "127.0.0.1"\nc2s = 0\nc2s_tls = 0\ns2s = 0\ns2s_tls = 0\nhttp = 0\n';

/** A folder with settings and no node. */
function folderOf(t: TestContext, toml = 'domain = "pipit.test"\n'): string {
  const folder = mkdtempSync(join(tmpdir(), "pipit-cli-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "pipit.toml"), toml);
  return folder;
}

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(name: "cli" | "main", folder: string, args: readonly string[], input = ""): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [program(name), ...args],
      { cwd: folder, env: environment(), timeout: 60_000 },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
    );
    child.stdin?.end(input);
  });
}

const pipit = (folder: string, args: string, input?: string) => run("cli", folder, args.split(" "), input);
const addresses = ({ stdout }: Outcome) => (JSON.parse(stdout) as { jid: string }[]).map(({ jid }) => jid);

test("accounts are kept on the data where no node runs", async (t) => {
  const folder = folderOf(t);
  assert.equal((await pipit(folder, "account add ana@pipit.test --password one --admin")).code, 0);
  assert.equal((await pipit(folder, "account add bob@pipit.test", "two\n")).code, 0);
  assert.deepEqual(addresses(await pipit(folder, "account list --json")), [
    "ana@pipit.test",
    "bob@pipit.test",
  ]);
  assert.equal((await pipit(folder, "account list")).stdout, "ana@pipit.test (admin)\nbob@pipit.test\n");
  assert.equal((await pipit(folder, "account remove bob@pipit.test")).code, 0);
  assert.deepEqual(addresses(await pipit(folder, "account list --json")), ["ana@pipit.test"]);
  assert.equal(existsSync(join(folder, "data", "control")), false);
});

test("a running node carries verbs out itself: it knows new accounts, passwords and removals at once", async (t) => {
  const node = await spawnNode(t);
  assert.equal((await node.pipit(["account", "add", "ana@pipit.test", "--password", "one"])).code, 0);
  const first = await node.login("ana", { password: "one" });
  assert.equal((await node.pipit(["account", "passwd", "ana@pipit.test"], "two\n")).code, 0);
  await first.receives(streamError("reset"));
  await isRefused(node, "one");
  const second = await node.login("ana", { password: "two" });
  assert.equal((await node.pipit(["account", "remove", "ana@pipit.test"])).code, 0);
  await second.receives(streamError("not-authorized"));
  await isRefused(node, "two");
});

const streamError = (condition: string): string =>
  `<stream:error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`;

/** Ana cannot log in with that password. */
async function isRefused({ domain, ports, certificate }: NodeProcess, password: string): Promise<void> {
  const options = { domain, port: ports.c2sTls, tls: "direct", ca: certificate } as const;
  const stream = new ClientStream(await connect(options), options);
  await stream.opens();
  await stream.receives("<stream:features/>");
  const message = Buffer.from(`\0ana\0${password}`).toString("base64");
  stream.raw(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${message}</auth>`);
  await stream.receives("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>");
  await stream.kill();
}

test("a post is published, edited and deleted, and the web shows it", async (t) => {
  const node = await spawnNode(t);
  await node.pipit(["account", "add", "ana@pipit.test", "--password", "one"]);
  const published = await node.pipit(["post", "ana@pipit.test", "A first post", "--json"]);
  assert.equal(published.code, 0, published.stderr);
  const { id, url } = JSON.parse(published.stdout) as { id: string; url: string };
  const page = `http://127.0.0.1:${node.ports.http}${new URL(url).pathname}`;
  assert.match(await (await fetch(page)).text(), /A first post/);
  assert.equal((await node.pipit(["post", "edit", "ana@pipit.test", id], "A better post\n")).code, 0);
  assert.match(await (await fetch(page)).text(), /A better post/);
  assert.equal((await node.pipit(["post", "delete", "ana@pipit.test", id])).code, 0);
  assert.equal((await fetch(page)).status, 410);
  const other = await node.pipit(["post", "delete", "ana@pipit.test", "other"]);
  assert.deepEqual([other.code, other.stdout], [1, ""]);
  assert.match(other.stderr, /^pipit: [^\n]+\n$/);
});

test("a text may begin like an option, and may come from standard input", async (t) => {
  const folder = folderOf(t);
  await pipit(folder, "account add ana@pipit.test --password one");
  const dashed = await run("cli", folder, ["post", "ana@pipit.test", "--json", "--", "--help, I said"]);
  assert.equal(dashed.code, 0, dashed.stderr);
  const piped = await pipit(folder, "post ana@pipit.test", "one line\nand another\n");
  assert.match(piped.stdout, /^\S+\nhttps:\/\/pipit\.test\/@ana\/\S+\n$/);
});

test("somebody is followed and unfollowed, with a running node and without one", async (t) => {
  const node = await spawnNode(t);
  const [ana, bob] = ["ana@pipit.test", "bob@pipit.test"];
  for (const jid of [ana, bob]) await node.pipit(["account", "add", jid, "--password", "one"]);
  const says = async (...args: string[]) => {
    const { code, stdout, stderr } = await node.pipit(args);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  assert.equal(
    await says("follow", ana, bob),
    `${bob} cannot be followed: they have published nothing there yet.\n`,
  );
  await says("post", bob, "A first post");
  assert.equal(await says("follow", ana, bob), `You follow ${bob} now.\n`);
  assert.equal(await says("following", ana), `${bob}\n`);
  assert.equal(await says("followers", bob), `${ana}\n`);
  const [follow] = JSON.parse(await says("following", ana, "--json")) as Record<string, string>[];
  assert.deepEqual([follow!["target"], follow!["state"]], [bob, "subscribed"]);
  assert.deepEqual(JSON.parse(await says("followers", bob, "--json")), [ana]);
  await node.stops("SIGTERM");
  assert.equal(await says("following", ana), `${bob}\n`);
  assert.equal(await says("unfollow", ana, bob), `${bob} is no longer followed\n`);
  assert.deepEqual([await says("following", ana), await says("followers", bob)], ["", ""]);
});

test("somebody is invited by a link, which is shown and taken back", async (t) => {
  const folder = folderOf(t);
  await pipit(folder, "account add ana@pipit.test --password one --admin");
  const made = await pipit(folder, "invite create --from ana@pipit.test --username ben --days 2 --json");
  const { link, uri, token, expiresAt } = JSON.parse(made.stdout) as Record<string, string>;
  assert.equal(link, `https://pipit.test/invite/${token}`);
  assert.equal(uri, `xmpp:ben@pipit.test?register;preauth=${token}`);
  const left = Date.parse(expiresAt!) - Date.now();
  assert(left > 1.9 * 86_400_000 && left < 2 * 86_400_000);
  const listed = await pipit(folder, "invite list");
  assert.match(listed.stdout, new RegExp(`^${link}  ben from ana@pipit\\.test  open, \\S+\n$`));
  assert.match(
    (await pipit(folder, "account add ben@pipit.test --password x")).stderr,
    /is kept for somebody/,
  );
  assert.equal((await pipit(folder, `invite revoke ${link}`)).code, 0);
  assert.equal((await pipit(folder, `invite revoke ${token}`)).code, 1);
  assert.deepEqual(JSON.parse((await pipit(folder, "invite list --json")).stdout), []);
  assert.match(
    (await pipit(folder, "invite create")).stdout,
    /^https:\S+\ngood for one account, until \S+\n$/,
  );
  assert.equal((await pipit(folder, "invite create --days 0")).code, 1);
  assert.equal((await pipit(folder, "invite create --days soon")).code, 1);
});

test("what is refused or not found is told in one line, with 1", async (t) => {
  const node = await spawnNode(t);
  for (const [args, reason] of [
    ["account add admin@pipit.test --password x", /"admin" is reserved/],
    ["account add ana@other.example --password x", /not an address at pipit\.test/],
    ["account add pipit.test --password x", /not an address such as/],
    ["account remove nobody@pipit.test", /no account nobody@pipit\.test/],
    ["account passwd nobody@pipit.test --password x", /no account nobody@pipit\.test/],
    ["post nobody@pipit.test hello", /no account nobody@pipit\.test/],
    ["follow nobody@pipit.test bob@other.example", /no account nobody@pipit\.test/],
    ["following nobody@pipit.test", /no account nobody@pipit\.test/],
    ["followers bob@other.example", /no account bob@other\.example/],
    ["unfollow ana@pipit.test other.example", /not an address such as/],
    ["account list --config missing.toml", /missing\.toml: there is no such file/],
  ] as const) {
    const { code, stdout, stderr } = await node.pipit(args.split(" "));
    assert.deepEqual([code, stdout], [1, ""], args);
    assert.match(stderr, reason);
    assert.equal(stderr.trimEnd().split("\n").length, 1);
  }
});

test("wrong usage is told with 2, help and version with 0", async (t) => {
  const folder = folderOf(t);
  const wrong = await pipit(folder, "account list --admin");
  assert.deepEqual([wrong.code, wrong.stdout], [2, ""]);
  assert.match(wrong.stderr, /^pipit: .+\nTry: pipit help\n$/);
  assert.match((await pipit(folder, "help")).stdout, /pipit account add <address>/);
  assert.match((await pipit(folder, "--version")).stdout, /^\d+\.\d+\.\d+\n$/);
});

test("the socket is its owner's alone, and goes with the node", async (t) => {
  const node = await spawnNode(t);
  const data = join(node.folder, "data");
  for (const file of ["control", "pipit.db", "lock"]) {
    assert.equal(statSync(join(data, file)).mode & 0o077, 0, file);
  }
  assert.equal(await node.stops("SIGTERM"), 0);
  assert.equal(existsSync(join(data, "control")), false);
});

test("a socket that a killed node left is replaced", async (t) => {
  const node = await spawnNode(t);
  await node.stops("SIGKILL");
  assert.equal(existsSync(join(node.folder, "data", "control")), true);
  assert.equal((await node.pipit(["account", "add", "ana@pipit.test", "--password", "one"])).code, 0);
  await node.starts();
  assert.match((await node.pipit(["account", "list"])).stdout, /ana@pipit\.test/);
});

test("the data directory may lie deeper than the path of a socket may be long", async (t) => {
  const data = join(...Array.from({ length: 12 }, (_, depth) => `a-rather-long-name-${depth}`));
  const without = await pipit(folderOf(t, `data = "${data}"`), "account list --json");
  assert.deepEqual([without.code, addresses(without)], [0, []], without.stderr);
  const node = await spawnNode(t, { data });
  assert(Buffer.byteLength(join(node.folder, data)) > 200);
  assert.equal((await node.pipit(["account", "add", "ana@pipit.test", "--password", "one"])).code, 0);
  const ana = await node.login("ana", { password: "one" });
  await ana.receivesNothing();
  assert.equal(statSync(join(node.folder, data, "control")).mode & 0o077, 0);
  assert.equal(await node.stops("SIGTERM"), 0);
  assert.equal(existsSync(join(node.folder, data, "control")), false);
});

test("a second node on the same data is refused, and the first goes on", async (t) => {
  const node = await spawnNode(t);
  const { code, stderr } = await run("main", node.folder, []);
  assert.equal(code, 1);
  assert.match(stderr, /^pipit: data: another Pipit runs on .*data already\n$/);
  assert.equal((await node.pipit(["account", "list"])).code, 0);
});

test("many commands at once wait for each other where no node runs", async (t) => {
  const folder = folderOf(t);
  const names = ["a", "b", "c"];
  const outcomes = await Promise.all(
    names.map((name) => pipit(folder, `account add ${name}@pipit.test --password x`)),
  );
  for (const { code, stderr } of outcomes) assert.equal(code, 0, stderr);
  assert.equal(addresses(await pipit(folder, "account list --json")).length, 3);
});

test("a node without accounts says how to make one, and that its certificate is its own", async (t) => {
  const folder = folderOf(t, `domain = "pipit.test"\n${anyPorts}`);
  const child = spawn(process.execPath, [program("main")], {
    cwd: folder,
    env: environment(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const [greeting] = (await once(child.stdout, "data")) as [Buffer];
  const lines = greeting.toString().split("\n");
  assert.match(lines[1]!, /npm run pipit -- account add <name>@pipit\.test/);
  assert.match(greeting.toString(), /self-signed.*self-signed\.pem/);
  assert.equal(statSync(join(folder, "data", "self-signed.key")).mode & 0o077, 0);
  child.kill("SIGINT");
  assert.deepEqual(await once(child, "exit"), [0, null]);
});

test("npm start passes signals on, so that stopping npm stops the node", async (t) => {
  const folder = folderOf(t, anyPorts);
  const args = ["start", "--ignore-scripts", "--silent", "--", "--config", join(folder, "pipit.toml")];
  const child = spawn("npm", args, { cwd: root, env: environment(), stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [0, null]);
  assert.equal(existsSync(join(folder, "data", "control")), false);
});

test(
  "the certificate is read again on SIGHUP, and a bad one changes nothing",
  { timeout: 60_000 },
  async (t) => {
    const node = await spawnNode(t);
    await node.pipit(["account", "add", "ana@pipit.test", "--password", "one"]);
    const logged = async (message: RegExp): Promise<void> => {
      while (!message.test(node.output)) await new Promise((resolve) => setTimeout(resolve, 10));
    };
    writeFileSync(join(node.folder, "cert.pem"), "nothing");
    node.signals("SIGHUP");
    await logged(/the old ones stay/);
    await (await node.login("ana", { password: "one", resource: "a" })).receivesNothing();
    const { cert, key } = await certificateFor("other.test");
    writeFileSync(join(node.folder, "cert.pem"), cert);
    writeFileSync(join(node.folder, "key.pem"), key);
    node.signals("SIGHUP");
    await logged(/the certificate were read again/);
    await assert.rejects(node.login("ana", { password: "one", resource: "b" }));
  },
);

test("what keeps a node from starting is told in one line, without a stack", async (t) => {
  const busy = createServer().listen(0, "127.0.0.1");
  t.after(() => busy.close());
  await once(busy, "listening");
  const { port } = busy.address() as AddressInfo;
  const cases: readonly [toml: string, reason: RegExp][] = [
    [anyPorts.replace("c2s = 0", `c2s = ${port}`), /^pipit: listen\.c2s: port \d+ on 127\.0\.0\.1 is in use/],
    [
      anyPorts.replace("http = 0", `http = ${port}`),
      /^pipit: listen\.http: port \d+ on 127\.0\.0\.1 is in use/,
    ],
    [`${anyPorts}[tls]\ncert = "c.pem"\nkey = "k.pem"`, /^pipit: tls\.cert: .*c\.pem cannot be read/],
    [`data = "pipit.toml"\n${anyPorts}`, /^pipit: data: .*pipit\.toml cannot be used/],
    [`modules = ["none.mjs"]\n${anyPorts}`, /^pipit: modules: .*none\.mjs cannot be loaded/],
    ["domian = 3", /^pipit: domian: there is no such setting/],
  ];
  for (const [toml, reason] of cases) {
    const { code, stdout, stderr } = await run("main", folderOf(t, toml), []);
    assert.deepEqual([code, stdout], [1, ""], stderr);
    assert.match(stderr, reason);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
  }
});

test(
  "a data directory that cannot be written is told",
  { skip: process.getuid?.() === 0 && "root may write anywhere" },
  async (t) => {
    const folder = folderOf(t);
    mkdirSync(join(folder, "data"));
    chmodSync(join(folder, "data"), 0o500);
    const { code, stderr } = await run("main", folder, []);
    assert.equal(code, 1);
    assert.match(stderr, /^pipit: data: .* cannot be used/);
  },
);
