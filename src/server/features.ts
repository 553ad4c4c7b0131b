/** RFC 6120 §4.3.2, XEP-0440: the features that are offered at each stage of a client's stream. */
import { NS } from "../xmpp/ns.ts";
import type { ChannelBindings } from "../xmpp/sasl/scram-exchange.ts";
import { xml, type Element } from "../xmpp/xml.ts";

/** §5.4.1: what is mandatory to negotiate says so. */
export const startTlsFeature = (required: boolean): Element =>
  xml("starttls", { xmlns: NS.tls }, ...(required ? [xml("required", {})] : []));

/** §6.4.1, and XEP-0440: the mechanisms, and what those with channel binding can bind to. */
export function saslFeatures(mechanisms: readonly string[], bindings: ChannelBindings): Element[] {
  const names = mechanisms.map((name) => xml("mechanism", {}, name));
  const types = [...bindings.keys()].map((type) => xml("channel-binding", { type }));
  return [
    ...(names.length > 0 ? [xml("mechanisms", { xmlns: NS.sasl }, ...names)] : []),
    ...(types.length > 0 ? [xml("sasl-channel-binding", { xmlns: NS.saslChannelBinding }, ...types)] : []),
  ];
}

/** §7.4, and the session of RFC 3921 for those who still ask for one. */
export const bindFeatures = (): Element[] => [
  xml("bind", { xmlns: NS.bind }),
  xml("session", { xmlns: NS.session }, xml("optional", {})),
];

/** RFC 6121 §2.6.1 and §3.4. */
export const sessionFeatures = (): Element[] => [
  xml("ver", { xmlns: NS.rosterVersioning }),
  xml("sub", { xmlns: NS.preApproval }),
];

export const streamFeatures = (features: readonly Element[]): Element =>
  xml("stream:features", {}, ...features);
