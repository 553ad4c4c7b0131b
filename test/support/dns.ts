/** A DNS server on loopback for tests (RFC 1035 over UDP): what it knows is written down, and how it fails too. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { isIPv6 } from "node:net";

const types = { A: 1, AAAA: 28, SRV: 33 } as const;
const rcodes = { SERVFAIL: 2, REFUSED: 5 } as const;
const nxdomain = 3;
const ttl = 60;

/** `priority weight port target`, as in a zone file. */
type Srv = `${number} ${number} ${number} ${string}`;

export interface Zone {
  /** By name; a name that is not here does not exist. */
  [name: string]: {
    readonly A?: readonly string[];
    readonly AAAA?: readonly string[];
    readonly SRV?: readonly Srv[];
    /** What it does instead of answering; of one type of record only, where that is told. */
    readonly fails?: keyof typeof rcodes | "silence";
    readonly failsFor?: keyof typeof types;
  };
}

export interface DnsServer {
  /** As the setting `s2s.resolver` takes it. */
  readonly address: string;
  /** What was asked so far: `SRV _xmpp-server._tcp.montague.example`. */
  readonly asked: readonly string[];
  /** May be changed at any time. */
  readonly zone: Zone;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function serveDns(zone: Zone): Promise<DnsServer> {
  const asked: string[] = [];
  const socket = createSocket("udp4");
  socket.on("message", (query, { port, address }) => {
    const answer = answerTo(query, zone, asked);
    if (answer) socket.send(answer, port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    zone,
    async [Symbol.asyncDispose]() {
      socket.close();
      await once(socket, "close");
    },
  };
}

/** RFC 1035 §4.1; `undefined` is silence. */
function answerTo(query: Buffer, zone: Zone, asked: string[]): Buffer | undefined {
  const { name, end } = readName(query, 12);
  const type = Object.entries(types).find(([, number]) => number === query.readUInt16BE(end))?.[0];
  asked.push(`${type} ${name}`);
  const known = zone[name.toLowerCase()];
  const fails = known?.failsFor === undefined || known.failsFor === type ? known?.fails : undefined;
  if (fails === "silence") return undefined;
  const records = known && !fails && type ? (known[type as keyof typeof types] ?? []) : [];
  const rcode = fails ? rcodes[fails] : known ? 0 : nxdomain;
  const header = Buffer.alloc(12);
  header.writeUInt16BE(query.readUInt16BE(0), 0);
  // A response, recursion as asked for and available.
  header.writeUInt16BE(0x8180 | rcode, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  const question = query.subarray(12, end + 4);
  return Buffer.concat([header, question, ...records.map((record) => resource(question, record))]);
}

function resource(question: Buffer, record: string): Buffer {
  const data = record.includes(" ") ? srvData(record) : addressData(record);
  const head = Buffer.alloc(12);
  // §4.1.4: the name is that of the question.
  head.writeUInt16BE(0xc00c, 0);
  question.copy(head, 2, question.length - 4);
  head.writeUInt32BE(ttl, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function srvData(record: string): Buffer {
  const [priority, weight, port, target = ""] = record.split(" ");
  const numbers = Buffer.alloc(6);
  [priority, weight, port].forEach((number, index) => numbers.writeUInt16BE(Number(number), index * 2));
  return Buffer.concat([numbers, writeName(target)]);
}

function addressData(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split(".").map(Number));
  const [head = "", tail = ""] = address.split("::");
  const groups = (part: string) => (part === "" ? [] : part.split(":"));
  const gap = 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array.from({ length: gap }, () => "0"), ...groups(tail)];
  return Buffer.from(all.map((group) => group.padStart(4, "0")).join(""), "hex");
}

function writeName(name: string): Buffer {
  const labels = name.split(".").filter((label) => label !== "");
  return Buffer.concat([
    ...labels.map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`)),
    Buffer.from([0]),
  ]);
}

function readName(message: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let at = start;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join("."), end: at + 1 };
}
