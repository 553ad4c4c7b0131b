/** XEP-0160: what is written to somebody who is away waits on disk, and is the first that they get when they are back. */
import type { Passage } from "../server/module.ts";
import type { Session } from "../server/session.ts";
import { offlineStore, type OfflineLimits } from "../store/offline.ts";
import { delayElement } from "../xmpp/delay.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { newId } from "../xmpp/id.ts";
import { NS } from "../xmpp/ns.ts";
import { parseElement } from "../xmpp/parser.ts";
import { attr, child, children, copy, namespaceOf, serialize, type Element } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";

/** A holiday's worth; and all of it fits twice into what a stream holds for a client that does not read yet. */
const limits: OfflineLimits = { messages: 1_000, length: 1_048_576 };
/** Messages that are written and forgotten together: so many at most come twice when the power fails in between. */
const pageSize = 50;

export default defineModule({
  name: "offline",
  xeps: ["0160", "0203"],
  features: { server: ["msgoffline"] },
  setup: ({ config, log, sessions, store }) => {
    const kept = offlineStore(store);
    /** Accounts for whom something may be kept. What comes for them now waits until that is with them. */
    const waiting = new Set<string>();
    const known = kept.accounts().then(
      (accounts) => accounts.forEach((account) => waiting.add(account)),
      (error: unknown) => log.error({ err: error }, "the messages that wait could not be looked up"),
    );
    const deliveries = new Map<string, Promise<void>>();

    /** Those to whom a message to the account goes (RFC 6121 §8.5.2.1.1). */
    const takersOf = (account: string): Session[] =>
      sessions.availableOf(account).filter(({ available }) => available && available.priority >= 0);

    async function keep({ stanza, account, to }: Passage): Promise<boolean> {
      // What is not worth keeping is dropped: an answer would tell that there is somebody, and that they are away.
      if (!isWorthKeeping(stanza)) return true;
      await known;
      const delayed = copy(stanza, { to: attr(stanza, "to") ?? to.full });
      delayed.append(delayElement(config.domain, new Date()));
      const text = serialize(delayed);
      if (!(await kept.add({ account, id: newId(), length: text.length, stanza: text }, limits)))
        throw new StanzaError("service-unavailable", {
          text: "No more messages can be kept for this address",
        });
      waiting.add(account);
      // They may have come back meanwhile.
      if (takersOf(account).length > 0) await deliver(account);
      return true;
    }

    /** One delivery to an account at a time. */
    function deliver(account: string): Promise<void> {
      const done = (deliveries.get(account) ?? known).then(() => deliverAll(account));
      const over = done.finally(() => {
        if (deliveries.get(account) === over) deliveries.delete(account);
      });
      deliveries.set(account, over);
      return over;
    }

    async function deliverAll(account: string): Promise<void> {
      // Taken back before the look, so that what is kept during it is seen by another one.
      while (waiting.delete(account)) {
        const page = await kept.page(account, pageSize);
        if (page.length === 0) continue;
        waiting.add(account);
        const takers = takersOf(account);
        if (takers.length === 0) return;
        for (const { stanza } of page) {
          const message = parseElement(stanza);
          for (const session of takers) session.send(message, stanza);
        }
        await kept.remove(
          account,
          page.map(({ id }) => id),
        );
      }
    }

    return {
      message: {
        deliver: ({ direction, account }) => {
          if (direction === "out" || !(waiting.has(account) || deliveries.has(account))) return;
          if (takersOf(account).length > 0) return deliver(account);
        },
      },
      undelivered: keep,
      events: {
        "presence.available": ({ session: { account, available } }) => {
          if (available && available.priority >= 0) return deliver(account);
        },
        "account.removed": async ({ account }) => {
          await kept.clear(account);
          waiting.delete(account);
        },
      },
    };
  },
});

/** What is for those who are there: chat states, and the news of a node, which can be asked for them. */
const passing = new Set<string | undefined>([NS.chatStates, NS.pubsubEvent]);

/** XEP-0160 §3, XEP-0334 §4.2. */
function isWorthKeeping(message: Element): boolean {
  if (child(message, "no-store", NS.hints)) return false;
  if (child(message, "body")) return true;
  return children(message).some((one) => one.name !== "thread" && !passing.has(namespaceOf(one)));
}
