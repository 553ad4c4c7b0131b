/** XEP-0060 §5.7 and §8.9: who has which rights at a node, and how an owner gives and takes them. */
import { pubsubPeopleStore, type AffiliationRow } from "../store/pubsub-people.ts";
import type { Affiliation } from "../store/schema.ts";
import { StanzaError } from "../xmpp/errors.ts";
import type { Jid } from "../xmpp/jid.ts";
import type { Nodes } from "./nodes.ts";
import type { Engine } from "./pubsub.ts";
import { isAccount, type Standings } from "./standings.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** People with an affiliation to one node; a list that an owner can still read. */
const affiliationsOfNode = 1_000;

const affiliations = ["owner", "publisher", "publish-only", "member", "none", "outcast"] as const;

const tooMany = (): StanzaError =>
  new StanzaError("not-acceptable", { text: `At most ${affiliationsOfNode} affiliations` });

/** The affiliation of that name, if it is one. */
export const parseAffiliation = (value: string): Affiliation | undefined =>
  affiliations.find((name) => name === value);

export class Affiliations {
  readonly #engine: Engine;
  readonly #nodes: Nodes;
  readonly #standings: Standings;
  readonly #subscriptions: Subscriptions;

  constructor(engine: Engine, nodes: Nodes, standings: Standings, subscriptions: Subscriptions) {
    this.#engine = engine;
    this.#nodes = nodes;
    this.#standings = standings;
    this.#subscriptions = subscriptions;
  }

  /** What somebody is at all nodes of a service, or at one of them. */
  async of(
    service: string,
    bare: string,
    name?: string,
  ): Promise<Pick<AffiliationRow, "node" | "affiliation">[]> {
    if (name !== undefined) {
      const node = await this.#nodes.get(service, name);
      const affiliation = await this.#standings.affiliation(node, bare);
      return affiliation === "none" ? [] : [{ node: name, affiliation }];
    }
    if (isAccount(service) && bare === service) {
      return (await this.#nodes.list(service)).map(({ node }) => ({ node, affiliation: "owner" }));
    }
    return pubsubPeopleStore(this.#engine.store).affiliationsOf([service], bare);
  }

  /** All of a node, for an owner. */
  async list(
    service: string,
    name: string,
    owner: Jid,
  ): Promise<Pick<AffiliationRow, "jid" | "affiliation">[]> {
    await this.#nodes.owned(service, name, owner);
    const rows = await pubsubPeopleStore(this.#engine.store).affiliations(service, name);
    return isAccount(service) ? [{ jid: service, affiliation: "owner" }, ...rows] : rows;
  }

  /** All of the changes or none; `not-acceptable` for what would leave the node without an owner. */
  async set(
    service: string,
    name: string,
    owner: Jid,
    changes: readonly { jid: Jid; affiliation: Affiliation }[],
  ): Promise<void> {
    const node = await this.#nodes.owned(service, name, owner);
    const wanted = new Map(changes.map(({ jid, affiliation }) => [jid.bare, affiliation]));
    if (wanted.size < changes.length)
      throw new StanzaError("bad-request", { text: "An address stands there twice" });
    if (isAccount(service) && (wanted.get(service) ?? "owner") !== "owner")
      throw new StanzaError("not-acceptable", { text: "An account owns its nodes" });
    if (isAccount(service)) wanted.delete(service);
    if (wanted.size > affiliationsOfNode) throw tooMany();
    await this.#engine.store.transaction(async (tx) => {
      const people = pubsubPeopleStore(tx);
      for (const [jid, affiliation] of wanted)
        await people.setAffiliation({ service, node: name, jid, affiliation });
      const rows = await people.affiliations(service, name);
      if (rows.length > affiliationsOfNode) throw tooMany();
      if (!isAccount(service) && !rows.some(({ affiliation }) => affiliation === "owner"))
        throw new StanzaError("not-acceptable", { text: "A node has an owner" });
    });
    for (const [jid, affiliation] of wanted)
      if (affiliation === "outcast") await this.#subscriptions.expel(node, jid, owner.bare);
  }
}
