/** The ports for clients: STARTTLS (RFC 6120 §5) and direct TLS (XEP-0368). */
import type { Socket } from "node:net";
import type { Events } from "../events.ts";
import type { Logger } from "../log.ts";
import { StreamError } from "../xmpp/errors.ts";
import type { Element } from "../xmpp/xml.ts";
import { ClientStream, defaultTiming, type ClientContext, type Timing } from "./client-stream.ts";
import type { ServerEvents } from "./events.ts";
import { listen, type Listener } from "./listener.ts";
import type { Router } from "./router.ts";
import type { Authenticator } from "./sasl.ts";
import type { Sessions } from "./sessions.ts";
import { LoginThrottle, UnboundConnections } from "./throttle.ts";
import type { ServerTls } from "./tls.ts";

export type { Authenticator };

/** How long clients may take to go when the server does, in milliseconds. */
const maxShutdown = 2_000;

export interface C2sOptions {
  readonly domain: string;
  /** The address to listen on; all of them where `undefined`. */
  readonly host: string | undefined;
  /** For STARTTLS; 0 is any free one, `false` none. */
  readonly port: number | false;
  readonly directTlsPort: number | false;
  readonly tls: ServerTls;
  readonly requireTls: boolean;
  readonly authenticator: Authenticator;
  readonly sessions: Sessions;
  readonly router: Router;
  readonly events: Events<ServerEvents>;
  readonly log: Logger;
  /** What stands in the features of an authenticated stream beside the server's own. */
  readonly features?: readonly (() => Element)[];
  readonly timing?: Partial<Timing>;
}

export interface C2s {
  /** The ports really listened on. */
  readonly port: number | undefined;
  readonly directTlsPort: number | undefined;
  /** Tells all clients that the server goes, and is over within `maxShutdown`. */
  close(): Promise<void>;
}

/** Listens for clients; rejects where a port cannot be had. */
export async function listenC2s(options: C2sOptions): Promise<C2s> {
  const context: ClientContext = {
    ...options,
    features: options.features ?? [],
    timing: { ...defaultTiming, ...options.timing },
    throttle: new LoginThrottle(),
    unbound: new UnboundConnections(),
    streams: new Set(),
  };
  const open = async (port: number | false, directTls: boolean): Promise<Listener | undefined> =>
    port === false
      ? undefined
      : listen({ ...options, port, accept: (socket) => accept(context, socket, directTls) });
  const plain = await open(options.port, false);
  const direct = await open(options.directTlsPort, true).catch((error: unknown) => {
    void plain?.close();
    throw error;
  });
  const sweep = setInterval(() => {
    const now = performance.now();
    for (const stream of context.streams) stream.sweep(now);
  }, context.timing.sweep);
  sweep.unref();
  return {
    port: plain?.port,
    directTlsPort: direct?.port,
    async close() {
      clearInterval(sweep);
      const closed = Promise.all([plain?.close(), direct?.close()]);
      for (const stream of context.streams) stream.close(new StreamError("system-shutdown"));
      const deadline = setTimeout(() => {
        for (const stream of context.streams) stream.destroy();
      }, maxShutdown);
      await closed;
      clearTimeout(deadline);
    },
  };
}

function accept(context: ClientContext, socket: Socket, directTls: boolean): void {
  // IPv4 on a socket for both kinds.
  const address = socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, "");
  if (address === undefined || !context.unbound.enter(address)) {
    context.log.debug({ address }, "a connection too many");
    socket.destroy();
    return;
  }
  new ClientStream(context, socket, address, directTls);
}
