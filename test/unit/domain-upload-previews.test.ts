/** Previews of pictures, and their going. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pino } from "pino";
import sharp from "sharp";
import { UploadFiles } from "../../src/domain/upload-files.ts";
import { UploadPreviews } from "../../src/domain/upload-previews.ts";
import { until } from "../support/until.ts";

/** Whether this process has a file open (Linux). */
const opens = (path: string): boolean =>
  readdirSync("/proc/self/fd").some((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path;
    } catch {
      return false;
    }
  });

test("the preview of a picture that is removed meanwhile does not stay", async (t) => {
  const data = mkdtempSync(join(tmpdir(), "pipit-"));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  const folder = join(data, "uploads");
  mkdirSync(folder);
  const files = new UploadFiles(data);
  const id = "picture";
  const create = { width: 6_000, height: 6_000, channels: 3, background: "green" } as const;
  await sharp({ create }).png().toFile(files.path(id));
  const previews = new UploadPreviews(files, pino({ level: "silent" }));
  const preview = previews.of({ id, type: "image/png" }, 1_280);
  let isDone = false;
  void preview.then(() => (isDone = true));
  await until(() => isDone || opens(files.path(id)), "it is being made");
  await files.remove([id]);
  await preview;
  assert.deepEqual(readdirSync(folder), []);
});
