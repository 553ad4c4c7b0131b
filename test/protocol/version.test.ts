/** XEP-0092: Software Version. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { child } from "../../src/xmpp/xml.ts";
import { cast } from "../support/cast.ts";

test("the server names its software and version, and not its operating system", async (t) => {
  const manifest = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(manifest) as { version: string };
  await using stage = await cast(t, { juliet: {} });
  const reply = await stage.actors.juliet.asks(
    `<iq type='get' to='${stage.domain}'><query xmlns='jabber:iq:version'/></iq>`,
    `<iq type='result' from='${stage.domain}'>
       <query xmlns='jabber:iq:version'><name>Pipit</name><version>${version}</version></query></iq>`,
  );
  assert.equal(child(child(reply, "query", "jabber:iq:version")!, "os"), undefined);
});
