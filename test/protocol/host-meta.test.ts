/** XEP-0156 and XEP-0487: how a browser finds the server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseElement } from "../../src/xmpp/parser.ts";
import { attr, children } from "../../src/xmpp/xml.ts";
import { cast } from "../support/cast.ts";

const rel = (what: string): string => `urn:xmpp:alt-connections:${what}`;

test("host-meta tells pages of any origin where WebSockets and BOSH are (XEP-0156 §3)", async (t) => {
  await using stage = await cast(t, {}, { config: { url: "https://blog.pipit.test" } });
  const xrd = await fetch(`${stage.web}/.well-known/host-meta`);
  assert.equal(xrd.status, 200);
  assert.equal(xrd.headers.get("access-control-allow-origin"), "*");
  assert.match(xrd.headers.get("content-type") ?? "", /^application\/xrd\+xml/);
  const text = await xrd.text();
  const links = children(parseElement(text.slice(text.indexOf("<XRD"))), "Link");
  assert.deepEqual(
    links.map((link) => [attr(link, "rel"), attr(link, "href")]),
    [
      [rel("websocket"), "wss://blog.pipit.test/xmpp-websocket"],
      [rel("xbosh"), "https://blog.pipit.test/http-bind"],
    ],
  );
  const jrd = await fetch(`${stage.web}/.well-known/host-meta.json`);
  assert.equal(jrd.headers.get("access-control-allow-origin"), "*");
  assert.match(jrd.headers.get("content-type") ?? "", /^application\/jrd\+json/);
  const document = (await jrd.json()) as { links: object[]; xmpp?: object };
  assert.deepEqual(document, {
    links: links.map((link) => ({ rel: attr(link, "rel"), href: attr(link, "href") })),
  });
});

test("with the node's addresses it tells all there is to know (XEP-0487 §3.1)", async (t) => {
  const addresses = ["192.0.2.1", "2001:db8::1"];
  await using stage = await cast(t, {}, { config: { url: "https://blog.pipit.test", addresses } });
  const response = await fetch(`${stage.web}/.well-known/host-meta.json`);
  const { xmpp, links } = (await response.json()) as {
    xmpp: { ttl: number };
    links: { rel: string; port?: number; ips: string[]; priority: number; weight: number; sni: string }[];
  };
  assert.ok(Number.isInteger(xmpp.ttl) && xmpp.ttl > 0);
  assert.deepEqual(
    links.map((link) => [link.rel, link.sni, link.port]),
    [
      [rel("tls"), stage.domain, stage.node.ports.c2sTls],
      [rel("websocket"), "blog.pipit.test", undefined],
      [rel("xbosh"), "blog.pipit.test", undefined],
    ],
  );
  for (const link of links) {
    assert.deepEqual(link.ips, addresses);
    assert.ok(Number.isInteger(link.priority) && Number.isInteger(link.weight));
  }
});
