/**
 * @xmpp/client over WebSocket, driven by lines of JSON on standard input; what happens to it comes out the same way.
 *
 * Usage: node [--experimental-websocket] xmppjs-actor.js '{"service", "domain", "username", "password", "resource", "quiet"}'
 */
import { createInterface } from "node:readline";
import { client } from "@xmpp/client";
import xml, { type Element } from "@xmpp/xml";
import type { ActorEvent } from "./client-actor.ts";

const carbons = "urn:xmpp:carbons:2";
const mam = "urn:xmpp:mam:2";
const rsm = "http://jabber.org/protocol/rsm";
const forward = "urn:xmpp:forward:0";
const roster = "jabber:iq:roster";

/** How soon it tries again, in milliseconds. */
const reconnectDelay = 50;

const { quiet, ...login } = JSON.parse(process.argv[2]!) as Parameters<typeof client>[0] & { quiet: boolean };
const xmpp = client(login);
const account = `${login.username}@${login.domain}`;
const contacts = new Map<string, string>();
/**
 * Messages that it has, by their ids in the archive: @xmpp/client 0.14 does not count the answers to its own requests
 * (XEP-0198 §4), and so gets as many stanzas again when it resumes.
 */
const had = new Set<string>();
/** What came of the archive, for the query that is under way. */
let found: object[] = [];

function tell(event: string, fields: object = {}): void {
  process.stdout.write(JSON.stringify({ event, ...fields }) + "\n");
}

function said(message: Element) {
  const { from, to, id } = message.attrs as Record<string, string | undefined>;
  const ids = message.getChildren("stanza-id", "urn:xmpp:sid:0");
  const archived = ids.find(({ attrs }) => attrs["by"] === account)?.attrs["id"] as string | undefined;
  const delayed = message.getChild("delay", "urn:xmpp:delay") !== undefined;
  return { sender: from, to, id, body: message.getChildText("body"), archived, delayed };
}

const forwarded = (wrapper: Element): Element =>
  wrapper.getChild("forwarded", forward)!.getChild("message", "jabber:client")!;

function messageCame(message: Element): void {
  const result = message.getChild("result", mam);
  if (result) return void found.push(said(forwarded(result)));
  const copy = message.getChildElements().find((it) => it.getNS() === carbons);
  // Anybody could say so; only the account's own address may.
  if (copy && message.attrs["from"] === account)
    return tell("carbon", { direction: copy.getName(), ...said(forwarded(copy)) });
  const it = said(message);
  if (it.archived !== undefined && had.has(it.archived)) return;
  if (it.archived !== undefined) had.add(it.archived);
  tell("message", it);
}

function keeps(query: Element): void {
  for (const { attrs } of query.getChildren("item")) contacts.set(attrs["jid"], attrs["subscription"]);
}

async function archived(after: unknown): Promise<object[]> {
  const all: object[] = [];
  for (let last = after; ;) {
    found = [];
    const page = xml("set", { xmlns: rsm }, xml("max", {}, "10"), xml("after", {}, String(last)));
    const query = xml("iq", { type: "set" }, xml("query", { xmlns: mam }, page));
    const fin = (await xmpp.iqCaller.request(query)).getChild("fin", mam)!;
    all.push(...found);
    if (fin.attrs["complete"] === "true") return all;
    last = fin.getChild("set", rsm)!.getChildText("last");
  }
}

async function obeys(command: ActorEvent): Promise<object> {
  const { to, type, id } = command as { to?: string; type?: string; id?: string };
  switch (command["do"]) {
    case "message":
      await xmpp.send(xml("message", { to, id, type: "chat" }, xml("body", {}, String(command["body"]))));
      return {};
    case "presence":
      await xmpp.send(xml("presence", { to, type }));
      return {};
    case "contacts":
      return { contacts: Object.fromEntries(contacts) };
    case "carbons":
      await xmpp.iqCaller.set(xml("enable", { xmlns: carbons }));
      return {};
    case "archive":
      return { messages: await archived(command["after"]) };
    case "ping":
      await xmpp.iqCaller.get(xml("ping", { xmlns: "urn:xmpp:ping" }), to);
      return {};
    case "disconnect":
      xmpp.reconnect.stop();
      await xmpp.stop();
      return {};
    default:
      throw new Error(`unknown command ${String(command["do"])}`);
  }
}

async function answers(line: string): Promise<void> {
  const command = JSON.parse(line) as ActorEvent;
  const id = command["command"];
  try {
    tell("done", { id, ...(await obeys(command)) });
  } catch (error) {
    const { condition = "driver", message } = error as Error & { condition?: string };
    tell("failed", { id, condition, text: message });
  }
}

async function begins(jid: string): Promise<void> {
  keeps(await xmpp.iqCaller.get(xml("query", { xmlns: roster })));
  if (!quiet) await xmpp.send(xml("presence"));
  tell("started", { jid });
}

xmpp.reconnect.delay = reconnectDelay;
xmpp.iqCallee.set(roster, "query", ({ element }) => {
  keeps(element);
  return true;
});
xmpp.on("stanza", (stanza: Element) => {
  const { from: sender, type = "available" } = stanza.attrs as Record<string, string | undefined>;
  if (stanza.is("message")) messageCame(stanza);
  if (stanza.is("presence")) tell("presence", { sender, type });
});
xmpp.on("nonza", (nonza: Element) => {
  // What it was offered, and how it came in: SASL, or SASL2 by a password or by a token (FAST).
  if (nonza.is("success")) tell("success", { xmlns: nonza.getNS() });
});
xmpp.on("send", (sent: Element) => {
  if (sent.is("authenticate")) tell("authenticates", { mechanism: sent.attrs["mechanism"] });
});
xmpp.on("error", (error: Error & { code?: string }) => {
  // That a connection was lost is no news to who cut it.
  if (error.code !== "ECONNERROR") tell("complaint", { text: error.stack });
});
xmpp.streamManagement.on("resumed", () => tell("resumed"));
xmpp.on("online", (address: { toString(): string }) => void begins(address.toString()));
createInterface({ input: process.stdin }).on("line", (line) => void answers(line));
await xmpp.start();
