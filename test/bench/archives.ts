/** Archives that are full already: what people wrote to each other, two by two, for a long time. */
import { fullTextStore } from "../../src/store/full-text.ts";
import { messageStore, type MessageRow } from "../../src/store/messages.ts";
import type { Store } from "../../src/store/store.ts";
import { firstOrderOf, idOf } from "../../src/xmpp/id.ts";
import { NS } from "../../src/xmpp/ns.ts";

/** Rows that are written at once. */
const unitSize = 20_000;
const body = "Wherefore art thou, Romeo? The night is young.";

/** So many rows, the last of them a minute ago; every second message is from the first of two. All was delivered. */
export async function fillArchives(
  store: Store,
  locals: readonly string[],
  domain: string,
  rows: number,
): Promise<void> {
  if (rows === 0) return;
  const messages = messageStore(store);
  const bares = locals.map((local) => `${local}@${domain}`);
  const begin = Date.now() - 60_000 - rows;
  let last = 0;
  for (let done = 0; done < rows; done += unitSize) {
    const unit = Array.from({ length: Math.min(unitSize, rows - done) }, (_, i): MessageRow => {
      // One message is two rows, one millisecond after the other.
      const message = Math.floor((done + i) / 2);
      const from = message % bares.length;
      const sent = (done + i) % 2 === 0;
      const [account, other] = sent ? [from, from ^ 1] : [from ^ 1, from];
      const at = begin + done + i;
      const position = firstOrderOf(at);
      const id = idOf(position);
      const stanzaId = `<stanza-id xmlns="${NS.stanzaIds}" by="${bares[account]}" id="${id}"/>`;
      last = position;
      return {
        ...{ position, id, sent, idHash: message, archived: true, waits: !sent, at: new Date(at) },
        account: bares[account]!,
        with: bares[other]!,
        resource: "bench",
        stanza: `<message to="${bares[from ^ 1]}" type="chat" id="m${message}" from="${bares[from]}/bench"><body>${body}</body>${stanzaId}</message>`,
      };
    });
    await messages.append(() => unit);
  }
  await messages.take(
    bares.map((account) => ({ account, position: last })),
    [],
  );
  // That they are indexed is taken for granted: it is done while nothing else is.
  const texts = fullTextStore(store);
  await texts.create();
  await texts.add([{ position: last, account: bares[0]!, text: body }]);
}
