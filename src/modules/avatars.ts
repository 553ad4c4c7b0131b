/** XEP-0398: avatars for clients that look for them in presence and vCards (XEP-0153), from those of XEP-0084. */
import type { AvatarHash } from "../domain/avatars.ts";
import type { Session } from "../server/session.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, copy, text, xml, type Element } from "../xmpp/xml.ts";
import { defineModule } from "./context.ts";
import { audienceOf } from "./presence-audience.ts";

export default defineModule({
  name: "avatars",
  xeps: ["0084", "0153", "0398"],
  features: { account: [NS.pepVcardConversion] },
  setup: (context) => {
    const { avatars, events, rosters, sessions } = context;
    const audience = audienceOf(context);
    /** What was said in the name of each client, which may be said anew. */
    const said = new WeakMap<Session, string>();

    /** §4: where the client says nothing itself. That it shows none is its own decision. */
    function inject(session: Session | undefined, stanza: Element, hash: AvatarHash): void {
      const update = child(stanza, "x", NS.vcardUpdate);
      if (update && child(update, "photo")) return;
      if (update) stanza.remove(update);
      if (hash === undefined) return;
      stanza.append(xml("x", { xmlns: NS.vcardUpdate }, xml("photo", {}, hash)));
      if (session) said.set(session, hash);
    }

    /** Presence as it was, with the new picture; `undefined` where it does not speak of the old one. */
    function renewed(session: Session, hash: string): Element | undefined {
      const stanza = session.available && copy(session.available.stanza);
      if (!stanza) return undefined;
      const update = child(stanza, "x", NS.vcardUpdate);
      const photo = update && child(update, "photo");
      if (photo && (text(photo) === hash || text(photo) !== said.get(session))) return undefined;
      if (update) stanza.remove(update);
      inject(session, stanza, hash);
      return stanza;
    }

    async function tell(account: string): Promise<void> {
      const hash = (await avatars.hash(account)) ?? "";
      const items = await rosters.of(account);
      for (const session of sessions.availableOf(account)) {
        const stanza = renewed(session, hash);
        if (!stanza) continue;
        session.available = { ...session.available!, stanza };
        await audience.tell(account, stanza, items);
        events.emit("presence.available", { session, stanza, initial: false });
      }
    }

    return {
      presence: {
        filter: ({ direction, stanza, account, session }) => {
          if (direction !== "out" || attr(stanza, "type") !== undefined) return;
          const hash = avatars.hash(account);
          if (hash instanceof Promise) return hash.then((known) => inject(session, stanza, known));
          inject(session, stanza, hash);
        },
      },
      events: {
        "session.bound": async ({ session }) => void (await avatars.hash(session.account)),
        "session.saved": ({ session, state }) => {
          state["avatar"] = said.get(session);
        },
        "session.restored": ({ session, state: { avatar } }) => {
          if (typeof avatar === "string") said.set(session, avatar);
        },
        "avatar.changed": ({ account }) => tell(account),
      },
    };
  },
});
