/** The version of this program, as its package says. */
import { createRequire } from "node:module";

// This file runs as dist/src/version.js.
const manifest: unknown = createRequire(import.meta.url)("../../package.json");

export const { version } = manifest as { version: string };
