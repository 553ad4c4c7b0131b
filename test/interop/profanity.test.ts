/** profanity, in a terminal: somebody chats and posts. */
import assert from "node:assert";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { NodeProcess } from "../support/node.ts";
import { assertPublished, folderFor, house, password } from "./house.ts";
import { missing, Terminal } from "./software.ts";

const skip = missing("profanity", "tmux");

/** profanity, logged in. `tls` is its own word for how: `trust` for STARTTLS, `direct` for direct TLS. */
async function profanity(
  t: TestContext,
  node: NodeProcess,
  name: string,
  tls: "trust" | "direct",
): Promise<Terminal> {
  const home = await folderFor(t);
  await mkdir(join(home, "config", "profanity"), { recursive: true });
  await writeFile(
    join(home, "config", "profanity", "profrc"),
    "[ui]\nsplash=false\n[notifications]\nmessage=off\n",
  );
  const terminal = await Terminal.open(join(home, "tmux"), "profanity", {
    HOME: home,
    XDG_CONFIG_HOME: join(home, "config"),
    XDG_DATA_HOME: join(home, "data"),
    LC_ALL: "C.UTF-8",
    TERM: "screen-256color",
  });
  await terminal.shows(/Profanity/);
  const port = tls === "direct" ? node.ports.c2sTls : node.ports.c2s;
  await terminal.types(`/connect ${name}@${node.domain} server 127.0.0.1 port ${port} tls ${tls}`);
  await terminal.shows(/[Pp]assword/);
  await terminal.types(password);
  return terminal;
}

test("chats and posts over STARTTLS; corrects", { skip }, async (t: TestContext) => {
  const node = await house(t);
  await using ana = await profanity(t, node, "ana", "trust");
  await ana.shows(/logged in successfully/);
  await ana.types("/correction on");
  await ana.types(`/msg timeline@${node.domain} Good morning from a terminal`);
  await ana.shows(/https?:\/\/\S+/);
  await assertPublished(node, "Good morning from a terminal");
  await ana.types("/correct Good evening from a terminal");
  await ana.shows(/[Ee]dited|[Cc]hanged|[Uu]pdated/);
  await assertPublished(node, "Good evening from a terminal");
  await assertPublished(node, "Good morning", false);
});

test("two people see each other and talk, one on direct TLS", { skip }, async (t: TestContext) => {
  const node = await house(t);
  await using ana = await profanity(t, node, "ana", "trust");
  await using ben = await profanity(t, node, "ben", "direct");
  await ana.shows(/logged in successfully/);
  await ben.shows(/logged in successfully|TLS certificate/);
  if (/TLS certificate/.test(await ben.screen())) await ben.types("/tls allow");
  await ben.shows(/logged in successfully/);
  await ana.types(`/sub request ben@${node.domain}`);
  await ben.shows(/ana@pipit\.test/);
  await ben.types(`/sub allow ana@${node.domain}`);
  await ana.shows(/ben.*(online|accepted|allowed)/i);
  await ana.types(`/msg ben@${node.domain} Are you there?`);
  await ben.shows(/ana/);
  await ben.types(`/msg ana@${node.domain}`);
  await ben.shows(/Are you there\?/);
  await ben.types("Here I am");
  assert.match(await ana.shows(/Here I am/), /Here I am/);
});
