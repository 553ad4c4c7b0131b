/** slixmpp and profanity make accounts of their own, with an invitation or where registration is open. */
import assert from "node:assert";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { spawnNode, type NodeProcess } from "../support/node.ts";
import { folderFor, password } from "./house.ts";
import { missing, missingPython, Terminal } from "./software.ts";
import { SlixmppActor } from "./slixmpp.ts";

const skip = missingPython("slixmpp");

const newcomer = (
  node: NodeProcess,
  name: string,
  options: { token?: string; password?: string; registers?: boolean } = {},
): SlixmppActor =>
  new SlixmppActor({
    jid: `${name}@${node.domain}`,
    password,
    security: "starttls",
    port: node.ports.c2s,
    ca: join(node.folder, "cert.pem"),
    mechanism: "SCRAM-SHA-256",
    registers: true,
    ...options,
  });

test("slixmpp registers, changes its password and removes its account", { skip }, async (t: TestContext) => {
  const node = await spawnNode(t, { registration: { open: true } });
  {
    await using ana = newcomer(node, "ana");
    const { asked } = await ana.hears("registered");
    assert.deepEqual(asked, ["password", "username"]);
    await ana.hears("started");
    await ana.does("change-password", { password: "another" });
    await ana.does("ping", { to: node.domain });
  }
  await using late = newcomer(node, "ana");
  assert.equal((await late.hears("not-registered"))["condition"], "conflict");
  await using ana = newcomer(node, "ana", { password: "another", registers: false });
  await ana.hears("started");
  await ana.does("disconnect");
  await using leaving = newcomer(node, "ben");
  await leaving.hears("started");
  await leaving.does("unregister");
  await leaving.hears("disconnected");
  assert.doesNotMatch((await node.pipit(["account", "list"])).stdout, /ben/);
});

test("slixmpp registers with an invitation where nobody else may", { skip }, async (t: TestContext) => {
  const node = await spawnNode(t);
  await node.pipit(["account", "add", "eve@pipit.test", "--password", password, "--admin"]);
  await using eve = newcomer(node, "eve", { registers: false });
  await eve.hears("started");
  const made = await node.pipit([
    "invite",
    "create",
    "--from",
    "eve@pipit.test",
    "--username",
    "ana",
    "--json",
  ]);
  assert.equal(made.code, 0, made.stderr);
  const { token } = JSON.parse(made.stdout) as { token: string };
  await using ana = newcomer(node, "ana", { token });
  await ana.hears("registered");
  await ana.hears("started");
  // They are contacts, and see each other.
  for (const [one, other] of [
    [eve, "ana@"],
    [ana, "eve@"],
  ] as const)
    await one.hears("presence", (e) => e["type"] === "available" && String(e["sender"]).startsWith(other));
});

test("profanity registers", { skip: missing("profanity", "tmux") }, async (t: TestContext) => {
  // It takes one name for the server and for the domain.
  const node = await spawnNode(t, { domain: "localhost", registration: { open: true } });
  const home = await folderFor(t);
  const config = join(home, "config");
  await mkdir(join(config, "profanity"), { recursive: true });
  await writeFile(join(config, "profanity", "profrc"), "[ui]\nsplash=false\n");
  await using terminal = await Terminal.open(join(home, "tmux"), "profanity", {
    HOME: home,
    XDG_CONFIG_HOME: config,
    XDG_DATA_HOME: join(home, "data"),
    LC_ALL: "C.UTF-8",
    TERM: "screen-256color",
  });
  await terminal.shows(/Type '\/help'/);
  await terminal.types(`/register ana localhost port ${node.ports.c2s} tls trust`);
  await terminal.shows(/Enter password:/);
  await terminal.types(password);
  await terminal.shows(/[Cc]onfirm password:/);
  await terminal.types(password);
  await terminal.shows(/[Rr]egist\w+ success\w*|Account successfully registered/);
  assert.match((await node.pipit(["account", "list"])).stdout, /ana@localhost/);
});
