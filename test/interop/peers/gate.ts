/** The way to a server, which a test can shut, and on which it can stop everything after so many bytes. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

export class Gate implements AsyncDisposable {
  readonly #server: Server;
  readonly #host: string;
  readonly #port: number;
  readonly #ways = new Set<Socket>();
  #isOpen = true;
  /** How many more bytes may go in. */
  #left = Infinity;
  #full = (): void => undefined;

  private constructor(server: Server, host: string, port: number) {
    this.#server = server;
    this.#host = host;
    this.#port = port;
    server.on("connection", (socket) => this.#lead(socket));
  }

  /** Before a server on that address, and on a port of its own there. */
  static async before(host: string, port: number): Promise<Gate> {
    const server = createServer({ noDelay: true, allowHalfOpen: true });
    await once(server.listen(0, host), "listening");
    return new Gate(server, host, port);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Lets so many bytes more go in, and then none; resolves when they have. What comes out is not held up. */
  stopsAfter(bytes: number): Promise<void> {
    this.#left = bytes;
    return new Promise((resolve) => (this.#full = resolve));
  }

  /** Lets everything through that comes from now on. */
  opens(): void {
    this.#isOpen = true;
    this.#left = Infinity;
  }

  /** Breaks the connections that there are, and all that come. */
  shuts(): void {
    this.#isOpen = false;
    for (const socket of this.#ways) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.shuts();
    await once(this.#server.close(), "close");
  }

  #lead(socket: Socket): void {
    if (!this.#isOpen) return void socket.resetAndDestroy();
    const inside = connect({
      host: this.#host,
      port: this.#port,
      localAddress: this.#host,
      noDelay: true,
      allowHalfOpen: true,
    });
    this.#ways.add(socket);
    let isOver = false;
    const ends = (): void => {
      isOver = true;
      socket.end();
      // Whoever goes on to the end of what they have to say finds out that nobody is there.
      socket.resume();
    };
    inside.on("data", (chunk: Buffer) => socket.write(chunk));
    inside.on("end", ends);
    inside.on("error", () => socket.resetAndDestroy());
    socket.on("data", (chunk: Buffer) => {
      if (isOver) return;
      inside.write(chunk.subarray(0, this.#left));
      this.#left = Math.max(this.#left - chunk.length, 0);
      if (this.#left > 0) return;
      // What is left of the chunk is lost with the connection.
      socket.pause();
      this.#full();
    });
    socket.on("end", () => inside.end());
    socket.on("error", () => inside.destroy());
    socket.on("close", () => {
      this.#ways.delete(socket);
      inside.destroy();
    });
  }
}
