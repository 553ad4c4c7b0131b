/** Attacks with time and mass: clients that never finish, never read, or never stop. */
import assert from "node:assert/strict";
import { NS } from "../../../src/xmpp/ns.ts";
import { streamHeader } from "../../support/stream.ts";
import { domain, many, type Attack } from "./attack.ts";

const ping = (id: number): string =>
  `<iq type='get' id='${id}' to='${domain}'><ping xmlns='${NS.ping}'/></iq>`;

export const floodAttacks: readonly Attack[] = [
  {
    name: "forty headers that come byte by byte, and never to their end",
    source: "RFC 6120 §13.12",
    from: "connection",
    async sends(_mallory, scene) {
      const some = await Promise.all(Array.from({ length: 40 }, () => scene.enters("connection")));
      for (const byte of streamHeader({ to: domain }).slice(0, 60)) {
        for (const one of some) one.raw(byte);
        await new Promise(setImmediate);
      }
      for (const one of some) assert.equal(one.gone, false);
    },
    answer: "silence",
  },
  {
    name: "half a login",
    source: "RFC 6120 §6.4.3",
    from: "stranger",
    sends: [`<auth xmlns='${NS.sasl}' mechanism='PLAIN'>`, `<auth xmlns='${NS.sasl}'`, "<", "&"],
    answer: "silence",
  },
  {
    name: "half a stanza, which nobody may see",
    source: "RFC 6120 §10.1",
    from: "resource",
    sends: [
      `<message to='juliet@${domain}'><body>half a message`,
      `<message to='juliet@${domain}'><body>whole</body>`,
      "<",
    ],
    answer: "silence",
  },
  {
    name: "half a character",
    source: "RFC 3629 §3",
    from: "resource",
    sends: Buffer.concat([
      Buffer.from(`<message to='juliet@${domain}'><body>`),
      Buffer.from([0xf0, 0x9f, 0x90]),
    ]),
    answer: "silence",
  },
  {
    name: "1 MB of white space between stanzas",
    source: "RFC 6120 §4.6.1",
    from: "resource",
    sends: " \n\t\r".repeat(262_144),
    answer: "nothing",
  },
  {
    name: "a stanza in single bytes",
    source: "RFC 6120 §4",
    from: "resource",
    async sends(mallory) {
      const stanza = `<iq type='get' id='x' to='${domain}'><ping xmlns='${NS.ping}'>${"é&amp;🐦".repeat(100)}</ping></iq>`;
      for (const byte of Buffer.from(stanza)) mallory.raw(Uint8Array.of(byte));
      await mallory.receivesNext("<iq type='result' id='x'/>");
    },
    answer: "nothing",
  },
  {
    name: "3,000 requests at once",
    source: "RFC 6120 §10.1",
    from: "resource",
    async sends(mallory) {
      mallory.raw(many(3_000, ping));
      for (let id = 0; id < 3_000; id += 1) await mallory.receivesNext(`<iq type='result' id='${id}'/>`);
    },
    answer: "nothing",
  },
  {
    name: "20,000 requests of a client that never reads the answers",
    source: "RFC 6120 §13.12",
    from: "resource",
    async sends(mallory) {
      mallory.socket.pause();
      mallory.raw(many(20_000, ping));
    },
    answer: "silence",
  },
  {
    name: "a client that never reads what others write to it",
    source: "RFC 6120 §13.12, §4.9.3.14",
    from: "resource",
    async sends(mallory, scene) {
      mallory.socket.pause();
      const other = await scene.enters("resource");
      const letter = `<message type='normal' to='${mallory.full}'><body>${"x".repeat(200_000)}</body></message>`;
      // Until mallory's stream is given up, and the address is nobody's.
      while (other.inbox.length === 0) {
        other.raw(letter);
        await other.pings();
      }
      await other.receives(
        `<message type='error'><error type='cancel'><service-unavailable xmlns='${NS.stanzas}'/></error></message>`,
      );
      mallory.socket.resume();
      await mallory.receives(`<error xmlns='${NS.stream}'/>`);
      mallory.inbox.length = 0;
    },
    answer: "closed",
  },
  {
    name: "100 connections that break in the middle of a word",
    source: "RFC 6120 §4.6.2",
    from: "connection",
    async sends(_mallory, scene) {
      for (let n = 0; n < 100; n += 1) {
        const one = await scene.enters("connection");
        one.raw(`${streamHeader({ to: domain })}<auth xmlns='${NS.sasl}' mechanism='PLAIN'>AG1h`);
        await one.kill();
      }
    },
    answer: "silence",
  },
];
