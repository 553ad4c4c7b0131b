/** What scenarios share: many people, a post, and a server at rest. */
import { BenchClient } from "./client.ts";
import { domain, type BenchServer } from "./server.ts";

/** Logins under way at once: enough to keep the server's pbkdf2 threads busy. */
const logins = 16;

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

export const named = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

/** Logs in many, each with a name and a resource; in their order. */
export async function loginAll(
  port: number,
  who: readonly (readonly [string, string])[],
  at: string = domain,
): Promise<BenchClient[]> {
  const clients: BenchClient[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < who.length; i = next++) {
      const [local, resource] = who[i]!;
      clients[i] = await BenchClient.login(port, at, local, resource);
    }
  };
  await Promise.all(Array.from({ length: logins }, worker));
  return clients;
}

export const publish = (i: number): string =>
  `<iq type='set' id='p'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:xmpp:microblog:0'><item id='post-${i}-abcdef'><entry xmlns='http://www.w3.org/2005/Atom'><title>Post number ${i}: tea and XML, with a little milk #tea</title><updated>2026-11-20T09:00:00Z</updated></entry></item></publish></pubsub></iq>`;

/** Waits until the server's memory is steady: garbage of the logins collected, nothing in flight. */
export async function settled(server: BenchServer): Promise<void> {
  let last = Number.NaN;
  for (let i = 0; i < 20; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const now = server.memory();
    if (Math.abs(now - last) < 256) return;
    last = now;
  }
}
