/** XEP-0352: Client State Indication: an inactive client is spared what can wait. */
import { StreamError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { xml, type Element } from "../xmpp/xml.ts";
import { Reserve } from "./csi-reserve.ts";
import type { BoundFeature, StreamFeature } from "./stream-feature.ts";

const feature = (): readonly Element[] => [xml("csi", { xmlns: NS.clientState })];

/** What an authenticated client is told. */
export const clientStateFeature = (): StreamFeature => ({
  xmlns: NS.clientState,
  advertise: feature,
  receive: () => refuse(),
});

/** §4.2; neither is answered. */
export const clientState: BoundFeature = {
  xmlns: NS.clientState,
  advertise: feature,

  receive({ name }, session) {
    if (name === "inactive") session.reserve ??= new Reserve();
    else if (name === "active") {
      session.release();
      session.reserve = undefined;
    } else refuse();
  },
};

function refuse(): never {
  throw new StreamError("unsupported-stanza-type");
}
