/** RFC 6120 §6: the SASL negotiation of a stream, from its mechanisms to its restart. */
import { StreamError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { limitsAfterAuthentication } from "../xmpp/parser.ts";
import { saslFeatures } from "./features.ts";
import { SaslNegotiation } from "./sasl.ts";
import type { Negotiates, NegotiatedStream } from "./stream-feature.ts";

export const authentication: Negotiates = (stream) => {
  let sasl: SaslNegotiation | undefined;
  return {
    xmlns: NS.sasl,

    advertise() {
      sasl = negotiationOn(stream);
      return saslFeatures(sasl.mechanisms, sasl.bindings);
    },

    async receive(element) {
      if (!sasl) throw new StreamError("unsupported-stanza-type");
      const { element: answer, authenticated, exhausted } = await sasl.receive(element);
      stream.transport.send(answer);
      if (exhausted) throw new StreamError("policy-violation", "Too many failed logins");
      if (!authenticated) return;
      stream.authenticated(authenticated);
      stream.transport.restart(limitsAfterAuthentication);
    },
  };
};

function negotiationOn({ context, transport, address, isEncrypted }: NegotiatedStream): SaslNegotiation {
  const { domain, authenticator, throttle, log, requireTls } = context;
  return new SaslNegotiation({
    ...{ domain, authenticator, throttle, log, address },
    allowed: isEncrypted || !requireTls,
    encrypted: isEncrypted,
    bindings: transport.channel?.bindings() ?? new Map(),
  });
}
