/**
 * Following: what comes from a blog that an account follows goes into its timeline, and from there to its clients as
 * chat messages of `timeline@`. Only what the followed address itself sends counts.
 */
import type { Untold } from "../domain/timeline.ts";
import type { Passage } from "../server/module.ts";
import { newId } from "../xmpp/id.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, children, type Element } from "../xmpp/xml.ts";
import { itemsIn } from "./blogs.ts";
import { defineModule } from "./context.ts";
import { toldMessage } from "./follow-message.ts";

/** How often it is looked whether some follow is due, in milliseconds. */
const interval = 30_000;
/** Until the ports are open, after the start. */
const startDelay = 1_000;
/** What a server has kept for us comes first, and in order; what it has not is looked for after that. */
const gapDelay = 60_000;
/** Items that are fetched at once; what is beyond comes with the next comparison. */
const maxFetches = 200;

export default defineModule({
  name: "follow",
  setup: ({ config, follows, log, router, sessions, timeline }) => {
    const failed = (error: unknown): void =>
      log.error({ err: error }, "those whom people follow could not be looked after");
    const first = setTimeout(() => void follows.hasten(undefined, true, gapDelay).catch(failed), startDelay);
    const timer = setInterval(() => void follows.attend().catch(failed), interval);
    first.unref();
    timer.unref();

    let fetches = 0;
    function fetch(account: string, author: string, id: string): void {
      if (fetches >= maxFetches) return;
      fetches += 1;
      follows
        .fetch(account, author, id)
        .catch((error: unknown) => log.debug({ err: error, author, id }, "an item could not be fetched"))
        .finally(() => (fetches -= 1));
    }

    /** An event of a blog (XEP-0060 §7.1.2, §7.2.2, §8.4.2, §8.5.2, §8.6). */
    async function take(account: string, author: string, event: Element): Promise<void> {
      if (!(await follows.hears(account, author))) return;
      for (const part of children(event)) {
        if (attr(part, "node") !== NS.microblog) continue;
        if (part.name === "items") await takeItems(account, author, part);
        else if (part.name === "purge" || part.name === "delete") await timeline.retract(account, author);
        else if (part.name === "subscription" && attr(part, "jid") === account)
          later(follows.changed(account, author, attr(part, "subscription") ?? ""));
      }
    }

    async function takeItems(account: string, author: string, list: Element): Promise<void> {
      const items = itemsIn(list);
      const whole = items.filter(({ payload }) => payload);
      if (whole.length > 0) await timeline.receive(account, author, whole);
      for (const { id, payload } of items) if (!payload) fetch(account, author, id);
      const gone = children(list, "retract").flatMap((one) => attr(one, "id") ?? []);
      if (gone.length > 0) await timeline.retract(account, author, gone);
    }

    /** What asks others is not waited for. */
    const later = (work: Promise<void>): void => void work.catch(failed);

    const isReached = (account: string): boolean =>
      sessions.availableOf(account).some(({ available }) => available && available.priority >= 0);

    const telling = new Map<string, Promise<void>>();
    /** Tells an account's clients what they do not know; one after the other. */
    function tell(account: string): Promise<void> | void {
      if (!isReached(account)) return;
      const work = (telling.get(account) ?? Promise.resolve()).then(() => tellAll(account));
      const over = work
        .catch(() => undefined)
        .then(() => {
          if (telling.get(account) === over) telling.delete(account);
        });
      telling.set(account, over);
      return work;
    }

    async function tellAll(account: string): Promise<void> {
      for (const entry of await timeline.untold(account)) {
        if (!isReached(account)) return;
        await tellOne(account, entry);
      }
    }

    async function tellOne(account: string, entry: Untold): Promise<void> {
      const id = newId();
      const message = toldMessage(`timeline@${config.domain}`, account, id, entry);
      if (message) await router.route(message);
      await timeline.told(entry, entry.messageId ?? id);
    }

    return {
      message: {
        deliver: ({ stanza, direction, from, to, account }: Passage) => {
          if (direction === "out" || !to.isBare || !from.isBare) return;
          const event = child(stanza, "event", NS.pubsubEvent);
          return event && take(account, from.bare, event);
        },
      },
      close: () => {
        clearTimeout(first);
        clearInterval(timer);
      },
      events: {
        "timeline.changed": ({ account }) => tell(account),
        "presence.available": ({ session }) => tell(session.account),
        "roster.changed": ({ account, item: { jid, subscription } }) => {
          if (subscription === "to" || subscription === "both") later(follows.admitted(account, jid));
        },
        "domain.connected": ({ domain, again }) => later(follows.hasten(domain, again, gapDelay)),
      },
    };
  },
});
