/** A way to a port of a node on which connections can be lost, as a phone loses them in a tunnel. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";

/** What does not arrive: that of the server, or that of both sides. */
type Lost = "nothing" | "answers" | "everything";

export class Gate {
  readonly #target: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #lost: Lost = "nothing";

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((client) => this.#joins(client));
  }

  /** Before a port on loopback; it goes with the test. */
  static async open(t: TestContext, target: number): Promise<Gate> {
    const gate = new Gate(target);
    await once(gate.#server.listen(0, "127.0.0.1"), "listening");
    t.after(() => {
      gate.#server.close();
      gate.breaks();
    });
    return gate;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on that does not arrive any more on any connection, and neither side can tell. */
  loses(what: Lost): void {
    this.#lost = what;
  }

  /** The connections that are there end without a goodbye; new ones are as connections should be. */
  breaks(): void {
    this.#lost = "nothing";
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  #joins(client: Socket): void {
    const upstream = connect(this.#target, "127.0.0.1");
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("data", (bytes: Buffer) => {
        const arrives = this.#lost === "nothing" || (this.#lost === "answers" && socket === client);
        if (arrives) other.write(bytes);
      });
      socket.on("error", () => other.destroy());
      socket.on("end", () => other.end());
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }
}
