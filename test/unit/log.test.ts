/** Logs: what could be a secret is not in them. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";

const module = new URL("../../src/log.js", import.meta.url).href;

/** What a program logs at a level, by stream. */
async function output(level: string, statements: string): Promise<{ stdout: string; stderr: string }> {
  const script = `
    const { createLogger } = await import(${JSON.stringify(module)});
    const log = createLogger(${JSON.stringify(level)});
    ${statements}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script]);
  const text = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (text.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (text.stderr += chunk.toString()));
  await new Promise((resolve) => child.once("close", resolve));
  return text;
}

test("lines are JSON on standard error, with a time people can read, from their level on", async () => {
  const { stdout, stderr } = await output("info", 'log.debug("quiet"); log.info({ a: 1 }, "heard")');
  assert.equal(stdout, "");
  const line = JSON.parse(stderr) as Record<string, unknown>;
  assert.equal(line["msg"], "heard");
  assert.equal(line["a"], 1);
  assert.match(String(line["time"]), /^\d{4}-\d\d-\d\dT/);
});

test("a secret that is handed over by mistake is hidden", async () => {
  const { stderr } = await output(
    "trace",
    `log.trace({ password: "swordfish", account: { password: "swordfish", token: "swordfish" } }, "a");
     log.child({ secret: "swordfish" }).trace({ headers: { authorization: "swordfish", cookie: "swordfish" } }, "b");`,
  );
  assert.equal(stderr.trim().split("\n").length, 2);
  assert.equal(stderr.includes("swordfish"), false);
});
