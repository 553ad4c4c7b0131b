/** XEP-0424 §5: what its author retracts says nothing any more in the archives that it is in. The retraction stays. */
import type { MessageRow } from "../store/messages.ts";
import { formatDateTime } from "../xmpp/datetime.ts";
import type { Jid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { parseElement } from "../xmpp/parser.ts";
import { attr, child, children, copy, serialize, xml } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";

/** Of a conversation, from the newest on: what somebody regrets is not older than that. */
const maxDepth = 20_000;

export interface RetractionEvents {
  /** One side of a message, `by`, that takes back the one that its author calls `id`. */
  "message.retracted": { account: string; with: Jid; sent: boolean; id: string; by: string };
}

export default defineModule({
  name: "tombstones",
  xeps: ["0424"],
  features: { account: [NS.tombstone], server: [NS.retract] },
  setup: ({ archive, events, fullText }) => ({
    message: {
      copy: ({ stanza, account, archiveId, direction, from, to, handling }) => {
        if (handling?.kind !== "retraction" || archiveId === undefined) return;
        const retract = child(stanza, "retract", NS.retract);
        const id = retract && attr(retract, "id");
        if (id === undefined) return;
        const sent = direction === "out";
        const by = attr(stanza, "id") ?? "";
        // In a task of its own: nobody waits until an old message is found.
        events.emit("message.retracted", { account, with: sent ? to : from, sent, id, by });
      },
    },
    events: {
      "message.retracted": async ({ account, with: other, sent, id, by }) => {
        // The same direction in the same conversation: it has the same author.
        const row = await archive.find({ account, with: other.bare, sent }, id, maxDepth);
        // But in a room, everybody has the same bare address.
        const isOfRoom = row && child(parseElement(row.stanza), "x", NS.mucUser);
        if (!row || (isOfRoom && row.resource !== other.resource)) return;
        await archive.replace(row.position, tombstone(row, by, new Date()));
        await fullText.remove([row.position]);
      },
    },
  }),
});

/** The message with its addresses and ids, and nothing else. */
function tombstone({ stanza }: MessageRow, by: string, at: Date): string {
  const message = parseElement(stanza);
  const retracted = xml("retracted", { xmlns: NS.retract, id: by, stamp: formatDateTime(at) });
  const ids = children(message).filter((part) => attr(part, "xmlns") === NS.stanzaIds);
  return serialize(xml(message.name, { ...message.attrs }, retracted, ...ids.map((part) => copy(part))));
}
