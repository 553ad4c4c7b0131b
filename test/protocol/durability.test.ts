/** What was acknowledged is there after the power went (design §3.3), for every door that posts come in by. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { reads, rsm } from "../support/archive.ts";
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

test("a message that was handled is in both archives after SIGKILL, once and in its place", async (t) => {
  const node = await spawnNode(t);
  for (const name of ["ana", "bob"])
    await node.pipit(["account", "add", `${name}@pipit.test`, "--password", "one"]);
  const handled: string[] = [];
  let tried = 0;
  for (let round = 0; round < rounds; round += 1) {
    const ana = await node.login("ana", { password: "one" });
    for (let burst = 0; burst < 5; burst += 1) {
      const words = Array.from({ length: 40 }, () => `w${(tried += 1)}`);
      for (const word of words)
        ana.sends(`<message to='bob@pipit.test' type='chat' id='${word}'><body>${word}</body></message>`);
      // A request waits until the messages before it are safe (XEP-0198 acknowledges them no sooner either).
      await ana.pings();
      handled.push(...words);
    }
    ana.sends("<message to='bob@pipit.test' type='chat'><body>perhaps</body></message>".repeat(40));
    await node.stops("SIGKILL");
    await node.starts();
    for (const name of ["ana", "bob"]) {
      const reader = await node.login(name, { password: "one", presence: false });
      const said: (string | undefined)[] = [];
      for (let after = ""; ;) {
        const page = await reads(reader, {}, rsm({ max: 250, ...(after && { after }) }));
        said.push(...page.said);
        if (page.complete) break;
        after = page.last!;
      }
      assert.deepEqual(
        said.filter((word) => word !== "perhaps"),
        handled,
        `${name} after ${round + 1} kills`,
      );
      await reader.ends();
    }
  }
});
