/** profanity, in a terminal: people see each other, chat and post. */
import assert from "node:assert";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { NodeProcess } from "../support/node.ts";
import { assertPublished, folderFor, house, password } from "./house.ts";
import { missing, Terminal } from "./software.ts";

const skip = missing("profanity", "tmux");

/** How to connect, in profanity's own words: STARTTLS or direct TLS; it does not check the one certificate. */
type Policy = "trust" | "legacy";

/** profanity in a home of its own. */
async function profanity(t: TestContext): Promise<Terminal> {
  const home = await folderFor(t);
  const config = join(home, "config");
  await mkdir(join(config, "profanity"), { recursive: true });
  const settings = "[ui]\nsplash=false\n[notifications]\nmessage=off\n";
  await writeFile(join(config, "profanity", "profrc"), settings);
  return Terminal.open(join(home, "tmux"), "profanity", {
    HOME: home,
    XDG_CONFIG_HOME: config,
    XDG_DATA_HOME: join(home, "data"),
    LC_ALL: "C.UTF-8",
    TERM: "screen-256color",
  });
}

async function logsIn(terminal: Terminal, node: NodeProcess, name: string, policy: Policy): Promise<void> {
  await terminal.shows(/Type '\/help'/);
  const port = policy === "legacy" ? node.ports.c2sTls : node.ports.c2s;
  await terminal.types(`/connect ${name}@${node.domain} server 127.0.0.1 port ${port} tls ${policy}`);
  await terminal.shows(/Enter password:/);
  await terminal.types(password);
  if (policy === "legacy") {
    await terminal.shows(/Use '\/tls allow' to accept/);
    await terminal.types("/tls allow");
  }
  assert.match(await terminal.shows(/logged in successfully/), /\[TLS\] \[online\]/);
}

for (const [name, policy] of [
  ["STARTTLS", "trust"],
  ["direct TLS", "legacy"],
] as const) {
  test(`posts over ${name} and corrects`, { skip }, async (t: TestContext) => {
    const node = await house(t);
    await using ana = await profanity(t);
    await logsIn(ana, node, "ana", policy);
    await ana.types("/correction on");
    await ana.types(`/msg timeline@${node.domain} Good morning from a terminal`);
    const screen = await ana.shows(/- timeline@pipit\.test: Posted: \S+/);
    const permalink = /Posted: (\S+)/.exec(screen)![1]!;
    assert.match(screen, /- me: Good morning from a terminal/);
    await assertPublished(node, "Good morning from a terminal");

    await ana.types("/correct Good evening from a terminal");
    const corrected = await ana.shows(/- timeline@pipit\.test: Edited: \S+/);
    assert(corrected.includes(`Edited: ${permalink}`), corrected);
    // Its sign for a corrected message is a plus.
    assert.match(corrected, /\+ me: Good evening from a terminal/);
    await assertPublished(node, "Good evening from a terminal");
    await assertPublished(node, "Good morning", false);

    await ana.types("help");
    await ana.shows(/Correct a message to edit the post/);
  });
}

test("two people see each other come and go, and talk", { skip }, async (t: TestContext) => {
  const node = await house(t);
  await using ana = await profanity(t);
  await using ben = await profanity(t);
  await logsIn(ana, node, "ana", "trust");
  await logsIn(ben, node, "ben", "legacy");

  await ana.types(`/sub request ben@${node.domain}`);
  await ben.shows(/Received authorization request from ana@pipit\.test/);
  await ben.types(`/sub allow ana@${node.domain}`);
  await ana.shows(/\+\+ ben@pipit\.test \(profanity\.\w+\) is online/);
  await ben.types(`/sub request ana@${node.domain}`);
  await ana.shows(/Received authorization request from ben@pipit\.test/);
  await ana.types(`/sub allow ben@${node.domain}`);
  await ben.shows(/\+\+ ana@pipit\.test \(profanity\.\w+\) is online/);
  await ana.types("/roster");
  await ana.shows(/ {2}ben@pipit\.test - both/);

  await ana.types(`/msg ben@${node.domain} Are you there?`);
  await ben.shows(/<< chat message: ana@pipit\.test/);
  await ben.types(`/msg ana@${node.domain}`);
  await ben.shows(/- ana@pipit\.test\/profanity\.\w+: Are you there\?/);
  await ben.types("Here I am");
  await ana.shows(/- ben@pipit\.test\/profanity\.\w+: Here I am/);
  await ana.types("/correction on");
  await ana.types("/correct Are you still there?");
  const corrected = await ben.shows(/\+ ana@pipit\.test\/profanity\.\w+: Are you still there\?/);
  assert.doesNotMatch(corrected, /Are you there/);

  await ana.shows(/^ ben@pipit\.test \[online\]/);
  await ben.types("/quit");
  await ana.shows(/^ ben@pipit\.test \[offline\]/);
});
