/** The ports for clients: STARTTLS (RFC 6120 §5) and direct TLS (XEP-0368). */
import type { Socket } from "node:net";
import type { Events } from "../events.ts";
import type { Logger } from "../log.ts";
import { limitsBeforeAuthentication } from "../xmpp/parser.ts";
import type { Element } from "../xmpp/xml.ts";
import type { BindExtension } from "./bind2.ts";
import type { ClientRegistry } from "./client-registry.ts";
import { ClientStream, defaultTiming, type ClientContext, type Timing } from "./client-stream.ts";
import { tcpFraming, type Carry, type Framing } from "./client-transport.ts";
import type { ServerEvents } from "./events.ts";
import type { Hibernation } from "./hibernation.ts";
import { listenBoth } from "./listener.ts";
import type { Registrar } from "./registration.ts";
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
  readonly clients?: ClientRegistry;
  readonly registrar?: Registrar;
  readonly sessions: Sessions;
  readonly hibernation: Hibernation;
  readonly router: Router;
  readonly events: Events<ServerEvents>;
  readonly log: Logger;
  /** What stands in the features of an authenticated stream beside the server's own. */
  readonly features?: readonly (() => Element)[];
  readonly bindExtensions?: readonly BindExtension[];
  readonly timing?: Partial<Timing>;
}

/** Takes in a client on a transport of any kind; `false` where too many of that network are not logged in yet. */
export type AcceptClient = (carry: Carry, framing: Framing, address: string) => ClientStream | false;

export interface C2s {
  /** The ports really listened on. */
  readonly port: number | undefined;
  readonly directTlsPort: number | undefined;
  readonly accept: AcceptClient;
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
    bindExtensions: options.bindExtensions ?? [],
    timing,
    throttle: new LoginThrottle(),
    unbound: new UnboundConnections(),
    gone: (stream) => streams.delete(stream),
  };
  const accept: AcceptClient = (carry, framing, address) => {
    if (!context.unbound.enter(address)) {
      options.log.debug({ address }, "too many connections without a login");
      return false;
    }
    const stream = new ClientStream(context, carry, framing, address);
    streams.add(stream);
    return stream;
  };
  const acceptSocket = (socket: Socket, address: string, directTls: boolean): void => {
    const wire = new TcpWire(socket, limitsBeforeAuthentication);
    const stream = accept((handler) => new XmppStream(wire, handler, options.log), tcpFraming, address);
    if (!stream) socket.destroy();
    else if (directTls) stream.secure(["xmpp-client"]);
  };
  const listeners = await listenBoth({ ...options, accept: acceptSocket });
  return {
    port: listeners.port,
    directTlsPort: listeners.directTlsPort,
    accept,
    async close() {
      listeners.close();
      await streams.close();
    },
  };
}
