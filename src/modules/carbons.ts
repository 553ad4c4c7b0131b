/** XEP-0280: Message Carbons. The other clients of an account get a copy of what one of them sends or gets. */
import { isFor } from "../server/delivery.ts";
import { plainText, set, type IqRequest, type Passage } from "../server/module.ts";
import type { Session } from "../server/session.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { messageType } from "../xmpp/stanza.ts";
import { attr, child, escapeAttribute, type Element } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";

export default defineModule({
  name: "carbons",
  xeps: ["0280"],
  features: { server: [NS.carbons, NS.carbonRules] },
  setup: ({ sessions }) => {
    const turn =
      (on: boolean) =>
      ({ session }: IqRequest): void => {
        if (!session) throw new StanzaError("not-allowed");
        session.carbons = on;
      };
    const refuse = (): never => {
      throw new StanzaError("not-allowed", { text: "Carbons are for one's own clients" });
    };

    function copyToOthers(passage: Passage): void {
      if (!passage.handling?.carbon) return;
      let inside: string | undefined;
      for (const session of sessions.of(passage.account)) {
        if (!session.carbons || hasOriginal(session, passage)) continue;
        if (inside === undefined) {
          if (!isCopied(passage)) return;
          inside = contentOf(passage.direction === "out", passage.text ?? plainText(passage));
        }
        const { archiveId, stanza } = passage;
        if (!session.defer(archiveId, true))
          session.send(stanza, wrapped(session, stanza, inside), archiveId);
      }
    }

    /** §7, §8: who sent it, or gets it as it is. */
    function hasOriginal(session: Session, passage: Passage): boolean {
      return session === passage.session || (passage.direction === "in" && isFor(session, passage, sessions));
    }

    return {
      iq: [
        set(NS.carbons, "enable", "self", turn(true)),
        set(NS.carbons, "disable", "self", turn(false)),
        set(NS.carbons, "enable", "account", refuse),
        set(NS.carbons, "disable", "account", refuse),
      ],
      message: { copy: copyToOthers },
      bindExtension: {
        feature: NS.carbons,
        bound(session, request) {
          if (child(request, "enable", NS.carbons)) session.carbons = true;
        },
      },
    };
  },
});

/** §6.1: what the kind of a message alone does not tell. */
function isCopied({ stanza, direction, from, to, archiveId, handling }: Passage): boolean {
  // What somebody writes to themselves has one copy: the one that comes in, which is archived.
  if (direction === "out" && from.bare === to.bare) return false;
  // An error belongs to what it answers: to the message that the archive has.
  if (handling?.kind === "error") return archiveId !== undefined;
  // The room sends what is private in it to all clients that are in there.
  const isOfRoom = child(stanza, "x", NS.mucUser) !== undefined && handling?.kind !== "invitation";
  return !(direction === "in" && isOfRoom && !from.isBare && messageType(stanza) !== "groupchat");
}

/** A copy for a session, of a message that is `text`. */
export const carbonText = (session: Session, stanza: Element, text: string, sent: boolean): string =>
  wrapped(session, stanza, contentOf(sent, text));

function wrapped({ account, jid }: Session, stanza: Element, inside: string): string {
  const attrs = `from="${escapeAttribute(account)}" to="${escapeAttribute(jid.full)}"`;
  const type = attr(stanza, "type");
  const typed = type === undefined ? "" : ` type="${escapeAttribute(type)}"`;
  return `<message ${attrs}${typed}>${inside}</message>`;
}

function contentOf(sent: boolean, text: string): string {
  const name = sent ? "sent" : "received";
  const message = `<message xmlns="${NS.client}"${text.slice("<message".length)}`;
  return `<${name} xmlns="${NS.carbons}"><forwarded xmlns="${NS.forward}">${message}</forwarded></${name}>`;
}
