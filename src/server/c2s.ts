/** The ports for clients: STARTTLS (RFC 6120 §5) and direct TLS (XEP-0368). */
import type { Socket } from "node:net";
import type { Events } from "../events.ts";
import type { Logger } from "../log.ts";
import { limitsBeforeAuthentication } from "../xmpp/parser.ts";
import type { Element } from "../xmpp/xml.ts";
import { ClientStream, defaultTiming, type ClientContext, type Timing } from "./client-stream.ts";
import { tcpFraming, type Carry } from "./client-transport.ts";
import type { ServerEvents } from "./events.ts";
import { listenBoth } from "./listener.ts";
import type { Router } from "./router.ts";
import type { Authenticator } from "./sasl.ts";
import type { Sessions } from "./sessions.ts";
import { StreamSet } from "./stream-set.ts";
import { XmppStream } from "./stream.ts";
import { TcpWire } from "./tcp-wire.ts";
import { LoginThrottle, UnboundConnections } from "./throttle.ts";
import type { ServerTls } from "./tls.ts";

export type { Authenticator };

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
  /** Tells all clients that the server goes, and is over soon after. */
  close(): Promise<void>;
}

/** Listens for clients; rejects where a port cannot be had. */
export async function listenC2s(options: C2sOptions): Promise<C2s> {
  const timing = { ...defaultTiming, ...options.timing };
  const streams = new StreamSet<ClientStream>(timing.sweep);
  const context: ClientContext = {
    ...options,
    features: options.features ?? [],
    timing,
    throttle: new LoginThrottle(),
    unbound: new UnboundConnections(),
    gone: (stream) => streams.delete(stream),
  };
  const accept = (socket: Socket, address: string, directTls: boolean): void => {
    if (!context.unbound.enter(address)) {
      options.log.debug({ address }, "too many connections without a login");
      return void socket.destroy();
    }
    const carry: Carry = (handler) =>
      new XmppStream(new TcpWire(socket, limitsBeforeAuthentication), handler, options.log);
    const stream = new ClientStream(context, carry, tcpFraming, address);
    if (directTls) stream.secure(["xmpp-client"]);
    streams.add(stream);
  };
  const listeners = await listenBoth({ ...options, accept });
  return {
    port: listeners.port,
    directTlsPort: listeners.directTlsPort,
    async close() {
      listeners.close();
      await streams.close();
    },
  };
}
