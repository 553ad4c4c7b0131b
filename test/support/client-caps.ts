/** A client's entity capabilities (XEP-0115 §5.1), computed apart from the server's own code. */
import { createHash } from "node:crypto";
import type { Element } from "../../src/xmpp/xml.ts";
import type { Actor } from "./actor.ts";

const info = "http://jabber.org/protocol/disco#info";

export interface ClientCaps {
  readonly ver: string;
  /** `<c/>`, to stand in presence. */
  readonly c: string;
  /** What the client answers when it is asked. */
  readonly query: string;
}

/** The capabilities of a client that wants to hear of these nodes. */
export function wanting(nodes: readonly string[], name = "Test"): ClientCaps {
  const features = [info, ...nodes.map((node) => `${node}+notify`)];
  const sorted = features.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const ver = createHash("sha1")
    .update(`client/pc//${name}<${sorted.map((feature) => `${feature}<`).join("")}`)
    .digest("base64");
  return {
    ver,
    c: `<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://client.example' ver='${ver}'/>`,
    query: `<query xmlns='${info}' node='https://client.example#${ver}'>
      <identity category='client' type='pc' name='${name}'/>${features
        .map((feature) => `<feature var='${feature}'/>`)
        .join("")}</query>`,
  };
}

/** The server's question what a client can do. */
export const questionTo = (actor: Actor, node = "{any}"): string =>
  `<iq type='get' from='${actor.bare}' to='${actor.full}'><query xmlns='${info}' node='${node}'/></iq>`;

/** Sends presence with these capabilities and answers the server's question about them. */
export async function shows(actor: Actor, caps: ClientCaps): Promise<Element> {
  actor.sends(`<presence>${caps.c}</presence>`);
  const question = await actor.receives(questionTo(actor, `https://client.example#${caps.ver}`));
  actor.answers(question, caps.query);
  return question;
}
