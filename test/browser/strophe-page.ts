/**
 * strophe.js in a page, driven by lines of JSON; what happens to it is told the same way. It is what a web chat would
 * be without its looks: strophe.js brings the connection, stanzas and XEP-0198, all else is the application's.
 */
import { $iq, $msg, $pres, Strophe } from "strophe.js";
import type { ActorEvent } from "../interop/client-actor.ts";

/** What is used of the DOM, whose types are not those of a server. */
interface XmlElement {
  readonly textContent: string;
  readonly localName: string;
  readonly namespaceURI: string;
  readonly children: Iterable<XmlElement>;
  getAttribute(name: string): string | null;
}

interface Login {
  readonly service: string;
  readonly jid: string;
  readonly password: string;
  readonly quiet: boolean;
}

/** What the test reads. */
declare function tellLine(line: string): void;
declare const login: Login;

const roster = "jabber:iq:roster";
const carbons = "urn:xmpp:carbons:2";
const mam = "urn:xmpp:mam:2";
const rsm = "http://jabber.org/protocol/rsm";
const { CONNECTED, DISCONNECTED, AUTHFAIL, CONNFAIL, ERROR } = Strophe.Status;

const account = Strophe.getBareJidFromJid(login.jid)!;
const connection = new Strophe.Connection(login.service, { enableStreamManagement: true });
const contacts: Record<string, string> = {};
/** What came of the archive, for the query that is under way. */
let found: object[] = [];
let leaving = false;

function tell(event: string, fields: object = {}): void {
  tellLine(JSON.stringify({ event, ...fields }) + "\n");
}

const child = (parent: XmlElement, name: string, xmlns: string): XmlElement | undefined =>
  [...parent.children].find((it) => it.localName === name && it.namespaceURI === xmlns);

function said(message: XmlElement) {
  const ids = [...message.children].filter((it) => it.localName === "stanza-id");
  return {
    sender: message.getAttribute("from"),
    to: message.getAttribute("to"),
    id: message.getAttribute("id"),
    body: child(message, "body", "jabber:client")?.textContent,
    archived: ids.find((it) => it.getAttribute("by") === account)?.getAttribute("id"),
    delayed: child(message, "delay", "urn:xmpp:delay") !== undefined,
  };
}

const forwarded = (wrapper: XmlElement): XmlElement =>
  child(child(wrapper, "forwarded", "urn:xmpp:forward:0")!, "message", "jabber:client")!;

function messageCame(message: XmlElement): true {
  const result = child(message, "result", mam);
  const copy = [...message.children].find((it) => it.namespaceURI === carbons);
  if (result) found.push(said(forwarded(result)));
  // Anybody could say so; only the account's own address may.
  else if (copy && message.getAttribute("from") === account)
    tell("carbon", { direction: copy.localName, ...said(forwarded(copy)) });
  else tell("message", said(message));
  return true;
}

function presenceCame(presence: XmlElement): true {
  const type = presence.getAttribute("type") ?? "available";
  tell("presence", { sender: presence.getAttribute("from"), type });
  return true;
}

function keeps(query: XmlElement): void {
  for (const item of query.children) contacts[item.getAttribute("jid")!] = item.getAttribute("subscription")!;
}

function rosterPushed(push: XmlElement): true {
  keeps(child(push, "query", roster)!);
  connection.send($iq({ type: "result", id: push.getAttribute("id")! }));
  return true;
}

/** The answer; a stanza error is thrown by its condition. */
const asks = (iq: ReturnType<typeof $iq>): Promise<XmlElement> =>
  new Promise((resolve, reject) => {
    const failed = (answer: XmlElement | null): void => {
      const error = answer && child(answer, "error", "jabber:client");
      reject(new Error(error ? [...error.children][0]!.localName : "timeout"));
    };
    connection.sendIQ(iq, resolve as (answer: unknown) => void, failed as (answer: unknown) => void);
  });

async function archived(after: string): Promise<object[]> {
  const all: object[] = [];
  for (let last = after; ;) {
    found = [];
    const query = $iq({ type: "set" }).c("query", { xmlns: mam }).c("set", { xmlns: rsm });
    const fin = child(await asks(query.c("max", {}, "10").c("after", {}, last)), "fin", mam)!;
    all.push(...found);
    if (fin.getAttribute("complete") === "true") return all;
    last = child(child(fin, "set", rsm)!, "last", rsm)!.textContent;
  }
}

async function obeys(command: ActorEvent): Promise<object> {
  const fields = command as unknown as Record<"do" | "to" | "type" | "id" | "body" | "after", string>;
  switch (fields.do) {
    case "message":
      connection.send($msg({ to: fields.to, id: fields.id, type: "chat" }).c("body", {}, fields.body));
      return {};
    case "presence":
      connection.send($pres(fields.to ? { to: fields.to, type: fields.type } : {}));
      return {};
    case "contacts":
      return { contacts };
    case "carbons":
      await asks($iq({ type: "set" }).c("enable", { xmlns: carbons }));
      return {};
    case "archive":
      return { messages: await archived(fields.after) };
    case "ping":
      await asks($iq({ type: "get", to: fields.to }).c("ping", { xmlns: "urn:xmpp:ping" }));
      return {};
    case "disconnect":
      leaving = true;
      connection.disconnect("done");
      return {};
    default:
      throw new Error(`unknown command ${fields.do}`);
  }
}

async function obeyLine(line: string): Promise<void> {
  const command = JSON.parse(line) as ActorEvent;
  const id = command["command"];
  try {
    tell("done", { id, ...(await obeys(command)) });
  } catch (error) {
    tell("failed", { id, condition: "driver", text: String(error) });
  }
}

async function begins(): Promise<void> {
  keeps(child(await asks($iq({ type: "get" }).c("query", { xmlns: roster })), "query", roster)!);
  if (!login.quiet) connection.send($pres());
  tell("started", { jid: connection.jid });
}

function connects(): void {
  connection.connect(login.jid, login.password, (status: number, condition: string | null) => {
    if (status === CONNECTED) {
      // They go with the connection.
      connection.addHandler(messageCame, null, "message");
      connection.addHandler(presenceCame, null, "presence");
      connection.addHandler(rosterPushed, roster, "iq", "set");
      if (connection.hasResumed()) tell("resumed");
      else void begins();
    } else if (status === DISCONNECTED) {
      tell("disconnected");
      if (!leaving) connects();
    } else if (status === AUTHFAIL || status === CONNFAIL || status === ERROR)
      tell("complaint", { text: `status ${status}: ${condition}` });
  });
}

Object.assign(globalThis, { obeyLine });
connects();
