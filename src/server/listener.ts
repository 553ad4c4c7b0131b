/** A TCP port. */
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import type { Logger } from "../log.ts";

/** The kernel finds dead peers that never answer; well below the hours that it takes by default, in milliseconds. */
const keepAliveDelay = 300_000;

export interface ListenOptions {
  /** All addresses where `undefined`. */
  readonly host: string | undefined;
  /** 0: any free one. */
  readonly port: number;
  readonly log: Logger;
  accept(socket: Socket): void;
}

export interface Listener {
  /** The port really listened on. */
  readonly port: number;
  /** Takes no more connections; those that there are stay. */
  close(): void;
}

/** Listens; rejects where the port cannot be had. */
export async function listen({ host, port, log, accept }: ListenOptions): Promise<Listener> {
  const server = createServer({
    // A client that has said all it has to say may still be owed answers.
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveDelay,
  });
  server.on("connection", accept);
  server.listen({ port, host });
  await once(server, "listening");
  server.on("error", (err) => log.error({ err, port }, "a listener failed"));
  return { port: (server.address() as AddressInfo).port, close: () => void server.close() };
}
