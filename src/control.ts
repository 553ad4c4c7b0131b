/** The way into a running node for the command line: a Unix socket in the data directory, one JSON line each way. */
import { once } from "node:events";
import { chmodSync, closeSync, openSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join, relative } from "node:path";
import type { Logger } from "./log.ts";
import type { Command, Reply } from "./verbs.ts";

/** `sockaddr_un` holds 108 bytes on Linux and 104 on others, the zero at the end included. */
const maxPathBytes = 103;
/** The list of 10,000 accounts, or any post, with room to spare. */
const maxMessageBytes = 4 * 1024 * 1024;
/** How long a command may take, in milliseconds; deriving verifiers is the slowest. */
const replyTimeout = 60_000;

export interface Control {
  close(): Promise<void>;
}

/** Takes commands until closed. The caller has the data directory's lock, so a socket left there is stale. */
export async function listenForCommands(
  data: string,
  execute: (command: Command) => Promise<Reply>,
  log: Logger,
): Promise<Control> {
  const file = join(data, "control");
  rmSync(file, { force: true });
  const address = addressOf(data);
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", (error) => log.debug({ err: error }, "a command's connection broke"));
    readAll(socket)
      .then((text) => execute(JSON.parse(text) as Command))
      .then((reply) => socket.end(JSON.stringify(reply)))
      .catch((error: unknown) => {
        log.warn({ err: error }, "a command could not be read");
        socket.destroy();
      });
  });
  try {
    await once(server.listen(address.path), "listening");
    chmodSync(file, 0o600);
  } catch (error) {
    address.release();
    throw error;
  }
  return {
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
      address.release();
      rmSync(file, { force: true });
    },
  };
}

/** Lets the node on `data` carry out a command, `slow` if that may take long; `undefined` where none listens. */
export async function sendCommand(data: string, command: Command, slow = false): Promise<Reply | undefined> {
  const socket = await reach(data).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ECONNREFUSED") return undefined;
    throw error;
  });
  if (!socket) return undefined;
  socket.setTimeout(slow ? 0 : replyTimeout, () => socket.destroy(new Error("the node does not answer")));
  socket.end(JSON.stringify(command));
  return JSON.parse(await readAll(socket)) as Reply;
}

async function reach(data: string): Promise<Socket> {
  const address = addressOf(data);
  try {
    const socket = connect({ path: address.path, allowHalfOpen: true });
    await once(socket, "connect");
    return socket;
  } finally {
    address.release();
  }
}

/** A path for the socket that fits, however deep the directory lies: on Linux, by way of an open directory. */
function addressOf(data: string): { path: string; release(): void } {
  const file = join(data, "control");
  for (const path of [file, relative(process.cwd(), file)]) {
    if (Buffer.byteLength(path) <= maxPathBytes) return { path, release() {} };
  }
  if (process.platform !== "linux") {
    throw new Error(`data: ${data} is too long a path for a socket; at most ${maxPathBytes - 8} bytes`);
  }
  const directory = openSync(data, "r");
  return { path: `/proc/self/fd/${directory}/control`, release: () => closeSync(directory) };
}

/** All that the peer sends. Not by iteration, which would end the socket before it can be answered. */
function readAll(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    socket.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxMessageBytes) socket.destroy(new Error("a command is too long"));
      else chunks.push(chunk);
    });
    socket.once("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("the connection ended before the answer")));
  });
}
