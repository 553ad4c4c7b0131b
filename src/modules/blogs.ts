/** XEP-0060 as a subscriber: blogs of other accounts, here and elsewhere, asked for in the name of an account. */
import type { Blogs } from "../domain/follows.ts";
import type { BlogItem } from "../domain/timeline.ts";
import type { Router } from "../server/router.ts";
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

  return {
    async subscribe(account, target) {
      const answer = await ask("set", account, target, xml("subscribe", { node, jid: account }));
      const subscription = answer && child(answer, "subscription");
      return subscription && attr(subscription, "subscription") === "pending" ? "pending" : "subscribed";
    },

    async unsubscribe(account, target) {
      await ask("set", account, target, xml("unsubscribe", { node, jid: account }));
    },

    async page(account, target, after) {
      const set = xml("set", { xmlns: NS.rsm }, xml("max", {}, String(pageSize)));
      if (after !== undefined) set.append(xml("after", {}, after));
      // Who knows no pages knows this, at least.
      const max = after === undefined ? { max_items: String(pageSize) } : {};
      const answer = await ask("get", account, target, xml("items", { node, ...max }), set);
      const list = answer && child(answer, "items");
      const items = list ? itemsIn(list) : [];
      return { items, isLast: !answer || isLastPage(answer, items.length) };
    },

    async item(account, target, id) {
      const answer = await ask("get", account, target, xml("items", { node }, xml("item", { id })));
      const list = answer && child(answer, "items");
      return list && itemsIn(list).find((item) => item.id === id);
    },
  };
}

/** XEP-0059 §2.6; a server without pages has given all it gives. */
function isLastPage(answer: Element, length: number): boolean {
  const set = child(answer, "set", NS.rsm);
  const first = set && child(set, "first");
  const index = Number((first && attr(first, "index")) ?? Number.NaN);
  const count = Number((set && childText(set, "count")) ?? Number.NaN);
  if (Number.isInteger(index) && Number.isInteger(count)) return index + length >= count;
  return length < pageSize || !set;
}
