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

/** An IPv4 address on a socket that takes both kinds. */
const ipv4InIpv6 = /^::ffff:(?=\d+\.)/;
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
  const streams = new Set<ClientStream>();
  let emptied: () => void = () => undefined;
  const context: ClientContext = {
    ...options,
    features: options.features ?? [],
    timing: { ...defaultTiming, ...options.timing },
    throttle: new LoginThrottle(),
    unbound: new UnboundConnections(),
    gone(stream) {
      streams.delete(stream);
      if (streams.size === 0) emptied();
    },
  };
  const accept = (socket: Socket, directTls: boolean): void => {
    const address = socket.remoteAddress?.replace(ipv4InIpv6, "");
    // Without one it is gone already.
    if (address === undefined) return void socket.destroy();
    if (context.unbound.enter(address)) {
      streams.add(new ClientStream(context, socket, address, directTls));
    } else {
      options.log.debug({ address }, "too many connections without a login");
      socket.destroy();
    }
  };
  const open = async (port: number | false, directTls: boolean): Promise<Listener | undefined> =>
    port === false ? undefined : listen({ ...options, port, accept: (socket) => accept(socket, directTls) });
  const plain = await open(options.port, false);
  const direct = await open(options.directTlsPort, true).catch((error: unknown) => {
    plain?.close();
    throw error;
  });
  const sweep = setInterval(() => {
    const now = performance.now();
    for (const stream of streams) stream.sweep(now);
  }, context.timing.sweep);
  sweep.unref();
  return {
    port: plain?.port,
    directTlsPort: direct?.port,
    async close() {
      clearInterval(sweep);
      plain?.close();
      direct?.close();
      for (const stream of streams) stream.close(new StreamError("system-shutdown"));
      if (streams.size === 0) return;
      await new Promise<void>((resolve) => {
        const deadline = setTimeout(resolve, maxShutdown);
        emptied = () => {
          clearTimeout(deadline);
          resolve();
        };
      });
      for (const stream of streams) stream.destroy();
    },
  };
}
