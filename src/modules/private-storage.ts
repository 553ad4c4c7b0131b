/** XEP-0049: Private XML Storage. What it holds of bookmarks is the list of XEP-0048, which lives in pubsub. */
import { get, set, type IqRequest } from "../server/module.ts";
import { privateXmlStore, type PrivateXmlRow } from "../store/private-xml.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { parseElement } from "../xmpp/parser.ts";
import { children, copy, namespaceOf, serialize, xml, type Element } from "../xmpp/xml.ts";
import { bookmarksOf } from "./bookmarks.ts";
import { defineModule } from "./context.ts";

/** Elements of one account, and the UTF-16 units of each: settings and notes, not files. */
const maxElements = 200;
const maxLength = 65_536;

export default defineModule({
  name: "private-storage",
  xeps: ["0049"],
  features: { server: [NS.privateXml] },
  setup: (context) => {
    const { store } = context;
    const rows = privateXmlStore(store);
    const bookmarks = bookmarksOf(context);

    async function read({ from, payload }: IqRequest): Promise<Element> {
      const [asked, second] = children(payload);
      if (!asked || second)
        throw new StanzaError("bad-request", { text: "One element is asked for at a time" });
      return xml("query", { xmlns: NS.privateXml }, await find(from.bare, asked));
    }

    async function find(account: string, asked: Element): Promise<Element> {
      if (isBookmarks(asked)) return bookmarks.list(account);
      const key = keyOf(asked);
      const found = await rows.find({ account, ...key });
      return found === undefined ? copy(asked, { xmlns: key.xmlns }) : parseElement(found);
    }

    async function write({ from, payload }: IqRequest): Promise<void> {
      const account = from.bare;
      const elements = children(payload);
      if (elements.length === 0) throw new StanzaError("bad-request", { text: "There is nothing to store" });
      const written = elements.filter((one) => !isBookmarks(one)).map((one) => rowOf(account, one));
      for (const list of elements.filter(isBookmarks)) await bookmarks.replace(account, list);
      if (written.length === 0) return;
      await store.transaction(async (tx) => {
        for (const row of written) await privateXmlStore(tx).put(row);
        if ((await privateXmlStore(tx).count(account)) <= maxElements) return;
        throw new StanzaError("resource-constraint", { text: `At most ${maxElements} elements are stored` });
      });
    }

    const refuse = (): never => {
      throw new StanzaError("forbidden", { text: "This storage is somebody else's" });
    };

    return {
      iq: [
        get(NS.privateXml, "query", "self", read),
        set(NS.privateXml, "query", "self", write),
        { ...get(NS.privateXml, "query", "account", refuse), anyName: true },
        { ...set(NS.privateXml, "query", "account", refuse), anyName: true },
      ],
      events: {
        "account.removed": ({ account }) => store.transaction((tx) => privateXmlStore(tx).clear(account)),
      },
    };
  },
});

const isBookmarks = (element: Element): boolean =>
  element.name === "storage" && namespaceOf(element) === NS.legacyBookmarks;

function rowOf(account: string, element: Element): PrivateXmlRow {
  const key = keyOf(element);
  const written = serialize(copy(element, { xmlns: key.xmlns }));
  if (written.length > maxLength)
    throw new StanzaError("not-acceptable", { text: `At most ${maxLength} characters are stored` });
  return { account, ...key, xml: written };
}

/** §2.1: what is stored is told apart by name and namespace; those of the protocol itself are not for storing (§4). */
function keyOf(element: Element): { xmlns: string; name: string } {
  const xmlns = namespaceOf(element) ?? "";
  const isReserved = /^(?:jabber:|http:\/\/jabber\.org\/|vcard-temp$)/.test(xmlns);
  if (xmlns === "" || isReserved)
    throw new StanzaError("not-acceptable", { text: "Nothing is stored in this namespace" });
  return { xmlns, name: element.name };
}
