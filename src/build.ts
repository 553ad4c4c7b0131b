/** The last step of `npm run build`: what the compiler does not copy. */
import { chmodSync, cpSync } from "node:fs";
import { fileURLToPath } from "node:url";

// This file runs as dist/src/build.js.
const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

cpSync(at("../../src/store/migrations"), at("store/migrations"), { recursive: true });
cpSync(at("../../views/static"), at("../views/static"), { recursive: true });
chmodSync(at("cli.js"), 0o755);
