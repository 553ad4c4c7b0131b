/**
 * A small component (XEP-0114) with @xmpp/component: it says what it hears, and what it is.
 *
 * Usage: node echo-component.js <port> <domain> <secret>; it prints a line once it is connected, and one for each fault.
 */
import { component, xml } from "@xmpp/component";
import type { Element } from "@xmpp/xml";

const [port = "", domain = "", password = ""] = process.argv.slice(2);
const info = "http://jabber.org/protocol/disco#info";

const echo = component({ service: `xmpp://127.0.0.1:${port}`, domain, password });
echo.on("error", (error: Error) => process.stdout.write(`fault: ${error.message}\n`));
echo.on("online", (jid: { toString(): string }) => process.stdout.write(`online as ${jid.toString()}\n`));
echo.on("stanza", (stanza: Element) => {
  const body = stanza.getChildText("body");
  if (!stanza.is("message") || body === null || stanza.attrs["type"] === "error") return;
  const { from, to, type, id } = stanza.attrs as Record<string, string>;
  void echo.send(xml("message", { to: from, from: to, type, id }, xml("body", {}, `${body}, you say`)));
});
echo.iqCallee.get(info, "query", () =>
  xml("query", { xmlns: info }, xml("identity", { category: "client", type: "bot", name: "Echo" })),
);
await echo.start();
