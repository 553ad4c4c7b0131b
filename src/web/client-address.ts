/** Who is at the other end of an HTTP request, where a proxy may stand in between. */
import type { IncomingMessage } from "node:http";
import type { Config } from "../config.ts";

const loopback = /^(?:127\.|::1$)/;
const ipv4InIpv6 = /^::ffff:(?=\d+\.)/;

export interface Client {
  readonly address: string;
  /** Whether nobody between the client and this machine can read along. */
  readonly isEncrypted: boolean;
}

/**
 * What a proxy on this machine says of its clients is believed; what comes from elsewhere is believed only to its own
 * disadvantage. `undefined` where the connection is gone.
 */
export const clientsOf =
  ({ url }: Pick<Config, "url">) =>
  ({ socket, headers }: IncomingMessage): Client | undefined => {
    const peer = socket.remoteAddress?.replace(ipv4InIpv6, "");
    if (peer === undefined) return undefined;
    const last = (name: string): string | undefined => headers[name]?.toString().split(",").at(-1)?.trim();
    const isNear = loopback.test(peer);
    const isForwarded = headers["x-forwarded-for"] !== undefined;
    return {
      address: (isNear && last("x-forwarded-for")) || peer,
      isEncrypted:
        (isNear && !isForwarded) ||
        (url.startsWith("https:") && (last("x-forwarded-proto") ?? (isNear ? "https" : "http")) === "https"),
    };
  };
