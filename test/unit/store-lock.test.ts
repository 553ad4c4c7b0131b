/** One process at a time in a data directory. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { takeLock } from "../../src/store/lock.ts";

const folder = mkdtempSync(join(tmpdir(), "pipit-lock-"));
test.after(() => rmSync(folder, { recursive: true }));

test("a lock is held by one, and free again once released", () => {
  const file = join(folder, "released");
  const lock = takeLock(file);
  assert(lock);
  assert.equal(takeLock(file), undefined);
  lock.release();
  const next = takeLock(file);
  assert(next);
  next.release();
});

test("a process that is killed leaves no lock behind", async (t) => {
  const file = join(folder, "killed");
  const module = new URL("../../src/store/lock.js", import.meta.url).href;
  const script = `
    const { takeLock } = await import(${JSON.stringify(module)});
    globalThis.lock = takeLock(${JSON.stringify(file)});
    setInterval(() => undefined, 1000);
    process.stdout.write("held");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  assert.equal(takeLock(file), undefined);
  child.kill("SIGKILL");
  await once(child, "exit");
  const lock = takeLock(file);
  assert(lock);
  lock.release();
});
