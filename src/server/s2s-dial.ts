/** Reaching one of several addresses over TCP: RFC 8305 §5, for RFC 6120 §3.2. */
import { connect, type Socket } from "node:net";
import type { S2sTarget } from "./s2s-discovery.ts";

/** RFC 8305 §8: how long an address may take before the next one is tried beside it, in milliseconds. */
const stagger = 250;
/** How long all addresses together may take at most, in milliseconds: TCP's third repeated SYN has had its answer. */
const maxDial = 20_000;
/** The kernel finds dead peers that never answer; well below the hours that it takes by default, in milliseconds. */
const keepAliveDelay = 300_000;

export interface DialOptions {
  /** Begins a connection; TCP where `undefined`. */
  readonly connect?: (target: S2sTarget) => Socket;
  /** How long all addresses together may take, where that is less than usual; in milliseconds. */
  readonly limit?: number;
}

export interface Dialled {
  /** Connected, and nothing sent or read yet. */
  readonly socket: Socket;
  readonly target: S2sTarget;
}

/** No address could be reached; the message says in one line what each of them said. */
export class DialError extends Error {
  override readonly name = "DialError";
}

/** The first target that can be reached, trying them in order; rejects with `DialError`. */
export function dial(targets: readonly S2sTarget[], options: DialOptions = {}): Promise<Dialled> {
  const { connect: begin = connectTcp, limit = maxDial } = options;
  return new Promise((resolve, reject) => {
    const underWay = new Map<Socket, S2sTarget>();
    const failures: string[] = [];
    let next = 0;
    let headStart: NodeJS.Timeout | undefined;

    const conclude = (): void => {
      clearTimeout(headStart);
      clearTimeout(deadline);
      for (const socket of underWay.keys()) discard(socket);
    };
    const fail = (): void => {
      conclude();
      for (const target of underWay.values()) failures.push(`${placeOf(target)}: no answer`);
      for (const target of targets.slice(next)) failures.push(`${placeOf(target)}: not tried in time`);
      reject(new DialError(failures.join("; ") || "there is no address to try"));
    };
    const attempt = (): void => {
      clearTimeout(headStart);
      const target = targets[next];
      if (!target) {
        if (underWay.size === 0) fail();
        return;
      }
      next += 1;
      const socket = begin(target);
      underWay.set(socket, target);
      socket.once("connect", () => {
        underWay.delete(socket);
        conclude();
        socket.removeAllListeners("error");
        resolve({ socket, target });
      });
      socket.once("error", (error: NodeJS.ErrnoException) => {
        underWay.delete(socket);
        failures.push(`${placeOf(target)}: ${inWords(error)}`);
        attempt();
      });
      headStart = setTimeout(attempt, stagger);
    };

    const deadline = setTimeout(fail, Math.min(limit, maxDial));
    attempt();
  });
}

function connectTcp({ host, port }: S2sTarget): Socket {
  return connect({
    host,
    port,
    // As for those who come to us: our side may still have to say something after theirs has ended.
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveDelay,
  });
}

function discard(socket: Socket): void {
  socket.removeAllListeners();
  socket.on("error", () => undefined);
  socket.destroy();
}

/** A target, for logs. */
export const placeOf = ({ name, host, port }: S2sTarget): string =>
  name === host ? `${host} port ${port}` : `${name} (${host}) port ${port}`;

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the connection was reset",
  EHOSTUNREACH: "the address cannot be reached",
  ENETUNREACH: "there is no route to the address",
  EADDRNOTAVAIL: "there is no route to the address",
  ETIMEDOUT: "no answer",
};

/** What a connection broke by, for logs. */
export const inWords = ({ code, message }: NodeJS.ErrnoException): string =>
  words[code ?? ""] ?? code ?? message;
