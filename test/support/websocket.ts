/** A client on a WebSocket (RFC 7395), message by message. */
import { once } from "node:events";
import { WebSocket } from "ws";
import { parseElement } from "../../src/xmpp/parser.ts";
import type { Element } from "../../src/xmpp/xml.ts";
import type { Stage } from "./cast.ts";
import { until } from "./until.ts";

const framing = "urn:ietf:params:xml:ns:xmpp-framing";

export class WebSocketClient {
  /** What came and was not asked for, as text. */
  readonly inbox: string[] = [];
  readonly socket: WebSocket;
  readonly domain: string;
  code: number | undefined;

  constructor(stage: Stage, headers: Record<string, string> = {}, protocol: string[] = ["xmpp"]) {
    this.domain = stage.domain;
    this.socket = new WebSocket(`${stage.web.replace("http", "ws")}/xmpp-websocket`, protocol, { headers });
    this.socket.on("message", (data: Buffer, isBinary) =>
      this.inbox.push(isBinary ? "binary" : data.toString("utf8")),
    );
    this.socket.on("close", (code) => (this.code = code));
  }

  async connected(): Promise<this> {
    await once(this.socket, "open");
    return this;
  }

  sends(text: string): void {
    this.socket.send(text);
  }

  opens(to = this.domain): void {
    this.sends(`<open xmlns="${framing}" to="${to}" version="1.0"/>`);
  }

  /** The next message, which is one whole element. */
  async next(): Promise<Element> {
    await until(() => this.inbox.length > 0, "a message comes");
    return parseElement(this.inbox.shift()!);
  }

  async closed(): Promise<number> {
    await until(() => this.code !== undefined, "the WebSocket is closed");
    return this.code!;
  }

  /** Opens, authenticates with PLAIN, and opens again. */
  async authenticates(name: string, password: string): Promise<void> {
    this.opens();
    await this.next();
    await this.next();
    const plain = Buffer.from(`\0${name}\0${password}`).toString("base64");
    this.sends(`<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">${plain}</auth>`);
    const answer = await this.next();
    if (answer.name !== "success") throw new Error(answer.toString());
    this.opens();
    await this.next();
    await this.next();
  }

  /** Authenticates and binds; the full JID. */
  async logsIn(name: string, password: string, resource: string): Promise<string> {
    await this.authenticates(name, password);
    const bind = `<bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"><resource>${resource}</resource></bind>`;
    this.sends(`<iq xmlns="jabber:client" type="set" id="bind">${bind}</iq>`);
    const bound = await this.next();
    return bound.getChild("bind")!.getChildText("jid")!;
  }
}
