/** The client's side of XEP-0388, and of what XEP-0386 and XEP-0484 put into it. */
import { createHmac } from "node:crypto";
import { NS } from "../../src/xmpp/ns.ts";
import { attr, child, children, childText, escapeText, text, type Element } from "../../src/xmpp/xml.ts";
import type { ClientStream } from "./stream.ts";
import { bindingOf, bindingTypesOf, ScramClient, type BindingType } from "./sasl-client.ts";

export const sasl2 = `xmlns='${NS.sasl2}'`;

export interface Agent {
  readonly id: string;
  readonly software?: string;
  readonly device?: string;
}

export interface Login2 {
  readonly username: string;
  readonly password: string;
  readonly authzid?: string;
  /** The strongest that was offered by default. */
  readonly mechanism?: string;
  readonly bindTo?: BindingType;
  readonly agent?: Agent;
  /** What else is asked for, as XML. */
  readonly inside?: string;
  /** What somebody in between makes of the server's challenge. */
  readonly forged?: (challenge: string) => string;
}

const encode = (data: string | Buffer): string => Buffer.from(data).toString("base64");
export const decoded = (element: Element): string => Buffer.from(text(element).trim(), "base64").toString();

/** The offer in stream features. */
export const offerIn = (features: Element): Element | undefined =>
  child(features, "authentication", NS.sasl2);

export const mechanismsOf2 = (features: Element): string[] =>
  children(offerIn(features)!, "mechanism").map(text);

/** What can be done together with authentication. */
export const inlineOf = (features: Element): Element => child(offerIn(features)!, "inline")!;

export function userAgent({ id, software, device }: Agent): string {
  const named = (name: string, value: string | undefined) =>
    value === undefined ? "" : `<${name}>${escapeText(value)}</${name}>`;
  return `<user-agent id='${id}'>${named("software", software)}${named("device", device)}</user-agent>`;
}

export const authenticateElement = (mechanism: string, initial: string | Buffer | undefined, inside = "") =>
  `<authenticate ${sasl2} mechanism='${mechanism}'>` +
  (initial === undefined ? "" : `<initial-response>${encode(initial)}</initial-response>`) +
  `${inside}</authenticate>`;

export const response2 = (message: string): string => `<response ${sasl2}>${encode(message)}</response>`;

/**
 * Authenticates with a password; resolves to the server's last word: success, failure or continue. Throws where the
 * server does not prove that it knows the password.
 */
export async function authenticate2(
  stream: ClientStream,
  features: Element,
  login: Login2,
): Promise<Element> {
  const mechanism = login.mechanism ?? mechanismsOf2(features)[0]!;
  const inside = (login.agent ? userAgent(login.agent) : "") + (login.inside ?? "");
  if (mechanism === "PLAIN") {
    const { authzid = "", username, password } = login;
    stream.raw(authenticateElement(mechanism, `${authzid}\0${username}\0${password}`, inside));
    return stream.receivesNext();
  }
  const bindTo = login.bindTo ?? bindingTypesOf(features)[0];
  const binding = mechanism.endsWith("-PLUS") && bindTo ? bindingOf(stream.socket, bindTo) : undefined;
  const scram = new ScramClient({ ...login, mechanism, ...(binding && { binding }) });
  stream.raw(authenticateElement(mechanism, scram.first(), inside));
  const challenge = await stream.receivesNext();
  if (challenge.name !== "challenge") return challenge;
  const read = login.forged ?? ((one: string) => one);
  stream.raw(response2(scram.final(read(decoded(challenge)))));
  const outcome = await stream.receivesNext();
  if (outcome.name !== "success" && outcome.name !== "continue") return outcome;
  if (!scram.verifies(decoded(child(outcome, "additional-data")!)))
    throw new Error("the server does not know the verifier");
  return outcome;
}

/** Whom a success is for. */
export const identityIn = (success: Element): string => childText(success, "authorization-identifier") ?? "";

/** The condition of a failure. */
export function conditionOf(failure: Element): string {
  if (failure.name !== "failure") throw new Error(`no failure: ${failure.toString()}`);
  return children(failure).find((one) => attr(one, "xmlns") === NS.sasl)?.name ?? "";
}

const bindings = { EXPR: "tls-exporter", UNIQ: "tls-unique", ENDP: "tls-server-end-point" } as const;

export interface TokenLogin {
  readonly username: string;
  readonly token: string;
  readonly mechanism: string;
  readonly agent?: Agent | undefined;
  /** Attributes of `<fast/>`; without it, `null`. */
  readonly fast?: string | null;
  readonly inside?: string;
}

/** What a token proves on a connection: the client's word, and the server's. */
export function tokenProof(stream: ClientStream, { token, mechanism }: TokenLogin): [Buffer, Buffer] {
  const type = bindings[mechanism.slice(-4) as keyof typeof bindings];
  const data = type ? bindingOf(stream.socket, type).data : Buffer.alloc(0);
  const hmac = (who: string) =>
    createHmac("sha256", token)
      .update(Buffer.concat([Buffer.from(who), data]))
      .digest();
  return [hmac("Initiator"), hmac("Responder")];
}

/** Authenticates with a token; the server's answer. Throws where it does not prove that it has the token too. */
export async function authenticateByToken(
  stream: ClientStream,
  login: TokenLogin,
  proof?: Buffer,
): Promise<Element> {
  const { username, mechanism, agent, fast = "", inside = "" } = login;
  const [own, servers] = tokenProof(stream, login);
  const first = Buffer.concat([Buffer.from(`${username}\0`), proof ?? own]);
  const used = fast === null ? "" : `<fast xmlns='${NS.fast}' ${fast}/>`;
  stream.raw(authenticateElement(mechanism, first, (agent ? userAgent(agent) : "") + used + inside));
  const outcome = await stream.receivesNext();
  if (outcome.name !== "success") return outcome;
  const said = childText(outcome, "additional-data");
  if (said !== servers.toString("base64")) throw new Error("the server does not have the token");
  return outcome;
}

/** Asks for a token. */
export const requestToken = (mechanism: string): string =>
  `<request-token xmlns='${NS.fast}' mechanism='${mechanism}'/>`;

export const tokenIn = (success: Element): { token: string; expiry: Date } | undefined => {
  const element = child(success, "token", NS.fast);
  return element && { token: attr(element, "token")!, expiry: new Date(attr(element, "expiry")!) };
};

/** A request for a resource, with what the session shall begin with. */
export const bind2 = (inside = ""): string => `<bind xmlns='${NS.bind2}'>${inside}</bind>`;
