/** Loaded into the program where a test asks what it holds on to, whatever the garbage collector has put off. */
import { setImmediate } from "node:timers/promises";

process.on("SIGUSR2", () => void tell());

async function tell(): Promise<void> {
  // Twice: what the first round finalises is let go with the next.
  for (let round = 0; round < 2; round += 1) {
    await setImmediate();
    globalThis.gc?.();
  }
  const { heapUsed, external } = process.memoryUsage();
  const connections = process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap").length;
  process.stdout.write(`holds ${heapUsed + external} bytes, ${connections} connections\n`);
}
