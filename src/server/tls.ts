/** TLS for the listeners: RFC 7590, XEP-0368. A connection keeps the certificate that it began with. */
import { constants, X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { createSecureContext, TLSSocket, type SecureContext } from "node:tls";
import type { ChannelBindings } from "../xmpp/sasl/scram-exchange.ts";
import { channelBindings, endPointHash } from "./channel-binding.ts";

/** PEM: the certificate with its chain, and its key. */
export interface Pem {
  readonly cert: string;
  readonly key: string;
}

/** RFC 9325 §4.2: forward secrecy and authenticated encryption; CBC only for what cannot do better. */
const ciphers = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE+AESGCM",
  "ECDHE+CHACHA20",
  "ECDHE+AES",
].join(":");

interface Identity {
  readonly context: SecureContext;
  readonly endPoint: Buffer | undefined;
}

/** A connection under TLS; the handshake may still be under way. */
export interface SecureChannel {
  readonly socket: TLSSocket;
  /** What authentication can be bound to, once the handshake is over. */
  bindings(): ChannelBindings;
}

export class ServerTls {
  #identity: Identity;

  /** Throws where certificate and key are no pair. */
  constructor(pem: Pem) {
    this.#identity = identityOf(pem);
  }

  /** New handshakes use this pair at once; where it throws, they go on with the old one. */
  reload(pem: Pem): void {
    this.#identity = identityOf(pem);
  }

  /**
   * Makes this end of a connection the server of a TLS handshake. Given ALPN protocols, a client that offers others
   * is refused (RFC 7301 §3.2), one that offers none is not.
   */
  wrap(socket: Socket, alpn?: readonly string[]): SecureChannel {
    const { context, endPoint } = this.#identity;
    const secured = new TLSSocket(socket, {
      isServer: true,
      secureContext: context,
      requestCert: false,
      ...(alpn && { ALPNProtocols: [...alpn] }),
    });
    // Node tells errors after the handshake only to a tls.Server, or by this event: a broken record must end it.
    secured.on("_tlsError", destroyWith);
    return { socket: secured, bindings: () => channelBindings(secured, endPoint) };
  }
}

function destroyWith(this: Socket, error: Error): void {
  this.destroy(error);
}

function identityOf({ cert, key }: Pem): Identity {
  const context = createSecureContext({
    cert,
    key,
    ciphers,
    honorCipherOrder: true,
    minVersion: "TLSv1.2",
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  });
  return { context, endPoint: endPointHash(new X509Certificate(cert)) };
}
