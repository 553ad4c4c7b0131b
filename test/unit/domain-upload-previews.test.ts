/** Previews of pictures, and their going. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pino } from "pino";
import sharp from "sharp";
import { UploadFiles } from "../../src/domain/upload-files.ts";
import { UploadPreviews } from "../../src/domain/upload-previews.ts";
import { until } from "../support/until.ts";

test("the preview of a picture that is removed meanwhile does not stay", async (t) => {
  const data = mkdtempSync(join(tmpdir(), "pipit-"));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  const folder = join(data, "uploads");
  mkdirSync(folder);
  const files = new UploadFiles(data);
  const id = "picture";
  const create = { width: 3_000, height: 3_000, channels: 3, background: "green" } as const;
  await sharp({ create }).png().toFile(files.path(id));
  const previews = new UploadPreviews(files, pino({ level: "silent" }));
  const preview = previews.of({ id, type: "image/png" }, 1_280);
  await until(() => readdirSync(folder).some((name) => name.endsWith(".part")), "it is being made");
  await files.remove([id]);
  await preview;
  assert.deepEqual(readdirSync(folder), []);
});
