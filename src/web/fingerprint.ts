/** What the look of a page or feed depends on beside its content: the code that makes it, and the settings in it. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

const folders = ["./", "../../views/"];
const files = ["../xmpp/atom.js"];

/** A digest that changes with every release that could change a page. */
export function fingerprint(...settings: readonly string[]): string {
  const digest = createHash("sha256").update(JSON.stringify(settings));
  const found = folders.flatMap((folder) =>
    readdirSync(new URL(folder, import.meta.url), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith(".map"))
      .map((entry) => `${entry.parentPath}/${entry.name}`),
  );
  for (const file of [...found.sort(), ...files.map((name) => new URL(name, import.meta.url))]) {
    digest.update(readFileSync(file));
  }
  return digest.digest("base64url");
}
