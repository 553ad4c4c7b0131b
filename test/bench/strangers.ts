/**
 * What ten thousand connections cost on which nobody logs in, and whether those notice who have: first such that say
 * nothing at all, then such that come as far as the features. A network may only have some of them, so they come from many.
 */
import { readFileSync } from "node:fs";
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { BenchClient } from "./client.ts";
import { say, settled } from "./crowd.ts";
import { BenchServer, domain } from "./server.ts";

const wanted = 10_000;
/** Below what the server lets in from one (server/throttle.ts). */
const perNetwork = 250;
/** Under way at once. */
const dials = 64;
/** Descriptors that either process needs for other things. */
const reserve = 500;
/** Round trips of those who are logged in, while the strangers are there. */
const roundTrips = 500;

/** Both processes hold one end of each connection, and have the same limit, which Node raises as far as it may. */
function affordable(): number {
  const limits = readFileSync("/proc/self/limits", "utf8");
  const open = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1]);
  if (!(open - reserve < wanted)) return wanted;
  say(`strangers: only ${open} files may be open, so there are fewer of them (ulimit -n)`);
  return open - reserve;
}

type Approach = (port: number, localAddress: string) => Promise<Socket>;

const silent: Approach = async (port, localAddress) => {
  const socket = connectPlain({ host: "127.0.0.1", port, localAddress });
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  return socket;
};

const greeted: Approach = async (port, localAddress) => {
  const carrier = await silent(port, localAddress);
  const socket = connectTls({
    socket: carrier,
    rejectUnauthorized: false,
    ALPNProtocols: ["xmpp-client"],
  });
  socket.write(
    `<stream:stream to='${domain}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`,
  );
  let heard = "";
  await new Promise<void>((resolve, reject) => {
    socket.on("data", (chunk: Buffer) => {
      heard += chunk.toString("latin1");
      if (heard.includes("</stream:features>")) resolve();
    });
    socket.once("error", reject).once("close", () => reject(new Error("sent away before the features")));
  });
  return socket;
};

export async function strangers(): Promise<void> {
  await crowd("that say nothing", silent);
  await crowd("with TLS and a stream", greeted);
}

async function crowd(what: string, approach: Approach): Promise<void> {
  const count = affordable();
  const server = await BenchServer.start(["romeo", "juliet"], false);
  const romeo = await BenchClient.login(server.port, domain, "romeo", "bench");
  // What all connections share is paid for by the first ones.
  const first = await dialAll(perNetwork, (i) => approach(server.port, addressOf(wanted + i)));
  for (const socket of first) socket.destroy();
  await settled(server);
  const before = server.memory();
  const alone = await roundTrip(romeo);

  const cpu = server.cpu();
  const started = performance.now();
  let gone = 0;
  let lastGone: (() => void) | undefined;
  const allGone = new Promise<void>((resolve) => (lastGone = resolve));
  await dialAll(count, async (i) => {
    const socket = await approach(server.port, addressOf(i));
    // Its end may be abrupt; that is all the same here.
    socket.on("error", () => undefined).once("close", () => (gone += 1) === count && lastGone?.());
    return socket.resume();
  });
  const seconds = (performance.now() - started) / 1000;
  const used = server.cpu() - cpu;
  const there = count - gone;
  const held = server.memory() - before;
  const crowded = await roundTrip(romeo);
  const knock = performance.now();
  const juliet = await BenchClient.login(server.port, domain, "juliet", "bench");
  const login = performance.now() - knock;
  await allGone;
  const lasted = (performance.now() - started) / 1000;
  say(
    `strangers ${what}: ${(held / there).toFixed(1)} KB each (${there} at once of ${count}, ${Math.round(count / seconds)} came in a second, ` +
      `${Math.round(used / count)} µs of server CPU each); all sent away within ${lasted.toFixed(0)} s. ` +
      `Beside them a ping takes ${crowded.toFixed(2)} ms ` +
      `(alone ${alone.toFixed(2)} ms), a login ${login.toFixed(0)} ms`,
  );
  for (const client of [romeo, juliet]) client.end();
  await server.stop();
}

/** Linux takes all of 127.0.0.0/8 for this machine. */
const addressOf = (i: number): string => `127.1.0.${1 + Math.floor(i / perNetwork)}`;

async function dialAll(count: number, dial: (i: number) => Promise<Socket>): Promise<Socket[]> {
  const sockets: Socket[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) sockets.push(await dial(i));
  };
  await Promise.all(Array.from({ length: dials }, worker));
  return sockets;
}

/** The mean of many, in milliseconds. */
async function roundTrip(client: BenchClient): Promise<number> {
  const started = performance.now();
  for (let i = 0; i < roundTrips; i += 1) {
    await client.ask(`<iq type='get' id='p' to='${domain}'><ping xmlns='urn:xmpp:ping'/></iq>`, "<iq");
  }
  return (performance.now() - started) / roundTrips;
}
