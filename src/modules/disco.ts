/**
 * XEP-0030: Service Discovery, with the forms of XEP-0128 and the server's own capabilities (XEP-0115 §6.3).
 *
 * Who may discover an account (§8): its owner and those who see its presence. A stranger may as well, once there is
 * something at the account that everybody may read, such as a public blog (XEP-0163 §7.2 asks for that): its address
 * is on the web then. To all others it is as if there were no such account.
 */
import {
  get,
  type DiscoInfo,
  type DiscoQuery,
  type DiscoSource,
  type IqRequest,
  type IqRoute,
  type Target,
} from "../server/module.ts";
import { capsHash } from "../xmpp/caps.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, copy, xml, type Element } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";
import { software } from "./software.ts";

const own = [NS.discoInfo, NS.discoItems];

/** Where something can be discovered: what is known of the address itself, and who else knows something. */
interface Place {
  readonly info: DiscoInfo;
  readonly items: readonly Element[];
  readonly sources: readonly DiscoSource[];
}

export default defineModule({
  name: "disco",
  xeps: ["0030", "0115", "0128"],
  identities: {
    server: [{ category: "server", type: "im", name: software.name }],
    account: [{ category: "account", type: "registered" }],
  },
  features: { server: [...own, NS.caps], account: own, service: own },
  setup: ({ config, accounts, registry, rosters, sessions }) => {
    const { features, identities, services } = registry;

    const server = (): Place => ({
      info: { identities: identities.server, features: [...features.server], forms: registry.disco.forms },
      items: [...services.values()].map((s) => item({ jid: s.address, name: s.identities[0]?.name })),
      sources: registry.disco.server,
    });

    const service = ({ to }: DiscoQuery): Place => {
      const it = services.get(to.bare)!;
      return {
        info: { identities: it.identities, features: [...features.service, ...it.features] },
        items: [],
        sources: it.disco ? [it.disco] : [],
      };
    };

    const account = (resources: readonly Element[]): Place => ({
      info: { identities: identities.account, features: [...features.account] },
      items: resources,
      sources: registry.disco.account,
    });

    const mayKnow = async ({ from, to }: DiscoQuery): Promise<boolean> =>
      from.bare === to.bare || rosters.isSubscriber(to.bare, from.bare);

    /** RFC 6121 §4.2: whoever sees the presence sees the available resources; the owner, the connected ones. */
    const resourcesFor = ({ from, to }: DiscoQuery): Element[] => {
      const seen = from.bare === to.bare ? [...sessions.of(to.bare)] : sessions.availableOf(to.bare);
      return seen.map(({ jid }) => item({ jid: jid.full }));
    };

    async function accountInfo(query: DiscoQuery): Promise<DiscoInfo | undefined> {
      if (await mayKnow(query)) return infoOf(account([]), query);
      const open = query.node !== undefined || (await itemsOf(account([]), query))?.length;
      const info = open ? await infoOf(account([]), query) : undefined;
      if (!info) throw new StanzaError("service-unavailable");
      return info;
    }

    async function accountItems(query: DiscoQuery): Promise<readonly Element[] | undefined> {
      if (await mayKnow(query)) return itemsOf(account(resourcesFor(query)), query);
      if (!(await accounts.exists(query.to.local))) return [];
      return (await itemsOf(account([]), query)) ?? [];
    }

    /** The same until the node stops, so computed once, when all modules are there. */
    let caps: { node: string; ver: string } | undefined;
    const ownCaps = (): { node: string; ver: string } => (caps ??= { node: config.url, ver: computeVer() });
    const computeVer = (): string => {
      const ver = capsHash(infoElement(server().info, undefined), "sha-1");
      if (ver === undefined)
        throw new Error("a module's identity, feature or form has no hash (XEP-0115 §5.4)");
      return ver;
    };

    async function serverInfo(query: DiscoQuery): Promise<DiscoInfo | undefined> {
      const { node, ver } = ownCaps();
      // XEP-0115 §6.2: who saw the capabilities may ask for them by their name.
      return infoOf(server(), query.node === `${node}#${ver}` ? { ...query, node: undefined } : query);
    }

    return {
      iq: [
        info("server", serverInfo),
        info("service", (query) => infoOf(service(query), query)),
        info("account", accountInfo),
        items("server", (query) => itemsOf(server(), query)),
        items("service", (query) => itemsOf(service(query), query)),
        { ...items("account", accountItems), anyName: true },
      ],
      streamFeature: () => xml("c", { xmlns: NS.caps, hash: "sha-1", ...ownCaps() }),
    };
  },
});

function info(target: Target, find: (query: DiscoQuery) => Promise<DiscoInfo | undefined>): IqRoute {
  return get(NS.discoInfo, "query", target, async (iq) => {
    const query = queryOf(iq);
    return infoElement(await find(query), query.node);
  });
}

function items(
  target: Target,
  find: (query: DiscoQuery) => Promise<readonly Element[] | undefined>,
): IqRoute {
  return get(NS.discoItems, "query", target, async (iq) => {
    const query = queryOf(iq);
    const found = await find(query);
    if (!found) throw new StanzaError("item-not-found");
    return xml("query", { xmlns: NS.discoItems, ...nodeAttr(query.node) }, ...found);
  });
}

const queryOf = ({ from, to, payload }: IqRequest): DiscoQuery => ({
  from,
  to,
  node: attr(payload, "node"),
  query: payload,
});

/** What all say of the address together, or what the first says that knows the node. */
async function infoOf(place: Place, query: DiscoQuery): Promise<DiscoInfo | undefined> {
  const said = [place.info];
  for (const source of place.sources) {
    const more = await source.info?.(query);
    if (more && query.node !== undefined) return more;
    if (more) said.push(more);
  }
  if (query.node !== undefined) return undefined;
  return {
    identities: said.flatMap(({ identities = [] }) => identities),
    features: [...new Set(said.flatMap(({ features = [] }) => features))],
    forms: said.flatMap(({ forms = [] }) => forms),
  };
}

async function itemsOf(place: Place, query: DiscoQuery): Promise<readonly Element[] | undefined> {
  const found = [...place.items];
  for (const source of place.sources) {
    const more = await source.items?.(query);
    if (more && query.node !== undefined) return more;
    if (more) found.push(...more);
  }
  return query.node === undefined ? found : undefined;
}

function infoElement(info: DiscoInfo | undefined, node: string | undefined): Element {
  if (!info) throw new StanzaError("item-not-found");
  const { identities = [], features = [], forms = [] } = info;
  return xml(
    "query",
    { xmlns: NS.discoInfo, ...nodeAttr(node) },
    ...identities.map((identity) => xml("identity", { ...identity })),
    ...features.map((feature) => xml("feature", { var: feature })),
    ...forms.map((form) => copy(form)),
  );
}

const nodeAttr = (node: string | undefined): { node?: string } => (node === undefined ? {} : { node });

const item = (attrs: { jid: string; name?: string | undefined }): Element => xml("item", attrs);
