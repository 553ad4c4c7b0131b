/** XEP-0054: vcard-temp. World-readable; who has none cannot be told from who does not exist (§3.3). */
import { get, set, type IqRequest } from "../server/module.ts";
import { vcardStore } from "../store/vcards.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { parseElement } from "../xmpp/parser.ts";
import { serialize, xml } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";

/** Room for a photo of 96 KiB in base64, the most that a client was seen to send, and the words beside it. */
const maxBytes = 160_000;

export default defineModule({
  name: "vcard",
  xeps: ["0054"],
  features: { server: [NS.vcard], account: [NS.vcard] },
  setup: ({ store, uploads }) => {
    const vcards = vcardStore(store);

    const read = async (account: string) => {
      const stored = await vcards.find(account);
      return stored === undefined ? undefined : parseElement(stored);
    };

    const write = async ({ from, payload }: IqRequest): Promise<void> => {
      const text = serialize(payload);
      if (Buffer.byteLength(text) > maxBytes) {
        throw new StanzaError("not-acceptable", { text: `A vCard has at most ${maxBytes} bytes` });
      }
      await vcards.save(from.bare, text);
      // A photo may be a link.
      await uploads.refer({ service: from.bare, node: NS.vcard, item: "" }, from.bare, payload);
    };

    return {
      iq: [
        get(NS.vcard, "vCard", "self", async ({ from }) => {
          return (await read(from.bare)) ?? xml("vCard", { xmlns: NS.vcard });
        }),
        set(NS.vcard, "vCard", "self", write),
        get(NS.vcard, "vCard", "account", async ({ to }) => {
          const found = await read(to.bare);
          if (!found) throw new StanzaError("service-unavailable");
          return found;
        }),
        {
          ...set(NS.vcard, "vCard", "account", () => {
            throw new StanzaError("forbidden", { text: "This vCard is somebody else's" });
          }),
          anyName: true,
        },
      ],
      events: {
        "account.removed": ({ account }) => vcards.remove(account),
      },
    };
  },
});
