/** RFC 8305 §5: reaching one of several addresses, on real sockets and with the clock in hand. */
import assert from "node:assert";
import { once } from "node:events";
import { createServer, Socket, type AddressInfo, type Server } from "node:net";
import { after, describe, mock, test } from "node:test";
import { dial, DialError } from "../../src/server/s2s-dial.ts";
import type { S2sTarget } from "../../src/server/s2s-discovery.ts";

async function listen(host: string): Promise<{ server: Server; target: S2sTarget }> {
  const server = createServer((socket) => socket.on("error", () => undefined).resume());
  await once(server.listen(0, host), "listening");
  after(() => server.close());
  return { server, target: at(host, (server.address() as AddressInfo).port) };
}

const at = (host: string, port: number): S2sTarget => ({ host, port, directTls: false, name: "one.example" });

/** A port that nothing listens on. */
async function closedPort(): Promise<S2sTarget> {
  const { server, target } = await listen("127.0.0.1");
  await new Promise((resolve) => server.close(resolve));
  return target;
}

for (const host of ["127.0.0.1", "::1"]) {
  test(`an address that answers: ${host}`, async () => {
    const { server, target } = await listen(host);
    const accepted = once(server, "connection") as Promise<[Socket]>;
    const dialled = await dial([target]);
    assert.equal(dialled.target, target);
    const [far] = await accepted;
    // Nothing is read before somebody listens.
    far.end("hello");
    assert.equal(String((await once(dialled.socket, "data"))[0]), "hello");
    dialled.socket.destroy();
  });
}

test("the next one at once where one is refused", async () => {
  const refused = await closedPort();
  const { target } = await listen("127.0.0.1");
  const { socket, target: reached } = await dial([refused, refused, target]);
  assert.equal(reached, target);
  assert.equal(socket.listenerCount("error"), 0);
  socket.destroy();
});

test("where none answers, it is said what each of them did", async () => {
  const refused = await closedPort();
  const local = { ...refused, name: "127.0.0.1", port: 1 };
  await assert.rejects(dial([refused, local]), {
    name: "DialError",
    message: `one.example (127.0.0.1) port ${refused.port}: nothing listens there; 127.0.0.1 port 1: nothing listens there`,
  });
  await assert.rejects(dial([]), DialError);
});

describe("with addresses that are silent", () => {
  /** Sockets that do nothing by themselves, a clock that stands still, and what was begun so far. */
  function silence() {
    mock.timers.enable({ apis: ["setTimeout"] });
    const sockets: Socket[] = [];
    const connect = () => sockets[sockets.push(new Socket()) - 1]!;
    const targets = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((host) => at(host, 5269));
    return {
      sockets,
      connect,
      targets,
      clock: mock.timers,
      [Symbol.dispose]: () => mock.timers.reset(),
    };
  }

  test("the next one is begun a quarter of a second later, and the first to answer wins", async () => {
    using stage = silence();
    const { sockets, clock, targets, connect } = stage;
    const dialled = dial(targets, { connect });
    assert.equal(sockets.length, 1);
    clock.tick(249);
    assert.equal(sockets.length, 1);
    clock.tick(1);
    assert.equal(sockets.length, 2);
    sockets[0]!.emit("connect");
    const { socket, target } = await dialled;
    assert.equal(socket, sockets[0]);
    assert.equal(target, targets[0]);
    assert.deepEqual(
      sockets.map((other) => other.destroyed),
      [false, true],
    );
    clock.tick(1_000);
    assert.equal(sockets.length, 2);
  });

  test("a failure brings the next one forward, and it has its own quarter of a second", async () => {
    using stage = silence();
    const { sockets, clock, targets, connect } = stage;
    const dialled = dial(targets, { connect });
    clock.tick(200);
    sockets[0]!.emit("error", new Error("refused"));
    assert.equal(sockets.length, 2);
    clock.tick(249);
    assert.equal(sockets.length, 2);
    clock.tick(1);
    assert.equal(sockets.length, 3);
    sockets[2]!.emit("connect");
    assert.equal((await dialled).target, targets[2]);
    assert(sockets[1]!.destroyed);
  });

  test("an earlier one that fails late does not end the race", async () => {
    using stage = silence();
    const { sockets, clock, targets, connect } = stage;
    const dialled = dial(targets, { connect });
    clock.tick(250);
    clock.tick(250);
    sockets[0]!.emit("error", new Error("reset"));
    clock.tick(1_000);
    sockets[1]!.emit("connect");
    assert.equal((await dialled).target, targets[1]);
  });

  test("all end at the limit", async () => {
    using stage = silence();
    const { sockets, clock, targets, connect } = stage;
    const dialled = dial(targets, { connect, limit: 400 });
    clock.tick(250);
    clock.tick(150);
    await assert.rejects(dialled, {
      message:
        "one.example (192.0.2.1) port 5269: no answer; one.example (192.0.2.2) port 5269: no answer; " +
        "one.example (192.0.2.3) port 5269: not tried in time",
    });
    assert(sockets.every((socket) => socket.destroyed));
  });
});
