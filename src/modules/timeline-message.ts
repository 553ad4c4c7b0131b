/** What a chat message to the timeline asks for, in the words of XEP-0308, XEP-0424 and XEP-0428. */
import { StanzaError } from "../xmpp/errors.ts";
import { NS } from "../xmpp/ns.ts";
import { attr, child, children, childText, type Element } from "../xmpp/xml.ts";

/** A client's id for a message is a UUID or shorter; what is longer than a part of an address is not kept. */
const messageIdMaximum = 1_023;

export type Wish =
  | {
      readonly kind: "say";
      readonly text: string;
      readonly language: string | undefined;
      /** The id of the message that this one takes the place of. */
      readonly corrects: string | undefined;
    }
  | { readonly kind: "retract"; readonly messageId: string };

/**
 * `undefined` for what only accompanies messages: chat states, receipts, markers, and bodies that stand for something
 * else. `not-acceptable` where the text cannot be read here.
 */
export function wishOf(message: Element): Wish | undefined {
  const retracted = retractedId(message);
  if (retracted !== undefined) return { kind: "retract", messageId: retracted };
  const body = child(message, "body");
  const text = childText(message, "body");
  if (isEncrypted(message, text)) {
    const text = "Encrypted messages cannot be published. Turn encryption off for this contact.";
    throw new StanzaError("not-acceptable", { text });
  }
  if (!body || !text || children(message, "fallback", NS.fallback).some(isWholeBody)) return undefined;
  const replace = child(message, "replace", NS.correct);
  return {
    kind: "say",
    text,
    language: attr(body, "xml:lang") ?? attr(message, "xml:lang"),
    corrects: replace && attr(replace, "id"),
  };
}

/** By which a correction or a retraction may refer to this message: its id, and that of XEP-0359. */
export function messageIds(message: Element): string[] {
  const origin = child(message, "origin-id", NS.stanzaIds);
  const ids = [attr(message, "id") ?? "", (origin && attr(origin, "id")) ?? ""];
  return [...new Set(ids)].filter((id) => id !== "" && id.length <= messageIdMaximum);
}

/** XEP-0424 §3; before its version 0.4 it was an attachment (XEP-0422). */
function retractedId(message: Element): string | undefined {
  const retract = child(message, "retract", NS.retract);
  if (retract) return attr(retract, "id") ?? "";
  const attached = child(message, "apply-to", NS.fasten);
  return attached && child(attached, "retract", NS.legacyRetract) && (attr(attached, "id") ?? "");
}

/** The body only says that the reader's client cannot read it (XEP-0380, OMEMO, OpenPGP, OTR). */
const isEncrypted = (message: Element, body = ""): boolean =>
  child(message, "encryption", NS.encryption) !== undefined ||
  body.startsWith("?OTR") ||
  children(message).some(({ name }) => name === "encrypted");

/** XEP-0428 §2.2: a fallback without a range is all of the body. */
function isWholeBody(fallback: Element): boolean {
  const ranges = children(fallback);
  return (
    ranges.length === 0 || ranges.some((range) => range.name === "body" && attr(range, "start") === undefined)
  );
}
