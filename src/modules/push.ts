/** XEP-0357: Push Notifications. A client without a connection is woken by a service that it has named. */
import { Registrations, type PushClient, type Registration } from "../domain/push.ts";
import { set, type IqRequest, type Passage } from "../server/module.ts";
import type { Session } from "../server/session.ts";
import { formElement, formOf } from "../xmpp/dataform.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { parseJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, children, serialize, type Element } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";
import { newsIn, newsOf } from "./push-notification.ts";
import { PushNotifier } from "./push-notifier.ts";

/** A service's own names and secrets; it is kept for years, and goes with each push. In UTF-16 units. */
const maxOptions = 4_096;
const maxNode = 1_023;
/** Of what a client that was lost has not acknowledged, so much of the latest is looked through for what is news. */
const maxLookedThrough = 100;

export default defineModule({
  name: "push",
  xeps: ["0357"],
  features: { account: [NS.push, NS.pushPriority] },
  setup: ({ config, log, rosters, router, sessions, store }) => {
    const registrations = new Registrations(store);
    registrations
      .open()
      .catch((error: unknown) => log.error({ err: error }, "the push services could not be read"));

    const notifier = new PushNotifier({
      ...{ domain: config.domain, registrations, log },
      isThere(registration) {
        for (const session of sessions.of(registration.account))
          if (!session.isResting && isOf(registration, session)) return true;
        return false;
      },
      requestsOf: async (account) => (await rosters.roster(account)).requests.size,
      request: (iq) => router.request(iq),
    });

    async function enable({ payload, session }: IqRequest): Promise<void> {
      if (!session) throw new StanzaError("not-allowed", { text: "Only clients are woken" });
      const service = serviceOf(payload);
      const node = attr(payload, "node") ?? "";
      const form = formOf(payload, NS.pubsubPublishOptions);
      const options = form ? serialize(formElement(form)) : null;
      if (node.length > maxNode || (options?.length ?? 0) > maxOptions)
        throw new StanzaError("not-acceptable", { text: "The node or the options are too long" });
      const wantsPriority = child(payload, "priority", NS.pushPriority) !== undefined;
      forget(
        await registrations.enable(clientOf(session), {
          service: service.full,
          node,
          options,
          wantsPriority,
        }),
      );
    }

    async function disable({ from, payload }: IqRequest): Promise<void> {
      const service = serviceOf(payload);
      const node = attr(payload, "node");
      await end(
        from.bare,
        (one) => one.service === service.full && (node === undefined || one.node === node),
      );
    }

    async function end(account: string, isMeant: (one: Registration) => boolean): Promise<void> {
      forget(await registrations.disable(account, isMeant));
    }

    const forget = (gone: readonly Registration[]): void => gone.forEach((one) => notifier.forget(one));

    /** Those whose client a message is for: all of the account, as copies go (XEP-0280), or the one addressed. */
    function note(passage: Passage): void {
      const { account, handling, stanza, to } = passage;
      if (!handling?.push) return;
      const target = to.isBare || handling.carbon ? undefined : sessions.get(to);
      const news = newsOf(stanza, handling, config.push);
      for (const one of registrations.of(account)) if (!target || isOf(one, target)) notifier.note(one, news);
    }

    /** §8: a service lets the account publish no more. */
    function heed({ account, stanza, from }: Passage): void | Promise<void> {
      const pubsub = child(stanza, "pubsub", NS.pubsub);
      const node = pubsub && attr(pubsub, "node");
      if (!pubsub || !children(pubsub, "affiliation").some((one) => isEnd(one, account))) return;
      return end(account, (one) => one.service === from.full && one.node === (node ?? ""));
    }

    const isEnd = (affiliation: Element, account: string): boolean => {
      const jid = attr(affiliation, "jid");
      const isOurs = jid === account || jid === config.domain;
      return isOurs && ["none", "outcast"].includes(attr(affiliation, "affiliation") ?? "");
    };

    /** What a client that is gone was sent and has not acknowledged, it may not have. */
    function lookThrough({ session }: { session: Session }): void {
      if (!registrations.has(session.account)) return;
      const own = registrations
        .of(session.account)
        .filter((one) => isOf(one, session) && !notifier.knows(one));
      if (own.length === 0) return;
      for (const { text } of session.management?.queue.slice(-maxLookedThrough) ?? []) {
        const news = newsIn(text, config.push);
        if (news) for (const one of own) notifier.note(one, news);
      }
    }

    async function returned({ session }: { session: Session }): Promise<void> {
      for (const one of registrations.of(session.account)) {
        if (!isOf(one, session)) continue;
        notifier.forget(one);
        await registrations.returned(one);
      }
    }

    return {
      iq: [set(NS.push, "enable", "self", enable), set(NS.push, "disable", "self", disable)],
      message: {
        deliver: (passage) => {
          if (passage.direction === "out" || !registrations.has(passage.account)) return;
          note(passage);
          return heed(passage);
        },
      },
      close: () => notifier.close(),
      events: {
        "session.bound": returned,
        "session.resumed": returned,
        "session.hibernated": lookThrough,
        "session.restored": lookThrough,
        "session.closed": lookThrough,
        // Whoever cannot log in any more is told nothing; the others register when they do (§5).
        "account.password": ({ account, by }) =>
          end(account, ({ resource }) => by !== `${account}/${resource}`),
        "account.disabled": ({ account }) => end(account, () => true),
        "app-password.removed": ({ account, id }) => end(account, ({ appPassword }) => appPassword === id),
        "client.revoked": ({ account, ...revoked }) =>
          end(
            account,
            ({ appPassword, client, resource }) =>
              appPassword === null &&
              (client === null ? revoked.resources.includes(resource) : client === revoked.client),
          ),
        "account.removed": async ({ account }) => {
          forget(registrations.of(account));
          await registrations.clear(account);
        },
      },
    };
  },
});

const clientOf = ({ account, appPassword, client, jid }: Session): PushClient => ({
  ...{ account, resource: jid.resource },
  client: client ?? null,
  appPassword: appPassword ?? null,
});

/** Whether a session is that of the client that registered. */
const isOf = (registration: Registration, { client, jid }: Session): boolean =>
  registration.client === null || client === undefined
    ? registration.resource === jid.resource
    : registration.client === client;

function serviceOf(payload: Element): { readonly full: string } {
  const text = attr(payload, "jid");
  if (text === undefined) throw new StanzaError("bad-request", { text: "The push service is not named" });
  const jid = parseJid(text);
  if (!jid) throw new StanzaError("jid-malformed");
  return jid;
}
