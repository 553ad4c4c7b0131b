/** The port for the web. */
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import type { Hono } from "hono";

/** How long requests under way may take once the node is told to stop, in milliseconds. */
const grace = 2_000;

export interface HttpListener {
  /** The port really listened on. */
  readonly port: number | undefined;
  close(): Promise<void>;
}

/** Serves the app; `port` 0 is any free one, `false` none. All addresses where `host` is `undefined`. */
export async function listenHttp(
  app: Hono,
  port: number | false,
  host: string | undefined,
): Promise<HttpListener> {
  if (port === false) return { port: undefined, close: async () => undefined };
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
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
