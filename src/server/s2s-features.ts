/** XEP-0288, XEP-0478, and whatever else is offered on a stream between servers. */
import { limitsAfterAuthentication } from "../xmpp/parser.ts";
import { NS } from "../xmpp/ns.ts";
import { child, children, childText, text, xml, type Element } from "../xmpp/xml.ts";

/** What a stranger's words may take in a log, in UTF-16 units. */
const maxText = 200;

/** XEP-0220 §2.4.1.2. */
export const dialbackFeature = (): Element =>
  xml("dialback", { xmlns: NS.dialbackFeature }, xml("errors", {}));

/** XEP-0288 §2.1. */
export const bidiFeature = (): Element => xml("bidi", { xmlns: NS.bidiFeature });

/** XEP-0198 §3. */
export const managementFeature = (): Element => xml("sm", { xmlns: NS.streamManagement });

/** What a stream error says (RFC 6120 §4.9.2). */
export function streamCondition(error: Element): { condition: string; text: string | undefined } {
  const condition = children(error).find(({ name }) => name !== "text")?.name ?? "undefined-condition";
  return { condition, text: childText(error, "text", NS.streams)?.slice(0, maxText) };
}

/** RFC 6120 §6.4.1: of servers, only certificates are proof. */
export const externalFeature = (): Element =>
  xml("mechanisms", { xmlns: NS.sasl }, xml("mechanism", {}, "EXTERNAL"));

/** XEP-0478 §3.1: what we take, and when we end a stream that nothing comes on, in milliseconds. */
export const limitsElement = (idle: number): Element =>
  xml(
    "limits",
    { xmlns: NS.streamLimits },
    xml("max-bytes", {}, String(limitsAfterAuthentication.stanzaBytes)),
    xml("idle-seconds", {}, String(Math.floor(idle / 1_000))),
  );

/** Asks for stanzas in both directions (XEP-0288 §2.2), within our limits (XEP-0478 §3.2). */
export const bidiRequest = (idle: number): Element => xml("bidi", { xmlns: NS.bidi }, limitsElement(idle));

/** What a peer bears (XEP-0478 §3.1), where it tells. */
export interface PeerLimits {
  /** The largest stanza. */
  readonly maxBytes: number | undefined;
  /** The seconds after which it may end a stream that nothing comes on. */
  readonly idleSeconds: number | undefined;
}

/** As its features or its `<bidi/>` say. */
export function limitsIn(parent: Element): PeerLimits | undefined {
  const limits = child(parent, "limits", NS.streamLimits);
  if (!limits) return undefined;
  const limit = (name: string): number | undefined => {
    const written = childText(limits, name)?.trim() ?? "";
    return /^[1-9]\d{0,9}$/.test(written) ? Number(written) : undefined;
  };
  return { maxBytes: limit("max-bytes"), idleSeconds: limit("idle-seconds") };
}

/** What a peer offers. */
export interface PeerFeatures {
  readonly startTls: boolean;
  readonly external: boolean;
  readonly dialbackErrors: boolean;
  readonly bidi: boolean;
  readonly management: boolean;
  readonly limits: PeerLimits | undefined;
}

export function featuresIn(features: Element): PeerFeatures {
  const mechanisms = child(features, "mechanisms", NS.sasl);
  const dialback = child(features, "dialback", NS.dialbackFeature);
  return {
    startTls: child(features, "starttls", NS.tls) !== undefined,
    external: mechanisms !== undefined && children(mechanisms).some((one) => text(one) === "EXTERNAL"),
    dialbackErrors: dialback !== undefined && child(dialback, "errors") !== undefined,
    bidi: child(features, "bidi", NS.bidiFeature) !== undefined,
    management: child(features, "sm", NS.streamManagement) !== undefined,
    limits: limitsIn(features),
  };
}
