/**
 * XEP-0054 and XEP-0292: vCards, of the old kind by requests of its own and of the new one in pubsub. Who has none, or
 * shows it to others only, cannot be told from who does not exist (XEP-0054 §3.3).
 */
import { Profiles } from "../domain/profiles.ts";
import { get, set, type IqRequest } from "../server/module.ts";
import { vcardStore } from "../store/vcards.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { serialize, xml } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";

/** Room for a photo of 96 KiB in base64, the most that a client was seen to send, and the words beside it. */
const maxBytes = 160_000;

export default defineModule({
  name: "vcard",
  xeps: ["0054", "0292"],
  features: { server: [NS.vcard], account: [NS.vcard, NS.vcard4] },
  setup: (context) => {
    const { store, uploads } = context;
    const profiles = new Profiles(context);

    const write = async ({ from, payload }: IqRequest): Promise<void> => {
      if (Buffer.byteLength(serialize(payload)) > maxBytes) {
        throw new StanzaError("not-acceptable", { text: `A vCard has at most ${maxBytes} bytes` });
      }
      await profiles.write(from.bare, payload);
      // A photo may be a link.
      await uploads.refer({ service: from.bare, node: NS.vcard, item: "" }, from.bare, payload);
    };

    return {
      iq: [
        get(NS.vcard, "vCard", "self", async ({ from }) => {
          return (await profiles.read(from.bare, from)) ?? xml("vCard", { xmlns: NS.vcard });
        }),
        set(NS.vcard, "vCard", "self", write),
        get(NS.vcard, "vCard", "account", async ({ from, to }) => {
          const found = await profiles.read(to.bare, from);
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
        "account.removed": ({ account }) => vcardStore(store).remove(account),
      },
    };
  },
});
