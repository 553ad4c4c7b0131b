/** XEP-0313 §4–§6: people read their archives, in pages (XEP-0059) and with XEP-0431's search; nobody reads another's. */
import { get, set, type IqRequest } from "../server/module.ts";
import type { Session } from "../server/session.ts";
import type { MessageRow } from "../store/messages.ts";
import { formatDateTime } from "../xmpp/datetime.ts";
import { delayElement } from "../xmpp/delay.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { newId } from "../xmpp/id.ts";
import { NS } from "../xmpp/ns.ts";
import { rsmElement } from "../xmpp/rsm.ts";
import { attr, child, escapeAttribute, serialize, xml, type Element } from "../xmpp/xml.ts";
import { ask, type Answer } from "./archive-pages.ts";
import { queryForm } from "./archive-form.ts";
import { defineModule } from "./context.ts";

export default defineModule({
  name: "archive-query",
  xeps: ["0059", "0313", "0431"],
  features: {
    account: [NS.archive, NS.archiveExtended, NS.archiveGroupchat, NS.fullText],
    // Clients look for it at their server too.
    server: [NS.archive, NS.archiveExtended, NS.fullText],
  },
  setup: ({ archive, fullText }) => {
    async function query({ from, payload, session }: IqRequest): Promise<Element> {
      if (!session) throw new StanzaError("forbidden");
      // §4.1: this is no archive of a node (XEP-0442).
      if (attr(payload, "node") !== undefined) throw new StanzaError("item-not-found");
      const readTo = archive.frontier;
      const answer = await ask(from.bare, payload, archive, fullText);
      if (answer.isCatchUp) session.readTo = readTo;
      sendResults(session, payload, answer);
      return finOf(answer);
    }

    async function metadataOf(account: string): Promise<Element> {
      const ends = await archive.ends(account);
      const end = (name: string, { id, at }: MessageRow): Element =>
        xml(name, { id, timestamp: formatDateTime(at) });
      const element = xml("metadata", { xmlns: NS.archive });
      if (ends) element.append(end("start", ends.first), end("end", ends.last));
      return element;
    }

    return {
      iq: [
        set(NS.archive, "query", "self", query),
        get(NS.archive, "query", "self", () => xml("query", { xmlns: NS.archive }, queryForm())),
        get(NS.archive, "metadata", "self", ({ from }) => metadataOf(from.bare)),
        ...[get(NS.archive, "query", "account", refuse), set(NS.archive, "query", "account", refuse)].map(
          (route) => ({ ...route, anyName: true as const }),
        ),
        { ...get(NS.archive, "metadata", "account", refuse), anyName: true },
      ],
      bindExtension: {
        // XEP-0386 §3.2: what is not told of here comes by itself; what waited is read, and not sent.
        bound(session) {
          session.readTo = archive.frontier;
          return metadataOf(session.account);
        },
      },
    };
  },
});

/** §9.1, whether or not there is such an account. */
function refuse(): never {
  throw new StanzaError("forbidden", { text: "This is somebody else's archive" });
}

/** §4.2: each in a message of its own, with what was archived as it was. */
function sendResults(session: Session, query: Element, { rows }: Answer): void {
  const attrs = { from: session.account, to: session.jid.full, id: newId() };
  const queryid = attr(query, "queryid");
  const named = queryid === undefined ? "" : ` queryid="${escapeAttribute(queryid)}"`;
  // What it is, for whoever decides how urgent it is; the text has the rest.
  const message = xml("message", attrs, xml("result", { xmlns: NS.archive }));
  const open = `${serialize(xml("message", attrs)).slice(0, -2)}><result xmlns="${NS.archive}"${named}`;
  const ordered = child(query, "flip-page") ? rows.toReversed() : rows;
  for (const { id, at, stanza } of ordered) {
    const delay = serialize(delayElement(session.jid.domain, at));
    const original = `<message xmlns="${NS.client}"${stanza.slice("<message".length)}`;
    session.send(
      message,
      `${open} id="${id}"><forwarded xmlns="${NS.forward}">${delay}${original}</forwarded></result></message>`,
    );
  }
}

function finOf({ rows, complete, stable, count }: Answer): Element {
  const [first, last] = [rows[0], rows.at(-1)];
  const fin = xml("fin", {
    xmlns: NS.archive,
    complete: complete ? "true" : undefined,
    stable: stable ? undefined : "false",
  });
  fin.append(
    rsmElement({
      ...(first && last && { first: { id: first.id }, last: last.id }),
      ...(count !== undefined && { count }),
    }),
  );
  return fin;
}
