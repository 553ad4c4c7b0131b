/** XEP-0059 over a node's items, newest first (XEP-0060 §6.5.4, §6.5.7, §5.5). */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { itemItems } from "../../src/pubsub/discovery.ts";
import { attr, child, children, childText, type Element } from "../../src/xmpp/xml.ts";
import { each, element, engine, jid, publishOptions, refusalOf, type Engine } from "../support/pubsub.ts";

const juliet = "juliet@capulet.example";
const name = "urn:xmpp:microblog:0";
const rsmNamespace = "http://jabber.org/protocol/rsm";

async function withItems(t: TestContext, count: number, payload = "x"): Promise<Engine> {
  const e = engine(t);
  const items = Array.from({ length: count }, (_, i) => ({
    id: `post-${String(i).padStart(4, "0")}`,
    payload: element(`<note xmlns='urn:example:note'>${payload}</note>`),
  }));
  const options = publishOptions({ max_items: "max" });
  await e.pubsub.publish({ service: juliet, node: name, publisher: jid(juliet), items, options });
  return e;
}

/** The ids of posts, from one number to another, as they come: newest first. */
const posts = (from: number, to: number): string[] =>
  Array.from({ length: from - to + 1 }, (_, i) => `post-${String(from - i).padStart(4, "0")}`);

const set = (inside: string): string => `<set xmlns='${rsmNamespace}'>${inside}</set>`;

const asking = (e: Engine, attrs: string, rsm = "", inside = ""): Promise<Element | undefined> =>
  e.asks(
    ...(["get", juliet, `${juliet}/balcony`] as const),
    `<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='${name}'${attrs}>${inside}</items>${rsm}</pubsub>`,
  );

const idsIn = (result: Element | undefined): (string | undefined)[] => each(child(result!, "items"), "id");

interface Ends {
  first: string | undefined;
  index: number | undefined;
  last: string | undefined;
  count: number;
}

function endsIn(result: Element | undefined): Ends | undefined {
  const set = child(result!, "set", rsmNamespace);
  if (!set) return undefined;
  const first = child(set, "first");
  const index = first && attr(first, "index");
  return {
    first: first && childText(set, "first"),
    index: index === undefined ? undefined : Number(index),
    last: childText(set, "last"),
    count: Number(childText(set, "count")),
  };
}

test("700 items", async (t) => {
  const e = await withItems(t, 700);
  for (const size of [1, 70, 99, 500]) {
    await t.test(`are read forwards in pages of ${size}`, async () => {
      const seen: (string | undefined)[] = [];
      for (let after = ""; ;) {
        const page = await asking(e, "", set(`<max>${size}</max>${after}`));
        const ids = idsIn(page);
        const ends = endsIn(page)!;
        assert.equal(ends.count, 700);
        if (ids.length === 0) {
          assert.deepEqual([ends.first, ends.index, ends.last], [undefined, undefined, undefined]);
          break;
        }
        assert.deepEqual([ends.first, ends.index, ends.last], [ids[0], seen.length, ids.at(-1)]);
        seen.push(...ids);
        after = `<after>${ends.last}</after>`;
      }
      assert.deepEqual(seen, posts(699, 0));
    });

    await t.test(`are read backwards in pages of ${size}`, async () => {
      let seen: (string | undefined)[] = [];
      for (let before = ""; ;) {
        const page = await asking(e, "", set(`<max>${size}</max><before>${before}</before>`));
        const ids = idsIn(page);
        const ends = endsIn(page)!;
        if (ids.length === 0) break;
        assert.deepEqual([ends.first, ends.last, ends.count], [ids[0], ids.at(-1), 700]);
        assert.equal(ends.index, 700 - seen.length - ids.length);
        seen = [...ids, ...seen];
        before = ends.first!;
      }
      assert.deepEqual(seen, posts(699, 0));
    });
  }

  const pages: [string, string, string[], number | undefined][] = [
    ["the first so many", "<max>3</max>", posts(699, 697), 0],
    ["the last page", "<max>3</max><before/>", posts(2, 0), 697],
    ["a page by its position", "<max>2</max><index>690</index>", posts(9, 8), 690],
    ["what is left at the end", "<max>5</max><index>698</index>", posts(1, 0), 698],
    ["the count alone", "<max>0</max>", [], undefined],
    ["the page in front of one", "<max>2</max><before>post-0500</before>", posts(502, 501), 197],
    ["the page in front of the first", "<max>2</max><before>post-0699</before>", [], undefined],
    ["the page behind the last", "<max>2</max><after>post-0000</after>", [], undefined],
    ["part of a page in front", "<max>9</max><before>post-0697</before>", posts(699, 698), 0],
  ];
  await t.test("show any part of themselves", async () => {
    for (const [what, rsm, ids, index] of pages) {
      const page = await asking(e, "", set(rsm));
      assert.deepEqual(idsIn(page), ids, what);
      assert.deepEqual(endsIn(page), { first: ids[0], index, last: ids.at(-1), count: 700 }, what);
    }
  });

  await t.test("are cut where no page is asked for, and that is said", async () => {
    const page = await asking(e, "");
    assert.deepEqual(idsIn(page), posts(699, 200));
    assert.deepEqual(endsIn(page), { first: "post-0699", index: 0, last: "post-0200", count: 700 });
  });

  await t.test("give their newest by max_items", async () => {
    const page = await asking(e, " max_items='3'");
    assert.deepEqual(idsIn(page), posts(699, 697));
    assert.equal(endsIn(page), undefined);
    const both = await asking(e, " max_items='3'", set("<max>10</max><after>post-0600</after>"));
    assert.deepEqual(idsIn(both), posts(599, 597));
  });

  await t.test("are listed by disco in the same pages", async () => {
    const query = element(`<query xmlns='x'>${set("<max>2</max><after>post-0698</after>")}</query>`);
    const items = await itemItems(e.pubsub, juliet, name, jid(juliet), query);
    assert.deepEqual(
      items!.slice(0, 2).map((item) => attr(item, "name")),
      posts(697, 696),
    );
    assert.equal(childText(items!.at(-1)!, "count"), "700");
  });
});

test("a few items come all, without a word about pages", async (t) => {
  const e = await withItems(t, 3);
  const result = await asking(e, "");
  assert.deepEqual(idsIn(result), posts(2, 0));
  assert.equal(endsIn(result), undefined);
});

test("items come by their ids, in the order asked for; what is not there does not", async (t) => {
  const e = await withItems(t, 5);
  const inside = ["post-0001", "no-such-item", "post-0003"].map((id) => `<item id='${id}'/>`).join("");
  assert.deepEqual(idsIn(await asking(e, "", "", inside)), ["post-0001", "post-0003"]);
  assert.deepEqual(idsIn(await asking(e, "", "", "<item id='no-such-item'/>")), []);
});

test("items by their ids are as many as one answer bears", async (t) => {
  const e = await withItems(t, 120, "x".repeat(100_000));
  const missing = Array.from({ length: 60 }, (_, i) => `missing-${i}`);
  const inside = [...missing, ...posts(119, 0)].map((id) => `<item id='${id}'/>`).join("");
  assert.deepEqual(idsIn(await asking(e, "", "", inside)), posts(119, 110));
});

test("every item of a result has its publisher's bare JID", async (t) => {
  const e = await withItems(t, 3);
  const result = await asking(e, "");
  assert.deepEqual(each(child(result!, "items"), "publisher"), [juliet, juliet, juliet]);
});

test("a page ends where it would be too big for a stanza, from either side", async (t) => {
  const e = await withItems(t, 20, "x".repeat(100_000));
  const forwards = await asking(e, "", set("<max>20</max>"));
  assert.deepEqual(idsIn(forwards), posts(19, 10));
  const backwards = await asking(e, "", set("<max>20</max><before/>"));
  assert.deepEqual(idsIn(backwards), posts(9, 0));
  assert.equal(endsIn(backwards)?.index, 10);
});

test("an empty node is an empty list", async (t) => {
  const e = engine(t);
  await e.pubsub.nodes.create(juliet, name, jid(juliet));
  const result = await asking(e, "", set("<max>10</max>"));
  assert.equal(children(child(result!, "items")!).length, 0);
  assert.equal(endsIn(result)?.count, 0);
});

test("a page is refused", async (t) => {
  const e = await withItems(t, 5);
  const table: [string, string, string, string][] = [
    ["behind an item that is not there", "", "<after>no-such-item</after>", "cancel item-not-found"],
    ["in front of an item that is not there", "", "<before>no-such-item</before>", "cancel item-not-found"],
    ["beyond the end", "", "<index>5</index>", "cancel item-not-found"],
    ["of minus one", "", "<max>-1</max>", "modify bad-request"],
    ["of no number", " max_items='many'", "", "modify bad-request"],
    ["of nothing", " max_items='0'", "", "modify bad-request"],
  ];
  for (const [what, attrs, rsm, expected] of table) {
    await t.test(what, async () => {
      assert.equal(await refusalOf(() => asking(e, attrs, rsm && set(rsm))), expected);
    });
  }
});
