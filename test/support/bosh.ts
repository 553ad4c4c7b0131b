/** A client of BOSH (XEP-0124), request by request. */
import { parseElement } from "../../src/xmpp/parser.ts";
import { attr, child, type Element } from "../../src/xmpp/xml.ts";
import type { Stage } from "./cast.ts";

const httpBind = "http://jabber.org/protocol/httpbind";

export class BoshClient {
  readonly #stage: Stage;
  rid = 1_000;
  sid = "";

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** A request as it is, whatever it says. */
  async posts(body: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${this.#stage.web}/http-bind`, { method: "POST", body, headers });
  }

  async asks(body: string): Promise<Element> {
    const response = await this.posts(body);
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
    return parseElement(await response.text());
  }

  /** The first request. */
  async begins(attrs = ""): Promise<Element> {
    const body = await this.asks(
      `<body xmlns="${httpBind}" rid="${this.rid}" to="${this.#stage.domain}" ver="1.11" wait="30" hold="1"` +
        ` xmlns:xmpp="urn:xmpp:xbosh" xmpp:version="1.0" ${attrs}/>`,
    );
    this.sid = attr(body, "sid") ?? "";
    return body;
  }

  /** The next request. */
  says(payload = "", attrs = ""): Promise<Element> {
    this.rid += 1;
    return this.repeats(this.rid, payload, attrs);
  }

  /** A request with a number of its own. */
  repeats(rid: number, payload = "", attrs = ""): Promise<Element> {
    return this.asks(`<body xmlns="${httpBind}" rid="${rid}" sid="${this.sid}" ${attrs}>${payload}</body>`);
  }

  /** From the first request to the bound resource; the full JID. */
  async logsIn(name: string, password: string, resource: string): Promise<string> {
    await this.begins();
    const plain = Buffer.from(`\0${name}\0${password}`).toString("base64");
    await this.says(`<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">${plain}</auth>`);
    await this.says("", `xmlns:xmpp="urn:xmpp:xbosh" xmpp:restart="true"`);
    const bind = `<bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"><resource>${resource}</resource></bind>`;
    const answer = await this.says(`<iq xmlns="jabber:client" type="set" id="bind">${bind}</iq>`);
    const iq = child(answer, "iq", "jabber:client");
    return iq?.getChild("bind")?.getChildText("jid") ?? "";
  }
}
