/** XEP-0060 §4.1, §4.5: what somebody is to a node, gathered from the store and the rosters. */
import { pubsubPeopleStore } from "../store/pubsub-people.ts";
import { parseJid, type Jid } from "../xmpp/jid.ts";
import { nobody, whyNotRead, type Standing } from "./access.ts";
import type { PubSubNode } from "./events.ts";
import type { Contact, Engine } from "./pubsub.ts";

/** Whether the service is an account (PEP), whose owner owns every node there, or a service of its own. */
export const isAccount = (service: string): boolean => service.includes("@");

export class Standings {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async affiliation({ service, node }: PubSubNode, bare: string): Promise<Standing["affiliation"]> {
    if (isAccount(service) && bare === service) return "owner";
    return pubsubPeopleStore(this.#engine.store).affiliation(service, node, bare);
  }

  async owners({ service, node }: PubSubNode): Promise<string[]> {
    const rows = await pubsubPeopleStore(this.#engine.store).affiliations(service, node);
    const owners = rows.filter(({ affiliation }) => affiliation === "owner").map(({ jid }) => jid);
    return isAccount(service) && !owners.includes(service) ? [service, ...owners] : owners;
  }

  /** What somebody is to the node, as far as its access model asks for it. */
  async of(node: PubSubNode, jid: Jid | undefined): Promise<Standing> {
    if (!jid) return nobody;
    const affiliation = await this.affiliation(node, jid.bare);
    const { accessModel } = node.config;
    if (affiliation === "owner") return { ...nobody, affiliation, contact: true };
    const people = pubsubPeopleStore(this.#engine.store);
    const rows = await people.subscriptionsOf(node.service, jid.bare, node.node);
    const state = (rows.find(({ state }) => state === "subscribed") ?? rows[0])?.state ?? "none";
    const { contacts } = this.#engine;
    const owners = accessModel === "presence" || accessModel === "roster" ? await this.owners(node) : [];
    let contact = false;
    const groups: string[] = [];
    for (const owner of owners) {
      if (accessModel === "presence") contact ||= await contacts.isSubscriber(owner, jid.bare);
      else groups.push(...(await contacts.groupsOf(owner, jid.bare)));
    }
    const isBlocked = isAccount(node.service) ? await contacts.blocked(node.service) : undefined;
    return { affiliation, subscription: state, contact, groups, blocked: isBlocked?.(jid) ?? false };
  }

  /** Those of these nodes that somebody may read; at accounts, in as few queries as there are services. */
  async readable(nodes: readonly PubSubNode[], viewer: Jid): Promise<PubSubNode[]> {
    const services = new Set(nodes.map(({ service }) => service));
    const rows = await pubsubPeopleStore(this.#engine.store).affiliationsOf([...services], viewer.bare);
    const affiliations = new Map(rows.map((row) => [keyOf(row), row.affiliation]));
    const { contacts } = this.#engine;
    const known = new Map<string, Pick<Standing, "contact" | "groups" | "blocked">>();
    for (const service of services) {
      const models = new Set(
        nodes.flatMap((node) => (node.service === service ? node.config.accessModel : [])),
      );
      known.set(service, {
        contact: models.has("presence") && (await contacts.isSubscriber(service, viewer.bare)),
        groups: models.has("roster") ? await contacts.groupsOf(service, viewer.bare) : [],
        blocked: isAccount(service) && ((await contacts.blocked(service))?.(viewer) ?? false),
      });
    }
    const readable: PubSubNode[] = [];
    for (const node of nodes) {
      const affiliation = viewer.bare === node.service ? "owner" : (affiliations.get(keyOf(node)) ?? "none");
      const asFarAsKnown = { ...nobody, ...known.get(node.service), affiliation };
      const isMore = node.config.accessModel === "authorize" || !isAccount(node.service);
      const standing = isMore ? await this.of(node, viewer) : asFarAsKnown;
      if (!whyNotRead(node.config, standing)) readable.push(node);
    }
    return readable;
  }

  async mayRead(node: PubSubNode, viewer: Jid | undefined): Promise<boolean> {
    return whyNotRead(node.config, await this.of(node, viewer)) === undefined;
  }

  /** The same for many at once: asks the store now, and then decides for any bare JID without waiting. */
  async audience(node: PubSubNode, roster: ReadonlyMap<string, Contact>): Promise<(bare: string) => boolean> {
    const { service, config } = node;
    const people = pubsubPeopleStore(this.#engine.store);
    const affiliations = new Map(
      (await people.affiliations(service, node.node)).map(({ jid, affiliation }) => [jid, affiliation]),
    );
    if (isAccount(service)) affiliations.set(service, "owner");
    const subscribed = new Set<string>();
    if (config.accessModel === "authorize") {
      for (const { jid, state } of await people.subscriptions(service, node.node))
        if (state === "subscribed") subscribed.add(jid.split("/", 1)[0]!);
    }
    const isBlocked = isAccount(service) ? await this.#engine.contacts.blocked(service) : undefined;
    return (bare) => {
      const jid = isBlocked && parseJid(bare);
      const contact = roster.get(bare);
      const standing: Standing = {
        affiliation: affiliations.get(bare) ?? "none",
        subscription: subscribed.has(bare) ? "subscribed" : "none",
        contact: contact?.subscription === "from" || contact?.subscription === "both",
        groups: contact?.groups ?? nobody.groups,
        blocked: jid !== undefined && isBlocked!(jid),
      };
      return whyNotRead(config, standing) === undefined;
    };
  }
}

const keyOf = ({ service, node }: { service: string; node: string }): string => `${service} ${node}`;
