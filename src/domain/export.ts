/** XEP-0227: accounts as a document, piece by piece, so that it may be longer than the memory. */
import type { PubSub } from "../pubsub/pubsub.ts";
import { accountStore } from "../store/accounts.ts";
import { blockedStore } from "../store/blocked.ts";
import { followStore } from "../store/follows.ts";
import { messageStore } from "../store/messages.ts";
import { privateXmlStore } from "../store/private-xml.ts";
import type { Store } from "../store/store.ts";
import { vcardStore } from "../store/vcards.ts";
import { formatDateTime } from "../xmpp/datetime.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { parseElement } from "../xmpp/parser.ts";
import { copy, escapeAttribute, serialize, xml, type Element } from "../xmpp/xml.ts";
import type { Account, Accounts } from "./accounts.ts";
import { archivedMessages, waitingMessages } from "./export-messages.ts";
import { configuredNodes, nodeItems } from "./export-nodes.ts";
import type { RosterItem, Rosters } from "./rosters.ts";

export interface ExportContext {
  readonly config: { readonly domain: string };
  readonly store: Store;
  readonly accounts: Accounts;
  readonly rosters: Rosters;
  readonly pubsub: PubSub;
}

/** Some lines of a document. */
type Lines = AsyncGenerator<string>;

/** One account, or all of the host. StanzaError `item-not-found` where there is no such account. */
export async function* exportAccounts(context: ExportContext, local?: string): Lines {
  const { domain } = context.config;
  const all = await context.accounts.list();
  const chosen = all.filter((account) => local === undefined || account.local === local);
  if (local !== undefined && chosen.length === 0)
    throw new StanzaError("item-not-found", { text: `There is no account ${local}@${domain}` });
  yield `<?xml version="1.0" encoding="UTF-8"?>\n<server-data xmlns="${NS.portable}">\n`;
  yield `<host jid="${escapeAttribute(domain)}">\n`;
  for (const account of chosen) yield* user(context, account);
  yield "</host>\n</server-data>\n";
}

async function* user(context: ExportContext, account: Account): Lines {
  const { store } = context;
  const { jid, local } = account;
  yield `<user name="${escapeAttribute(local)}">\n`;
  yield lines([
    stateOf(account),
    ...(await verifiers(store, local)),
    ...(await contacts(context.rosters, jid)),
    ...(await people(store, jid)),
  ]);
  yield* container(`pubsub xmlns="${NS.pubsubOwner}"`, configuredNodes(context, jid));
  yield* container(`pubsub xmlns="${NS.pubsub}"`, nodeItems(context, jid));
  yield* container(`archive xmlns="${NS.portableArchive}"`, archivedMessages(store, jid));
  yield* container("offline-messages", waitingMessages(store, context.config.domain, jid));
  yield "</user>\n";
}

/** What is in it, or nothing at all where nothing is. */
async function* container(tag: string, inside: Lines): Lines {
  let isOpen = false;
  for await (const text of inside) {
    if (!isOpen) yield `<${tag}>\n`;
    isOpen = true;
    yield text;
  }
  if (isOpen) yield `</${tag.split(" ")[0]}>\n`;
}

const lines = (elements: readonly Element[]): string =>
  elements.map((element) => `${serialize(element)}\n`).join("");

/** What XEP-0227 has no words for (§4 allows elements of one's own). */
const stateOf = ({ admin, disabled, createdAt }: Account): Element =>
  xml("account", {
    xmlns: NS.portableExtra,
    created: formatDateTime(createdAt),
    admin: admin ? "true" : undefined,
    disabled: disabled ? "true" : undefined,
  });

/** §4.3. */
async function verifiers(store: Store, local: string): Promise<Element[]> {
  const rows = await accountStore(store).verifiers(local);
  return rows.map(({ hash, iterations, salt, serverKey, storedKey }) =>
    xml(
      "scram-credentials",
      { xmlns: NS.portableScram, mechanism: `SCRAM-${hash}` },
      xml("iter-count", {}, String(iterations)),
      xml("salt", {}, salt),
      xml("server-key", {}, serverKey),
      xml("stored-key", {}, storedKey),
    ),
  );
}

/** §4.4 and §4.9. */
async function contacts(rosters: Rosters, account: string): Promise<Element[]> {
  const { items, requests } = await rosters.roster(account);
  const roster = xml("query", { xmlns: NS.roster }, ...[...items.values()].map(itemElement));
  const asked = [...requests.values()].map((stanza) => copy(parseElement(stanza), { xmlns: NS.client }));
  return [roster, ...asked];
}

const itemElement = ({ jid, name, subscription, ask, approved, groups }: RosterItem): Element =>
  xml(
    "item",
    { jid, name, subscription, ask: ask ? "subscribe" : undefined, approved: approved ? "true" : undefined },
    ...groups.map((group) => xml("group", {}, group)),
  );

/** The vCard (§4.7), private XML (§4.6), and what XEP-0227 does not know: who is blocked, what is archived, who is followed. */
async function people(store: Store, account: string): Promise<Element[]> {
  const found: Element[] = [];
  const vcard = await vcardStore(store).find(account);
  if (vcard !== undefined) found.push(parseElement(vcard));
  const stored = await privateXmlStore(store).list(account);
  if (stored.length > 0)
    found.push(xml("query", { xmlns: NS.privateXml }, ...stored.map((row) => parseElement(row.xml))));
  const blocked = await blockedStore(store).list(account);
  if (blocked.length > 0)
    found.push(
      xml("blocklist", { xmlns: NS.blocking }, ...blocked.sort().map((jid) => xml("item", { jid }))),
    );
  const preferences = await messageStore(store).preferences(account);
  if (preferences) {
    const list = (name: string, jids: readonly string[]) =>
      xml(name, {}, ...jids.map((jid) => xml("jid", {}, jid)));
    const { default: byDefault, always, never } = preferences;
    const attrs = { xmlns: NS.archive, default: byDefault };
    found.push(xml("prefs", attrs, list("always", always), list("never", never)));
  }
  const follows = (await followStore(store).of(account)).filter(({ state }) => state !== "ending");
  if (follows.length > 0) {
    const each = follows.map(({ target, followedAt }) =>
      xml("follow", { jid: target, since: formatDateTime(followedAt) }),
    );
    found.push(xml("follows", { xmlns: NS.portableExtra }, ...each));
  }
  return found;
}
