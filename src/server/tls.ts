/** TLS for the listeners: RFC 7590, XEP-0368. A connection keeps the certificate that it began with. */
import { constants, X509Certificate } from "node:crypto";
import { isIP, type Socket } from "node:net";
import {
  connect,
  createSecureContext,
  TLSSocket,
  type SecureContext,
  type SecureContextOptions,
} from "node:tls";
import { domainToASCII } from "node:url";
import type { ChannelBindings } from "../xmpp/sasl/scram-exchange.ts";
import { TrustedRoots } from "./certificate-chain.ts";
import { channelBindings, endPointHash } from "./channel-binding.ts";
import { trustOf, type PeerTrust } from "./s2s-certificate.ts";

/** PEM: the certificate with its chain, its key, and the authorities to be trusted beside Node's own. */
export interface Pem {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string | undefined;
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
  /** Towards clients. */
  readonly context: SecureContext;
  readonly endPoint: Buffer | undefined;
  /** Towards other servers, at either end. */
  readonly peerContext: SecureContext;
  readonly roots: TrustedRoots;
}

/** A connection under TLS; the handshake may still be under way. */
export interface SecureChannel {
  readonly socket: TLSSocket;
  /** What authentication can be bound to, once the handshake is over. */
  bindings(): ChannelBindings;
}

/** A connection under TLS with another server. */
export interface PeerChannel extends SecureChannel {
  /** What its certificate is worth, once the handshake is over and while the connection is open. */
  trust(): PeerTrust;
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
    const secured = serverSide(socket, context, alpn);
    return { socket: secured, bindings: () => channelBindings(secured, endPoint) };
  }

  /** The same towards another server: its certificate is asked for, and one that is not valid ends nothing. */
  wrapPeer(socket: Socket, alpn?: readonly string[]): PeerChannel {
    const { peerContext, endPoint, roots } = this.#identity;
    const secured = serverSide(socket, peerContext, alpn, true);
    return {
      socket: secured,
      bindings: () => channelBindings(secured, endPoint),
      trust: () => trustOf(secured, roots),
    };
  }

  /** Begins a handshake with the server of a domain; a certificate that is not valid ends nothing. */
  connectPeer(socket: Socket, domain: string, alpn?: readonly string[]): PeerChannel {
    const { peerContext, roots } = this.#identity;
    const host = domainToASCII(domain);
    const secured = connect({
      socket,
      secureContext: peerContext,
      // RFC 6066 §3: an address is no server name.
      ...(!isIP(host.replace(/^\[|\]$/g, "")) && { servername: host }),
      ...(alpn && { ALPNProtocols: [...alpn] }),
      rejectUnauthorized: false,
    });
    return {
      socket: secured,
      bindings: () => channelBindings(secured, undefined),
      trust: () => trustOf(secured, roots),
    };
  }
}

function serverSide(
  socket: Socket,
  secureContext: SecureContext,
  alpn: readonly string[] | undefined,
  requestCert = false,
): TLSSocket {
  const secured = new TLSSocket(socket, {
    isServer: true,
    secureContext,
    requestCert,
    rejectUnauthorized: false,
    ...(alpn && { ALPNProtocols: [...alpn] }),
  });
  // Node tells errors after the handshake only to a tls.Server, or by this event: a broken record must end it.
  secured.on("_tlsError", destroyWith);
  return secured;
}

function destroyWith(this: Socket, error: Error): void {
  this.destroy(error);
}

function identityOf({ cert, key, ca }: Pem): Identity {
  const roots = new TrustedRoots(ca);
  const settings: SecureContextOptions = {
    cert,
    key,
    ciphers,
    honorCipherOrder: true,
    minVersion: "TLSv1.2",
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  };
  return {
    context: createSecureContext(settings),
    endPoint: endPointHash(new X509Certificate(cert)),
    peerContext: createSecureContext({
      ...settings,
      ...(roots.pem && { ca: roots.pem }),
      // A session that is taken up again would not show the certificate's chain again.
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_TICKET,
    }),
    roots,
  };
}
