/** hosts(5): addresses that the machine knows without any DNS. */
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";

/** The addresses that a hosts file has for a name, in its order; none where it cannot be read. */
export async function hostsFileAddresses(file: string, name: string): Promise<string[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  const wanted = name.toLowerCase();
  return text.split("\n").flatMap((line) => {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    return isIP(address) && names.some((known) => known.toLowerCase() === wanted) ? [address] : [];
  });
}
