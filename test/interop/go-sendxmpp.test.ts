/** go-sendxmpp: messages and posts from a script, over STARTTLS and direct TLS. */
import { test, type TestContext } from "node:test";
import type { NodeProcess } from "../support/node.ts";
import { assertPublished, folderFor, house, password } from "./house.ts";
import { missing, Program } from "./software.ts";

const skip = missing("go-sendxmpp");

const securities = [
  ["STARTTLS", []],
  ["direct TLS", ["-t"]],
] as const;

/** Starts it as `name`. The certificate is one of the test's own, which it cannot be told to trust. */
async function sendxmpp(
  t: TestContext,
  node: NodeProcess,
  name: string,
  flags: readonly string[],
): Promise<Program> {
  const port = flags.includes("-t") ? node.ports.c2sTls : node.ports.c2s;
  const login = ["-u", `${name}@${node.domain}`, "-p", password, "-j", `127.0.0.1:${port}`, "-n"];
  const program = new Program("go-sendxmpp", [...login, "--timeout", "60", ...flags], {
    HOME: await folderFor(t),
  });
  t.after(() => program[Symbol.asyncDispose]());
  return program;
}

for (const [name, flags] of securities) {
  test(`posts through timeline@ over ${name}, corrects and retracts`, { skip }, async (t: TestContext) => {
    const node = await house(t);
    const timeline = `timeline@${node.domain}`;
    const sends = async (text: string, ...more: string[]): Promise<void> => {
      await (await sendxmpp(t, node, "ana", [...flags, ...more, timeline])).succeeds(text);
    };
    const raw = (id: string, body: string, rest = ""): Promise<void> =>
      sends(
        `<message to='${timeline}' type='chat' id='${id}'><body>${body}</body>${rest}</message>`,
        "--raw",
      );

    await sends("Written by a script");
    await assertPublished(node, "Written by a script");
    await raw("one", "Raw &amp; first");
    await assertPublished(node, "Raw &amp; first");
    await raw("two", "Raw and second", "<replace xmlns='urn:xmpp:message-correct:0' id='one'/>");
    await assertPublished(node, "Raw and second");
    await assertPublished(node, "Raw &amp; first", false);
    await raw("three", "gone", "<retract xmlns='urn:xmpp:message-retract:1' id='one'/>");
    await assertPublished(node, "Raw and second", false);
    await assertPublished(node, "Written by a script");
  });

  test(`a message arrives over ${name}`, { skip }, async (t: TestContext) => {
    const node = await house(t);
    // Another resource of ben's sees when the listening one is there; its priority keeps the message from it.
    const watcher = await node.login("ben", { password, resource: "watch" });
    watcher.sends("<presence><priority>-1</priority></presence>");
    await watcher.receives(`<presence from='${watcher.full}'/>`);
    const listener = await sendxmpp(t, node, "ben", [...flags, "-l"]);
    await watcher.receives("<presence from='{any}'/>");
    await (await sendxmpp(t, node, "ana", [...flags, `ben@${node.domain}`])).succeeds("Hello from a script");
    await listener.until("the message", (stdout) => /ana@pipit\.test.*Hello from a script/.exec(stdout)?.[0]);
    await watcher.kill();
  });
}
