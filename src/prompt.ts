/** What the command line reads from whoever calls it. */
import { createInterface } from "node:readline";
import { Writable } from "node:stream";

/** Standard input to its end, without the line break that closes it. */
export async function readInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks)
    .toString("utf8")
    .replace(/\r?\n$/, "");
}

/** A line typed on the terminal without showing it; `undefined` where the terminal is closed or Ctrl-C is typed. */
export function readHidden(question: string): Promise<string | undefined> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, written) => written() });
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  return new Promise((resolve) => {
    terminal.once("line", (line) => {
      resolve(line);
      terminal.close();
    });
    terminal.once("close", () => {
      process.stderr.write("\n");
      resolve(undefined);
    });
  });
}
