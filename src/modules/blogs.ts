/** XEP-0060 as a subscriber: blogs of other accounts, here and elsewhere, asked for in the name of an account. */
import type { BlogPage, Blogs } from "../domain/follows.ts";
import type { BlogItem } from "../domain/timeline.ts";
import type { Router } from "../server/router.ts";
import { parseEntry } from "../xmpp/atom-parser.ts";
import { readStanzaError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, children, childText, xml, type Element } from "../xmpp/xml.ts";

/** Items that are asked for at once: a few dozen posts fit well into what servers take as one stanza. */
const pageSize = 20;

const node = NS.microblog;

/** The items in `<items/>`, as results and events carry them; what has no id cannot be told from others. */
export const itemsIn = (items: Element): BlogItem[] =>
  children(items, "item").flatMap((item) => {
    const id = attr(item, "id");
    return id ? { id, payload: children(item)[0] } : [];
  });

export function blogsBy(router: Pick<Router, "request">): Blogs {
  async function ask(
    type: "get" | "set",
    from: string,
    to: string,
    ...inside: Element[]
  ): Promise<Element | undefined> {
    const payload = xml("pubsub", { xmlns: NS.pubsub }, ...inside);
    const reply = await router.request(xml("iq", { type, from, to }, payload));
    if (attr(reply, "type") === "error") throw readStanzaError(reply);
    return child(reply, "pubsub", NS.pubsub);
  }

  /** The page of that number; the newest items are on the first. `place`: where it begins (XEP-0059). */
  async function pageAt(account: string, target: string, number: number, place?: Element): Promise<BlogPage> {
    // Without a place, whoever begins with the oldest would give these; who knows no pages repeats the newer ones.
    const asked = number * pageSize;
    const set = place && [xml("set", { xmlns: NS.rsm }, xml("max", {}, String(pageSize)), place)];
    const answer = await ask(
      "get",
      account,
      target,
      xml("items", { node, max_items: `${asked}` }),
      ...(set ?? []),
    );
    const list = answer && child(answer, "items");
    const found = list ? itemsIn(list) : [];
    const isOldestFirst = ascends(found);
    const items = isOldestFirst ? found.toReversed() : found;
    const last = items.at(-1);
    const given = answer && child(answer, "set", NS.rsm);
    if (!last || isLastPage(given, found.length, asked, isOldestFirst)) return { items };
    const from = given && childText(given, isOldestFirst ? "first" : "last");
    const onwards = xml(isOldestFirst ? "before" : "after", {}, from ?? last.id);
    return { items, next: () => pageAt(account, target, number + 1, onwards) };
  }

  return {
    async subscribe(account, target) {
      const answer = await ask("set", account, target, xml("subscribe", { node, jid: account }));
      const subscription = answer && child(answer, "subscription");
      return subscription && attr(subscription, "subscription") === "pending" ? "pending" : "subscribed";
    },

    async unsubscribe(account, target) {
      await ask("set", account, target, xml("unsubscribe", { node, jid: account }));
    },

    page: (account, target) => pageAt(account, target, 1),

    async item(account, target, id) {
      const answer = await ask("get", account, target, xml("items", { node }, xml("item", { id })));
      const list = answer && child(answer, "items");
      return list && itemsIn(list).find((item) => item.id === id);
    },
  };
}

/** Prosody and ejabberd give the newest items (XEP-0060 §6.5.7) as well, but the oldest of them first. */
function ascends(items: readonly BlogItem[]): boolean {
  const dates = items.flatMap(({ payload }) => {
    const { published, updated } = payload ? parseEntry(payload) : {};
    return (published ?? updated)?.getTime() ?? [];
  });
  let rise = 0;
  for (const [at, date] of dates.entries()) if (at > 0) rise += Math.sign(date - dates[at - 1]!);
  return rise > 0;
}

/** XEP-0059 §2.6; a server without pages has given all where it gives less than it was asked for. */
function isLastPage(
  set: Element | undefined,
  length: number,
  asked: number,
  isOldestFirst: boolean,
): boolean {
  if (!set) return length < asked;
  const first = child(set, "first");
  const index = Number((first && attr(first, "index")) ?? Number.NaN);
  const count = Number(childText(set, "count") ?? Number.NaN);
  if (!Number.isInteger(index) || !Number.isInteger(count)) return length < pageSize;
  return isOldestFirst ? index <= 0 : index + length >= count;
}
