/** What was acknowledged is there after the power went (design §3.3), for every door that posts come in by. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { spawnNode } from "../support/node.ts";

/** Enough for a post that is sometimes lost to be lost once. */
const rounds = 3;

test("a post of the command line is there after SIGKILL, each time", async (t) => {
  const node = await spawnNode(t);
  await node.pipit(["account", "add", "ana@pipit.test", "--password", "one"]);
  const posts: string[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const { code, stdout, stderr } = await node.pipit(["post", "ana@pipit.test", `round ${round}`, "--json"]);
    await node.stops("SIGKILL");
    assert.equal(code, 0, stderr);
    posts.push((JSON.parse(stdout) as { id: string }).id);
    await node.starts();
    const feed = await fetch(`http://127.0.0.1:${node.ports.http}/@ana/feed.json`);
    const { items } = (await feed.json()) as { items: { url: string }[] };
    const seen = items.map(({ url }) => url.slice(url.lastIndexOf("/") + 1));
    assert.deepEqual(seen.sort(), [...posts].sort());
  }
});

test("an item published over XMPP is there after SIGKILL, each time", async (t) => {
  const node = await spawnNode(t);
  await node.pipit(["account", "add", "ana@pipit.test", "--password", "one"]);
  for (let round = 0; round < rounds; round += 1) {
    const ana = await node.login("ana", { password: "one" });
    await ana.asks(
      `<iq type='set'><pubsub xmlns='http://jabber.org/protocol/pubsub'>
        <publish node='urn:xmpp:microblog:0'><item id='round-${round}'>
          <entry xmlns='http://www.w3.org/2005/Atom'><title>round ${round}</title></entry>
        </item></publish></pubsub></iq>`,
      "<iq type='result'/>",
    );
    await node.stops("SIGKILL");
    await node.starts();
    for (let earlier = 0; earlier <= round; earlier += 1) {
      const page = await fetch(`http://127.0.0.1:${node.ports.http}/@ana/round-${earlier}`);
      assert.equal(page.status, 200, `round ${earlier} after ${round + 1} kills`);
    }
  }
});
