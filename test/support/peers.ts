/** TLS between two servers, for tests: connections on loopback, and handshakes to their end. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { after } from "node:test";
import type { PeerChannel, ServerTls } from "../../src/server/tls.ts";

const server = createServer();
server.unref();

/** Both ends of a new TCP connection: who connects, and who is connected to. */
export async function connection(): Promise<[Socket, Socket]> {
  if (!server.listening) await once(server.listen(0, "127.0.0.1"), "listening");
  const incoming = once(server, "connection") as Promise<[Socket]>;
  const outgoing = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [accepted] = await incoming;
  after(() => [outgoing, accepted].forEach((socket) => socket.destroy()));
  return [outgoing, accepted];
}

/** A handshake to its end, or its failure: what has been asked by `client` of the server `host`. */
export async function handshake(
  client: ServerTls,
  host: ServerTls,
  {
    domain = "capulet.example",
    offers,
    takes,
  }: { domain?: string; offers?: string[]; takes?: string[] } = {},
): Promise<{ outgoing: PeerChannel; incoming: PeerChannel }> {
  const [near, far] = await connection();
  const outgoing = client.connectPeer(near, domain, offers);
  const incoming = host.wrapPeer(far, takes);
  await Promise.all([once(outgoing.socket, "secure"), once(incoming.socket, "secure")]);
  return { outgoing, incoming };
}
