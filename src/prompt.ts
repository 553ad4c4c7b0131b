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

/** A line typed on the terminal without showing it; rejects where it is ended instead. */
export function readHidden(question: string): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, written) => written() });
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  return new Promise((resolve, reject) => {
    terminal.once("line", (line) => {
      resolve(line);
      terminal.close();
    });
    terminal.once("SIGINT", () => terminal.close());
    terminal.once("close", () => {
      process.stderr.write("\n");
      reject(new Error("nothing was typed"));
    });
  });
}
