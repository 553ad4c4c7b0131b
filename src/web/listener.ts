/** The port for the web. */
import { once } from "node:events";
import type { IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";
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

/** Takes over a connection whose client asks for another protocol (RFC 9110 §7.8). */
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
    if (upgrade) return upgrade(request, socket, head);
    socket.once("finish", () => socket.destroy());
    socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
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
