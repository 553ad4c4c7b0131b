/** RFC 6120 §5: TLS on a stream that began in the clear. */
import { StreamError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { xml } from "../xmpp/xml.ts";
import { startTlsFeature } from "./features.ts";
import type { Negotiates } from "./stream-feature.ts";

export const startTls: Negotiates = (stream) => ({
  xmlns: NS.tls,

  advertise() {
    return stream.transport.canSecure ? [startTlsFeature(stream.context.requireTls)] : [];
  },

  receive(element) {
    if (element.name !== "starttls") throw new StreamError("unsupported-stanza-type");
    if (stream.transport.canSecure) return stream.secure(undefined, xml("proceed", { xmlns: NS.tls }));
    // §5.4.2.2: there is TLS already, or there can be none; the failure ends the stream.
    stream.transport.send(xml("failure", { xmlns: NS.tls }));
    stream.transport.close();
  },
});
