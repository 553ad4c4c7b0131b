/** A client that reads its archive (XEP-0313). */
import assert from "node:assert";
import { NS } from "../../src/xmpp/ns.ts";
import { attr, child, childText, children, escapeText, text, type Element } from "../../src/xmpp/xml.ts";
import type { Actor } from "./cast.ts";

export interface Page {
  /** What was said, in the order in which it came. */
  readonly said: (string | undefined)[];
  /** The archive ids of the results, in that order. */
  readonly ids: string[];
  /** The archived messages, as they are in there. */
  readonly messages: Element[];
  readonly results: Element[];
  readonly complete: boolean;
  readonly fin: Element;
  readonly first: string | undefined;
  readonly last: string | undefined;
  readonly count: string | undefined;
}

export interface Query {
  readonly [field: string]: string | readonly string[];
}

let queries = 0;

/** The text of a query: fields of its form, and whatever else is in it. */
export function queryText(fields: Query = {}, extra = "", queryid = `q${(queries += 1)}`): string {
  const lines = Object.entries({ FORM_TYPE: NS.archive, ...fields }).map(([name, values]) => {
    const list = [values].flat().map((value) => `<value>${escapeText(value)}</value>`);
    return `<field var='${name}'>${list.join("")}</field>`;
  });
  const form =
    Object.keys(fields).length > 0 ? `<x xmlns='jabber:x:data' type='submit'>${lines.join("")}</x>` : "";
  return `<iq type='set'><query xmlns='${NS.archive}' queryid='${queryid}'>${form}${extra}</query></iq>`;
}

/** `<set/>` of XEP-0059 with these elements. */
export const rsm = (parts: Record<string, string | number>): string => {
  const inside = Object.entries(parts).map(([name, value]) => `<${name}>${value}</${name}>`);
  return `<set xmlns='${NS.rsm}'>${inside.join("")}</set>`;
};

/** Queries the archive; the results must all come before the answer, from the account, and bear the query's id. */
export async function reads(actor: Actor, fields: Query = {}, extra = ""): Promise<Page> {
  const queryid = `q${(queries += 1)}`;
  const others = actor.inbox.splice(0);
  const reply = await actor.asks(queryText(fields, extra, queryid), `<iq type='result'/>`);
  const came = actor.inbox.splice(0);
  actor.inbox.push(...others);
  const results = came.map((message) => {
    assert.equal(attr(message, "from"), actor.bare);
    assert.equal(attr(message, "to"), actor.full);
    const result = child(message, "result", NS.archive)!;
    assert.equal(attr(result, "queryid"), queryid);
    return result;
  });
  const messages = results.map((result) => {
    const forwarded = child(result, "forwarded", NS.forward)!;
    assert(child(forwarded, "delay", NS.delay), "a result tells when it was");
    return child(forwarded, "message", NS.client)!;
  });
  const fin = child(reply, "fin", NS.archive)!;
  const set = child(fin, "set", NS.rsm)!;
  return {
    said: messages.map((message) => childText(message, "body")),
    ids: results.map((result) => attr(result, "id")!),
    ...{ messages, results, fin },
    complete: attr(fin, "complete") === "true",
    first: childText(set, "first"),
    last: childText(set, "last"),
    count: childText(set, "count"),
  };
}

/** The stanza-ids of a message, by whose they are. */
export const stanzaIds = (message: Element): Record<string, string> =>
  Object.fromEntries(
    children(message, "stanza-id", NS.stanzaIds).map((one) => [attr(one, "by")!, attr(one, "id")!]),
  );

export const saidIn = (message: Element): string => text(child(message, "body")!);
