/** XEP-0441: Message Archive Management Preferences. */
import type { Preferences } from "../domain/archive-preferences.ts";
import { get, set, type IqRequest } from "../server/module.ts";
import { StanzaError } from "../xmpp/errors.ts";
import { parseJid } from "../xmpp/jid.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, children, text, xml, type Element } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";

/** In either list: they are looked through for every message. */
const maxAddresses = 1_000;

const defaults = ["always", "never", "roster"] as const;

export default defineModule({
  name: "archive-preferences",
  xeps: ["0441"],
  setup: ({ archivePreferences }) => {
    async function change({ from, payload }: IqRequest): Promise<Element> {
      const preferences = preferencesIn(payload);
      await archivePreferences.set(from.bare, preferences);
      return elementOf(preferences);
    }
    const refuse = (): never => {
      throw new StanzaError("forbidden", { text: "This is somebody else's archive" });
    };
    return {
      iq: [
        get(NS.archive, "prefs", "self", async ({ from }) =>
          elementOf(await archivePreferences.of(from.bare)),
        ),
        set(NS.archive, "prefs", "self", change),
        { ...get(NS.archive, "prefs", "account", refuse), anyName: true },
        { ...set(NS.archive, "prefs", "account", refuse), anyName: true },
      ],
    };
  },
});

function preferencesIn(prefs: Element): Preferences {
  const byDefault = defaults.find((one) => one === attr(prefs, "default"));
  if (!byDefault) {
    throw new StanzaError("bad-request", { text: `The default is one of ${defaults.join(", ")}` });
  }
  return { default: byDefault, always: addressesIn(prefs, "always"), never: addressesIn(prefs, "never") };
}

function addressesIn(prefs: Element, name: "always" | "never"): string[] {
  const list = child(prefs, name);
  const addresses = (list ? children(list, "jid") : []).map((element) => {
    const jid = parseJid(text(element).trim());
    if (!jid) throw new StanzaError("jid-malformed");
    return jid.full;
  });
  if (addresses.length > maxAddresses) {
    throw new StanzaError("not-acceptable", { text: `A list has at most ${maxAddresses} addresses` });
  }
  return [...new Set(addresses)];
}

function elementOf({ default: byDefault, always, never }: Preferences): Element {
  const list = (name: string, jids: readonly string[]): Element =>
    xml(name, {}, ...jids.map((jid) => xml("jid", {}, jid)));
  return xml(
    "prefs",
    { xmlns: NS.archive, default: byDefault },
    list("always", always),
    list("never", never),
  );
}
