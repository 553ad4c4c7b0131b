/** go-sendxmpp: a message from a script, over STARTTLS and direct TLS. */
import assert from "node:assert";
import { spawn } from "node:child_process";
import { test, type TestContext } from "node:test";
import type { NodeProcess } from "../support/node.ts";
import { assertPublished, folderFor, house, password } from "./house.ts";
import { missing } from "./software.ts";

const skip = missing("go-sendxmpp");

/** Runs it as `name`; `input` is what it sends. */
async function send(
  t: TestContext,
  node: NodeProcess,
  name: string,
  flags: string[],
  input: string,
): Promise<void> {
  const port = flags.includes("-t") ? node.ports.c2sTls : node.ports.c2s;
  const login = ["-u", `${name}@${node.domain}`, "-p", password, "-j", `127.0.0.1:${port}`, "-n"];
  const home = await folderFor(t);
  const child = spawn("go-sendxmpp", [...login, ...flags], { env: { ...process.env, HOME: home } });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stdin.end(input);
  const code = await new Promise((resolve) => child.once("exit", resolve));
  assert.equal(code, 0, output);
}

/** Listens as `name` until a line shows that fits. */
async function listens(
  t: TestContext,
  node: NodeProcess,
  name: string,
): Promise<(what: RegExp) => Promise<void>> {
  const home = await folderFor(t);
  const login = [
    "-u",
    `${name}@${node.domain}`,
    "-p",
    password,
    "-j",
    `127.0.0.1:${node.ports.c2s}`,
    "-n",
    "-l",
  ];
  const child = spawn("go-sendxmpp", login, { env: { ...process.env, HOME: home } });
  t.after(() => child.kill());
  let output = "";
  let look = (): void => undefined;
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      look();
    });
  }
  child.once("exit", () => look());
  return (what) =>
    new Promise((resolve, reject) => {
      look = () => {
        if (what.test(output)) resolve();
        else if (child.exitCode !== null) reject(new Error(`go-sendxmpp ended: ${output}`));
      };
      look();
    });
}

for (const [name, flags] of [
  ["STARTTLS", []],
  ["direct TLS", ["-t"]],
] as const) {
  test(`posts through timeline@ over ${name}, corrects and retracts`, { skip }, async (t: TestContext) => {
    const node = await house(t);
    const timeline = `timeline@${node.domain}`;
    await send(t, node, "ana", [...flags, timeline], "Written by a script");
    await assertPublished(node, "Written by a script");

    const raw = (id: string, body: string, rest = "") =>
      `<message to='${timeline}' type='chat' id='${id}'><body>${body}</body>${rest}</message>`;
    await send(t, node, "ana", [...flags, "--raw", timeline], raw("one", "Raw &amp; first"));
    await assertPublished(node, "Raw &amp; first");
    const replace = "<replace xmlns='urn:xmpp:message-correct:0' id='one'/>";
    await send(t, node, "ana", [...flags, "--raw", timeline], raw("two", "Raw and second", replace));
    await assertPublished(node, "Raw and second");
    const retract = "<retract xmlns='urn:xmpp:message-retract:1' id='one'/>";
    await send(t, node, "ana", [...flags, "--raw", timeline], raw("three", "gone", retract));
    await assertPublished(node, "Raw and second", false);
    await assertPublished(node, "Written by a script");
  });
}

test("two people exchange a message", { skip }, async (t: TestContext) => {
  const node = await house(t);
  // Another resource of ben's sees when the listening one is there; its priority keeps the message from it.
  const watcher = await node.login("ben", { password, resource: "watch" });
  watcher.sends("<presence><priority>-1</priority></presence>");
  await watcher.receives(`<presence from='${watcher.full}'/>`);
  const hears = await listens(t, node, "ben");
  await watcher.receives("<presence from='{any}'/>");
  await send(t, node, "ana", ["-t", `ben@${node.domain}`], "Hello from a script");
  await hears(/Hello from a script/);
});
