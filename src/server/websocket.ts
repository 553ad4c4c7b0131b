/** RFC 7395 §3.1: clients that come in by a WebSocket handshake on the HTTP port. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Socket } from "node:net";
import { WebSocketServer } from "ws";
import { limitsAfterAuthentication, limitsBeforeAuthentication } from "../xmpp/parser.ts";
import type { Logger } from "../log.ts";
import type { AcceptClient } from "./c2s.ts";
import { XmppStream } from "./stream.ts";
import { webSocketFraming, WebSocketWire } from "./websocket-wire.ts";

/** RFC 7395 §3.1 */
const subprotocol = "xmpp";

export interface WebSocketOptions {
  readonly accept: AcceptClient;
  /** Who asks; `undefined` where they are gone. */
  client(request: IncomingMessage): { readonly address: string; readonly isEncrypted: boolean } | undefined;
  readonly requireTls: boolean;
  readonly log: Logger;
}

/** Takes over connections that ask to become WebSockets. */
export function webSockets({ accept, client, requireTls, log }: WebSocketOptions) {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // A secret and what a stranger writes must not share a compression state (CRIME).
    perMessageDeflate: false,
    maxPayload: limitsAfterAuthentication.stanzaBytes,
    handleProtocols: () => subprotocol,
  });
  return (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const from = client(request);
    if (!from) return void socket.destroy();
    const { address, isEncrypted } = from;
    if (requireTls && !isEncrypted)
      return refuse(socket, "403 Forbidden", "XMPP is spoken here over wss: only.");
    const offered = request.headers["sec-websocket-protocol"]?.split(",").map((one) => one.trim());
    if (!offered?.includes(subprotocol)) return refuse(socket, "400 Bad Request", "The subprotocol is xmpp.");
    server.handleUpgrade(request, socket, head, (webSocket) => {
      const wire = new WebSocketWire(webSocket, socket as Socket, address, limitsBeforeAuthentication);
      const accepted = accept(
        (handler) => new XmppStream(wire, handler, log),
        webSocketFraming(isEncrypted),
        address,
      );
      if (accepted) return;
      // RFC 6455 §7.4.1: try again later.
      webSocket.close(1013);
      webSocket.on("error", () => webSocket.terminate());
    });
  };
}

function refuse(socket: Duplex, status: string, why: string): void {
  // Who does not go then has to.
  socket.once("finish", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n${why}\n`);
}
