/** XEP-0388 §2.3: what a client asks for when it authenticates. */
import { SaslError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, children, childText, legalText, text, type Element } from "../xmpp/xml.ts";
import type { TokenUse, UserAgent } from "./client-registry.ts";
import { tokenUseIn } from "./fast.ts";

/** RFC 9562 §5.4. */
const uuid4 = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/i;
/** What a client may call itself and its device, in UTF-16 units; the rest is cut off. */
const maxName = 100;

export interface AuthenticationRequest {
  readonly mechanism: string;
  /** In base64. */
  readonly initial: string | undefined;
  /** Where the client says which installation it is. */
  readonly agent: UserAgent | undefined;
  /** It has a token instead of a password. */
  readonly use: TokenUse | undefined;
  /** XEP-0480 §2.2: the tasks that it would do. */
  readonly upgrades: readonly string[];
  /** Of XEP-0198, XEP-0386. */
  readonly resume: Element | undefined;
  readonly bind: Element | undefined;
  /** The whole. */
  readonly element: Element;
}

/** Throws `malformed-request`. */
export function readRequest(element: Element): AuthenticationRequest {
  const mechanism = attr(element, "mechanism") ?? "";
  return {
    mechanism,
    initial: childText(element, "initial-response")?.trim(),
    agent: userAgentIn(element),
    use: tokenUseIn(element, mechanism),
    upgrades: children(element, "upgrade", NS.saslUpgrade).map(text),
    resume: child(element, "resume", NS.streamManagement),
    bind: child(element, "bind", NS.bind2),
    element,
  };
}

function userAgentIn(element: Element): UserAgent | undefined {
  const agent = child(element, "user-agent");
  const id = agent && attr(agent, "id");
  if (!agent || id === undefined) return undefined;
  if (!uuid4.test(id))
    throw new SaslError("malformed-request", "The id of a user-agent is a UUID of version 4");
  const named = (name: string): string | undefined =>
    legalText(childText(agent, name)?.trim() ?? "").slice(0, maxName) || undefined;
  return { id: id.toLowerCase(), software: named("software"), device: named("device") };
}
