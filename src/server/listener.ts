/** TCP ports. */
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import type { Logger } from "../log.ts";

/** The kernel finds dead peers that never answer; well below the hours that it takes by default, in milliseconds. */
const keepAliveDelay = 300_000;

interface ListenOptions {
  /** All addresses where `undefined`. */
  readonly host: string | undefined;
  /** 0: any free one. */
  readonly port: number;
  readonly log: Logger;
  accept(socket: Socket): void;
}

interface Listener {
  /** The port really listened on. */
  readonly port: number;
  /** Takes no more connections; those that there are stay. */
  close(): void;
}

/** An IPv4 address on a socket that takes both kinds. */
const ipv4InIpv6 = /^::ffff:(?=\d+\.)/;

export interface ListenBothOptions {
  readonly host: string | undefined;
  /** For STARTTLS; 0 is any free one, `false` none. */
  readonly port: number | false;
  readonly directTlsPort: number | false;
  readonly log: Logger;
  accept(socket: Socket, address: string, directTls: boolean): void;
}

export interface BothListeners {
  /** The ports really listened on. */
  readonly port: number | undefined;
  readonly directTlsPort: number | undefined;
  close(): void;
}

/** The two ports of one kind of stream, STARTTLS and direct TLS; rejects where one cannot be had. */
export async function listenBoth(options: ListenBothOptions): Promise<BothListeners> {
  const open = async (port: number | false, directTls: boolean): Promise<Listener | undefined> => {
    if (port === false) return undefined;
    const accept = (socket: Socket): void => {
      const address = socket.remoteAddress?.replace(ipv4InIpv6, "");
      // Without one it is gone already.
      if (address === undefined) socket.destroy();
      else options.accept(socket, address, directTls);
    };
    return listen({ host: options.host, log: options.log, port, accept });
  };
  const plain = await open(options.port, false);
  const direct = await open(options.directTlsPort, true).catch((error: unknown) => {
    plain?.close();
    throw error;
  });
  return {
    port: plain?.port,
    directTlsPort: direct?.port,
    close() {
      plain?.close();
      direct?.close();
    },
  };
}

/** Listens; rejects where the port cannot be had. */
async function listen({ host, port, log, accept }: ListenOptions): Promise<Listener> {
  const server = createServer({
    // A peer that has said all it has to say may still be owed answers.
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
