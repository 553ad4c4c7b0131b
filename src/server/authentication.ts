/** RFC 6120 §6: the SASL negotiation of a stream, from its mechanisms to its restart. */
import { SaslError, StreamError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { limitsAfterAuthentication } from "../xmpp/parser.ts";
import type { ScramHash } from "../xmpp/sasl/scram.ts";
import { attr, text, xml, type Element } from "../xmpp/xml.ts";
import { saslFeatures } from "./features.ts";
import { SaslNegotiation, tooMany, type SaslAnswer, type SaslOffer } from "./sasl.ts";
import { Sasl2 } from "./sasl2.ts";
import type { NegotiatedStream, StreamFeature } from "./stream-feature.ts";

/** SASL in its two profiles, that of RFC 6120 and that of XEP-0388. */
export function authentication(stream: NegotiatedStream): readonly StreamFeature[] {
  let offer: SaslOffer | undefined;
  const current = (): SaslOffer => {
    if (!offer) throw new StreamError("unsupported-stanza-type");
    return offer;
  };
  const advertise = (hashes?: readonly ScramHash[]): readonly Element[] => {
    offer = { negotiation: negotiationOn(stream, hashes), hashes };
    const { mechanisms, bindings } = offer.negotiation;
    return [...saslFeatures(mechanisms, bindings), ...sasl2.features(offer)];
  };
  const sasl2 = new Sasl2(stream, current);
  const sasl: StreamFeature = {
    xmlns: NS.sasl,

    advertise() {
      const { from, context, isEncrypted } = stream;
      const known = from && isEncrypted ? context.authenticator.hashes?.(from.local) : undefined;
      return known ? known.then(advertise) : advertise();
    },

    async receive(element) {
      const answer = await ask(current().negotiation, element);
      stream.transport.send(answerElement(answer));
      if (answer.kind === "failure" && answer.isExhausted) throw tooMany();
      if (answer.kind !== "success") return;
      stream.authenticated(answer.who);
      stream.transport.restart(limitsAfterAuthentication);
    },
  };
  return [sasl, sasl2];
}

function negotiationOn(stream: NegotiatedStream, hashes: readonly ScramHash[] | undefined): SaslNegotiation {
  const { context, transport, address, isEncrypted } = stream;
  const { domain, authenticator, throttle, log, requireTls } = context;
  return new SaslNegotiation({
    ...{ domain, authenticator, throttle, log, address, hashes },
    allowed: isEncrypted || !requireTls,
    encrypted: isEncrypted,
    bindings: transport.channel?.bindings() ?? new Map(),
  });
}

function ask(negotiation: SaslNegotiation, element: Element): Promise<SaslAnswer> {
  const said = text(element);
  // §6.4.2, §6.4.3: a single equals sign stands for data of no length.
  const data = said === "=" ? "" : said;
  switch (element.name) {
    case "auth": {
      const initial = said === "" ? undefined : data;
      return negotiation.begin({ mechanism: attr(element, "mechanism") ?? "", initial });
    }
    case "response":
      return negotiation.respond(data);
    case "abort":
      return negotiation.refuse(new SaslError("aborted"));
    default:
      return negotiation.refuse(new SaslError("malformed-request"));
  }
}

function answerElement(answer: SaslAnswer): Element {
  if (answer.kind === "failure") return answer.error.toElement();
  const { kind, data } = answer;
  return xml(kind, { xmlns: NS.sasl }, ...(data ? [data.toString("base64")] : []));
}
