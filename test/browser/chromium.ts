/** Chromium as Debian has it, and how tests start it. */
import { existsSync } from "node:fs";
import { chromium, type Browser } from "playwright-core";

const executablePath = "/usr/bin/chromium";
const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Why a test cannot run here, for `skip`. */
export const missingChromium = !existsSync(executablePath) && "not installed: chromium (.ci/run installs it)";

export const startChromium = (): Promise<Browser> => chromium.launch({ executablePath, args });
