/** The port for the web. */
import { once } from "node:events";
import { ServerResponse, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createAdaptorServer } from "@hono/node-server";
import type { Hono } from "hono";

/** How long a request may take to come in, in milliseconds: 100 MB over a slow line. */
const requestTimeout = 3_600_000;
/** How long requests under way may take once the node is told to stop, in milliseconds. */
const grace = 2_000;

export interface HttpListener {
  /** The port really listened on. */
  readonly port: number | undefined;
  close(): Promise<void>;
}

/** Takes over a connection whose client asks to speak WebSocket on it (RFC 9110 §7.8, RFC 6455 §4). */
export type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Serves the app; `port` 0 is any free one, `false` none. All addresses where `host` is `undefined`. */
export async function listenHttp(
  app: Hono,
  port: number | false,
  host: string | undefined,
  upgrades: ReadonlyMap<string, Upgrade> = new Map(),
): Promise<HttpListener> {
  if (port === false) return { port: undefined, close: async () => undefined };
  const server = createAdaptorServer({ fetch: app.fetch, serverOptions: { requestTimeout } }) as Server;
  server.on("upgrade", (request, socket, head) => {
    // From here on the server listens no more, and an error to which nobody listens ends the process.
    socket.on("error", () => socket.destroy());
    const upgrade = upgrades.get(request.url?.split("?")[0] ?? "");
    if (upgrade && request.headers.upgrade?.toLowerCase() === "websocket")
      return upgrade(request, socket, head);
    // Any other protocol, such as the h2c that some clients always ask for, is an offer that need not be taken.
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Socket);
    response.once("finish", () => socket.end(() => socket.destroy()));
    // Its body, had it one, is not read any more.
    if (request.method === "GET" || request.method === "HEAD") server.emit("request", request, response);
    else response.writeHead(400).end();
  });
  await once(server.listen(port, host), "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const impatient = setTimeout(() => server.closeAllConnections(), grace);
      await new Promise((resolve) => server.close(resolve));
      clearTimeout(impatient);
    },
  };
}
