/** How long it takes until everybody is back whose session rested while the server was started anew (XEP-0198 §5). */
import { BenchClient } from "./client.ts";
import { named, say, settled } from "./crowd.ts";
import { BenchServer, domain } from "./server.ts";

const accounts = 200;
const sessions = 2000;
/** That come at once; a network may not have many more that are not logged in. */
const dials = 128;

export async function resume(profile: boolean): Promise<void> {
  const locals = named("user", accounts);
  const server = await BenchServer.start(locals, profile);
  const who = Array.from({ length: sessions }, (_, i) => [locals[i % accounts]!, `r${i}`] as const);
  const clients = await each(who, async ([local, resource]) => {
    const client = await BenchClient.login(server.port, domain, local, resource);
    const enabled = await client.ask("<enable xmlns='urn:xmpp:sm:3' resume='true'/>", "/>");
    const id = / id=["']([^"']+)/.exec(enabled)![1]!;
    client.send("<presence/>");
    return { client, local, id };
  });
  await settled(server);
  const stopping = performance.now();
  const { down, up } = await server.restart();
  for (const { client } of clients) client.end();
  const cpu = server.cpu();
  const started = performance.now();
  let refused = 0;
  const again = await each(clients, async ({ local, id }) => {
    const client = await BenchClient.authenticated(server.port, domain, local);
    // Presence of the account's own clients came, by 198 itself; nothing was acknowledged of it.
    const answer = await client.ask(
      `<resume xmlns='urn:xmpp:sm:3' previd='${id}' h='0'/>`,
      /<resumed|<failed/,
    );
    if (answer.includes("<failed")) refused += 1;
    return client;
  });
  const seconds = (performance.now() - started) / 1000;
  say(
    `resume  ${sessions - refused} of ${sessions} sessions resumed in ${seconds.toFixed(1)} s ` +
      `(${Math.round(sessions / seconds)} a second, ${Math.round((server.cpu() - cpu) / sessions)} µs of server CPU each, ${dials} at once), ` +
      `${((performance.now() - stopping) / 1000).toFixed(1)} s after SIGTERM: ${(down / 1000).toFixed(1)} s to end, ${(up / 1000).toFixed(1)} s to start`,
  );
  for (const client of again) client.end();
  for (const line of await server.stop()) say(`        ${line}`);
}

async function each<One, Made>(all: readonly One[], make: (one: One) => Promise<Made>): Promise<Made[]> {
  const made: Made[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < all.length; i = next++) made[i] = await make(all[i]!);
  };
  await Promise.all(Array.from({ length: dials }, worker));
  return made;
}
