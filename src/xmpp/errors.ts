/** The errors of RFC 6120: thrown where a rule is broken, rendered at the edge. */
import { NS } from "./ns.ts";
import { child, children, childText, namespaceOf, xml, type Element } from "./xml.ts";

export type ErrorType = "auth" | "cancel" | "continue" | "modify" | "wait";

/** RFC 6120 §8.3.3: each defined condition with the error type it is associated with. */
const defaultType = {
  "bad-request": "modify",
  conflict: "cancel",
  "feature-not-implemented": "cancel",
  forbidden: "auth",
  gone: "cancel",
  "internal-server-error": "cancel",
  "item-not-found": "cancel",
  "jid-malformed": "modify",
  "not-acceptable": "modify",
  "not-allowed": "cancel",
  "not-authorized": "auth",
  "policy-violation": "modify",
  "recipient-unavailable": "wait",
  redirect: "modify",
  "registration-required": "auth",
  "remote-server-not-found": "cancel",
  "remote-server-timeout": "wait",
  "resource-constraint": "wait",
  "service-unavailable": "cancel",
  "subscription-required": "auth",
  "undefined-condition": "cancel",
  "unexpected-request": "wait",
} as const satisfies Record<string, ErrorType>;

export type StanzaCondition = keyof typeof defaultType;

export interface StanzaErrorOptions {
  text?: string;
  type?: ErrorType;
  /** The application-specific condition (§8.3.4), e.g. one of `pubsub#errors`. */
  app?: Element;
  cause?: unknown;
}

/** A stanza that cannot be honoured; the router answers with it (RFC 6120 §8.3). */
export class StanzaError extends Error {
  override readonly name = "StanzaError";
  readonly condition: StanzaCondition;
  readonly type: ErrorType;
  readonly app: Element | undefined;
  readonly text: string | undefined;

  constructor(condition: StanzaCondition, options: StanzaErrorOptions = {}) {
    super(options.text ?? condition, { cause: options.cause });
    this.condition = condition;
    this.type = options.type ?? defaultType[condition];
    this.app = options.app;
    this.text = options.text;
  }

  /** The `<error/>` child of a stanza of type error. */
  toElement(): Element {
    const element = xml("error", { type: this.type }, xml(this.condition, { xmlns: NS.stanzas }));
    if (this.text) element.append(xml("text", { xmlns: NS.stanzas, "xml:lang": "en" }, this.text));
    if (this.app) element.append(this.app);
    return element;
  }
}

/** The error in a stanza of type error (§8.3.2); what is none there, or says nothing, is an `undefined-condition`. */
export function readStanzaError(stanza: Element): StanzaError {
  const error = child(stanza, "error");
  const parts = error ? children(error) : [];
  const isCondition = (part: Element) => namespaceOf(part) === NS.stanzas && part.name in defaultType;
  const condition = parts.find(isCondition)?.name ?? "undefined-condition";
  const said = error && childText(error, "text", NS.stanzas);
  const app = parts.find((part) => namespaceOf(part) !== NS.stanzas);
  return new StanzaError(condition as StanzaCondition, { ...(said && { text: said }), ...(app && { app }) });
}

/** RFC 6120 §4.9.3. */
export type StreamCondition =
  | "bad-format"
  | "bad-namespace-prefix"
  | "conflict"
  | "connection-timeout"
  | "host-gone"
  | "host-unknown"
  | "improper-addressing"
  | "internal-server-error"
  | "invalid-from"
  | "invalid-namespace"
  | "invalid-xml"
  | "not-authorized"
  | "not-well-formed"
  | "policy-violation"
  | "remote-connection-failed"
  | "reset"
  | "resource-constraint"
  | "restricted-xml"
  | "see-other-host"
  | "system-shutdown"
  | "undefined-condition"
  | "unsupported-encoding"
  | "unsupported-feature"
  | "unsupported-stanza-type"
  | "unsupported-version";

/** An error that ends the stream (RFC 6120 §4.9). */
export class StreamError extends Error {
  override readonly name = "StreamError";
  readonly condition: StreamCondition;
  readonly text: string | undefined;
  /** The application-specific condition (§4.9.4). */
  readonly app: Element | undefined;

  constructor(condition: StreamCondition, text?: string, app?: Element) {
    super(text ?? condition);
    this.condition = condition;
    this.text = text;
    this.app = app;
  }

  /** `<stream:error/>`; the prefix is declared on the stream header (§4.8.5). */
  toElement(): Element {
    const element = xml("stream:error", {}, xml(this.condition, { xmlns: NS.streams }));
    if (this.text) element.append(xml("text", { xmlns: NS.streams, "xml:lang": "en" }, this.text));
    if (this.app) element.append(this.app);
    return element;
  }
}

/** RFC 6120 §6.5. */
export type SaslCondition =
  | "aborted"
  | "account-disabled"
  | "credentials-expired"
  | "encryption-required"
  | "incorrect-encoding"
  | "invalid-authzid"
  | "invalid-mechanism"
  | "malformed-request"
  | "mechanism-too-weak"
  | "not-authorized"
  | "temporary-auth-failure";

/** A failed authentication (RFC 6120 §6.5); the stream stays open for another try. */
export class SaslError extends Error {
  override readonly name = "SaslError";
  readonly condition: SaslCondition;
  readonly text: string | undefined;

  constructor(condition: SaslCondition, text?: string) {
    super(text ?? condition);
    this.condition = condition;
    this.text = text;
  }

  toElement(): Element {
    const element = xml("failure", { xmlns: NS.sasl }, xml(this.condition, {}));
    if (this.text) element.append(xml("text", { "xml:lang": "en" }, this.text));
    return element;
  }
}
