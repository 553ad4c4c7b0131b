/** What this software calls itself, in the protocol and on the command line. */
import { createRequire } from "node:module";

// This file runs as dist/src/modules/software.js.
const manifest: unknown = createRequire(import.meta.url)("../../../package.json");

export const software = { name: "Pipit", version: (manifest as { version: string }).version };
