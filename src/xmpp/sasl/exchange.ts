/** RFC 4422: what the server needs of a SASL mechanism, and what a mechanism needs of the server. */
import { SaslError } from "../errors.ts";
import { prepareLocal } from "../jid.ts";
import { saslprep } from "./saslprep.ts";
import type { ScramCredentials, ScramHash } from "./scram.ts";

/** What somebody has proven to know: the password, one of the account's app passwords, or a token of their client. */
export type Credential = "password" | "token" | { readonly appPassword: string };

/** A challenge to send, or the end: who it is, in prepared form, by what, and what the success carries. */
export type Step =
  | { readonly challenge: Buffer }
  | {
      readonly local: string;
      readonly authzid: string | undefined;
      readonly credential: Credential;
      readonly final?: Buffer;
    };

/** One authentication. It throws `SaslError` where it fails, and is not used again then. */
export interface Exchange {
  respond(message: Buffer): Promise<Step>;
}

/** What a password of a name is checked against. */
export interface Verifier {
  readonly credentials: ScramCredentials;
  readonly hash: ScramHash;
  /**
   * Of the app passwords. SCRAM names the salt before it knows which password it will be, so that they all share the
   * salt and the rounds of the account.
   */
  readonly others?: readonly AppVerifier[];
  /** `false`: made up, as there is no such account. */
  readonly known: boolean;
  /** The account may not be used at present. */
  readonly disabled?: true;
}

export interface AppVerifier extends Pick<ScramCredentials, "storedKey" | "serverKey"> {
  readonly appPassword: string;
}

/** The verifier of a name; with `orOther`, one of another hash where it has none of this one. */
export type Lookup = (local: string, hash: ScramHash, orOther?: "orOther") => Promise<Verifier>;

/** Throws unless the account may be used by who has proven to be its owner. */
export function admit({ known, disabled }: Pick<Verifier, "known" | "disabled">): void {
  if (!known) throw new SaslError("not-authorized");
  if (disabled) throw new SaslError("account-disabled");
}

/** The keys that a client's proof fits, which `fits` tells, and what they are of. */
export function keysThat(
  fits: (storedKey: Buffer) => boolean,
  { credentials, others = [] }: Verifier,
): { serverKey: Buffer; credential: Credential } | undefined {
  if (fits(credentials.storedKey)) return { serverKey: credentials.serverKey, credential: "password" };
  const other = others.find(({ storedKey }) => fits(storedKey));
  return other && { serverKey: other.serverKey, credential: { appPassword: other.appPassword } };
}

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
