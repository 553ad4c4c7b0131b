/** profanity, in a terminal: people see each other, chat and post. */
import assert from "node:assert";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { NodeProcess } from "../support/node.ts";
import { Gate } from "./gate.ts";
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

async function logsIn(
  terminal: Terminal,
  node: NodeProcess,
  name: string,
  policy: Policy,
  port = policy === "legacy" ? node.ports.c2sTls : node.ports.c2s,
): Promise<void> {
  await terminal.shows(/Type '\/help'/);
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

test(
  "a second terminal shows both sides of a chat, and a third one what was said before",
  { skip },
  async (t) => {
    const node = await house(t);
    const jid = (name: string): string => `${name}@${node.domain}`;
    await using desk = await profanity(t);
    await using phone = await profanity(t);
    await using ben = await profanity(t);
    await phone.types("/carbons on");
    await logsIn(desk, node, "ana", "trust");
    await logsIn(phone, node, "ana", "trust");
    await logsIn(ben, node, "ben", "trust");

    await ben.types(`/msg ${jid("ana")} Where are you?`);
    await desk.types(`/msg ${jid("ben")}`);
    await desk.shows(/- ben@pipit\.test\/profanity\.\w+: Where are you\?/);
    await desk.types("At the desk");
    // From now on profanity writes to that resource alone.
    await ben.shows(/- ana@pipit\.test\/profanity\.\w+: At the desk/);
    await ben.types("Stay there");
    await phone.types(`/msg ${jid("ben")}`);
    const chat = /Where are you\?\s[^]*- me: At the desk\s[^]*- ben@pipit\.test\S*: Stay there/;
    await phone.shows(chat);

    await using later = await profanity(t);
    await later.types("/mam on");
    await logsIn(later, node, "ana", "trust");
    await later.types(`/msg ${jid("ben")}`);
    await later.shows(chat);
  },
);

test("goes on where it was when its connection is lost", { skip }, async (t) => {
  const node = await house(t);
  const gate = await Gate.open(t, node.ports.c2s);
  await using ana = await profanity(t);
  await using ben = await profanity(t);
  await ben.types("/reconnect 1");
  await logsIn(ana, node, "ana", "trust");
  await logsIn(ben, node, "ben", "trust", gate.port);
  await ana.types(`/msg ben@${node.domain} See you`);
  await ben.types(`/msg ana@${node.domain} Goodbye`);
  await ana.shows(/- ben@pipit\.test\/(profanity\.\w+): Goodbye/);
  await ben.shows(/See you/);

  // What profanity itself says now would be lost: libstrophe 0.12.2 does not send it again.
  gate.loses("everything");
  await ana.types("Are you in the tunnel?");
  await ana.types("It seems so");
  await ana.shows(/- me: It seems so/);
  gate.breaks();
  await ben.shows(/Lost connection\.\s[^]*Connection re-established\./);
  const screen = await ben.shows(/- ana@pipit\.test\S*: Are you in the tunnel\?\s[^]*: It seems so/);
  for (const text of ["See you", "Are you in the tunnel?", "It seems so"])
    assert.equal(screen.split(text).length, 2, `${text} is there once`);
  assert.match(node.output, /"jid":"ben@pipit\.test\/profanity\.\w+"[^\n]*"resumed"/);
  await ben.types("Back again");
  await ana.shows(/- ben@pipit\.test\S*: Back again/);
});
