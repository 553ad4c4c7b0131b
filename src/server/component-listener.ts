/** XEP-0114, "accept": the port to which components connect. Streams are in the clear, as the protocol has them. */
import type { Socket } from "node:net";
import type { Events } from "../events.ts";
import type { Logger } from "../log.ts";
import { limitsBeforeAuthentication } from "../xmpp/parser.ts";
import { defaultTiming, type Timing } from "./client-stream.ts";
import { ComponentStream, type ComponentContext } from "./component-stream.ts";
import type { Components } from "./components.ts";
import type { ServerEvents } from "./events.ts";
import { listenBoth } from "./listener.ts";
import type { Router } from "./router.ts";
import { StreamSet } from "./stream-set.ts";
import { XmppStream, type StreamHandler } from "./stream.ts";
import { TcpWire } from "./tcp-wire.ts";
import { LoginThrottle, UnboundConnections } from "./throttle.ts";

export interface ComponentOptions {
  /** The node's own. */
  readonly domain: string;
  readonly host: string;
  /** 0 is any free one. */
  readonly port: number;
  readonly components: Components;
  readonly router: Router;
  readonly events: Events<ServerEvents>;
  readonly log: Logger;
  readonly timing?: Partial<Timing>;
}

export interface ComponentPort {
  /** The port really listened on. */
  readonly port: number;
  /** Tells all components that the server goes, and is over soon after. */
  close(): Promise<void>;
}

/** Listens for components; rejects where the port cannot be had. */
export async function listenComponents(options: ComponentOptions): Promise<ComponentPort> {
  const timing = { ...defaultTiming, ...options.timing };
  const streams = new StreamSet<ComponentStream>(timing.sweep);
  const context: ComponentContext = {
    ...options,
    timing,
    throttle: new LoginThrottle(),
    unbound: new UnboundConnections(),
    gone: (stream) => streams.delete(stream),
  };
  const accept = (socket: Socket, address: string): void => {
    if (!context.unbound.enter(address)) return void socket.destroy();
    const carry = (handler: StreamHandler): XmppStream =>
      new XmppStream(new TcpWire(socket, limitsBeforeAuthentication), handler, options.log);
    streams.add(new ComponentStream(context, carry, address));
  };
  const listeners = await listenBoth({ ...options, directTlsPort: false, accept });
  return {
    port: listeners.port!,
    async close() {
      listeners.close();
      await streams.close();
    },
  };
}
