/** RFC 4422: what the server needs of a SASL mechanism, and what a mechanism needs of the server. */
import { SaslError } from "../errors.ts";
import { prepareLocal } from "../jid.ts";
import { saslprep } from "./saslprep.ts";
import type { ScramCredentials, ScramHash } from "./scram.ts";

/** A challenge to send, or the end: who it is, in prepared form, and what the success carries. */
export type Step =
  | { readonly challenge: Buffer }
  | { readonly local: string; readonly authzid: string | undefined; readonly final?: Buffer };

/** One authentication. It throws `SaslError` where it fails, and is not used again then. */
export interface Exchange {
  respond(message: Buffer): Promise<Step>;
}

/** The verifier of a name, made up where there is no such account (`known: false`). */
export type Lookup = (
  local: string,
  hash: ScramHash,
) => Promise<{ readonly credentials: ScramCredentials; readonly known: boolean }>;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A message of a text mechanism; `malformed-request` where it is no UTF-8. */
export function decodeMessage(message: Buffer): string {
  try {
    return utf8.decode(message);
  } catch {
    throw new SaslError("malformed-request");
  }
}

/** The localpart that a user name stands for (RFC 6120 §6.3.7); what can be nobody's name is `not-authorized`. */
export function localOf(username: string): string {
  const prepared = saslprep(username);
  const local = prepared === undefined ? undefined : prepareLocal(prepared);
  if (local === undefined) throw new SaslError("not-authorized");
  return local;
}
