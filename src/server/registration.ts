/** XEP-0077 and XEP-0445: an account is made on a stream on which nobody is known yet. */
import { StanzaError, StreamError, type StanzaCondition } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { registrationAnswers, registrationFields, registrationForm } from "../xmpp/registration.ts";
import { errorReply, iqPayload, isStanza, resultReply, toStanzaError } from "../xmpp/stanza.ts";
import { attr, child, xml, type Element } from "../xmpp/xml.ts";
import type { NegotiatedStream, StreamFeature } from "./stream-feature.ts";

/** Somebody who may make an account. */
export interface Admission {
  /** The only name that it can have, where that is settled. */
  readonly username: string | null;
  register(username: string, password: string): Promise<unknown>;
}

/** Who lets people in; what it throws is `StanzaError`. */
export interface Registrar {
  /** Whether anybody may come. */
  readonly isOpen: boolean;
  /** Whether somebody may come who was invited. */
  awaitsInvited(): Promise<boolean>;
  open(address: string): Admission;
  invited(token: string, address: string): Promise<Admission>;
}

/** XEP-0086: what errors were before they had names; clients as old as those still look for it. */
const codes: Partial<Record<StanzaCondition, string>> = {
  "bad-request": "400",
  "not-authorized": "401",
  forbidden: "403",
  "item-not-found": "404",
  "not-allowed": "405",
  "not-acceptable": "406",
  conflict: "409",
  "internal-server-error": "500",
  "resource-constraint": "500",
  "unexpected-request": "400",
};

/** The features of one stream: to show an invitation, and to register. */
export function registration(stream: NegotiatedStream): StreamFeature[] {
  const { registrar, log } = stream.context;
  if (!registrar) return [];
  let invited: Admission | undefined;
  let isDone = false;

  async function offers(): Promise<Element[]> {
    const awaitsInvited = await registrar!.awaitsInvited();
    const found: string[] = [];
    // Conversations looks for the second, which the specification has given up, and wants the third with it.
    if (awaitsInvited) found.push(NS.registerToken, NS.invite);
    if (awaitsInvited || registrar!.isOpen) found.push(NS.registerFeature);
    return found.map((xmlns) => xml("register", { xmlns }));
  }

  async function answer(
    stanza: Element,
    handle: (payload: Element) => Promise<Element | void>,
  ): Promise<void> {
    const type = attr(stanza, "type");
    if (!isStanza(stanza) || stanza.name !== "iq" || (type !== "get" && type !== "set"))
      throw new StreamError("not-authorized");
    try {
      if (!stream.isEncrypted)
        throw new StanzaError("not-authorized", { text: "Encrypt the connection first" });
      const result = await handle(iqPayload(stanza));
      stream.transport.send(resultReply(stanza, result ?? undefined));
    } catch (thrown) {
      const error = toStanzaError(thrown);
      if (error !== thrown) log.error({ err: thrown }, "an account could not be made");
      stream.transport.send(refusal(stanza, error));
    }
  }

  async function show(payload: Element): Promise<void> {
    if (payload.name !== "preauth") throw new StanzaError("bad-request");
    invited = await registrar!.invited(attr(payload, "token") ?? "", stream.address);
  }

  async function register(type: string | undefined, query: Element): Promise<Element | undefined> {
    if (query.name !== "query") throw new StanzaError("bad-request");
    // §3.2: who is nobody yet has nothing to take back.
    if (child(query, "remove")) throw new StanzaError("unexpected-request", { text: "Log in first" });
    // §3.1.1
    if (isDone)
      throw new StanzaError("not-acceptable", { text: "One account was made here already: log in" });
    const admission = invited ?? registrar!.open(stream.address);
    if (type === "get") return questions(admission);
    const { username, password } = registrationAnswers(query);
    if (!username || !password)
      throw new StanzaError("not-acceptable", { text: "A name and a password are needed" });
    await admission.register(username, password);
    isDone = true;
    return undefined;
  }

  function questions({ username }: Admission): Element {
    const fields = registrationFields(username ?? "");
    // Old clients (telepathy-gabble, of the XO laptop) give up where there is more than the fields; they bring no token.
    if (invited) fields.append(registrationForm(username ?? ""));
    return fields;
  }

  return [
    {
      xmlns: NS.preAuthentication,
      advertise: () => [],
      receive: (stanza) => answer(stanza, show),
    },
    {
      xmlns: NS.register,
      advertise: () => (stream.isEncrypted ? offers() : []),
      receive: (stanza) => answer(stanza, (query) => register(attr(stanza, "type"), query)),
    },
  ];
}

/** Without what was sent: it may hold a password. */
function refusal(stanza: Element, error: StanzaError): Element {
  const reply = errorReply(xml("iq", stanza.attrs), error);
  child(reply, "error")!.attrs["code"] = codes[error.condition];
  return reply;
}
