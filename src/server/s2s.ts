/** The ports for other servers: STARTTLS (RFC 6120 §5) and direct TLS (XEP-0368). */
import { listenBoth } from "./listener.ts";
import type { S2sContext } from "./s2s-context.ts";
import { IncomingStream } from "./s2s-in.ts";

export interface S2sPorts {
  /** The address to listen on; all of them where `undefined`. */
  readonly host: string | undefined;
  /** For STARTTLS; 0 is any free one, `false` none. */
  readonly port: number | false;
  readonly directTlsPort: number | false;
}

export interface S2s {
  /** The ports really listened on. */
  readonly port: number | undefined;
  readonly directTlsPort: number | undefined;
  /** Ends all streams with other servers, those that we began too. */
  close(): Promise<void>;
}

/** Listens for servers; rejects where a port cannot be had. */
export async function listenS2s(context: S2sContext, ports: S2sPorts): Promise<S2s> {
  const { strangers, streams, log } = context;
  const listeners = await listenBoth({
    ...ports,
    log,
    accept(socket, address, directTls) {
      if (strangers.enter(address)) {
        streams.add(new IncomingStream(context, socket, address, directTls));
      } else {
        log.debug({ address }, "too many connections of servers that nobody knows");
        socket.destroy();
      }
    },
  });
  return {
    port: listeners.port,
    directTlsPort: listeners.directTlsPort,
    async close() {
      listeners.close();
      await streams.close();
    },
  };
}
